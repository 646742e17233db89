package learn

import (
	"errors"
	"math"
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
	// Plain is the margin on both sides of the naive prediction that holds Level on the tail.
	Plain float64 `json:"plain"`
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
	least := math.Inf(1)
	as, err := chosen(c.Algorithm)
	if err != nil {
		return nil, report, err
	}
	of := *m
	for k, a := range as {
		one := of
		l := a.learn(problem{wide, p.train, p.tail, z, quantiles, c.generator(1)})
		epochs, failed := one.fit(l, a.name, d, p.tail, quantiles, c.turn(k, len(as), a.name))
		if errors.Is(failed, errNoEpoch) && (k+1 < len(as) || !math.IsInf(least, 1)) {
			continue // another one may do better
		}
		if failed != nil {
			return nil, report, failed
		}
		e := one.choose(d, p.tail)
		if len(as) > 1 {
			report.Tried = append(report.Tried, Tried{a.name, epochs, e})
		}
		if math.IsInf(least, 1) || e < least {
			*m, least, report.Epochs = one, e, epochs
		}
	}
	m.margins(d, p.tail)
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
	extra := m.extra(x, from)
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

// extra returns how much wider a margin is for what x misses; from is the feature that the
// naive prediction repeats.
func (m *Regression) extra(x []float64, from int) float64 {
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
	return extra
}

// plain is the naive prediction for x, with Plain as its margin; NaN bounds of a model that
// was trained before there was one.
func (m *Regression) plain(x []float64) Output {
	b, from := m.Naive.at(x)
	o := Output{Value: b, Lower: math.NaN(), Upper: math.NaN(), Widened: 1, Contributions: make([]float64, len(x)), Reference: b}
	if m.Plain > 0 {
		extra := m.extra(x, from)
		margin := m.Plain + extra
		o.Lower, o.Upper, o.Widened = min(m.Scale.from(-margin, b), b), max(m.Scale.from(margin, b), b), margin/m.Plain
	}
	return o
}
