package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func TestRange(t *testing.T) {
	e := filled(t, 30, Options{})
	lines, err := e.Range(t.Context(), "increase(requests_total[2m])", start+10*minute, start+12*minute, minute)
	if err != nil || len(lines) != 1 || len(lines[0].Times) != 3 || lines[0].Times[0] != start+10*minute || lines[0].Values[2] != 60 || lines[0].Labels.Get("code") != "200" {
		t.Fatalf("%+v %v", lines, err)
	}
	if _, err := e.Range(t.Context(), "sum(", start, start, minute); err == nil || !strings.Contains(err.Error(), `query "sum("`) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Range(ctx, "load", start, start, minute); err == nil {
		t.Error("a cancelled query")
	}
}

// TestLookbackCarriesForward holds what counters written on change need: with a long
// look-back a selector, and its offset, have the last value.
func TestLookbackCarriesForward(t *testing.T) {
	e := open(t, Options{Lookback: 10 * 365 * 24 * time.Hour})
	b := e.Batch(t.Context())
	for at, v := range map[int64]float64{0: 3} {
		if _, err := b.Append(0, labels.FromStrings("__name__", "m", "a", "x"), start+at, v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Append(0, labels.FromStrings("__name__", "m", "a", "x"), start+600*minute, 8); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	lines, err := e.Range(t.Context(), "sum by (a) ((m - m offset 5m) >= 0 or m)", start, start+700*minute, 5*minute)
	if err != nil || len(lines) != 1 {
		t.Fatal(lines, err)
	}
	for i, at := range lines[0].Times {
		want := map[int64]float64{start: 3, start + 600*minute: 5}[at]
		if lines[0].Values[i] != want {
			t.Errorf("%d min: %v, want %v", (at-start)/minute, lines[0].Values[i], want)
		}
	}
}
