//go:build unix

package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/rules"
)

const e2eConfig = `
prometheus: {url: %s}
alertmanager: {urls: [%s], resend_delay: 5s}
signals:
  - name: shop_requests
    type: behavior
    query: shop_requests_per_5m
    unit: requests
    step: 5m
    forecast: {horizons: [10m, 1h, 6h, 1d, 3d, 7d], level: 0.9, breach: {above: 30, below: 1, within: 1d}}
  - name: checkout_latency
    type: performance
    query: checkout_latency_milliseconds
    unit: ms
    step: 5s
    query_offset: 2s
    history: 3h
    forecast: {horizons: [10m, 1h], every: 1h}
    detect: {budget: 1/week, direction: up}
    alert: {severity: warning, runbook_url: https://runbooks.example/latency}
`

// e2e is one Prometheus with real data in it, one Alertmanager, and upid beside
// them, scraped by the Prometheus.
type e2e struct {
	*beside
	am     *testserver.Server
	minute *process // start --interval 60 --duration 1, beside the rest
	target *target
	t      *testing.T // the whole test: what it starts outlives a part
}

const slot = 5 * time.Second // of checkout_latency

func newE2E(t *testing.T) *e2e {
	latency, requests := nab(t, "ec2_request_latency"), nab(t, "elb_request_count")
	// Three and a half hours of latency, played 60 times as fast as it was
	// recorded, come before the test and the rest during it. The requests end now.
	past, future := latency[:2520], latency[2520:]
	e := &e2e{t: t}
	e.target = newTarget(t, "checkout_latency_milliseconds", slot, future, fmt.Sprintf("shop_requests_per_5m %v\n", requests[len(requests)-1]))

	var history bytes.Buffer
	now := time.Now()
	const labels = `job="shop",instance="shop:80"`
	backfillText(&history, "checkout_latency_milliseconds", labels, now, slot, past)
	backfillText(&history, "shop_requests_per_5m", labels, now.Truncate(5*time.Minute).Add(5*time.Minute-time.Second), 5*time.Minute, requests)
	history.WriteString("# EOF\n")
	e.am = testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	e.beside = startBeside(t, &history, e.config, []string{"ml-enhancement", "start", "--interval", "5"}, scrapeJob{job: "shop", url: e.target.URL, instance: "shop:80"})
	e.minute = startProcess(t, t.TempDir(), "ml-enhancement", "start", "--interval", "60", "--duration", "1",
		"--prometheus.url", e.prom.URL, "--web.listen-address", freeAddr(t))
	return e
}

func (e *e2e) config(prom string) string { return fmt.Sprintf(e2eConfig, prom, e.am.URL) }

// metric returns the value of one line of upid's own page.
func (e *e2e) metric(series string) (string, error) {
	_, body, err := getText(e.url() + "/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("/metrics has no %s", series)
}

// firing returns the one open anomaly alert.
func (e *e2e) firing() (alert, error) {
	as, err := alertsNamed(e.am.URL, "UpidAnomaly")
	if err != nil {
		return alert{}, err
	}
	if len(as) != 1 {
		return alert{}, fmt.Errorf("%d alerts: %+v, want 1", len(as), as)
	}
	return as[0], nil
}

// TestEndToEnd is the main job on real servers: query, forecast, score, be
// scraped, raise, survive, resolve. Its parts follow one another.
func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers and runs for minutes")
	}
	t.Parallel()
	e := newE2E(t)
	ok := t.Run("forecasts for every horizon with bounds and confidence", e.forecasts) &&
		t.Run("expectation and score of every series", e.scores) &&
		t.Run("ordinary data raise no alert", e.quiet) &&
		t.Run("a forecast that reaches a limit raises one alert", e.breaches) &&
		t.Run("an incident raises exactly one alert within 3 slots", e.raises) &&
		t.Run("the commands list it", e.lists) &&
		t.Run("kill -9 and restart neither lose nor resolve it", e.survivesKill) &&
		t.Run("it is resolved after the incident ends", e.resolves) &&
		t.Run("Prometheus down and up", e.outage) &&
		t.Run("reload with a bad file keeps running", e.reload) &&
		t.Run("stop ends it within 10 s", e.stop) &&
		t.Run("start --interval 60 --duration 1 stops by itself", e.stopsByItself)
	if !ok {
		t.Log("the parts after the first failure were not run")
	}
}

