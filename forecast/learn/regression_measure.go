package learn

import (
	"math"
	"slices"

	"github.com/upid/upid/forecast/accuracy"
)

// levels of the intervals on a calibration curve.
var levels = []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95}

// measure judges m on the newest rows.
func (m *Regression) measure(d Data, p parts, r *Report) {
	r.Train, r.Tail, r.Test = len(p.train), len(p.tail), len(p.test)
	n := len(p.test)
	actual, point, naive := take(d.Target, p.test), make([]float64, n), m.naive(d, p.test)
	lower, upper := make([]float64, n), make([]float64, n)
	x := make([]float64, len(d.Columns))
	plain := 0
	for k, i := range p.test {
		d.row(x, i)
		o := m.at(x, false)
		point[k], lower[k], upper[k] = o.Value, o.Lower, o.Upper
		if o := m.plain(x); actual[k] >= o.Lower && actual[k] <= o.Upper {
			plain++
		}
	}
	r.set("naive_coverage", float64(plain)/float64(n))
	mae, naiveMAE := accuracy.MAE(actual, point), accuracy.MAE(actual, naive)
	r.set("mae", mae)
	r.set("naive_mae", naiveMAE)
	r.set("skill", accuracy.Skill(mae, naiveMAE))
	r.set("smape", accuracy.SMAPE(actual, point))
	r.set("coverage", accuracy.Coverage(actual, lower, upper))
	r.set("level", m.Level)
	r.set("mase", accuracy.MASE(actual, point, accuracy.MAE(take(d.Target, p.train), m.naive(d, p.train))))
	bias := 0.0
	for k, v := range point {
		bias += (v - actual[k]) / float64(n)
	}
	r.set("bias", bias/mae)
	if old := accuracy.MAE(actual[:n/2], point[:n/2]); old > 0 {
		r.set("residual_drift", accuracy.MAE(actual[n/2:], point[n/2:])/old)
	}
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
