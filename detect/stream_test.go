package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

const week = 7 * 1440 // minutes

// onlyFinding returns the one finding that started at point i or after.
func onlyFinding(t *testing.T, w walk, i int) series.Finding {
	t.Helper()
	var got []series.Finding
	for _, f := range w.findings {
		if f.Start >= t0+int64(i)*minuteMS {
			got = append(got, f)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%d findings from point %d on, want 1: %+v", len(got), i, got)
	}
	return got[0]
}

// Each kind of incident, put into ten days of a daily wave, is found as what it
// is, within the stated minutes.
func TestStreamTypes(t *testing.T) {
	const at = 10*1440 + 300
	f := func(typ string, within int, change func(i int, v float64) float64) {
		t.Helper()
		y := daily(at+600, 11)
		for i := at; i < len(y); i++ {
			y[i] = change(i-at, y[i])
		}
		got := onlyFinding(t, run(t, options(), y), at)
		if delay := (got.Start - t0 - at*minuteMS) / minuteMS; got.Type != typ || delay > int64(within) {
			t.Errorf("%s after %d minutes, want %s within %d", got.Type, delay, typ, within)
		}
	}
	f(series.TypeSpike, 0, func(i int, v float64) float64 {
		if i < 3 {
			v += 80
		}
		return v
	})
	f(series.TypeDrop, 0, func(i int, v float64) float64 {
		if i < 3 {
			v -= 100
		}
		return v
	})
	f(series.TypeFlatline, 40, func(i int, v float64) float64 {
		if i < 120 {
			v = 130
		}
		return v
	})
	f(series.TypeMissing, 8, func(i int, v float64) float64 {
		if i < 60 {
			v = math.NaN()
		}
		return v
	})
}

// A slow rise that no single residual shows is found by the windows, and noise
// three times as wide by the variance.
func TestStreamSlowViews(t *testing.T) {
	const at = 10*1440 + 300
	f := func(types map[string]bool, within int, change func(i int, v float64) float64) {
		t.Helper()
		y := daily(at+600, 12)
		for i := at; i < len(y); i++ {
			y[i] = change(i-at, y[i])
		}
		w := run(t, options(), y)
		found := false
		for _, g := range w.findings {
			delay := (g.Start - t0 - at*minuteMS) / minuteMS
			if delay >= 0 && delay <= int64(within) {
				found = true
				if !types[g.Type] {
					t.Errorf("%s after %d minutes, want one of %v", g.Type, delay, types)
				}
			}
		}
		if !found {
			t.Errorf("nothing of %v within %d minutes: %+v", types, within, w.findings)
		}
	}
	slow := map[string]bool{series.TypeDrift: true, series.TypeLevelShift: true}
	f(slow, 400, func(i int, v float64) float64 { return v + 0.15*float64(i) })
	rnd := rand.New(rand.NewPCG(13, 1))
	wide := map[string]bool{series.TypeVariance: true, series.TypeOutlier: true, series.TypeSpike: true, series.TypeDrop: true}
	f(wide, 60, func(_ int, v float64) float64 { return v + 10*rnd.NormFloat64() })
}

// Wider noise is variance; what is as large and stays on one side, as a burst does, is not, though it ranks.
func TestVarianceSwings(t *testing.T) {
	const at, n, trials = 10 * 288, 36, 20
	count := func(odd func(r float64) float64) (found int, highest float64) {
		for seed := range uint64(trials) {
			rnd := rand.New(rand.NewPCG(14, seed))
			s := mustNew(t, Options{Step: 5 * time.Minute, Budget: 1}).(*stream)
			s.off = ^uint32(1 << variance) // no other view
			most := 0.0
			for i := range at + n {
				r := rnd.NormFloat64()
				if i >= at {
					r = odd(r)
				}
				if sc := s.Step(t0+int64(i)*300_000, 100+r); i >= at {
					most = max(most, sc.Value)
				}
			}
			if most >= 1 {
				found++
			} else {
				highest = max(highest, most)
			}
		}
		return found, highest
	}
	if n, _ := count(func(r float64) float64 { return 6 * r }); n < trials*3/4 {
		t.Errorf("noise of six times the size is found in %d of %d", n, trials)
	}
	if n, highest := count(func(r float64) float64 { return math.Abs(6 * r) }); n > trials/10 || highest < 0.7 {
		t.Errorf("what stays above is found in %d of %d, the highest score of the others is %.2f", n, trials, highest)
	}
}

// A slow rise of two and a half standard deviations in twelve hours, which most of the time stays within
// what single values reach, is found by the mean over six hours before it ends, and stays odd
// until then: what follows the level does not swallow it.
func TestSlowRiseWithinTheSpan(t *testing.T) {
	const at, n = 10*288 + 60, 144
	rnd := rand.New(rand.NewPCG(21, 1))
	y := fill(at+n, func(int) float64 { return 60 * rnd.ExpFloat64() })
	for k := range n {
		y[at+k] += 2.5 * 60 * float64(k) / n
	}
	s := mustNew(t, Options{Step: 5 * time.Minute, Budget: 1})
	first, views := -1, map[string]bool{}
	for i, v := range y {
		sc := s.Step(t0+int64(i)*300_000, v)
		k := i - at
		switch {
		case k < 0:
		case sc.Value >= 1 && sc.Why.View == series.ViewMean6h:
			if first < 0 {
				first = k
			}
			views[sc.Type] = true
		case k >= n-12:
			t.Errorf("%d points into the rise of %d: score %g of %q", k, n, sc.Value, sc.Why.View)
		}
	}
	if first < 0 || first > 110 || !views[series.TypeDrift] || len(views) != 1 {
		t.Errorf("the mean saw it from point %d of %d on, as %v", first, n, views)
	}
}

// What never was an incident is none: constants, two values, integers, sparse
// counts, a wave with noise, gaps of up to three points.
func TestStreamIsQuiet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(14, 1))
	gappy := daily(3*week, 15)
	for i := 0; i < len(gappy); i += 50 + rnd.IntN(400) {
		for j := range min(1+rnd.IntN(3), len(gappy)-i) {
			gappy[i+j] = math.NaN()
		}
	}
	f := func(name string, y []float64, most int) {
		t.Helper()
		w := run(t, options(), y)
		if len(w.findings) > most {
			t.Errorf("%s: %d findings in %d weeks, want at most %d; the first: %+v", name, len(w.findings), len(y)/week, most, w.findings[0])
		}
	}
	f("zero", make([]float64, 2*week), 0)
	f("negative zero", fill(week, func(int) float64 { return math.Copysign(0, -1) }), 0)
	f("constant", fill(2*week, func(int) float64 { return 8.1e9 }), 0)
	f("constant 1e300", fill(week, func(int) float64 { return 1e300 }), 0)
	f("alternating", fill(2*week, func(i int) float64 { return float64(i % 2) }), 0)
	f("two values at random", fill(2*week, func(int) float64 { return float64(rnd.IntN(2)) }), 0)
	f("two values, one in ten", fill(2*week, func(int) float64 { return float64(rnd.IntN(10) / 9) }), 0)
	f("a square wave by the hour", fill(2*week, func(i int) float64 { return float64(i / 60 % 2) }), 0)
	f("integers", fill(2*week, func(int) float64 { return float64(rnd.IntN(6) + rnd.IntN(6)) }), 0)
	f("white noise", fill(3*week, func(int) float64 { return rnd.NormFloat64() }), 3)
	f("a daily wave", daily(3*week, 16), 3)
	f("a daily wave with gaps", gappy, 3)
}

