package main

import (
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestThreats_hostileLive sends names that break formats through the tasks of the sidecar: the
// entities are on /metrics as they are, and a name of a megabyte is not.
func TestThreats_hostileLive(t *testing.T) {
	const n = 300
	hit := flat(n, 1)
	for i := n - 2; i < n; i++ {
		hit[i] = 3
	}
	names := []string{`a\nb`, `\"quoted\"`, `{{ .Value }}`, `back\\slash`, strings.Repeat("x", 1<<20)}
	counters := map[string][]float64{`up{job="falco"}`: flat(n, 1)}
	for _, name := range names {
		counters[`falco_events{k8s_ns_name="shop",k8s_pod_name="`+name+`",priority="Critical",rule="r"}`] = hit
	}
	page := playThreats(t, counters, n-5, nil)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, m := range families["upid_threat_risk_score"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "k8s_pod_name" {
				got[l.GetValue()] = true
			}
			if len(l.GetValue()) > 2048 {
				t.Errorf("a label of %d bytes", len(l.GetValue()))
			}
		}
	}
	for _, want := range []string{"a\nb", `"quoted"`, "{{ .Value }}", `back\slash`} {
		if !got[want] {
			t.Errorf("%q is not on the page: %v", want, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d entities, want 4", len(got))
	}
}
