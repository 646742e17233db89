// Package detect scores how unusual the newest point of a series is, in one
// pass and fixed memory. Detectors score; package rules decides what pages.
// It does no I/O and reads no clock: the same points give the same bytes.
package detect

import (
	"time"

	"github.com/upid/upid/collector/series"
)

// A Scorer holds one series' state in fixed memory. It is not safe for
// concurrent use.
type Scorer interface {
	// Step scores the value v observed at grid time t (Unix milliseconds) with
	// what was learned up to, not including, t, and then learns from it. v is
	// NaN for a grid point that is overdue and missing. Calls come in order of t.
	// The Score's Lower and Upper are the values at which Value would reach 1.
	Step(t int64, v float64) series.Score
	// AppendState appends a versioned encoding of the whole state to b.
	AppendState(b []byte) []byte
	// LoadState replaces the state by one that AppendState encoded. On error the
	// scorer is unchanged.
	LoadState(b []byte) error
}

// Direction says which deviations count.
type Direction string

// The directions a signal can watch.
const (
	Both Direction = "both"
	Up   Direction = "up"
	Down Direction = "down"
)

// Options are what a signal's configuration says about scoring one series.
type Options struct {
	Step         time.Duration  // the grid
	Budget       float64        // alerts a week the series may spend, > 0
	Direction    Direction      // "" is Both
	MinDeviation float64        // absolute deviation below which nothing scores 1, unit of the input
	MinRelative  float64        // the same relative to the expectation, 0.1 = 10 %
	Transform    Transform      // "" is NoTransform
	Location     *time.Location // for the daily season; nil is UTC
}

// Factory makes a Scorer with empty state.
type Factory func(o Options) (Scorer, error)
