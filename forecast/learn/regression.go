package learn

import (
	"fmt"
	"math"
	"slices"

	"github.com/upid/upid/forecast/accuracy"
)

// Regression predicts a number with an interval:
//
//	ŷ = b + the learned difference, see scale; b is the naive prediction
//	interval = [f_lower − m, f_upper + m], m = Margin + √(Σ Widen_j² of what is missing),
//	           at least Margin + Bare where b is the median because all else is missing
//
// f are the fitted quantiles. Margin makes the interval hold its level on the tail
// (Romano, Patterson and Candès, "Conformalized quantile regression", NeurIPS 2019). Widen_j is
// how much larger it had to be with feature j taken away.
type Regression struct {
	Naive  Naive     `json:"naive"`
	Scale  scale     `json:"scale"`
	Fitted Fitted    `json:"fitted"`
	Share  float64   `json:"share"` // of the learned difference that is used, in [0, 1]
	Level  float64   `json:"level"`
	Margin float64   `json:"margin"`
	Widen  []float64 `json:"widen"`
	Bare   float64   `json:"bare"` // the same with every feature that is near the target taken away
	// Reference is the median prediction for the rows learned from, which contributions start at.
	Reference float64 `json:"reference"`
}

// Output is one prediction.
type Output struct {
	Value, Lower, Upper float64
	// Widened is the width of the interval to what it would be if nothing expected was
	// missing, on the scale of the model; 1 or more.
	Widened float64
	// Contributions of the features add up to Value − Reference.
	Contributions []float64
	Reference     float64
}

// Calibrated is one point of a calibration curve.
type Calibrated struct {
	Said float64 `json:"said"` // probability or level claimed
	Was  float64 `json:"was"`  // share that came true
	Rows int     `json:"rows"`
}

// trainRegression fits a Regression to d.
func trainRegression(d Data, c Config) (*Regression, Report, error) {
	var report Report
	p, err := d.split()
	if err != nil {
		return nil, report, err
	}
	if err := d.refuse(p); err != nil {
		return nil, report, err
	}
	m := &Regression{Naive: newNaive(d, p.train), Level: c.Level}
	y, b := take(d.Target, p.train), m.naive(d, p.train)
	m.Scale = newScale(y, b)
	z := make([]float64, len(y))
	for k := range y {
		z[k] = m.Scale.to(y[k], b[k])
	}
	wide := d
	wide.Columns = m.expandAll(d)
	quantiles := []float64{(1 - c.Level) / 2, 0.5, (1 + c.Level) / 2}
	l, err := newLearner(c.Algorithm, problem{wide, p.train, p.tail, z, quantiles, c.generator(1)})
	if err != nil {
		return nil, report, err
	}
	if report.Epochs, err = m.fit(l, d, p.tail, quantiles, c); err != nil {
		return nil, report, err
	}
	m.calibrate(d, p.tail)
	m.measure(d, p, &report)
	if m.Share > 0 && len(report.Gate()) > 0 && !(report.Metric("skill") >= leastSkill) {
		// What was learned on the older rows does not hold on the newest.
		m.Share = 0
		m.margins(d, p.tail)
		lost := report.Metric("skill")
		m.measure(d, p, &report)
		report.set("learned_skill", lost)
	}
	return m, report, nil
}

// expand returns x and, for each feature that was near the target, how far it is from
// the naive prediction on the scale of the model: trees cut one column at a time, and what
// tells most is how the day differs from the week.
func (m *Regression) expand(x []float64, b float64) []float64 {
	out := append(make([]float64, 0, len(x)+len(m.Naive.Features)), x...)
	for _, j := range m.Naive.Features {
		out = append(out, m.Scale.to(x[j], b))
	}
	return out
}

// expandAll does so for all rows, by column.
func (m *Regression) expandAll(d Data) [][]float64 {
	columns := append([][]float64(nil), d.Columns...)
	for range m.Naive.Features {
		columns = append(columns, make([]float64, d.Rows()))
	}
	x := make([]float64, len(d.Columns))
	for i := range d.Rows() {
		d.row(x, i)
		b, _ := m.Naive.at(x)
		for k, j := range m.Naive.Features {
			columns[len(x)+k][i] = m.Scale.to(x[j], b)
		}
	}
	return columns
}

// naive returns the naive predictions for rows.
func (m *Regression) naive(d Data, rows []int) []float64 {
	x, out := make([]float64, len(d.Columns)), make([]float64, len(rows))
	for k, i := range rows {
		d.row(x, i)
		out[k], _ = m.Naive.at(x)
	}
	return out
}

// fit runs the epochs and keeps, for each quantile, the one with the least loss on the
// tail; of the median that is the absolute error of the target. It returns how many ran.
func (m *Regression) fit(l learner, d Data, tail []int, quantiles []float64, c Config) (epochs int, err error) {
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
		if err := c.tell(Epoch{epoch, c.Epochs, mae}); err != nil {
			return epochs, err
		}
		if epoch-newest >= patience {
			break
		}
	}
	if math.IsInf(least[middle], 1) {
		return epochs, fmt.Errorf("%w: in none of %d epochs was the error on the tail a number", ErrInput, epochs)
	}
	m.Fitted = l.done()
	return epochs, nil
}

// shares of the learned difference that are tried on the tail.
var shares = []float64{0, 0.25, 0.5, 0.75, 1}

// calibrate chooses Share on the tail, and then Margin and Widen.
func (m *Regression) calibrate(d Data, tail []int) {
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
	m.margins(d, tail)
}

// margins chooses Margin and Widen on the tail.
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
	slices.Sort(scores)
	slices.Sort(widths)
	n := len(scores)
	at := min(int(math.Ceil(m.Level*float64(n+1)))-1, n-1)
	return scores[at], widths[n/2]
}

