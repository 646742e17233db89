package accuracy

import (
	"math"
	"testing"
)

var nan = math.NaN()

func closeTo(t *testing.T, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Fatalf("got %v, want %v within %v", got, want, tol)
	}
}

func TestScales(t *testing.T) {
	// Season 2: differences 4−1, 6−2, 9−4 = 3, 4, 5.
	y := []float64{1, 2, 4, 6, 9}
	closeTo(t, SeasonalScale(y, 2), 4, 1e-15)
	closeTo(t, SeasonalScaleSquared(y, 2), (9+16+25)/3.0, 1e-14)
	// With 4 missing only the pair 2, 6 is left.
	closeTo(t, SeasonalScale([]float64{1, 2, nan, 6, 9}, 2), 4, 1e-15)
	closeTo(t, SeasonalScale([]float64{1, 2}, 2), nan, 0)
	closeTo(t, SeasonalScale([]float64{1, 2, 1, 2}, 2), 0, 0)
}

func TestPointMeasures(t *testing.T) {
	actual := []float64{10, 20, nan, 0}
	point := []float64{12, 16, 99, 0}
	closeTo(t, MAE(actual, point), 2, 1e-15)                   // (2 + 4 + 0)/3
	closeTo(t, MASE(actual, point, 4), 0.5, 1e-15)             // 2/4
	closeTo(t, MASE(actual, point, 0), nan, 0)                 // no unit
	closeTo(t, MASE(actual, point, nan), nan, 0)               //
	closeTo(t, RMSSE(actual, point, 5), 2/math.Sqrt(3), 1e-15) // √((4+16+0)/3/5)
	// 200·(2/22 + 4/36 + 0)/3
	closeTo(t, SMAPE(actual, point), 200*(2.0/22+4.0/36)/3, 1e-12)
	closeTo(t, SMAPE([]float64{5}, []float64{-5}), 200, 0) // the worst there is
	closeTo(t, MAE([]float64{nan}, []float64{1}), nan, 0)
	closeTo(t, MAE([]float64{1.7e308, 1.7e308}, []float64{0, 0}), 1.7e308, 1e293) // no overflow
}

func TestIntervalMeasures(t *testing.T) {
	actual := []float64{5, 12, -1, nan, 7}
	lower := []float64{4, 8, 1, 0, nan}
	upper := []float64{6, 10, 3, 9, nan}
	closeTo(t, Coverage(actual, lower, upper), 1.0/3, 1e-15)
	closeTo(t, Coverage([]float64{4, 6}, []float64{4, 4}, []float64{6, 6}), 1, 0) // bounds belong to the interval
	// Level 0.9: widths 2, 2, 2; misses 2 above and 2 below at 2/0.1 = 20 each:
	// (2 + 42 + 42)/3 / 4.
	closeTo(t, MSIS(actual, lower, upper, 0.9, 4), 86.0/3/4, 1e-12)
	closeTo(t, MSIS(actual, lower, upper, 0.9, 0), nan, 0)
}

func TestSkill(t *testing.T) {
	closeTo(t, Skill(1, 4), 0.75, 0)
	closeTo(t, Skill(4, 1), -3, 0)
	closeTo(t, Skill(0, 0), 0, 0)
	closeTo(t, Skill(1, 0), nan, 0)
	closeTo(t, Skill(nan, 1), nan, 0)
}

func TestLengthsPanic(t *testing.T) {
	f := func(call func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("want a panic")
			}
		}()
		call()
	}
	one, two := []float64{1}, []float64{1, 2}
	f(func() { MAE(one, two) })
	f(func() { SMAPE(one, two) })
	f(func() { RMSSE(one, two, 1) })
	f(func() { Coverage(one, one, two) })
	f(func() { MSIS(one, two, one, 0.9, 1) })
}
