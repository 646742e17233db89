package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

func TestAlertLabels(t *testing.T) {
	info := SignalInfo{Name: "cpu"}
	finding := series.Finding{Severity: "warning", Type: "spike"}
	f := func(in labels.Labels, source string, named bool, want string) {
		t.Helper()
		got, err := AlertLabels(info, series.Result{Labels: in, SourceName: source}, finding, named)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const own = `alertname="UpidAnomaly", `
	f(labels.EmptyLabels(), "node_load1", false, `{alertname="UpidAnomaly", severity="warning", signal="cpu", type="spike"}`)
	f(labels.FromStrings("pod", "a"), "", false, `{`+own+`pod="a", severity="warning", signal="cpu", type="spike"}`)
	// A target cannot choose its alert name, severity or type.
	f(labels.FromStrings("alertname", "X", "severity", "critical", "signal", "s", "type", "t", "horizon", "1h"), "", false,
		`{`+own+`severity="warning", signal="cpu", source_alertname="X", source_horizon="1h", source_severity="critical", source_signal="s", source_type="t", type="spike"}`)
	// Nor take the place of a renamed label.
	f(labels.FromStrings("type", "t", "source_type", "u", "source_source_type", "v"), "", false,
		`{`+own+`severity="warning", signal="cpu", source_source_source_type="t", source_source_type="v", source_type="u", type="spike"}`)
	// The metric name is kept where series would collide.
	f(labels.FromStrings("pod", "a"), "node_load1", true, `{`+own+`pod="a", severity="warning", signal="cpu", source_name="node_load1", type="spike"}`)
	f(labels.FromStrings("source_name", "n"), "node_load1", true, `{`+own+`severity="warning", signal="cpu", source_name="node_load1", source_source_name="n", type="spike"}`)
	f(labels.FromStrings("__name__", "x", "empty", "", "größe", "ü"), "", false, `{`+own+`"größe"="ü", severity="warning", signal="cpu", type="spike"}`)
}

func TestAlertLabelsInvalid(t *testing.T) {
	f := func(in labels.Labels, want string) {
		t.Helper()
		_, err := AlertLabels(SignalInfo{Name: "cpu"}, series.Result{Labels: in}, series.Finding{Severity: "info", Type: "drop"}, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	f(labels.FromStrings("a\xffb", "x"), `label name "a\xffb" is invalid`)
	f(labels.FromStrings("a", "x\xff"), `value "x\xff" of label "a" is not UTF-8`)
	f(labels.FromStrings("a\nb", "x"), `label name "a\nb" is invalid`)
	f(labels.FromStrings("a", strings.Repeat("x", 1025)), `label "a" has 1 bytes and a value of 1025, want at most 256 and 1024`)
	f(labels.FromStrings(strings.Repeat("x", 257), "x"), `has 257 bytes`)
	many := map[string]string{}
	for i := range 41 {
		many[fmt.Sprint("l", i)] = "x"
	}
	f(labels.FromMap(many), `41 labels, want at most 40`)
}

// FuzzAlertLabels checks that no label of a target changes upid's own labels and
// that every other value is kept, under whatever name.
func FuzzAlertLabels(f *testing.F) {
	f.Add("alertname", "UpidWatchdog", "source_alertname", "x")
	f.Add("pod", "{{ .Value }}", "type", "\n")
	f.Add("a\xff", "", "", "\x00")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		in := map[string]string{n1: v1, n2: v2}
		got, err := AlertLabels(SignalInfo{Name: "cpu"}, series.Result{Labels: labels.FromMap(in)}, series.Finding{Severity: "info", Type: "drop"}, false)
		if err != nil {
			return
		}
		for name, want := range map[string]string{"alertname": "UpidAnomaly", "signal": "cpu", "severity": "info", "type": "drop"} {
			if got.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Get(name), want)
			}
		}
		values := 0
		for name, v := range in {
			if v != "" && name != "__name__" {
				values++
			}
		}
		if got.Len() != 4+values {
			t.Errorf("%d labels from %q: %s", got.Len(), in, got)
		}
	})
}
