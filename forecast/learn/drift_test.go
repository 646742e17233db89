package learn

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPSI(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, mean, sd, missing float64) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = mean + sd*r.NormFloat64()
			if r.Float64() < missing {
				v[i] = math.NaN()
			}
		}
		return v
	}
	was := draw(2000, 0, 1, 0.1)
	p := newProfile(was)
	if err := p.valid(); err != nil || len(p.Edges) != 9 || math.Abs(p.Missing-0.1) > 0.03 {
		t.Fatalf("%+v: %v", p, err)
	}
	for _, c := range []struct {
		name     string
		v        []float64
		low, top float64
	}{
		{"itself", was, 0, 1e-4},
		{"more of the same", draw(1000, 0, 1, 0.1), 0, 0.05},      // by chance about 11·(1/2000 + 1/1000) = 0.016
		{"half a spread higher", draw(1000, 0.5, 1, 0.1), 0.1, 1}, // of normal data (μ/σ)² = 0.25, and half of that in bins
		{"two spreads higher", draw(1000, 2, 1, 0.1), 1, 20},
		{"twice as wide", draw(1000, 0, 2, 0.1), 0.25, 2},
		{"often missing", draw(1000, 0, 1, 0.6), 0.5, 3},
		{"always missing", draw(1000, 0, 1, 1), 2, 20},
	} {
		if psi := p.PSI(c.v); !(psi >= c.low && psi <= c.top) {
			t.Errorf("%s: PSI %.4f, want %v to %v", c.name, psi, c.low, c.top)
		}
	}
	if psi := p.PSI(nil); !math.IsNaN(psi) {
		t.Errorf("of no rows: %v", psi)
	}
	constant := newProfile([]float64{3, 3, 3, 3})
	if err := constant.valid(); err != nil || len(constant.Edges) != 1 {
		t.Errorf("constant: %+v, %v", constant, err)
	}
	if a, b := constant.PSI([]float64{3, 3, 3, 3}), constant.PSI([]float64{4, 4, 4, 4}); a > 1e-9 || b < 1 {
		t.Errorf("constant: the same %v, another value %v", a, b)
	}
	gone := newProfile([]float64{math.NaN(), math.NaN()})
	if err := gone.valid(); err != nil || gone.Missing != 1 {
		t.Errorf("never there: %+v, %v", gone, err)
	}
}

