package advice

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
	"github.com/upid/upid/rules/recommend/replay"
	"github.com/upid/upid/rules/recommend/sizing"
)

const (
	fiveMS = 300_000
	midMS  = 1_764_028_800_000 // a midnight
)

func sizesOf(t *testing.T, policy string) *Sizes {
	t.Helper()
	u, err := NewSizes(SizesOptions{Name: "sizing", Step: 5 * time.Minute, Policy: policy, Prices: Prices{Currency: "USD", CPUHour: 0.03, MemoryGiBHour: 0.004}, Costs: "", Queries: nil})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// usage is a workload of so many days from midMS on: a day, noise, bursts and memory that climbs.
func usage(seed uint64, days int) (cpu, memory []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	level, bytes := 0.05+rng.Float64(), (100+900*rng.Float64())*(1<<20)
	walk := 0.0
	for i := range days * 288 {
		walk = 0.99*walk + 0.02*rng.NormFloat64()
		c := level * (1 + 0.5*math.Sin(2*math.Pi*float64(i)/288) + walk)
		m := bytes * (1 + 0.1*walk + 0.1*float64(i)/float64(days*288))
		if rng.IntN(400) == 0 {
			c *= 3
			m *= 1 + 0.5*rng.Float64()
		}
		cpu, memory = append(cpu, float64(float32(max(c, 0)))), append(memory, float64(float32(m)))
	}
	return cpu, memory
}

// slice is the answer for a workload from point a to b.
func slice(name string, v []float64, a, b int) series.Series {
	return series.Series{Labels: labels.FromStrings("namespace", "shop", "workload", name, "container", "app"), Start: midMS + int64(a)*fiveMS, Step: fiveMS, Values: v[a:b]}
}

// TestSizes_replay: the sidecar decides what upid replay decides in service, to the byte, and raises memory
// at the same samples: four weeks learned in pieces of a day, then two weeks point by point.
func TestSizes_replay(t *testing.T) {
	const days, workloads = 35, 8
	for _, policy := range []string{"cost", "balanced", "safe"} {
		var traces []replay.Trace
		cpu, memory := map[string][]float64{}, map[string][]float64{}
		for k := range workloads {
			name := fmt.Sprintf("w%d", k)
			cpu[name], memory[name] = usage(uint64(k), days)
			tr := replay.Trace{Name: name}
			for i := range cpu[name] {
				tr.Times = append(tr.Times, midMS/1000+int64(i)*300)
				tr.CPU, tr.Memory = append(tr.CPU, float32(cpu[name][i])), append(tr.Memory, float32(memory[name][i]))
			}
			traces = append(traces, tr)
		}
		want, err := replay.Run(t.Context(), traces, replay.Options{Strategies: []string{"upid-" + policy}, Warmup: 28 * 86400, Ours: 86400, Peers: 86400, Pressure: true})
		if err != nil {
			t.Fatal(err)
		}
		u := sizesOf(t, policy)
		points := func(a, b int) pipeline.Input {
			in := pipeline.Input{Start: midMS + int64(a)*fiveMS, End: midMS + int64(b-1)*fiveMS, Series: series.Set{}}
			for name := range cpu {
				in.Series[inputCPU] = series.Data{Series: append(in.Series[inputCPU].Series, slice(name, cpu[name], a, b))}
				in.Series[inputMemory] = series.Data{Series: append(in.Series[inputMemory].Series, slice(name, memory[name], a, b))}
			}
			return in
		}
		l := u.Begin(0)
		for d := range 28 {
			if err := l.Learn(t.Context(), points(288*d, 288*(d+1))); err != nil {
				t.Fatal(err)
			}
		}
		l.Commit()
		got := map[string]float64{} // by workload and time: cores and bytes
		for i := 28 * 288; i < days*288; i++ {
			before := map[string]float64{}
			for _, c := range u.fleet.order {
				before[c.key] = c.sizer.Size().Memory
			}
			if _, err := u.Step(t.Context(), 0, points(i, i+1)); err != nil {
				t.Fatal(err)
			}
			for _, c := range u.fleet.order {
				name, at := c.labels.Get("workload"), midMS/1000+int64(i)*300
				if i%288 == 0 { // the size may have been raised by this very sample
					got[fmt.Sprintf("%s %d cpu", name, at)] = c.sizer.Size().CPU
				}
				if m := c.sizer.Size().Memory; i%288 != 0 && m != before[c.key] {
					got[fmt.Sprintf("%s %d memory", name, at+1)] = m
				}
			}
		}
		regular, pressed := 0, 0
		for _, d := range want {
			if d.Pressure {
				if (d.Time-1)%86400 == 0 {
					continue
				}
				pressed++
				v, ok := got[fmt.Sprintf("%s %d memory", d.Workload, d.Time)]
				if !ok || math.Ceil(v/(1<<20)-1e-9)*(1<<20) != d.Memory {
					t.Errorf("%s: %s raised at %d to %v, replay to %v", policy, d.Workload, d.Time, v, d.Memory)
				}
				delete(got, fmt.Sprintf("%s %d memory", d.Workload, d.Time))
				continue
			}
			regular++
			v := got[fmt.Sprintf("%s %d cpu", d.Workload, d.Time)]
			if math.Ceil(v*1000-1e-9)/1000 != d.CPU {
				t.Errorf("%s: %s at %d: %v cores, replay %v", policy, d.Workload, d.Time, v, d.CPU)
			}
		}
		for k := range got {
			if strings.HasSuffix(k, "memory") {
				t.Errorf("%s: %s: replay did not raise", policy, k)
			}
		}
		if regular != workloads*7 || pressed == 0 {
			t.Errorf("%s: %d daily decisions and %d under pressure were compared", policy, regular, pressed)
		}
	}
}

// fact is an answer of one value at a time.
func fact(end int64, v float64, ls ...string) series.Series {
	return series.Series{Labels: labels.FromStrings(ls...), Start: end, Step: fiveMS, Values: []float64{v}}
}

// app are the labels of the container of a workload.
func app(name string, more ...string) []string {
	return append([]string{"namespace", "shop", "workload", name, "container", "app"}, more...)
}

// shop is the answer over days of three workloads of one core and 400 MiB, which ask for four cores and 4 GiB,
// and what kube-state-metrics and OpenCost say of them.
func shop(days int) pipeline.Input {
	n := days * 288
	end := midMS + int64(n-1)*fiveMS
	in := pipeline.Input{Start: midMS, End: end, Series: series.Set{}}
	put := func(name string, s ...series.Series) {
		in.Series[name] = series.Data{Series: append(in.Series[name].Series, s...)}
	}
	for k, name := range []string{"cart", "search", "ads"} {
		cpu, memory := make([]float64, n), make([]float64, n)
		for i := range cpu {
			cpu[i] = 0.8 + 0.2*math.Sin(2*math.Pi*float64(i+k)/288)
			if name == "ads" && i%40 == 0 {
				cpu[i] = 2.5 // bursts, which the policies weigh differently
			}
			memory[i] = (380 + 20*math.Sin(2*math.Pi*float64(i+k)/288)) * (1 << 20)
		}
		put(inputCPU, slice(name, cpu, 0, n))
		put(inputMemory, slice(name, memory, 0, n))
		for pod := range 3 {
			put(factPods, fact(end, 1, app(name, "pod", fmt.Sprintf("%s-%d", name, pod))...))
		}
		put("sizing_replicas", fact(end, 3, app(name)...))
		put("sizing_cpu_request", fact(end, 4, app(name)...))
		put("sizing_memory_request", fact(end, 4<<30, app(name)...))
		put("sizing_memory_limit", fact(end, 4<<30, app(name)...))
		put("sizing_target", fact(end, 3, "namespace", "shop", "workload", name, "owner_kind", "Deployment"))
		put("sizing_cost", fact(end, 3*(4*0.03+4*0.004), "namespace", "shop", "workload", name))
	}
	put("sizing_cpu_price", fact(end, 0.03))
	put("sizing_memory_price", fact(end, 0.004))
	for i := range 6 {
		node := fmt.Sprintf("n%d", i)
		put("sizing_node_cpu", fact(end, 8, "node", node))
		put("sizing_node_memory", fact(end, 32<<30, "node", node))
		put("sizing_node_cost", fact(end, 0.4, "node", node))
	}
	return in
}

// sized returns what a unit says of an answer, by workload.
func sized(t *testing.T, u *Sizes, in pipeline.Input) map[string]recommend.Recommendation {
	t.Helper()
	commit, err := u.Fit(t.Context(), in.End, in)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	rs, err := u.Step(t.Context(), in.End, pipeline.Input{Start: in.End + 1, End: in.End})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]recommend.Recommendation{}
	for i := range rs {
		if rs[i].Plan == nil || rs[i].Plan.Advice == nil {
			continue
		}
		var r recommend.Recommendation
		if err := json.Unmarshal(rs[i].Plan.Advice.Object, &r); err != nil {
			t.Fatal(err)
		}
		out[r.Target.Name] = r
	}
	return out
}

