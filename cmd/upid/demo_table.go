package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/demo"
	"github.com/upid/upid/collector/views"
)

// demoShown are the signals whose forecasts the table shows: the largest series
// of each.
var demoShown = []string{"workload_cpu", "workload_memory", "workload_network", "workload_cost", "node_filesystem", "request_rate", "request_latency"}

const (
	shownSeries = 2
	shownAlarms = 8
	demoWarmUp  = 4 * 24 * time.Hour // of the 14 days that a fit replays
)

// table prints what is predicted, found and missed, and where to look. waiting
// are the signals that were not learned in time.
func (d *demonstration) table(url string, waiting []string) error {
	var b strings.Builder
	st := d.e.style()
	fmt.Fprintf(&b, "28 days of a cluster, seed %d: %s series, %s samples, after %s\n\n",
		d.cmd.Seed, output.Count(d.engine.Series()), output.Human(float64(d.samples)), time.Since(d.began).Round(time.Second))
	if len(waiting) > 0 {
		fmt.Fprintf(&b, "not learned yet, and so not below: %s\n\n", strings.Join(waiting, ", "))
	}
	if err := d.predicted(&b, st); err != nil {
		return err
	}
	all, v := d.findings()
	d.told = map[string]bool{}
	for _, a := range all {
		d.told[a.ID] = true
		if a.EndedAt != nil {
			d.told[a.ID+" end"] = true
		}
	}
	if err := d.incidents(&b, st, all, v, waiting); err != nil {
		return err
	}
	if err := d.falseAlarms(&b, st, all, v); err != nil {
		return err
	}
	if err := d.open(&b, st, all, v); err != nil {
		return err
	}
	d.addresses(&b, st, url)
	_, err := io.WriteString(d.e.stdout, b.String())
	return err
}

// predicted prints the largest series of each signal, and how many are trusted.
func (d *demonstration) predicted(b *strings.Builder, st output.Style) error {
	b.WriteString(st.Bold("PREDICTED") + ", the largest of each signal\n")
	g := output.Grid{
		Head:  []string{"SERIES", "NOW", "IN 1d", "IN 7d", "90 % INTERVAL", "CONFIDENCE"},
		Right: []bool{false, true, true, true, false, false},
	}
	for _, signal := range demoShown {
		g.Add(signal, "", "", "", "", "")
		for _, p := range d.largest(signal) {
			tomorrow := "-"
			if ps, _ := d.sidecar.views.Predictions(views.PredictionFilter{Signal: signal, Horizon: "1d", Labels: p.Labels}); len(ps) == 1 {
				tomorrow = human(ps[0].Value)
			}
			bounds := human(p.Lower) + " … " + human(p.Upper)
			if noWidth(p.Lower, p.Upper) {
				bounds = unchanged
			}
			g.Add(" "+subject(p.Labels), human(p.Observed), tomorrow, human(p.Value), bounds, p.ConfidenceLevel)
		}
	}
	if err := g.Write(b, st); err != nil {
		return err
	}
	all, n := d.sidecar.views.Predictions(views.PredictionFilter{Horizon: "7d"})
	high := 0
	for _, p := range all {
		if p.Confidence != nil && (p.ConfidenceLevel == "high" || p.ConfidenceLevel == "very_high") {
			high++
		}
	}
	fmt.Fprintf(b, "%s series are forecast for 7 days, %s of them with high confidence\n\n", output.Count(n), output.Count(high))
	return nil
}

// largest returns the predictions for 7 days of the series of a signal that are
// largest now.
func (d *demonstration) largest(signal string) []views.Prediction {
	all, _ := d.sidecar.views.Predictions(views.PredictionFilter{Signal: signal, Horizon: "7d"})
	var top []views.Prediction
	for _, p := range all {
		if p.Observed == nil {
			continue
		}
		k := len(top)
		for k > 0 && *top[k-1].Observed < *p.Observed {
			k--
		}
		top = append(top[:k], append([]views.Prediction{p}, top[k:]...)...)
		top = top[:min(len(top), shownSeries)]
	}
	return top
}

// incidents prints for each incident what found it.
func (d *demonstration) incidents(b *strings.Builder, st output.Style, all []views.Anomaly, v demo.Verdict, waiting []string) error {
	b.WriteString(st.Bold("INJECTED") + ", what it is: docs/demo.md\n")
	g := output.Grid{
		Head:  []string{"INCIDENT", "ON", "STARTED", "FOUND BY", "TYPE", "AFTER"},
		Right: []bool{false, false, false, false, false, true},
	}
	found, past := 0, 0
	for i, in := range demo.Incidents {
		start := time.UnixMilli(d.now).Add(in.Start)
		if start.After(time.Now()) {
			when := "in " + output.Span(time.Until(start).Round(time.Minute))
			g.Add(in.Name, in.On, when, "to come: live", "", "")
			continue
		}
		when := output.Span(-in.Start) + " ago"
		if v.Found[i] < 0 && slices.ContainsFunc(in.Finds, func(s string) bool { return slices.Contains(waiting, s) }) {
			g.Add(in.Name, in.On, when, "not learned yet", "", "")
			continue
		}
		past++
		if v.Found[i] < 0 {
			g.Add(in.Name, in.On, when, "missed", "", "")
			continue
		}
		found++
		a := &all[v.Found[i]]
		after := time.Duration(a.StartedAt*1000)*time.Millisecond - time.Duration(start.UnixMilli())*time.Millisecond
		g.Add(in.Name, in.On, when, a.Signal, a.Type, output.Span(max(0, after)))
	}
	if err := g.Write(b, st); err != nil {
		return err
	}
	fmt.Fprintf(b, "%d of %d found, %d missed\n\n", found, past, past-found)
	return nil
}