// TestDriftIsReported: what changes between the rows learned from and those judged on is
// said of its feature and of no other.
func TestDriftIsReported(t *testing.T) {
	d := made(2000, 3, 5, bent)
	for i := 1500; i < 2000; i++ {
		d.Columns[2][i] += 3
	}
	m := train(t, Number, d, config())
	if len(m.Profiles) != 3 || len(m.Report.Drift) != 3 {
		t.Fatalf("%d profiles, drift %v", len(m.Profiles), m.Report.Drift)
	}
	if v := m.Report.Drift; v[0] > 0.1 || v[1] > 0.1 || v[2] < 1 {
		t.Errorf("drift %v, want it of the third", v)
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := back.Profiles[2].PSI(d.Columns[2]), m.Profiles[2].PSI(d.Columns[2]); got != want {
		t.Errorf("PSI %v of the decoded model, want %v", got, want)
	}
}

// TestResidualsDrift: errors that grow, and always to one side, show in the report.
func TestResidualsDrift(t *testing.T) {
	d := machines(3000, 4)
	for i := 2700; i < 3000; i++ { // the second half of the rows judged on
		d.Target[i] *= 1.5
	}
	m := train(t, Number, d, config())
	if v := m.Report.Metric("residual_drift"); !(v > 1.5) {
		t.Errorf("residual drift %v, want above 1.5", v)
	}
	if v := m.Report.Metric("bias"); !(v < -0.3) {
		t.Errorf("bias %v, want below −0.3: it predicts too little", v)
	}
}

// TestAuto keeps the algorithm with the least error on the tail and says what the others had.
func TestAuto(t *testing.T) {
	for name, d := range map[string]Data{"bent": made(2000, 5, 1, bent), "machines": machines(2000, 2)} {
		c := config()
		epochs := map[string]int{}
		last := 0
		c.Progress = func(e Epoch) error {
			epochs[e.Algorithm]++
			at := e.Turn*e.Of + e.Epoch
			if at <= last || e.Of != 100 || e.Turns != 2 {
				t.Errorf("%s: %+v after %d", name, e, last)
			}
			last = at
			return nil
		}
		m := train(t, Number, d, c)
		tried := m.Report.Tried
		if len(tried) != 2 || epochs["trees"] != tried[0].Epochs || epochs["network"] != tried[1].Epochs {
			t.Fatalf("%s: tried %+v, told of %v", name, tried, epochs)
		}
		best := tried[0]
		if tried[1].Error < best.Error {
			best = tried[1]
		}
		if m.Algorithm != best.Algorithm || m.Report.Epochs != best.Epochs {
			t.Errorf("%s: %s with %d epochs of %+v", name, m.Algorithm, m.Report.Epochs, tried)
		}
		c.Progress, c.Algorithm = nil, best.Algorithm
		alone := train(t, Number, d, c)
		if a, b := alone.Report.Metric("mae"), m.Report.Metric("mae"); a != b || len(alone.Report.Tried) != 0 {
			t.Errorf("%s: alone %s has error %v, chosen %v; tried %v", name, best.Algorithm, a, b, alone.Report.Tried)
		}
	}
}

// TestPlain: the naive prediction alone, whose interval holds its level.
func TestPlain(t *testing.T) {
	d := machines(3000, 2)
	m := train(t, Number, d, config())
	inside, n := 0, 0
	x := make([]float64, len(d.Columns))
	for i := 2400; i < 3000; i++ {
		d.row(x, i)
		o, err := m.Plain(x)
		if err != nil {
			t.Fatal(err)
		}
		if naive, _ := m.Regression.Naive.at(x); o.Value != naive || len(o.Contributions) != len(x) {
			t.Fatalf("%v, want %v", o.Value, naive)
		}
		n++
		if d.Target[i] >= o.Lower && d.Target[i] <= o.Upper {
			inside++
		}
	}
	if share := float64(inside) / float64(n); math.Abs(share-0.9) > 0.04 {
		t.Errorf("the interval holds %.3f, want 0.9", share)
	}
	if r := m.Report.Naive(); r.Metric("skill") != 0 || math.Abs(r.Metric("coverage")-0.9) > 0.04 || !(r.Confidence(1) < m.Report.Confidence(1)) {
		t.Errorf("%+v, confidence %v of naive and %v of the model", r, r.Confidence(1), m.Report.Confidence(1))
	}
	for j := range x {
		x[j] = math.NaN()
	}
	if o, err := m.Plain(x); err != nil || !(o.Widened > 1) || o.Value != m.Regression.Naive.Median {
		t.Errorf("nothing is known: %+v, %v", o, err)
	}
	if _, err := small(t)[2].Plain(make([]float64, 3)); err == nil {
		t.Error("a class has a naive number")
	}
}

// TestPSIByChance is why the index alone begins no training: of the same six workloads two
// weeks later, whose values wander over days, it is above 0.25 often enough to train for nothing.
func TestPSIByChance(t *testing.T) {
	const workloads, before, after, reps = 6, 600, 168, 200
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		name      string
		phi       float64 // autocorrelation from one row of a workload to its next, 12 h later
		low, high float64 // share above 0.25
	}{
		{"independent", 0, 0, 0.02},
		{"over five days", 0.9, 0.25, 0.5}, // 1/(1 − φ) = 10 rows
		{"over sixteen days", 0.97, 0.6, 0.85},
	} {
		state := make([]float64, workloads)
		draw := func(n int) []float64 {
			out := make([]float64, n)
			for i := range out {
				k := i % workloads
				state[k] = c.phi*state[k] + math.Sqrt(1-c.phi*c.phi)*r.NormFloat64()
				out[i] = state[k]
			}
			return out
		}
		above := 0.0
		for range reps {
			if p := newProfile(draw(before)); p.PSI(draw(after)) > 0.25 {
				above += 1.0 / reps
			}
		}
		t.Logf("%s: %.2f of %d are above 0.25", c.name, above, reps)
		if above < c.low || above > c.high {
			t.Errorf("%s: %.2f are above 0.25, want %v to %v", c.name, above, c.low, c.high)
		}
	}
}
