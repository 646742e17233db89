package replay

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %g, want %g ± %g", what, got, want, tolerance)
	}
}

// made is a noisy trace of five-minute samples.
func made(name string, days int, seed uint64) Trace {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := Trace{Name: name}
	for i := range days * 288 {
		t.Times = append(t.Times, int64(1_700_000_100+i*300))
		day := 1 + 0.5*math.Sin(2*math.Pi*float64(i)/288)
		t.CPU = append(t.CPU, float32(day*math.Exp(0.3*rng.NormFloat64())))
		t.Memory = append(t.Memory, float32(day*math.Exp(0.2*rng.NormFloat64())*(1<<30)))
	}
	return t
}

var options = Options{Strategies: Names, Warmup: 28 * day, Ours: day, Peers: week, Pressure: true}

// TestRun_blind: what comes after a decision does not change it.
func TestRun_blind(t *testing.T) {
	whole := []Trace{made("a", 50, 1), made("b", 50, 2)}
	got, err := Run(t.Context(), whole, options)
	if err != nil {
		t.Fatal(err)
	}
	cut := int64(1_700_000_100 + 40*day + 7000)
	other := []Trace{made("a", 50, 1), made("b", 50, 2)}
	for i := range other {
		for k := other[i].index(cut); k < len(other[i].Times); k++ {
			other[i].CPU[k], other[i].Memory[k] = 100, 1e12
		}
	}
	changed, err := Run(t.Context(), other, options)
	if err != nil {
		t.Fatal(err)
	}
	upTo := func(ds []Decision) (out []Decision) {
		for _, d := range ds {
			if d.Time <= cut {
				d.Risk, d.Sure = max(d.Risk, -1), max(d.Sure, -1) // NaN is not equal to itself
				if d.Risk != d.Risk {
					d.Risk, d.Sure = -1, -1
				}
				out = append(out, d)
			}
		}
		return out
	}
	if a, b := upTo(got), upTo(changed); len(a) < 60 || !reflect.DeepEqual(a, b) {
		t.Errorf("%d decisions before the change, %d with another future, not the same", len(a), len(b))
	}
	if reflect.DeepEqual(got, changed) {
		t.Error("the future changed nothing at all")
	}
}

// TestRun_cadence: 50 days are 28 and three weeks: 21 daily decisions, 3 weekly ones.
func TestRun_cadence(t *testing.T) {
	o := options
	o.Pressure = false
	count := func(o Options) map[string]int {
		t.Helper()
		ds, err := Run(t.Context(), []Trace{made("a", 50, 1), made("short", 20, 2)}, o)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for _, d := range ds {
			if d.Workload != "a" {
				t.Errorf("%+v: of a trace that is too short", d)
			}
			n[d.Strategy]++
		}
		return n
	}
	if n := count(o); n["upid-cost"] != 21 || n["vpa"] != 3 || len(n) != len(Names) {
		t.Errorf("%v", n)
	}
	o.Ours, o.Peers = week, day
	if n := count(o); n["upid-cost"] != 3 || n["crane"] != 21 {
		t.Errorf("%v", n)
	}
}

