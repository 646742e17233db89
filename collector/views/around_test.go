package views

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
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

// An anomaly of a workload is related to that of a KPI which moved with it.
func TestDescriptionSaysWhichKPIMoved(t *testing.T) {
	v := New(Options{Version: "1"})
	signals := full().signals
	spend := signals["spend"]
	spend.Type = rules.TypeBusiness
	signals["spend"] = spend
	v.SetSignals(signals)
	w := result("web-0", noon, nil)
	w.Findings = []series.Finding{finding("a", series.TypeSpike, noon, 0)}
	write(t, v, "cpu", noon, w)
	k := result("x", noon, nil)
	k.Labels, k.Findings = labels.FromStrings("country", "de"), []series.Finding{finding("b", series.TypeDrop, noon, 0)}
	write(t, v, "spend", noon, k)
	page, _ := v.Anomalies(AnomalyFilter{Signal: "cpu"})
	if len(page) != 1 || !strings.Contains(page[0].Description, "KPIs that moved with it: spend drop since 2023-11-13T12:00:00Z") || !slices.Contains(page[0].Related, "b") {
		t.Errorf("%+v", page)
	}
}