func blocked(r recommend.Recommendation, code string) bool {
	return r.State == recommend.StateBlocked && slices.ContainsFunc(r.Blockers, func(b recommend.Blocker) bool { return b.Code == code })
}

// TestSizes: what is four times too large is sized, with savings, what of it nodes make real, and a patch.
func TestSizes(t *testing.T) {
	got := sized(t, sizesOf(t, "balanced"), shop(29))
	if len(got) != 3 {
		t.Fatalf("%d recommendations, want 3", len(got))
	}
	total, real := 0.0, 0.0
	for name, r := range got {
		if r.State != recommend.StateOpen || r.OptimizationType != recommend.CostReduction || r.Target.Kind != "Deployment" || len(r.Patch) != 1 || len(r.ReversePatch) != 1 || r.Confidence < 0.8 {
			t.Errorf("%s: %+v", name, r)
			continue
		}
		if cpu := r.Recommended[recommend.CPURequest]; cpu < 0.9 || cpu > 1.6 {
			t.Errorf("%s: %v cores for at most 1", name, cpu)
		}
		if m := r.Recommended[recommend.MemoryLimit]; m < 400<<20 || m > 700<<20 {
			t.Errorf("%s: %v bytes for at most 400 MiB", name, m)
		}
		saved := 3 * 730 * ((4-r.Recommended[recommend.CPURequest])*0.03 + (4-r.Recommended[recommend.MemoryRequest]/(1<<30))*0.004)
		if s := r.Impact.SavingsMonthly; s == nil || math.Abs(*s-saved) > 1e-6*saved || r.Impact.PriceSource != "opencost" {
			t.Errorf("%s saves %v, want %v", name, s, saved)
			continue
		}
		if v := r.Impact.SavingsRealisable; v == nil || *v <= 0 || *v > *r.Impact.SavingsMonthly {
			t.Errorf("%s: %v realisable of %v", name, v, *r.Impact.SavingsMonthly)
			continue
		}
		total, real = total+*r.Impact.SavingsMonthly, real+*r.Impact.SavingsRealisable
	}
	if cluster := 6 * 0.4 * 730; total > cluster || real > total {
		t.Errorf("%v saved and %v realisable of %v", total, real, cluster)
	}
	cost, safe := sized(t, sizesOf(t, "cost"), shop(29)), sized(t, sizesOf(t, "safe"), shop(29))
	if c, s := cost["ads"].Recommended[recommend.CPURequest], safe["ads"].Recommended[recommend.CPURequest]; !(c < s) {
		t.Errorf("cost asks for %v cores, safe for %v", c, s)
	}
}

