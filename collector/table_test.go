package collector

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/upid/upid/collector/series"
)

func TestTable(t *testing.T) {
	name := regexp.MustCompile(`^upid_[a-z][a-z0-9_]*$`)
	seen := map[string]bool{}
	for _, m := range Metrics {
		// OpenMetrics names the family of a counter without its suffix.
		family := strings.TrimSuffix(m.Name, "_total")
		if seen[family] {
			t.Errorf("%s: twice in the table", m.Name)
		}
		seen[family] = true
		if !name.MatchString(m.Name) {
			t.Errorf("%s: not a name of ours", m.Name)
		}
		if (m.Kind == Counter) != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s: a %s", m.Name, m.Kind)
		}
		if !strings.HasSuffix(m.Help, ".") || strings.ContainsAny(m.Help, "\n\\\"") {
			t.Errorf("%s: help %q: want one sentence that needs no escaping, with a period", m.Name, m.Help)
		}
		if m.Scope != Self && m.Kind != Gauge {
			t.Errorf("%s: rendered metrics are gauges, not %s", m.Name, m.Kind)
		}
		for _, l := range m.Labels {
			if m.Scope == PerSeries && !series.IsOwnLabel(l) {
				t.Errorf("%s: label %s is not reserved, an input label of that name would clash", m.Name, l)
			}
		}
	}
}

// TestTableLint gives every metric a sample, in the way it is made, and asks
// Prometheus' own linter.
func TestTableLint(t *testing.T) {
	reg := NewRegistry(Build{"1.2.3", "abc", "main"})
	for _, m := range Metrics {
		values := make([]string, len(m.Labels))
		for i := range values {
			values[i] = "x"
		}
		switch {
		case m.Scope != Self:
		case m.Kind == Counter:
			NewCounterVec(reg, m.Name).WithLabelValues(values...).Inc()
		case m.Kind == Gauge:
			NewGaugeVec(reg, m.Name).WithLabelValues(values...).Set(1)
		case m.Kind == Histogram:
			NewHistogramVec(reg, m.Name).WithLabelValues(values...).Observe(1)
		}
	}
	c := full(t, Options{Registry: reg})
	body, _ := get(t, c, "")
	for _, m := range Metrics {
		if !strings.Contains(body, "\n# TYPE "+m.Name+" "+string(m.Kind)+"\n") && !strings.HasPrefix(body, "# HELP "+m.Name+" ") {
			t.Errorf("%s: not on the page", m.Name)
		}
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	names := map[string]bool{}
	for _, m := range Metrics {
		names[m.Name] = true
	}
	for line := range strings.SplitSeq(body, "\n") {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			n, _, _ := strings.Cut(rest, " ")
			if !names[n] && !strings.HasPrefix(n, "go_") && !strings.HasPrefix(n, "process_") {
				t.Errorf("%s: on the page and not in the table", n)
			}
		}
	}
	if got := samples(t, body, classic); len(got) == 0 {
		t.Error("no samples")
	}
}

// TestDocs compares docs/metrics.md with the table. UPDATE=1 writes it.
func TestDocs(t *testing.T) {
	const file = "../docs/metrics.md"
	want := docs()
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table says: run UPDATE=1 go test ./collector", file)
	}
}

func docs() []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Generated from collector/metrics.go by UPDATE=1 go test ./collector. Do not edit. -->
# Metrics

Names, types, labels and meanings of everything on ` + "`/metrics`" + `. STABLE metrics keep all of them within a major version.

No sample carries a timestamp, and none is NaN or infinite: what is not known is absent. A result older than three times its
signal's cadence is absent too.
`)
	for _, s := range []struct {
		scope Scope
		text  string
	}{
		{PerSeries, `## Results, one per series

They carry the labels of the input series beside their own. Scrape them with ` + "`honor_labels: true`" + `. The input's name is dropped,
and kept as ` + "`source_name`" + ` where series would collide without it. An input label is renamed ` + "`source_<label>`" + ` if it is called
` + list(series.OwnLabels) + `.
The value of ` + "`horizon`" + ` is the largest exact unit of d, h and m: ` + "`7d`, `36h`, `10m`" + `.`},
		{PerAdvice, `## Recommendations

They carry the labels of their target, as far as it has them: ` + "`cluster`, `namespace`, `workload_kind`, `workload`, `container`" + `.`},
		{PerSignal, "## Results, one per signal"},
		{Snapshot, "## The page itself"},
		{Self, "## upid\n\nBeside these the page has the standard `go_` and `process_` metrics."},
	} {
		fmt.Fprintf(&b, "\n%s\n\n| metric | type | labels | meaning | stability |\n|---|---|---|---|---|\n", s.text)
		for _, m := range Metrics {
			if m.Scope == s.scope {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, list(m.Labels), m.Help, m.Stability)
			}
		}
	}
	return b.Bytes()
}

func list(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "`" + n + "`"
	}
	return strings.Join(quoted, ", ")
}

func TestRegisterTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	a := NewCounterVec(reg, "upid_series_dropped_total")
	b := NewCounterVec(reg, "upid_series_dropped_total")
	if a != b {
		t.Error("two counters of one name")
	}
	a.WithLabelValues("s", "limit").Inc()
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	panics("not in the table", func() { NewGaugeVec(reg, "upid_invented") })
	panics("another kind", func() { NewGaugeVec(reg, "upid_series_dropped_total") })
	panics("rendered", func() { NewGaugeVec(reg, "upid_signal_series") })
	panics("clash", func() {
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "upid_alerts", Help: "Another."}))
		NewGaugeVec(reg, "upid_alerts")
	})
	panics("nothing renders it", func() { families([]Metric{{"upid_new", Gauge, "New.", nil, PerSeries, Stable}}) })
}
