package signal

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// corpus is what labelled series say of themselves.
type corpus struct {
	meta map[string]struct {
		Step float64 `json:"step_s"`
		Warm float64 `json:"warm_until"`
	}
	events map[string][][2]float64 // Unix seconds
}

// labelled reads a labelled corpus, or skips the test where there is none.
func labelled(t *testing.T, name string) (dir string, c corpus) {
	t.Helper()
	root := os.Getenv("UPID_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	dir = filepath.Join(root, "data", "anomaly", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no labelled series at %s: set UPID_SHARED to their folder", dir)
	}
	for file, into := range map[string]any{"meta.json": &c.meta, "labels.json": &c.events} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return dir, c
}

// points reads a labelled series onto the grid of step from its first point on, in ms.
func points(t *testing.T, path string, step int64) series.Series {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var y series.Series
	sc := bufio.NewScanner(z)
	sc.Scan() // the header
	for sc.Scan() {
		ts, val, _ := strings.Cut(sc.Text(), ",")
		sec, err1 := strconv.ParseFloat(ts, 64)
		v, err2 := strconv.ParseFloat(val, 64)
		if err1 != nil || err2 != nil {
			t.Fatal(path, err1, err2)
		}
		at := int64(sec*1000) / step * step
		if y.Values == nil {
			y.Start, y.Step = at, step
		}
		for y.End() < at {
			y.Values = append(y.Values, math.NaN())
		}
		if y.End() == at {
			y.Values = append(y.Values, v)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return y
}

// machineOf returns what a series is about: a machine has several, and a controlled
// injection has the same series beneath in several files.
func machineOf(corpus, file string) string {
	a, b, ok := strings.Cut(file, "__")
	switch {
	case !ok || corpus == "nab" || corpus == "msft":
		return file
	case corpus == "inject":
		return b
	}
	return a
}

// TestBudgetOnLabelledSeries makes one signal of the series of each corpus that have one
// step, and counts the alert groups it raises outside what is labelled: over all corpora
// those keep to 1.2 times the budgets of the signals. Single corpora are too short to say it of
// each: two weeks with one labelled series that is odd every day are above it.
func TestBudgetOnLabelledSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("replays millions of points")
	}
	read := map[string]series.Series{} // each file once for all budgets
	for _, budget := range []string{"1/day", "1/week", "1/month"} {
		b, err := rules.ParseBudget(budget)
		if err != nil {
			t.Fatal(err)
		}
		allRaised, allAllowed := 0, 0.0
		for _, name := range []string{"aiops", "asd", "inject", "msft", "nab", "smd", "wsd"} {
			dir, c := labelled(t, name)
			byStep := map[int64][]string{}
			for file, m := range c.meta {
				step := int64(m.Step) * 1000
				byStep[step] = append(byStep[step], file)
			}
			raised, gaps, weeks := 0, 0, 0.0
			for step, files := range byStep {
				slices.Sort(files)
				o := releasedOptions(step, "resource")
				o.Rollouts = nil
				o.Detect.Options.Budget, o.Detect.Budget, o.Detect.Rule = b.PerWeek(), b, o.Detect.Rule.Within(b)
				u := newUnit(t, o)
				type one struct {
					series.Series
					warm   int64
					events [][2]float64
					shift  int64
				}
				var all []one
				first, last := int64(math.MaxInt64), int64(0)
				for _, file := range files {
					path := filepath.Join(dir, file+".csv.gz")
					if _, ok := read[path]; !ok {
						read[path] = points(t, path, step)
					}
					y := read[path]
					y.Labels = labels.FromStrings("series", file, "workload", machineOf(name, file))
					const week = 7 * 24 * 3600 * 1000
					shift := epoch - y.Start/week*week // all begin in one week
					y.Start += shift
					all = append(all, one{y, int64(c.meta[file].Warm)*1000 + shift, c.events[file], shift})
					first, last = min(first, y.Start), max(last, y.End())
				}
				judged := map[int64]bool{} // hours at which some series is judged and none has an event
				for at := first; at < last; at += hour {
					any := false
					for _, y := range all {
						any = any || at >= y.warm && at < y.End()
					}
					judged[at] = any
				}
				for _, any := range judged {
					if any {
						weeks += 1.0 / (7 * 24)
					}
				}
				for from := first; from <= last; from += day {
					end := min(from+day-step, last)
					in := pipeline.Input{Start: from, End: end, Series: series.Set{}}
					var d series.Data
					for _, y := range all {
						if s := y.Slice(from, end+step); len(s.Values) > 0 {
							d.Series = append(d.Series, s)
						}
					}
					in.Series[Input] = d
					if _, err := u.Step(t.Context(), end, in); err != nil {
						t.Fatal(err)
					}
					for _, g := range u.groups(u.order, from, end+1) {
						name := u.order[g[0].series].labels.Get("series")
						i := slices.IndexFunc(all, func(y one) bool { return y.Labels.Get("series") == name })
						at := g[0].Start
						normal := at >= all[i].warm && at < all[i].End() // after the file there is no value
						tol := max(3*step, 10*minute)
						for _, e := range all[i].events {
							if at >= int64(e[0]*1000)+all[i].shift-tol && at <= int64(e[1]*1000)+all[i].shift+tol {
								normal = false
							}
						}
						lead := u.order[g[0].series]
						for _, f := range append(slices.Clone(lead.past), lead.alert.Findings()...) {
							if f.Start == at && f.Type == series.TypeMissing && normal {
								normal = false // there is a gap in the file, which nobody labelled
								gaps++
							}
						}
						if normal {
							raised++
						}
					}
				}
			}
			allowed := b.PerWeek() * weeks
			t.Logf("budget %s, %s: %d alert groups in %.1f signal-weeks, %.1f allowed; %d gaps", budget, name, raised, weeks, allowed, gaps)
			allRaised, allAllowed = allRaised+raised, allAllowed+allowed
		}
		t.Logf("budget %s: %d alert groups, %.1f allowed", budget, allRaised, allAllowed)
		if float64(allRaised) > 1.2*allAllowed {
			t.Errorf("budget %s: %d alert groups, want at most 1.2 × %.1f", budget, allRaised, allAllowed)
		}
	}
}
