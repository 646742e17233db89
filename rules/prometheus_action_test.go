//go:build unix

package rules_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// signalTypes are those a configuration may name.
var signalTypes = []string{"resource", "performance", "cost", "security", "behavior"}

// firstActionTemplate is the annotation first_action of the shipped rules: what
// FirstAction says, by the type of the signal and of the anomaly.
func firstActionTemplate() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "            "+format+"\n", args...) }
	line(`{{- $of := "" }}{{ with printf "last_over_time(upid_signal_info{signal=%%q}[1h])" $labels.signal | query }}{{ $of = . | first | label "type" }}{{ end }}`)
	line(`{{- if eq $labels.type "missing" }}%s`, rules.FirstAction(rules.FamilySystem, series.TypeMissing))
	line(`{{- else if eq $labels.type "flatline" }}%s`, rules.FirstAction(rules.FamilySystem, series.TypeFlatline))
	for _, of := range signalTypes {
		family := rules.Family(of, series.TypeSpike)
		if of == "behavior" { // and what has its family
			line(`{{- else if match "^(behavior|business)$" $of }}`)
		} else {
			line(`{{- else if eq $of %q }}`, of)
		}
		other := rules.FirstAction(family, "another")
		word := "if"
		for _, t := range series.AnomalyTypes {
			if t == series.TypeMissing || t == series.TypeFlatline || rules.FirstAction(family, t) == other {
				continue
			}
			line(`{{- %s eq $labels.type %q }}%s`, word, t, rules.FirstAction(family, t))
			word = "else if"
		}
		if word == "if" {
			line(`{{- "" }}%s`, other)
			continue
		}
		line(`{{- else }}%s`, other)
		line(`{{- end }}`)
	}
	line(`{{- end }}`)
	return b.String()
}

// TestFirstActionOfRules holds the rules and FirstAction together. UPDATE=1 writes
// the one from the other.
func TestFirstActionOfRules(t *testing.T) {
	block := regexp.MustCompile(`(?s)(\n          first_action: >-\n)(.*?)(          runbook_url: [^\n]*#upidanomaly\n)`)
	want := firstActionTemplate()
	if os.Getenv("UPDATE") != "" {
		b := block.ReplaceAllFunc(rules.PrometheusRules, func(m []byte) []byte {
			parts := block.FindSubmatch(m)
			return bytes.Join([][]byte{parts[1], []byte(want), parts[3]}, nil)
		})
		if err := os.WriteFile("upid.rules.yaml", b, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	m := block.FindSubmatch(rules.PrometheusRules)
	if m == nil || string(m[2]) != want {
		t.Errorf("first_action differs from FirstAction (UPDATE=1 rewrites it); want\n%s", want)
	}
}

// TestFamilyAndActionOfRules asks promtool what the rules say of every type of
// anomaly in every type of signal: what upid says of those it posts itself.
func TestFamilyAndActionOfRules(t *testing.T) {
	type input struct{ Series, Values string }
	type want struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	}
	var inputs []input
	var wants []want
	add := func(of, anomaly, family, action string) {
		name := of + "-" + anomaly
		inputs = append(inputs,
			input{fmt.Sprintf(`upid_alert_rules_enabled{job="upid",instance="u:9877",signal=%q}`, name), "1x10"},
			input{fmt.Sprintf(`upid_anomaly_active{signal=%q,type=%q,severity="warning",pod="a"}`, name, anomaly), "1x10"})
		if of != "" {
			inputs = append(inputs, input{fmt.Sprintf(`upid_signal_info{job="upid",instance="u:9877",signal=%q,type=%q,unit="s"}`, name, of), "1x10"})
		}
		wants = append(wants, want{
			map[string]string{"signal": name, "type": anomaly, "severity": "warning", "pod": "a"},
			map[string]string{
				"summary": fmt.Sprintf(`%s is unusual (%s) pod="a"`, name, anomaly), "description": "No value is observed now: neither confirmed nor resolved.",
				"score": "", "confidence": "", "family": family, "first_action": action, "runbook_url": "https://github.com/upid/upid/blob/main/docs/runbook.md#upidanomaly",
			},
		})
	}
	for _, anomaly := range series.AnomalyTypes {
		for _, of := range signalTypes {
			family := rules.Family(of, anomaly)
			add(of, anomaly, family, rules.FirstAction(family, anomaly))
		}
	}
	// Of a signal that nothing is known of, only what the type alone says.
	add("", series.TypeSpike, "", "")
	add("", series.TypeMissing, rules.FamilySystem, rules.FirstAction(rules.FamilySystem, series.TypeMissing))
	file, err := filepath.Abs("upid.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(map[string]any{
		"rule_files": []string{file}, "evaluation_interval": "1m",
		"tests": []any{map[string]any{
			"interval": "1m", "input_series": inputs,
			"alert_rule_test": []any{map[string]any{"eval_time": "5m", "alertname": "UpidAnomaly", "exp_alerts": wants}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", path)
}
