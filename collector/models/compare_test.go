package models

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
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

// TestCompareNoAnomalies: a score is no probability, so there is no verdict on it.
func TestCompareNoAnomalies(t *testing.T) {
	rows := timedRows(500, 1, true)
	v := trained(t, features.AnomalyDetection, rows, 20)
	cs, err := NewRegistry(t.TempDir(), nil).Compare(t.Context(), v, v, timedRows(600, 2, true))
	if !errors.Is(err, ErrNotCompared) || len(cs) != 0 || !strings.Contains(err.Error(), "anomal") {
		t.Errorf("%+v, %v", cs, err)
	}
}
