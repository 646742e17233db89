// Package rules turns scores into findings and findings into alerts. The life
// cycle is a pure function, so live runs, replays after a restart, back-tests
// and the one-off command agree.
package rules

import (
	"time"

	"github.com/upid/upid/collector/series"
)

// Rule decides when a run of scores is an anomaly and when it is over.
type Rule struct {
	Step     time.Duration // the grid of the scores
	Severity string        // severity of a finding at the boundary: info, warning or critical
}

// Alert is the life-cycle state of one series under a Rule. The zero value is
// a series about which nothing is known.
type Alert struct {
	Finding *series.Finding // nil while inactive or pending
}

// Next is the whole alert life cycle: a pure function of the past, the score and
// the grid time t (Unix milliseconds) it belongs to.
func (r Rule) Next(prev Alert, s series.Score, t int64) Alert {
	panic("under construction")
}
