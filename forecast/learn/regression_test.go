package learn

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestRegressionLearns wants each algorithm to find most of what can be found, to hold
// its interval's level, and to beat the naive prediction.
func TestRegressionLearns(t *testing.T) {
	for _, algorithm := range Algorithms() {
		for name, c := range map[string]struct {
			d     Data
			skill float64
		}{
			"bent":     {made(4000, 5, 1, bent), 0.65}, // the noise allows 0.85
			"machines": {machines(3000, 2), 0.4},
		} {
			config := config()
			config.Algorithm = algorithm
			m := train(t, Number, c.d, config)
			least := c.skill
			if algorithm == "network" {
				least -= 0.1 // its 100 passes are too few for so few rows
			}
			if s := m.Report.Metric("skill"); s < least {
				t.Errorf("%s on %s: skill %.3f, want %v", algorithm, name, s, least)
			}
			if v := m.Report.Metric("coverage"); math.Abs(v-0.9) > 0.04 {
				t.Errorf("%s on %s: coverage %.3f, want 0.9", algorithm, name, v)
			}
			for _, p := range m.Report.Calibration {
				if math.Abs(p.Said-p.Was) > 0.05 {
					t.Errorf("%s on %s: said %v, was %.3f", algorithm, name, p.Said, p.Was)
				}
			}
			if why := m.Report.Gate(); len(why) > 0 || m.Algorithm != algorithm {
				t.Errorf("%s on %s: %s %v", algorithm, name, m.Algorithm, why)
			}
		}
	}
}

// TestNoiseIsNotLearned: where there is nothing to learn the naive prediction stays,
// and the gate is shut.
func TestNoiseIsNotLearned(t *testing.T) {
	d := made(1500, 5, 3, func(_ []float64, r *rand.Rand) float64 { return r.NormFloat64() })
	m := train(t, Number, d, config())
	if len(m.Report.Gate()) == 0 {
		t.Errorf("the gate is open: %v", m.Report.Metrics)
	}
	if s := m.Report.Metric("skill"); m.Algorithm == "naive" && s != 0 {
		t.Errorf("naive with skill %v", s)
	}
}

func TestEarlyStopping(t *testing.T) {
	c := config()
	c.Epochs, c.Algorithm = 5000, "trees"
	var told []Epoch
	c.Progress = func(e Epoch) error { told = append(told, e); return nil }
	m := train(t, Number, made(600, 3, 4, bent), c)
	if m.Report.Epochs >= 2000 || len(told) != m.Report.Epochs {
		t.Errorf("%d epochs, told of %d", m.Report.Epochs, len(told))
	}
	first, last := told[0], told[len(told)-1]
	if !(last.HeldOut < first.HeldOut) || first.Epoch != 1 || first.Of != 5000 {
		t.Errorf("from %+v to %+v", first, last)
	}
	stop := errors.New("stop")
	c.Progress = func(Epoch) error { return stop }
	if _, err := Train(Number, made(600, 3, 4, bent), c); !errors.Is(err, stop) {
		t.Errorf("%v, want that of Progress", err)
	}
}

func TestDeterministic(t *testing.T) {
	for _, algorithm := range Algorithms() {
		c := config()
		c.Algorithm, c.Epochs = algorithm, 20
		var encoded [][]byte
		for range 2 {
			b, err := train(t, Number, machines(800, 5), c).Encode()
			if err != nil {
				t.Fatal(err)
			}
			encoded = append(encoded, b)
		}
		if !bytes.Equal(encoded[0], encoded[1]) {
			t.Errorf("%s: the same rows and seed gave two models", algorithm)
		}
		c.Seed++
		if b, _ := train(t, Number, machines(800, 5), c).Encode(); bytes.Equal(b, encoded[0]) {
			t.Errorf("%s: the seed changes nothing", algorithm)
		}
	}
}

// TestContributions: they add up to what the prediction is beyond the reference, and
// name what matters.
func TestContributions(t *testing.T) {
	for _, algorithm := range Algorithms() {
		c := config()
		c.Algorithm = algorithm
		for _, d := range []Data{made(2000, 5, 1, bent), machines(2000, 2)} {
			m := train(t, Number, d, c)
			x := make([]float64, len(d.Columns))
			for i := range 100 {
				d.row(x, i)
				o := predict(t, m, x)
				sum := o.Reference
				for _, v := range o.Contributions {
					sum += v
				}
				if math.Abs(sum-o.Value) > 1e-6*(1+math.Abs(o.Value)) {
					t.Fatalf("%s: reference and contributions are %v, the value %v", algorithm, sum, o.Value)
				}
				if !(o.Lower <= o.Value && o.Value <= o.Upper) {
					t.Fatalf("%s: %+v", algorithm, o)
				}
			}
			top := slices.Index(m.Report.Importance, slices.Max(m.Report.Importance))
			if top > 1 {
				t.Errorf("%s: feature %d matters most: %v", algorithm, top, m.Report.Importance)
			}
		}
	}
}