// TestSizes_blocked: what is not known, or is in the way, is said, and no number is made up.
func TestSizes_blocked(t *testing.T) {
	without := func(in pipeline.Input, names ...string) pipeline.Input {
		for _, n := range names {
			in.Series[n] = series.Data{}
		}
		return in
	}
	with := func(in pipeline.Input, name string, s series.Series) pipeline.Input {
		in.Series[name] = series.Data{Series: append(in.Series[name].Series, s)}
		return in
	}
	kube := []string{factPods, "sizing_replicas", "sizing_cpu_request", "sizing_memory_request", "sizing_memory_limit", "sizing_target", "sizing_node_cpu", "sizing_node_memory"}
	end := shop(29).End
	for code, in := range map[string]pipeline.Input{
		recommend.BlockShortHistory: shop(1),
		recommend.BlockNoKubeState:  without(shop(29), kube...),
		recommend.BlockVPA:          with(shop(29), "sizing_vpa", fact(end, 1, "namespace", "shop", "workload", "cart")),
		recommend.BlockHPAOnCPU: with(without(shop(29), "sizing_cpu_request"), "sizing_hpa_cpu",
			fact(end, 0.7, "namespace", "shop", "workload", "cart", "horizontalpodautoscaler", "cart")),
	} {
		r := sized(t, sizesOf(t, "balanced"), in)["cart"]
		if !blocked(r, code) || len(r.Patch) > 0 || code == recommend.BlockShortHistory && (len(r.Recommended) > 0 || r.Impact.SavingsMonthly != nil) {
			t.Errorf("%s: %+v", code, r)
		}
	}
	if r := sized(t, sizesOf(t, "balanced"), without(shop(29), inputCPU, inputMemory))["default"]; !blocked(r, recommend.BlockNoUsage) {
		t.Errorf("no usage: %+v", r)
	}
	// Not a blocker, but nothing is made up of it.
	r := sized(t, sizesOf(t, "balanced"), without(shop(29), "sizing_cpu_price", "sizing_memory_price", "sizing_cost", "sizing_node_cost"))["cart"]
	if r.State != recommend.StateOpen || r.Impact.PriceSource != "config" {
		t.Errorf("without OpenCost: %s by %q", r.State, r.Impact.PriceSource)
	}
	if r := sized(t, sizesOf(t, "balanced"), without(shop(29), "sizing_memory_limit"))["cart"]; r.State != recommend.StateOpen || r.Impact.OOM.Before != nil || r.Current[recommend.MemoryLimit] != 0 {
		t.Errorf("without limits: %+v", r)
	}
	if r := sized(t, sizesOf(t, "balanced"), without(shop(29), "sizing_target"))["cart"]; r.State != recommend.StateOpen || r.Target.Kind != "Workload" || len(r.Patch) > 0 {
		t.Errorf("of an unknown kind: %+v", r)
	}
}

