package advice

import (
	"context"
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules/recommend"
)

// workload is one with its history of cost.
type workload struct {
	recommend.Workload
	cost                series.Series // an hour
	quantity            series.Series // cores, for the explanation
	memory              series.Series // bytes
	cluster, ns, worded string
	request             float64 // of one replica, cores; NaN if unknown
	scaler              scaler
}

// scaler is an autoscaler of a workload.
type scaler struct {
	name             string  // empty: none
	aim, least, most float64 // share of the request, and replicas; NaN if unknown
}

var byWorkload = []string{"cluster", "namespace", "workload"}

// workloads returns those with a cost, by OpenCost, or by the price table and what they request.
func workloads(in Input, p Prices) (out []workload, source string) {
	source = "opencost"
	costs := in.all("workload_cost")
	cores, bytes := in.all("workload_cpu_allocation"), in.all("workload_memory_allocation")
	if len(costs) == 0 {
		source = "config"
		cores, bytes = in.all("workload_cpu_request"), in.all("workload_memory_request")
		memory, gpus := index(bytes), gpusByWorkload(in)
		for _, s := range cores {
			m, ok := memory[key(s.Labels, byWorkload...)]
			if !ok {
				continue // half a cost is none
			}
			cost := combine(s, m, func(c, b float64) float64 { return c*p.CPUHour + b/(1<<30)*p.MemoryGiBHour })
			for _, g := range gpus[key(s.Labels, byWorkload...)] {
				cost = combine(cost, g, func(c, n float64) float64 { return c + orZero(n)*p.GPUHour })
			}
			costs = append(costs, cost)
		}
	}
	cpu, network := index(in.all("workload_cpu")), index(in.all("workload_network"))
	quantity, memory := index(cores), index(bytes)
	replicas := byLabels(in.all("workload_replicas"), in.End, byWorkload...)
	guarded, hpa, spot := byLabels(in.all("workload_guarded"), in.End, byWorkload...), byLabels(in.all("workload_hpa"), in.End, byWorkload...), byLabels(in.all("workload_spot"), in.End, byWorkload...)
	requests, scalers := index(in.all("workload_cpu_request")), scalersOf(in)
	owner := map[string]string{}
	for _, s := range in.all("workload_owner") {
		if !math.IsNaN(last(s, in.End)) {
			owner[key(s.Labels, byWorkload...)] = s.Labels.Get("owner_kind")
		}
	}
	for _, s := range costs {
		k := key(s.Labels, byWorkload...)
		now := last(s, in.End)
		if math.IsNaN(now) {
			continue
		}
		kind, known := owner[k]
		switch {
		case !known:
			kind = recommend.AnyWorkload
		case kind == "ReplicaSet":
			kind = "Deployment"
		}
		w := workload{cost: s, quantity: quantity[k], memory: memory[k], cluster: s.Labels.Get("cluster"), ns: s.Labels.Get("namespace"), worded: "", request: math.NaN(), scaler: scalers.of(k)}
		w.Workload = recommend.Workload{
			Target: recommend.Target{Cluster: w.cluster, Namespace: w.ns, Kind: kind, Name: s.Labels.Get("workload"), Container: ""},
			Cost:   now, Currency: p.Currency, PriceSource: source, CPU: cpu[k], Network: network[k], Replicas: value(replicas, k),
			Stateful: kind != "Deployment", Guarded: there(guarded, k), KnownOwner: known, HasHPA: there(hpa, k), OnSpot: there(spot, k),
		}
		if asks := last(requests[k], in.End); w.Replicas > 0 {
			w.request = asks / w.Replicas
		}
		w.worded = w.ns + "/" + w.Target.Name
		out = append(out, w)
	}
	return out, source
}

// scalers are the autoscalers by workload.
type scalers map[string]scaler

func scalersOf(in Input) scalers {
	out := scalers{}
	aim, least := byLabels(in.all("workload_hpa_cpu"), in.End, byWorkload...), byLabels(in.all("workload_hpa_min"), in.End, byWorkload...)
	for _, s := range in.all("workload_hpa_max") {
		if most := last(s, in.End); most > 0 {
			k := key(s.Labels, byWorkload...)
			out[k] = scaler{name: s.Labels.Get("horizontalpodautoscaler"), aim: value(aim, k), least: value(least, k), most: most}
		}
	}
	return out
}

func (s scalers) of(k string) scaler {
	if x, ok := s[k]; ok {
		return x
	}
	return scaler{name: "", aim: math.NaN(), least: math.NaN(), most: math.NaN()}
}

func value(m map[string]float64, k string) float64 {
	if v, ok := m[k]; ok {
		return v
	}
	return math.NaN()
}

func there(m map[string]float64, k string) bool { _, ok := m[k]; return ok }

// index maps series by their workload.
func index(all []series.Series) map[string]series.Series {
	out := make(map[string]series.Series, len(all))
	for _, s := range all {
		out[key(s.Labels, byWorkload...)] = s
	}
	return out
}

// combine returns f of the values of a and b at the times of a.
func combine(a, b series.Series, f func(a, b float64) float64) series.Series {
	out := series.Series{Labels: a.Labels, Start: a.Start, Step: a.Step, Values: make([]float64, len(a.Values))}
	for i, v := range a.Values {
		out.Values[i] = math.NaN()
		if k, ok := b.Index(a.At(i)); ok {
			out.Values[i] = f(v, b.Values[k])
		}
	}
	return out
}

// scaled forecasts the use of w and looks for hours in which it does little, else for how many replicas it needs.
// Only Deployments are looked at: what has state is not scaled by the hour.
func (w workload) scaled(ctx context.Context, in Input, model forecast.Forecaster) *recommend.Recommendation {
	const week = 168
	if model == nil || !w.KnownOwner || w.Stateful || !(w.Replicas >= 2) && w.scaler.name == "" || len(w.CPU.Values) < 2*week || w.CPU.Step != 3_600_000 {
		return nil
	}
	if !in.wants(recommend.OffHours) && !in.wants(recommend.Replicas) {
		return nil
	}
	f := series.Forecast{Band: series.Band{Level: costLevel, Point: make([]float64, week), Lower: make([]float64, week), Upper: make([]float64, week)}}
	var scratch forecast.Scratch
	if err := model.Forecast(&f, w.CPU, forecast.Calendar{}, scratch.With(ctx)); err != nil {
		return nil
	}
	if slices.ContainsFunc(append(slices.Clone(f.Point), f.Upper...), math.IsNaN) {
		return nil
	}
	if in.wants(recommend.OffHours) {
		if r := recommend.Quiet(w.Workload, f.Point, f.Upper, f.Confidence, in.End); r != nil {
			return r
		}
	}
	f.Start, f.Step = w.CPU.End(), w.CPU.Step
	r := recommend.ReplicaCounts(recommend.ReplicaInput{
		Target: w.Target, Slot: in.Slot / 1000, Forecast: &f, Request: w.request, Aim: w.scaler.aim, Replicas: w.Replicas,
		HPAName: w.scaler.name, HPAMin: w.scaler.least, HPAMax: w.scaler.most,
		// What a replica costs, memory too, by the cores it asks for.
		CPUPrice: w.Cost / (w.Replicas * w.request), Currency: w.Currency, PriceSource: w.PriceSource, Query: in.Queries["workload_cpu"],
	})
	return &r
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}