// No input makes the scorer panic, or say NaN or infinity once it is warm.
func TestStreamHostile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(17, 1))
	ugly := []float64{0, math.Copysign(0, -1), 5e-324, -5e-324, 1e-300, 1, -1, 1e18, 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)}
	f := func(name string, y []float64) {
		t.Helper()
		o := options()
		values := 0
		for i, sc := range run(t, o, y).scores {
			unknown := math.IsNaN(y[i]) || math.IsInf(y[i], 0)
			if values >= 2*warmPoints { // by then the tails were looked at
				checkScore(t, name, sc)
			} else if values < warmPoints && (!math.IsNaN(sc.Value) || sc.Type != "") {
				t.Fatalf("%s: score %+v during warm-up", name, sc)
			}
			if unknown != math.IsNaN(sc.Observed) {
				t.Fatalf("%s: observed %v for %v", name, sc.Observed, y[i])
			}
			if !unknown {
				values++
			}
		}
	}
	f("ugly", fill(20_000, func(int) float64 { return ugly[rnd.IntN(len(ugly))] }))
	f("nothing", fill(500, func(int) float64 { return math.NaN() }))
	f("infinity", fill(500, func(int) float64 { return math.Inf(1) }))
	f("one value", append([]float64{1}, fill(500, func(int) float64 { return math.NaN() })...))
	f("denormal", fill(5000, func(int) float64 { return 5e-324 * float64(rnd.IntN(9)) }))
	f("huge noise", fill(5000, func(int) float64 { return 1e300 * rnd.NormFloat64() }))
	f("zero, then alive", fill(10_000, func(i int) float64 {
		if i < 5000 {
			return 0
		}
		return 100 + rnd.NormFloat64()
	}))
	f("one blow of 1e300", fill(10_000, func(i int) float64 {
		if i == 5000 {
			return 1e300
		}
		return 100 + rnd.NormFloat64()
	}))
}