// TestSizes_texts: what is in the way is said with what to do about it: a quota without room, kills that no size ends, more
// containers than are looked at.
func TestSizes_texts(t *testing.T) {
	text := func(r recommend.Recommendation, code string) string {
		for _, b := range r.Blockers {
			if b.Code == code && r.State == recommend.StateBlocked {
				return b.Text
			}
		}
		return fmt.Sprintf("%s %+v", r.State, r.Blockers)
	}
	in := shop(29)
	for _, s := range in.Series["sizing_cpu_request"].Series {
		s.Values[0] = 0.1 // of about a core: three pods need three more
	}
	quota := func(left float64) recommend.Recommendation {
		in.Series["sizing_quota"] = series.Data{Series: []series.Series{fact(in.End, left, "namespace", "shop", "resource", "requests.cpu"), fact(in.End, 1<<40, "namespace", "shop", "resource", "requests.memory")}}
		return sized(t, sizesOf(t, "balanced"), in)["cart"]
	}
	if r := quota(100); r.State != recommend.StateOpen || len(r.Patch) != 1 || !strings.Contains(r.Action, "CPU request 100m → ") {
		t.Errorf("with room: %+v", r)
	}
	if got := text(quota(0.5), recommend.BlockQuota); got != "Raise the namespace's ResourceQuota first: it leaves no room for this." {
		t.Errorf("quota: %s", got)
	}

	in = shop(29)
	kills := func(n int) recommend.Recommendation {
		killed := make([]float64, 29*288)
		for i := range killed {
			killed[i] = math.NaN()
		}
		for k := range n {
			killed[27*288+10*k] = 4 << 30 // the day before the last: sizes are of whole days
		}
		in.Series[inputKill] = series.Data{Series: []series.Series{slice("cart", killed, 0, len(killed))}}
		return sized(t, sizesOf(t, "balanced"), in)["cart"]
	}
	if r := kills(2); slices.ContainsFunc(r.Blockers, func(b recommend.Blocker) bool { return b.Code == recommend.BlockLeak }) || !strings.Contains(strings.Join(r.Reasons, ". "), "It was killed for memory 2 times at this limit") {
		t.Errorf("two kills: %v %v", r.Blockers, r.Reasons)
	}
	if got := text(kills(3), recommend.BlockLeak); got != "Look for a burst: it was killed three times at a limit that it seldom comes near to, so a size does not help." {
		t.Errorf("leak: %s", got)
	}

	l, ok := sizesOf(t, "balanced").Begin(0).(*sizesFit)
	if !ok {
		t.Fatal("a fit of another type")
	}
	l.fleet.most = 2
	if err := l.Learn(t.Context(), shop(8)); err != nil {
		t.Fatal(err)
	}
	said := recommendations(t, l.results)
	if got := text(said["right_size others"], recommend.BlockTooMany); len(said) != 3 || got != "1 containers beyond the first 2 are not sized: narrow the inputs sizing_cpu and sizing_memory by recommendations.queries" {
		t.Errorf("too many, of %d: %s", len(said), got)
	}
}

