package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/rules/report"
)

// mostReportRows bounds the rows of a table in Markdown; JSON and CSV have all.
const mostReportRows = 20

// markdown writes a report for people.
type markdown struct {
	strings.Builder
	loc      *time.Location
	currency string
}

func reportMarkdown(e *env, r report.Report) error {
	m := &markdown{loc: e.loc, currency: r.Spend.Currency}
	if m.currency == "" {
		m.currency = r.Savings.Currency
	}
	fmt.Fprintf(m, "# upid: %s to %s, at %s\n", m.time(r.From), m.time(r.To), output.Span(time.Duration(r.Resolution)*time.Second))
	m.spend(r.Spend)
	m.savings(r.Savings)
	m.incidents(r.Incidents)
	m.accuracy(r.Accuracy)
	_, err := io.WriteString(e.stdout, m.String())
	return err
}

func (m *markdown) spend(s report.Spend) {
	m.heading("Spend")
	m.facts([][2]string{
		{"spent", m.money(s.Total)}, {"of the hours", m.percent(s.Measured)}, {"against the forecast", m.signed(s.Against)}, {"weeks inside the interval", m.percent(s.Inside)},
	})
	t := m.table("Week from", "Forecast", "At least", "At most", "Spent")
	for _, w := range s.Weeks {
		t.row(m.time(w.From), m.money(report.Of(w.Forecast, "")), m.money(w.Lower), m.money(w.Upper), m.money(report.Of(w.Spent, "")))
	}
	t.end()
	t = m.table("Month", "Budget", "Spent", "Expected at its end", "At least", "At most", "Over budget")
	for _, v := range s.Months {
		t.row(v.Month, m.money(v.Budget), m.money(v.Spent), m.money(v.Expected), m.money(v.Lower), m.money(v.Upper), m.money(v.Over))
	}
	t.end()
	t = m.table("Namespace", "Spent", "In whole weeks: forecast", "spent")
	for _, n := range s.Namespaces {
		t.row(placed(n.Cluster, n.Namespace), m.money(n.Total), m.money(n.Forecast), m.money(n.Spent))
	}
	t.end()
}

func (m *markdown) savings(s report.Savings) {
	m.heading("Savings a month")
	proposed := "proposed"
	if s.Recommendations.Known() {
		proposed = "proposed, by " + plural(int(s.Recommendations.Number()), "recommendation", "recommendations")
	}
	m.facts([][2]string{
		{proposed, m.money(s.Proposed)},
		{"of these open", m.money(s.Open)},
		{"of the open ones realisable", m.money(s.Realisable)},
		{fmt.Sprintf("applied, by %s", plural(s.AppliedCount, "recommendation", "recommendations")), m.money(s.Applied)},
		{"realised", m.money(s.Realised)},
	})
	t := m.table("Recommendation", "Of", "State", "At", "Savings", "Change")
	for _, c := range s.Changes {
		if c.State != report.Applied && c.State != report.Partly {
			continue
		}
		var moves []string
		for _, v := range c.Moves {
			moves = append(moves, fmt.Sprintf("%s %s → %s, recommended %s", v.Resource, m.number(v.Before), m.number(v.After), output.Human(v.Recommended)))
		}
		of := placed(c.Cluster, c.Namespace) + "/" + c.Workload
		if c.Container != "" {
			of += "/" + c.Container
		}
		t.row(c.ID, of, c.State, m.time(c.At.Number()), m.money(c.Savings), strings.Join(moves, "; "))
	}
	t.end()
	t = m.table("Namespace", "Changed", "Forecast before, 7 days", "Spent in them", "Realised a month", "At least", "At most")
	for _, n := range s.Realisations {
		t.row(placed(n.Cluster, n.Namespace), m.time(n.At), m.money(n.Forecast), m.money(n.Spent), m.money(n.Monthly), m.money(n.Lower), m.money(n.Upper))
	}
	t.end()
}

