package learn

import (
	"math"
	"math/rand/v2"
	"testing"
)

// attack is 1 with a probability that the features know.
func attack(x []float64, r *rand.Rand) float64 {
	if r.Float64() < sigmoid(3*x[0]+2*x[1]-2) {
		return 1
	}
	return 0
}

func TestClassification(t *testing.T) {
	d := made(6000, 5, 1, attack)
	m := train(t, Class, d, config())
	for name, least := range map[string]float64{"roc_auc": 0.88, "pr_auc": 0.75, "brier_skill": 0.4, "precision": 0.7, "recall": 0.6} {
		if v := m.Report.Metric(name); !(v >= least) {
			t.Errorf("%s is %.3f, want %v", name, v, least)
		}
	}
	if e := m.Report.Metric("calibration_error"); !(e < 0.05) {
		t.Errorf("probabilities are off by %v", e)
	}
	for _, c := range m.Report.Calibration {
		if math.Abs(c.Said-c.Was) > 0.12 {
			t.Errorf("said %.3f, was %.3f of %d", c.Said, c.Was, c.Rows)
		}
	}
	if why := m.Report.Gate(); len(why) > 0 {
		t.Error(why)
	}
	bad, good := predict(t, m, []float64{2, 1, 0, 0, 0}), predict(t, m, []float64{-1, -1, 0, 0, 0})
	if !(bad.Value > 0.8 && good.Value < 0.1) || bad.Lower > bad.Value || bad.Upper < bad.Value || bad.Upper > 1 || good.Lower < 0 {
		t.Errorf("%+v and %+v", bad, good)
	}
	if !(bad.Contributions[0] > bad.Contributions[3]) {
		t.Errorf("contributions %v", bad.Contributions)
	}
	missing := predict(t, m, []float64{math.NaN(), 1, 0, 0, 0})
	if !(missing.Widened > 1) || !(missing.Value < bad.Value) {
		t.Errorf("without the first feature %+v", missing)
	}
}

// TestAreas: by hand. Scores 4, 3, 2, 1 of classes 1, 0, 1, 0: three of four pairs are in
// order, and precision is 1 at the first and ⅔ at the second hit.
func TestAreas(t *testing.T) {
	roc, pr := areas([]float64{4, 3, 2, 1}, []float64{1, 0, 1, 0})
	if roc != 0.75 || math.Abs(pr-(1+2.0/3)/2) > 1e-12 {
		t.Errorf("%v and %v", roc, pr)
	}
	roc, pr = areas([]float64{1, 1, 1, 1}, []float64{1, 0, 1, 0})
	if roc != 0.5 || pr != 0.5 {
		t.Errorf("all equal: %v and %v", roc, pr)
	}
	if roc, _ := areas([]float64{1, 2}, []float64{1, 1}); !math.IsNaN(roc) {
		t.Errorf("one class: %v", roc)
	}
}

// TestWilson: 5 of 10 at 95 % is 0.2366 to 0.7634 (Wilson 1927; R: prop.test without
// correction).
func TestWilson(t *testing.T) {
	low, high := wilson(5, 10, 0.95, 1)
	if math.Abs(low-0.2366) > 1e-4 || math.Abs(high-0.7634) > 1e-4 {
		t.Errorf("%v to %v", low, high)
	}
	if l, h := wilson(5, 10, 0.95, 2); l >= low || h <= high {
		t.Errorf("not wider: %v to %v", l, h)
	}
}

// TestIsolation finds what is far out or breaks how two features go together, with
// members that come and go.
func TestIsolation(t *testing.T) {
	d := made(3000, 6, 1, func([]float64, *rand.Rand) float64 { return 0 })
	r := rand.New(rand.NewPCG(4, 4))
	for i := range d.Target {
		d.Columns[1][i] = d.Columns[0][i] + 0.1*r.NormFloat64()
		if i%200 == 0 {
			d.Target[i] = 1
			d.Columns[2][i], d.Columns[3][i] = 6, -6
		}
		if i%3 == 0 { // a member that is away
			d.Columns[5][i] = math.NaN()
		}
	}
	m := train(t, Oddness, d, config())
	if v := m.Report.Metric("roc_auc"); !(v > 0.95) {
		t.Errorf("area %v", v)
	}
	unlabelled := d
	unlabelled.Target = nil
	if m := train(t, Oddness, unlabelled, config()); !(m.Report.Metric("anomalous_share") < 0.05) {
		t.Errorf("%v above the boundary", m.Report.Metric("anomalous_share"))
	}
	odd := predict(t, m, []float64{0, 0, 7, -7, 0, 0})
	usual := predict(t, m, make([]float64, 6))
	if !(odd.Value > 1 && usual.Value < 0.9) || !math.IsNaN(odd.Lower) {
		t.Errorf("%v and %v", odd.Value, usual.Value)
	}
	if c := odd.Contributions; !(c[2] > c[0] && c[3] > c[4]) {
		t.Errorf("contributions %v", c)
	}
	away := predict(t, m, []float64{math.NaN(), 0, 7, -7, 0, math.NaN()})
	if !(away.Value > 1) || !(away.Widened > 1) {
		t.Errorf("with members away %+v", away)
	}
	if o := predict(t, m, []float64{0, 0, math.NaN(), math.NaN(), 0, 0}); o.Value > 1 {
		t.Errorf("what is missing is odd: %v", o.Value)
	}
}