// TestSizes_autoscaler: request and target change together, unless the autoscaler looks at more than CPU.
func TestSizes_autoscaler(t *testing.T) {
	hpa := []string{"namespace", "shop", "workload", "cart", "horizontalpodautoscaler", "cart"}
	in := shop(29)
	in.Series["sizing_hpa_cpu"] = series.Data{Series: []series.Series{fact(in.End, 0.3, hpa...)}}
	in.Series["sizing_hpa_metrics"] = series.Data{Series: []series.Series{fact(in.End, 1, "namespace", "shop", "horizontalpodautoscaler", "cart")}}
	r := sized(t, sizesOf(t, "balanced"), in)["cart"]
	if got := r.Recommended[recommend.CPURequest] * r.Recommended[recommend.HPATarget]; r.State != recommend.StateOpen || len(r.Patch) != 2 || math.Abs(got-4*0.3) > 0.01 {
		t.Errorf("request · target is %v, want %v: %+v", got, 4*0.3, r)
	}
	in.Series["sizing_hpa_metrics"].Series[0].Values[0] = 2
	if r := sized(t, sizesOf(t, "balanced"), in)["cart"]; !blocked(r, recommend.BlockHPAOnCPU) || len(r.Patch) > 0 {
		t.Errorf("with two metrics: %+v", r)
	}
}

// TestSizes_cap: what other recommendations save is not saved again, and the sum stays below what the cluster costs.
func TestSizes_cap(t *testing.T) {
	u, err := NewSizes(SizesOptions{Name: "sizing", Step: 5 * time.Minute, Policy: "balanced", Prices: Prices{Currency: "USD", CPUHour: 0.03, MemoryGiBHour: 0.004}, Costs: "costs", Queries: nil})
	if err != nil {
		t.Fatal(err)
	}
	in := shop(29)
	if r := sized(t, u, in)["cart"]; r.State != recommend.StateOpen || r.Impact.SavingsMonthly != nil {
		t.Errorf("before the costs are known: %s, saves %v", r.State, r.Impact.SavingsMonthly)
	}
	in.Results = map[string][]series.Result{"costs": {}}
	if r := sized(t, u, in)["cart"]; r.Impact.SavingsMonthly == nil {
		t.Error("the task of costs has nothing to say, and is waited for")
	}
	in.Results = nil
	sized(t, u, in)
	idle := recommend.New(recommend.IdleWorkload, recommend.Target{Namespace: "shop", Kind: "Deployment", Name: "cart"}, "")
	idle.Action, idle.Reasons = "Scale it to zero", []string{"it is idle"}
	idle.Impact.Currency, idle.Impact.SavingsMonthly = "USD", recommend.Number(3*(4*0.03+4*0.004)*730-5)
	result, err := advised(idle, in.End)
	if err != nil {
		t.Fatal(err)
	}
	in.Results = map[string][]series.Result{"costs": {result}}
	// They are taken in at once, without new points.
	rs, err := u.Step(t.Context(), in.End, pipeline.Input{Start: in.End + fiveMS, End: in.End, Results: in.Results})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rs {
		if a := rs[i].Plan.Advice; rs[i].Labels.Get("workload") == "search" && !(a.Savings > 100) {
			t.Errorf("once the costs are known search saves %v", a.Savings)
		}
	}
	got := sized(t, u, in)
	if s := got["cart"].Impact.SavingsMonthly; s == nil || math.Abs(*s-5) > 1e-6 {
		t.Errorf("of what is left, 5: saves %v", s)
	}
	if s := got["search"].Impact.SavingsMonthly; s == nil || *s < 100 {
		t.Errorf("another workload saves %v", s)
	}
	// A cluster that costs less than its workloads ask for.
	for i := range in.Series["sizing_node_cost"].Series {
		in.Series["sizing_node_cost"].Series[i].Values[0] = 0.1
	}
	total := *idle.Impact.SavingsMonthly
	for _, r := range sized(t, u, in) {
		if r.Impact.SavingsMonthly != nil {
			total += *r.Impact.SavingsMonthly
		}
	}
	if most := 6 * 0.1 * 730; total > most+1e-6 {
		t.Errorf("%v is saved of a cluster of %v", total, most)
	}
}

