package rules

import (
	"strconv"

	"github.com/upid/upid/collector/series"
)

// noteAnnotations explains the alert of a finding about capacity or cost.
func noteAnnotations(info SignalInfo, f series.Finding) map[string]string {
	a := map[string]string{
		"family":       f.Family,
		"first_action": f.Note.FirstAction,
		"summary":      f.Note.Summary,
		"description":  f.Note.Description,
		"score":        digits(f.Peak),
		"confidence":   strconv.FormatFloat(f.Confidence, 'f', 2, 64),
	}
	if f.Stale && f.Open() {
		a["stale"] = StaleNote(0)
	}
	if info.RunbookURL != "" {
		a["runbook_url"] = info.RunbookURL
	}
	return a
}
