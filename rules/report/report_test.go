package report

import (
	"math"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

func of(start int64, values ...float64) series.Series {
	return series.Series{Labels: labels.FromStrings("a", "b"), Start: start, Step: 5 * minute, Values: values}
}

// TestReached: a resource is applied three quarters of the way and no more than a quarter beyond, either way.
func TestReached(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		before, want, v float64
		reached         bool
	}{
		{3, 1, 1, true},
		{3, 1, 1.5, true},
		{3, 1, 1.6, false},
		{3, 1, 0.5, true},
		{3, 1, 0.4, false},
		{3, 1, 3, false},
		{3, 1, 5, false},
		{1, 3, 2.5, true},
		{1, 3, 2, false},
		{2, 0, 0, true},
		{2, 0, 1, false},
		{nan, 4, 4, true},
		{nan, 4, 6, false},
		{4, 4, 4, false},
		{4, 4.02, 4.02, false},
	} {
		if got := reached(c.before, c.want, c.v); got != c.reached {
			t.Errorf("from %v to %v at %v: %v", c.before, c.want, c.v, got)
		}
	}
}

// TestEpisodes: a quarter of an hour of silence does not end one, and one at the first point began before.
func TestEpisodes(t *testing.T) {
	nan := math.NaN()
	s := of(0, 1, 1, nan, nan, 1, nan, nan, nan, nan, 1, 1)
	got := episodes(s, 0, s.At(10), s.Step)
	want := []episode{{s.Labels, 0, s.At(4), true, false}, {s.Labels, s.At(9), s.At(10), false, true}}
	if !slices.EqualFunc(got, want, func(a, b episode) bool {
		return a.start == b.start && a.end == b.end && a.early == b.early && a.open == b.open
	}) {
		t.Errorf("%+v", got)
	}
	if got := episodes(s, s.At(1), s.At(3), s.Step); len(got) != 1 || got[0].start != s.At(1) || !got[0].open {
		t.Errorf("%+v", got)
	}
}

// TestMerge: of two replicas the higher holds, and what only one says.
func TestMerge(t *testing.T) {
	nan := math.NaN()
	got := merge(of(0, 1, nan, 3), of(5*minute, 2, 1, nan))
	if got.Start != 0 || len(got.Values) != 4 || got.Values[0] != 1 || got.Values[1] != 2 || got.Values[2] != 3 || !math.IsNaN(got.Values[3]) {
		t.Errorf("%+v", got)
	}
}

// TestFull: a sum over a time is scaled to all of its hours only if 95 % of them are known.
func TestFull(t *testing.T) {
	y := series.Series{Start: 0, Step: hour, Values: slices.Repeat([]float64{2}, 100)}
	for i := range 5 {
		y.Values[20*i] = math.NaN()
	}
	if got := full(y, 0, 100*hour); math.Abs(got-200) > 1e-9 {
		t.Errorf("%v", got)
	}
	y.Values[1] = math.NaN()
	if got := full(y, 0, 100*hour); !math.IsNaN(got) {
		t.Errorf("%v of 94 hours", got)
	}
	if sum, hours := spent(y, 0, 100*hour); sum != 188 || hours != 94 {
		t.Errorf("%v in %d hours", sum, hours)
	}
}

// TestMedian of none is not a number.
func TestMedian(t *testing.T) {
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Error(got)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("a median of nothing")
	}
}

// TestMakeOfNothing: an empty input makes a report in which nothing is known and everything says why.
func TestMakeOfNothing(t *testing.T) {
	r := Make(Input{From: 0, To: week, Step: 5 * minute, Failed: map[string]string{"spend": "too long"}})
	for _, f := range []Figure{
		r.Spend.Total, r.Spend.Against, r.Savings.Proposed, r.Savings.Applied, r.Savings.Realised, r.Incidents.Count, r.Incidents.Lead, r.Accuracy.Skill, r.Accuracy.Over,
	} {
		if f.Known() || len(f.Absent) < 20 {
			t.Errorf("%+v", f)
		}
	}
	if r.Spend.Total.Absent != "the query failed: too long" {
		t.Errorf("%q", r.Spend.Total.Absent)
	}
}