func (m *markdown) incidents(s report.Incidents) {
	m.heading("Incidents")
	if !s.Count.Known() {
		m.facts([][2]string{{"incidents", m.number(s.Count)}})
	}
	t := m.table("Severity", "Incidents", "Open", "Median duration")
	for _, v := range s.Severities {
		t.row(v.Severity, strconv.Itoa(v.Count), strconv.Itoa(v.Open), m.span(v.Duration))
	}
	t.end()
	m.facts([][2]string{
		{"alerts that users felt", m.number(s.AlertCount)},
		{"seen before them", m.number(s.Before)},
		{"seen after them", m.number(s.After)},
		{"not seen", m.number(s.NotSeen)},
		{"median lead", m.span(s.Lead)},
	})
	if s.NoSubject > 0 {
		fmt.Fprintf(m, "\n%s more names neither workload nor host nor volume: not compared.\n", plural(s.NoSubject, "alert", "alerts"))
	}
	t = m.table("Severity of the alert", "Alerts", "Seen before", "Median lead")
	for _, l := range s.Leads {
		t.row(l.Severity, strconv.Itoa(l.Alerts), strconv.Itoa(l.Before), m.span(l.Lead))
	}
	t.end()
	t = m.table("Alert", "Severity", "At", "Lead", "Incident")
	for _, a := range s.Alerts {
		incident := "not seen"
		if i := a.Incident; i != nil {
			incident = i.Signal + " " + i.Type + " " + labelText(i.Labels)
		}
		lead := m.span(a.Lead)
		if a.AtLeast {
			lead = "at least " + lead
		}
		t.row(a.Name+" "+labelText(a.Labels), a.Severity, m.time(a.At), lead, incident)
	}
	t.end()
	if s.KPINote != "" {
		m.facts([][2]string{{"KPIs", absentText + s.KPINote}})
	}
	t = m.table("KPI", "At", "Anomalies of workloads that began with it")
	for _, k := range s.KPIs {
		var of []string
		for _, i := range k.Workloads {
			of = append(of, i.Signal+" "+i.Type+" "+labelText(i.Labels))
		}
		if len(of) == 0 {
			of = []string{"none"}
		}
		t.row(k.Signal+" "+k.Type+" "+labelText(k.Labels), m.time(k.From), strings.Join(of, "; "))
	}
	t.end()
}

func (m *markdown) accuracy(s report.Accuracy) {
	m.heading("Accuracy and alert budget")
	m.facts([][2]string{{"median skill", m.percent(s.Skill)}, {"median coverage", m.percent(s.Coverage)}, {"signals over their alert budget", m.number(s.Over)}})
	t := m.table("Signal", "Horizon", "Skill", "Coverage", "MASE", "Forecasts judged")
	for _, v := range s.Signals {
		t.row(v.Signal, v.Horizon, m.percent(v.Skill), m.percent(v.Coverage), m.number(v.MASE), m.number(v.Judged))
	}
	t.end()
	t = m.table("Signal", "Alert budget used", "At most")
	for _, v := range s.Budgets {
		t.row(v.Signal, m.percent(v.Now), m.percent(v.Most))
	}
	t.end()
}

func (m *markdown) heading(text string) { m.WriteString("\n## " + text + "\n") }

// facts writes a list. What is absent for one reason stands in one line.
func (m *markdown) facts(of [][2]string) {
	m.WriteString("\n")
	said := map[string]bool{}
	for i, f := range of {
		if !strings.HasPrefix(f[1], absentText) {
			m.WriteString("- " + f[0] + ": " + f[1] + "\n")
			continue
		}
		if said[f[1]] {
			continue
		}
		said[f[1]] = true
		names := []string{f[0]}
		for _, other := range of[i+1:] {
			if other[1] == f[1] {
				names = append(names, other[0])
			}
		}
		m.WriteString("- " + strings.Join(names, "; ") + ": " + f[1] + "\n")
	}
}

// absentText begins what is said of a figure that is not known.
const absentText = "absent: "

// rowsOf is a table that is written with its first row.
type rowsOf struct {
	m    *markdown
	head []string
	n    int
}

func (m *markdown) table(head ...string) *rowsOf { return &rowsOf{m: m, head: head, n: 0} }

func (t *rowsOf) row(cells ...string) {
	t.n++
	if t.n > mostReportRows {
		return
	}
	if t.n == 1 {
		t.m.WriteString("\n| " + strings.Join(t.head, " | ") + " |\n|" + strings.Repeat("---|", len(t.head)) + "\n")
	}
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(output.Printable(c), "|", `\|`)
	}
	t.m.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func (t *rowsOf) end() {
	if more := t.n - mostReportRows; more > 0 {
		fmt.Fprintf(t.m, "\n%s more with -o csv.\n", plural(more, "row", "rows"))
	}
}

// figureText writes a figure, or why there is none.
func figureText(f report.Figure, write func(float64) string) string {
	if !f.Known() {
		return absentText + f.Absent
	}
	return write(f.Number())
}

func (m *markdown) money(f report.Figure) string {
	return figureText(f, func(v float64) string {
		return strings.TrimSpace(strconv.FormatFloat(v, 'f', 2, 64) + " " + m.currency)
	})
}

func (m *markdown) percent(f report.Figure) string {
	return figureText(f, func(v float64) string { return strconv.FormatFloat(100*v, 'f', 0, 64) + " %" })
}

func (m *markdown) signed(f report.Figure) string {
	return figureText(f, func(v float64) string { return fmt.Sprintf("%+.1f %%", 100*v) })
}

func (m *markdown) number(f report.Figure) string { return figureText(f, output.Human) }

func (m *markdown) span(f report.Figure) string {
	return figureText(f, func(v float64) string {
		sign := ""
		if v < 0 {
			sign = "−"
		}
		if v == 0 {
			return "0s"
		}
		return sign + output.Span(time.Duration(math.Abs(v))*time.Second)
	})
}

func (m *markdown) time(s float64) string { return output.Timestamp(int64(1000*s), m.loc) }