func checkScore(t *testing.T, name string, sc series.Score) {
	t.Helper()
	for _, v := range []float64{sc.Expected, sc.Lower, sc.Upper, sc.Value, sc.Confidence} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("%s: score %+v", name, sc)
		}
	}
	if sc.Value < 0 || sc.Confidence < 0 || sc.Confidence > 1 || sc.Lower > sc.Expected || sc.Upper < sc.Expected || (sc.Value >= 1) != (sc.Type != "") {
		t.Fatalf("%s: score %+v", name, sc)
	}
}

// A series that wakes up is found and then becomes usual within hours.
func TestStreamRecovers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(18, 1))
	f := func(name string, y []float64) {
		t.Helper()
		w := run(t, options(), y)
		// One odd value of a series that never moved can be anything; the second tells.
		if at := t0 + 5000*minuteMS; len(w.findings) == 0 || w.findings[0].Start < at || w.findings[0].Start > at+minuteMS {
			t.Errorf("%s: findings %+v, want the first at the change or a minute later", name, w.findings)
		}
		odd := 0
		for _, sc := range w.scores[5000+2*1440:] {
			if sc.Value >= 1 {
				odd++
			}
		}
		if odd > 10 {
			t.Errorf("%s: %d scores of 1 or more two days after the change", name, odd)
		}
	}
	f("zero, then alive", fill(5000+4*1440, func(i int) float64 {
		if i < 5000 {
			return 0
		}
		return 100 + rnd.NormFloat64()
	}))
	f("one blow of 1e300", fill(5000+4*1440, func(i int) float64 {
		if i == 5000 {
			return 1e300
		}
		return 100 + rnd.NormFloat64()
	}))
}

// The band and the score agree: outside the band the score is at least 1, and
// where only the residual speaks it is 1 at the bound.
func TestStreamBandAgrees(t *testing.T) {
	y := daily(6*1440, 19)
	probe := func(v func(sc series.Score) float64) series.Score {
		s := mustNew(t, options())
		for i, x := range y {
			s.Step(t0+int64(i)*minuteMS, x)
		}
		twin := mustNew(t, options())
		if err := twin.LoadState(s.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		at := t0 + int64(len(y))*minuteMS
		sc := s.Step(at, math.NaN()) // the band for the next point
		return twin.Step(at, v(sc))
	}
	up := probe(func(sc series.Score) float64 { return sc.Upper * (1 + 1e-9) })
	if up.Value < 1 || up.Type == "" {
		t.Errorf("above the upper bound the score is %v %q", up.Value, up.Type)
	}
	closeTo(t, "upper bound", up.Observed, up.Upper, 1e-6)
	down := probe(func(sc series.Score) float64 { return sc.Lower - 1e-9*math.Abs(sc.Lower) })
	if down.Value < 1 || down.Type == "" {
		t.Errorf("below the lower bound the score is %v %q", down.Value, down.Type)
	}
	mid := probe(func(sc series.Score) float64 { return sc.Expected })
	if mid.Value >= 1 || mid.Type != "" {
		t.Errorf("at the expectation the score is %v %q", mid.Value, mid.Type)
	}
}

func TestStreamDirection(t *testing.T) {
	y := daily(10*1440, 20)
	y[8*1440+100] += 90
	y[9*1440+100] -= 120
	f := func(d Direction, want ...string) {
		t.Helper()
		o := options()
		o.Direction = d
		w := run(t, o, y)
		got := []string{w.scores[8*1440+100].Type, w.scores[9*1440+100].Type}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: types %q, want %q", d, got, want)
			}
		}
		last := w.scores[len(y)-1]
		if math.IsNaN(last.Lower) != (d == Up) || math.IsNaN(last.Upper) != (d == Down) {
			t.Errorf("%s: band from %v to %v", d, last.Lower, last.Upper)
		}
	}
	f(Both, series.TypeSpike, series.TypeDrop)
	f(Up, series.TypeSpike, "")
	f(Down, "", series.TypeDrop)
}

