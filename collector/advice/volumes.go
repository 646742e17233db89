package advice

import (
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
)

// volumes finds those that are not used.
func (s *Said) volumes(in Input, p Prices) {
	names := []string{"cluster", "namespace", "persistentvolumeclaim"}
	price := byLabels(in.all("volume_price"), in.End, "cluster", "volumename")
	attached := map[string]series.Series{}
	for _, a := range in.all("volume_attached") {
		attached[key(a.Labels, names...)] = a
	}
	used := map[string]series.Series{}
	for _, u := range in.all("volume_used") {
		used[key(u.Labels, names...)] = u
	}
	if len(attached) == 0 {
		return // without kube-state-metrics every volume would seem unattached
	}
	for _, v := range in.all("volume_size") {
		size := last(v, in.End)
		if math.IsNaN(size) {
			continue
		}
		k := key(v.Labels, names...)
		vol := recommend.Volume{
			Target: recommend.Target{Cluster: v.Labels.Get("cluster"), Namespace: v.Labels.Get("namespace"), Kind: "PersistentVolumeClaim", Name: v.Labels.Get("persistentvolumeclaim"), Container: ""},
			Size:   size, Price: value(price, key(v.Labels, "cluster", "volumename")), Currency: p.Currency, PriceSource: "opencost", Used: used[k], Attached: false, Hours: 0,
		}
		if math.IsNaN(vol.Price) {
			vol.Price, vol.PriceSource = p.StorageGiBHour, "config"
		}
		vol.Attached = !math.IsNaN(last(attached[k], in.End))
		vol.Hours = float64(in.End-max(newest(attached[k]), newest0(v))) / 3_600_000
		for _, r := range []*recommend.Recommendation{recommend.Unattached(vol, in.Slot), recommend.Oversized(vol, in.Slot)} {
			if r != nil {
				s.Recommendations = append(s.Recommendations, *r)
			}
		}
	}
}

// newest returns the time of the newest value of s, 0 if there is none.
func newest(s series.Series) int64 {
	for i, v := range slices.Backward(s.Values) {
		if !math.IsNaN(v) {
			return s.At(i)
		}
	}
	return 0
}

// newest0 returns the time of the first value of s: longer than it is known it has not been unattached.
func newest0(s series.Series) int64 {
	for i, v := range s.Values {
		if !math.IsNaN(v) {
			return s.At(i)
		}
	}
	return s.End()
}
