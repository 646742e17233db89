package rules

import (
	"fmt"
	"time"

	"github.com/upid/upid/collector/series"
)

// regressionWithin is how long after the grace of a rollout, in milliseconds, what gets
// worse is called its regression.
const regressionWithin = 60 * 60 * 1000

// Regression reports whether a finding that is bad news began so soon after the
// newest rollout that this is the first thing to suspect.
func Regression(info SignalInfo, r series.Result, f series.Finding) bool {
	return r.Rollout != nil && Suspect(r.Rollout.At, r.Rollout.Grace, f.Start) && worse(info, f)
}

// Suspect reports whether time t is so soon after a rollout at a time, 0 if there was none, that
// this is the first thing to suspect.
func Suspect(at int64, grace time.Duration, t int64) bool {
	return at > 0 && t >= at && t <= at+grace.Milliseconds()+regressionWithin
}

// worse reports whether a deviation is bad news for the type of its signal: less of
// what users do, more of anything else.
func worse(info SignalInfo, f series.Finding) bool {
	d := f.Worst.Why.Deviation
	if info.Type == "behavior" || info.Type == TypeBusiness {
		return d < 0
	}
	return d > 0
}

// Benign reports whether a series of a signal of this type may go on from another level
// after a rollout, share above the expectation relative to it: another program needs other
// resources, between half and twice as much. Slower answers, more errors, more of what
// security counts and less of what users do are what rollouts are watched for. A
// resource signal does not know of errors: those are told by the signals that count them.
func Benign(signalType string, share float64) bool {
	switch signalType {
	case "performance":
		return share < 0
	case "behavior", TypeBusiness:
		return share > 0
	case "security":
		return false
	}
	return share >= -0.5 && share <= 1
}

// rolloutSentence tells of the last rollout before a finding, "" without one.
func rolloutSentence(info SignalInfo, r series.Result, f series.Finding) string {
	o := r.Rollout
	if o == nil || o.At > f.Start {
		return ""
	}
	if !Regression(info, r, f) {
		return fmt.Sprintf("Last rollout: revision %s at %s.", shorten(o.Revision, 100), clock(o.At))
	}
	s := fmt.Sprintf("Regression: it follows the rollout of revision %s at %s", shorten(o.Revision, 100), clock(o.At))
	if known(o.Before) && known(o.After) {
		s += fmt.Sprintf(", on average %s before and %s after", quantity(o.Before, info.Unit), quantity(o.After, info.Unit))
	}
	return s + "."
}
