package views

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// The description of a finding says what its alert says around it: the others of its
// group, and other signals about the same workload.
func TestDescriptionSaysWhatElseMoved(t *testing.T) {
	v := New(Options{Version: "1"})
	signals := full().signals
	v.SetSignals(signals)
	of := func(pod, id, group string) series.Result {
		r := result(pod, noon, nil)
		f := finding(id, series.TypeSpike, noon, 0)
		f.Group = group
		r.Findings = []series.Finding{f}
		return r
	}
	write(t, v, "cpu", noon, of("web-0", "a", "g"), of("web-1", "b", "g"))
	other := of("x", "c", "")
	other.Labels = labels.FromStrings("namespace", "shop", "deployment", "web")
	write(t, v, "spend", noon, other)
	page, _ := v.Anomalies(AnomalyFilter{Signal: "cpu"})
	if len(page) != 2 {
		t.Fatalf("%d anomalies", len(page))
	}
	for i, sibling := range []string{"web-1", "web-0"} {
		s := page[i].Description
		if !strings.Contains(s, "In the same workload: cpu spike since 2023-11-13T12:00:00Z, 30 cores, expected 10 cores") || !strings.Contains(s, sibling) || !strings.Contains(s, "What else moved: spend spike since") {
			t.Errorf("%s: %s", page[i].ID, s)
		}
	}
}
