package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules/recommend/sizing"
)

const (
	day  = 86400
	week = 7 * day
)

// Trace is the usage of one workload. The slices have one length; times are Unix seconds,
// ascending; values are NaN where there is none.
type Trace struct {
	Name   string
	Times  []int64
	CPU    []float32 // cores
	Memory []float32 // bytes
}

// Decision is what a strategy sets a workload to, from Time on until its next.
type Decision struct {
	Workload string
	Strategy string
	Time     int64   // Unix seconds; samples before it were known
	CPU      float64 // cores
	Memory   float64 // bytes
	Pressure bool    // between the regular decisions, because memory came close
	Risk     float64 // that memory is too small within seven days, in [0, 1]; NaN: not declared
	Sure     float64 // confidence in [0, 1]; NaN: not declared
	// Factors are those of Risk, see sizing.Sizer.RiskFactors; zero where none is declared.
	Factors [4]float64
}

// Options of Run. All are needed.
type Options struct {
	Strategies []string            // names in Names
	Warmup     int64               // seconds before the first decision, whole days, at least 7
	Ours       int64               // seconds between the decisions of our strategies, whole days
	Peers      int64               // and of the others
	Pressure   bool                // ours raise memory between decisions too
	Model      forecast.Forecaster // of ours; nil: sizing.Model
}

// ErrShort is wrapped where no trace lasts for the warm-up and a week.
var ErrShort = errors.New("traces are too short")

// Run lets every strategy decide on every trace, and returns the decisions by strategy, then
// by trace, then by time, with the periods they are for. A trace that does not last for the
// warm-up and a week has no decisions. Our strategies see all traces at once, for what a
// usual container is. O(traces · days · samples of four weeks).
func Run(ctx context.Context, traces []Trace, o Options) ([]Decision, error) {
	if o.Warmup < 7*day || o.Warmup%day != 0 || o.Ours < day || o.Peers < day || o.Ours%day != 0 || o.Peers%day != 0 {
		return nil, fmt.Errorf("warm-up of %d s and decisions every %d s and %d s: want at least 7 days, and whole days", o.Warmup, o.Ours, o.Peers)
	}
	any := false
	for i := range traces {
		any = any || traces[i].weeks(o.Warmup) > 0
	}
	if !any {
		return nil, fmt.Errorf("%w: none lasts for %d days and a week", ErrShort, o.Warmup/day)
	}
	var all []Decision
	for _, name := range o.Strategies {
		var got []Decision
		var err error
		if peer, ok := peers[name]; ok {
			got, err = runPeer(ctx, traces, name, peer, o)
		} else {
			got, err = runOurs(ctx, traces, name, o)
		}
		if err != nil {
			return nil, fmt.Errorf("strategy %s: %w", name, err)
		}
		all = append(all, got...)
	}
	return all, nil
}

