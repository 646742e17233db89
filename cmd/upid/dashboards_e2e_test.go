//go:build unix

package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/dashboards"
)

// cluster is ten days of two workloads, as cAdvisor and OpenCost export them, and
// of one node whose disk fills up. It goes on while the test runs.
type cluster struct{ end time.Time }

const clusterStep = 2 * time.Minute

// each calls yield for every series with its type, labels and value at a time.
// Counters integrate what a daily wave says.
func (c cluster) each(at time.Time, yield func(metric, kind, labels string, value float64)) {
	const day = 24 * 3600
	begin := c.end.Add(-10 * 24 * time.Hour)
	x := at.Sub(begin).Seconds()
	daily := func(mean, swing float64) float64 { return mean + swing*math.Sin(2*math.Pi*x/day) }
	integral := func(mean, swing float64) float64 {
		return mean*x + swing*day/(2*math.Pi)*(1-math.Cos(2*math.Pi*x/day))
	}
	noise := func(i int) float64 { return math.Sin(x*float64(i+3)/977) * math.Cos(x*float64(i+2)/389) }
	for i, w := range []struct{ pod, workload string }{{"checkout-7d9c5b6f8d-x2x4z", "checkout"}, {"search-0", "search"}} {
		k := float64(i + 1)
		pod := fmt.Sprintf(`namespace="shop",pod=%q,container="app",node="node-1"`, w.pod)
		yield("container_cpu_usage_seconds", "counter", pod, integral(0.4*k, 0.2*k)+20*noise(i))
		yield("container_memory_working_set_bytes", "gauge", pod, daily(3e8*k, 5e7)+1e6*noise(i))
		yield("container_network_receive_bytes", "counter", pod, integral(1e6*k, 5e5)+1e7*noise(i))
		yield("container_network_transmit_bytes", "counter", pod, integral(2e6*k, 5e5)+1e7*noise(i))
		yield("container_cpu_allocation", "gauge", pod, daily(0.5*k, 0.1)+0.01*noise(i))
		yield("container_memory_allocation_bytes", "gauge", pod, 5e8*k)
	}
	// As kube-state-metrics and OpenCost have it: a forgotten workload, an autoscaler at its
	// maximum, and a node too many.
	const legacy = `namespace="shop",pod="legacy-5c8d7f9b6d-q7w8z",container="app",node="node-1"`
	yield("container_cpu_usage_seconds", "counter", legacy, 0.0001*x)
	yield("container_memory_working_set_bytes", "gauge", legacy, 1e8)
	yield("container_cpu_allocation", "gauge", legacy, 0.25)
	yield("container_memory_allocation_bytes", "gauge", legacy, 1e9)
	for _, pod := range []string{legacy, `namespace="shop",pod="checkout-7d9c5b6f8d-x2x4z",container="app",node="node-1"`} {
		yield("kube_pod_container_info", "gauge", pod, 1)
		yield("kube_pod_container_resource_requests", "gauge", pod+`,resource="cpu",unit="core"`, 0.5)
		yield("kube_pod_container_resource_requests", "gauge", pod+`,resource="memory",unit="byte"`, 5e8)
	}
	yield("kube_horizontalpodautoscaler_spec_max_replicas", "gauge", `namespace="shop",horizontalpodautoscaler="checkout"`, 4)
	yield("kube_horizontalpodautoscaler_status_desired_replicas", "gauge", `namespace="shop",horizontalpodautoscaler="checkout"`, 4)
	for _, node := range []string{`node="node-1"`, `node="node-2"`} {
		yield("kube_node_status_allocatable", "gauge", node+`,resource="cpu",unit="core"`, 4)
		yield("kube_node_status_allocatable", "gauge", node+`,resource="memory",unit="byte"`, 1.6e10)
		yield("node_total_hourly_cost", "gauge", node, 0.2)
	}
	yield("node_cpu_hourly_cost", "gauge", `node="node-1"`, 0.04)
	yield("node_ram_hourly_cost", "gauge", `node="node-1"`, 0.005)
	const disk = `device="/dev/sda",fstype="ext4",mountpoint="/"`
	yield("node_filesystem_avail_bytes", "gauge", disk, 1e11*(0.3-0.02*x/day)+2e8*noise(1))
	yield("node_filesystem_size_bytes", "gauge", disk, 1e11)
	// What happens in the last half hour has not happened before.
	odd := daily(20, 5) + noise(2)
	if c.end.Sub(at) < 30*time.Minute {
		odd += 200
	}
	if x == 3*day {
		odd = math.Inf(1) // is ignored and counted
	}
	// Somebody guesses passwords in the last ten minutes.
	guesses := math.Floor(x / 7200)
	if since := x - c.end.Sub(begin).Seconds() + 600; since > 0 {
		guesses += math.Floor(since)
	}
	yield("ssh_auth_events", "counter", `host="node-1",result="failed"`, guesses)
	yield("ssh_auth_events", "counter", `host="node-1",result="accepted"`, math.Floor(x/3600))
	yield("queue_length", "gauge", `queue="mail"`, odd)
	// A rule of somebody else's alerts.
	yield("ALERTS", "gauge", `alertname="QueueLong",alertstate="firing",severity="page",namespace="shop"`, 1)
}

