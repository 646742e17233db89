package dashboards

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/upid/upid/collector"
)

// parsed is what the tests read of a dashboard.
type parsed struct {
	UID, Title, Description string
	Panels                  []panel
	Links                   []struct{ URL string }
	Templating              struct {
		List []struct {
			Name, Type, Label, Description string
			Datasource                     struct{ UID string }
		}
	}
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ UID string }
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
	Options struct{ Legend struct{ ShowLegend bool } }
	Targets []struct {
		RefID, Expr, LegendFormat, Format string
		Datasource                        struct{ UID string }
	}
}

func load(t *testing.T) map[string]parsed {
	t.Helper()
	out := map[string]parsed{}
	for _, d := range All() {
		var p parsed
		if err := json.Unmarshal(d.JSON, &p); err != nil {
			t.Fatal(err)
		}
		if d.UID == "" || d.Title == "" {
			t.Errorf("a dashboard without uid or title: %+v", p)
		}
		out[d.UID] = p
	}
	if len(out) != len(All()) || len(out) < 3 {
		t.Fatalf("%d dashboards", len(out))
	}
	return out
}

var metric = regexp.MustCompile(`\bupid_[a-z0-9_]+`)

func TestMetricsExist(t *testing.T) {
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	known := func(name string) bool {
		return slices.ContainsFunc(collector.Metrics, func(m collector.Metric) bool {
			return m.Name == name || m.Kind == collector.Histogram && m.Name == suffix.ReplaceAllString(name, "")
		})
	}
	if known("upid_forecast") || known("upid_observed_value_bucket") || !known("upid_upstream_request_duration_seconds_bucket") {
		t.Fatal("the test knows no metric from another")
	}
	for _, d := range All() {
		names := metric.FindAllString(string(d.JSON), -1)
		if len(names) < 20 {
			t.Errorf("%s uses only %d metrics", d.Title, len(names))
		}
		for _, name := range names {
			if !known(name) {
				t.Errorf("%s: there is no metric %s", d.Title, name)
			}
		}
	}
}

// TestPanels holds what a reader relies on: what is it, in which unit, which line
// is which, and nothing on top of another.
func TestPanels(t *testing.T) {
	for _, d := range load(t) {
		ids := map[int]bool{}
		for i, p := range d.Panels {
			at := fmt.Sprintf("%s: panel %q", d.Title, p.Title)
			if p.Title == "" || ids[p.ID] || p.ID == 0 {
				t.Errorf("%s has the id %d and must have a title and an id of its own", at, p.ID)
			}
			ids[p.ID] = true
			for _, q := range d.Panels[:i] {
				a, b := p.GridPos, q.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Errorf("%s lies on %q", at, q.Title)
				}
			}
			if g := p.GridPos; g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
				t.Errorf("%s is outside: %+v", at, g)
			}
			if p.Type == "row" {
				continue
			}
			if len(p.Description) < 20 || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
				t.Errorf("%s: description %q, data source %q, %d queries", at, p.Description, p.Datasource.UID, len(p.Targets))
			}
			if p.FieldConfig.Defaults.Unit == "" && p.Type != "table" {
				t.Errorf("%s has no unit", at)
			}
			if p.Type == "timeseries" && !p.Options.Legend.ShowLegend {
				t.Errorf("%s has no legend", at)
			}
			refs := map[string]bool{}
			for _, q := range p.Targets {
				if refs[q.RefID] || q.Expr == "" || q.Datasource.UID != "${datasource}" || q.LegendFormat == "" && q.Format != "table" {
					t.Errorf("%s: query %+v", at, q)
				}
				refs[q.RefID] = true
			}
		}
	}
}

// TestPortable: a uid of a data source belongs to one Grafana, ours to all.
func TestPortable(t *testing.T) {
	ds := load(t)
	for _, d := range All() {
		for _, m := range regexp.MustCompile(`"uid": "([^"]*)"`).FindAllStringSubmatch(string(d.JSON), -1) {
			if _, own := ds[m[1]]; !own && m[1] != "${datasource}" {
				t.Errorf("%s names the uid %q", d.Title, m[1])
			}
		}
		linked := false
		for _, m := range regexp.MustCompile(`"url": "/d/([a-z-]*)([^"]*)"`).FindAllStringSubmatch(string(d.JSON), -1) {
			target, ok := ds[m[1]]
			if !ok {
				t.Errorf("%s links to %q", d.Title, m[1])
			}
			linked = linked || m[1] != d.UID
			for _, v := range regexp.MustCompile(`var-([a-z]+)=`).FindAllStringSubmatch(m[2], -1) {
				if !slices.ContainsFunc(target.Templating.List, func(x struct {
					Name, Type, Label, Description string
					Datasource                     struct{ UID string }
				},
				) bool {
					return x.Name == v[1]
				}) {
					t.Errorf("%s hands %s the variable %s, which it has not", d.Title, m[1], v[1])
				}
			}
		}
		if !linked {
			t.Errorf("%s links to no other", d.Title)
		}
	}
	for _, d := range ds {
		for i, v := range d.Templating.List {
			if v.Label == "" || v.Description == "" {
				t.Errorf("%s: variable %q has no label or description", d.Title, v.Name)
			}
			if v.Type == "datasource" && i != 0 {
				t.Errorf("%s: the data source is not the first variable", d.Title)
			}
		}
	}
}

func TestExport(t *testing.T) {
	const dir, url = `/srv/ünder "quotes" \ $HOME`, "https://prom.example/a?b=$c"
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, Access, URL string
			JSONData                map[string]string `yaml:"jsonData"`
		}
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			Interval           int               `yaml:"updateIntervalSeconds"`
			UI                 bool              `yaml:"allowUiUpdates"`
			Options            map[string]string `yaml:"options"`
		}
	}
	strict := func(f File, v any) {
		d := yaml.NewDecoder(strings.NewReader(string(f.Content)))
		d.KnownFields(true)
		if err := d.Decode(v); err != nil {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	json := 0
	for _, f := range Export(dir, url) {
		switch {
		case strings.HasPrefix(f.Path, "provisioning/datasources/"):
			strict(f, &sources)
		case strings.HasPrefix(f.Path, "provisioning/dashboards/"):
			strict(f, &providers)
		case strings.HasSuffix(f.Path, ".json") && !strings.Contains(f.Path, "/"):
			json++
		default:
			t.Errorf("an unexpected file %s", f.Path)
		}
	}
	if json != len(All()) || len(sources.Datasources) != 1 || len(providers.Providers) != 1 || sources.APIVersion != 1 || providers.APIVersion != 1 {
		t.Fatalf("%d dashboards, %+v, %+v", json, sources, providers)
	}
	// Grafana reads $$ as $.
	if got := strings.ReplaceAll(sources.Datasources[0].URL, "$$", "$"); got != url || sources.Datasources[0].Type != "prometheus" {
		t.Errorf("data source %+v", sources.Datasources[0])
	}
	if got := strings.ReplaceAll(providers.Providers[0].Options["path"], "$$", "$"); got != dir || providers.Providers[0].Type != "file" {
		t.Errorf("provider %+v", providers.Providers[0])
	}
}