// TestMissingWidens: a missing feature is not 0. It widens the interval, and the
// intervals without it hold their level.
func TestMissingWidens(t *testing.T) {
	d := machines(3000, 6)
	m := train(t, Number, d, config())
	p, err := d.split()
	if err != nil {
		t.Fatal(err)
	}
	for _, without := range [][]int{{0}, {1}, {0, 1}, {3}} {
		wider, inside := 0, 0
		x := make([]float64, len(d.Columns))
		for _, i := range p.test {
			d.row(x, i)
			whole := predict(t, m, x)
			for _, j := range without {
				x[j] = math.NaN()
			}
			o := predict(t, m, x)
			if (o.Upper+m.Regression.Scale.Shift)/(o.Lower+m.Regression.Scale.Shift) > (whole.Upper+m.Regression.Scale.Shift)/(whole.Lower+m.Regression.Scale.Shift) {
				wider++
			}
			if o.Lower <= d.Target[i] && d.Target[i] <= o.Upper {
				inside++
			}
			if !(o.Widened > 1) {
				t.Fatalf("without %v: widened %v", without, o.Widened)
			}
		}
		n := float64(len(p.test))
		if without[0] < 3 && (float64(wider)/n < 0.9 || float64(inside)/n < 0.85) {
			t.Errorf("without %v: %.3f wider, coverage %.3f", without, float64(wider)/n, float64(inside)/n)
		}
	}
}

func TestRefusals(t *testing.T) {
	leaky := made(300, 3, 1, bent)
	for i, y := range leaky.Target {
		leaky.Columns[2][i] = 3 - 2*y
	}
	constant := made(300, 3, 1, func([]float64, *rand.Rand) float64 { return 7 })
	infinite := made(300, 3, 1, bent)
	infinite.Columns[1][5] = math.Inf(1)
	gaps := made(130, 3, 1, bent)
	for i := range 40 {
		gaps.Target[i] = math.NaN()
	}
	for name, c := range map[string]struct {
		d    Data
		kind Kind
		err  error
		says string
	}{
		"few":      {made(50, 3, 1, bent), Number, ErrFewRows, "want at least 100"},
		"targets":  {gaps, Number, ErrFewRows, "54 to learn from"},
		"constant": {constant, Number, ErrConstant, "it is 7"},
		"leak":     {leaky, Number, ErrLeak, "ca is a straight line"},
		"infinite": {infinite, Number, ErrInput, "ba is infinite"},
		"class":    {made(300, 3, 1, bent), Class, ErrInput, "want 0 or 1"},
	} {
		_, err := Train(c.kind, c.d, config())
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, c.err, c.says)
		}
	}
	for _, c := range []Config{{Epochs: 0, Level: 0.9}, {Epochs: 10, Level: 1}, {Epochs: 10, Level: 0.9, Algorithm: "magic"}} {
		if _, err := Train(Number, made(300, 3, 1, bent), c); !errors.Is(err, ErrInput) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSplitIsByTime: no row is judged or calibrated on that is older than one that was
// learned from, nor while a target was not known yet.
func TestSplitIsByTime(t *testing.T) {
	d := made(900, 2, 1, bent)
	r := rand.New(rand.NewPCG(1, 1))
	for range d.Target {
		d.Times = append(d.Times, r.Int64N(100))
	}
	d.Gap = 7
	p, err := d.split()
	if err != nil {
		t.Fatal(err)
	}
	latest := func(rows []int) int64 { return slices.Max(times(d, rows)) }
	earliest := func(rows []int) int64 { return slices.Min(times(d, rows)) }
	if latest(p.train)+d.Gap > earliest(p.tail) || latest(p.tail)+d.Gap > earliest(p.test) {
		t.Errorf("train to %d, tail %d to %d, test from %d", latest(p.train), earliest(p.tail), latest(p.tail), earliest(p.test))
	}
	d.Times = nil
	if p, err = d.split(); err != nil || p.train[0] != 0 || len(p.train) != 540 || p.tail[0] != 540 || p.test[0] != 720 {
		t.Errorf("without times: %d, %v", len(p.train), err)
	}
}

func times(d Data, rows []int) []int64 {
	var out []int64
	for _, i := range rows {
		out = append(out, d.Times[i])
	}
	return out
}

// TestBins: codes and thresholds send a value the same way.
func TestBins(t *testing.T) {
	d := made(2000, 3, 8, bent)
	for i := range 200 {
		d.Columns[1][i] = math.NaN()
		d.Columns[2][i] = 1
	}
	rows := make([]int, 2000)
	for i := range rows {
		rows[i] = i
	}
	b := newBins(d, rows)
	o := newBooster(pinball{0.5}, b, d.Target, rand.New(rand.NewPCG(1, 1)))
	x := make([]float64, 3)
	for range 20 {
		o.grow()
	}
	for i := range rows {
		d.row(x, i)
		if got := o.trees.at(x); math.Abs(got-o.f[i]) > 1e-9 {
			t.Fatalf("row %d: by value %v, by bin %v", i, got, o.f[i])
		}
	}
}
