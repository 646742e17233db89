package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
)

// root is the top of the repository.
const root = "../.."

func TestReferenceConfig(t *testing.T) {
	cfg, err := config.Load(filepath.Join(root, "config.yaml"), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	// It shows the defaults, and changes none.
	def, err := config.Parse("default", []byte("presets: [prometheus, node]\nsignals: [{name: x, query: up}]"), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cfg.Prometheus, def.Prometheus) || cfg.Web != def.Web || cfg.Storage != def.Storage ||
		cfg.Alertmanager.ResendDelay != def.Alertmanager.ResendDelay {
		t.Errorf("config.yaml %+v\ndefault     %+v", cfg, def)
	}
	got, want := cfg.Signals[len(cfg.Signals)-1], def.Signals[len(def.Signals)-1]
	if got.Offset != want.Offset || got.History != want.History || !reflect.DeepEqual(got.Forecast, want.Forecast) || got.Detect.Budget != want.Detect.Budget {
		t.Errorf("signal %+v\ndefault %+v", got, want)
	}
}

// TestReferenceConfigHasEveryKey keeps the reference from falling behind.
func TestReferenceConfigHasEveryKey(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range config.Keys() {
		if !regexp.MustCompile(`(?m)^[ #-]*` + key + `:`).Match(b) {
			t.Errorf("config.yaml lacks %s", key)
		}
	}
}

// TestReferenceConfigSections asks the strict decoder which keys each section
// knows, and wants those in that section of the reference: enabled under alert
// is not documented by enabled under detect.
func TestReferenceConfigSections(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	// Keys that are commented out count: "# http: …".
	if err := yaml.Unmarshal(regexp.MustCompile(`(?m)^( *)# ([a-z_]+:( |$))`).ReplaceAll(b, []byte("$1$2")), &doc); err != nil {
		t.Fatal(err)
	}
	top := doc.Content[0]
	signal := child(child(top, "signals"), 0)
	calendar := child(child(top, "calendars"), 0)
	found := 0
	for _, s := range []struct {
		name, format string
		node         *yaml.Node
	}{
		{"the top level", "%s: x", top},
		{"prometheus", "prometheus: {%s: x}", child(top, "prometheus")},
		{"alertmanager", "alertmanager: {%s: x}", child(top, "alertmanager")},
		{"a signal", "signals: [{%s: x}]", signal},
		{"forecast", "signals: [{forecast: {%s: x}}]", child(signal, "forecast")},
		{"detect", "signals: [{detect: {%s: x}}]", child(signal, "detect")},
		{"alert", "signals: [{alert: {%s: x}}]", child(signal, "alert")},
		{"rollouts", "signals: [{rollouts: {%s: x}}]", child(signal, "rollouts")},
		{"costs", "costs: {%s: x}", child(top, "costs")},
		{"prices", "costs: {prices: {%s: x}}", child(child(top, "costs"), "prices")},
		{"recommendations", "recommendations: {%s: x}", child(top, "recommendations")},
		{"a limit", "recommendations: {limits: [{%s: x}]}", child(child(child(top, "recommendations"), "limits"), 0)},
		{"a calendar", "calendars: [{%s: x}]", calendar},
		{"an event", "calendars: [{events: [{%s: x}]}]", child(child(calendar, "events"), 0)},
		{"models", "models: {%s: x}", child(top, "models")},
		{"a model", "models: {security_threat: {%s: x}}", child(child(top, "models"), "resource_prediction")},
		{"storage", "storage: {%s: x}", child(top, "storage")},
		{"web", "web: {%s: x}", child(top, "web")},
	} {
		for _, key := range config.Keys() {
			_, err := config.Parse("x", fmt.Appendf(nil, s.format, key), configChecks())
			if err != nil && strings.Contains(err.Error(), "unknown key") {
				continue
			}
			found++
			if child(s.node, key) == nil {
				t.Errorf("config.yaml lacks %s in %s", key, s.name)
			}
		}
	}
	if found < len(config.Keys()) {
		t.Errorf("the sections know %d keys, there are %d names", found, len(config.Keys()))
	}
}

// child returns the value of a key in a mapping or the item of an index in a
// list, nil if there is none.
func child(n *yaml.Node, at any) *yaml.Node {
	switch at := at.(type) {
	case int:
		if n != nil && n.Kind == yaml.SequenceNode && at < len(n.Content) {
			return n.Content[at]
		}
	case string:
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			if n.Content[i].Value == at {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// documents returns the Markdown of the repository by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, f := range append(files, more...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		docs[f] = string(b)
	}
	if len(docs) < 5 {
		t.Fatalf("only %d documents", len(docs))
	}
	return docs
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")

func TestDocumentedConfigurations(t *testing.T) {
	found := 0
	for file, text := range documents(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] != "yaml" || !strings.Contains(m[2], "signals:") {
				continue
			}
			found++
			if _, err := config.Parse(file, []byte(m[2]), configChecks()); err != nil {
				t.Errorf("%s: %v\n%s", file, err, m[2])
			}
		}
	}
	if found == 0 {
		t.Error("no documented configuration was found")
	}
}

func TestDocumentedCommands(t *testing.T) {
	found, docs := 0, documents(t)
	t.Chdir(root)
	for file, text := range docs {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(m[2]) {
				line, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "$ "), " #")
				line = regexp.MustCompile(` 2?>>?\S+| &$`).ReplaceAllString(line, "") // the shell's
				args, ok := strings.CutPrefix(strings.TrimPrefix(line, "./"), "upid ")
				if !ok {
					continue
				}
				found++
				parser := new(cli).parser(context.Background(), io.Discard, io.Discard, func(int) {})
				if _, err := parser.Parse(words(args)); err != nil {
					t.Errorf("%s: upid %s: %v", file, args, err)
				}
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d documented commands were found", found)
	}
}

