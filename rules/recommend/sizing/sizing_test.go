package sizing

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/upid/upid/forecast"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %g, want %g ± %g", what, got, want, tolerance)
	}
}

func scratch(t testing.TB) *Scratch {
	t.Helper()
	m, err := forecast.New(Model, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewScratch(m)
}

// TestObserve_huge: what no float32 holds counts as not seen.
func TestObserve_huge(t *testing.T) {
	if got := bucket(math.Inf(1)); got != buckets-1 {
		t.Errorf("+Inf is in bucket %d", got)
	}
	p, err := PolicyNamed("cost")
	if err != nil {
		t.Fatal(err)
	}
	usual := func(int, int) (float64, float64) { return 2, 1 << 30 }
	want := simulate(t, New(p, 300), 10, usual)
	got := simulate(t, New(p, 300), 10, func(d, i int) (float64, float64) {
		if i%100 == 7 {
			return 1e39, 1e39
		}
		return usual(d, i)
	})
	if math.Abs(got[9].CPU-want[9].CPU) > 0.05*want[9].CPU || math.Abs(got[9].Memory-want[9].Memory) > 0.05*want[9].Memory {
		t.Errorf("%+v with samples that are no measurements, %+v without", got[9], want[9])
	}
}

// simulate feeds days of samples every five minutes and decides after each; usage gives CPU
// in cores and memory in bytes for day and sample. It returns what was set each day.
func simulate(t testing.TB, s *Sizer, days int, usage func(d, i int) (cpu, memory float64)) []Size {
	t.Helper()
	c := scratch(t)
	var out []Size
	for d := range days {
		for i := range 288 {
			cpu, memory := usage(d, i)
			s.Observe(Sample{Time: int64(d*86400 + i*300), CPU: cpu, Memory: memory})
		}
		s.EndDay(c)
		out = append(out, s.Decide(int64(d+1)*86400, s.Usual(c), c))
	}
	return out
}

// TestDense compares quantiles and shares of buckets with those of the sorted values.
func TestDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var d dense
	var x []float64
	for range 2000 {
		v := math.Exp(rng.NormFloat64())
		x = append(x, v)
		d.add(v, 1)
	}
	slices.Sort(x)
	got := make([]float64, len(quantiles))
	d.quantiles(got, quantiles)
	sparse := d.sparse()
	for k, q := range quantiles {
		want := at(x, q)
		near(t, "quantile", got[k]/want, 1, 0.02)
		near(t, "share above", sparse.above(want), 1-q, 0.002)
	}
	if sparse.n != 2000 || sparse.above(0) < 0.999 || sparse.above(x[len(x)-1]) != 0 {
		t.Errorf("%d samples, %g above 0, %g above the highest", sparse.n, sparse.above(0), sparse.above(x[len(x)-1]))
	}
	var empty dense
	empty.quantiles(got, quantiles)
	if x := empty.sparse(); !math.IsNaN(got[0]) || x.above(1) != 0 {
		t.Errorf("quantile %g and share %g of nothing", got[0], x.above(1))
	}
	for _, v := range []float64{0, 1e-9, 1e-4, 1, 9999, 1e12} {
		if b := bucket(v); v < edge(b) || b < buckets-1 && v >= edge(b+1)*(1+1e-12) {
			t.Errorf("%g is in bucket [%g, %g)", v, edge(b), edge(b+1))
		}
	}
}

// TestGumbel: the moments of ln(x + 16 MiB) of two values with weights 1 and 2^(−1/14); the
// quantile and the risk are each other's inverse.
func TestGumbel(t *testing.T) {
	a, b := float64(100<<20), float64(200<<20)
	g, ok := fitGumbel([]float64{a, math.NaN(), b})
	if !ok {
		t.Fatal("two values are enough")
	}
	w := math.Exp2(-2.0 / 14)
	x, y := math.Log(a+offset), math.Log(b+offset)
	mean := (x + w*y) / (1 + w)
	sd := math.Sqrt(((x-mean)*(x-mean) + w*(y-mean)*(y-mean)) / (1 + w))
	near(t, "scale", g.scale, sd*math.Sqrt(6)/math.Pi, 1e-12)
	near(t, "location", g.location, mean-eulerMascheroni*g.scale, 1e-12)
	for _, p := range []float64{0.3, 0.8, 0.99} {
		near(t, "risk of the quantile", g.risk(g.quantile(p)), 1-p, 1e-9)
	}
	// Where one byte more is worth as much as the risk it takes: dearer kills, more memory.
	if low, high := g.cheapest(float64(1<<30)), g.cheapest(float64(10<<30)); low >= high {
		t.Errorf("%g bytes at 1 GiB a kill, %g at 10", low, high)
	}
	if _, ok := fitGumbel([]float64{a, math.NaN()}); ok {
		t.Error("one value is not enough")
	}
}

