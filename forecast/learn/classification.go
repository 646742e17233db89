package learn

import (
	"fmt"
	"math"
	"slices"
)

// Classification is the probability of a class from boosted trees on the log loss,
//
//	p = σ(Slope · f(x) + Offset)
//
// with Slope and Offset fitted on the tail (Platt, "Probabilistic outputs for support
// vector machines", 1999), so that of what is said with p a share of p is true.
type Classification struct {
	Trees     Trees     `json:"trees"`
	Slope     float64   `json:"slope"`
	Offset    float64   `json:"offset"`
	Level     float64   `json:"level"`
	Bins      []bin     `json:"bins"`      // of p on the tail, ascending
	Weight    []float64 `json:"weight"`    // importance of the features, shares of the whole
	Reference float64   `json:"reference"` // share of the class on the rows learned from
}

// bin counts the rows of the tail whose p is at most Upper and above that of the bin before.
type bin struct {
	Upper float64 `json:"upper"`
	Rows  int     `json:"rows"`
	True  int     `json:"true"`
}

const probabilityBins = 10

// leastClass is how many rows of each class a part of the split must have.
const leastClass = 5

// trainClassification fits a Classification to d, whose target is 0 or 1.
func trainClassification(d Data, c Config) (*Classification, Report, error) {
	p, err := d.split()
	if err != nil {
		return nil, Report{}, err
	}
	if err := d.classes(p); err != nil {
		return nil, Report{}, err
	}
	b := newBins(d, p.train)
	tail := b.with(d, p.tail)
	r := c.generator(2)
	b.mask(maskShare, r)
	o := newBooster(logistic{}, b, take(d.Target, p.train), r)
	y := take(d.Target, p.tail)
	f := make([]float64, len(y))
	for k := range f {
		f[k] = o.trees.Base
	}
	least, kept, epochs := math.Inf(1), 0, 0
	for epoch := 1; epoch <= c.Epochs && epoch-kept <= patience; epoch++ {
		o.grow()
		root, sum := o.trees.Roots[epoch-1], 0.0
		for k := range f {
			f[k] += o.trees.leafOf(root, tail.code[k*tail.width:(k+1)*tail.width], b.edges)
			sum += logistic{}.of(y[k], f[k])
		}
		epochs = epoch
		if sum < least {
			least, kept = sum, epoch
		}
		if err := c.tell(epoch, sum/float64(len(y))); err != nil {
			return nil, Report{}, err
		}
	}
	o.trees.cut(kept)
	o.trees.round()
	m := &Classification{Trees: o.trees, Level: c.Level, Weight: o.gain, Slope: 1}
	normalise(m.Weight)
	for _, v := range o.y {
		m.Reference += v / float64(len(o.y))
	}
	m.calibrate(d, p.tail)
	report := Report{Train: len(p.train), Tail: len(p.tail), Test: len(p.test), Epochs: epochs, Importance: m.Weight}
	m.measure(d, p.test, &report)
	return m, report, nil
}

// classes refuses targets that are no classes, or of which a part has too few.
func (d Data) classes(p parts) error {
	for _, part := range []struct {
		name string
		rows []int
	}{{"learn from", p.train}, {"calibrate on", p.tail}, {"judge on", p.test}} {
		n := 0
		for _, i := range part.rows {
			switch d.Target[i] {
			case 1:
				n++
			case 0:
			default:
				return fmt.Errorf("%w: the target is %g in a row, want 0 or 1 (or false and true)", ErrInput, d.Target[i])
			}
		}
		if n == 0 || n == len(part.rows) {
			return fmt.Errorf("%w: it is the same in all %d rows to %s", ErrConstant, len(part.rows), part.name)
		}
		if n < leastClass || len(part.rows)-n < leastClass {
			return fmt.Errorf("%w: %d of %d rows to %s are 1, want at least %d of each class", ErrFewRows, n, len(part.rows), part.name, leastClass)
		}
	}
	for j, c := range d.Columns {
		if line(c, d.Target, p.train) {
			return fmt.Errorf("%w: %s is a straight line of it in every row", ErrLeak, d.Features[j])
		}
	}
	return nil
}

func normalise(v []float64) {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	for i := range v {
		if sum > 0 {
			v[i] /= sum
		}
	}
}