func (e *e2e) forecasts(t *testing.T) {
	for signal, horizons := range map[string][]string{
		"shop_requests":    {"10m", "1h", "6h", "1d", "3d", "7d"},
		"checkout_latency": {"10m", "1h"},
	} {
		for _, h := range horizons {
			eventually(t, 60*time.Second, signal+" in "+h, func() error {
				sel := fmt.Sprintf(`{signal=%q,horizon=%q,job="shop",instance="shop:80"}`, signal, h)
				v, err := one(e.prom.URL, "upid_forecast_value"+sel)
				if err != nil {
					return err
				}
				lower, err := one(e.prom.URL, "upid_forecast_lower"+sel)
				if err != nil {
					return err
				}
				upper, err := one(e.prom.URL, "upid_forecast_upper"+sel)
				if err != nil {
					return err
				}
				peak, err := one(e.prom.URL, "upid_forecast_peak_value"+sel)
				if err != nil {
					return err
				}
				if !(lower <= v && v <= upper && lower < upper && peak >= v) {
					return fmt.Errorf("lower %v value %v upper %v peak %v are out of order", lower, v, upper, peak)
				}
				return nil
			})
		}
		eventually(t, 10*time.Second, "confidence of "+signal, func() error {
			c, err := one(e.prom.URL, fmt.Sprintf(`upid_forecast_confidence_ratio{signal=%q}`, signal))
			if err == nil && !(c > 0 && c <= 1) {
				err = fmt.Errorf("confidence %v, want in (0, 1]", c)
			}
			return err
		})
	}
}

