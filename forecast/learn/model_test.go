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

// small are models of every kind, for encoding.
func small(t testing.TB) []*Model {
	t.Helper()
	var out []*Model
	for _, c := range []struct {
		kind      Kind
		algorithm string
		f         func([]float64, *rand.Rand) float64
	}{{Number, "trees", bent}, {Number, "network", bent}, {Class, "", attack}, {Oddness, "", attack}} {
		m, err := Train(c.kind, made(400, 3, 1, c.f), Config{Epochs: 4, Algorithm: c.algorithm, Level: 0.9})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func TestEncoding(t *testing.T) {
	for _, m := range small(t) {
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("%s: another model came back (%v)", m.Algorithm, err)
		}
		x := []float64{0.3, -1, math.NaN()}
		if a, b := predict(t, m, x), predict(t, back, x); a.Value != b.Value || a.Upper != b.Upper && !math.IsNaN(a.Upper) {
			t.Errorf("%s: %+v and %+v", m.Algorithm, a, b)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	m := small(t)[0]
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, bad := range map[string]string{
		"nothing":     "",
		"cut":         good[:len(good)/2],
		"more":        good + "{}",
		"unknown":     strings.Replace(good, `"kind"`, `"extra":1,"kind"`, 1),
		"kind":        strings.Replace(good, `"regression"`, `"magic"`, 1),
		"two":         strings.Replace(good, `"regression":{`, `"isolation":{},"regression":{`, 1),
		"no features": strings.Replace(good, `["aa","ba","ca"]`, `[]`, 1),
		"fewer":       strings.Replace(good, `["aa","ba","ca"]`, `["aa"]`, 1),
		"huge number": strings.Replace(good, `"level":0.9`, `"level":1e999`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: the text is not there", name)
		}
		if _, err := Decode([]byte(bad)); !errors.Is(err, ErrModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
	loop := *m.Regression
	trees := slices.Clone(*loop.Fitted.fitted.(*quantileTrees))
	trees[0] = Trees{Roots: []int{0}, Feature: []int{0, -1, -1}, Threshold: make([]float64, 3), Right: []int{0, 0, 0}, Missing: make([]int, 3), Value: make([]float64, 3)}
	loop.Fitted.fitted = &trees
	if err := loop.valid(3); err == nil {
		t.Error("a node that points back at itself")
	}
	if _, err := m.At([]float64{1}, false); !errors.Is(err, ErrInput) {
		t.Errorf("too few values: %v", err)
	}
	if _, err := m.At([]float64{1, math.Inf(1), 2}, false); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "ba") {
		t.Errorf("an infinite value: %v", err)
	}
}

// FuzzDecode: whatever the bytes, what Decode accepts can be asked and ends.
func FuzzDecode(f *testing.F) {
	for _, m := range small(f) {
		b, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		x := make([]float64, len(m.Features))
		for i := range x {
			x[i] = float64(i) - 1
		}
		x[0] = math.NaN()
		if o, err := m.At(x, true); err == nil && (math.IsNaN(o.Value) || math.IsInf(o.Value, 0)) {
			t.Errorf("%+v", o)
		}
	})
}

// BenchmarkTrain is the goal of 100,000 rows, 18 features, 100 epochs in 30 s on one
// core.
func BenchmarkTrain(b *testing.B) {
	d := made(100_000, 18, 1, bent)
	for _, algorithm := range append(Algorithms(), Auto) {
		b.Run(algorithm, func(b *testing.B) {
			for b.Loop() {
				m, err := Train(Number, d, Config{Epochs: 100, Algorithm: algorithm, Level: 0.9, Seed: 1})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(m.Report.Epochs), "epochs")
				b.ReportMetric(m.Report.Metric("skill"), "skill")
			}
		})
	}
}

func BenchmarkAt(b *testing.B) {
	d := made(5000, 18, 1, bent)
	for _, algorithm := range Algorithms() {
		m, err := Train(Number, d, Config{Epochs: 100, Algorithm: algorithm, Level: 0.9, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		x := make([]float64, 18)
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.At(x, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