// quantiles fills q with the fitted quantiles in order, and the median as it is used.
func (m *Regression) quantiles(q, x []float64, b float64) {
	m.Fitted.at(q, m.expand(x, b))
	q[middle] *= m.Share
	q[0], q[2] = min(q[0], q[middle]), max(q[2], q[middle])
}

// at predicts for x, which has the features of the training in order. why asks for
// Contributions. Allocates; O(size of the model).
func (m *Regression) at(x []float64, why bool) Output {
	q := make([]float64, 3)
	b, from := m.Naive.at(x)
	m.quantiles(q, x, b)
	squares := 0.0
	for j, v := range x {
		if math.IsNaN(v) {
			squares += m.Widen[j] * m.Widen[j]
		}
	}
	extra := math.Sqrt(squares)
	if from < 0 && len(m.Naive.Features) > 0 {
		extra = max(extra, m.Bare)
	}
	margin := m.Margin + extra
	o := Output{Value: m.Scale.from(q[middle], b), Widened: 1, Reference: m.Reference}
	o.Lower = min(m.Scale.from(q[0]-margin, b), o.Value)
	o.Upper = max(m.Scale.from(q[2]+margin, b), o.Value)
	if w := q[2] - q[0] + 2*m.Margin; extra > 0 && w > 0 {
		o.Widened = 1 + 2*extra/w
	}
	if why {
		o.Contributions = m.contributions(x, b, from, o.Value)
	}
	return o
}

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

// levels of the intervals on a calibration curve.
var levels = []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95}

// measure judges m on the newest rows.
func (m *Regression) measure(d Data, p parts, r *Report) {
	r.Train, r.Tail, r.Test = len(p.train), len(p.tail), len(p.test)
	n := len(p.test)
	actual, point, naive := take(d.Target, p.test), make([]float64, n), m.naive(d, p.test)
	lower, upper := make([]float64, n), make([]float64, n)
	x := make([]float64, len(d.Columns))
	for k, i := range p.test {
		d.row(x, i)
		o := m.at(x, false)
		point[k], lower[k], upper[k] = o.Value, o.Lower, o.Upper
	}
	mae, naiveMAE := accuracy.MAE(actual, point), accuracy.MAE(actual, naive)
	r.set("mae", mae)
	r.set("naive_mae", naiveMAE)
	r.set("skill", accuracy.Skill(mae, naiveMAE))
	r.set("smape", accuracy.SMAPE(actual, point))
	r.set("coverage", accuracy.Coverage(actual, lower, upper))
	r.set("level", m.Level)
	r.set("mase", accuracy.MASE(actual, point, accuracy.MAE(take(d.Target, p.train), m.naive(d, p.train))))
	m.Reference = 0
	var refs []float64
	for _, i := range every(p.train, mostWidening) {
		d.row(x, i)
		refs = append(refs, m.at(x, false).Value)
	}
	slices.Sort(refs)
	m.Reference = refs[len(refs)/2]
	r.Calibration = m.curve(d, p)
	r.Importance = importance(m, d, p.test)
}

// curve is the coverage on the newest rows of intervals of several levels: the
// distance from the median, in widths of the interval, of which the tail holds that share.
func (m *Regression) curve(d Data, p parts) []Calibrated {
	distance := func(rows []int) []float64 {
		x, out := make([]float64, len(d.Columns)), make([]float64, len(rows))
		for k, i := range rows {
			d.row(x, i)
			o := m.at(x, false)
			b, _ := m.Naive.at(x)
			z, v := m.Scale.to(d.Target[i], b), m.Scale.to(o.Value, b)
			lo, hi := m.Scale.to(o.Lower, b), m.Scale.to(o.Upper, b)
			side := hi - v
			if z < v {
				side = v - lo
			}
			out[k] = math.Abs(z-v) / max(side, 1e-12)
		}
		slices.Sort(out)
		return out
	}
	tail, test := distance(p.tail), distance(p.test)
	var curve []Calibrated
	for _, level := range levels {
		at := tail[min(int(math.Ceil(level*float64(len(tail)+1)))-1, len(tail)-1)]
		inside, _ := slices.BinarySearchFunc(test, at, func(v, at float64) int {
			if v <= at {
				return -1
			}
			return 1
		})
		curve = append(curve, Calibrated{level, float64(inside) / float64(len(test)), len(test)})
	}
	return curve
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

// refuse returns why nothing honest can be learned from the rows of a split.
func (d Data) refuse(p parts) error {
	for _, part := range []struct {
		name string
		rows []int
	}{{"learn from", p.train}, {"judge on", p.test}} {
		y := take(d.Target, part.rows)
		if slices.Min(y) == slices.Max(y) {
			return fmt.Errorf("%w: it is %g in all %d rows to %s", ErrConstant, y[0], len(y), part.name)
		}
	}
	for j, c := range d.Columns {
		if line(c, d.Target, p.train) {
			return fmt.Errorf("%w: %s is a straight line of it in every row", ErrLeak, d.Features[j])
		}
	}
	return nil
}

// line reports whether y is a + b·x with b ≠ 0 at every row with an x, to within
// rounding.
func line(x, y []float64, rows []int) bool {
	var n, mx, my, sxx, sxy, syy float64
	for _, i := range rows {
		if math.IsNaN(x[i]) {
			continue
		}
		n++
		dx, dy := x[i]-mx, y[i]-my
		mx += dx / n
		my += dy / n
		sxx += dx * (x[i] - mx)
		sxy += dx * (y[i] - my)
		syy += dy * (y[i] - my)
	}
	return n >= leastTail && sxx > 0 && syy > 0 && 1-(sxy/sxx)*(sxy/syy) < 1e-9
}
