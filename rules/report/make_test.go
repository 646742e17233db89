package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// asked is what a Prometheus answers of three weeks of a shop: on the 14th its requests were made smaller as
// recommended, on the 20th its answers were slow and its orders fell.
type asked struct {
	from, to int64 // of the report
	answers  series.Set
}

// add gives a query a series of v from so long before the end until so long before it.
func (a *asked) add(query string, from, until time.Duration, v float64, pairs ...string) {
	step := hour
	switch query {
	case "anomalies", "threats", "alerts":
		step = (5 * time.Minute).Milliseconds()
	}
	y := series.Series{Labels: labels.FromStrings(pairs...), Start: a.to - from.Milliseconds()/step*step, Step: step}
	for t := y.Start; t < a.to-until.Milliseconds() || until == 0 && t == a.to; t += step {
		y.Values = append(y.Values, v)
	}
	d := a.answers[query]
	d.Series = append(d.Series, y)
	a.answers[query] = d
}

// now gives an instant query a series.
func (a *asked) now(query string, v float64, pairs ...string) {
	d := a.answers[query]
	d.Series = append(d.Series, series.Series{Labels: labels.FromStrings(pairs...), Start: a.to, Step: hour, Values: []float64{v}})
	a.answers[query] = d
}

func shopOfThreeWeeks() Input {
	const day, m = 24 * time.Hour, time.Minute
	end := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	a := asked{from: end.Add(-21 * day).UnixMilli(), to: end.UnixMilli(), answers: series.Set{}}
	changed, slow := 14*day, end.Sub(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC))
	for _, q := range []string{"build", "build_at_end"} {
		a.add(q, 27*day, 0, 1, "job", "upid", "instance", "u:1")
	}
	for _, q := range []string{"signals", "signals_at_end"} {
		a.add(q, 21*day, 0, 1, "signal", "latency", "type", "performance")
		a.add(q, 21*day, 0, 1, "signal", "orders", "type", "business")
	}
	a.add("spend", 27*day, changed, 10, "scope", "total")
	a.add("spend", changed, 0, 8, "scope", "total")
	a.add("spend", 21*day, changed, 6, "scope", "namespace", "namespace", "shop")
	a.add("spend", changed, 0, 4, "scope", "namespace", "namespace", "shop")
	for i, q := range []string{"forecast_lower", "forecast", "forecast_upper"} {
		a.add(q, 21*day, 0, 1500+100*float64(i), "scope", "total", "horizon", "7d", "currency", "EUR")
		a.add(q, 21*day, 0, 910+98*float64(i), "scope", "namespace", "namespace", "shop", "horizon", "7d", "currency", "EUR")
		a.add(q, 21*day, 0, 500+76*float64(i), "scope", "total", "horizon", "month_end", "currency", "EUR")
	}
	a.add("budget", 21*day, 0, 6000, "scope", "total", "currency", "EUR")
	web := []string{"id", "web-1", "kind", "right_size", "namespace", "shop", "workload_kind", "Deployment", "workload", "web", "container", "app"}
	old := []string{"id", "old-1", "kind", "idle_workload", "namespace", "shop", "workload_kind", "Deployment", "workload", "old"}
	a.add("savings", 20*day, changed, 1500, append(web, "currency", "EUR")...)
	a.add("savings", 20*day, 0, 100, append(old, "currency", "EUR")...)
	a.add("targets", 20*day, changed, 1, append(web, "resource", "cpu_request_cores")...)
	a.add("targets", 20*day, 0, 0, append(old, "resource", "replicas")...)
	a.add("cpu_request_cores", 21*day, changed, 3, "namespace", "shop", "workload", "web", "container", "app")
	a.add("cpu_request_cores", changed, 0, 1.1, "namespace", "shop", "workload", "web", "container", "app")
	a.add("replicas", 21*day, 0, 2, "namespace", "shop", "workload", "old")
	latency := []string{"signal", "latency", "type", "spike", "namespace", "shop", "service", "web"}
	a.add("anomalies", slow, slow-30*m, 1, append(latency, "severity", "warning")...)
	a.add("anomalies", slow-30*m, slow-60*m, 1, append(latency, "severity", "critical")...)
	a.add("anomalies", slow-10*m, slow-50*m, 1, "signal", "orders", "type", "drop", "severity", "warning")
	a.add("threats", 3*day, 3*day-30*m, 75, "signal", "threats-ssh", "threat", "brute_force", "entity", "node-1")
	a.add("alerts", slow-20*m, slow-60*m, 1, "alertname", "SlowAnswers", "alertstate", "firing", "severity", "page", "namespace", "shop", "service", "web")
	a.add("alerts", 2*day, day, 1, "alertname", "DiskFull", "alertstate", "firing", "severity", "page", "instance", "db:9100")
	a.now("any_alerts", 2)
	of := []string{"signal", "latency", "horizon", "1d", "stage", "active"}
	a.now("skill", 0.3, of...)
	a.now("coverage", 0.91, of...)
	a.now("alert_budget", 0.5, "signal", "latency")
	a.now("alert_budget_max", 2, "signal", "latency")
	return Input{From: a.from, To: a.to, Step: (5 * time.Minute).Milliseconds(), Answers: a.answers, Failed: map[string]string{"mase": "it timed out"}}
}

// TestMake: every figure follows from the answers, and one without an answer is absent.
func TestMake(t *testing.T) {
	r := Make(shopOfThreeWeeks())
	near := func(what string, f Figure, want float64) {
		t.Helper()
		if !f.Known() || math.Abs(f.Number()-want) > 1e-9*math.Max(1, math.Abs(want)) {
			t.Errorf("%s: %v %q, want %v", what, f.Number(), f.Absent, want)
		}
	}
	s := r.Spend
	near("spent", s.Total, 7*24*10+14*24*8)
	near("measured", s.Measured, 1)
	if s.Currency != "EUR" || len(s.Weeks) != 3 || len(s.Months) != 1 || len(s.Namespaces) != 1 {
		t.Fatalf("%+v", s)
	}
	near("against forecast", s.Against, 4368.0/4800-1)
	near("inside", s.Inside, 1.0/3)
	near("month", s.Months[0].Spent, 13*240+14*192)
	near("over budget", s.Months[0].Over, 13*240+14*192+576-6000)
	near("shop", s.Namespaces[0].Total, 7*24*6+14*24*4)

	v := r.Savings
	near("proposed", v.Proposed, 1600)
	near("open", v.Open, 100)
	near("applied", v.Applied, 1500)
	near("realised", v.Realised, (1008-672)*730.0/168)
	if v.Realisable.Known() || v.AppliedCount != 1 || len(v.Changes) != 2 || v.Changes[0].State != Applied || v.Changes[1].State != NotApplied {
		t.Errorf("%+v", v)
	}

	i := r.Incidents
	near("alerts", i.AlertCount, 2)
	near("before", i.Before, 1)
	near("not seen", i.NotSeen, 1)
	near("lead", i.Lead, 20*60)
	if len(i.Alerts) != 2 || i.Alerts[0].Name != "SlowAnswers" || i.Alerts[0].Seen != SeenBefore || len(i.KPIs) != 1 || i.KPIs[0].Signal != "orders" {
		t.Errorf("%+v", i)
	}

	near("skill", r.Accuracy.Skill, 0.3)
	near("over their budget", r.Accuracy.Over, 1)
	if f := r.Accuracy.Signals[0].MASE; f.Known() || !strings.Contains(f.Absent, "it timed out") {
		t.Errorf("a query without an answer: %+v", f)
	}
}
