package rules

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// maxSeriesText bounds how much of a series' labels an annotation repeats; the
// alert's own labels are whole.
const maxSeriesText = 300

// phrases say what each type of anomaly looks like, after the signal's name.
var phrases = map[string]string{
	series.TypeSpike:      "is unusually high",
	series.TypeDrop:       "is unusually low",
	series.TypeLevelShift: "has moved to another level",
	series.TypeDrift:      "is drifting away from its expectation",
	series.TypeVariance:   "varies more or less than usual",
	series.TypeFlatline:   "has stopped moving",
	series.TypeMissing:    "has stopped reporting",
	series.TypeOutlier:    "has an unusual value",
}

// Annotations explains the alert of a finding to whoever is woken by it: family,
// first_action, summary, description, score, confidence, and reclassified, stale
// and runbook_url where there is something to say. Label values are data: nothing
// in the result is a template.
func Annotations(info SignalInfo, r series.Result, f series.Finding) map[string]string {
	family := f.Family
	if family == "" {
		family = Family(info.Type, f.Type)
	}
	a := map[string]string{
		"family":       family,
		"first_action": FirstAction(family, f.Type),
		"summary":      summary(info, r, f),
		"description":  description(info, r, f),
		"score":        digits(f.Peak),
		"confidence":   strconv.FormatFloat(f.Confidence, 'f', 2, 64),
	}
	if f.Reclassified != "" && f.Reclassified != f.Type {
		a["reclassified"] = f.Reclassified
	}
	if f.Stale && f.Open() {
		a["stale"] = StaleNote(r.Time)
	}
	if info.RunbookURL != "" {
		a["runbook_url"] = info.RunbookURL
	}
	return a
}

// StaleNote says that nothing is known about an open finding since a time in Unix
// milliseconds; 0 is an unknown time.
func StaleNote(since int64) string {
	if since <= 0 {
		return "No data: neither confirmed nor resolved."
	}
	return fmt.Sprintf("No data since %s: neither confirmed nor resolved.", clock(since))
}

// summary is one line: what, how much, where.
func summary(info SignalInfo, r series.Result, f series.Finding) string {
	phrase := phrases[f.Type]
	if phrase == "" {
		phrase = fmt.Sprintf("is unusual (%s)", f.Type)
	}
	s := info.Name + " " + phrase
	switch obs, exp := f.Score.Observed, f.Score.Expected; {
	case known(obs) && known(exp):
		s += fmt.Sprintf(": %s, expected %s", quantity(obs, info.Unit), quantity(exp, info.Unit))
	case known(exp):
		s += ", expected " + quantity(exp, info.Unit)
	case known(obs):
		s += ": " + quantity(obs, info.Unit)
	}
	if where := r.Labels.String(); where != "{}" {
		s += " " + shorten(where, maxSeriesText)
	}
	return s
}

// description is the whole story in plain sentences.
func description(info SignalInfo, r series.Result, f series.Finding) string {
	sentences := []string{
		observation(info, r, f),
		fmt.Sprintf("Unusual since %s.", clock(f.Start)),
	}
	if f.Reclassified != "" && f.Reclassified != f.Type {
		sentences = append(sentences, fmt.Sprintf("It opened as %s and now looks like %s.", f.Type, f.Reclassified))
	}
	if !f.Open() {
		sentences = append(sentences, fmt.Sprintf("Back to ordinary since %s.", clock(f.End)))
	} else if f.Stale {
		sentences = append(sentences, StaleNote(r.Time))
	}
	sentences = append(sentences, scoreSentence(f),
		fmt.Sprintf("Confidence %s (%.2f).", strings.ReplaceAll(series.ConfidenceLevel(f.Confidence), "_", " "), f.Confidence))
	if name := r.SourceName + r.Labels.String(); name != "{}" {
		sentences = append(sentences, "Series: "+shorten(name, maxSeriesText)+".")
	}
	return strings.Join(sentences, " ")
}

