package rules

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

func TestShort(t *testing.T) {
	f := series.Finding{Type: series.TypeLevelShift, Start: at(0), Worst: high(4.2, 1.1, 2), WorstAt: at(1)}
	r := series.Result{Labels: labels.FromStrings("pod", "a")}
	if got, want := Short(SignalInfo{Name: "cpu", Unit: "cores"}, r, f), `cpu level shift since 2026-01-05T03:00:00Z, 4.2 cores, expected 1.1 cores {pod="a"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.End = at(5)
	if got, want := Short(SignalInfo{Name: "cpu"}, series.Result{}, f), "cpu level shift from 2026-01-05T03:00:00Z to 2026-01-05T03:05:00Z, 4.2, expected 1.1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSameSubject(t *testing.T) {
	f := func(want bool, a, b labels.Labels) {
		t.Helper()
		if got := SameSubject(Subjects(a), Subjects(b)); got != want {
			t.Errorf("%v and %v: %v, want %v", a, b, got, want)
		}
	}
	f(true, labels.FromStrings("namespace", "s", "deployment", "web"), labels.FromStrings("namespace", "s", "pod", "web-7d9f8b6c5d-x2k4p"))
	f(false, labels.FromStrings("namespace", "s", "deployment", "web"), labels.FromStrings("namespace", "t", "deployment", "web"))
	f(true, labels.FromStrings("instance", "a:9100"), labels.FromStrings("node", "a"))
	f(true, labels.FromStrings("instance", "[::1]:9100"), labels.FromStrings("instance", "[::1]:80"))
	f(false, labels.FromStrings("instance", "a:9100"), labels.FromStrings("instance", "b:9100"))
	f(true, labels.FromStrings("instance", "::1"), labels.FromStrings("node", "::1"))
	f(false, labels.FromStrings("instance", "::1"), labels.FromStrings("instance", "::2"))
	f(false, labels.FromStrings("instance", ":9100"), labels.FromStrings("instance", ":9100"))
	f(false, labels.FromStrings("job", "x"), labels.FromStrings("job", "x"))
}