// TestDecide_flat: a container that always uses the same is never above what is set, and
// is not given more than half as much again.
func TestDecide_flat(t *testing.T) {
	for _, p := range Policies {
		sizes := simulate(t, New(p, 300), 40, func(int, int) (float64, float64) { return 2, 1 << 30 })
		if first := sizes[4]; !math.IsNaN(first.CPU) || !math.IsNaN(first.Memory) {
			t.Errorf("%s: %+v after five days", p.Name, first)
		}
		for d, s := range sizes[enoughDays:] {
			if s.CPU < 2 || s.CPU > 3 || s.Memory < 1<<30 || s.Memory > 1.5*(1<<30) {
				t.Errorf("%s, day %d: %+v", p.Name, d+enoughDays, s)
			}
		}
	}
}

// TestDecide_policies: dearer policies set more, on noisy usage.
func TestDecide_policies(t *testing.T) {
	var last Size
	for _, p := range Policies {
		rng := rand.New(rand.NewPCG(7, 7))
		sizes := simulate(t, New(p, 300), 28, func(int, int) (float64, float64) {
			return math.Exp(0.5 * rng.NormFloat64()), float64(1<<30) * math.Exp(0.3*rng.NormFloat64())
		})
		s := sizes[27]
		if s.CPU < last.CPU || s.Memory < last.Memory {
			t.Errorf("%s: %+v after %+v", p.Name, s, last)
		}
		last = s
	}
}

// TestDecide_level: a level that doubles is followed within three days; one that falls
// to a tenth is left by no more than a fifth of the last week's highest at a time, CPU, and
// not before it was low for a week.
func TestDecide_level(t *testing.T) {
	p, _ := PolicyNamed("balanced")
	level := func(d int) float64 {
		switch {
		case d < 20:
			return 1
		case d < 40:
			return 2
		}
		return 0.2
	}
	rng := rand.New(rand.NewPCG(3, 3))
	sizes := simulate(t, New(p, 300), 70, func(d, _ int) (float64, float64) {
		noise := math.Exp(0.1 * rng.NormFloat64())
		return level(d) * noise, level(d) * noise * (1 << 30)
	})
	if s := sizes[22]; s.CPU < 2 || s.Memory < 2<<30 {
		t.Errorf("three days after the level doubled: %+v", s)
	}
	if s := sizes[45]; s.CPU < 2 {
		t.Errorf("six days after the level fell: %+v", s)
	}
	if s := sizes[69]; s.CPU > 0.65*sizes[45].CPU || s.Memory > 1.2*(1<<30) {
		t.Errorf("thirty days after the level fell: %+v", s)
	}
	for d := 47; d < 70; d++ {
		most := 0.0
		for _, s := range sizes[d-7 : d] {
			most = max(most, s.CPU)
		}
		if sizes[d].CPU < UsualMoves.ShrinkCPU*most-1e-9 {
			t.Errorf("day %d: %g after %g", d, sizes[d].CPU, most)
		}
	}
}

// TestDecide_spike: one odd day does not make a container a giant.
func TestDecide_spike(t *testing.T) {
	p, _ := PolicyNamed("balanced")
	sizes := simulate(t, New(p, 300), 30, func(d, i int) (float64, float64) {
		if d == 25 && i < 100 {
			return 10, 1 << 30
		}
		return 0.05, 1 << 30
	})
	if before, after := sizes[24].CPU, sizes[25].CPU; after > UsualMoves.RiseCPU*before {
		t.Errorf("%g cores before the spike, %g after", before, after)
	}
}

