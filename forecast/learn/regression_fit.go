package learn

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// errNoEpoch says that a learner came to nothing.
var errNoEpoch = errors.New("in none of the epochs was the error on the tail a number")

// fit runs the epochs and keeps, for each quantile, the one with the least loss on the
// tail; of the median that is the absolute error of the target. It returns how many ran.
func (m *Regression) fit(l learner, name string, d Data, tail []int, quantiles []float64, c Config) (epochs int, err error) {
	y, b := take(d.Target, tail), m.naive(d, tail)
	z := make([]float64, len(y))
	for k := range y {
		z[k] = m.Scale.to(y[k], b[k])
	}
	least := slices.Repeat([]float64{math.Inf(1)}, len(quantiles))
	newest := 0
	for epoch := 1; epoch <= c.Epochs; epoch++ {
		f := l.epoch()
		mae := 0.0
		for q := range quantiles {
			sum := 0.0
			for k, v := range f[q] {
				if q == middle {
					sum += math.Abs(y[k] - m.Scale.from(v, b[k]))
				} else {
					sum += pinball{quantiles[q]}.of(z[k], v)
				}
			}
			sum /= float64(len(y))
			if q == middle {
				mae = sum
			}
			if sum < least[q] {
				least[q], newest = sum, epoch
				l.best(q)
			}
		}
		epochs = epoch
		if err := c.tell(epoch, mae); err != nil {
			return epochs, err
		}
		if epoch-newest >= patience {
			break
		}
	}
	if math.IsInf(least[middle], 1) {
		return epochs, fmt.Errorf("%w: %w, of %d", ErrInput, errNoEpoch, epochs)
	}
	m.Fitted = Fitted{name, l.done()}
	return epochs, nil
}

// shares of the learned difference that are tried on the tail.
var shares = []float64{0, 0.25, 0.5, 0.75, 1}

// choose chooses Share on the tail and returns the mean absolute error there.
func (m *Regression) choose(d Data, tail []int) float64 {
	x, q := make([]float64, len(d.Columns)), make([]float64, 3)
	errs := make([]float64, len(shares))
	for _, i := range tail {
		d.row(x, i)
		b, _ := m.Naive.at(x)
		m.Fitted.at(q, m.expand(x, b))
		for k, share := range shares {
			errs[k] += math.Abs(d.Target[i] - m.Scale.from(share*q[middle], b))
		}
	}
	at := 0
	for k, e := range errs {
		if e < errs[at] {
			at = k
		}
	}
	m.Share = shares[at]
	return errs[at] / float64(len(tail))
}

// margins chooses Margin, Widen and Plain on the tail.
func (m *Regression) margins(d Data, tail []int) {
	margin, width := m.margin(d, tail)
	m.Margin = margin
	// How much wider it must be is measured on some of the rows, evenly over time.
	some := every(tail, mostWidening)
	margin, _ = m.margin(d, some)
	without, _ := m.margin(d, some, m.Naive.Features...)
	m.Bare = max(0, without-margin)
	m.Widen = make([]float64, len(d.Columns))
	for j, c := range d.Columns {
		if !slices.ContainsFunc(tail, func(i int) bool { return !math.IsNaN(c[i]) }) {
			continue // it never was there: nobody expects it
		}
		without, _ := m.margin(d, some, j)
		m.Widen[j] = max(without-margin, leastWiden*width)
	}
	distances := make([]float64, len(tail))
	for k, b := range m.naive(d, tail) {
		distances[k] = math.Abs(m.Scale.to(d.Target[tail[k]], b))
	}
	m.Plain = conformal(distances, m.Level)
}

// conformal returns the value that a share level of scores like these stays below: their
// ⌈level·(n + 1)⌉-th smallest, the largest where there are too few. It sorts scores.
func conformal(scores []float64, level float64) float64 {
	slices.Sort(scores)
	n := len(scores)
	return scores[min(int(math.Ceil(level*float64(n+1)))-1, n-1)]
}

// leastWiden is the least that a missing feature adds to a margin, as a share of the
// median width: what is not known never makes a prediction surer.
const leastWiden = 0.01

// mostWidening is how many rows tell how much wider an interval must be.
const mostWidening = 1000

// every returns up to n of the rows, evenly.
func every(rows []int, n int) []int {
	if len(rows) <= n {
		return rows
	}
	out := make([]int, n)
	for k := range out {
		out[k] = rows[k*len(rows)/n]
	}
	return out
}

// margin returns the conformal margin on the tail with some features taken away, and
// the median width of the intervals.
func (m *Regression) margin(d Data, tail []int, without ...int) (margin, width float64) {
	x, q := make([]float64, len(d.Columns)), make([]float64, 3)
	scores, widths := make([]float64, len(tail)), make([]float64, len(tail))
	for k, i := range tail {
		d.row(x, i)
		for _, j := range without {
			x[j] = math.NaN()
		}
		b, _ := m.Naive.at(x)
		m.quantiles(q, x, b)
		z := m.Scale.to(d.Target[i], b)
		scores[k], widths[k] = max(q[0]-z, z-q[2]), q[2]-q[0]
	}
	slices.Sort(widths)
	return conformal(scores, m.Level), widths[len(widths)/2]
}
