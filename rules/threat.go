package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upid/upid/collector/series"
)

// threatPhrases say what each threat looks like after its entity.
var threatPhrases = map[string]string{
	"brute_force":          "sees credentials being guessed",
	"brute_force_success":  "sees a log-in succeed after many that failed",
	"privilege_escalation": "takes rights it did not use before",
	"data_exfiltration":    "sends more data than on any day",
	"unusual_behavior":     "does what it did not do before",
	"credential_access":    "reads secrets it did not read before",
	"defense_evasion":      "has gone silent, or turned its guards off",
	"insider":              "takes data at unusual hours",
	"compromised_account":  "looks like an account in other hands",
}

// maxEntitiesText bounds how many entities of a campaign an annotation lists.
const maxEntitiesText = 50

// alertName returns the name of the alert of a finding.
func alertName(f series.Finding) string {
	if f.Threat != nil {
		return AlertThreat
	}
	if f.Note != nil {
		return f.Note.Alert
	}
	return AlertAnomaly
}

// threatAnnotations explains the alert of a threat: technique, evidence, first_action,
// runbook_url and what every alert says.
func threatAnnotations(info SignalInfo, f series.Finding, c Context) map[string]string {
	t := f.Threat
	a := map[string]string{
		"family":       f.Family,
		"first_action": t.FirstAction,
		"summary":      ThreatSummary(t) + c.more(),
		"description":  ThreatDescription(info, f, c),
		"score":        digits(f.Peak),
		"confidence":   strconv.FormatFloat(f.Confidence, 'f', 2, 64),
		"technique":    t.Technique,
		"evidence":     strings.Join(t.Evidence, "; "),
		"runbook_url":  runbook(info, t),
	}
	if n := len(t.Entities); n > 0 {
		a["entities"] = strings.Join(t.Entities[:min(n, maxEntitiesText)], ", ")
	}
	if t.Reclassified != "" && t.Reclassified != f.Type {
		a["reclassified"] = t.Reclassified
	}
	if f.Stale && f.Open() {
		a["stale"] = StaleNote(0)
	}
	for k, v := range a {
		if v == "" {
			delete(a, k)
		}
	}
	return a
}

// runbook returns where to read on: what is configured, in which $threat stands for the
// threat, else the page of the first technique at MITRE.
func runbook(info SignalInfo, t *series.Threat) string {
	if info.RunbookURL != "" {
		return strings.ReplaceAll(info.RunbookURL, "$threat", t.Threat)
	}
	id, _, _ := strings.Cut(t.Technique, ";")
	if !strings.HasPrefix(id, "T") {
		return ""
	}
	return "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
}

// ThreatSummary says in one line what and where.
func ThreatSummary(t *series.Threat) string {
	if n := len(t.Entities); n > 0 {
		return fmt.Sprintf("Campaign of %s against %.0f entities of type %s (risk %.0f)", words(t.Threat), t.Observed, t.EntityType, t.Risk)
	}
	phrase := threatPhrases[t.Threat]
	if phrase == "" {
		phrase = "is under suspicion of " + words(t.Threat)
	}
	return fmt.Sprintf("%s %s %s (risk %.0f)", t.EntityType, shorten(t.Entity, maxSeriesText), phrase, t.Risk)
}

// ThreatDescription is the whole story in plain sentences.
func ThreatDescription(info SignalInfo, f series.Finding, c Context) string {
	t := f.Threat
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	if len(t.Evidence) > 0 {
		add("Evidence: %s.", strings.Join(t.Evidence, "; "))
	}
	add("Risk %.0f of 100 (%s), at most %.0f so far.", t.Risk, t.Band, f.Peak)
	if t.Technique != "" {
		add("MITRE ATT&CK %s.", strings.ReplaceAll(t.Technique, ";", ", "))
	}
	switch {
	case f.Open():
		add("Open since %s, newest evidence %s.", moment(info, f.Start), clock(t.Last))
	default:
		add("It began %s; after %s there was no new evidence.", moment(info, f.Start), clock(t.Last))
	}
	if t.Recurrences > 0 {
		add("It is alert %d of this threat on this entity in what was learned from.", t.Recurrences+1)
	}
	if n := len(t.Entities); n > 0 {
		add("Entities: %s.", strings.Join(t.Entities[:min(n, maxEntitiesText)], ", "))
	}
	if t.Reclassified != "" && t.Reclassified != t.Threat {
		add("It opened as %s and now looks like %s.", words(t.Threat), words(t.Reclassified))
	}
	if more := c.sentences(); more != "" {
		s = append(s, more)
	}
	return strings.Join(s, " ")
}
