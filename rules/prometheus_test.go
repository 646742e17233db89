//go:build unix

package rules_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/rules"
)

// promtool runs promtool, UPID_TEST_PROMTOOL or the one on the PATH.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	binary := os.Getenv("UPID_TEST_PROMTOOL")
	if binary == "" {
		var err error
		if binary, err = exec.LookPath("promtool"); err != nil {
			if os.Getenv("UPID_REQUIRE_SERVERS") == "1" {
				t.Fatal(err)
			}
			t.Skip("no promtool: apt-get install prometheus, or set UPID_TEST_PROMTOOL")
		}
	}
	if out, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheusRules(t *testing.T) {
	promtool(t, "check", "rules", "upid.rules.yaml")
	promtool(t, "test", "rules", "upid.rules.test.yaml")
}

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Record, Alert, Expr, For string
			Labels, Annotations      map[string]string
		}
	}
}

// TestPrometheusRulesNames wants only metrics that upid or the scrape makes, each
// alert tested both ways, and a section in the runbook for it.
func TestPrometheusRulesNames(t *testing.T) {
	var file ruleFile
	if err := yaml.Unmarshal(rules.PrometheusRules, &file); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"up": true, "process_start_time_seconds": true, "process_resident_memory_bytes": true, "go_gc_gomemlimit_bytes": true}
	for _, m := range collector.Metrics {
		known[m.Name] = true
	}
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Alertname string
				Exp       []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	b, err := os.ReadFile("upid.rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &tests); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range tests.Tests {
		for _, a := range c.Alerts {
			if len(a.Exp) > 0 {
				fires[a.Alertname] = true
			} else {
				quiet[a.Alertname] = true
			}
		}
	}
	alerts := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			if err != nil {
				t.Errorf("%s%s: %v", r.Record, r.Alert, err)
				continue
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok && !known[v.Name] {
					t.Errorf("%s%s: no metric %s", r.Record, r.Alert, v.Name)
				}
				return nil
			})
			for _, text := range r.Annotations {
				for _, name := range regexp.MustCompile(`upid_[a-z_]+`).FindAllString(text, -1) {
					if !known[name] {
						t.Errorf("%s: no metric %s in an annotation", r.Alert, name)
					}
				}
			}
			if r.Record != "" {
				known[r.Record] = true
				continue
			}
			alerts++
			if !fires[r.Alert] || !quiet[r.Alert] {
				t.Errorf("%s: tested firing %v, not firing %v", r.Alert, fires[r.Alert], quiet[r.Alert])
			}
			if !strings.Contains(string(runbook), "\n## "+r.Alert+"\n") || !strings.HasSuffix(r.Annotations["runbook_url"], "#"+strings.ToLower(r.Alert)) {
				t.Errorf("%s: no section in docs/runbook.md, or no link to it", r.Alert)
			}
			if s := r.Labels["severity"]; !slices.Contains([]string{rules.AlertAnomaly, rules.AlertForecast, rules.AlertThreat}, r.Alert) && !slices.Contains([]string{"info", "warning", "critical"}, s) {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" {
				t.Errorf("%s: no summary", r.Alert)
			}
		}
	}
	if alerts < 17 {
		t.Errorf("only %d alerts", alerts)
	}
}
