package main

import (
	"math"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
)

// What a forecast says about itself when little is known.
func TestWorth(t *testing.T) {
	f := &series.Forecast{Confidence: 0.25, Accuracy: series.Accuracy{MASE: math.NaN(), Coverage: math.NaN()}}
	if got, want := worth(f), "0.25 (low)"; got != want {
		t.Errorf("worth = %q, want %q", got, want)
	}
	f = &series.Forecast{Confidence: 0.7, Accuracy: series.Accuracy{MASE: 0.512, Coverage: 0.914, Origins: 4}}
	if got, want := worth(f), "0.70 (high), held-out MASE 0.51, 91 % inside the interval"; got != want {
		t.Errorf("worth = %q, want %q", got, want)
	}
}

func TestMembers(t *testing.T) {
	f := &series.Forecast{Model: "median", Members: []series.Member{{Name: "median", Weight: 1}}}
	if got := members(f); got != "median" {
		t.Errorf("members = %q, want the name alone", got)
	}
	f.Model, f.Members = "auto", nil
	for range 12 {
		f.Members = append(f.Members, series.Member{Name: "hour_of_day_median", Weight: 1.0 / 12})
	}
	got := "model       " + members(f)
	narrow(t, got)
	if n := strings.Count(got, "\n"); n != 1 {
		t.Errorf("%d line breaks, want 1:\n%s", n, got)
	}
	if !strings.HasPrefix(got, "model       auto: hour_of_day_median 8 %, ") || !strings.HasSuffix(got, ", and 8 more") {
		t.Errorf("members:\n%s", got)
	}
}

func TestFutureColumns(t *testing.T) {
	f := func(past, future, want int) {
		t.Helper()
		if got := futureColumns(past, future); got != want {
			t.Errorf("futureColumns(%d, %d) = %d, want %d", past, future, got, want)
		}
	}
	f(336, 168, 26) // two weeks and one: a third of 78
	f(48, 6, 8)     // 78·6/54
	f(1000, 1, 6)   // never invisible
	f(1, 1000, 39)  // never more than half
}

func TestNewest(t *testing.T) {
	nan := math.NaN()
	if got := newest(series.Series{Values: []float64{1, 2, nan}}); got != 2 {
		t.Errorf("newest = %g, want 2", got)
	}
	if got := newest(series.Series{Values: []float64{nan}}); !math.IsNaN(got) {
		t.Errorf("newest of gaps = %g, want NaN", got)
	}
}
