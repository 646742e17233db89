package learn

import (
	"math"
	"slices"

	"github.com/upid/upid/forecast/num"
)

// Naive predicts without learning a thing: it repeats the feature that was nearest
// to the target on the rows to learn from, the next nearest where that is missing,
// and the median target where all of them are.
type Naive struct {
	Features []int   `json:"features"` // nearest first; none: the median was nearer
	Median   float64 `json:"median"`
}

// nearestKept bounds the features that stand in for missing ones.
const nearestKept = 6

// newNaive chooses among the features, those that are there in at least half of the
// rows, by their mean absolute distance from the target.
func newNaive(d Data, rows []int) Naive {
	y := take(d.Target, rows)
	m := Naive{Median: num.Median(slices.Clone(y)), Features: []int{}}
	constant := 0.0
	for _, v := range y {
		constant += math.Abs(v - m.Median)
	}
	constant /= float64(len(y))
	type candidate struct {
		j int
		e float64
	}
	var cs []candidate
	for j, c := range d.Columns {
		sum, n := 0.0, 0
		for k, i := range rows {
			if v := c[i]; !math.IsNaN(v) {
				sum += math.Abs(y[k] - v)
				n++
			}
		}
		if 2*n >= len(rows) && sum/float64(n) < constant {
			cs = append(cs, candidate{j, sum / float64(n)})
		}
	}
	slices.SortStableFunc(cs, func(a, b candidate) int {
		switch {
		case a.e < b.e:
			return -1
		case a.e > b.e:
			return 1
		}
		return 0
	})
	for _, c := range cs[:min(len(cs), nearestKept)] {
		m.Features = append(m.Features, c.j)
	}
	return m
}

// at returns the prediction and the feature it repeats, −1 for the median.
func (m Naive) at(x []float64) (float64, int) {
	for _, j := range m.Features {
		if !math.IsNaN(x[j]) {
			return x[j], j
		}
	}
	return m.Median, -1
}

func take(v []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for k, i := range rows {
		out[k] = v[i]
	}
	return out
}

// NaiveAt returns the naive prediction for x, which models of numbers are judged by; NaN
// for models of other kinds.
func (m *Model) NaiveAt(x []float64) float64 {
	if m.Regression == nil {
		return math.NaN()
	}
	b, _ := m.Regression.Naive.at(x)
	return b
}
