package rules

import (
	"math"
	"strconv"

	"github.com/upid/upid/collector/series"
)

// noteAnnotations explains the alert of a finding about capacity or cost. Without a score that is a
// number, as of what has no limit, there is none.
func noteAnnotations(info SignalInfo, f series.Finding) map[string]string {
	a := map[string]string{
		"family":       f.Family,
		"first_action": f.Note.FirstAction,
		"summary":      f.Note.Summary,
		"description":  f.Note.Description,
		"confidence":   strconv.FormatFloat(f.Confidence, 'f', 2, 64),
	}
	if !math.IsNaN(f.Peak) && !math.IsInf(f.Peak, 0) {
		a["score"] = digits(f.Peak)
	}
	if f.Stale && f.Open() {
		a["stale"] = StaleNote(0)
	}
	if info.RunbookURL != "" {
		a["runbook_url"] = info.RunbookURL
	}
	return a
}