// TestSizes_now: memory near its limit is urgent at once, an alert, with patches of the pods where they are resized in place; and is over
// when it is.
func TestSizes_now(t *testing.T) {
	in := shop(29)
	for _, s := range in.Series["sizing_memory_limit"].Series {
		s.Values[0] = 600 << 20
	}
	in.Series["sizing_kubelet"] = series.Data{Series: []series.Series{fact(in.End, 1, "kubelet_version", "v1.33.0")}}
	u := sizesOf(t, "balanced")
	if r := sized(t, u, in)["cart"]; r.Urgency == recommend.UrgencyNow {
		t.Fatalf("%+v", r)
	}
	step := func(k int, bytes float64) []series.Result {
		at := in.End + int64(k)*fiveMS
		next := pipeline.Input{Start: at, End: at, Series: series.Set{}}
		for name, d := range in.Series {
			if name == inputCPU || name == inputMemory {
				continue
			}
			for _, s := range d.Series {
				next.Series[name] = series.Data{Series: append(next.Series[name].Series, fact(at, s.Values[len(s.Values)-1], flat(s.Labels)...))}
			}
		}
		next.Series[inputCPU] = series.Data{Series: []series.Series{fact(at, 0.9, app("cart")...)}}
		next.Series[inputMemory] = series.Data{Series: []series.Series{fact(at, bytes, app("cart")...)}}
		rs, err := u.Step(t.Context(), at, next)
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	find := func(rs []series.Result) (r recommend.Recommendation, fs []series.Finding) {
		for i := range rs {
			if rs[i].Labels.Get("workload") != "cart" {
				continue
			}
			fs = append(fs, rs[i].Findings...)
			if rs[i].Plan != nil {
				if err := json.Unmarshal(rs[i].Plan.Advice.Object, &r); err != nil {
					t.Fatal(err)
				}
			}
		}
		return r, fs
	}
	r, fs := find(step(1, 570<<20))
	if r.Urgency != recommend.UrgencyNow || r.State != recommend.StateOpen || r.OptimizationType != recommend.ResourceScaling || r.Recommended[recommend.MemoryLimit] < 1.15*(570<<20) {
		t.Fatalf("%+v", r)
	}
	if len(r.Patch) != 3 || r.Patch[0].Kind != "Pod" || r.Patch[0].Subresource != "resize" || r.Risk.Effort != recommend.EffortInPlace {
		t.Errorf("patches %+v", r.Patch)
	}
	if len(fs) != 1 || !fs[0].Open() || fs[0].Type != TypePressure || fs[0].Note == nil || strings.HasSuffix(fs[0].Note.Summary, "..") {
		t.Fatalf("findings %+v", fs)
	}
	first := fs[0]
	for k := 2; k < 2+lately; k++ {
		r, fs = find(step(k, 400<<20))
		if k < 1+lately && (len(fs) != 1 || fs[0].ID != first.ID || !fs[0].Open()) {
			t.Errorf("%d points later: %+v", k-1, fs)
		}
	}
	if r.Urgency == recommend.UrgencyNow || len(fs) != 1 || fs[0].Open() || fs[0].ID != first.ID {
		t.Errorf("an hour later: %s, %+v", r.Urgency, fs)
	}
}

// flat returns the names and values of labels in turn.
func flat(ls labels.Labels) (out []string) {
	ls.Range(func(l labels.Label) { out = append(out, l.Name, l.Value) })
	return out
}

// TestFleet_comesAndGoes: a container that appears with a new day is learned from then on, one that is gone for a week is forgotten, and
// beyond the most there is room for it is said.
func TestFleet_comesAndGoes(t *testing.T) {
	u := sizesOf(t, "balanced")
	l := u.Begin(0)
	v := make([]float64, 288)
	for i := range v {
		v[i] = 0.5
	}
	for d := range 30 {
		in := pipeline.Input{Start: midMS + int64(d)*dayMS, End: midMS + int64(d+1)*dayMS - fiveMS, Series: series.Set{}}
		var cpu []series.Series
		if d >= 12 {
			cpu = append(cpu, series.Series{Labels: labels.FromStrings(app("late")...), Start: in.Start, Step: fiveMS, Values: v})
		}
		if d < 10 || d == 17 {
			cpu = append(cpu, series.Series{Labels: labels.FromStrings(app("gone")...), Start: in.Start, Step: fiveMS, Values: v})
		}
		in.Series[inputCPU] = series.Data{Series: cpu}
		if err := l.Learn(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		f := l.(*sizesFit).fleet
		if _, ok := f.byKey[key(labels.FromStrings(app("gone")...), byContainer...)]; ok != (d < 25) {
			t.Errorf("day %d: gone is remembered: %v", d, ok)
		}
	}
	f := l.(*sizesFit).fleet
	if c := f.byKey[key(labels.FromStrings(app("late")...), byContainer...)]; c == nil || c.sizer.Days() != 17 || len(f.order) != 1 {
		t.Fatalf("late: %+v of %d", c, len(f.order))
	}
	for i := range mostContainers + 3 {
		f.container(labels.FromStrings(app(fmt.Sprint(i))...))
	}
	if len(f.order) != mostContainers || len(f.refused) != 4 {
		t.Errorf("%d containers, %d refused", len(f.order), len(f.refused))
	}
}

// TestShares: the percentile of ratios, and how days fade.
func TestShares(t *testing.T) {
	var s shares
	if !math.IsNaN(s.p95()) {
		t.Error("of nothing")
	}
	for range 90 {
		s.add(0)
	}
	for range 10 {
		s.add(0.5)
	}
	if v := s.p95(); v < 0.5 || v > 0.55 {
		t.Errorf("p95 %v, want 0.5 to 0.55", v)
	}
	for range 60 {
		s.endDay()
		for range 100 {
			s.add(0)
		}
	}
	if v := s.p95(); v > 0.05 {
		t.Errorf("p95 after two months %v", v)
	}
}

func TestAtLeast(t *testing.T) {
	for v, want := range map[string]bool{"v1.33.0": true, "v1.34.1-eks-1": true, "v2.0": true, "v1.32.9": false, "": false, "v1": false, "vx.y": false} {
		if atLeast(v, 1, 33) != want {
			t.Errorf("%q: want %v", v, want)
		}
	}
}

// TestSizes_excluded: an incident that is not learned from leaves the size that a gap leaves, while
// memory near its limit is told at once.
func TestSizes_excluded(t *testing.T) {
	const days, from, to = 20, 19*288 - 72, 19 * 288 // six hours, of the last day but one
	size := func(incident func(v []float64), exclude bool) (*container, sizing.Size) {
		t.Helper()
		u := sizesOf(t, "balanced")
		u.Exclude(func(signal string, ls labels.Labels) []feedback.Span {
			if !exclude || signal != "" || ls.Get("workload") != "w" {
				return nil
			}
			return []feedback.Span{{From: midMS + from*fiveMS, To: midMS + to*fiveMS}}
		})
		cpu, memory := usage(3, days)
		incident(cpu[from:to])
		incident(memory[from:to])
		in := pipeline.Input{Start: midMS, End: midMS + int64(to-1)*fiveMS, Series: series.Set{
			inputCPU: series.Data{Series: []series.Series{slice("w", cpu, 0, to)}}, inputMemory: series.Data{Series: []series.Series{slice("w", memory, 0, to)}},
		}}
		l := u.Begin(0)
		if err := l.Learn(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		l.Commit()
		c := u.fleet.order[0]
		now := c.memory()
		next := pipeline.Input{Start: in.End + fiveMS, End: midMS + (days*288-1)*fiveMS, Series: series.Set{
			inputCPU: series.Data{Series: []series.Series{slice("w", cpu, to, days*288)}}, inputMemory: series.Data{Series: []series.Series{slice("w", memory, to, days*288)}},
		}}
		if _, err := u.Step(t.Context(), 0, next); err != nil {
			t.Fatal(err)
		}
		u.fleet.endDay(nil)
		if exclude && !(now > 0) {
			t.Error("memory now is not known while it is not learned from")
		}
		return c, c.sizer.Size()
	}
	triple := func(v []float64) {
		for i := range v {
			v[i] *= 3
		}
	}
	gap := func(v []float64) {
		for i := range v {
			v[i] = math.NaN()
		}
	}
	_, learned := size(triple, false)
	_, excluded := size(triple, true)
	_, without := size(gap, false)
	if excluded != without {
		t.Errorf("with the incident left out %+v, with a gap %+v", excluded, without)
	}
	if !(learned.Memory > 1.5*excluded.Memory) {
		t.Errorf("learned from, the incident makes %v bytes of %v: the test shows nothing", learned.Memory, excluded.Memory)
	}
}
