package advice

import (
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// last returns the newest value of s if it is not older than three steps at end, else NaN.
func last(s series.Series, end int64) float64 {
	for i, v := range slices.Backward(s.Values) {
		if end-s.At(i) > 3*s.Step {
			break
		}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	}
	return math.NaN()
}

// plain returns ls without the metric's name.
func plain(ls labels.Labels) labels.Labels {
	return labels.NewBuilder(ls).Del(model.MetricNameLabel).Labels()
}

// byLabels maps the newest values of all by the labels that are named, or by all of them.
func byLabels(all []series.Series, end int64, names ...string) map[string]float64 {
	out := map[string]float64{}
	for _, s := range all {
		if v := last(s, end); !math.IsNaN(v) {
			out[key(s.Labels, names...)] = v
		}
	}
	return out
}

// key identifies ls by the labels that are named, or by all of them but the metric's name.
func key(ls labels.Labels, names ...string) string {
	if len(names) == 0 {
		return string(plain(ls).Bytes(nil))
	}
	b := make([]byte, 0, 64)
	for _, n := range names {
		b = append(append(b, ls.Get(n)...), 0xff)
	}
	return string(b)
}

// upTo returns the part of s up to and with t.
func upTo(s series.Series, t int64) series.Series { return s.Slice(s.Start, t+1) }
