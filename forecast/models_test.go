package forecast

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func constant(int) float64 { return 42 }

func rawAR(v any) error       { v.(*ARRidge).Log = false; return nil }
func rawSeasonal(v any) error { v.(*SeasonalRidge).Log = false; return nil }
func rawProfile(v any) error  { v.(*ProfileAR).Log = false; return nil }
func rawHolt(v any) error     { v.(*HoltWinters).Log = false; return nil }

// seasonalWalk is the process for which the seasonal naive forecast is optimal:
// y[t] = y[t−24] + ε.
func seasonalWalk(rng *rand.Rand) func(int) float64 {
	var last [24]float64
	for i := range last {
		last[i] = daily(i)
	}
	return func(i int) float64 {
		last[i%24] += rng.NormFloat64()
		return 100 + last[i%24]
	}
}

func TestSeasonalNaive(t *testing.T) {
	testModel(t, modelCase{name: "seasonal_naive", exact: daily, home: seasonalWalk, skill: 0, equivariant: true})
}

func TestHourOfDayMedian(t *testing.T) {
	testModel(t, modelCase{name: "hour_of_day_median", exact: daily, home: spiky(drifting(daily, 0.18, 1)), skill: 0.05, equivariant: true})
}

func TestHourOfWeekMedian(t *testing.T) {
	testModel(t, modelCase{name: "hour_of_week_median", exact: weekly, home: scaling(weekly, 0.0125, 0.05), skill: 0.1, equivariant: true})
}

func TestMedian(t *testing.T) {
	testModel(t, modelCase{name: "median", exact: constant, home: drifting(constant, 0.35, 1), skill: 0.1, equivariant: true})
}

func TestWeekProfile(t *testing.T) {
	testModel(t, modelCase{name: "week_profile", exact: weekly, home: scaling(weekly, 0.0105, 0.05), skill: 0.4, equivariant: true})
}

// The ridges shrink a noiseless season by λ and a little more each day of the
// iteration: 2 % after a week.
func TestARRidge(t *testing.T) {
	testModel(t, modelCase{name: "ar_ridge", exact: daily, exactTo: 0.02, home: scaling(daily, 0.011, 0.05), skill: 0.03, raw: rawAR, equivariant: true})
}

func TestSeasonalRidge(t *testing.T) {
	testModel(t, modelCase{name: "seasonal_ridge", exact: daily, exactTo: 0.02, home: scaling(daily, 0.011, 0.05), skill: 0.03, raw: rawSeasonal, equivariant: true})
}

func TestHoltWinters(t *testing.T) {
	testModel(t, modelCase{name: "holt_winters", exact: daily, home: scaling(daily, 0.01, 0.05), skill: 0.1, raw: rawHolt, equivariant: true})
}

func TestDayShape(t *testing.T) {
	testModel(t, modelCase{name: "day_shape", exact: daily, home: spiky(drifting(daily, 0.2, 1)), skill: 0.05, equivariant: true})
}

func TestProfileAR(t *testing.T) {
	testModel(t, modelCase{name: "profile_ar", exact: daily, home: scaling(daily, 0.007, 0.05), skill: 0.03, raw: rawProfile, equivariant: true})
}

// line rises by a tenth a point.
func line(i int) float64 { return 40 + float64(i)/10 }

// walk is a random walk with a drift, for which Drift is optimal.
func walk(rng *rand.Rand) func(int) float64 {
	level := 500.0
	return func(int) float64 {
		level += 0.2 + rng.NormFloat64()
		return level
	}
}

// trending is daily on a level that walks and rises.
func trending(rng *rand.Rand) func(int) float64 {
	level := 100.0
	return func(i int) float64 {
		level += 0.05 + 0.4*rng.NormFloat64()
		return daily(i) + level + 0.5*rng.NormFloat64()
	}
}

func TestDrift(t *testing.T) {
	testModel(t, modelCase{name: "drift", exact: line, home: walk, skill: 0.1, equivariant: true})
	f := forecastOf(t, mustNew(t, "drift"), hourly(5, func(i int) float64 { return []float64{2, 9, 1, 4, 10}[i] }), 2, 0.9)
	closeTo(t, f.Point[0], 12, 1e-12) // 10 + (10 − 2)/4
	closeTo(t, f.Point[1], 14, 1e-12)
}

// The start at the mean of the first day is forgotten to 1e-6 after 28 days.
func TestDampedETS(t *testing.T) {
	testModel(t, modelCase{name: "damped_ets", exact: daily, exactTo: 1e-6, home: trending, skill: 0.15, equivariant: true})
}

func TestTheta(t *testing.T) {
	testModel(t, modelCase{name: "theta", exact: daily, home: trending, skill: 0.2, equivariant: true})
	// By hand: the slope of 0, 2, 4, 9 is 2.9, the best α 0.98 with l = 2·0.98 = 1.96, 3.9592, 8.899184,
	// and (1 − 0.02⁴)/0.98 = 1.0204080.
	dst := make([]float64, 2)
	theta(dst, []float64{0, 2, 4, 9})
	closeTo(t, dst[0], 8.899184+1.45*1.0204080, 1e-6)
	closeTo(t, dst[1], 8.899184+1.45*2.0204080, 1e-6)
}

// A season that never changes is found to 0.1 %: the low pass leaves a little of it at the
// ends.
func TestMSTL(t *testing.T) {
	testModel(t, modelCase{name: "mstl", exact: daily, exactTo: 1e-3, home: drifting(weekly, 0.1, 4), skill: 0.1, equivariant: true})
}

