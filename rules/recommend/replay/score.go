package replay

import (
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
)

// Score is what came of the decisions of one strategy over all traces. What there is nothing
// to tell from is NaN: what compares weeks with only one of them, all but Workloads and Weeks without samples.
type Score struct {
	Strategy   string
	Workloads  int
	Weeks      float64 // of workloads
	Cores      float64 // mean request, over samples
	Memory     float64 // mean bytes set
	Violation  float64 // share of samples with CPU above the request
	Worst      float64 // the same for the workload where it is highest
	Kills      float64 // starts of runs of memory above what was set, per 100 workload-weeks
	Dollars    float64 // a month and workload, at OpenCost's default prices
	Change     float64 // mean |new − old| / old of CPU requests from one week to the next
	ChangeMem  float64 // of memory
	Kept       float64 // share of workload-weeks in which neither changed
	Decisions  float64 // that changed something, per workload-week
	CPUUse     float64 // mean cores used
	MemoryUse  float64 // mean bytes used
	Calibrated []Band  // declared and realised risk by confidence; empty if none is declared
}

// Band compares what was declared with what came, for the decisions of one level of
// confidence.
type Band struct {
	Level     string
	Decisions int
	Declared  float64 // mean risk that memory is too small within seven days
	Realised  float64 // share of decisions where it was
}

// The levels of confidence, as series.ConfidenceLevel has them.
var levels = []string{"low", "medium", "high", "very_high"}

// calibrate compares the risk that regular decisions declared with what came in the seven
// days after each, had it stayed. Decisions with less than seven days left are left out.
func calibrate(traces []Trace, decisions []Decision) []Band {
	came := Exceeded(traces, decisions)
	var bands [4]Band
	for i, d := range decisions {
		if d.Pressure || d.Risk != d.Risk || came[i] < 0 {
			continue
		}
		b := &bands[slices.Index(levels, series.ConfidenceLevel(d.Sure))]
		b.Decisions++
		b.Declared += d.Risk
		b.Realised += float64(came[i])
	}
	var out []Band
	for i, b := range bands {
		if b.Decisions > 0 {
			n := float64(b.Decisions)
			out = append(out, Band{Level: levels[i], Decisions: b.Decisions, Declared: b.Declared / n, Realised: b.Realised / n})
		}
	}
	return out
}

// Exceeded returns for every decision 1 if memory was above it within seven days, 0 if not, and −1 where the trace of
// its workload ends before.
func Exceeded(traces []Trace, decisions []Decision) []int {
	at := map[string]*Trace{}
	for i := range traces {
		at[traces[i].Name] = &traces[i]
	}
	out := make([]int, len(decisions))
	for i, d := range decisions {
		t := at[d.Workload]
		if t.Times[len(t.Times)-1] < d.Time+week {
			out[i] = -1
			continue
		}
		for k := t.index(d.Time + 1); k < len(t.Times) && t.Times[k] <= d.Time+week; k++ {
			if t.Memory[k] > float32(d.Memory) {
				out[i] = 1
				break
			}
		}
	}
	return out
}

// The prices of a month, OpenCost's defaults: $0.031611 a core-hour, $0.004237 a GiB-hour, 730 h.
const (
	coreMonth = 730 * 0.031611
	gibMonth  = 730 * 0.004237
)

// Dollars returns what cores and bytes cost a month at OpenCost's default prices.
func Dollars(cores, bytes float64) float64 {
	return coreMonth*cores + gibMonth*bytes/(1<<30)
}

// Judge scores decisions of one strategy, which are sorted by time for each workload. A
// decision holds for the samples after its time up to the next one's, the last to the end
// of the trace's period. Samples without CPU or without memory are left out. Without decisions
// there is no name in the score. O(samples).
func Judge(traces []Trace, decisions []Decision, warmup int64) Score {
	var s Score
	if len(decisions) > 0 {
		s.Strategy = decisions[0].Strategy
	}
	by := map[string][]Decision{}
	for _, d := range decisions {
		by[d.Workload] = append(by[d.Workload], d)
	}
	var n, changed, weeks, kept float64
	for i := range traces {
		t := &traces[i]
		ds := by[t.Name]
		if len(ds) == 0 {
			continue
		}
		from, to := t.period(warmup)
		s.Workloads++
		s.Weeks += float64(to-from) / week
		over := false
		var own, short float64
		k := 0
		for j := t.index(from + 1); j < len(t.Times) && t.Times[j] <= to; j++ {
			c, m := float64(t.CPU[j]), float64(t.Memory[j])
			if c != c || m != m {
				continue
			}
			for k+1 < len(ds) && ds[k+1].Time < t.Times[j] {
				k++
			}
			own++
			s.Cores += ds[k].CPU
			s.Memory += ds[k].Memory
			s.CPUUse += c
			s.MemoryUse += m
			if t.CPU[j] > float32(ds[k].CPU) { // both rounded alike
				short++
			}
			above := t.Memory[j] > float32(ds[k].Memory)
			if above && !over {
				s.Kills++
			}
			over = above
		}
		n += own
		s.Violation += short
		if own > 0 {
			s.Worst = max(s.Worst, short/own)
		}
		for j := 1; j < len(ds); j++ {
			if ds[j].CPU != ds[j-1].CPU || ds[j].Memory != ds[j-1].Memory {
				changed++
			}
		}
		for at := from + week; at < to; at += week {
			old, now := standing(ds, at-week), standing(ds, at)
			weeks++
			s.Change += math.Abs(now.CPU-old.CPU) / old.CPU
			s.ChangeMem += math.Abs(now.Memory-old.Memory) / old.Memory
			if now.CPU == old.CPU && now.Memory == old.Memory {
				kept++
			}
		}
	}
	for _, v := range []*float64{&s.Cores, &s.Memory, &s.Violation, &s.CPUUse, &s.MemoryUse} {
		*v /= n
	}
	if n == 0 {
		s.Worst, s.Kills = math.NaN(), math.NaN()
	}
	s.Kills *= 100 / s.Weeks
	s.Decisions = changed / s.Weeks
	s.Change, s.ChangeMem, s.Kept = s.Change/weeks, s.ChangeMem/weeks, kept/weeks
	s.Dollars = Dollars(s.Cores, s.Memory)
	s.Calibrated = calibrate(traces, decisions)
	return s
}

// standing returns the decision that stands at a time, the newest up to it.
func standing(ds []Decision, at int64) Decision {
	i, found := slices.BinarySearchFunc(ds, at, func(d Decision, at int64) int { return int(d.Time - at) })
	if !found {
		i--
	}
	return ds[max(i, 0)]
}
