package forecast

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
)

// fourWeeks returns 672 hours of f plus normal noise of that size.
func fourWeeks(noise float64, f func(i int) float64) series.Series {
	rng := rand.New(rand.NewPCG(4, 2))
	y := series.Series{Start: 0, Step: 3600_000, Values: make([]float64, 672)}
	for i := range y.Values {
		y.Values[i] = f(i) + noise*rng.NormFloat64()
	}
	return y
}

func autoForecast(t *testing.T, y series.Series, steps int, level float64) *series.Forecast {
	t.Helper()
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := sized(steps, level)
	if err := auto.Forecast(dst, y, Calendar{}, new(Scratch)); err != nil {
		t.Fatal(err)
	}
	return dst
}

func day(i int) float64 { return math.Sin(float64(i) / 24 * 2 * math.Pi) }

func warned(f *series.Forecast, text string) bool {
	for _, w := range f.Warnings {
		if strings.Contains(w.Error(), text) {
			return true
		}
	}
	return false
}

// A disk that has been filling for a day goes on filling, and the interval holds both
// an end of it and its further course.
func TestFillingDiskGoesOn(t *testing.T) {
	for name, season := range map[string]float64{"flat": 0, "daily": 1} {
		y := fourWeeks(0.05, func(i int) float64 { return 53 + season*day(i) + 1.5*math.Max(0, float64(i-645)) })
		f := autoForecast(t, y, 168, 0.9)
		line := func(k int) float64 { return 53 + season*day(672+k) + 1.5*float64(672+k-645) }
		for _, k := range []int{0, 5, 23} {
			if math.Abs(f.Point[k]-line(k)) > 4 {
				t.Errorf("%s: %d h ahead %.1f, want about %.1f", name, k+1, f.Point[k], line(k))
			}
		}
		for _, k := range []int{5, 23, 71, 167} {
			if f.Upper[k] < line(k) {
				t.Errorf("%s: %d h ahead the upper bound is %.1f, below the line at %.1f", name, k+1, f.Upper[k], line(k))
			}
			if f.Lower[k] > y.Values[671] {
				t.Errorf("%s: %d h ahead the lower bound is %.1f, above the newest value", name, k+1, f.Lower[k])
			}
		}
		if f.Confidence > 0.5 || !warned(f, "moves steadily") {
			t.Errorf("%s: confidence %.2f, warnings %v", name, f.Confidence, f.Warnings)
		}
	}
}

// A level that jumped stays at first; until it has been seen for long the old one is
// inside the interval too.
func TestNewLevelStaysAtFirst(t *testing.T) {
	for _, hours := range []int{8, 14, 30, 50} {
		y := fourWeeks(0.02, func(i int) float64 {
			if i >= 672-hours {
				return 2
			}
			return 1
		})
		f := autoForecast(t, y, 168, 0.9)
		for k := range min(hours/2, 12) {
			if math.Abs(f.Point[k]-2) > 0.5 {
				t.Errorf("level new for %d h: %d h ahead %.2f, want about 2", hours, k+1, f.Point[k])
			}
		}
		if f.Upper[23] < 2 {
			t.Errorf("level new for %d h: the upper bound after a day is %.2f", hours, f.Upper[23])
		}
		if hours < 48 && f.Lower[23] > 1.1 {
			t.Errorf("level new for %d h: the lower bound after a day is %.2f, without the old level", hours, f.Lower[23])
		}
		if f.Confidence > 0.5 || !warned(f, "level is new") {
			t.Errorf("level new for %d h: confidence %.2f, warnings %v", hours, f.Confidence, f.Warnings)
		}
	}
}

// What was there before is no move: seasons, saw-teeth, noise, a steady rise, a short
// peak, and a gap bridged from one side to the other.
func TestNoMoveWhereNoneIs(t *testing.T) {
	for name, y := range map[string]series.Series{
		"noise":   fourWeeks(1, func(int) float64 { return 10 }),
		"season":  fourWeeks(0.1, func(i int) float64 { return 10 + 5*day(i) }),
		"saw":     fourWeeks(0.1, func(i int) float64 { return float64(i % 100) }),
		"rise":    fourWeeks(0.1, func(i int) float64 { return 0.05 * float64(i) }),
		"peak":    fourWeeks(0.1, func(i int) float64 { return 10 + map[bool]float64{true: 50}[i >= 669] }),
		"burst":   fourWeeks(0.1, func(i int) float64 { return 10 + map[bool]float64{true: 50}[i >= 660 || i > 300 && i < 320] }),
		"weekend": fourWeeks(0.1, func(i int) float64 { return 10 + map[bool]float64{true: 50}[i/24%7 > 4] }),
	} {
		f := autoForecast(t, y, 168, 0.9)
		if warned(f, "level is new") || warned(f, "moves steadily") {
			t.Errorf("%s: %v", name, f.Warnings)
		}
	}
	y := fourWeeks(0.02, func(i int) float64 { return 1 + map[bool]float64{true: 5}[i == 671] })
	for i := 650; i < 671; i++ {
		y.Values[i] = math.NaN()
	}
	if f := autoForecast(t, y, 168, 0.9); warned(f, "level is new") || warned(f, "moves steadily") {
		t.Errorf("gap: %v", f.Warnings)
	}
}

// A wider level has a wider band after a move too.
func TestBandsOfMovesNest(t *testing.T) {
	y := fourWeeks(0.05, func(i int) float64 { return 53 + 1.5*math.Max(0, float64(i-645)) })
	inner := autoForecast(t, y, 168, 0.5)
	for _, level := range []float64{0.8, 0.9, 0.95} {
		outer := autoForecast(t, y, 168, level)
		for k := range inner.Point {
			if outer.Lower[k] > inner.Lower[k]+1e-9 || outer.Upper[k] < inner.Upper[k]-1e-9 {
				t.Fatalf("%d h ahead: [%g, %g] at %g, [%g, %g] inside it", k+1, outer.Lower[k], outer.Upper[k], level, inner.Lower[k], inner.Upper[k])
			}
		}
		inner = outer
	}
}

func TestFarthest(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		n    int
		want float64
	}{
		{[]float64{1, 2, 3, -4, -5, 1}, 2, 4},
		{[]float64{1, 2, 3, -4, -5, 1}, 3, 1},
		{[]float64{1, -1, 1, -1}, 2, 0},
		{[]float64{5}, 2, 0},
		{[]float64{1, 2, 3, 4}, 2, 3},
	} {
		if got := farthest(c.v, c.n); got != c.want {
			t.Errorf("farthest(%v, %d) = %g, want %g", c.v, c.n, got, c.want)
		}
	}
}
