package rules

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/collector/series"
)

// The types of findings that a forecast reaches a limit.
const (
	TypeForecastAbove = "forecast_above"
	TypeForecastBelow = "forecast_below"
)

// A Breach is a limit of a signal and what its forecast says about it. Values are in the unit of
// the query; NaN is unknown.
type Breach struct {
	Signal, Unit, Type  string
	Limit               float64
	Within              time.Duration // how far ahead was looked
	Level               float64       // share of the future values the interval is to hold
	At                  int64         // when the forecast gets there, Unix milliseconds
	Observed            float64       // now
	Point, Lower, Upper float64       // at that time
	Ended               bool          // it does not any more
}

// BreachNote explains the alert of a breach: when, with which interval, and what is now.
func BreachNote(b Breach) *series.Note {
	side, beyond := "above", b.Observed > b.Limit
	action := "Add capacity, raise the limit or move work before then; upid predictions --signal " + b.Signal + " shows the course."
	if b.Type == TypeForecastBelow {
		side, beyond = "below", b.Observed < b.Limit
		action = "Find out why less is expected: compare with the weeks before, and what feeds it; upid predictions --signal " + b.Signal + " shows the course."
	}
	limit, at := quantity(b.Limit, b.Unit), clock(b.At)
	n := &series.Note{Alert: AlertForecast, FirstAction: action, Summary: "", Description: ""}
	switch {
	case b.Ended:
		n.Summary = fmt.Sprintf("%s is not forecast to be %s %s any more.", b.Signal, side, limit)
		n.Description = fmt.Sprintf("Within %v it stays on this side of the limit.", model.Duration(b.Within))
		return n
	case b.At == 0:
		n.Summary = fmt.Sprintf("%s was forecast to be %s %s.", b.Signal, side, limit)
		n.Description = "There is no forecast now."
		return n
	case beyond:
		n.Summary = fmt.Sprintf("%s is %s %s and is forecast to be so within %v.", b.Signal, side, limit, model.Duration(b.Within))
	default:
		n.Summary = fmt.Sprintf("%s is forecast to be %s %s at %s.", b.Signal, side, limit, at)
	}
	n.Description = fmt.Sprintf("Forecast for %s: %s, %g %% interval %s to %s; now %s. Limit: %s.",
		at, quantity(b.Point, b.Unit), 100*b.Level, quantity(b.Lower, b.Unit), quantity(b.Upper, b.Unit), quantity(b.Observed, b.Unit), limit)
	return n
}
