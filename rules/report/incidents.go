package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/rules"
)

const (
	minute = int64(60_000)
	// calm is how long an incident may not be heard of and be the same: a restart of upid, a
	// scrape that failed.
	calm = 15 * minute
	// before is how long an incident may be over when an alert fires that it announced, after how much
	// later than an alert one may begin that is about the same.
	before = 30 * minute
	after  = hour
)

// Whether upid saw what an alert is about.
const (
	SeenBefore = "before"
	SeenAfter  = "after"
	SeenNot    = "not_seen"
)

// Incidents is what upid found, and what of it users' alerts said too.
type Incidents struct {
	Severities []Severity     `json:"by_severity"` // none where the count is absent
	Count      Figure         `json:"count"`
	Alerts     []Alert        `json:"alerts"` // that began in the time and have a subject
	AlertCount Figure         `json:"alert_count"`
	Before     Figure         `json:"seen_before"` // of them
	After      Figure         `json:"seen_after"`
	NotSeen    Figure         `json:"not_seen"`
	Lead       Figure         `json:"lead_seconds"` // median of those seen before
	Leads      []SeverityLead `json:"lead_by_severity"`
	NoSubject  int            `json:"alerts_without_subject"` // about no workload, host or claim: not judged
	KPIs       []KPI          `json:"kpis"`
	KPINote    string         `json:"kpis_absent,omitempty"`
}

// Severity counts the incidents of one.
type Severity struct {
	Severity string `json:"severity"`
	Count    int    `json:"count"`
	Open     int    `json:"open"`            // at the end of the time
	Duration Figure `json:"median_duration"` // of those that began and ended in the time
}

// SeverityLead is how long before alerts of one severity upid saw what they are about.
type SeverityLead struct {
	Severity string `json:"severity"`
	Alerts   int    `json:"alerts"`
	Before   int    `json:"seen_before"`
	Lead     Figure `json:"lead_seconds"`
}

// Alert is one that users felt.
type Alert struct {
	Name     string            `json:"alertname"`
	Severity string            `json:"severity"`
	Labels   map[string]string `json:"labels"`
	At       float64           `json:"at"`
	Seen     string            `json:"seen"`
	Lead     Figure            `json:"lead_seconds"` // below 0 where upid was later
	AtLeast  bool              `json:"at_least"`     // the incident began before the time of the report
	Incident *Incident         `json:"incident"`
}

// Incident is an anomaly, a threat or a limit that is reached soon, from its first to its last hour.
type Incident struct {
	Signal   string            `json:"signal"`
	Type     string            `json:"type"`
	Severity string            `json:"severity"` // the highest it had
	Labels   map[string]string `json:"labels"`
	From     float64           `json:"from"`
	To       float64           `json:"to"`
	Open     bool              `json:"open"` // at the end of the time of the report

	episode
}

// episode is a time in which a series has values.
type episode struct {
	labels     labels.Labels
	start, end int64
	early      bool // it began before
	open       bool
}

// KPI is an anomaly of a signal of the type business, with the anomalies of workloads that began at its time.
type KPI struct {
	Signal    string            `json:"signal"`
	Type      string            `json:"type"`
	Severity  string            `json:"severity"`
	Labels    map[string]string `json:"labels"`
	From      float64           `json:"from"`
	Workloads []Incident        `json:"workloads"`
}

// episodes returns those of s, which lie further apart than calm.
func episodes(s series.Series, from, to, step int64) []episode {
	var out []episode
	for i, v := range s.Values {
		t := s.At(i)
		if math.IsNaN(v) || t < from || t > to {
			continue
		}
		if n := len(out); n > 0 && t-out[n-1].end <= max(calm, 2*step) {
			out[n-1].end = t
			continue
		}
		out = append(out, episode{labels: s.Labels, start: t, end: t, early: t == from, open: false})
	}
	for i := range out {
		out[i].open = to-out[i].end <= max(calm, 2*step)
	}
	return out
}

var severities = []string{"critical", "warning", "info"}

