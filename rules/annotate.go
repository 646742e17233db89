package rules

import (
	"fmt"
	"math"
	"net/url"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// maxSeriesText bounds how much of a series' labels an annotation repeats; the
// alert's own labels are whole.
const maxSeriesText = 300

// phrases say what each type of anomaly looks like after the signal's name, while
// it is open and once it is over.
var phrases = map[string]struct{ now, then string }{
	series.TypeSpike:      {"is unusually high", "was unusually high"},
	series.TypeDrop:       {"is unusually low", "was unusually low"},
	series.TypeLevelShift: {"has moved to another level", "had moved to another level"},
	series.TypeDrift:      {"is drifting away from its usual level", "had drifted away from its usual level"},
	series.TypeVariance:   {"varies more than usual", "varied more than usual"},
	series.TypeFlatline:   {"has stopped moving", "had stopped moving"},
	series.TypeMissing:    {"has stopped reporting", "had stopped reporting"},
	series.TypeOutlier:    {"has unusual values", "had unusual values"},
}

// Annotations explains the alert of a finding to whoever is woken by it: family,
// first_action, summary, description, score, confidence, and reclassified, stale
// and runbook_url where there is something to say; of a threat also technique and evidence. Label values are data: nothing
// in the result is a template.
func Annotations(info SignalInfo, r series.Result, f series.Finding, c Context) map[string]string {
	if f.Threat != nil {
		return threatAnnotations(info, f, c)
	}
	if f.Note != nil {
		return noteAnnotations(info, f)
	}
	family := f.Family
	if family == "" {
		family = Family(info.Type, f.Type)
	}
	looks := f.Type
	if f.Open() && f.Reclassified != "" {
		looks = f.Reclassified // what to look for is what it is now: a filling disk opens as a level shift
	}
	a := map[string]string{
		"family":       family,
		"first_action": FirstAction(family, looks),
		"summary":      summary(info, r, f) + c.more(),
		"description":  description(info, r, f, c),
		"score":        digits(f.Peak),
		"confidence":   strconv.FormatFloat(f.Confidence, 'f', 2, 64),
	}
	if f.Type == series.TypeOutlier && f.Worst.Why.View == series.ViewPeers {
		a["first_action"] = peersAction
	}
	if Regression(info, r, f) {
		a["first_action"] = regressionAction
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
