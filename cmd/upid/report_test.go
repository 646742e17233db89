package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/rules/report"
)

// reportEnd is the end of the time of the tests: the end of the 27th of a month.
var reportEnd = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// lived is a series that has a value from one time on until before another, given as days and
// hours before reportEnd.
type lived struct {
	metric      string // with labels, as PromQL selects it
	from, until time.Duration
	value       float64
}

const (
	dayLong = 24 * time.Hour
	ever    = 21 * dayLong
)

// served is three weeks of a shop as the Prometheus has it that scrapes upid: on the 14th what the shop requests
// was made smaller as recommended, on the 20th its answers were slow and its orders fell.
func served() []lived {
	const own = `job="upid",instance="upid:9877"`
	cost := func(metric, more string) string { return fmt.Sprintf(`%s{signal="costs",%s,%s}`, metric, more, own) }
	const total, shop = `scope="total"`, `scope="namespace",namespace="shop"`
	changed := 14 * dayLong // the 14th, 0:00
	slow := reportEnd.Sub(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	anomaly := func(signal, typ, severity, more string) string {
		return fmt.Sprintf(`upid_anomaly_active{signal=%q,type=%q,severity=%q,%s,job="upid"}`, signal, typ, severity, more)
	}
	const web = `namespace="shop",service="web",instance="upid:9877"`
	const m = time.Minute
	return []lived{
		{`upid_build_info{version="1",` + own + `}`, ever + 7*dayLong, 0, 1},
		{`upid_signal_info{signal="latency",type="performance",unit="s",` + own + `}`, ever, 0, 1},
		{`upid_signal_info{signal="orders",type="business",unit="",` + own + `}`, ever, 0, 1},

		{cost("upid_observed_value", total), ever + 7*dayLong, changed, 10},
		{cost("upid_observed_value", total), changed, 0, 8},
		{cost("upid_observed_value", shop), ever, changed, 6},
		{cost("upid_observed_value", shop), changed, 0, 4},
		{cost("upid_cost_forecast_value", total+`,horizon="7d",currency="EUR"`), ever, 0, 1600},
		{cost("upid_cost_forecast_lower", total+`,horizon="7d",currency="EUR"`), ever, 0, 1500},
		{cost("upid_cost_forecast_upper", total+`,horizon="7d",currency="EUR"`), ever, 0, 1700},
		{cost("upid_cost_forecast_value", shop+`,horizon="7d",currency="EUR"`), ever, 0, 1008},
		{cost("upid_cost_forecast_lower", shop+`,horizon="7d",currency="EUR"`), ever, 0, 910},
		{cost("upid_cost_forecast_upper", shop+`,horizon="7d",currency="EUR"`), ever, 0, 1106},
		{cost("upid_cost_forecast_value", total+`,horizon="month_end",currency="EUR"`), ever, 0, 576},
		{cost("upid_cost_forecast_lower", total+`,horizon="month_end",currency="EUR"`), ever, 0, 500},
		{cost("upid_cost_forecast_upper", total+`,horizon="month_end",currency="EUR"`), ever, 0, 650},
		{cost("upid_cost_budget_value", total+`,currency="EUR"`), ever, 0, 6000},

		{`upid_recommendation_savings_monthly{signal="recommendations",id="web-1",kind="right_size",optimization_type="resource_scaling",currency="EUR",namespace="shop",workload_kind="Deployment",workload="web",container="app",` + own + `}`, 20 * dayLong, changed, 1500},
		{`upid_recommendation_target_value{signal="recommendations",id="web-1",kind="right_size",optimization_type="resource_scaling",resource="cpu_request_cores",namespace="shop",workload_kind="Deployment",workload="web",container="app",` + own + `}`, 20 * dayLong, changed, 1},
		{`upid_recommendation_savings_monthly{signal="costs",id="old-1",kind="idle_workload",optimization_type="cost_reduction",currency="EUR",namespace="shop",workload_kind="Deployment",workload="old",` + own + `}`, 20 * dayLong, 0, 100},
		{`upid_recommendation_target_value{signal="costs",id="old-1",kind="idle_workload",optimization_type="cost_reduction",resource="replicas",namespace="shop",workload_kind="Deployment",workload="old",` + own + `}`, 20 * dayLong, 0, 0},
		{`kube_pod_container_resource_requests{resource="cpu",namespace="shop",pod="web-7d9c5b6f8d-x2x4z",container="app",job="ksm"}`, ever, changed, 3},
		{`kube_pod_container_resource_requests{resource="cpu",namespace="shop",pod="web-5c8d7f9b6d-q7w8z",container="app",job="ksm"}`, changed, 0, 1.1},
		{`kube_deployment_spec_replicas{namespace="shop",deployment="old",job="ksm"}`, ever, 0, 2},

		{anomaly("latency", "spike", "warning", web), slow, slow - 30*m, 1},
		{anomaly("latency", "spike", "critical", web), slow - 30*m, slow - 60*m, 1},
		{anomaly("orders", "drop", "warning", `instance="upid:9877"`), slow - 10*m, slow - 50*m, 1},
		{anomaly("latency", "spike", "warning", `namespace="shop",service="mail",instance="upid:9877"`), slow - 10*time.Hour, slow - 11*time.Hour, 1},
		{`ALERTS{alertname="SlowAnswers",alertstate="firing",severity="page",namespace="shop",service="web"}`, slow - 20*m, slow - 60*m, 1},
		{`ALERTS{alertname="MailLate",alertstate="firing",severity="ticket",namespace="shop",service="mail"}`, slow - 9*time.Hour - 45*m, slow - 12*time.Hour, 1},
		{`ALERTS{alertname="DiskFull",alertstate="firing",severity="page",instance="db:9100"}`, 2 * dayLong, dayLong, 1},
		{`ALERTS{alertname="Budget",alertstate="firing",severity="ticket"}`, 2 * dayLong, dayLong, 1},
		{`ALERTS{alertname="Old",alertstate="firing",severity="ticket",instance="db:9100"}`, ever + dayLong, 0, 1},
		{`ALERTS{alertname="UpidAnomaly",alertstate="firing",severity="critical",namespace="shop",service="web"}`, slow, slow - 60*m, 1},

		{`upid_model_skill_ratio{signal="latency",horizon="1d",stage="active",` + own + `}`, ever, 0, 0.3},
		{`upid_model_coverage_ratio{signal="latency",horizon="1d",stage="active",` + own + `}`, ever, 0, 0.91},
		{`upid_alert_budget_ratio{signal="latency",` + own + `}`, ever, dayLong, 2},
		{`upid_alert_budget_ratio{signal="latency",` + own + `}`, dayLong, 0, 0.5},
	}
}

// prometheusOf serves series at every five minutes up to reportEnd.
func prometheusOf(t *testing.T, all []lived) string {
	t.Helper()
	eng, err := engine.Open(engine.Options{Dir: t.TempDir(), Lookback: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	b := eng.Batch(t.Context())
	for _, l := range all {
		ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(l.metric)
		if err != nil {
			t.Fatalf("%s: %v", l.metric, err)
		}
		set := labels.NewScratchBuilder(len(ms))
		for _, m := range ms {
			set.Add(m.Name, m.Value)
		}
		set.Sort()
		ref := uint64(0)
		for at := reportEnd.Add(-l.from); at.Before(reportEnd.Add(-l.until)) || l.until == 0 && at.Equal(reportEnd); at = at.Add(5 * time.Minute) {
			if ref, err = b.Append(ref, set.Labels(), at.UnixMilli(), l.value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(eng.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

// TestReport: every figure of a report follows from what Prometheus kept.
func TestReport(t *testing.T) {
	url := prometheusOf(t, served())
	args := "report --since 21d --end 2026-11-28T00:00:00Z --prometheus.url " + url
	o := upid(t, "", args+" -o json")
	o.want(t, exitOK)
	var r report.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	near := func(what string, f report.Figure, want float64) {
		t.Helper()
		if !f.Known() || math.Abs(f.Number()-want) > 1e-9*math.Max(1, math.Abs(want)) {
			t.Errorf("%s: %v %q, want %v", what, f.Number(), f.Absent, want)
		}
	}
	absent := func(what string, f report.Figure, want string) {
		t.Helper()
		if f.Known() || !strings.Contains(f.Absent, want) {
			t.Errorf("%s: %v %q, want it absent: %s", what, f.Number(), f.Absent, want)
		}
	}
	s := r.Spend
	near("spent", s.Total, 7*24*10+14*24*8)
	near("measured", s.Measured, 1)
	if s.Currency != "EUR" || len(s.Weeks) != 3 || len(s.Months) != 1 || len(s.Namespaces) != 1 {
		t.Fatalf("%+v", s)
	}
	// Weeks of 1,680, 1,344 and 1,344 against 1,600 each; the first is inside 1,500 to 1,700.
	near("against forecast", s.Against, 4368.0/4800-1)
	near("inside", s.Inside, 1.0/3)
	near("week", report.Of(s.Weeks[1].Spent, ""), 1344)
	// From the 1st: 13 days of 10, then 14 of 8 an hour, and 576 ahead.
	near("month", s.Months[0].Spent, 13*240+14*192)
	near("expected", s.Months[0].Expected, 13*240+14*192+576)
	near("over budget", s.Months[0].Over, 13*240+14*192+576-6000)
	near("shop", s.Namespaces[0].Total, 7*24*6+14*24*4)
	near("shop's forecast", s.Namespaces[0].Forecast, 3*1008)

	v := r.Savings
	near("proposed", v.Proposed, 1600)
	near("open", v.Open, 100)
	near("applied", v.Applied, 1500)
	absent("realisable", v.Realisable, "not known which nodes")
	// The week after the change cost 672 of 1,008 that were forecast before.
	near("realised", v.Realised, (1008-672)*730.0/168)
	if v.Recommendations.Number() != 2 || v.AppliedCount != 1 || len(v.Changes) != 2 || len(v.Realisations) != 1 {
		t.Fatalf("%+v", v)
	}
	near("lower", v.Realisations[0].Lower, (910-672)*730.0/168)
	if c := v.Changes[0]; c.ID != "web-1" || c.State != report.Applied || c.At.Number() != float64(time.Date(2026, 11, 14, 0, 0, 0, 0, time.UTC).Unix()) || c.Moves[0].After.Number() != 1.1 {
		t.Errorf("%+v", c)
	}
	if c := v.Changes[1]; c.ID != "old-1" || c.State != report.NotApplied {
		t.Errorf("%+v", c)
	}

	i := r.Incidents
	near("incidents", i.Count, 3)
	near("alerts", i.AlertCount, 3)
	near("before", i.Before, 1)
	near("after", i.After, 1)
	near("not seen", i.NotSeen, 1)
	near("lead", i.Lead, 20*60)
	if i.NoSubject != 1 || i.Severities[0].Count != 1 || i.Severities[1].Count != 2 {
		t.Errorf("%+v", i)
	}
	if a := i.Alerts[0]; a.Name != "SlowAnswers" || a.Seen != report.SeenBefore || a.Incident.Severity != "critical" || a.Incident.Labels["instance"] != "" {
		t.Errorf("%+v of %+v", a, a.Incident)
	}
	near("of the mail", i.Alerts[1].Lead, -15*60)
	if k := i.KPIs; len(k) != 1 || k[0].Signal != "orders" || len(k[0].Workloads) != 1 || k[0].Workloads[0].Signal != "latency" {
		t.Errorf("%+v", k)
	}

	near("skill", r.Accuracy.Skill, 0.3)
	near("over their budget", r.Accuracy.Over, 1)
	near("budget", r.Accuracy.Budgets[0].Now, 0.5)
	absent("mase", r.Accuracy.Signals[0].MASE, "not judged yet")

	o = upid(t, "", args)
	o.want(t, exitOK)
	golden(t, "report.md", o.stdout)
	o = upid(t, "", args+" -o csv")
	o.want(t, exitOK)
	golden(t, "report.csv", o.stdout)
	o = upid(t, "", "ml-enhancement "+args+` --alerts severity="ticket" -o json`)
	o.want(t, exitOK)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	near("alerts of one severity", r.Incidents.AlertCount, 1)
}

// TestReportOfNothing: what is not there is absent and says why, and no figure is made up.
func TestReportOfNothing(t *testing.T) {
	url := prometheusOf(t, []lived{{`up{job="x"}`, dayLong, 0, 1}})
	args := "report --since 7d --end 2026-11-28T00:00:00Z --prometheus.url " + url
	o := upid(t, "", args+" -o csv")
	o.want(t, exitOK)
	for i, line := range strings.Split(strings.TrimSpace(o.stdout), "\n")[1:] {
		f := strings.Split(line, ",")
		if f[3] != "" || len(f[5]) < 20 {
			t.Errorf("line %d: %s", i+2, line)
		}
	}
	for _, text := range []string{"this Prometheus has no metrics of upid from 2026-11-01T00:00:00Z to 2026-11-28T00:00:00Z: ", "no alert of a Prometheus rule"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("no %q in\n%s", text, o.stdout)
		}
	}
	o = upid(t, "", args+" -o json")
	o.want(t, exitOK)
	var r report.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Savings.Recommendations.Known() || len(r.Incidents.Severities) != 0 {
		t.Errorf("counts of nothing: %+v, %+v", r.Savings.Recommendations, r.Incidents.Severities)
	}
	// Scraped, but without recommendations and signals of type business.
	url = prometheusOf(t, []lived{{`upid_build_info{job="upid",instance="u:1"}`, 7 * dayLong, 0, 1}})
	o = upid(t, "", "report --since 7d --end 2026-11-28T00:00:00Z --prometheus.url "+url)
	o.want(t, exitOK)
	for _, text := range []string{"spent; of the hours; against the forecast; weeks inside the interval: absent: no spend is known: put recommendations: {}", "realised: absent: no recommendation says what to set", "no signal has the type business", "no forecast was judged yet"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("no %q in\n%s", text, o.stdout)
		}
	}
}

// TestReportOfTheFirstHour: a report ends when it is asked, not at the last full hour, and what was not scraped by then is
// seen at once.
func TestReportOfTheFirstHour(t *testing.T) {
	const half = 30 * time.Minute
	web := `upid_anomaly_active{signal="latency",type="spike",severity="warning",namespace="shop",service="web",job="upid"}`
	url := prometheusOf(t, []lived{{`upid_build_info{job="upid",instance="u:1"}`, half, 0, 1}, {web, 20 * time.Minute, 0, 1}})
	// The last full hour, 23:00, is before all of it.
	for end, want := range map[string]string{"2026-11-27T23:58:12": "2026-11-27T22:55:00Z to 2026-11-27T23:55:00Z, at 5m", "2026-11-28": "2026-11-27T23:00:00Z to 2026-11-28T00:00:00Z, at 5m"} {
		o := upid(t, "", "report --since 1h --end "+end+" --prometheus.url "+url)
		o.want(t, exitOK)
		if !strings.HasPrefix(o.stdout, "# upid: "+want+"\n") || strings.Contains(o.stdout, "no metrics of upid") || !strings.Contains(o.stdout, "| warning | 1 | 1 |") {
			t.Errorf("--end %s:\n%s", end, o.stdout)
		}
	}
	o := upid(t, "", "report --since 1h --end 2026-11-27T23:29 --prometheus.url "+url)
	o.want(t, exitUsage, "--end is")
	o = upid(t, "", "report --since 1h --end 2026-11-27T23:29:00Z --prometheus.url "+url)
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "no metrics of upid from 2026-11-01T00:00:00Z to 2026-11-27T23:25:00Z: ") {
		t.Errorf("before all:\n%s", o.stdout)
	}
}

// TestReportResolution: the default is the finest at which the time fits; only one that was asked for can fail.
func TestReportResolution(t *testing.T) {
	f := func(since, asked, want time.Duration) {
		t.Helper()
		c := reportCmd{Since: duration(since), Resolution: duration(asked)}
		if got := c.resolution(); got != want {
			t.Errorf("%s: %s, want %s", since, got, want)
		}
		if err := c.Validate(); err != nil && strings.Contains(err.Error(), "--resolution") {
			t.Errorf("%s: %v", since, err)
		}
	}
	f(30*dayLong, 0, 5*time.Minute)
	f(69*dayLong, 0, 5*time.Minute)
	f(70*dayLong, 0, 10*time.Minute)
	f(90*dayLong, 0, 10*time.Minute)
	f(365*dayLong, 0, 30*time.Minute)
	f(800*dayLong, 0, time.Hour)
	f(dayLong, time.Minute, time.Minute)
}

// TestReportUsage: flags that make no sense are refused, a server that is not there has its own exit code.
func TestReportUsage(t *testing.T) {
	upid(t, "", "report --since 10m").want(t, exitUsage, "--since is 10m, want an hour or more")
	upid(t, "", "report --since 365d --resolution 1m").want(t, exitUsage, "a coarser resolution")
	upid(t, "", "report --since 1000d").want(t, exitUsage, "--since is 1000d, want 833d8h at most")
	upid(t, "", "report --since 90d --resolution 5m").want(t, exitUsage, "25920 points, want 20000 at most")
	upid(t, "", "report --end yesterday").want(t, exitUsage, "--end is")
	upid(t, "", `report --alerts severity=`).want(t, exitUsage, "--alerts")
	upid(t, "", "report -o table").want(t, exitUsage, "markdown")
	upid(t, "", "report --prometheus.url http://127.0.0.1:1").want(t, exitUnreachable, "--prometheus.url")
}
