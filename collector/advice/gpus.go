package advice

import (
	"math"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
)

// gpus says which GPUs are requested and not used.
func (s *Said) gpus(in Input, p Prices, ws []workload) {
	kinds, scaled := map[string]string{}, map[string]bool{}
	for _, w := range ws {
		k := workloadKey(w.Target)
		kinds[k], scaled[k] = w.Target.Kind, w.HasHPA
	}
	of := func(name string) map[string]series.Series {
		out := map[string]series.Series{}
		for _, x := range in.all(name) {
			out[key(x.Labels, byContainer...)] = x
		}
		return out
	}
	used, peak, memory := of("gpu_used"), of("gpu_peak"), of("gpu_memory")
	pods, seen := byLabels(in.all("gpu_pods"), in.End, byContainer...), byLabels(in.all("gpu_seen"), in.End, byContainer...)
	price := byLabels(in.all("gpu_price"), in.End, "cluster")
	for _, r := range in.all("gpu_request") {
		k, w := key(r.Labels, byContainer...), key(r.Labels, byWorkload...)
		g := recommend.GPUInput{
			Target: containerOf(r.Labels), Slot: in.Slot, Requested: last(r, in.End), Pods: value(pods, k), Seen: value(seen, k),
			Used: used[k], Peak: peak[k], Memory: memory[k], HasHPA: scaled[w],
			Price: value(price, key(r.Labels, "cluster")), Currency: p.Currency, PriceSource: "opencost",
			UsedQuery: in.Queries["gpu_used"], PeakQuery: in.Queries["gpu_peak"], MemoryAsk: in.Queries["gpu_memory"],
		}
		if kind := kinds[w]; kind != "" {
			g.Target.Kind = kind
		}
		if math.IsNaN(g.Price) && p.GPUHour > 0 {
			g.Price, g.PriceSource = p.GPUHour, "config"
		}
		if x := recommend.GPUs(g); x != nil {
			s.Recommendations = append(s.Recommendations, *x)
		}
	}
}

// workloadKey is that of the labels of a target's workload.
func workloadKey(t recommend.Target) string {
	return key(labels.FromStrings("cluster", t.Cluster, "namespace", t.Namespace, "workload", t.Name), byWorkload...)
}

// gpusByWorkload returns what the containers of workloads request of GPUs, on the grid of the pass: 0 where one
// requested none.
func gpusByWorkload(in Input) map[string][]series.Series {
	out := map[string][]series.Series{}
	for _, r := range in.all("gpu_request") {
		whole := series.Series{Labels: r.Labels, Start: in.Start, Step: in.Step, Values: make([]float64, int((in.End-in.Start)/in.Step)+1)}
		for i := range whole.Values {
			if k, ok := r.Index(whole.At(i)); ok {
				whole.Values[i] = orZero(r.Values[k])
			}
		}
		k := key(r.Labels, byWorkload...)
		out[k] = append(out[k], whole)
	}
	return out
}
