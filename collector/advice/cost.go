package advice

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/rules/recommend"
)

// Prices are those of the configuration, for where OpenCost says none.
type Prices struct {
	Currency                               string
	CPUHour, MemoryGiBHour, StorageGiBHour float64
	Budget                                 float64 // a month; 0: none
}

// costLevel is the share of what is spent that the intervals are to hold.
const costLevel = 0.9

// spendTrust is 1 − 2·|coverage − level| of the spend of a week, as measured; see docs/recommendations.md.
const spendTrust = 0.94

// Costs forecasts spend by namespace and in all, watches the budget, explains days that cost more or less
// than expected, and finds what costs and is not needed. model forecasts the use of workloads.
func Costs(p Prices, model forecast.Forecaster) Advisor {
	return func(ctx context.Context, in Input) (Said, error) {
		var out Said
		ws, source := workloads(in, p)
		if len(ws) == 0 {
			r := recommend.New(recommend.CostInputs, recommend.Target{Kind: "Cluster", Name: "default"}, "")
			r.Block(recommend.BlockNoPrice, "neither OpenCost (container_cpu_allocation, node_cpu_hourly_cost) nor requests of kube-state-metrics are there: scrape one of them; see docs/recommendations.md")
			out.Recommendations = append(out.Recommendations, r)
			return out, nil
		}
		out.spend(in, p, ws)
		costs := map[recommend.Target]float64{}
		for _, w := range ws {
			if err := ctx.Err(); err != nil {
				return Said{}, err
			}
			if !math.IsNaN(w.Cost) {
				costs[w.Target] = w.Cost * recommend.HoursPerMonth
			}
			for _, r := range []*recommend.Recommendation{recommend.Idle(w.Workload, in.Slot), recommend.Spot(w.Workload, in.Slot)} {
				if r != nil {
					out.Recommendations = append(out.Recommendations, *r)
				}
			}
			if r := w.scaled(ctx, in, model); r != nil {
				out.Recommendations = append(out.Recommendations, *r)
			}
		}
		out.volumes(in, p)
		total := out.nodes(in, p, source)
		out.Recommendations = slices.DeleteFunc(out.Recommendations, func(r recommend.Recommendation) bool { return !in.wants(r.Kind) })
		if math.IsNaN(total) { // what the nodes cost is not known: at least what is on them
			total = 0
			for _, t := range slices.SortedFunc(maps.Keys(costs), compareTargets) {
				total += costs[t]
			}
			for _, r := range out.Recommendations { // volumes and nodes are not in it
				if s := r.Impact.SavingsMonthly; s != nil && costs[r.Target] == 0 {
					total += *s
				}
			}
		}
		out.Recommendations = recommend.CapSavings(out.Recommendations, costs, total)
		return out, nil
	}
}

// compareTargets orders those of workloads: sums in an order that is always the same are the same.
func compareTargets(a, b recommend.Target) int {
	return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}

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
		memory := index(bytes)
		for _, s := range cores {
			m, ok := memory[key(s.Labels, byWorkload...)]
			if !ok {
				continue // half a cost is none
			}
			costs = append(costs, combine(s, m, func(c, b float64) float64 { return c*p.CPUHour + b/(1<<30)*p.MemoryGiBHour }))
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

// sum adds up series on the grid of the pass. A gap of one is nothing spent by it.
func sum(in Input, all []series.Series) series.Series {
	n := int((in.End-in.Start)/in.Step) + 1
	out := series.Series{Labels: labels.EmptyLabels(), Start: in.Start, Step: in.Step, Values: make([]float64, n)}
	for i := range out.Values {
		out.Values[i] = math.NaN()
	}
	for _, s := range all {
		for i, v := range s.Values {
			if k, ok := out.Index(s.At(i)); ok && !math.IsNaN(v) {
				if math.IsNaN(out.Values[k]) {
					out.Values[k] = 0
				}
				out.Values[k] += v
			}
		}
	}
	for i, v := range out.Values { // what was before it began is no history
		if !math.IsNaN(v) {
			return out.Slice(out.At(i), out.End())
		}
	}
	return out
}

// spend forecasts by namespace and in all.
func (s *Said) spend(in Input, p Prices, ws []workload) {
	groups := map[[2]string][]workload{}
	for _, w := range ws {
		k := [2]string{w.cluster, w.ns}
		groups[k] = append(groups[k], w)
	}
	keys := make([][2]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+"\xff"+a[1], b[0]+"\xff"+b[1]) })
	for _, k := range keys {
		set := []string{"scope", "namespace", "namespace", k[1]}
		if k[0] != "" {
			set = append(set, "cluster", k[0])
		}
		s.forecastSpend(in, p, groups[k], labels.FromStrings(set...), k[1])
	}
	s.forecastSpend(in, p, ws, labels.FromStrings("scope", "total"), "")
}