func TestStreamMinimum(t *testing.T) {
	y := daily(10*1440, 21)
	y[9*1440] += 90 // expected about 100
	f := func(deviation, relative float64, odd bool) {
		t.Helper()
		o := options()
		o.MinDeviation, o.MinRelative = deviation, relative
		sc := run(t, o, y).scores[9*1440]
		if (sc.Value >= 1) != odd {
			t.Errorf("minimum %v, %v: score %v, want it odd: %v", deviation, relative, sc.Value, odd)
		}
		if sc.Upper < sc.Expected+deviation || sc.Upper < sc.Expected*(1+relative) {
			t.Errorf("minimum %v, %v: upper bound %v of %v", deviation, relative, sc.Upper, sc.Expected)
		}
	}
	f(0, 0, true)
	f(60, 0, true)
	f(110, 0, false)
	f(0, 0.6, true)
	f(0, 1.1, false)
}

// A larger budget gives at least as many alerts, and lower levels.
func TestStreamBudget(t *testing.T) {
	rnd := rand.New(rand.NewPCG(22, 1))
	y := fill(4*week, func(int) float64 { return rnd.NormFloat64() * math.Exp(0.5*rnd.NormFloat64()) })
	last, before := math.Inf(1), -1
	for _, budget := range []float64{0.25, 1, 7, 70} {
		o := options()
		o.Budget = budget
		w := run(t, o, y)
		if u := w.scores[len(y)-1].Upper; u > last {
			t.Errorf("budget %v: upper bound %v, above that of a smaller budget, %v", budget, u, last)
		} else {
			last = u
		}
		if n := len(w.findings); n < before {
			t.Errorf("budget %v: %d findings, fewer than with a smaller one", budget, n)
		} else {
			before = n
		}
	}
}

// Scores do not depend on the unit: exactly for a power of two, which changes no
// mantissa.
func TestStreamScaleEquivariance(t *testing.T) {
	y := daily(week, 23)
	y[5000] += 70
	base := run(t, options(), y)
	f := func(a, b, tol float64) {
		t.Helper()
		other := run(t, options(), fill(len(y), func(i int) float64 { return a*y[i] + b }))
		for i, sc := range other.scores {
			want := base.scores[i]
			if math.IsNaN(sc.Value) && math.IsNaN(want.Value) {
				continue
			}
			if !(math.Abs(sc.Value-want.Value) <= tol*(1+want.Value)) {
				t.Fatalf("%v·y + %v: score %v at %d, want %v", a, b, sc.Value, i, want.Value)
			}
		}
	}
	f(1024, 0, 0)
	f(1.0/(1<<40), 0, 0)
	f(3, 0, 1e-2) // rounding may move a value to the next bin
	f(1, 1000, 1e-2)
}

// Values out of order and twice are neither scored nor learned.
func TestStreamOutOfOrder(t *testing.T) {
	s := mustNew(t, options())
	for i, v := range daily(1000, 24) {
		s.Step(t0+int64(i)*minuteMS, v)
	}
	before := string(s.AppendState(nil))
	for _, at := range []int64{t0 + 999*minuteMS, t0, t0 - dayMS} {
		if sc := s.Step(at, 1e6); !math.IsNaN(sc.Value) || sc.Observed != 1e6 || sc.Type != "" {
			t.Errorf("score %+v of a value at %d", sc, at)
		}
	}
	if string(s.AppendState(nil)) != before {
		t.Error("a late value changed the state")
	}
}

