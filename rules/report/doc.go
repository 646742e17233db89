// Package report says what upid was worth over a time: spend against forecast and
// budget, savings proposed, applied and realised, incidents and how long before other
// alerts they were seen, accuracy and alert budget. It reads what Prometheus kept of
// upid's own metrics, of ALERTS and of kube-state-metrics, does no I/O and reads no clock.
//
// Nothing is estimated without its inputs: a figure is a number, or says why there is none.
package report

import (
	"math"

	"github.com/upid/upid/collector/series"
)

// A Figure is a finite number, or the reason why there is none.
type Figure struct {
	Value  *float64 `json:"value"`
	Absent string   `json:"absent,omitempty"`
}

// Of returns the figure v; NaN and ±Inf are absent for that reason.
func Of(v float64, otherwise string) Figure {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Figure{Value: nil, Absent: otherwise}
	}
	return Figure{Value: &v, Absent: ""}
}

// Absent returns a figure that is not known.
func Absent(why string) Figure { return Figure{Value: nil, Absent: why} }

// Known reports whether there is a number.
func (f Figure) Known() bool { return f.Value != nil }

// Number returns it, NaN if there is none.
func (f Figure) Number() float64 {
	if f.Value == nil {
		return math.NaN()
	}
	return *f.Value
}

// Report is all that is said. Times are Unix seconds, durations seconds.
type Report struct {
	From       float64   `json:"from"`
	To         float64   `json:"to"`
	Resolution float64   `json:"resolution_seconds"` // of incidents and alerts
	Spend      Spend     `json:"spend"`
	Savings    Savings   `json:"savings"`
	Incidents  Incidents `json:"incidents"`
	Accuracy   Accuracy  `json:"accuracy"`
}

// Input is the answer to each of Queries, by name.
type Input struct {
	From, To int64 // Unix milliseconds, multiples of Step at least an hour apart; what is reported on, where hourly from the whole hours before them on
	Step     int64 // milliseconds; grid of incidents and alerts
	Answers  series.Set
	Failed   map[string]string // why a query has no answer
}

// Make makes the report of an input.
func Make(in Input) Report {
	b := newBook(in)
	r := Report{From: seconds(in.From), To: seconds(in.To), Resolution: seconds(in.Step)}
	r.Spend = b.spend()
	r.Savings = b.savings()
	r.Incidents = b.incidents()
	r.Accuracy = b.accuracy()
	return r
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }
