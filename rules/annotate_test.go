package rules

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
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
		context Context
	}{
		{"open, at its worst", cpu, series.Result{SourceName: "cpu", Labels: pod, Time: at(4)}, series.Finding{
			Family: FamilyResource, Type: series.TypeSpike, Severity: series.SeverityWarning, Start: at(0), Peak: 5.123456, Confidence: 0.72,
			Score: high(4.2, 1.1, 5.123456), Worst: high(4.2, 1.1, 5.123456), WorstAt: at(4),
		}, Context{}},
		{"open, nearly back", cpu, series.Result{SourceName: "cpu", Labels: pod, Time: at(34)}, series.Finding{
			Family: FamilyResource, Type: series.TypeSpike, Severity: series.SeverityWarning, Start: at(0), Peak: 5.123456, Confidence: 0.72,
			Score: high(1.11, 1.1, 0.2), Worst: high(4.2, 1.1, 5.123456), WorstAt: at(4),
		}, Context{}},
		{"drift", cpu, series.Result{Labels: pod, Time: at(400)}, series.Finding{
			Type: series.TypeDrift, Severity: series.SeverityCritical, Start: at(0), Peak: 4.5, Confidence: 0.72,
			Score: high(1.62, 1.6, 1.464), WorstAt: at(300), Worst: series.Score{
				Observed: 1.61, Expected: 1.6, Lower: 1.2, Upper: 2, Value: 4.5, Confidence: 0.7, Type: series.TypeDrift,
				Why: series.Why{View: series.ViewMean6h, Value: 11.2, Limit: 2.5, Deviation: 0.5, Usual: 1.1, Days: 40.2},
			},
		}, Context{}},
		{"resolved and reclassified", cpu, series.Result{Labels: pod, Time: at(30)}, series.Finding{
			Type: series.TypeDrop, Reclassified: series.TypeLevelShift, Severity: series.SeverityWarning, Start: at(0), End: at(20), Peak: 2, Confidence: 0.3,
			Score: high(1, 1.1, 1.1), WorstAt: at(2), Worst: series.Score{
				Observed: 0.2, Expected: 1.1, Lower: 0.9, Upper: nan, Value: 2, Confidence: 0.3, Type: series.TypeDrop,
				Why: series.Why{View: series.ViewValue, Value: 9, Limit: 4.5, Deviation: -0.9, Usual: 1.1, Days: 0.2},
			},
		}, Context{}},
		{"stale", errs, series.Result{Labels: labels.EmptyLabels(), Time: at(4)}, series.Finding{
			Type: series.TypeSpike, Severity: series.SeverityCritical, Start: at(0), Peak: 9, Confidence: 0.9, Stale: true, WorstAt: at(1),
			Worst: series.Score{Observed: 0.25, Expected: 0.01, Lower: nan, Upper: 0.02, Value: 9, Confidence: 0.9, Type: series.TypeSpike},
			Score: series.Score{Observed: nan, Expected: 0.01, Lower: nan, Upper: 0.02, Value: 0.1, Confidence: 0.9, Type: ""},
		}, Context{}},
		{"missing", cpu, series.Result{Labels: pod, Time: at(4)}, series.Finding{
			Type: series.TypeMissing, Severity: series.SeverityInfo, Start: at(0), Peak: 1, Confidence: 0.5, WorstAt: at(4), Worst: series.Score{
				Observed: nan, Expected: 1.1, Lower: nan, Upper: nan, Value: 1, Confidence: 0.5, Type: series.TypeMissing,
				Why: series.Why{View: series.ViewGap, Value: 600, Limit: 300},
			},
		}, Context{}},
		{"no expectation, unknown type", cpu, series.Result{Labels: pod, Time: at(9)}, series.Finding{
			Type: "wobble", Severity: series.SeverityInfo, Start: at(0), Peak: 1.5, Confidence: 0.5, WorstAt: at(2),
			Score: series.Score{Observed: 3, Expected: nan, Lower: nan, Upper: nan, Value: nan, Confidence: 0.5, Type: ""},
			Worst: series.Score{Observed: 3, Expected: nan, Lower: nan, Upper: nan, Value: 1.5, Confidence: 0.5, Type: "wobble"},
		}, Context{}},
		{"not alone", cpu, series.Result{Labels: pod, Time: at(4)}, series.Finding{
			Type: series.TypeSpike, Severity: series.SeverityWarning, Start: at(0), Peak: 5.123456, Confidence: 0.72,
			Score: high(4.2, 1.1, 5.123456), Worst: high(4.2, 1.1, 5.123456), WorstAt: at(4),
		}, Context{
			Together:  []string{"checkout_cpu spike since 2026-01-05T03:01:00Z", "b", "c", "d", "e", "f", "g", "h", "i", "j"},
			Elsewhere: []string{"latency level shift since 2026-01-05T03:02:00Z"}, Recommendation: "r1, give checkout 2 cores",
		}},
	}
	type record struct {
		Name         string
		Annotations  map[string]string
		GeneratorURL string
	}
	var out []record
	for _, c := range cases {
		out = append(out, record{c.Name, Annotations(c.info, c.result, c.finding, c.context), GeneratorURL(c.info)})
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

func TestOffset(t *testing.T) {
	f := func(observed, expected float64, unit, want string) {
		t.Helper()
		if got := offset(observed-expected, expected, unit); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(4.2, 1.1, "cores", "3.1 cores (+282 %) above") // 3.1/1.1
	f(0.2, 1, "cores", "0.8 cores (-80 %) below")
	f(5, 0, "cores", "5 cores above")
	f(25, 1, "", "24 (25 times as much) above")
	f(50, -1, "", "51 (+5100 %) above")
	f(0.25, 0.2, "ratio", "5 percentage points (+25 %) above")
	f(20, 25, "percent", "5 percentage points (-20 %) below")
	f(1e308, 1e-308, "", "1e+308 above")
}

func TestRarity(t *testing.T) {
	f := func(days float64, want string) {
		t.Helper()
		if got := rarity(days); got != want {
			t.Errorf("rarity(%g) = %q, want %q", days, got, want)
		}
	}
	f(0, "")
	f(math.NaN(), "")
	f(1e6, "In this series that is seen less than once a year.")
	f(40.2, "In this series that is seen about once in 40 days.")
	f(0.25, "In this series that is seen about once in 6 hours.")
	f(0.01, "In this series that is seen more than once an hour.")
}

// What is over is told in the past, and every type has words and a first action of
// its own where the family has one.
func TestTellsThePast(t *testing.T) {
	for _, typ := range series.AnomalyTypes {
		f := series.Finding{Type: typ, Start: at(0), End: at(9), Peak: 2, Worst: high(4, 1, 2), WorstAt: at(1)}
		a := Annotations(SignalInfo{Name: "x"}, series.Result{Time: at(10)}, f, Context{})
		for _, word := range []string{" is unusually", "x has ", "x is ", "x varies", " now "} {
			if strings.Contains(a["summary"]+a["description"], word) {
				t.Errorf("%s is over, but: %s %s", typ, a["summary"], a["description"])
			}
		}
	}
	for _, family := range Families {
		if a := FirstAction(family, series.TypeDrift); family != FamilySystem && strings.Contains(a, "rollout") {
			t.Errorf("%s: the first action for a drift looks at rollouts: %s", family, a)
		}
	}
}

// high is the score of a spike from 1.1 or so.
func high(observed, expected, score float64) series.Score {
	s := series.Score{Observed: observed, Expected: expected, Lower: 0.9, Upper: 1.4, Value: score, Confidence: 0.72, Type: ""}
	if score >= 1 {
		s.Type = series.TypeSpike
		s.Why = series.Why{View: series.ViewValue, Value: 20, Limit: 20 / score, Deviation: observed - expected, Usual: expected, Days: 800}
	}
	return s
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

// Whoever is woken looks for what it is now, not for what it was when it opened.
func TestAnnotations_firstActionReclassified(t *testing.T) {
	info := SignalInfo{Name: "node_filesystem", Type: FamilyResource}
	f := series.Finding{Family: FamilyResource, Type: series.TypeLevelShift, Reclassified: series.TypeDrift, Severity: series.SeverityCritical, Start: 1}
	if got, want := Annotations(info, series.Result{}, f, Context{})["first_action"], FirstAction(FamilyResource, series.TypeDrift); got != want {
		t.Errorf("open: %s, want %s", got, want)
	}
	f.End = 2
	if got, want := Annotations(info, series.Result{}, f, Context{})["first_action"], FirstAction(FamilyResource, series.TypeLevelShift); got != want {
		t.Errorf("ended: %s, want %s", got, want)
	}
}
