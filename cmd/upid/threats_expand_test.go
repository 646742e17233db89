package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promvalue "github.com/prometheus/prometheus/model/value"

	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/rules/presets"
)

// TestExpandLive: what counters rose by in a slot on a server that is away at times.
func TestExpandLive(t *testing.T) {
	eng, err := engine.Open(engine.Options{Dir: filepath.Join(t.TempDir(), "tsdb"), Timeout: time.Minute, MaxSamples: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	const minute = int64(60_000)
	base := int64(monday) * 1000
	stale := math.Float64frombits(promvalue.StaleNaN)
	b := eng.Batch(t.Context())
	// write stores v(i) at each minute; NaN is none, stale the mark of a scrape that failed.
	write := func(name, target, user string, v func(i int64) float64) {
		t.Helper()
		ls := labels.FromStrings(model.MetricNameLabel, name, "job", "a", "instance", target, "user", user)
		if target == "" {
			ls = labels.FromStrings(model.MetricNameLabel, name, "user", user)
		}
		var ref uint64
		for i := range int64(3 * 60) {
			if x := v(i); !math.IsNaN(x) || promvalue.IsStaleNaN(x) {
				if ref, err = b.Append(ref, ls, base+i*minute, x); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	outage := func(i int64) bool { return i >= 60 && i < 90 } // of everything scraped from old
	from := func(first int64, then func(i int64) float64) func(int64) float64 {
		return func(i int64) float64 {
			switch {
			case i < first:
				return math.NaN()
			case outage(i):
				return stale
			}
			return then(i)
		}
	}
	up := func(int64) float64 { return 1 }
	write("up", "old", "", from(0, up))
	write("up", "young", "", func(i int64) float64 {
		if i < 120 {
			return math.NaN()
		}
		return 1
	})
	write("c", "old", "steady", from(0, func(i int64) float64 { return 1000 + float64(i) }))
	write("c", "old", "reset", from(0, func(i int64) float64 { return map[bool]float64{true: 500, false: 7}[i < 30] }))
	write("c", "old", "new", from(45, func(int64) float64 { return 9 }))
	write("c", "old", "late", from(150, func(int64) float64 { return 4 }))
	write("c", "young", "before", func(i int64) float64 {
		if i < 120 {
			return math.NaN()
		}
		return 1e6 // counted long before anybody scraped it
	})
	write("c", "", "remote", func(i int64) float64 {
		if i < 20 {
			return math.NaN()
		}
		return 3
	})
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	expr, err := presets.ExpandLive("sum by ($entity) ($increase(c))", []string{"user"}, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := eng.Range(t.Context(), expr, base, base+175*minute, 5*minute)
	if err != nil {
		t.Fatal(err)
	}
	total, seen := map[string]float64{}, map[string][]string{}
	for _, l := range lines {
		user := l.Labels.Get("user")
		for i, at := range l.Times {
			if l.Values[i] != 0 {
				total[user] += l.Values[i]
				seen[user] = append(seen[user], fmt.Sprintf("%d:%g", (at-base)/minute, l.Values[i]))
			}
		}
	}
	// Five in each slot but the two around the outage, and the first of all.
	if got := total["steady"]; got < 130 || got > 175 {
		t.Errorf("steady rose by %g: %v", got, seen["steady"])
	}
	for user, want := range map[string]string{
		"reset":  "30:7",
		"new":    "45:9",
		"late":   "150:4",
		"before": "",
		"remote": "20:3",
	} {
		if got := strings.Join(seen[user], " "); got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
	// A file of counters has no server that is away: there all of it counts.
	expr, err = presets.Expand("sum by ($entity) ($increase(c))", []string{"user"}, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if lines, err = eng.Range(t.Context(), expr, base+120*minute, base+120*minute, 5*minute); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, l := range lines {
		found = found || l.Labels.Get("user") == "before" && l.Values[0] == 1e6
	}
	if !found {
		t.Error("Expand does not take the counter for new")
	}
}

// TestExpandLive_presets wants every query of every preset to be PromQL on a live server too.
func TestExpandLive_presets(t *testing.T) {
	eng, err := engine.Open(engine.Options{Dir: filepath.Join(t.TempDir(), "tsdb"), Timeout: time.Minute, MaxSamples: 10_000_000})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	for _, name := range presets.Threats() {
		p := threatPreset(t, name)
		for _, entity := range p.Entity {
			for _, d := range p.Detectors {
				for input, q := range d.Inputs {
					expr, err := presets.ExpandLive(q, entity, p.Step)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := eng.Range(t.Context(), expr, monday*1000, monday*1000, 300_000); err != nil {
						t.Errorf("%s, %s: %v\n%s", d.Name, input, err, expr)
					}
				}
			}
		}
	}
}