// found returns the incidents in the order of their beginnings.
func (b *book) found() []Incident {
	var out []Incident
	byLabels := map[string][]series.Series{}
	var order []string
	for _, s := range b.of("anomalies") {
		k := labels.NewBuilder(s.Labels).Del("severity").Labels().String()
		if byLabels[k] == nil {
			order = append(order, k)
		}
		byLabels[k] = append(byLabels[k], s)
	}
	for _, k := range order {
		all := byLabels[k]
		whole := all[0]
		for _, s := range all[1:] {
			whole = merge(whole, s)
		}
		for _, e := range episodes(whole, b.in.From, b.in.To, b.in.Step) {
			severity := ""
			for _, s := range all { // it may have risen
				if _, ok := first(s.Slice(e.start, e.end+1), e.start); ok && (severity == "" || lower(severity, s.Labels.Get("severity"))) {
					severity = s.Labels.Get("severity")
				}
			}
			out = append(out, incident(e, severity, e.labels.Get("type")))
		}
	}
	for _, s := range b.of("threats") {
		for _, e := range episodes(s, b.in.From, b.in.To, b.in.Step) {
			risk := 0.0
			for _, v := range s.Slice(e.start, e.end+1).Values {
				if v > risk {
					risk = v
				}
			}
			out = append(out, incident(e, threat.Severity(threat.Band(risk)), e.labels.Get("threat")))
		}
	}
	slices.SortStableFunc(out, func(x, y Incident) int {
		return cmp.Or(cmp.Compare(x.start, y.start), labels.Compare(x.labels, y.labels))
	})
	return out
}

func incident(e episode, severity, typ string) Incident {
	return Incident{
		Signal: e.labels.Get("signal"), Type: typ, Severity: severity, Labels: labelMap(e.labels, "signal", "type", "severity", "threat", "technique"),
		From: seconds(e.start), To: seconds(e.end), Open: e.open, episode: e,
	}
}

// lower reports whether severity a is lower than b.
func lower(a, b string) bool { return slices.Index(severities, a) > slices.Index(severities, b) }

func (b *book) incidents() Incidents {
	out := Incidents{Severities: []Severity{}, Alerts: []Alert{}, Leads: []SeverityLead{}, KPIs: []KPI{}}
	found := b.found()
	if len(found) == 0 && (b.in.Failed["anomalies"] != "" || !b.scraped()) {
		out.Count = Absent(b.why("anomalies", ""))
	} else {
		out.Count = Of(float64(len(found)), "")
	}
	for _, severity := range severities {
		if !out.Count.Known() {
			break // none is no count
		}
		s := Severity{Severity: severity}
		var lasted []float64
		for i := range found {
			f := &found[i]
			if f.Severity != severity {
				continue
			}
			s.Count++
			if f.open {
				s.Open++
			} else if !f.early {
				lasted = append(lasted, seconds(f.end-f.start+b.in.Step))
			}
		}
		s.Duration = Of(median(lasted), "none began and ended in that time")
		out.Severities = append(out.Severities, s)
	}
	b.alerts(&out, found)
	b.kpis(&out, found)
	return out
}

