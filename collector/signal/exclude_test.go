package signal

import (
	"math"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/series"
)

func TestWithout(t *testing.T) {
	y := series.Series{Start: 1000, Step: 1000, Values: []float64{1, 2, 3, 4}}
	got := without(y, []feedback.Span{{From: 2000, To: 4000}})
	if !math.IsNaN(got.Values[1]) || !math.IsNaN(got.Values[2]) || got.Values[0] != 1 || got.Values[3] != 4 || y.Values[1] != 2 {
		t.Errorf("%v of %v", got.Values, y.Values)
	}
	if left := over([]feedback.Span{{From: 1, To: 5}, {From: 2, To: 9}}, 5); len(left) != 1 || left[0].To != 5 {
		t.Errorf("%v", left)
	}
}

// TestExcludedIsNotLearned: a fit on history with an incident that is excluded says what one
// without the incident says, to within a twentieth, and closes nothing and opens nothing for it. It comes at the
// same time of two days: what comes once the forecast leaves out by itself, and nothing would be shown.
func TestExcludedIsNotLearned(t *testing.T) {
	end := epoch + 30*day + 12*hour
	from, to := end-20*hour, end-14*hour
	spans := []feedback.Span{{From: from - 3*day, To: to - 3*day}, {From: from, To: to}}
	incident := func(at int64) float64 {
		if feedback.In(spans, at) {
			return 3 * daily(at)
		}
		return daily(at)
	}
	learn := func(value func(int64) float64, exclude bool) *state {
		t.Helper()
		u := newUnit(t, options())
		if exclude {
			u.Exclude(func(signal string, ls labels.Labels) []feedback.Span {
				if signal != "checkout" || ls.Get("job") != "shop" || ls.Get("__name__") != "" {
					return nil
				}
				return spans
			})
		}
		fit(t, u, single(value), end)
		return u.order[0]
	}
	clean, marked, unmarked := learn(daily, false), learn(incident, true), learn(incident, false)
	change := func(s *state) float64 {
		sum, width := 0.0, 0.0
		for h := range 24 {
			sum += (math.Abs(s.forecast.Lower[h]-clean.forecast.Lower[h]) + math.Abs(s.forecast.Upper[h]-clean.forecast.Upper[h])) / 2
			width += clean.forecast.Upper[h] - clean.forecast.Lower[h]
		}
		return sum / width
	}
	if c := change(marked); !(c < 0.05) || !(change(unmarked) > 0.05) {
		t.Errorf("the band changes by %.3f of its width, by %.3f unmarked", c, change(unmarked))
	}
	if len(marked.past) != 0 || marked.alert.Resolved != nil {
		t.Errorf("the incident is a finding all the same: %+v", marked.past)
	}
	if len(unmarked.past) == 0 {
		t.Error("the incident is no finding even unmarked")
	}
}
