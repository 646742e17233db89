package learn

import "math"

// scale is the transformation of a target. Relative to the naive prediction b,
//
//	z = log(y + c) − log(b + c)    where nothing is negative, c = Shift
//	z = (y − b) / Unit             else
//
// so that machines of all sizes are one problem, and what was learned is how the
// future differs from the obvious guess.
type scale struct {
	Log   bool    `json:"log"`
	Shift float64 `json:"shift"`
	Unit  float64 `json:"unit"`
}

// logShift is Shift over the mean of the target.
const logShift = 0.05

// newScale looks at the targets of rows and the naive predictions b for them.
func newScale(y, b []float64) scale {
	sum, abs, low := 0.0, 0.0, math.Inf(1)
	for k, v := range y {
		sum += v
		abs += math.Abs(v - b[k])
		low = min(low, v, b[k])
	}
	if mean := sum / float64(len(y)); low >= 0 && mean > 0 {
		return scale{Log: true, Shift: logShift * mean, Unit: 1}
	}
	s := scale{Unit: abs / float64(len(y))}
	if !(s.Unit > 0) {
		s.Unit = 1
	}
	return s
}

func (s scale) to(y, b float64) float64 {
	if s.Log { // max of NaN is NaN: what is missing stays missing
		return math.Log(max(y, 0)+s.Shift) - math.Log(max(b, 0)+s.Shift)
	}
	return (y - b) / s.Unit
}

// mostLog bounds a logarithm before it is taken back: a factor of 20,000.
const mostLog = 10

func (s scale) from(z, b float64) float64 {
	if s.Log {
		z = min(max(z, -mostLog), mostLog)
		return max(0, math.Exp(z)*(max(b, 0)+s.Shift)-s.Shift)
	}
	return b + z*s.Unit
}