// forecastSpend says what a group of workloads will cost.
func (s *Said) forecastSpend(in Input, p Prices, ws []workload, ls labels.Labels, ns string) {
	of := make([]series.Series, len(ws))
	for i, w := range ws {
		of[i] = w.cost
	}
	y := sum(in, of)
	spend, ok := capacity.SpendOf(y)
	if !ok {
		return
	}
	now := time.UnixMilli(in.End).UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	left := month.AddDate(0, 1, 0).Sub(now)
	c := series.Cost{Currency: p.Currency, Horizons: []time.Duration{7 * 24 * time.Hour, left}, MonthEnd: left, Value: nil, Lower: nil, Upper: nil, Budget: math.NaN(), ToDate: math.NaN(), Confidence: spendTrust * math.Sqrt(min(1, float64(len(spend.Days))/28))}
	for _, h := range c.Horizons {
		v, l, u := spend.Over(h, costLevel)
		c.Value, c.Lower, c.Upper = append(c.Value, v), append(c.Lower, l), append(c.Upper, u)
	}
	spent, whole := toDate(y, month, in.End)
	if ns == "" {
		if whole {
			c.ToDate = spent
		}
		if p.Budget > 0 {
			c.Budget = p.Budget
		}
	}
	r := planned(ls, in.End, &series.Plan{Capacity: nil, Cost: &c, Advice: nil})
	r.Observed = last(y, in.End)
	if f := costFinding(in, p, ws, spend, ns); f != nil {
		r.Findings = []series.Finding{*f}
	}
	s.Results = append(s.Results, r)
	if ns == "" && p.Budget > 0 && whole {
		s.budget(in, p, y, month)
	}
}

// toDate returns what was spent from the first of the month to end, the newest time; whole is false where the
// history does not reach back to it.
func toDate(y series.Series, month time.Time, end int64) (spent float64, whole bool) {
	for _, v := range y.Slice(month.UnixMilli(), end+1).Values {
		if !math.IsNaN(v) {
			spent += v * float64(y.Step) / 3_600_000
		}
	}
	return spent, y.Start <= month.UnixMilli()+2*y.Step
}

// budget says whether the month's budget lasts. An alert about it begins with the first fit in a row of the month that
// finds it urgent, of what was known then: after a restart too.
func (s *Said) budget(in Input, p Prices, y series.Series, month time.Time) {
	next := month.AddDate(0, 1, 0).UnixMilli()
	at := func(t int64) (capacity.Estimate, *recommend.Recommendation, bool) {
		past := upTo(y, t)
		spend, ok := capacity.SpendOf(past)
		spent, whole := toDate(past, month, t)
		if !ok || !whole || t < month.UnixMilli() {
			return capacity.Estimate{}, nil, false
		}
		left := time.Duration(next-t) * time.Millisecond
		b := recommend.Budget{Budget: p.Budget, Spent: spent, Currency: p.Currency, Left: left}
		b.Ahead, b.Lower, b.Upper = spend.Over(left, costLevel)
		e, r := recommend.Overrun(b, func(d time.Duration) float64 { v, _, _ := spend.Over(d, costLevel); return v }, in.Slot)
		return e, r, true
	}
	e, r, ok := at(in.End)
	if !ok {
		return
	}
	l := recommend.Limit{Kind: "budget", Target: recommend.Target{Kind: "Budget", Name: "month"}, Name: "", Unit: p.Currency, Used: y, Limit: p.Budget, Query: ""}
	s.add(in, "budget", l, labels.FromStrings("scope", "total"), e, r, func(t int64) bool {
		_, r, ok := at(t)
		return ok && r != nil && r.Urgency == recommend.UrgencyNow
	})
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

// nodes packs what is requested, and returns what the nodes cost a month, NaN if unknown.
func (s *Said) nodes(in Input, p Prices, source string) float64 {
	cost := byLabels(in.all("node_cost"), in.End, "cluster", "node")
	memory := byLabels(in.all("node_memory"), in.End, "cluster", "node")
	clusters := map[string][]recommend.Node{}
	total := 0.0
	for _, k := range slices.Sorted(maps.Keys(cost)) {
		total += cost[k] * recommend.HoursPerMonth
	}
	if len(cost) == 0 {
		total = math.NaN()
	}
	for _, n := range in.all("node_cpu") {
		k := key(n.Labels, "cluster", "node")
		cpu, bytes := last(n, in.End), value(memory, k)
		if math.IsNaN(cpu) || math.IsNaN(bytes) {
			continue
		}
		c, ok := cost[k]
		if !ok {
			c = cpu*p.CPUHour + bytes/(1<<30)*p.MemoryGiBHour
			if len(cost) == 0 {
				total = orZero(total) + c*recommend.HoursPerMonth
			}
		}
		cluster := n.Labels.Get("cluster")
		clusters[cluster] = append(clusters[cluster], recommend.Node{Name: n.Labels.Get("node"), CPU: cpu, Memory: bytes, Cost: c})
	}
	pods := map[string][]recommend.Pod{}
	bytes := byLabels(in.all("pod_memory_request"), in.End, "cluster", "namespace", "pod")
	daemon := byLabels(in.all("pod_daemon"), in.End, "cluster", "namespace", "pod")
	for _, c := range in.all("pod_cpu_request") {
		k := key(c.Labels, "cluster", "namespace", "pod")
		if v := last(c, in.End); !math.IsNaN(v) {
			cluster := c.Labels.Get("cluster")
			pods[cluster] = append(pods[cluster], recommend.Pod{CPU: v, Memory: orZero(value(bytes, k)), Daemon: there(daemon, k)})
		}
	}
	for _, cluster := range slices.Sorted(maps.Keys(clusters)) {
		from := source
		if len(cost) == 0 {
			from = "config"
		}
		if r := recommend.FewerNodes(cluster, clusters[cluster], pods[cluster], p.Currency, from, in.Slot); r != nil {
			s.Recommendations = append(s.Recommendations, *r)
		}
	}
	return total
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// money writes an amount.
func money(v float64, currency string) string { return fmt.Sprintf("%.2f %s", v, currency) }
