//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/notify"
)

func TestRulesExport(t *testing.T) {
	o := upid(t, "", "rules export")
	o.want(t, exitOK)
	if o.stdout != string(rules.PrometheusRules) || !strings.Contains(o.stdout, "alert: UpidAnomaly") {
		t.Errorf("stdout:\n%.500s", o.stdout)
	}
	file := filepath.Join(t.TempDir(), "upid.rules.yaml")
	for range 2 { // as it is there already, nothing is to be done
		upid(t, "", "ml-enhancement rules export "+file).want(t, exitOK)
	}
	if err := os.WriteFile(file, []byte("groups: [] # mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "rules export "+file).want(t, exitFailure, file+" is there and different", "--force")
	if b, err := os.ReadFile(file); err != nil || string(b) != "groups: [] # mine\n" {
		t.Errorf("it is changed: %q, %v", b, err)
	}
	upid(t, "", "rules export --force "+file).want(t, exitOK)
	if b, err := os.ReadFile(file); err != nil || string(b) != o.stdout {
		t.Errorf("file of %d bytes, %v", len(b), err)
	}
	upid(t, "", "rules export "+filepath.Join(file, "below")).want(t, exitFailure, "export rules:")
}

// One signal takes one road: who decides which, and that both are refused.
func TestRoads(t *testing.T) {
	parse := func(text string) (*config.Config, error) {
		return config.Parse("roads.yaml", []byte(text), configChecks())
	}
	cfg, err := parse(`alertmanager: {urls: [http://am:9093], watchdog: true}
signals:
  - {name: posted, query: sum(up)}
  - {name: by_rules, query: sum(up), alert: {post: false, rules: true}}
  - {name: nobody, query: sum(up), alert: {post: false}}
  - {name: quiet, query: sum(up), alert: {enabled: false, rules: true}}
`)
	if err != nil {
		t.Fatal(err)
	}
	ts, infos, err := tasks(cfg, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	muted := map[string]bool{"posted": false, "by_rules": true, "nobody": true, "quiet": true}
	byRules := map[string]bool{"by_rules": true}
	for i, s := range cfg.Signals {
		if infos[s.Name].Muted != muted[s.Name] || s.Alert.Rules != byRules[s.Name] {
			t.Errorf("%s: muted %v, by rules %v", s.Name, infos[s.Name].Muted, s.Alert.Rules)
		}
		// The road changes nothing that was learned.
		s.Alert.Rules, s.Alert.Post = !s.Alert.Rules, !s.Alert.Post
		cfg.Signals[i] = s
	}
	other, _, err := tasks(cfg, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ts {
		if ts[i].Key != other[i].Key {
			t.Errorf("%s starts afresh when its alerts take the other road", ts[i].Name)
		}
	}
	// The defaults of the file reach the presets.
	cfg, err = parse("alertmanager: {urls: [http://am:9093], post: false, rules: true}\npresets: [node]\nsignals: [{name: mine, query: sum(up), alert: {post: true, rules: false}}]")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range cfg.Signals {
		if want := s.Name != "mine"; s.Alert.Rules != want || s.Alert.Post == want {
			t.Errorf("%s: %+v", s.Name, s.Alert)
		}
	}
	if _, err := parse("alertmanager: {rules: true}\npresets: [node]"); err != nil {
		t.Errorf("rules and no Alertmanager: %v", err)
	}
	_, err = parse("alertmanager:\n  urls: [http://am:9093]\n  rules: true\npresets: [node]")
	if err == nil || !strings.Contains(err.Error(), "roads.yaml:3: alertmanager.rules:") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("both for a preset: %v", err)
	}
	bad := writeFile(t, "alertmanager: {urls: ['http://am:9093']}\nsignals:\n  - {name: a, query: sum(up), alert: {rules: true}}\n")
	upid(t, "", "check --config "+bad).want(t, exitUsage, "config.yaml:3: signals[0].alert:", "set alert.post: false")
}

func TestReloadChangesRoads(t *testing.T) {
	p := constantPrometheus(t)
	write := func(signals string) string {
		return "prometheus: {url: " + p.URL + "}\nsignals:\n" + signals
	}
	cfg := writeFile(t, write("  - {name: a, query: sum(up), step: 1s}\n  - {name: b, query: sum(up), step: 1s, alert: {rules: true}}\n"))
	addr, stop := startSidecar(t, "--config", cfg, "--config.check-interval", "100ms")
	metricBecomes(t, addr, `upid_alert_rules_enabled{signal="a"} 0`)
	metricBecomes(t, addr, `upid_alert_rules_enabled{signal="b"} 1`)
	if err := os.WriteFile(cfg, []byte(write("  - {name: a, query: sum(up), step: 1s, alert: {rules: true}}\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	metricBecomes(t, addr, `upid_alert_rules_enabled{signal="a"} 1`)
	if _, page, err := getText("http://" + addr + "/metrics"); err != nil || strings.Contains(page, `upid_alert_rules_enabled{signal="b"}`) {
		t.Errorf("the removed signal is still there, or %v", err)
	}
	if code, stderr := stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// anomalous returns the results of a signal whose series are all unusual.
func anomalous(signal string, open bool, slot int64, sets ...labels.Labels) []series.Result {
	var rs []series.Result
	for _, ls := range sets {
		score := series.Score{Observed: 1500, Expected: 300, Lower: 100, Upper: 500, Value: 4, Confidence: 0.9, Type: series.TypeSpike}
		r := series.Result{
			Signal: signal, SourceName: "", Labels: ls, Slot: slot, Time: slot, Observed: 1500,
			Forecast: nil, Horizons: nil, Score: &score, Findings: nil, Past: nil, BudgetSpent: math.NaN(), Warnings: nil,
		}
		if open {
			r.Findings = []series.Finding{{
				ID: signal + ls.String(), Family: "", Type: series.TypeSpike, Reclassified: "", Severity: series.SeverityWarning,
				Start: slot - 60_000, End: 0, Peak: 4, Confidence: 0.9, Score: score, Stale: false,
			}}
		}
		rs = append(rs, r)
	}
	return rs
}

// TestBothRoads has the exported rules on a real Prometheus that scrapes a page
// of ours, and the notifier, both before one real Alertmanager: every anomaly
// arrives once, with the same labels on either road.
func TestBothRoads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "upid.rules.yaml")
	upid(t, "", "rules export "+file).want(t, exitOK)
	reg := collector.NewRegistry(collector.Build{Version: "1", Revision: "r", Branch: "b"})
	byRules := collector.NewGaugeVec(reg, "upid_alert_rules_enabled")
	byRules.WithLabelValues("ruled").Set(1)
	byRules.WithLabelValues("posted").Set(0)
	collector.NewGaugeVec(reg, "upid_scheduler_last_heartbeat_timestamp_seconds").WithLabelValues().SetToCurrentTime()
	page := collector.New(collector.Options{Registry: reg})
	server := httptest.NewServer(page)
	defer server.Close()

	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	prom := testserver.Prometheus(t, testserver.Options{
		RuleFiles:     []string{file},
		Alerting:      fmt.Sprintf("alertmanagers: [{static_configs: [{targets: [%q]}]}]", am.Addr),
		ScrapeConfigs: fmt.Sprintf("- {job_name: upid, honor_labels: true, static_configs: [{targets: [%q]}]}", strings.TrimPrefix(server.URL, "http://")),
	})
	infos := map[string]rules.SignalInfo{
		"ruled":  {Name: "ruled", Type: "resource", Every: time.Minute, Muted: true},
		"posted": {Name: "posted", Type: "resource", Every: time.Minute},
	}
	n, err := notify.New(notify.Options{
		Alertmanagers: []notify.AlertmanagerConfig{{URL: am.URL}}, ResendDelay: time.Second, Watchdog: true, Registerer: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.SetSignals(infos)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	sets := []labels.Labels{
		labels.FromStrings("namespace", "shop", "workload", "checkout"),                                  // no job, no instance
		labels.FromStrings("instance", "s:80", "job", "shop", "severity", "mine", "type", "{{.}} \"x\""), // ours are renamed
		labels.FromStrings("job", "shop", "path", "a\\b\nc"),
		labels.EmptyLabels(),
	}
	want := map[string]bool{}
	slot := time.Now().UnixMilli()
	write := func(open bool) {
		t.Helper()
		for name, info := range infos {
			rs := anomalous(name, open, slot, sets...)
			if err := page.Write(ctx, name, slot, rs); err != nil {
				t.Fatal(err)
			}
			if err := n.Write(ctx, name, slot, rs); err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				for _, f := range r.Findings {
					ls, err := rules.AlertLabels(info, r, f, false)
					if err != nil {
						t.Fatal(err)
					}
					want[ls.String()] = true
				}
			}
		}
	}
	write(true)
	eventually(t, 30*time.Second, "alerts on both roads", func() error {
		got := map[string]bool{}
		as, err := alertsNamed(am.URL, rules.AlertAnomaly)
		if err != nil {
			return err
		}
		for _, a := range as {
			got[labels.FromMap(a.Labels).String()] = true
			if a.Annotations["summary"] == "" || !strings.Contains(a.Annotations["description"], "Observed 1.5") && a.Labels["signal"] == "ruled" {
				return fmt.Errorf("annotations %v", a.Annotations)
			}
		}
		if len(as) != len(want) || !maps.Equal(got, want) {
			return fmt.Errorf("%d alerts:\n%s\nwant\n%s", len(as), strings.Join(slices.Sorted(maps.Keys(got)), "\n"), strings.Join(slices.Sorted(maps.Keys(want)), "\n"))
		}
		return nil
	})
	// The watchdogs of the two roads do not stand in for each other.
	eventually(t, 15*time.Second, "watchdogs", func() error {
		as, err := alertsNamed(am.URL, rules.AlertWatchdog)
		if err == nil && len(as) != 2 {
			err = fmt.Errorf("%d, want 2", len(as))
		}
		return err
	})
	slot += 60_000
	write(false)
	eventually(t, 30*time.Second, "their end", func() error {
		// Findings that are only not listed any more lapse on the road of ours.
		as, err := alertsNamed(am.URL, rules.AlertAnomaly)
		for _, a := range as {
			if err == nil && a.Labels["signal"] == "ruled" {
				err = fmt.Errorf("still there: %v", a.Labels)
			}
		}
		return err
	})
	if health, err := one(prom.URL, "sum(prometheus_rule_evaluation_failures_total) or vector(0)"); err != nil || health != 0 {
		t.Errorf("%v evaluations of rules failed, %v", health, err)
	}
}