// alerts says of every alert whether upid saw before what it is about.
func (b *book) alerts(out *Incidents, found []Incident) {
	switch {
	case b.in.Failed["alerts"] != "":
		why := Absent("the query failed: " + b.in.Failed["alerts"])
		out.AlertCount, out.Before, out.After, out.NotSeen, out.Lead = why, why, why, why, why
		return
	case len(b.in.Answers["any_alerts"].Series) == 0:
		why := Absent("no alert of a Prometheus rule was pending or firing in that time: there is nothing to compare with")
		out.AlertCount, out.Before, out.After, out.NotSeen, out.Lead = why, why, why, why, why
		return
	}
	for _, s := range b.of("alerts") {
		s.Labels = labels.NewBuilder(s.Labels).Del("alertstate").Labels()
		for _, e := range episodes(s, b.in.From, b.in.To, b.in.Step) {
			if e.early {
				continue // nobody knows when it began
			}
			if len(rules.Subjects(e.labels)) == 0 && !e.labels.Has("persistentvolumeclaim") {
				out.NoSubject++
				continue
			}
			out.Alerts = append(out.Alerts, b.judge(e, found))
		}
	}
	slices.SortStableFunc(out.Alerts, func(x, y Alert) int { return cmp.Or(cmp.Compare(x.At, y.At), strings.Compare(x.Name, y.Name)) })
	var leads []float64
	n := map[string]int{}
	by := map[string]*SeverityLead{}
	in := map[string][]float64{}
	for i := range out.Alerts {
		a := &out.Alerts[i]
		n[a.Seen]++
		l := by[a.Severity]
		if l == nil {
			l = &SeverityLead{Severity: a.Severity}
			by[a.Severity] = l
		}
		l.Alerts++
		if a.Seen == SeenBefore {
			l.Before++
			leads, in[a.Severity] = append(leads, a.Lead.Number()), append(in[a.Severity], a.Lead.Number())
		}
	}
	out.AlertCount = Of(float64(len(out.Alerts)), "")
	if len(found) == 0 && !out.Count.Known() {
		out.Before, out.After, out.NotSeen, out.Lead = out.Count, out.Count, out.Count, out.Count
		return
	}
	out.Before, out.After, out.NotSeen = Of(float64(n[SeenBefore]), ""), Of(float64(n[SeenAfter]), ""), Of(float64(n[SeenNot]), "")
	const none = "none of the alerts was seen before"
	out.Lead = Of(median(leads), none)
	for severity, l := range by {
		l.Lead = Of(median(in[severity]), none)
		out.Leads = append(out.Leads, *l)
	}
	slices.SortFunc(out.Leads, func(x, y SeverityLead) int { return strings.Compare(x.Severity, y.Severity) })
}

// judge looks for the incident that an alert is about: the one about the same workload, host or claim that began
// first, of those that were open when it fired or had ended shortly before; else the first that began
// soon after.
func (b *book) judge(e episode, found []Incident) Alert {
	a := Alert{
		Name: e.labels.Get(labels.AlertName), Severity: e.labels.Get("severity"), Labels: labelMap(e.labels, labels.AlertName, "severity"), At: seconds(e.start),
		Seen: SeenNot, Lead: Absent("upid did not see it"), AtLeast: false, Incident: nil,
	}
	subjects := rules.Subjects(e.labels)
	for i := range found { // in the order of their beginnings
		f := &found[i]
		if f.start > e.start+after {
			break
		}
		if f.end < e.start-before || !sameSubject(subjects, e.labels, f.labels) {
			continue
		}
		a.Incident, a.Lead, a.AtLeast = f, Of(seconds(e.start-f.start), ""), f.early
		a.Seen = SeenBefore
		if f.start >= e.start {
			a.Seen, a.AtLeast = SeenAfter, false
		}
		break
	}
	return a
}

// sameSubject reports whether an incident is about what an alert is about.
func sameSubject(subjects []string, alert, incident labels.Labels) bool {
	const claim = "persistentvolumeclaim"
	if v := alert.Get(claim); v != "" && v == incident.Get(claim) && alert.Get("namespace") == incident.Get("namespace") {
		return true
	}
	return rules.SameSubject(subjects, rules.Subjects(incident))
}

// kpis shows with each anomaly of a KPI the anomalies of workloads that began at about its time.
func (b *book) kpis(out *Incidents, found []Incident) {
	business := map[string]bool{}
	for _, query := range []string{"signals", "signals_at_end"} {
		for _, s := range b.of(query) {
			if s.Labels.Get("type") == rules.TypeBusiness {
				business[s.Labels.Get("signal")] = true
			}
		}
	}
	if len(business) == 0 {
		out.KPINote = b.why("signals", "no signal has the type business: give the queries of orders, sign-ups or SLO burn as signals of it")
		return
	}
	for i := range found {
		k := &found[i]
		if !business[k.Signal] {
			continue
		}
		kpi := KPI{Signal: k.Signal, Type: k.Type, Severity: k.Severity, Labels: k.Labels, From: k.From, Workloads: []Incident{}}
		for j := range found {
			f := &found[j]
			d := f.start - k.start
			if !business[f.Signal] && d <= rules.RelatedWithin && d >= -rules.RelatedWithin && rules.Compatible(k.labels, f.labels) {
				kpi.Workloads = append(kpi.Workloads, *f)
			}
		}
		out.KPIs = append(out.KPIs, kpi)
	}
	if len(out.KPIs) == 0 {
		out.KPINote = "no KPI moved out of the ordinary"
	}
}
