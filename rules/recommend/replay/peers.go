package replay

import (
	"context"
	"math"
	"slices"
)

// Names lists the strategies: ours, cheapest first, then the peers.
var Names = []string{"upid-cost", "upid-balanced", "upid-safe", "krr-simple", "vpa", "crane"}

// ours are the policies of our strategies.
var ours = map[string]string{"upid-cost": "cost", "upid-balanced": "balanced", "upid-safe": "safe"}

// kill is a memory kill that a peer learns of.
type kill struct {
	at     int64
	memory float64 // bytes that were set
}

// peer is the formula of another tool: what it would set at time now, from what was before.
// NaN where it says nothing.
type peer func(t *Trace, now int64, kills []kill) (cpu, memory float64)

var peers = map[string]peer{"krr-simple": krrSimple, "vpa": vpa, "crane": crane}

// krrSimple is the default strategy of Robusta KRR: the 95th percentile of CPU and 1.15
// times the highest memory of the last 14 days, at least 10m and 100 MB.
// github.com/robusta-dev/krr, strategies/simple.py, read at d6baa74.
func krrSimple(t *Trace, now int64, _ []kill) (cpu, memory float64) {
	cpu = quantile(t.before(t.CPU, now, 14*day), 0.95)
	memory = 1.15 * quantile(t.before(t.Memory, now, 14*day), 1)
	return max(cpu, 0.01), max(memory, 100e6)
}

// crane is gocrane's percentile estimator: 1.15 times the 99th percentile of the last
// seven days, 1.2 times what was set where it was killed. Read at 2b0ddae.
func crane(t *Trace, now int64, _ []kill) (cpu, memory float64) {
	cpu = 1.15 * quantile(t.before(t.CPU, now, 7*day), 0.99)
	memory = 1.15 * quantile(t.before(t.Memory, now, 7*day), 0.99)
	return cpu, memory
}

// vpa is the target of the Kubernetes vertical pod autoscaler: 1.15 times the 90th percentile
// of decaying histograms (half-life 24 h) of CPU samples and of daily memory peaks over
// eight days; a kill counts as a peak of max(1.2·memory, memory + 100 MiB). At least 25m and
// 250 MiB. kubernetes/autoscaler, pkg/recommender, read at 55c37cd.
func vpa(t *Trace, now int64, kills []kill) (cpu, memory float64) {
	h := newVPAHistogram(0.01, 1000)
	for i := t.index(now - 8*day); i < t.index(now); i++ {
		if v := float64(t.CPU[i]); v == v {
			h.add(v, math.Exp2(float64(t.Times[i]-now)/day))
		}
	}
	cpu = max(1.15*h.quantile(0.9), 0.025)
	h = newVPAHistogram(1e7, 1e12)
	for d := range int64(8) {
		if peak := quantile(t.before(t.Memory, now-d*day, day), 1); peak == peak {
			h.add(peak, math.Exp2(-float64(d)))
		}
	}
	for _, k := range kills {
		if k.at >= now-8*day {
			h.add(max(1.2*k.memory, k.memory+100<<20), math.Exp2(float64(k.at-now)/day))
		}
	}
	return cpu, max(1.15*h.quantile(0.9), 250<<20)
}

// vpaHistogram has buckets that grow by 5 %, from first on.
type vpaHistogram struct {
	starts []float64
	w      []float64
	total  float64
}

func newVPAHistogram(first, most float64) *vpaHistogram {
	h := &vpaHistogram{starts: []float64{0}}
	for w := first; h.starts[len(h.starts)-1] < most; w *= 1.05 {
		h.starts = append(h.starts, h.starts[len(h.starts)-1]+w)
	}
	h.w = make([]float64, len(h.starts))
	return h
}

func (h *vpaHistogram) add(v, w float64) {
	i, found := slices.BinarySearch(h.starts, v)
	if !found {
		i--
	}
	h.w[i] += w
	h.total += w
}

// quantile returns the end of the bucket that the quantile is in; NaN if it is empty.
func (h *vpaHistogram) quantile(q float64) float64 {
	if h.total <= 0 {
		return math.NaN()
	}
	sum := 0.0
	for i, w := range h.w {
		sum += w
		if w > 0 && sum >= q*h.total-1e-12 {
			return h.starts[min(i+1, len(h.starts)-1)]
		}
	}
	return h.starts[len(h.starts)-1]
}

// before returns the values of the span seconds before now that are not NaN.
func (t *Trace) before(values []float32, now, span int64) []float64 {
	var out []float64
	for _, v := range values[t.index(now-span):t.index(now)] {
		if v == v {
			out = append(out, float64(v))
		}
	}
	return out
}

// quantile sorts x and returns its q-quantile with linear interpolation, as PromQL's
// quantile_over_time does; NaN if it is empty.
func quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	slices.Sort(x)
	r := q * float64(len(x)-1)
	i := int(r)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (r-float64(i))*(x[i+1]-x[i])
}

// runPeer lets a peer decide at fixed times and tells it of the kills in between.
func runPeer(ctx context.Context, traces []Trace, name string, f peer, o Options) ([]Decision, error) {
	var out []Decision
	for i := range traces {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := &traces[i]
		from, to := t.period(o.Warmup)
		var kills []kill
		var cpu, memory float64
		over := false
		for now := from; now < to; now += o.Peers {
			c, m := f(t, now, kills)
			if c == c {
				cpu = roundCPU(c)
			}
			if m == m {
				memory = roundMemory(m)
			}
			out = append(out, Decision{Workload: t.Name, Strategy: name, Time: now, CPU: max(cpu, 0.001), Memory: max(memory, 1<<20), Risk: math.NaN(), Sure: math.NaN()})
			for k := t.index(now + 1); k < len(t.Times) && t.Times[k] <= now+o.Peers; k++ {
				above := t.Memory[k] > float32(memory)
				if above && !over {
					kills = append(kills, kill{at: t.Times[k], memory: memory})
				}
				over = above
			}
		}
	}
	return out, nil
}
