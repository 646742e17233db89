package models

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/forecast/features"
)

// timedRows are n rows, an hour apart, whose target is near a and can be learned; the
// rows of empty have no features.
func timedRows(n int, seed uint64, binary bool, empty ...int) *Rows {
	r := rand.New(rand.NewPCG(seed, 1))
	rows := newRows(fileLimits)
	for i := range n {
		_ = rows.begin()
		a, b := 10+r.Float64(), r.NormFloat64()
		y := a + b*b + 0.1*r.NormFloat64()
		if binary {
			y = float64(r.IntN(2))
		}
		_ = rows.set(&rows.Features, rows.feature, &rows.Columns, "a", a)
		_ = rows.set(&rows.Features, rows.feature, &rows.Columns, "b", b)
		_ = rows.set(&rows.Targets, rows.target, &rows.Values, "target", y)
		rows.Times[i] = int64(i) * time.Hour.Milliseconds()
	}
	rows.timed = n
	for _, i := range empty {
		for j := range rows.Columns {
			rows.Columns[j][i] = math.NaN()
		}
	}
	return rows
}

func trained(t *testing.T, typ string, rows *Rows, epochs int) *Version {
	t.Helper()
	v, err := Train(t.Context(), Training{ModelType: typ, Rows: rows, Epochs: epochs, Seed: 1, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCompareManyRows: there may be more rows than Predict answers, and rows without
// features are left out.
func TestCompareManyRows(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	a := trained(t, features.CostOptimization, timedRows(500, 1, false), 1)
	b := trained(t, features.CostOptimization, timedRows(500, 1, false), 40)
	rows := timedRows(MaxRows+1000, 2, false, 450, MaxRows)
	cs, err := NewRegistry(t.TempDir(), nil).Compare(t.Context(), a, b, rows)
	if err != nil || len(cs) != 1 {
		t.Fatalf("%+v, %v", cs, err)
	}
	held := rows.after(int64(*a.HeldOut * 1000)).N
	if c := cs[0]; held <= MaxRows || c.Rows != held-2 || c.Verdict != Better || c.Loss != "absolute error" || !(*c.B < *c.A) {
		t.Errorf("%d held out: %+v", held, c)
	}
	few := timedRows(600, 2, false)
	values, err := b.values(t.Context(), few)
	if err != nil {
		t.Fatal(err)
	}
	ps, err := b.predict(t.Context(), few)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		if *p.Value != values[0][p.Row] {
			t.Fatalf("row %d: %v, %v", p.Row, *p.Value, values[0][p.Row])
		}
	}
}

func TestCompareClasses(t *testing.T) {
	rows := timedRows(500, 1, true)
	v := trained(t, features.SecurityThreat, rows, 5)
	cs, err := NewRegistry(t.TempDir(), nil).Compare(t.Context(), v, v, timedRows(600, 2, true))
	if err != nil || len(cs) != 1 || cs[0].Loss != "Brier score" || cs[0].Verdict != Open {
		t.Errorf("%+v, %v", cs, err)
	}
}

// oddRows are n rows, an hour apart, of which every eighth is an anomaly: b is far from what
// it usually is.
func oddRows(n int, seed uint64, names ...string) *Rows {
	r := rand.New(rand.NewPCG(seed, 2))
	rows := newRows(fileLimits)
	for i := range n {
		_ = rows.begin()
		y := 0.0
		x := map[string]float64{"a": r.NormFloat64(), "b": r.NormFloat64()}
		if i%8 == 0 {
			x["b"], y = 12+r.NormFloat64(), 1
		}
		for _, name := range names {
			_ = rows.set(&rows.Features, rows.feature, &rows.Columns, name, x[name])
		}
		_ = rows.set(&rows.Targets, rows.target, &rows.Values, "target", y)
		rows.Times[i] = int64(i) * time.Hour.Milliseconds()
	}
	rows.timed = n
	return rows
}

// TestCompareAnomalies: by labels the version that knows what matters is better; without
// labels there is no verdict.
func TestCompareAnomalies(t *testing.T) {
	ordinary := func(names ...string) *Rows {
		rows := oddRows(700, 1, names...)
		var keep []int
		for i, y := range rows.Values[0] {
			if y == 0 {
				keep = append(keep, i)
			}
		}
		return rows.only(keep)
	}
	blind := trained(t, features.AnomalyDetection, ordinary("a"), 20)
	seeing := trained(t, features.AnomalyDetection, ordinary("a", "b"), 20)
	r := NewRegistry(t.TempDir(), nil)
	cs, err := r.Compare(t.Context(), blind, seeing, oddRows(900, 3, "a", "b"))
	if err != nil || len(cs) != 1 {
		t.Fatalf("%+v, %v", cs, err)
	}
	// A day hangs together: four stretches of 24 times. Who sees no anomaly is wrong on half of
	// the weight.
	if c := cs[0]; c.Verdict != Better || c.Loss != "balanced error" || c.Least != 96 || !(*c.A > 0.45) || !(*c.B < 0.4) {
		t.Errorf("%+v: %v, %v", c, *c.A, *c.B)
	}
	if cs, err := r.Compare(t.Context(), seeing, seeing, oddRows(900, 3, "a", "b")); err != nil || cs[0].Verdict != Open {
		t.Errorf("against itself: %+v, %v", cs, err)
	}
	for name, y := range map[string]float64{"numbers": 0.5, "nothing but anomalies": 1, "no anomaly": 0, "no labels": math.NaN()} {
		rows := oddRows(900, 3, "a", "b")
		for i := range rows.Values[0] {
			rows.Values[0][i] = y
		}
		if cs, err := r.Compare(t.Context(), blind, seeing, rows); !errors.Is(err, ErrNotCompared) || len(cs) != 0 {
			t.Errorf("%s: %+v, %v", name, cs, err)
		}
	}
	rows := oddRows(900, 3, "a", "b")
	rows.Targets, rows.Values = nil, nil
	if _, err := r.Compare(t.Context(), blind, seeing, rows); !errors.Is(err, ErrNotCompared) {
		t.Errorf("no target: %v", err)
	}
}

func TestAnomalyLoss(t *testing.T) {
	labels := []float64{1, 0, 0, 0, math.NaN()}
	loss := anomalyLoss(labels)
	for _, c := range []struct{ v, y, want float64 }{{1.1, 1, 0}, {1, 1, 2}, {1, 0, 0}, {1.1, 0, 4.0 / 6}} {
		if got := loss(c.v, c.y); got != c.want {
			t.Errorf("score %v, label %v: %v, want %v", c.v, c.y, got, c.want)
		}
	}
	if !math.IsNaN(loss(math.NaN(), 1)) || !math.IsNaN(loss(2, math.NaN())) {
		t.Error("what is not known has a loss")
	}
	const hour = 3_600_000
	times := make([]int64, 60)
	marks := make([]float64, 60)
	for i := range times {
		times[i] = int64(i) * hour
		if i >= 10 && i <= 40 {
			marks[i] = 1
		}
	}
	if d, err := labelled(times, marks); err != nil || d != 30*time.Hour {
		t.Errorf("%v, %v; want the 30 h of the incident", d, err)
	}
	clear(marks[12:])
	if d, err := labelled(times, marks); err != nil || d != alarmReach {
		t.Errorf("%v, %v", d, err)
	}
}
