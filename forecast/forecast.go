// Package forecast predicts a series from its own past. Every model is one
// file with one type, listed in Models. It does no I/O, reads no clock and
// keeps no state between calls: the same series gives the same bytes.
package forecast

import (
	"errors"
	"time"

	"github.com/upid/upid/collector/series"
)

// ErrShort is returned (wrapped) by a Forecaster when the series has too few
// observed points for the model.
var ErrShort = errors.New("series too short")

// A Forecaster is configured and safe for concurrent use.
type Forecaster interface {
	// Forecast fills dst. The caller sets dst.Level and makes dst.Point,
	// dst.Lower and dst.Upper the length of the horizon in steps of y; the
	// Forecaster sets every other field: dst.Start = y.End(), dst.Step = y.Step.
	// y is oldest first, NaN marks a gap; it is neither kept nor changed.
	// Where no bound can be given Lower and Upper are NaN and a warning says why.
	// Once the context of s is done (see Scratch.With) it returns its error, wrapped.
	// An error leaves dst unspecified.
	Forecast(dst *series.Forecast, y series.Series, c Calendar, s *Scratch) error
}

// Calendar places a series in civil time.
type Calendar struct {
	Location *time.Location // nil is UTC; see civil for what it changes
	Events   []Event        // see eventful

	masked []bool // points of the series that are made up: nothing is measured there; nil: none
}

// Factory makes a Forecaster; decode fills the model's own parameter struct
// (which carries its defaults) and leaves it alone when there are no parameters.
type Factory func(decode func(any) error) (Forecaster, error)
