package main

import (
	"strings"
	"testing"

	"github.com/upid/upid/cmd/upid/config"
)

// Maintenance of signals is about those and not about attacks, and the other way round; a signal learns
// anew when its own changes, and no other does.
func TestMaintenanceOf(t *testing.T) {
	load := func(windows string) *config.Config {
		t.Helper()
		file := "prometheus: {url: http://localhost:9090}\nsignals:\n  - {name: a, type: resource, query: up}\n  - {name: b, type: resource, query: up}\n" + windows
		cfg, err := config.Parse("upid.yaml", []byte(file), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	const both = "maintenance:\n  - {name: test, dates: [2026-03-14]}\n  - {name: move, signals: [a], dates: [2026-06-06T20:00..2026-06-07T04:00]}\n"
	cfg := load(both)
	for signal, want := range map[string]string{"": "test", "a": "move", "b": ""} {
		var names []string
		for _, m := range cfg.MaintenanceOf(signal) {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("of %q: %q, want %q", signal, got, want)
		}
	}
	if all := load(strings.Replace(both, "[a]", "[all]", 1)).MaintenanceOf("b"); len(all) != 1 {
		t.Errorf("of all signals: %+v", all)
	}
	plain, later := load(""), load(strings.Replace(both, "2026-06-07", "2026-06-08", 1))
	key := func(c *config.Config, i int) string { return taskKey(c, c.Signals[i]) }
	if key(plain, 1) != key(cfg, 1) || key(cfg, 0) == key(plain, 0) || key(cfg, 0) == key(later, 0) {
		t.Error("the keys of signals do not tell their maintenance")
	}
}

// Limits tell signals apart by what they are, not by where they are in memory: that would make a signal
// learn afresh at every start.
func TestTaskKeyOfLimits(t *testing.T) {
	key := func(forecast string) string {
		cfg, err := config.Parse("upid.yaml", []byte("signals: [{name: a, query: sum(up), unit: u, forecast: "+forecast+"}]"), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		return taskKey(cfg, cfg.Signals[0])
	}
	seen := map[string]string{}
	for _, f := range []string{"{}", "{max: 5}", "{max: 6}", "{breach: {above: 4}}", "{breach: {above: 3}}", "{breach: {below: 4}}", "{breach: {above: 4, within: 1h}}"} {
		k := key(f)
		if k != key(f) {
			t.Errorf("%s: two keys", f)
		}
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s: one key", f, other)
		}
		seen[k] = f
	}
}
