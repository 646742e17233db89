package rules

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// at returns Unix milliseconds of 5 January 2026, 03:00 UTC plus min minutes.
func at(min int) int64 {
	return time.Date(2026, 1, 5, 3, min, 0, 0, time.UTC).UnixMilli()
}

// TestAnnotationsGolden is what a person reads when woken. UPDATE=1 rewrites it.
func TestAnnotationsGolden(t *testing.T) {
	nan := math.NaN()
	cpu := SignalInfo{
		Name: "checkout_cpu", Type: "resource", Unit: "cores", RunbookURL: "https://wiki.example/cpu",
		Query: `sum by (pod) (rate(x{ns="a&b"}[5m]))`, PrometheusURL: "https://u:p@prom.example/prefix/?x=1#y",
	}
	errs := SignalInfo{Name: "error_ratio", Type: "performance", Unit: "ratio"}
	pod := labels.FromStrings("namespace", "checkout", "pod", "a{{ .Value }}")
	cases := []struct {
		Name    string
		info    SignalInfo
		result  series.Result
		finding series.Finding
	}{
		{"open", cpu, series.Result{SourceName: "cpu", Labels: pod, Time: at(4)}, series.Finding{
			Family: FamilyResource, Type: series.TypeSpike, Severity: series.SeverityWarning, Start: at(0), Peak: 5.123456, Confidence: 0.72,
			Score: series.Score{Observed: 4.2, Expected: 1.1, Lower: 0.9, Upper: 1.4, Value: 3.2, Confidence: 0.72, Type: series.TypeSpike},
		}},
		{"resolved and reclassified", cpu, series.Result{Labels: pod, Time: at(30)}, series.Finding{
			Type: series.TypeDrop, Reclassified: series.TypeLevelShift, Severity: series.SeverityWarning, Start: at(0), End: at(20), Peak: 2, Confidence: 0.3,
			Score: series.Score{Observed: 0.2, Expected: 1.1, Lower: 0.9, Upper: nan, Value: 2, Confidence: 0.3, Type: series.TypeDrop},
		}},
		{"stale", errs, series.Result{Labels: labels.EmptyLabels(), Time: at(4)}, series.Finding{
			Type: series.TypeSpike, Severity: series.SeverityCritical, Start: at(0), Peak: 9, Confidence: 0.9, Stale: true,
			Score: series.Score{Observed: 0.25, Expected: 0.01, Lower: nan, Upper: 0.02, Value: 9, Confidence: 0.9, Type: series.TypeSpike},
		}},
		{"missing", cpu, series.Result{Labels: pod, Time: at(4)}, series.Finding{
			Type: series.TypeMissing, Severity: series.SeverityInfo, Start: at(0), Peak: 1, Confidence: 0.5,
			Score: series.Score{Observed: nan, Expected: 1.1, Lower: nan, Upper: nan, Value: 1, Confidence: 0.5, Type: series.TypeMissing},
		}},
		{"no expectation, unknown type", cpu, series.Result{Labels: pod}, series.Finding{
			Type: "wobble", Severity: series.SeverityInfo, Start: at(0), Peak: 1.5, Confidence: 0.5, Stale: true,
			Score: series.Score{Observed: 3, Expected: nan, Lower: nan, Upper: nan, Value: nan, Confidence: 0.5, Type: "wobble"},
		}},
	}
	type record struct {
		Name         string
		Annotations  map[string]string
		GeneratorURL string
	}
	var out []record
	for _, c := range cases {
		out = append(out, record{c.Name, Annotations(c.info, c.result, c.finding), GeneratorURL(c.info)})
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/annotations.golden.json"
	if os.Getenv("UPDATE") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("differs from %s:\n%s", golden, got.Bytes())
	}
}

func TestDeviation(t *testing.T) {
	f := func(observed, expected float64, unit, want string) {
		t.Helper()
		if got := deviation(observed, expected, unit); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(4.2, 1.1, "cores", "That is 3.1 cores above the expectation (+282 %).") // 3.1/1.1
	f(0.2, 1, "cores", "That is 0.8 cores below the expectation (-80 %).")
	f(1, 1, "cores", "That is just as expected.")
	f(5, 0, "cores", "That is 5 cores above the expectation.")
	f(25, 1, "", "That is 24 above the expectation (25 times as much).")
	f(50, -1, "", "That is 51 above the expectation (+5100 %).")
	f(0.25, 0.2, "ratio", "That is 5 percentage points above the expectation (+25 %).")
	f(20, 25, "percent", "That is 5 percentage points below the expectation (-20 %).")
	f(1e308, 1e-308, "", "That is 1e+308 above the expectation.")
}

func TestGeneratorURL(t *testing.T) {
	f := func(base, query, want string) {
		t.Helper()
		if got := GeneratorURL(SignalInfo{PrometheusURL: base, Query: query}); got != want {
			t.Errorf("GeneratorURL(%q, %q) = %q, want %q", base, query, got, want)
		}
	}
	f("http://p:9090", `a{b="c"} + 1`, "http://p:9090/graph?g0.expr=a%7Bb%3D%22c%22%7D+%2B+1&g0.tab=0")
	f("http://p:9090/x/", "a", "http://p:9090/x/graph?g0.expr=a&g0.tab=0")
	f("https://u:secret@p/?q#f", "a", "https://p/graph?g0.expr=a&g0.tab=0")
	f("javascript:alert(1)", "a", "")
	f("file:///etc", "a", "")
	f("http://", "a", "")
	f("::", "a", "")
	f("", "a", "")
	f("http://p", "", "")
}

func TestWatchdog(t *testing.T) {
	if got := WatchdogLabels().String(); got != `{alertname="UpidWatchdog", severity="info"}` {
		t.Errorf("labels %s", got)
	}
	a := WatchdogAnnotations()
	if a["summary"] == "" || a["description"] == "" {
		t.Errorf("annotations %v", a)
	}
}
