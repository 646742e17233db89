package learn

import (
	"math"
)

// contributions takes Value − Reference apart: the naive feature by how far it is
// from the reference, the others by what they change, on the scale of the model, and
// then in proportion.
func (m *Regression) contributions(x []float64, b float64, from int, value float64) []float64 {
	c := make([]float64, len(x)+len(m.Naive.Features))
	m.Fitted.contribute(c, m.expand(x, b))
	for k, j := range m.Naive.Features {
		c[j] += c[len(x)+k]
	}
	c = c[:len(x)]
	for j := range c {
		c[j] *= m.Share
	}
	if from >= 0 {
		c[from] -= m.Scale.to(m.Reference, b) // log(b) − log(reference)
	}
	sum, abs := 0.0, 0.0
	for _, v := range c {
		sum += v
		abs += math.Abs(v)
	}
	delta := value - m.Reference
	switch {
	case abs == 0:
		return c
	case math.Abs(sum) > 0.05*abs:
		for j := range c {
			c[j] *= delta / sum
		}
	default: // they cancel: in the unit of the target by its slope, the rest in proportion
		slope := m.Scale.Unit
		if m.Scale.Log {
			slope = value + m.Scale.Shift
		}
		rest := delta - sum*slope
		for j := range c {
			c[j] = c[j]*slope + rest*math.Abs(c[j])/abs
		}
	}
	return c
}

// importance is the mean magnitude of what each feature contributes on rows, as
// shares of the whole.
func importance(m *Regression, d Data, rows []int) []float64 {
	x, out, sum := make([]float64, len(d.Columns)), make([]float64, len(d.Columns)), 0.0
	for k := 0; k < len(rows); k += max(1, len(rows)/500) {
		d.row(x, rows[k])
		for j, v := range m.at(x, true).Contributions {
			out[j] += math.Abs(v)
			sum += math.Abs(v)
		}
	}
	for j := range out {
		if sum > 0 {
			out[j] /= sum
		}
	}
	return out
}
