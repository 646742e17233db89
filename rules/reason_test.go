package rules

import (
	"testing"

	"github.com/upid/upid/collector/series"
)

func TestReasonOfTimes(t *testing.T) {
	f := func(view string, value, limit float64, want string) {
		t.Helper()
		if got := reason(series.Why{View: view, Value: value, Limit: limit}); got != want {
			t.Errorf("%s: %q, want %q", view, got, want)
		}
	}
	f(series.ViewState, 1200, 900, "It has had this one of its two values for 20 min, an alert takes 15 min.")
	f(series.ViewAway, 4.2, 3, "About 4.2 of the last points were not at its one usual value, an alert takes 3.")
	f(series.ViewLate, 93600, 90000, "What comes by the clock came 26 h ago, an alert takes 25 h.")
	f(series.ViewStays, 7200, 5400, "It comes and goes, and has been there for 2 h; an alert takes 90 min.")
}