// step returns the seconds between samples, the median; 0 with fewer than two.
func (t *Trace) step() int64 {
	if len(t.Times) < 2 {
		return 0
	}
	gaps := make([]int64, len(t.Times)-1)
	for i := range gaps {
		gaps[i] = t.Times[i+1] - t.Times[i]
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// weeks returns how many whole weeks the trace lasts after the warm-up.
func (t *Trace) weeks(warmup int64) int64 {
	if len(t.Times) == 0 {
		return 0
	}
	last := t.Times[len(t.Times)-1] + t.step()
	return max(0, (last-t.Times[0]-warmup)/week)
}

// period returns when decisions are judged: from the end of the warm-up, for whole weeks.
func (t *Trace) period(warmup int64) (from, to int64) {
	if len(t.Times) == 0 {
		return 0, 0
	}
	from = t.Times[0] + warmup
	return from, from + week*t.weeks(warmup)
}

// index returns the first sample at or after time at.
func (t *Trace) index(at int64) int {
	i, _ := slices.BinarySearch(t.Times, at)
	return i
}

// runOurs runs a Sizer for each trace, all in step: the n-th day of one is decided with the
// n-th day of the others.
func runOurs(ctx context.Context, traces []Trace, name string, o Options) ([]Decision, error) {
	policy, ok := ours[name]
	if !ok {
		return nil, fmt.Errorf("unknown, want one of %v", Names)
	}
	p, err := sizing.PolicyNamed(policy)
	if err != nil {
		return nil, err
	}
	return RunPolicy(ctx, traces, name, p, o)
}

// RunPolicy replays one policy of ours, which need not be one of sizing.Policies, under a name. Options.Strategies
// say nothing here.
func RunPolicy(ctx context.Context, traces []Trace, name string, p sizing.Policy, o Options) ([]Decision, error) {
	model := o.Model
	if model == nil {
		var err error
		if model, err = forecast.New(sizing.Model, nil); err != nil {
			return nil, err
		}
	}
	scratch := sizing.NewScratch(model)
	sizers := make([]*sizing.Sizer, len(traces))
	at := make([]int, len(traces))
	longest := int64(0)
	for i := range traces {
		sizers[i] = sizing.New(p, traces[i].step())
		if _, to := traces[i].period(o.Warmup); traces[i].weeks(o.Warmup) > 0 {
			longest = max(longest, (to-traces[i].Times[0])/day)
		}
	}
	decisions := make([][]Decision, len(traces))
	scales := make([]sizing.Scale, 0, len(traces))
	for d := int64(1); d < longest; d++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		scales = scales[:0]
		for i := range traces {
			t, s := &traces[i], sizers[i]
			from, to := t.period(o.Warmup)
			if from == to || t.Times[0]+d*day >= to {
				continue
			}
			for now := t.Times[0] + d*day; at[i] < len(t.Times) && t.Times[at[i]] < now; at[i]++ {
				k := at[i]
				raised := s.Observe(sizing.Sample{Time: t.Times[k], CPU: float64(t.CPU[k]), Memory: float64(t.Memory[k])})
				if raised && o.Pressure && t.Times[k] >= from {
					decisions[i] = append(decisions[i], decide(t, name, t.Times[k]+1, s, scratch, true))
				}
			}
			s.EndDay(scratch)
			scales = append(scales, s.Usual(scratch))
		}
		scale := sizing.Mean(scales)
		for i := range traces {
			t, s := &traces[i], sizers[i]
			from, to := t.period(o.Warmup)
			now := t.Times[0] + d*day
			if from == to || now >= to {
				continue
			}
			s.Decide(now, scale, scratch)
			if now >= from && (now-from)%o.Ours == 0 {
				decisions[i] = append(decisions[i], decide(t, name, now, s, scratch, false))
			}
		}
	}
	for i := range traces { // what the last day raises
		t, s := &traces[i], sizers[i]
		for _, to := t.period(o.Warmup); o.Pressure && at[i] < len(t.Times) && t.Times[at[i]] < to; at[i]++ {
			k := at[i]
			if s.Observe(sizing.Sample{Time: t.Times[k], CPU: float64(t.CPU[k]), Memory: float64(t.Memory[k])}) {
				decisions[i] = append(decisions[i], decide(t, name, t.Times[k]+1, s, scratch, true))
			}
		}
	}
	return slices.Concat(decisions...), nil
}

// decide notes what a Sizer says at a time. Without any usage it says the least.
func decide(t *Trace, strategy string, at int64, s *sizing.Sizer, c *sizing.Scratch, pressure bool) Decision {
	size, sure := s.Size(), s.Trust(c).Confidence()
	memory := roundMemory(size.Memory)
	return Decision{
		Workload: t.Name, Strategy: strategy, Time: at, Pressure: pressure,
		CPU: roundCPU(size.CPU), Memory: memory, Risk: s.Risk(memory, sure), Sure: sure, Factors: s.RiskFactors(memory, sure),
	}
}

// roundCPU rounds up to a thousandth of a core, as Kubernetes counts it, at least 1m.
func roundCPU(cores float64) float64 { return max(math.Ceil(cores*1000-1e-9), 1) / 1000 }

// roundMemory rounds up to 1 MiB, at least that.
func roundMemory(bytes float64) float64 { return max(math.Ceil(bytes/(1<<20)-1e-9), 1) * (1 << 20) }
