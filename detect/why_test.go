package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// exceed is the inverse of quantile above the 97 % quantile, and counts below.
func TestTailExceed(t *testing.T) {
	var h tail
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		h.add(math.Abs(rng.NormFloat64()))
	}
	for _, p := range []float64{0.02, 1e-3, 1e-5} {
		x, ok := h.quantile(p)
		got, ok2 := h.exceed(x)
		if !ok || !ok2 || math.Abs(got/p-1) > 1e-9 {
			t.Errorf("exceed(quantile(%g)) = %g, %v, %v", p, got, ok, ok2)
		}
	}
	// P(|X| > 1) is 0.3173 for normal X; a bin is 9 % wide.
	if got, _ := h.exceed(1); math.Abs(got-0.3173) > 0.03 {
		t.Errorf("exceed(1) = %g, want about 0.317", got)
	}
	if _, ok := new(tail).exceed(1); ok {
		t.Error("an empty tail knows nothing")
	}
	if p, ok := h.exceed(1e300); !ok || !(p > 0) {
		t.Errorf("exceed(1e300) = %g, %v, want a little above 0", p, ok)
	}
}

// explained scores normal noise for two weeks, then y, and returns the highest score.
func explained(t *testing.T, y func(i int) float64, n int) series.Score {
	t.Helper()
	s := mustNew(t, Options{Step: 5 * time.Minute, Budget: 1})
	rng := rand.New(rand.NewPCG(3, 4))
	var worst series.Score
	at := t0
	for i := range 14*288 + n {
		v := 100 + rng.NormFloat64()
		if k := i - 14*288; k >= 0 {
			v = y(k)
		}
		sc := s.Step(at, v)
		at += (5 * time.Minute).Milliseconds()
		if i < 14*288 {
			continue
		}
		if sc.Value < 1 && sc.Why != (series.Why{}) {
			t.Fatalf("an ordinary score %g explains %+v", sc.Value, sc.Why)
		}
		if sc.Value >= 1 && math.Abs(sc.Why.Value/sc.Why.Limit/sc.Value-1) > 1e-9 {
			t.Fatalf("score %g, but %+v", sc.Value, sc.Why)
		}
		if sc.Value > worst.Value {
			worst = sc
		}
	}
	return worst
}

func TestWhy(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	spike := explained(t, func(int) float64 { return 120 }, 1)
	if w := spike.Why; w.View != series.ViewValue || math.Abs(w.Deviation-20) > 3 || math.Abs(w.Usual-100) > 3 || !(w.Days > 365) {
		t.Errorf("20 σ: %+v", w)
	}
	small := explained(t, func(int) float64 { return 106.5 }, 1)
	if w := small.Why; small.Value >= 1 && !(w.Days > 3) {
		t.Errorf("6 σ: score %g, %+v", small.Value, w)
	}
	// Ten sigma lower within a day: a mean sees it, and says how far.
	drift := explained(t, func(i int) float64 { return 100 - 10*float64(i)/288 + rng.NormFloat64() }, 288)
	if w := drift.Why; w.View == series.ViewValue || !(w.Deviation < -2) || !(math.Abs(w.Usual-100) < 5) {
		t.Errorf("drift: score %g, %+v", drift.Value, w)
	}
	gap := explained(t, func(int) float64 { return math.NaN() }, 30)
	if w := gap.Why; w.View != series.ViewGap || w.Value != 30*300 || w.Days != 0 {
		t.Errorf("gap: %+v", w)
	}
	flat := explained(t, func(int) float64 { return 100 }, 60)
	if w := flat.Why; w.View != series.ViewFlat || !(w.Value > 20*300) {
		t.Errorf("flat: %+v", w)
	}
}
