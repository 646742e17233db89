package forecast

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/upid/upid/collector/series"
)

const hour = int64(3600_000)

func closeTo(t *testing.T, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Fatalf("got %v, want %v within %v", got, want, tol)
	}
}

// hourly returns a series of n hourly values f(0) … f(n−1).
func hourly(n int, f func(i int) float64) series.Series {
	y := series.Series{Start: 0, Step: hour, Values: make([]float64, n)}
	for i := range y.Values {
		y.Values[i] = f(i)
	}
	return y
}

func sized(h int, level float64) *series.Forecast {
	return &series.Forecast{Band: series.Band{
		Level: level, Point: make([]float64, h), Lower: make([]float64, h), Upper: make([]float64, h),
	}}
}

func forecastOf(t *testing.T, f Forecaster, y series.Series, h int, level float64) *series.Forecast {
	t.Helper()
	dst := sized(h, level)
	if err := f.Forecast(dst, y, Calendar{}, new(Scratch)); err != nil {
		t.Fatal(err)
	}
	return dst
}

// modelCase is what a model claims; testModel holds it to it.
type modelCase struct {
	name   string
	decode func(any) error // nil: defaults
	// exact is a noiseless series of the model's own form, reproduced to 1e-9, or
	// to exactTo where the model shrinks; the comment at the case says why.
	exact   func(i int) float64
	exactTo float64
	// home draws a series the model is meant for; skill is what it must have there
	// against the seasonal naive forecast one day ahead.
	home  func(rng *rand.Rand) func(i int) float64
	skill float64
	// raw makes the model without a logarithm, for which f(a·y+b) = a·f(y)+b is
	// claimed; nil if it is claimed for the model as it is.
	raw         func(any) error
	equivariant bool
}

func testModel(t *testing.T, c modelCase) {
	t.Helper()
	model, err := New(c.name, c.decode)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("exact", func(t *testing.T) {
		y := hourly(28*24, c.exact)
		f := forecastOf(t, model, y, 168, 0.9)
		tol := max(c.exactTo, 1e-9)
		for k, v := range f.Point {
			closeTo(t, v, c.exact(28*24+k), tol*math.Abs(c.exact(28*24+k)))
		}
		if f.Start != y.End() || f.Step != y.Step || f.Model != c.name {
			t.Fatalf("got start %d step %d model %q", f.Start, f.Step, f.Model)
		}
	})
	t.Run("properties", func(t *testing.T) { testProperties(t, c, model) })
	t.Run("hostile", func(t *testing.T) { testHostile(t, model) })
	t.Run("home", func(t *testing.T) { testHome(t, c, model) })
}

func testProperties(t *testing.T, c modelCase, model Forecaster) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{30, 150, 240, 500, 28 * 24} {
		draw := c.home(rng)
		y := hourly(n, draw)
		before := slices.Clone(y.Values)
		var narrow *series.Forecast
		for _, level := range []float64{0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.9999} {
			f := forecastOf(t, model, y, 168, level)
			for k, p := range f.Point {
				l, u := f.Lower[k], f.Upper[k]
				if math.IsNaN(l) != math.IsNaN(u) || l > p || p > u {
					t.Fatalf("n %d level %v step %d: %v, %v, %v is not in order", n, level, k, l, p, u)
				}
				if narrow != nil && (l > narrow.Lower[k] || u < narrow.Upper[k]) {
					t.Fatalf("n %d step %d: the band at %v is not inside that at %v", n, k, narrow.Level, level)
				}
			}
			if math.IsNaN(f.Lower[0]) && len(f.Warnings) == 0 {
				t.Fatalf("n %d: no bound and no warning", n)
			}
			if !(f.Confidence >= 0 && f.Confidence <= 1) {
				t.Fatalf("confidence %v", f.Confidence)
			}
			sum := 0.0
			for i, m := range f.Members {
				sum += m.Weight
				if i > 0 && m.Weight > f.Members[i-1].Weight {
					t.Fatalf("members out of order: %v", f.Members)
				}
			}
			closeTo(t, sum, 1, 1e-12)
			narrow = f
		}
		if !slices.Equal(y.Values, before) {
			t.Fatal("the input was changed")
		}
	}
	if !c.equivariant {
		return
	}
	raw := model
	if c.raw != nil {
		var err error
		if raw, err = New(c.name, c.raw); err != nil {
			t.Fatal(err)
		}
	}
	draw := c.home(rng)
	y := hourly(28*24, draw)
	const a, b = 3.7, 5000.0
	moved := series.Series{Start: y.Start, Step: y.Step, Values: slices.Clone(y.Values)}
	for i, v := range y.Values {
		moved.Values[i] = a*v + b
	}
	f, g := forecastOf(t, raw, y, 48, 0.9), forecastOf(t, raw, moved, 48, 0.9)
	for k := range f.Point {
		// 1e-6 of the level: the search of Holt-Winters stops at a relative
		// difference, everything else agrees to rounding.
		closeTo(t, g.Point[k], a*f.Point[k]+b, 1e-6*b)
	}
}

