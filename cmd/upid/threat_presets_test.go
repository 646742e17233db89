package main

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/rules/presets"
)

func threatPreset(t *testing.T, name string) config.ThreatPreset {
	t.Helper()
	b, ok := presets.Threat(name)
	if !ok {
		t.Fatalf("no preset %s", name)
	}
	p, err := config.ParseThreatPreset(name, b, threatChecks())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestThreatPresets_parse wants every query to be PromQL that looks back only, so that
// what is said of a slot knows nothing of later ones.
func TestThreatPresets_parse(t *testing.T) {
	seen := map[string]string{}
	for _, name := range presets.Threats() {
		p := threatPreset(t, name)
		for _, d := range p.Detectors {
			if other, ok := seen[d.Name]; ok {
				t.Errorf("%s is in %s and in %s", d.Name, other, name)
			}
			seen[d.Name] = name
			if d.Model != "novelty" && d.Model != "passthrough" && d.Technique == "" {
				t.Errorf("%s has no technique", d.Name)
			}
			for _, entity := range p.Entity {
				for input, q := range d.Inputs {
					expr, err := presets.Expand(q, entity, p.Step)
					if err != nil {
						t.Fatal(err)
					}
					e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
					if err != nil {
						t.Errorf("%s, %s: %v\n%s", d.Name, input, err, expr)
						continue
					}
					parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
						switch n := n.(type) {
						case *parser.VectorSelector:
							if n.OriginalOffset < 0 || n.Timestamp != nil || n.StartOrEnd != 0 {
								t.Errorf("%s, %s looks ahead: %s", d.Name, input, n)
							}
						case *parser.Call:
							if n.Func.Name == "increase" || n.Func.Name == "rate" {
								t.Errorf("%s, %s: %s misses the first value of a series", d.Name, input, n.Func.Name)
							}
						}
						return nil
					})
				}
			}
		}
	}
}

var sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$`)

// recorded reads the samples of an exporter, with job and instance as a scrape adds them.
func recorded(t *testing.T, name string) (ls []labels.Labels, values []float64) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "rules", "presets", "testdata", name+".prom"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), "# Source: ") {
		t.Errorf("%s.prom does not begin with its source", name)
	}
	p := parser.NewParser(parser.Options{})
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s.prom: %q", name, line)
		}
		l, err := p.ParseMetric(m[1] + m[2])
		if err != nil {
			t.Fatal(err)
		}
		lb := labels.NewBuilder(l)
		if !l.Has("instance") {
			lb.Set("instance", "host-1:9100")
		}
		lb.Set("job", name)
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		ls, values = append(ls, lb.Labels()), append(values, v)
	}
	return ls, values
}

// TestThreatPresets_select runs the queries of every preset on recorded samples of its
// exporter: each selects something, that rose by what the samples rose, and the
// entity is made of labels that are there.
func TestThreatPresets_select(t *testing.T) {
	const at = int64(1_700_000_100_000)
	for _, name := range presets.Threats() {
		t.Run(name, func(t *testing.T) {
			p := threatPreset(t, name)
			ls, values := recorded(t, name)
			eng, err := engine.Open(engine.Options{Dir: t.TempDir(), Lookback: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			defer eng.Close()
			step := p.Step.Milliseconds()
			b := eng.Batch(t.Context())
			for i := range ls {
				ref, err := b.Append(0, ls[i], at, values[i])
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.Append(ref, ls[i], at+step, values[i]+7); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
			known := slices.ContainsFunc(ls, func(l labels.Labels) bool { return slices.Contains(p.Metrics, l.Get(model.MetricNameLabel)) })
			if !known {
				t.Errorf("none of %v is recorded", p.Metrics)
			}
			i := slices.IndexFunc(p.Entity, func(names []string) bool {
				return slices.ContainsFunc(ls, func(l labels.Labels) bool {
					return !slices.ContainsFunc(names, func(n string) bool { return !l.Has(n) })
				})
			})
			if i < 0 {
				t.Fatalf("no labels of %v are recorded", p.Entity)
			}
			for _, d := range p.Detectors {
				for input, q := range d.Inputs {
					expr, err := presets.Expand(q, p.Entity[i], p.Step)
					if err != nil {
						t.Fatal(err)
					}
					lines, err := eng.Range(t.Context(), expr, at+step, at+step, step)
					if err != nil || len(lines) == 0 {
						t.Errorf("%s, %s selects nothing: %v\n%s", d.Name, input, err, expr)
						continue
					}
					for _, l := range lines {
						if v := l.Values[0]; !(v > 0) || math.Mod(v, 7) != 0 && !strings.HasPrefix(q, "count ") {
							t.Errorf("%s, %s: %s rose by %v, want a multiple of 7", d.Name, input, l.Labels, v)
						}
						for _, n := range p.Entity[i] {
							if !l.Labels.Has(n) {
								t.Errorf("%s, %s: %s has no %s", d.Name, input, l.Labels, n)
							}
						}
						for _, n := range d.Labels {
							if l.Labels.Get(n) == "" && n != "error" {
								t.Errorf("%s, %s: %s has no %s", d.Name, input, l.Labels, n)
							}
						}
					}
				}
			}
		})
	}
}
