// Package accuracy holds the error measures of forecasts, with the definitions
// of the M4 competition: Makridakis, Spiliotis and Assimakopoulos, "The M4
// Competition: 100,000 time series and 61 forecasting methods", International
// Journal of Forecasting 36(1), 2020; MASE is from Hyndman and Koehler, "Another
// look at measures of forecast accuracy", IJF 22(4), 2006; MSIS from Gneiting
// and Raftery, "Strictly proper scoring rules", JASA 102(477), 2007.
//
// Every function skips the steps at which an argument is NaN, returns NaN if
// nothing is left, panics if the lengths differ, and takes O(n).
package accuracy

import "math"

// SeasonalScale returns the mean of |y[t] − y[t−m]|, the unit in which MASE and
// MSIS are expressed. m is the season in points, at least 1. The result has the
// unit of y; it is NaN if no pair is observed, and 0 if y repeats exactly.
func SeasonalScale(y []float64, m int) float64 {
	var sum Mean
	for t := m; t < len(y); t++ {
		sum.Add(math.Abs(y[t] - y[t-m]))
	}
	return sum.Value()
}

// SeasonalScaleSquared returns the mean of (y[t] − y[t−m])², the unit of RMSSE
// before the root. NaN and zero as SeasonalScale.
func SeasonalScaleSquared(y []float64, m int) float64 {
	var sum Mean
	for t := m; t < len(y); t++ {
		d := y[t] - y[t-m]
		sum.Add(d * d)
	}
	return sum.Value()
}

// MAE returns the mean of |actual − point|.
func MAE(actual, point []float64) float64 {
	same(len(actual), len(point))
	var sum Mean
	for i, a := range actual {
		sum.Add(math.Abs(a - point[i]))
	}
	return sum.Value()
}

// MASE returns the mean absolute scaled error, MAE/scale, with scale from
// SeasonalScale of the history. Below 1 is better, on average, than the seasonal
// naive forecast one season ahead was within the history. It is NaN unless scale
// is above 0.
func MASE(actual, point []float64, scale float64) float64 {
	return ratio(MAE(actual, point), scale)
}

// RMSSE returns the root mean squared scaled error, √(mean (actual − point)² /
// scale2), with scale2 from SeasonalScaleSquared of the history. It is NaN
// unless scale2 is above 0. Makridakis et al., "The M5 competition", IJF 38(4),
// 2022.
func RMSSE(actual, point []float64, scale2 float64) float64 {
	same(len(actual), len(point))
	var sum Mean
	for i, a := range actual {
		d := a - point[i]
		sum.Add(d * d)
	}
	return math.Sqrt(ratio(sum.Value(), scale2))
}

// SMAPE returns the symmetric mean absolute percentage error as M4 defines it,
// the mean of 200·|a − p|/(|a| + |p|): percent, from 0 to 200. A step at which
// both are 0 counts as 0.
func SMAPE(actual, point []float64) float64 {
	same(len(actual), len(point))
	var sum Mean
	for i, a := range actual {
		p := point[i]
		if a == 0 && p == 0 {
			sum.Add(0)
			continue
		}
		sum.Add(200 * math.Abs(a-p) / (math.Abs(a) + math.Abs(p)))
	}
	return sum.Value()
}

// Coverage returns the share of actual values with lower ≤ actual ≤ upper.
func Coverage(actual, lower, upper []float64) float64 {
	same(len(actual), len(lower))
	same(len(actual), len(upper))
	var sum Mean
	for i, a := range actual {
		switch l, u := lower[i], upper[i]; {
		case math.IsNaN(a) || math.IsNaN(l) || math.IsNaN(u):
		case l <= a && a <= u:
			sum.Add(1)
		default:
			sum.Add(0)
		}
	}
	return sum.Value()
}

// MSIS returns the mean scaled interval score of a central interval at the given
// level in (0, 1):
//
//	mean( (u − l) + 2/α·(l − a)⁺ + 2/α·(a − u)⁺ ) / scale,  α = 1 − level
//
// with scale from SeasonalScale of the history. Lower is better: narrow, but not
// missing. It is NaN unless scale is above 0.
func MSIS(actual, lower, upper []float64, level, scale float64) float64 {
	same(len(actual), len(lower))
	same(len(actual), len(upper))
	penalty := 2 / (1 - level)
	var sum Mean
	for i, a := range actual {
		l, u := lower[i], upper[i]
		sum.Add(u - l + penalty*(math.Max(l-a, 0)+math.Max(a-u, 0)))
	}
	return ratio(sum.Value(), scale)
}

// Skill returns 1 − err/naive: 0 is no better than naive, 1 is perfect, negative
// is worse. Two perfect forecasts have skill 0; a perfect naive forecast that is
// not matched gives NaN, because no ratio exists.
func Skill(err, naive float64) float64 {
	if err == 0 && naive == 0 {
		return 0
	}
	return 1 - ratio(err, naive)
}

func ratio(a, b float64) float64 {
	if !(b > 0) {
		return math.NaN()
	}
	return a / b
}

func same(n, m int) {
	if n != m {
		panic("accuracy: slice length mismatch")
	}
}

// Mean is a running mean that skips NaN. Its zero value is ready.
type Mean struct{ n, m float64 }

// Add takes x into the mean. No partial result overflows unless a term does.
func (s *Mean) Add(x float64) {
	if math.IsNaN(x) {
		return
	}
	s.n++
	s.m += x/s.n - s.m/s.n
}

// Value returns the mean, NaN if nothing was added.
func (s *Mean) Value() float64 {
	if s.n == 0 {
		return math.NaN()
	}
	return s.m
}
