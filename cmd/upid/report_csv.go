package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/rules/report"
)

var reportColumns = []string{"section", "figure", "subject", "value", "unit", "absent"}

// figureRows writes figures, one a line.
type figureRows struct {
	rows     *output.Rows
	currency string
}

func (w figureRows) add(section, figure, subject string, f report.Figure, unit string) {
	w.rows.Text(section)
	w.rows.Text(figure)
	w.rows.Text(subject)
	w.rows.Number(f.Number())
	w.rows.Text(unit)
	w.rows.Text(f.Absent)
}

func (w figureRows) money(section, figure, subject string, f report.Figure) {
	w.add(section, figure, subject, f, w.currency)
}

func reportCSV(e *env, r report.Report) error {
	schema := output.NewSchema(output.CSV, reportColumns...)
	out, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	w := figureRows{rows: rows, currency: r.Spend.Currency}
	if w.currency == "" {
		w.currency = r.Savings.Currency
	}
	w.spend(r.Spend)
	w.savings(r.Savings)
	w.incidents(r.Incidents)
	w.accuracy(r.Accuracy)
	return errors.Join(out.Write(rows.Bytes()), out.Close())
}

func (w figureRows) spend(s report.Spend) {
	w.money("spend", "total", "", s.Total)
	w.add("spend", "measured", "", s.Measured, "ratio")
	w.add("spend", "against_forecast", "", s.Against, "ratio")
	w.add("spend", "inside_interval", "", s.Inside, "ratio")
	for _, k := range s.Weeks {
		subject := "week from " + utc(k.From)
		w.money("spend", "forecast", subject, report.Of(k.Forecast, ""))
		w.money("spend", "forecast_lower", subject, k.Lower)
		w.money("spend", "forecast_upper", subject, k.Upper)
		w.money("spend", "spent", subject, report.Of(k.Spent, ""))
	}
	for _, m := range s.Months {
		w.money("spend", "budget", m.Month, m.Budget)
		w.money("spend", "spent", m.Month, m.Spent)
		w.money("spend", "expected", m.Month, m.Expected)
		w.money("spend", "over_budget", m.Month, m.Over)
	}
	for _, n := range s.Namespaces {
		subject := placed(n.Cluster, n.Namespace)
		w.money("spend", "total", subject, n.Total)
		w.money("spend", "weeks_forecast", subject, n.Forecast)
		w.money("spend", "weeks_spent", subject, n.Spent)
	}
}

func (w figureRows) savings(s report.Savings) {
	w.add("savings", "recommendations", "", s.Recommendations, "")
	w.money("savings", "proposed_monthly", "", s.Proposed)
	w.money("savings", "open_monthly", "", s.Open)
	w.money("savings", "realisable_monthly", "", s.Realisable)
	w.money("savings", "applied_monthly", "", s.Applied)
	w.money("savings", "realised_monthly", "", s.Realised)
	for _, c := range s.Changes {
		w.add("savings", "applied_at", c.ID, c.At, "s")
		w.money("savings", "savings_monthly", c.ID, c.Savings)
		for _, m := range c.Moves {
			w.add("savings", m.Resource+"_before", c.ID, m.Before, "")
			w.add("savings", m.Resource+"_recommended", c.ID, report.Of(m.Recommended, ""), "")
			w.add("savings", m.Resource+"_after", c.ID, m.After, "")
		}
	}
	for _, n := range s.Realisations {
		subject := placed(n.Cluster, n.Namespace) + " from " + utc(n.At)
		w.money("savings", "forecast_before", subject, n.Forecast)
		w.money("savings", "spent_after", subject, n.Spent)
		w.money("savings", "realised_monthly", subject, n.Monthly)
	}
}

func (w figureRows) incidents(s report.Incidents) {
	w.add("incidents", "count", "", s.Count, "")
	for _, v := range s.Severities {
		w.add("incidents", "count", v.Severity, report.Of(float64(v.Count), ""), "")
		w.add("incidents", "median_duration", v.Severity, v.Duration, "s")
	}
	w.add("incidents", "alerts", "", s.AlertCount, "")
	w.add("incidents", "alerts_seen_before", "", s.Before, "")
	w.add("incidents", "alerts_seen_after", "", s.After, "")
	w.add("incidents", "alerts_not_seen", "", s.NotSeen, "")
	w.add("incidents", "median_lead", "", s.Lead, "s")
	for _, a := range s.Alerts {
		w.add("incidents", "lead", a.Name+" "+labelText(a.Labels)+" at "+utc(a.At), a.Lead, "s")
	}
	for _, k := range s.KPIs {
		w.add("incidents", "workload_anomalies_with_kpi", k.Signal+" "+k.Type+" "+labelText(k.Labels)+" at "+utc(k.From), report.Of(float64(len(k.Workloads)), ""), "")
	}
}

func (w figureRows) accuracy(s report.Accuracy) {
	w.add("accuracy", "median_skill", "", s.Skill, "ratio")
	w.add("accuracy", "median_coverage", "", s.Coverage, "ratio")
	for _, v := range s.Signals {
		subject := v.Signal + " " + v.Horizon
		w.add("accuracy", "skill", subject, v.Skill, "ratio")
		w.add("accuracy", "coverage", subject, v.Coverage, "ratio")
		w.add("accuracy", "mase", subject, v.MASE, "")
		w.add("accuracy", "judged_forecasts", subject, v.Judged, "")
	}
	w.add("accuracy", "signals_over_alert_budget", "", s.Over, "")
	for _, v := range s.Budgets {
		w.add("accuracy", "alert_budget", v.Signal, v.Now, "ratio")
		w.add("accuracy", "alert_budget_most", v.Signal, v.Most, "ratio")
	}
}

// utc writes Unix seconds in UTC: rows are for machines.
func utc(s float64) string { return output.Timestamp(int64(1000*s), time.UTC) }

// placed names a namespace.
func placed(cluster, ns string) string {
	switch {
	case ns == "":
		ns = "all"
	case cluster != "":
		return cluster + "/" + ns
	}
	return ns
}

// labelText writes labels as PromQL does, sorted.
func labelText(ls map[string]string) string {
	var out []string
	for _, n := range slices.Sorted(maps.Keys(ls)) {
		out = append(out, fmt.Sprintf("%s=%q", n, ls[n]))
	}
	return "{" + strings.Join(out, ",") + "}"
}