// testHostile wants an error or a finite answer with ordered bounds.
func testHostile(t *testing.T, model Forecaster) {
	t.Helper()
	nan, inf := math.NaN(), math.Inf(1)
	n := 28 * 24
	rng := rand.New(rand.NewPCG(13, 14))
	hostile := map[string]series.Series{
		"empty":         hourly(0, nil),
		"one point":     hourly(1, func(int) float64 { return 7 }),
		"two points":    hourly(2, func(i int) float64 { return float64(i) }),
		"constant":      hourly(n, func(int) float64 { return 7 }),
		"zero":          hourly(n, func(int) float64 { return 0 }),
		"all gaps":      hourly(n, func(int) float64 { return nan }),
		"one gap":       hourly(n, func(i int) float64 { return pick(i == 400, nan, float64(i%24)) }),
		"one value":     hourly(n, func(i int) float64 { return pick(i == 400, 5, nan) }),
		"mostly gaps":   hourly(n, func(i int) float64 { return pick(i%50 == 0, float64(i), nan) }),
		"gaps at end":   hourly(n, func(i int) float64 { return pick(i < 300, float64(i%24), nan) }),
		"infinite":      hourly(n, func(i int) float64 { return pick(i%7 == 0, inf, float64(i%24)) }),
		"-infinite":     hourly(n, func(i int) float64 { return pick(i == 671, -inf, float64(i%24)) }),
		"all infinite":  hourly(n, func(int) float64 { return inf }),
		"huge":          hourly(n, func(i int) float64 { return 1e300 * (1 + float64(i%24)) }),
		"largest":       hourly(n, func(i int) float64 { return math.MaxFloat64 * pick(i%2 == 0, 1, -1) }),
		"one huge":      hourly(n, func(i int) float64 { return pick(i == 500, 1e300, float64(i%5)) }),
		"tiny":          hourly(n, func(i int) float64 { return 5e-324 * float64(i%24) }),
		"negative":      hourly(n, func(i int) float64 { return -float64(i % 24) }),
		"saw tooth":     hourly(n, func(i int) float64 { return float64(i % 37) }),
		"comes alive":   hourly(n, func(i int) float64 { return pick(i < 600, 0, float64(i)) }),
		"dies":          hourly(n, func(i int) float64 { return pick(i > 600, 0, float64(i)) }),
		"exponential":   hourly(n, func(i int) float64 { return math.Exp(float64(i)) }),
		"spikes":        hourly(n, func(i int) float64 { return pick(i%97 == 0, 1e9, 0) }),
		"noise":         hourly(n, func(int) float64 { return rng.NormFloat64() }),
		"step is a day": {Start: 0, Step: dayMillis, Values: hourly(90, func(i int) float64 { return float64(i % 7) }).Values},
		"step is odd":   {Start: 0, Step: 7 * hour / 2, Values: hourly(300, func(i int) float64 { return float64(i % 9) }).Values},
		"step is large": {Start: 0, Step: 10 * dayMillis, Values: hourly(60, func(i int) float64 { return float64(i) }).Values},
		"step is 5 min": {Start: 0, Step: hour / 12, Values: hourly(3000, func(i int) float64 { return float64(i % 288) }).Values},
		"no step":       {Start: 0, Step: 0, Values: []float64{1, 2, 3}},
	}
	var s Scratch // shared on purpose: nothing may leak from one series to the next
	for name, y := range hostile {
		for _, h := range []int{0, 1, 30, 200} {
			dst := sized(h, 0.9)
			err := model.Forecast(dst, y, Calendar{}, &s)
			if err != nil {
				if observedPoints(y) > 0 && y.Step > 0 {
					t.Errorf("%s: %v", name, err)
				}
				if y.Step > 0 && !errors.Is(err, ErrShort) {
					t.Errorf("%s: %v is not ErrShort", name, err)
				}
				continue
			}
			for k, p := range dst.Point {
				l, u := dst.Lower[k], dst.Upper[k]
				if math.IsNaN(p) || math.IsInf(p, 0) || math.IsInf(l, 0) || math.IsInf(u, 0) || l > p || p > u || math.IsNaN(l) != math.IsNaN(u) {
					t.Errorf("%s, step %d of %d: %v, %v, %v", name, k, h, l, p, u)
					break
				}
			}
			if h > 0 && math.IsNaN(dst.Lower[0]) && len(dst.Warnings) == 0 {
				t.Errorf("%s: no bound and no warning", name)
			}
		}
	}
	if err := model.Forecast(sized(1, 1.5), hourly(9, func(int) float64 { return 1 }), Calendar{}, &s); err == nil {
		t.Error("level 1.5 was accepted")
	}
}