func TestRun_errors(t *testing.T) {
	if _, err := Run(t.Context(), []Trace{made("a", 30, 1), {Name: "empty"}}, options); !errors.Is(err, ErrShort) {
		t.Errorf("30 days: %v", err)
	}
	o := options
	o.Strategies = []string{"x"}
	if _, err := Run(t.Context(), []Trace{made("a", 50, 1)}, o); err == nil {
		t.Error("no such strategy")
	}
	o = options
	o.Ours = 3600
	if _, err := Run(t.Context(), []Trace{made("a", 50, 1)}, o); err == nil {
		t.Error("hourly decisions")
	}
	o = options
	o.Warmup = 7*day + 12*3600
	if _, err := Run(t.Context(), []Trace{made("a", 50, 1)}, o); err == nil {
		t.Error("a warm-up of seven days and a half")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, []Trace{made("a", 50, 1)}, options); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// steps is a trace whose values are given by day, ten samples a day.
func steps(values ...float64) *Trace {
	t := &Trace{Name: "steps"}
	for d, v := range values {
		for i := range 10 {
			t.Times = append(t.Times, int64(d*day+i*day/10))
			t.CPU = append(t.CPU, float32(v))
			t.Memory = append(t.Memory, float32(v*(1<<30)))
		}
	}
	return t
}

// TestPeers: formulas worked out by hand.
func TestPeers(t *testing.T) {
	trace := steps(8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2)
	now := int64(15 * day)
	// 14 days: 130 ones and 10 twos; the 95th percentile is at 132.05 of 0…139, a two.
	cpu, memory := krrSimple(trace, now, nil)
	near(t, "krr cpu", cpu, 2, 1e-9)
	near(t, "krr memory", memory, 1.15*2*(1<<30), 1)
	// Seven days: 60 ones, 10 twos.
	cpu, memory = crane(trace, now, nil)
	near(t, "crane cpu", cpu, 1.15*2, 1e-6)
	near(t, "crane memory", memory, 1.15*2*(1<<30), 1)
	// Weights of the eight days are 1, ½, ¼ …: the newest holds half of all, so the 90th
	// percentile is a two. Buckets end at 0.2·(1.05ⁿ − 1), for 2 at n = 50: 2.0935.
	cpu, memory = vpa(trace, now, nil)
	near(t, "vpa cpu", cpu, 1.15*0.2*(math.Pow(1.05, 50)-1), 1e-9)
	if m := memory / 1.15 / (1 << 30); m < 2 || m > 2.12 {
		t.Errorf("vpa memory is 1.15 × %g GiB, want the end of a bucket with 2", m)
	}
	_, killed := vpa(trace, now, []kill{{at: now - 100, memory: 4 << 30}, {at: now - 9*day, memory: 1e15}})
	if m := killed / 1.15 / (1 << 30); m < 4.8 || m > 5.1 {
		t.Errorf("after a kill at 4 GiB vpa says 1.15 × %g GiB, want about 1.2 · 4", m)
	}
	// The least there is.
	idle := steps(0, 0, 0, 0, 0, 0, 0, 0)
	if cpu, memory := krrSimple(idle, 8*day, nil); cpu != 0.01 || memory != 100e6 {
		t.Errorf("krr: %g, %g", cpu, memory)
	}
	if cpu, memory := vpa(idle, 8*day, nil); cpu != 0.025 || memory != 250<<20 {
		t.Errorf("vpa: %g, %g", cpu, memory)
	}
}

// TestJudge: two weeks of one sample a day, decided twice.
func TestJudge(t *testing.T) {
	trace := Trace{Name: "a"}
	for d := range 22 {
		trace.Times = append(trace.Times, int64(d*day+1))
		trace.CPU = append(trace.CPU, 1)
		trace.Memory = append(trace.Memory, 1<<30)
	}
	from, to := trace.period(7 * day)
	if from != 7*day+1 || to != 21*day+1 {
		t.Fatalf("period %d to %d", from, to)
	}
	trace.CPU[8], trace.CPU[9], trace.CPU[20] = 3, 3, 3
	trace.Memory[10], trace.Memory[11], trace.Memory[13] = 3<<30, 3<<30, 3<<30
	s := Judge([]Trace{trace, {Name: "not decided"}}, []Decision{
		{Workload: "a", Strategy: "x", Time: from, CPU: 2, Memory: 2 << 30, Risk: 0.5, Sure: 0.9},
		{Workload: "a", Strategy: "x", Time: from + week, CPU: 4, Memory: 2 << 30, Risk: 0.1, Sure: 0.9},
	}, 7*day)
	// 14 samples, from the day after the first decision on: 2 above 2 cores, none above 4.
	near(t, "violation", s.Violation, 2.0/14, 1e-12)
	near(t, "worst", s.Worst, 2.0/14, 1e-12)
	near(t, "cores", s.Cores, 3, 1e-12)
	near(t, "memory", s.Memory, 2<<30, 1)
	near(t, "used", s.CPUUse, (11+3*3)/14.0, 1e-12)
	near(t, "kills", s.Kills, 100, 1e-9) // two runs in two weeks
	near(t, "weeks", s.Weeks, 2, 1e-12)
	near(t, "change", s.Change, 1, 1e-12)
	near(t, "memory change", s.ChangeMem, 0, 1e-12)
	near(t, "kept", s.Kept, 0, 1e-12)
	near(t, "decisions", s.Decisions, 0.5, 1e-12)
	near(t, "dollars", s.Dollars, 730*(3*0.031611+2*0.004237), 1e-9)
	want := []Band{{Level: "very_high", Decisions: 2, Declared: 0.3, Realised: 0.5}} // only the first week has more than 2 GiB
	if !reflect.DeepEqual(s.Calibrated, want) {
		t.Errorf("%+v", s.Calibrated)
	}
}

// TestJudge_nothing: what there is nothing to tell from is NaN, not 0.
func TestJudge_nothing(t *testing.T) {
	s := Judge([]Trace{made("a", 50, 1)}, nil, 28*day)
	if s.Workloads != 0 || !math.IsNaN(s.Cores) || !math.IsNaN(s.Kills) {
		t.Errorf("no decisions: %+v", s)
	}
	week := made("a", 14, 1)
	decided := []Decision{{Workload: "a", Strategy: "x", Time: week.Times[0] + 7*day, CPU: 1, Memory: 1 << 30, Risk: math.NaN(), Sure: math.NaN()}}
	if s := Judge([]Trace{week}, decided, 7*day); s.Weeks != 1 || !(s.Cores > 0) || !math.IsNaN(s.Change) || !math.IsNaN(s.Kept) {
		t.Errorf("one week: %+v", s)
	}
	for i := range week.CPU {
		week.CPU[i] = float32(math.NaN())
	}
	if s := Judge([]Trace{week}, decided, 7*day); !math.IsNaN(s.Cores) || !math.IsNaN(s.Worst) || !math.IsNaN(s.Kills) {
		t.Errorf("no CPU: %+v", s)
	}
}

func TestRound(t *testing.T) {
	near(t, "1.2341 cores", roundCPU(1.2341), 1.235, 1e-12)
	near(t, "0.2 cores", roundCPU(0.2), 0.2, 1e-12)
	near(t, "no cores", roundCPU(0), 0.001, 1e-12)
	near(t, "1 MiB and a byte", roundMemory(1<<20+1), 2<<20, 0)
	near(t, "nothing", roundMemory(0), 1<<20, 0)
}