// observation compares what was seen with what was expected.
func observation(info SignalInfo, r series.Result, f series.Finding) string {
	s, unit := f.Score, info.Unit
	var b strings.Builder
	switch {
	case !known(s.Observed):
		b.WriteString("No value was observed")
	case !f.Open(), f.Stale:
		fmt.Fprintf(&b, "Last seen out of the ordinary at %s", quantity(s.Observed, unit))
	default:
		fmt.Fprintf(&b, "Observed %s", quantity(s.Observed, unit))
	}
	if f.Open() && !f.Stale && r.Time > 0 {
		fmt.Fprintf(&b, " at %s", clock(r.Time))
	}
	if known(s.Expected) {
		fmt.Fprintf(&b, "; expected %s", quantity(s.Expected, unit))
	}
	switch lower, upper := known(s.Lower), known(s.Upper); {
	case lower && upper:
		fmt.Fprintf(&b, ", ordinary from %s to %s", quantity(s.Lower, unit), quantity(s.Upper, unit))
	case lower:
		fmt.Fprintf(&b, ", ordinary from %s up", quantity(s.Lower, unit))
	case upper:
		fmt.Fprintf(&b, ", ordinary up to %s", quantity(s.Upper, unit))
	}
	b.WriteString(".")
	if known(s.Observed) && known(s.Expected) {
		b.WriteString(" " + deviation(s.Observed, s.Expected, unit))
	}
	return b.String()
}

// deviation says how far observed is from expected, in the unit and relative to
// the expectation: in percent, from 1000 % on as a multiple, and not at all where
// the expectation is 0.
func deviation(observed, expected float64, unit string) string {
	d := observed - expected
	side := "above"
	switch {
	case d < 0:
		side = "below"
	case d == 0:
		return "That is just as expected."
	}
	s := fmt.Sprintf("That is %s %s the expectation", difference(math.Abs(d), unit), side)
	switch rel := d / math.Abs(expected); {
	case expected == 0 || !known(rel):
		return s + "."
	case rel >= 10 && expected > 0:
		return fmt.Sprintf("%s (%s times as much).", s, strconv.FormatFloat(observed/expected, 'g', 3, 64))
	default:
		return fmt.Sprintf("%s (%+.0f %%).", s, 100*rel)
	}
}

// scoreSentence explains the score, on the scale where 1 spends the alert budget.
func scoreSentence(f series.Finding) string {
	now := f.Score.Value
	if !f.Open() || !known(now) || digits(now) == digits(f.Peak) {
		return fmt.Sprintf("Score %s at its highest, where 1 is the alert boundary.", digits(f.Peak))
	}
	return fmt.Sprintf("Score %s, at its highest %s, where 1 is the alert boundary.", digits(now), digits(f.Peak))
}

func known(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// GeneratorURL returns a link that opens the signal's query as a graph in
// Prometheus, or "" where there is no query or no http(s) address. A user name
// and password in the address are left out: alerts travel far.
func GeneratorURL(info SignalInfo) string {
	if info.Query == "" {
		return ""
	}
	u, err := url.Parse(info.PrometheusURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	u = u.JoinPath("graph")
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery = url.Values{"g0.expr": {info.Query}, "g0.tab": {"0"}}.Encode()
	return u.String()
}

// WatchdogLabels and WatchdogAnnotations describe the alert that always fires:
// its absence at the receiver means that upid or the way from it is broken.
func WatchdogLabels() labels.Labels {
	return labels.FromStrings(labels.AlertName, AlertWatchdog, "severity", series.SeverityInfo)
}

// WatchdogAnnotations explains WatchdogLabels.
func WatchdogAnnotations() map[string]string {
	return map[string]string{
		"summary":     "upid is running and reaches this Alertmanager.",
		"description": "This alert always fires. Route it to a service that reports when it stops arriving.",
	}
}