// Local regression reproduces a line, at the ends too.
func TestLoess(t *testing.T) {
	x, dst := make([]float64, 60), make([]float64, 60)
	for i := range x {
		x[i] = line(i)
	}
	loess(dst, x, 25)
	for i, v := range dst {
		closeTo(t, v, line(i), 1e-9)
	}
	closeTo(t, local(x[:5], -1, 11, 1), line(-1), 1e-9)
	got := make([]float64, 5)
	if n := movingMean(got, []float64{1, 2, 6, 4, 2}, 3); n != 3 || got[0] != 3 || got[1] != 4 || got[2] != 4 {
		t.Errorf("%d means %v", n, got)
	}
}

func mustNew(t *testing.T, name string) Forecaster {
	t.Helper()
	f, err := New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAuto(t *testing.T) {
	testModel(t, modelCase{name: "auto", exact: daily, home: scaling(weekly, 0.005, 0.05), skill: 0.4, equivariant: false})
}

func TestNew(t *testing.T) {
	_, err := New("prophet", nil)
	if err == nil || !strings.Contains(err.Error(), `model "prophet" is unknown, want one of ar_ridge, auto,`) {
		t.Fatalf("got %v", err)
	}
	bad := errors.New("line 3: no")
	for _, name := range Names() {
		if _, err := New(name, func(any) error { return bad }); !errors.Is(err, bad) || !strings.HasPrefix(err.Error(), "model "+name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	f := func(name, want string, decode func(any) error) {
		t.Helper()
		if _, err := New(name, decode); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	f("auto", "folds is 0", func(v any) error { v.(*Auto).Folds = 0; return nil })
	f("ar_ridge", "harmonics is -1", func(v any) error { v.(*ARRidge).Harmonics = -1; return nil })
	f("day_shape", "recent 0", func(v any) error { v.(*DayShape).Recent = 0; return nil })
	f("profile_ar", "days is 1", func(v any) error { v.(*ProfileAR).Days = 1; return nil })
	f("hour_of_day_median", "days is -1", func(v any) error { v.(*HourOfDayMedian).Days = -1; return nil })
	f("hour_of_week_median", "weeks is 2", func(v any) error { v.(*HourOfWeekMedian).Weeks = 2; return nil })
	f("median", "window is -3 points", func(v any) error { v.(*Median).Window.Points = -3; return nil })
	f("seasonal_naive", "season is -3 points", func(v any) error { v.(*SeasonalNaive).Season.Points = -3; return nil })
	for _, decode := range []func(any) error{rawAR} {
		if _, err := New("ar_ridge", decode); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkAuto(b *testing.B)             { benchmarkModel(b, "auto") }
func BenchmarkARRidge(b *testing.B)          { benchmarkModel(b, "ar_ridge") }
func BenchmarkDayShape(b *testing.B)         { benchmarkModel(b, "day_shape") }
func BenchmarkProfileAR(b *testing.B)        { benchmarkModel(b, "profile_ar") }
func BenchmarkHoltWinters(b *testing.B)      { benchmarkModel(b, "holt_winters") }
func BenchmarkHourOfDayMedian(b *testing.B)  { benchmarkModel(b, "hour_of_day_median") }
func BenchmarkHourOfWeekMedian(b *testing.B) { benchmarkModel(b, "hour_of_week_median") }
func BenchmarkDampedETS(b *testing.B)        { benchmarkModel(b, "damped_ets") }
func BenchmarkDrift(b *testing.B)            { benchmarkModel(b, "drift") }
func BenchmarkMSTL(b *testing.B)             { benchmarkModel(b, "mstl") }
func BenchmarkTheta(b *testing.B)            { benchmarkModel(b, "theta") }
func BenchmarkMedian(b *testing.B)           { benchmarkModel(b, "median") }
func BenchmarkSeasonalNaive(b *testing.B)    { benchmarkModel(b, "seasonal_naive") }
func BenchmarkSeasonalRidge(b *testing.B)    { benchmarkModel(b, "seasonal_ridge") }
func BenchmarkWeekProfile(b *testing.B)      { benchmarkModel(b, "week_profile") }

// TestNoAllocation holds the promise of Scratch for every model.
func TestNoAllocation(t *testing.T) {
	y := hourly(28*24, scaling(daily, 0.01, 0.05)(rand.New(rand.NewPCG(19, 20))))
	for _, name := range Names() {
		model, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		dst := sized(168, 0.9)
		var s Scratch
		got := testing.AllocsPerRun(5, func() {
			if err := model.Forecast(dst, y, Calendar{}, &s); err != nil {
				t.Fatal(err)
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations per series, want 0", name, got)
		}
		if name == "auto" {
			fine := everyFive(28*288, scaling(func(i int) float64 { return daily(i / 12) }, 0.01, 0.05)(rand.New(rand.NewPCG(19, 20))))
			week := sized(7*288, 0.9)
			var s Scratch
			got := testing.AllocsPerRun(20, func() { // the first two find the size
				if err := model.Forecast(week, fine, Calendar{}, &s); err != nil {
					t.Fatal(err)
				}
			})
			if kib := len(s.arena) * 8 / 1024; kib > 1024 || got != 0 {
				t.Errorf("5 minutes: %v allocations, %d KiB", got, kib)
			}
		}
		if kib := len(s.arena) * 8 / 1024; kib > 1024 {
			t.Errorf("%s: %d KiB of working memory, want at most 1024", name, kib)
		}
	}
}