func (e *e2e) scores(t *testing.T) {
	eventually(t, 60*time.Second, "scores", func() error {
		for _, signal := range []string{"shop_requests", "checkout_latency"} {
			sel := fmt.Sprintf(`{signal=%q}`, signal)
			score, err := one(e.prom.URL, "upid_anomaly_score"+sel)
			if err != nil {
				return err
			}
			if !(score >= 0) {
				return fmt.Errorf("score %v", score)
			}
			bounds := []string{"upid_observed_value", "upid_expected_value", "upid_expected_upper"}
			if signal == "shop_requests" { // the other watches one direction, so it has no lower bound
				bounds = append(bounds, "upid_expected_lower")
			}
			for _, name := range bounds {
				if _, err := one(e.prom.URL, name+sel); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (e *e2e) quiet(t *testing.T) {
	time.Sleep(4 * slot)
	if as, err := alertsNamed(e.am.URL, "UpidAnomaly"); err != nil || len(as) != 0 {
		t.Fatalf("alerts %+v, %v", as, err)
	}
}

// breaches expects the daily peak of the requests, which is above 30 every day and never below 1.
func (e *e2e) breaches(t *testing.T) {
	var as []alert
	eventually(t, time.Minute, "alert of a forecast", func() (err error) {
		if as, err = alertsNamed(e.am.URL, rules.AlertForecast); err == nil && len(as) != 1 {
			err = fmt.Errorf("%d alerts: %+v, want 1", len(as), as)
		}
		return err
	})
	a := as[0]
	want := map[string]string{"alertname": rules.AlertForecast, "signal": "shop_requests", "type": "forecast_above", "severity": a.Labels["severity"], "job": "shop", "instance": "shop:80"}
	if fmt.Sprint(a.Labels) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v", a.Labels, want)
	}
	for name, text := range map[string]string{"summary": "above 30 requests", "description": "90 % interval", "family": rules.FamilyBehavior, "first_action": "upid predictions --signal shop_requests"} {
		if !strings.Contains(a.Annotations[name], text) {
			t.Errorf("%s: %q, want %q in it", name, a.Annotations[name], text)
		}
	}
	eventually(t, 30*time.Second, "upid_anomaly_active", func() error {
		v, err := one(e.prom.URL, `upid_anomaly_active{signal="shop_requests",type="forecast_above",job="shop",instance="shop:80"}`)
		if err == nil && v != 1 {
			err = fmt.Errorf("it is %v", v)
		}
		return err
	})
}

func (e *e2e) raises(t *testing.T) {
	begin := time.Now()
	e.target.set(5)
	var a alert
	eventually(t, 12*slot, "alert", func() (err error) {
		a, err = e.firing()
		return err
	})
	seen := time.Now()
	if late := seen.Sub(a.StartsAt); late > 3*slot {
		t.Errorf("the alert came %v after the first breach at %v, want at most 3 slots", late, a.StartsAt)
	}
	if a.StartsAt.Before(begin.Truncate(slot)) || a.StartsAt.After(begin.Add(2*slot)) {
		t.Errorf("startsAt %v, the incident began %v", a.StartsAt, begin)
	}
	want := map[string]string{"alertname": "UpidAnomaly", "signal": "checkout_latency", "type": "spike", "severity": a.Labels["severity"], "job": "shop", "instance": "shop:80"}
	if fmt.Sprint(a.Labels) != fmt.Sprint(want) {
		t.Errorf("labels %v, want %v", a.Labels, want)
	}
	if s := a.Labels["severity"]; s != "warning" && s != "critical" {
		t.Errorf("severity %q", s)
	}
	for name, part := range map[string]string{
		"family": "performance_degradation", "summary": "checkout_latency", "description": "ms", "first_action": " ",
		"score": ".", "confidence": "0.", "runbook_url": "https://runbooks.example/latency",
	} {
		if !strings.Contains(a.Annotations[name], part) {
			t.Errorf("annotation %s = %q, want %q in it", name, a.Annotations[name], part)
		}
	}
	if !strings.HasPrefix(a.GeneratorURL, e.prom.URL+"/graph?") {
		t.Errorf("generator URL %q", a.GeneratorURL)
	}
	eventually(t, 3*slot, "upid_anomaly_active", func() error {
		_, err := one(e.prom.URL, `upid_anomaly_active{signal="checkout_latency",type="spike"} == 1`)
		return err
	})
}

// lists asks the sidecar as people do, which is found by its lock file.
func (e *e2e) lists(t *testing.T) {
	o := e.run(t, "anomalies --open --type spike --fail-on-finding -o csv")
	o.want(t, exitFinding)
	if n := strings.Count(o.stdout, "\n"); n != 2 || !strings.Contains(o.stdout, `checkout_latency,"{instance=""shop:80"", job=""shop""}"`) {
		t.Errorf("anomalies:\n%s", o.stdout)
	}
	o = e.run(t, "ml-enhancement predictions --signal shop_requests --horizon 1d -o csv")
	o.want(t, exitOK)
	if n := strings.Count(o.stdout, "\n"); n != 2 {
		t.Errorf("predictions:\n%s", o.stdout)
	}
	o = e.run(t, "dashboard")
	o.want(t, exitOK)
	for _, text := range []string{"prometheus ok", "1 alertmanager ok", "checkout_latency", "spike", "shop_requests"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("the dashboard lacks %q:\n%s", text, o.stdout)
		}
	}
	t.Log("\n" + o.stdout)
}

func (e *e2e) survivesKill(t *testing.T) {
	before, err := e.firing()
	if err != nil {
		t.Fatal(err)
	}
	e.upid.kill()
	time.Sleep(slot)
	if _, err := e.firing(); err != nil {
		t.Fatalf("while it is dead: %v", err)
	}
	e.start(e.t)
	eventually(t, 30*time.Second, "posted again", func() error {
		a, err := e.firing()
		if err == nil && !a.UpdatedAt.After(before.UpdatedAt.Add(slot)) {
			err = fmt.Errorf("last posted %v", a.UpdatedAt)
		}
		return err
	})
	for end := time.Now().Add(6 * slot); time.Now().Before(end); time.Sleep(slot / 2) {
		a, err := e.firing()
		if err != nil {
			t.Fatal(err)
		}
		if err := sameAlert(before, a); err != nil {
			t.Fatal(err)
		}
		before = a
	}
}

// sameAlert returns an error unless after is the alert before, with the same severity or a higher one.
func sameAlert(before, after alert) error {
	changed := fmt.Errorf("%v since %v, score %s; before %v since %v, score %s",
		after.Labels, after.StartsAt, after.Annotations["score"], before.Labels, before.StartsAt, before.Annotations["score"])
	was, is := slices.Index(series.Severities, before.Labels["severity"]), slices.Index(series.Severities, after.Labels["severity"])
	if was < 0 || is < was || !after.StartsAt.Equal(before.StartsAt) {
		return changed
	}
	rest := maps.Clone(after.Labels)
	rest["severity"] = before.Labels["severity"]
	if !maps.Equal(rest, before.Labels) {
		return changed
	}
	return nil
}

func (e *e2e) resolves(t *testing.T) {
	e.target.set(1)
	eventually(t, 3*time.Minute, "resolved", func() error {
		as, err := alertsNamed(e.am.URL, "UpidAnomaly")
		if err == nil && len(as) != 0 {
			err = fmt.Errorf("still firing: %+v", as)
		}
		return err
	})
	if v, err := e.metric(`upid_notifications_errors_total{alertmanager="` + e.am.URL + `"}`); err != nil || v != "0" {
		t.Errorf("notification errors %s, %v", v, err)
	}
}

func (e *e2e) outage(t *testing.T) {
	e.prom.Stop()
	eventually(t, 60*time.Second, "upid_upstream_up 0", func() error {
		v, err := e.metric(`upid_upstream_up{upstream="prometheus"}`)
		if err == nil && v != "0" {
			err = fmt.Errorf("up is %s", v)
		}
		return err
	})
	eventually(t, 30*time.Second, "/-/ready stays 200 and says so", func() error {
		code, body, err := getText(e.url() + "/-/ready")
		if err == nil && (code != 200 || !strings.Contains(body, "failing since")) {
			err = fmt.Errorf("%d\n%s", code, body)
		}
		return err
	})
	const score = `upid_anomaly_score{signal="checkout_latency",instance="shop:80",job="shop"}`
	eventually(t, 60*time.Second, "old results are taken away", func() error {
		if v, err := e.metric(score); err == nil {
			return fmt.Errorf("still there: %s", v)
		}
		return nil
	})
	e.prom.Start()
	eventually(t, 60*time.Second, "results come back", func() error {
		_, err := e.metric(score)
		return err
	})
	if v, err := e.metric(`upid_upstream_up{upstream="prometheus"}`); err != nil || v != "1" {
		t.Errorf("up is %s, %v", v, err)
	}
}

func (e *e2e) reload(t *testing.T) {
	good := e.config(e.prom.URL)
	reloaded := func(want string) {
		t.Helper()
		e.upid.signal(t, syscall.SIGHUP)
		eventually(t, 10*time.Second, "reload", func() error {
			v, err := e.metric("upid_config_last_reload_successful")
			if err == nil && v != want {
				err = fmt.Errorf("upid_config_last_reload_successful is %s, want %s", v, want)
			}
			return err
		})
	}
	e.writeConfig(t, strings.Replace(good, "step: 5s", "step: often", 1))
	reloaded("0")
	if log := e.upid.log.String(); !strings.Contains(log, `config.yaml:15: signals[1].step: \"often\" is no duration`) {
		t.Errorf("the log does not say what is wrong:\n%s", log)
	}
	runs, err := e.metric(`upid_signal_runs_total{pass="score",signal="checkout_latency"}`)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 4*slot, "the old configuration goes on", func() error {
		now, err := e.metric(`upid_signal_runs_total{pass="score",signal="checkout_latency"}`)
		if err == nil && now == runs {
			err = fmt.Errorf("still %s runs", now)
		}
		return err
	})
	fits, err := e.metric(`upid_signal_runs_total{pass="fit",signal="checkout_latency"}`)
	if err != nil {
		t.Fatal(err)
	}
	e.writeConfig(t, good+"  - {name: up, query: sum(up)}\n")
	reloaded("1")
	if now, err := e.metric(`upid_signal_runs_total{pass="fit",signal="checkout_latency"}`); err != nil || now != fits {
		t.Errorf("an unchanged signal was fitted again: %s fits, then %s (%v)", fits, now, err)
	}
	eventually(t, 30*time.Second, "the new signal runs", func() error {
		_, err := e.metric(`upid_observed_value{signal="up"}`)
		return err
	})
}

func (e *e2e) stop(t *testing.T) {
	begin := time.Now()
	stop := startProcess(t, e.dir, "ml-enhancement", "stop")
	if code := stop.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("stop: exit %d\n%s", code, stop.log)
	}
	if code := e.upid.exit(t, time.Second); code != exitOK {
		t.Errorf("start: exit %d", code)
	}
	t.Logf("stopped in %v", time.Since(begin).Round(time.Millisecond))
	again := startProcess(t, e.dir, "stop")
	if code := again.exit(t, 10*time.Second); code != exitFailure || !strings.Contains(again.log.String(), "not running") {
		t.Errorf("stop without an instance: exit %d\n%s", code, again.log)
	}
}

func (e *e2e) stopsByItself(t *testing.T) {
	if code := e.minute.exit(t, 90*time.Second); code != exitOK {
		t.Errorf("exit %d", code)
	}
	log := e.minute.log.String()
	for _, want := range []string{"presets prometheus and node", "the time of --duration is over", "upid stopped"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}