// A nightly gap is found once and then known: the record of gaps rises.
func TestStreamKnowsItsGaps(t *testing.T) {
	y := daily(30*1440, 25)
	for d := 5; d < 30; d++ {
		for i := range 20 {
			y[d*1440+i] = math.NaN()
		}
	}
	w := run(t, options(), y)
	late := 0
	for _, f := range w.findings {
		if f.Type == series.TypeMissing && f.Start > t0+20*dayMS {
			late++
		}
	}
	if len(w.findings) == 0 || w.findings[0].Type != series.TypeMissing {
		t.Errorf("findings %+v: want the first gap found", w.findings)
	}
	if late > 0 {
		t.Errorf("%d gaps called missing after two weeks of them", late)
	}
}

// More history gives more confidence; at the boundary there is none beyond one half.
func TestConfidence(t *testing.T) {
	var value, gap series.Why
	value.View, gap.View = series.ViewValue, series.ViewGap
	closeTo(t, "no history", confidence(0, 5, value), 0, 0)
	closeTo(t, "nearly at the boundary", confidence(1e9, math.Nextafter(1, 0), value), 0.5, 1e-6)
	closeTo(t, "ordinary, one level's worth of history", confidence(1, 0, series.Why{}), 0.5, 0)
	closeTo(t, "twice the boundary, nine levels' worth", confidence(9, 2, value), 0.9*317/441, 1e-12)
	closeTo(t, "far out", confidence(9, 1e6, value), 0.9*345/431, 1e-12)
	closeTo(t, "a gap", confidence(1e9, 1.2, gap), 321/355.0, 1e-6)
	w := run(t, options(), daily(week, 26))
	early, late := w.scores[2*warmPoints].Confidence, w.scores[week-1].Confidence
	if !(early < late) || late > 1 {
		t.Errorf("confidence %v after 100 points, %v after a week", early, late)
	}
}

// Hourly and daily grids work, and so does one of 15 seconds.
func TestStreamSteps(t *testing.T) {
	for _, step := range []time.Duration{time.Second, 15 * time.Second, time.Hour, 24 * time.Hour, maxStep} {
		o := options()
		o.Step = step
		rnd := rand.New(rand.NewPCG(27, 1))
		y := fill(1000, func(int) float64 { return 50 + rnd.NormFloat64() })
		y[900] = 100
		w := run(t, o, y)
		for i, sc := range w.scores {
			if i >= 2*warmPoints {
				checkScore(t, step.String(), sc)
			}
		}
		if w.scores[900].Type != series.TypeSpike {
			t.Errorf("step %v: score %+v of a spike", step, w.scores[900])
		}
	}
}

// Until the tails hold enough there is neither a score nor a bound, however long
// the warm-up lasted: a bound of a billion scales says nothing.
func TestStreamUncalibratedSaysNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(31, 1))
	scored := 0
	for i, sc := range run(t, options(), fill(400, func(int) float64 { return 50 + rnd.NormFloat64() })).scores {
		switch {
		case math.IsNaN(sc.Value):
			if !math.IsNaN(sc.Lower) || !math.IsNaN(sc.Upper) {
				t.Fatalf("point %d has bounds without a score: %+v", i, sc)
			}
		case !(sc.Expected-sc.Lower < 100 && sc.Upper-sc.Expected < 100): // 100 σ
			t.Fatalf("point %d: bounds %v and %v", i, sc.Lower, sc.Upper)
		default:
			scored++
		}
	}
	if scored < 250 {
		t.Errorf("%d of 400 points were scored", scored)
	}
}

// The first score is that of the value after the warm-up.
func TestWarmup(t *testing.T) {
	for step, want := range map[time.Duration]int{15 * time.Second: 120, time.Minute: 120, 2 * time.Minute: 90, 5 * time.Minute: 80, time.Hour: 80, 24 * time.Hour: 80} {
		if got := Warmup(step); got != want {
			t.Errorf("%s: %d, want %d", step, got, want)
		}
		s, err := New(Default, Options{Step: step, Budget: 1})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range want + 1 {
			sc := s.Step(int64(i+1)*step.Milliseconds(), rng.NormFloat64())
			if math.IsNaN(sc.Value) != (i < want) {
				t.Fatalf("%s: score %v of value %d", step, sc.Value, i+1)
			}
		}
	}
}