// falseAlarms prints the findings that no incident explains.
func (d *demonstration) falseAlarms(b *strings.Builder, st output.Style, all []views.Anomaly, v demo.Verdict) error {
	b.WriteString(st.Bold("FALSE ALARMS") + ", findings that no incident explains\n")
	g := output.Grid{
		Head:  []string{"SIGNAL", "OF", "STARTED", "TYPE", "SCORE"},
		Right: []bool{false, false, false, false, true},
	}
	left, early := 0, 0
	for i := len(all) - 1; i >= 0; i-- { // newest first
		if v.Explained[i] >= 0 {
			continue
		}
		if int64(all[i].StartedAt*1000) < d.now-(14*24*time.Hour-demoWarmUp).Milliseconds() {
			early++
		}
		if g.Len() == shownAlarms {
			left++
			continue
		}
		a := &all[i]
		g.Add(a.Signal, subject(a.Labels), since(a.StartedAt)+" ago", a.Type, human(a.Score))
	}
	if g.Len() > 0 {
		if err := g.Write(b, st); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(b, "and %s more\n", output.Count(left))
	}
	_, series := d.sidecar.views.Predictions(views.PredictionFilter{ModelType: views.AnomalyDetection})
	fmt.Fprintf(b, "%s in 14 days of %s series, %s of them in the first 4 days, while it learns;\n%s findings come from the incidents\n\n",
		output.Count(v.FalseAlarms), output.Count(series), output.Count(early), output.Count(len(all)-v.FalseAlarms))
	return nil
}

// open prints the alerts that fire now.
func (d *demonstration) open(b *strings.Builder, st output.Style, all []views.Anomaly, v demo.Verdict) error {
	where := "no Alertmanager was given"
	if d.cmd.AlertmanagerURL != "" {
		where = "sent to Alertmanager"
	}
	b.WriteString(st.Bold("ALERTS NOW") + ", " + where + "\n")
	g := output.Grid{
		Head:  []string{"SIGNAL", "OF", "ODDEST", "EXPECTED", "NOW", "FOR", "INCIDENT"},
		Right: []bool{false, false, true, true, true, true, false},
	}
	points, _ := d.sidecar.views.Predictions(views.PredictionFilter{ModelType: views.AnomalyDetection})
	for i := range all {
		a := &all[i]
		if a.EndedAt != nil {
			continue
		}
		incident := "-"
		if k := v.Explained[i]; k >= 0 {
			incident = demo.Incidents[k].Name
		}
		g.Add(a.Signal, subject(a.Labels), human(a.Observed), human(a.Expected), human(observedNow(points, a)), age(a.StartedAt), incident)
	}
	if g.Len() == 0 {
		b.WriteString("none\n\n")
		return nil
	}
	if err := g.Write(b, st); err != nil {
		return err
	}
	b.WriteByte('\n')
	return nil
}

// observedNow returns the newest value of the series that a is about, nil if there is
// none: what stood out most may be a day old, and a disk fuller since.
func observedNow(points []views.Prediction, a *views.Anomaly) *float64 {
	for i := range points {
		if p := &points[i]; p.Signal == a.Signal && maps.Equal(p.Labels, a.Labels) {
			return p.Observed
		}
	}
	return nil
}

// addresses prints where to look.
func (d *demonstration) addresses(b *strings.Builder, st output.Style, url string) {
	base := reachable([]string{d.sidecar.flags.ListenAddress[0]})
	if d.cmd.Once { // where it would be
		base, url = reachable([]string{cmp.Or(d.cmd.ListenAddress, demoListen)}), "http://"+cmp.Or(d.cmd.QueryAddress, demoQuery)
		b.WriteString("Without --once it goes on, more goes wrong while you watch, and it serves\n")
	} else {
		b.WriteString(st.Bold("OPEN") + "\n")
	}
	fmt.Fprintf(b, "  %-38s  forecasts and scores for Prometheus\n", base+"/metrics")
	fmt.Fprintf(b, "  %-38s  what was found, as JSON\n", base+"/api/v1/anomalies")
	fmt.Fprintf(b, "  %-38s  the cluster: a Prometheus for Grafana\n", url)
	if d.cmd.Once {
		return
	}
	first, soon := "", time.Duration(0)
	for _, in := range demo.Incidents {
		if wait := time.Until(time.UnixMilli(d.now).Add(in.Start)); wait > 0 && (first == "" || wait < soon) {
			first, soon = in.Name+" on "+in.On, wait
		}
	}
	if first != "" {
		fmt.Fprintf(b, "\nNew findings follow here. The next incident, %s,\nstarts in %s and should be found a few minutes later. Ctrl-C ends the demo.\n", first, output.Span(soon.Round(time.Second)))
	}
}

// subject names a series in few characters: namespace and workload, or host.
func subject(labels map[string]string) string {
	for _, name := range []string{"workload", "service"} {
		if v := labels[name]; v != "" {
			return labels["namespace"] + "/" + v
		}
	}
	host, _, _ := strings.Cut(labels["instance"], ":")
	return host + labels["mountpoint"]
}

// human formats a number that may be unknown.
func human(v *float64) string {
	if v == nil {
		return "-"
	}
	return output.Human(*v)
}

// since returns how long ago a time in Unix seconds is, to the minute.
func since(t float64) string {
	return output.Span(max(time.Minute, time.Since(time.UnixMilli(int64(t*1000))).Round(time.Minute)))
}

// age is since in whole hours, beyond one: short, so that names are not cut.
func age(t float64) string {
	d := time.Since(time.UnixMilli(int64(t * 1000)))
	if d < time.Hour {
		return since(t)
	}
	return output.Span(d.Truncate(time.Hour))
}
