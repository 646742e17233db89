package rules

import (
	"math"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

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
	f(series.ViewGap, 600, 300, "No value for 10 min, an alert takes 5 min.")
	f(series.ViewStays, 7200, 5400, "It comes and goes, and has been there for 2 h; an alert takes 90 min.")
}

func TestPeersAreExplained(t *testing.T) {
	w := series.Why{View: series.ViewPeers, Value: 9.1, Limit: 4.55, Deviation: 0.12, Usual: 0.1, Days: 40, Peers: 5}
	worst := series.Score{Observed: 0.22, Expected: 0.14, Lower: math.NaN(), Upper: 0.2, Value: 2, Confidence: 0.7, Type: series.TypeOutlier, Why: w}
	f := series.Finding{Type: series.TypeOutlier, Start: 60_000, WorstAt: 120_000, Peak: 2, Worst: worst, Score: worst, Confidence: 0.7}
	info := SignalInfo{Name: "latency", Type: "performance", Unit: "s"}
	a := Annotations(info, series.Result{Time: 120_000, Labels: labels.FromStrings("pod", "web-1")}, f, Context{})
	for name, want := range map[string]string{
		"summary":      `latency is unlike its 5 peers: 220 ms, theirs 100 ms {pod="web-1"}`,
		"first_action": peersAction,
	} {
		if a[name] != want {
			t.Errorf("%s %q, want %q", name, a[name], want)
		}
	}
	for _, want := range []string{
		"the value was 220 ms, 120 ms (+120 %) above what its 5 peers have, 100 ms, expected 140 ms, ordinary up to 200 ms.",
		"Seen against its 5 peers: for minutes 9.1 of their usual differences apart, an alert takes 4.55.",
		"Among these replicas that is seen about once in 40 days.",
	} {
		if !strings.Contains(a["description"], want) {
			t.Errorf("the description lacks %q: %s", want, a["description"])
		}
	}
	f.End = 600_000
	if s := Annotations(info, series.Result{Time: 600_000}, f, Context{})["summary"]; !strings.HasPrefix(s, "latency was unlike its 5 peers: 220 ms") {
		t.Errorf("once it is over: %s", s)
	}
}
