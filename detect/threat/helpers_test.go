package threat

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// start is a Monday, 00:00 UTC.
const start = int64(1_700_438_400_000)

func at(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %v, want %v ± %v", what, got, want, tol)
	}
}

// poisson draws from a Poisson distribution; large means are normal.
func poisson(r *rand.Rand, mean float64) float64 {
	if mean > 200 {
		return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
	}
	l, p, k := math.Exp(-mean), 1.0, 0.0
	for {
		if p *= r.Float64(); p <= l {
			return k
		}
		k++
	}
}

// gamma draws from a gamma distribution. Marsaglia and Tsang (2000).
func gamma(r *rand.Rand, shape, scale float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1, scale) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	for {
		x := r.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v * scale
		}
	}
}

// negBin draws a count of mean mu and size k.
func negBin(r *rand.Rand, mu, k float64) float64 { return poisson(r, gamma(r, k, mu/k)) }

// betaBin draws the failures of n trials.
func betaBin(r *rand.Rand, n, p, rho float64) float64 {
	c := 1/rho - 1
	a, b := gamma(r, p*c, 1), gamma(r, (1-p)*c, 1)
	q, x := a/(a+b), 0.0
	for range int(n) {
		if r.Float64() < q {
			x++
		}
	}
	return x
}

// daily is the relative load of time t: more by day, less at weekends.
func daily(t int64) float64 {
	h := float64(t%day) / float64(hour)
	v := 1 + 0.8*math.Sin((h-8)/24*2*math.Pi)
	if w := (t/day + 4) % 7; w == 0 || w == 6 {
		v *= 0.5
	}
	return v
}

const step = 5 * time.Minute

// slots calls f for the slots of n days.
func slots(days int, f func(t int64)) {
	for t := start; t < start+int64(days)*day; t += step.Milliseconds() {
		f(t)
	}
}

// hostile are numbers no counter has.
var hostile = []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -1e300, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 0, 1e17, 1e-9}

// sane fails unless everything in r is a finite number or a NaN where NaN is allowed.
func sane(t *testing.T, r Reading) {
	t.Helper()
	if math.IsNaN(r.Surprise) || math.IsInf(r.Surprise, 0) || r.Surprise < 0 || math.IsInf(r.Observed, 0) || math.IsInf(r.Expected, 0) {
		t.Fatalf("%+v", r)
	}
	if r.Evident() && (math.IsNaN(r.Observed) || math.IsNaN(r.Expected)) {
		t.Fatalf("evidence without numbers: %+v", r)
	}
	if c := r.Confidence(); !(c >= 0 && c <= 1) {
		t.Fatalf("confidence %v", c)
	}
}
