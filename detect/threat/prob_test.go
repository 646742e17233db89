package threat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestNegBinTail compares with closed forms: size 1 is geometric, P(X ≥ x) = q^x; size
// 2 has P(X ≥ x) = q^x (1 + x·p), q = mu/(mu+k), p = 1 − q; a large size is Poisson.
func TestNegBinTail(t *testing.T) {
	for _, mu := range []float64{0.01, 0.5, 3, 40} {
		for _, x := range []float64{1, 2, 5, 17, 60} {
			q := mu / (mu + 1)
			at(t, "size 1", negBinTail(x, mu, 1), -x*math.Log10(q), 1e-9*x)
			q = mu / (mu + 2)
			at(t, "size 2", negBinTail(x, mu, 2), -(x*math.Log10(q) + math.Log10(1+x*(1-q))), 1e-8)
		}
	}
	// P(Poisson(2) ≥ 8) = 1 − Σ_{j<8} 2^j e^−2 / j! = 0.0010967194
	at(t, "Poisson", negBinTail(8, 2, 1e6), -math.Log10(0.0010967194), 1e-4)
	for _, bad := range [][3]float64{{0, 1, 1}, {-3, 1, 1}, {3, 0, 1}, {3, 1, 0}, {math.NaN(), 1, 1}, {3, math.NaN(), 1}, {math.Inf(1), 1, 1}} {
		if got := negBinTail(bad[0], bad[1], bad[2]); got != 0 {
			t.Errorf("%v: %v, want 0", bad, got)
		}
	}
	if got := negBinTail(1e6, 1e-3, 0.1); !(got > 100 && got <= 300) {
		t.Errorf("far tail %v", got)
	}
}

// TestBetaBinTail compares with the uniform case a = b = 1, P(X ≥ x) = (n−x+1)/(n+1), with
// the certain ends, and with the binomial that large a and b approach.
func TestBetaBinTail(t *testing.T) {
	for _, n := range []float64{1, 7, 300, 12_000} {
		for _, x := range []float64{1, math.Ceil(n / 2), n} {
			at(t, "uniform", betaBinTail(x, n, 1, 1), -math.Log10((n-x+1)/(n+1)), 1e-6)
		}
	}
	// P(Bin(10, ½) ≥ 9) = 11/1024
	at(t, "binomial", betaBinTail(9, 10, 1e8, 1e8), -math.Log10(11.0/1024), 1e-5)
	if got := betaBinTail(12, 10, 1, 9); got != betaBinTail(10, 10, 1, 9) {
		t.Errorf("above n: %v", got)
	}
	for _, bad := range [][4]float64{{0, 5, 1, 1}, {2, 0, 1, 1}, {2, 5, 0, 1}, {2, 5, 1, math.NaN()}, {math.NaN(), 5, 1, 1}, {2, math.Inf(1), 1, 1}} {
		if got := betaBinTail(bad[0], bad[1], bad[2], bad[3]); got != 0 {
			t.Errorf("%v: %v, want 0", bad, got)
		}
	}
}

// TestBetaInc checks I_x(a, 1) = x^a and I_x(a, b) = 1 − I_{1−x}(b, a).
func TestBetaInc(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b, x := math.Exp(6*r.Float64()-3), math.Exp(6*r.Float64()-3), r.Float64()
		at(t, "x^a", logBetaInc(a, 1, x, 1-x), a*math.Log(x), 1e-7*(1+a))
		at(t, "symmetry", math.Exp(logBetaInc(a, b, x, 1-x))+math.Exp(logBetaInc(b, a, 1-x, x)), 1, 1e-7)
	}
}

// FuzzTails wants a finite number of decades that never falls as x rises.
func FuzzTails(f *testing.F) {
	f.Add(3.0, 2.0, 0.5, 10.0)
	f.Add(1e9, 1e-9, 1e9, 1e12)
	f.Fuzz(func(t *testing.T, x, mu, k, n float64) {
		for _, tail := range []func(float64) float64{
			func(x float64) float64 { return negBinTail(x, mu, k) },
			func(x float64) float64 { return betaBinTail(x, min(n, 1e5), mu, k) },
		} {
			low, high := tail(x), tail(x+1)
			if math.IsNaN(low) || low < 0 || low > 300 {
				t.Fatalf("x %v mu %v k %v n %v: %v", x, mu, k, n, low)
			}
			// One digit in six is what the fractions promise for numbers of sane size.
			if x > 0 && x < 1e6 && mu > 1e-6 && mu < 1e6 && k > 1e-3 && k < 1e6 && n >= x+1 && high < low-1e-5*(1+low) {
				t.Fatalf("x %v mu %v k %v n %v: %v, then %v", x, mu, k, n, low, high)
			}
		}
	})
}

func BenchmarkNegBinTail(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		negBinTail(120, 30, 2)
	}
}

func BenchmarkBetaBinTail(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		betaBinTail(120, 900, 3, 60)
	}
}