// said calls yield for what upid said before the test began, of which the dashboard "upid / Business" shows a week.
func (c cluster) said(_ time.Time, yield func(metric, kind, labels string, value float64)) {
	for _, scope := range []string{`scope="total"`, `scope="namespace",namespace="shop"`} {
		yield("upid_observed_value", "gauge", `signal="costs",`+scope, 0.1)
		for _, m := range []string{"upid_cost_forecast_value", "upid_cost_forecast_lower", "upid_cost_forecast_upper"} {
			yield(m, "gauge", `signal="costs",horizon="7d",currency="EUR",`+scope, 16.8)
		}
	}
}

const clusterConfig = `
prometheus: {url: %s}
alertmanager: {urls: [%s]}
presets: [workloads, node]
threats:
  history: 3d
  overrides: [{preset: ssh, step: 15s}]
costs: {currency: EUR, budget: 500}
recommendations: {}
signals:
  - name: mail_queue
    query: queue_length
    unit: mails
    step: 2m
  - name: mails_waiting
    type: business
    query: queue_length
    unit: mails
    step: 2m
`

// TestDashboardsLive runs every query of every dashboard, those of its variables and
// annotations too, as Grafana would, on a Prometheus that scrapes upid. An error
// or an empty answer fails it.
func TestDashboardsLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers and runs for a minute")
	}
	t.Parallel()
	c := cluster{end: time.Now()}
	am := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(am.Close)
	history := past(c.end, 10*24*time.Hour, clusterStep, `job="cluster",instance="node-1:9100"`, c.each, c.said)
	live := startBeside(t, history, func(prom string) string { return fmt.Sprintf(clusterConfig, prom, am.URL) },
		[]string{"start", "--interval", "5"}, scrapeJob{job: "cluster", url: exporter(c.each).serve(t), instance: "node-1:9100"})
	prom, addr := live.prom, live.addr
	eventually(t, 60*time.Second, "forecasts of a week for the four signals of the overview", func() error {
		for _, s := range []string{"workload_cpu", "workload_memory", "workload_network", "workload_cost"} {
			ss, err := promQL(prom.URL, `upid_forecast_upper{horizon="7d",signal="`+s+`"}`)
			if err != nil || len(ss) < 2 {
				return fmt.Errorf("%s: %d series, want 2 or more (%w)", s, len(ss), err)
			}
		}
		return nil
	})
	eventually(t, 60*time.Second, "a host with a risk", func() error {
		_, err := one(prom.URL, `upid_threat_risk_score{signal="threats-ssh"} >= 40`)
		return err
	})
	t.Run("recommendations", func(t *testing.T) { recommendationsLive(t, prom.URL, "http://"+addr) })
	for _, d := range dashboards.All() {
		t.Run(d.UID, func(t *testing.T) {
			eventually(t, 45*time.Second, "every query has an answer", func() error {
				g, err := asGrafana(prom.URL, d.JSON, nil)
				err = errors.Join(slices.DeleteFunc(unjoin(err), absent("upid_trend_ratio"))...) // the queue only waves
				if d.UID == "upid-models" {                                                      // nothing is judged within a minute
					err = errors.Join(slices.DeleteFunc(unjoin(err), absent("upid_model_judged_forecasts"))...)
					err = errors.Join(slices.DeleteFunc(unjoin(err), absent(`stage="shadow"`))...)
				}
				if d.UID == "upid-business" { // history begins after the first of the month; no request is recommended, nothing in the shop is odd
					for _, metric := range []string{"upid_cost_month_to_date_value", "cpu_request_cores", "upid_anomaly_active[1d:1m]"} {
						err = errors.Join(slices.DeleteFunc(unjoin(err), absent(metric))...)
					}
				}
				least := 25
				if d.UID == "upid-capacity" || d.UID == "upid-recommendations" {
					least = 15
				}
				if err == nil && g.queries < least {
					err = fmt.Errorf("only %d queries were run", g.queries)
				}
				if four, ok := g.variables["forecast"]; ok && len(four.values) != 4 {
					err = fmt.Errorf("the forecasts are those of %q", four.values)
				}
				return err
			})
			if d.UID != "upid-signal" {
				return
			}
			// Another signal has all of it too, but nothing odd.
			g, err := asGrafana(prom.URL, d.JSON, map[string]string{"signal": "workload_network", "horizon": "1h", "label": "workload", "value": "search"})
			for _, err := range unjoin(err) {
				if !absent("upid_anomaly_active")(err) && !absent("upid_trend_ratio")(err) {
					t.Errorf("workload_network: %v", err)
				}
			}
			// The disk that fills has a trend; it is watched in one direction only.
			g2, err := asGrafana(prom.URL, d.JSON, map[string]string{"signal": "node_filesystem", "label": "instance", "value": "node-1:9100"})
			for _, err := range unjoin(err) {
				if !absent("upid_anomaly_active")(err) && !absent("upid_expected_lower")(err) {
					t.Errorf("node_filesystem: %v", err)
				}
			}
			if g2.queries < 25 {
				t.Errorf("node_filesystem: only %d queries were run", g2.queries)
			}
			if s := g.variables["series"].values[0]; !strings.Contains(s, `workload="search"`) {
				t.Errorf("the label chooses %s", s)
			}
		})
	}
}

