package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTailBins(t *testing.T) {
	for k := range tailBins - 1 {
		lo, hi := tailEdge(k), tailEdge(k+1)
		if hi <= lo || hi/lo > 1.126 { // an eighth of an octave, linear: at most 9/8
			t.Fatalf("bin %d is from %v to %v", k, lo, hi)
		}
		if tailBin(lo) != k || tailBin(math.Nextafter(hi, 0)) != k || tailBin(hi) != k+1 {
			t.Fatalf("bin %d does not hold [%v, %v)", k, lo, hi)
		}
	}
	for _, x := range []float64{0, 5e-324, 0.1} {
		if tailBin(x) != 0 {
			t.Errorf("%v is in bin %d, want 0", x, tailBin(x))
		}
	}
	for _, x := range []float64{1 << 14, 1e300, math.Inf(1)} {
		if tailBin(x) != tailBins-1 {
			t.Errorf("%v is in bin %d, want the last", x, tailBin(x))
		}
	}
}

// Exponential values with mean 1 exceed −ln p with probability p. The fit knows
// a shape of 0 only through the prior and the bound of 0.1, which makes it read
// far levels high: with shape 0.1 above u = −ln 0.03, p = 1e-4 gives
// 3.51 + 0.9/0.1·(300^0.1 − 1) = 10.4 where 9.2 is exact.
func TestTailQuantile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h tail
	for range 100_000 {
		h.add(rnd.ExpFloat64())
	}
	f := func(p, low, high float64) {
		t.Helper()
		got, ok := h.quantile(p)
		if !ok || got < low || got > high {
			t.Errorf("level exceeded with probability %v: %v (%v), want %v to %v", p, got, ok, low, high)
		}
	}
	f(0.5, 0.6, 0.8)     // ln 2 = 0.69; bins are 12 % wide
	f(0.03, 3.2, 3.8)    // 3.51
	f(0.01, 4.3, 4.9)    // 4.61
	f(0.001, 6.6, 7.6)   // 6.91
	f(0.0001, 9.0, 10.9) // see above
}

func TestTailNeedsWeight(t *testing.T) {
	var h tail
	for range tailMinimum - 1 {
		h.add(1)
	}
	if v, ok := h.quantile(0.01); ok {
		t.Errorf("29 values gave a level of %v", v)
	}
	h.add(1)
	if v, ok := h.quantile(0.01); !ok || v < 1 || v > 1.5 {
		t.Errorf("30 ones gave a level of %v, %v; want 1 to 1.5", v, ok)
	}
}

func TestTailDecays(t *testing.T) {
	var h tail
	for range 1000 {
		h.add(2)
	}
	for range 5 { // the half-life is five daily decays
		h.decay(tailFade)
	}
	closeTo(t, "weight after a half-life", float64(h.total), 500, 0.1)
}

// Millions of values, with a decay a day, fit into two bytes a bin: the level is that
// of the same values counted exactly.
func TestTailCompact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var h tail
	var exact [tailBins]float64
	for range 60 {
		for range 20_000 {
			x := math.Exp(rnd.NormFloat64())
			h.add(x)
			exact[tailBin(x)]++
		}
		h.decay(tailFade)
		for k := range exact {
			exact[k] *= tailFade
		}
	}
	want, got, sum := 0.0, 0.0, 0.0
	for k, w := range exact {
		sum += w
		if tailEdge(k) >= math.Exp(2) { // about 2 % of them
			want, got = want+w, got+h.of(k)
		}
	}
	closeTo(t, "total", float64(h.total), sum, 1e-6*sum)
	closeTo(t, "weight beyond two sigmas", got, want, 0.05*want)
	h = tail{weight: [tailBins]uint16{0: 65_535, 1: 1, 2: 2, 3: 3}, unit: 16, total: 4096, level: 1}
	h.halve()
	if w := h.weight; w[0] != 32_768 || w[1] != 0 || w[2] != 1 || w[3] != 2 || h.unit != 8 {
		t.Errorf("halved: %v of %v", w[:4], h.unit)
	}
}