// calibrate fits Slope and Offset by Newton steps on the log loss with Platt's
// softened targets, and counts Bins.
func (m *Classification) calibrate(d Data, tail []int) {
	x := make([]float64, len(d.Columns))
	f, y := make([]float64, len(tail)), take(d.Target, tail)
	positive := 0.0
	for k, i := range tail {
		d.row(x, i)
		f[k] = m.Trees.at(x)
		positive += y[k]
	}
	high, low := (positive+1)/(positive+2), 1/(float64(len(tail))-positive+2)
	a, b := 1.0, 0.0
	for range 50 {
		var ga, gb, haa, hab, hbb float64
		for k, v := range f {
			p, t := sigmoid(a*v+b), low
			if y[k] == 1 {
				t = high
			}
			w := p * (1 - p)
			ga += (p - t) * v
			gb += p - t
			haa += w * v * v
			hab += w * v
			hbb += w
		}
		haa, hbb = haa+1e-3, hbb+1e-3
		det := haa*hbb - hab*hab
		if !(det > 1e-12) {
			break
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		da, db = min(max(da, -1), 1), min(max(db, -1), 1)
		a, b = a-da, b-db
		if math.Abs(da)+math.Abs(db) < 1e-9 {
			break
		}
	}
	if a > 0 { // a slope that turns the order round says that nothing was learned
		m.Slope, m.Offset = a, b
	}
	m.Bins = countBins(m.probabilities(d, tail), y)
}

func (m *Classification) probability(x []float64) float64 {
	return sigmoid(m.Slope*m.Trees.at(x) + m.Offset)
}

func (m *Classification) probabilities(d Data, rows []int) []float64 {
	x, out := make([]float64, len(d.Columns)), make([]float64, len(rows))
	for k, i := range rows {
		d.row(x, i)
		out[k] = m.probability(x)
	}
	return out
}

// countBins divides p into bins of equally many rows; equal p stay together.
func countBins(p, y []float64) []bin {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	var out []bin
	size := max(leastTail/2, (len(p)+probabilityBins-1)/probabilityBins)
	for k, i := range order {
		if len(out) == 0 || out[len(out)-1].Rows >= size && p[i] > out[len(out)-1].Upper {
			out = append(out, bin{})
		}
		b := &out[len(out)-1]
		b.Upper, b.Rows = p[i], b.Rows+1
		if y[order[k]] == 1 {
			b.True++
		}
	}
	return out
}

// at predicts for x: p, and for its bounds the Wilson interval of the share that came
// true on the tail where the same was said, from fewer rows the more is missing.
func (m *Classification) at(x []float64, why bool) Output {
	p := m.probability(x)
	o := Output{Value: p, Widened: 1, Reference: m.Reference}
	for j, v := range x {
		if math.IsNaN(v) {
			o.Widened += m.Weight[j]
		}
	}
	b := m.Bins[len(m.Bins)-1]
	for _, c := range m.Bins {
		if p <= c.Upper {
			b = c
			break
		}
	}
	o.Lower, o.Upper = wilson(float64(b.True), float64(b.Rows), m.Level, o.Widened)
	o.Lower, o.Upper = min(o.Lower, p), max(o.Upper, p)
	if why {
		c := make([]float64, len(x))
		m.Trees.contribute(c, x)
		sum := 0.0
		for _, v := range c {
			sum += v
		}
		slope := p * (1 - p) * m.Slope
		if math.Abs(sum) > 1e-9 {
			slope = (p - m.Reference) / sum
		}
		if slope < 0 {
			slope = p * (1 - p) * m.Slope
		}
		for j := range c {
			c[j] *= slope
		}
		o.Contributions = c
	}
	return o
}

// wilson returns the Wilson score interval of a share k of n at a level, as if there
// were fewer rows by the square of wider.
func wilson(k, n, level, wider float64) (low, high float64) {
	z := math.Sqrt2 * math.Erfinv(level)
	p := k / n
	n /= wider * wider
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, centre-half), min(1, centre+half)
}

func (m *Classification) measure(d Data, test []int, r *Report) {
	p, y := m.probabilities(d, test), take(d.Target, test)
	judgeClasses(r, p, y, m.Reference)
	r.Calibration = nil
	for _, b := range countBins(p, y) {
		r.Calibration = append(r.Calibration, Calibrated{0, float64(b.True) / float64(b.Rows), b.Rows})
	}
	// What was said in each bin is its mean p.
	order := slices.Clone(p)
	slices.Sort(order)
	at, off := 0, 0.0
	for k := range r.Calibration {
		c := &r.Calibration[k]
		for _, v := range order[at : at+c.Rows] {
			c.Said += v / float64(c.Rows)
		}
		at += c.Rows
		off += math.Abs(c.Said-c.Was) * float64(c.Rows) / float64(len(p))
	}
	r.set("calibration_error", off)
}
