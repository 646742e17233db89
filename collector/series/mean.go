package series

import "math"

// Mean is a running sum and mean over what is not NaN or ±Inf. The zero value is
// that of nothing.
type Mean struct {
	Sum float64
	N   int
}

// Add takes in v, unless it is NaN or ±Inf.
func (m *Mean) Add(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m.Sum += v
		m.N++
	}
}

// Value returns the mean, NaN if nothing was added.
func (m Mean) Value() float64 { return m.Sum / float64(m.N) }