// words splits a command line at blanks outside single quotes.
func words(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// TestDocumentedFlags knows every flag that is named in the text.
func TestDocumentedFlags(t *testing.T) {
	flags, found := map[string]bool{"help": true}, 0
	parser := new(cli).parser(context.Background(), io.Discard, io.Discard, func(int) {})
	var collect func(n *kong.Node)
	collect = func(n *kong.Node) {
		for _, f := range n.Flags {
			flags[f.Name] = true
		}
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(parser.Model.Node)
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile("`[^`\n]*--([a-z][a-z.-]+)").FindAllStringSubmatch(text, -1) {
			found++
			if !flags[m[1]] {
				t.Errorf("%s: no flag --%s", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d documented flags were found", found)
	}
}

func TestReadmeOutput(t *testing.T) {
	readme := documents(t)[filepath.Join(root, "README.md")]
	t.Chdir(root)
	for _, args := range []string{
		"forecast --input cmd/upid/testdata/nab/elb_request_count.csv",
		"detect --input cmd/upid/testdata/nab/ec2_request_latency.csv",
	} {
		out := upid(t, "", args).stdout
		if !strings.Contains(readme, "$ upid "+args+"\n"+strings.TrimRight(out, "\n")+"\n") {
			t.Errorf("README.md does not show what `upid %s` prints:\n%s", args, out)
		}
	}
}

// TestDocumentedLinks: every relative link of a document leads to a file, and its anchor to a heading there.
func TestDocumentedLinks(t *testing.T) {
	block := regexp.MustCompile("(?s)```.*?```")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ +(.*)$`)
	unspoken := regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
	docs := documents(t)
	found := 0
	for file, text := range docs {
		for _, m := range link.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, ":") {
				continue // another site
			}
			found++
			to := file
			if path != "" {
				to = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: (%s) leads nowhere", file, m[1])
				continue
			}
			if anchor == "" {
				continue
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(docs[to], -1) {
				anchors = append(anchors, strings.ReplaceAll(unspoken.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			if !slices.Contains(anchors, anchor) {
				t.Errorf("%s: (%s): no such heading in %s", file, m[1], to)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d links were found", found)
	}
}

func TestDocumentedMetrics(t *testing.T) {
	suffixes := regexp.MustCompile(`_(bucket|sum|count)$`)
	for file, text := range documents(t) {
		for _, name := range regexp.MustCompile(`\bupid_[a-z0-9_]+[a-z0-9]\b`).FindAllString(text, -1) {
			known := slices.ContainsFunc(collector.Metrics, func(m collector.Metric) bool {
				return m.Name == name || m.Name == suffixes.ReplaceAllString(name, "")
			})
			// A name of files, and a label of silences.
			if !known && name != "upid_expected" && name != "upid_training" {
				t.Errorf("%s: no metric %s", file, name)
			}
		}
	}
}

// TestImportDiagram holds DESIGN.md's diagram: who may import whom, and which
// packages do no I/O.
func TestImportDiagram(t *testing.T) {
	const module = "github.com/upid/upid/"
	ours := map[string][]string{ // package → what of ours it may import
		"collector/series":     {},
		"collector":            {"collector/series"},
		"collector/audit":      {},
		"collector/coding":     {},
		"collector/store":      {},
		"collector/history":    {"collector", "collector/coding", "collector/series", "collector/store"},
		"collector/engine":     {},
		"collector/privacy":    {},
		"collector/demo":       {},
		"collector/pipeline":   {"collector", "collector/series"},
		"collector/source":     {"collector", "collector/series"},
		"collector/web":        {"collector"},
		"collector/views":      {"collector", "collector/pipeline", "collector/series", "collector/web", "rules"},
		"collector/testserver": {},
		"collector/threats":    {"collector/pipeline", "collector/series", "detect/threat"},
		"collector/feedback":   {"collector/audit", "collector/store"},
		"collector/signal":     {"collector/coding", "collector/feedback", "collector/pipeline", "collector/series", "detect", "forecast", "forecast/judge", "rules"},
		"forecast/judge":       {},
		"forecast/num":         {},
		"forecast/features":    {"collector/series"},
		"forecast/capacity":    {"collector/series", "forecast/num"},
		"forecast/learn":       {"forecast/num", "forecast/accuracy"},
		"collector/models":     {"collector", "collector/audit", "collector/feedback", "collector/series", "collector/store", "collector/web", "forecast", "forecast/accuracy", "forecast/features", "forecast/judge", "forecast/learn", "rules/recommend", "rules/recommend/sizing"},
		"tools/exampledata":    {"collector/series", "forecast/features"},
		"forecast/accuracy":    {"forecast/num"},
		"forecast":             {"collector/series", "forecast/num", "forecast/accuracy"},
		"forecast/backtest":    {"collector/series", "forecast", "forecast/num", "forecast/accuracy"},
		"detect":               {"collector/series", "forecast/num"},
		"detect/cluster":       {},
		"detect/threat":        {},
		"rules":                {"collector/series"},
		"rules/notify":         {"collector", "collector/series", "rules"},
		"rules/presets":        {},
		"rules/report":         {"collector/series", "detect/threat", "rules", "rules/presets"},
		"rules/recommend":      {"collector/series", "forecast/capacity", "forecast/num", "rules/recommend/sizing"},
		"collector/advice":     {"collector/feedback", "collector/pipeline", "collector/series", "forecast", "forecast/capacity", "forecast/num", "rules", "rules/recommend", "rules/recommend/sizing"},
		"dashboards":           {},
		"dashboards/generate":  {},
		"cmd/upid/config":      {},
		"cmd/upid/output":      {},
		"tools/bench10k":       {},
		"tools/benchdetect":    {"detect", "detect/cluster", "rules"},
		"tools/benchthreat":    {},
		"tools/benchforecast":  {"forecast/accuracy"},
		"tools/pictures":       {},

		"rules/recommend/sizing": {"collector/series", "forecast", "forecast/num"},
		"tools/benchrecommend":   {"collector/series", "forecast", "rules/recommend/replay", "rules/recommend/sizing"},
		"rules/recommend/replay": {"collector/series", "forecast", "rules/recommend/sizing"},
	}
	pure := []string{
		"forecast", "forecast/judge", "forecast/num", "forecast/accuracy", "forecast/backtest", "detect", "detect/cluster", "detect/threat", "rules", "rules/recommend", "rules/report",
		"rules/recommend/sizing", "rules/recommend/replay",
		"collector/privacy", "forecast/features", "forecast/capacity",
		"forecast/learn",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, root+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		if pkg == "cmd/upid" {
			continue
		}
		allowed, ok := ours[pkg]
		if !ok {
			t.Errorf("%s: not in the diagram", pkg)
		}
		seen++
		for _, imp := range fields[1:] {
			if own, is := strings.CutPrefix(imp, module); is && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s", pkg, own)
			}
			if slices.Contains(pure, pkg) && (imp == "os" || imp == "net" || strings.HasPrefix(imp, "net/http") || imp == "log/slog") {
				t.Errorf("%s does no I/O but imports %s", pkg, imp)
			}
			if pkg == "forecast/learn" && slices.Contains([]string{"time", "syscall", "unsafe", "plugin", "reflect", "encoding/gob"}, imp) {
				t.Errorf("a stored model is data and does arithmetic, but %s imports %s", pkg, imp)
			}
		}
	}
	if seen != len(ours) {
		t.Errorf("%d packages, %d in the diagram", seen, len(ours))
	}
}