// recommendationsLive wants the recommendations of the cluster as metrics, in a table, and as a
// patch and its reverse.
func recommendationsLive(t *testing.T, prom, upidURL string) {
	eventually(t, 90*time.Second, "recommendations of five kinds", func() error {
		for _, kind := range []string{"capacity_exhaustion", "idle_workload", "hpa_at_max", "node_count", "missing_limits"} {
			if ss, err := promQL(prom, `upid_recommendation_info{kind="`+kind+`"}`); err != nil || len(ss) == 0 {
				return fmt.Errorf("no recommendation of kind %s (%w)", kind, err)
			}
		}
		return nil
	})
	// 10 GB are left and 2 a day are taken in.
	if v, err := one(prom, `upid_capacity_exhaustion_seconds{capacity="disk"}`); err != nil || math.Abs(v-5*86400) > 86400 {
		t.Errorf("the disk is full in %.0f s (%v), want about 5 days", v, err)
	}
	// 0.25 cores and 1 GB at the prices of node-1, for 730 h.
	if v, err := one(prom, `upid_recommendation_savings_monthly{kind="idle_workload",workload="legacy",currency="EUR"}`); err != nil || math.Abs(v-(0.25*0.04+1e9/(1<<30)*0.005)*730) > 0.01 {
		t.Errorf("legacy saves %v (%v)", v, err)
	}
	savings, err := one(prom, `sum(upid_recommendation_savings_monthly)`)
	if err != nil || savings > 0.4*730 {
		t.Errorf("savings of %v (%v) of a cluster that costs %v", savings, err, 0.4*730)
	}
	o := upid(t, "", "ml-enhancement recommendations --optimization-type cost_reduction --confidence-threshold 0.5 --address "+upidURL)
	if o.code != exitOK || !strings.Contains(o.stdout, "Scale shop/legacy to zero") || !strings.Contains(o.stdout, "Run 1 nodes instead of 2") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o = upid(t, "", "recommendations --kind hpa_at_max -o patch --address "+upidURL)
	if want := `kubectl --namespace shop patch horizontalpodautoscaler checkout --type merge --patch '{"spec":{"maxReplicas":6}}'`; o.code != exitOK || !strings.Contains(o.stdout, want) {
		t.Errorf("exit %d, want %s\n%s%s", o.code, want, o.stdout, o.stderr)
	}
	o = upid(t, "", "recommendations --kind hpa_at_max -o patch --reverse --address "+upidURL)
	if !strings.Contains(o.stdout, `'{"spec":{"maxReplicas":4}}'`) {
		t.Errorf("reverse: %s%s", o.stdout, o.stderr)
	}
}

// absent says whether an error is that a query of the metric has no answer.
func absent(metric string) func(error) bool {
	return func(err error) bool {
		return strings.Contains(err.Error(), "no answer") && strings.Contains(err.Error(), metric)
	}
}

// unjoin returns what errors.Join has put together.
func unjoin(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
