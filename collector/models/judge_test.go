package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/forecast/features"
)

// attacks are rows of entities, of which those with many failures and a success after them
// are attacked.
func attacks(t *testing.T, n int) *Rows {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	rows := make([]string, n)
	for i := range rows {
		failed, guessed, target := r.ExpFloat64()*4, 0, 0
		if i%5 == 0 {
			failed, target = 30+20*r.ExpFloat64(), 1
			guessed = r.IntN(2)
		}
		rows[i] = fmt.Sprintf(`{"failed_logins_1h":%v,"success_after_failures_1h":%d,"hour_of_day":%d,"target":%d}`, failed, guessed, r.IntN(24), target)
	}
	out, err := ReadRows(strings.NewReader("[" + strings.Join(rows, ",") + "]"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestJudge(t *testing.T) {
	reg := NewRegistry(t.TempDir(), nil)
	names := []string{"hour_of_day", "unknown", "success_after_failures_1h", "failed_logins_1h"}
	if _, err := reg.NewJudge(features.SecurityThreat, names); !errors.Is(err, ErrNoVersion) {
		t.Errorf("of no version: %v", err)
	}
	v, err := Train(context.Background(), Training{ModelType: features.SecurityThreat, Rows: attacks(t, 2000), Epochs: 60, Horizon: -1, Build: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Passed() {
		t.Fatalf("the gate: %v", v.Targets[0].Why)
	}
	if err := reg.Save(v); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.NewJudge(features.SecurityThreat, names); !errors.Is(err, ErrNoVersion) {
		t.Errorf("of one that is not active: %v", err)
	}
	if _, _, err := reg.Promote(features.SecurityThreat, v.Version, Active, 0); err != nil {
		t.Fatal(err)
	}
	j, err := reg.NewJudge(features.SecurityThreat, names)
	if err != nil {
		t.Fatal(err)
	}
	if j.Version() != "v1" {
		t.Errorf("version %q", j.Version())
	}
	nan := math.NaN()
	for _, c := range []struct {
		row       []float64
		low, high float64
		ok        bool
	}{
		{[]float64{3, 9, 1, 70}, 0.9, 1, true},
		{[]float64{3, nan, 0, 1}, 0, 0.1, true},
		{[]float64{nan, nan, nan, 70}, 0.5, 1, true}, // by what it goes by most
		{[]float64{nan, 1, nan, nan}, 0, 0, false},
		{[]float64{3, 1, nan, nan}, 0, 0, false}, // the hour says nothing
		{[]float64{3, 1, 1, math.Inf(1)}, 0, 0, false},
		{[]float64{3}, 0, 0, false},
		{nil, 0, 0, false},
	} {
		if p, ok := j.Probability(c.row); ok != c.ok || p < c.low || p > c.high {
			t.Errorf("%v: %v %v, want %v to %v, %v", c.row, p, ok, c.low, c.high, c.ok)
		}
	}
	// What lost to saying nothing is not asked.
	j.v.Targets[0].Passed = false
	if p, ok := j.Probability([]float64{3, 9, 1, 70}); ok {
		t.Errorf("of a target that the gate refused: %v", p)
	}
}

func BenchmarkJudge(b *testing.B) {
	t := &testing.T{}
	v, err := Train(context.Background(), Training{ModelType: features.SecurityThreat, Rows: attacks(t, 2000), Epochs: 100, Horizon: -1, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	j := &Judge{v: v, at: []int{0, 1, 2}}
	for b.Loop() {
		j.Probability([]float64{70, 1, 3})
	}
}