// TestObserve_pressure: memory above 90 % of what is set raises it at once to 1.15 times
// usage, and so never below usage.
func TestObserve_pressure(t *testing.T) {
	p, _ := PolicyNamed("cost")
	s := New(p, 300)
	simulate(t, s, 20, func(int, int) (float64, float64) { return 1, 1 << 30 })
	set := s.Size().Memory
	if s.Observe(Sample{Time: 30 * 86400, CPU: 1, Memory: 0.89 * set}) {
		t.Error("raised at 89 %")
	}
	if !s.Observe(Sample{Time: 30*86400 + 300, CPU: 1, Memory: 0.95 * set}) {
		t.Error("not raised at 95 %")
	}
	near(t, "memory", s.Size().Memory, UsualMoves.Relief*0.95*set, 1)
}

// TestKilled_loop: a limit below need is hit again and again, and each time is made what
// the floor says, as an automatic updater would: it ends above need and never passes
// 1.5 times that. With a limit that nobody raises the floor stays where it is.
func TestKilled_loop(t *testing.T) {
	for _, need := range []float64{60 << 20, 300 << 20, 8 << 30} {
		f := oomFloor{}
		limit, rounds := need/10, 0
		for ; limit < need && rounds < 100; rounds++ {
			f = oomFloor{limit: limit, at: int64(rounds)}
			next := f.value(int64(rounds), limit)
			if next <= limit || next > 1.5*need {
				t.Fatalf("need %g, limit %g: floor %g", need, limit, next)
			}
			limit = next
		}
		if limit < need || limit > 1.5*need {
			t.Errorf("need %g: ends at %g after %d rounds", need, limit, rounds)
		}
	}
	p, _ := PolicyNamed("balanced")
	s := New(p, 300)
	limit := float64(1 << 30)
	c := scratch(t)
	most := 0.0
	for d := range 60 { // usage is cut at the limit, killed every day until day 30
		for i := range 288 {
			s.Observe(Sample{Time: int64(d*86400 + i*300), CPU: 1, Memory: min(limit, float64(i+1)*limit/200)})
		}
		if d < 30 {
			s.Killed(int64(d)*86400+80000, limit)
		}
		s.EndDay(c)
		most = max(most, s.Decide(int64(d+1)*86400, s.Usual(c), c).Memory)
	}
	if most > 1.5*limit {
		t.Errorf("a capped limit of %g led to %g", limit, most)
	}
	if s.floor.kills != 30 || s.floor.value(61*86400, limit) != 0 {
		t.Errorf("%d kills, floor %g a month later", s.floor.kills, s.floor.value(61*86400, limit))
	}
}

// TestOOMFloor_decays: half of what is above usage after 14 days, nothing after 28.
func TestOOMFloor_decays(t *testing.T) {
	f := oomFloor{limit: 1 << 30, at: 0}
	near(t, "at the kill", f.value(0, 0), 1.2*(1<<30), 1)
	near(t, "after 14 days", f.value(14*86400, 0.8*(1<<30)), (1<<30)*(0.8+0.2), 1)
	near(t, "after 28 days", f.value(28*86400, 0), 0, 0)
	near(t, "of 50 MiB", oomFloor{limit: 50 << 20}.value(0, 0), 75<<20, 1)
}

// TestObserve_startup: what a start takes is no reason for a request.
func TestObserve_startup(t *testing.T) {
	p, _ := PolicyNamed("balanced")
	s, c := New(p, 300), scratch(t)
	for d := range 10 {
		for i := range 288 {
			x := Sample{Time: int64(d*86400 + i*300), CPU: 0.1, Memory: 1 << 28, Startup: i == 0}
			if x.Startup {
				x.CPU = 4
			}
			s.Observe(x)
		}
		s.EndDay(c)
		s.Decide(int64(d+1)*86400, s.Usual(c), c)
	}
	if s.Size().CPU > 0.2 || s.Startup() != 4 {
		t.Errorf("%g cores, %g in a start", s.Size().CPU, s.Startup())
	}
}