func pick(ok bool, a, b float64) float64 {
	if ok {
		return a
	}
	return b
}

func observedPoints(y series.Series) int {
	n := 0
	for _, v := range y.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			n++
		}
	}
	return n
}

// testHome draws 1,000 series and looks one day ahead. With 24 correlated steps
// each, the share inside a true 90 % band scatters by about
// √(0.9·0.1/1000) ≈ 0.01 if the steps of a series fall together, less otherwise:
// 0.87 to 0.93 is three of that.
func testHome(t *testing.T, c modelCase, model Forecaster) {
	if testing.Short() {
		t.Skip("1,000 simulated series")
	}
	naive, err := New("seasonal_naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(15, 16))
	var s Scratch
	const n, h, count = 28 * 24, 24, 1000
	dst, base := sized(h, 0.9), sized(h, 0.9)
	inside, mae, naiveMAE := 0.0, 0.0, 0.0
	for range count {
		draw := c.home(rng)
		all := hourly(n+h, draw)
		y := all
		y.Values = all.Values[:n]
		if err := errors.Join(model.Forecast(dst, y, Calendar{}, &s), naive.Forecast(base, y, Calendar{}, &s)); err != nil {
			t.Fatal(err)
		}
		for k, v := range all.Values[n:] {
			mae += math.Abs(v - dst.Point[k])
			naiveMAE += math.Abs(v - base.Point[k])
			if dst.Lower[k] <= v && v <= dst.Upper[k] {
				inside++
			}
		}
	}
	coverage, skill := inside/(count*h), 1-mae/naiveMAE
	t.Logf("coverage %.3f, skill %.3f", coverage, skill)
	closeTo(t, coverage, 0.9, 0.03)
	if skill < c.skill {
		t.Errorf("skill %.3f against seasonal naive, want %.3f", skill, c.skill)
	}
}

// daily is a noiseless day, weekly a noiseless week; both positive.
func daily(i int) float64 {
	return 50 + 20*math.Sin(2*math.Pi*float64(i)/24) + 5*math.Cos(4*math.Pi*float64(i)/24)
}

func weekly(i int) float64 {
	return daily(i) + pick(i/24%7 < 5, 12, -9) + float64(i%168)/20
}

// drifting adds a random walk of the level and noise to shape: no two days have
// the same level, as on a server. On pure noise around a fixed shape the
// intervals of the rolling-origin models are too wide: they are calibrated on
// real series, which move.
func drifting(shape func(int) float64, walk, noise float64) func(*rand.Rand) func(int) float64 {
	return func(rng *rand.Rand) func(int) float64 {
		level := 0.0
		return func(i int) float64 {
			level += walk * rng.NormFloat64()
			return shape(i) + level + noise*rng.NormFloat64()
		}
	}
}

// scaling is drifting on the logarithm: level and season grow and shrink
// together, as load does. walk and noise are relative.
func scaling(shape func(int) float64, walk, noise float64) func(*rand.Rand) func(int) float64 {
	return func(rng *rand.Rand) func(int) float64 {
		level := 0.0
		return func(i int) float64 {
			level += walk * rng.NormFloat64()
			return shape(i) * math.Exp(level+noise*rng.NormFloat64())
		}
	}
}

// spiky adds to one value in twenty an exponential spike of ten on average.
func spiky(home func(*rand.Rand) func(int) float64) func(*rand.Rand) func(int) float64 {
	return func(rng *rand.Rand) func(int) float64 {
		draw := home(rng)
		return func(i int) float64 {
			v := draw(i)
			if rng.IntN(20) == 0 {
				v += 10 * rng.ExpFloat64()
			}
			return v
		}
	}
}

func benchmarkModel(b *testing.B, name string) {
	model, err := New(name, nil)
	if err != nil {
		b.Fatal(err)
	}
	y := hourly(28*24, scaling(daily, 0.01, 0.05)(rand.New(rand.NewPCG(17, 18))))
	dst := sized(168, 0.9)
	var s Scratch
	b.Run(fmt.Sprintf("n=%d", len(y.Values)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := model.Forecast(dst, y, Calendar{}, &s); err != nil {
				b.Fatal(err)
			}
		}
	})
}
