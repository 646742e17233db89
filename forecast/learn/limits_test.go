package learn

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTrainRefusesLargeNumbers: what would overflow is refused, what is large is learned.
func TestTrainRefusesLargeNumbers(t *testing.T) {
	for _, algorithm := range Algorithms() {
		c := config()
		c.Algorithm, c.Epochs = algorithm, 5
		for _, factor := range []float64{1e308, -1e307, 2e100} {
			d := made(300, 3, 1, bent)
			for i := range d.Target {
				d.Target[i] = math.Tanh(d.Target[i]) * factor
			}
			d.Target[7] = factor
			if _, err := Train(Number, d, c); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "the target is") {
				t.Errorf("%s: targets of %g: %v", algorithm, factor, err)
			}
			d = made(300, 3, 1, bent)
			d.Columns[1][7] = factor
			if _, err := Train(Number, d, c); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "in row 8") {
				t.Errorf("%s: a feature of %g: %v", algorithm, factor, err)
			}
		}
		d := made(300, 3, 1, bent)
		for i := range d.Target {
			d.Target[i] *= 1e98
			d.Columns[2][i] *= 1e98
		}
		m := train(t, Number, d, c)
		predict(t, m, []float64{1, 1, 1e98})
		if b, err := m.Encode(); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		} else if _, err := Decode(b); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
	d := made(300, 3, 1, bent)
	d.Target = d.Target[:100]
	if _, err := Train(Number, d, config()); !errors.Is(err, ErrInput) {
		t.Errorf("too few targets: %v", err)
	}
}

// TestLeakOfLargeNumbers: a straight line is found at any scale.
func TestLeakOfLargeNumbers(t *testing.T) {
	d := made(300, 3, 1, bent)
	for i := range d.Target {
		d.Target[i] *= 1e98
		d.Columns[1][i] = 3*d.Target[i] + 1e97
	}
	if _, err := Train(Number, d, config()); !errors.Is(err, ErrLeak) {
		t.Errorf("%v", err)
	}
}

// lost is a learner that never predicts a number.
type lost struct{ n int }

func (l lost) epoch() [][]float64 {
	row := make([]float64, l.n)
	for i := range row {
		row[i] = math.NaN()
	}
	return [][]float64{row, row, row}
}
func (lost) best(int)     { panic("nothing is better") }
func (lost) done() fitted { panic("nothing was kept") }

func TestFitKeepsNothing(t *testing.T) {
	d := made(300, 3, 1, bent)
	p, err := d.split()
	if err != nil {
		t.Fatal(err)
	}
	m := &Regression{Naive: newNaive(d, p.train), Scale: scale{Unit: 1}}
	_, err = m.fit(lost{len(p.tail)}, "lost", d, p.tail, []float64{0.05, 0.5, 0.95}, config())
	if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "of 15") {
		t.Errorf("%v", err)
	}
}

// TestIsolationFits: as many trees as are allowed can be kept, more are refused before
// any is grown.
func TestIsolationFits(t *testing.T) {
	for _, n := range []int{100, 500} {
		d := made(n, 3, 1, func([]float64, *rand.Rand) float64 { return 0 })
		d.Target = nil
		c := config()
		most := mostIsolated(min(sample, n*6/10))
		c.Epochs = most + 1
		c.Progress = func(Epoch) error { return errors.New("it began") }
		if _, err := Train(Oddness, d, c); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "want at most") {
			t.Errorf("%d rows: %v", n, err)
		}
		c.Epochs, c.Progress = most, nil
		m := train(t, Oddness, d, c)
		b, err := m.Encode()
		if err != nil {
			t.Fatalf("%d rows, %d trees: %v", n, most, err)
		}
		if _, err := Decode(b); err != nil {
			t.Errorf("%d rows, %d trees: %v", n, most, err)
		}
		t.Logf("%d rows, %d trees: %d bytes", n, most, len(b))
	}
}