// TestHostile: nothing is a number, everything is huge, days are missing, time stands still.
func TestHostile(t *testing.T) {
	p, _ := PolicyNamed("balanced")
	f := func(name string, usage func(d, i int) (float64, float64), known bool) {
		t.Helper()
		s := New(p, 300)
		sizes := simulate(t, s, 30, usage)
		last := sizes[29]
		if known != (last.CPU == last.CPU) || math.IsInf(last.CPU, 0) || math.IsInf(last.Memory, 0) {
			t.Errorf("%s: %+v", name, last)
		}
		c := scratch(t)
		trust := s.Trust(c).Confidence()
		if risk := s.Risk(last.Memory, trust); !(trust >= 0 && trust <= 29.0/30) || known != (risk >= 0 && risk <= 1) {
			t.Errorf("%s: confidence %g, risk %g", name, trust, risk)
		}
	}
	f("NaN", func(int, int) (float64, float64) { return math.NaN(), math.NaN() }, false)
	f("Inf", func(int, int) (float64, float64) { return math.Inf(1), math.Inf(1) }, false)
	f("negative", func(int, int) (float64, float64) { return -1, -1 }, false)
	f("zero", func(int, int) (float64, float64) { return 0, 0 }, true)
	f("huge", func(int, int) (float64, float64) { return 1e9, 1e18 }, true)
	f("every third day", func(d, _ int) (float64, float64) {
		if d%3 != 0 {
			return math.NaN(), math.NaN()
		}
		return 1, 1 << 30
	}, true)
	s := New(p, 300)
	s.Observe(Sample{Time: 10, CPU: 1, Memory: 1})
	s.Observe(Sample{Time: 10, CPU: 100, Memory: 1e12})
	s.Observe(Sample{Time: 9, CPU: 100, Memory: 1e12})
	if len(s.today) != 1 || s.peak != 1 {
		t.Errorf("%d samples, peak %g: time does not go back", len(s.today), s.peak)
	}
}

// TestDeterministic: the same samples, the same sizes.
func TestDeterministic(t *testing.T) {
	p, _ := PolicyNamed("safe")
	run := func() []Size {
		rng := rand.New(rand.NewPCG(5, 5))
		return simulate(t, New(p, 300), 30, func(d, _ int) (float64, float64) {
			return rng.ExpFloat64() * float64(1+d%7), rng.ExpFloat64() * (1 << 30)
		})
	}
	a, b := run(), run()
	for d := range a {
		if a[d] != b[d] && a[d].CPU == a[d].CPU {
			t.Fatalf("day %d: %+v, %+v", d, a[d], b[d])
		}
	}
}

// TestForecast_repeats: a forecast that repeats the past gives the quantiles of the past.
func TestForecast_repeats(t *testing.T) {
	m, err := forecast.New("seasonal_naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := PolicyNamed("balanced")
	s, c := New(p, 300), NewScratch(m)
	for d := range 28 {
		for i := range 288 {
			s.Observe(Sample{Time: int64(d*86400 + i*300), CPU: 2 + math.Sin(2*math.Pi*float64(i)/288), Memory: 1 << 30})
		}
		s.EndDay(c)
	}
	s.bases(c)
	n := len(quantiles)
	for k := range quantiles {
		near(t, "forecast arm over history", c.bases[4*n+k]/c.bases[3*n+k], 1, 0.01)
	}
}

func TestMean(t *testing.T) {
	m := Mean([]Scale{{1, 10}, {math.NaN(), 20}, {3, math.NaN()}})
	if m != (Scale{2, 15}) || Mean(nil) != (Scale{}) {
		t.Errorf("%+v, %+v", m, Mean(nil))
	}
}

func TestPolicyNamed(t *testing.T) {
	for _, p := range Policies {
		if got, err := PolicyNamed(p.Name); err != nil || got != p {
			t.Errorf("%s: %+v, %v", p.Name, got, err)
		}
	}
	if _, err := PolicyNamed("x"); err == nil {
		t.Error("x is a policy")
	}
}

// BenchmarkSizer is a container of four weeks of five minutes: learned from and decided.
func BenchmarkSizer(b *testing.B) {
	p, _ := PolicyNamed("balanced")
	b.ReportAllocs()
	for b.Loop() {
		rng := rand.New(rand.NewPCG(5, 5))
		simulate(b, New(p, 300), 28, func(int, int) (float64, float64) { return rng.ExpFloat64(), rng.ExpFloat64() * (1 << 30) })
	}
}
