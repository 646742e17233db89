package series

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// Band is a point forecast and its interval on a regular grid: entry i is for
// Start + i·Step. NaN stands where no value or no bound can be given; ±Inf
// never appears.
type Band struct {
	Start, Step         int64 // milliseconds
	Point, Lower, Upper []float64
	Level               float64 // coverage asked for, in (0, 1)
	Coverage            float64 // coverage measured on held-out data; NaN if not measured
}

// Forecast is a Band with what is known about its worth.
type Forecast struct {
	Band
	Model      string   // name in forecast.Models
	Members    []Member // what a combination consists of, heaviest first
	Accuracy   Accuracy // measured on held-out origins of this very series
	Confidence float64  // in [0, 1], measured; see forecast.Confidence
	Warnings   []error  // the forecast stands; say this beside it
}

// Pattern is what a history shows beside its forecast.
type Pattern struct {
	Trends       []Trend       // significant ones only, shortest window first
	WeekOverWeek float64       // level of the last 7 days over that of the 7 before, less 1; NaN if unknown
	Seasons      []Seasonality // that were found, longest first
	Changes      []Change      // of the level, oldest first
}

// Trend is a significant change over a window.
type Trend struct {
	Window time.Duration // 7 or 28 days
	Ratio  float64       // change over the window, relative to where it began
}

// Seasonality is a season and the share of the variance that it explains.
type Seasonality struct {
	Length   time.Duration
	Strength float64 // in (0, 1]
}

// Change is a day from which the level was another.
type Change struct {
	Time          int64 // start of the day counted back from the end of the series
	Before, After float64
}

// Member is one model's share in a combination.
type Member struct {
	Name   string
	Weight float64 // in [0, 1]; the weights of a forecast add up to 1
}

// Accuracy is the outcome of rolling-origin evaluation over all steps of all
// origins. Every field is NaN when there was too little history to measure it.
type Accuracy struct {
	MASE      float64 // mean |error| over mean |y[t] − y[t−m]| of the history, m = one day
	NaiveMASE float64 // the same for the seasonal naive forecast on the same origins
	Skill     float64 // 1 − MASE/NaiveMASE; above 0 beats naive
	Coverage  float64 // share of held-out values inside the interval
	Origins   int     // rolling origins used
}

// Horizon is a forecast read off for one configured horizon.
type Horizon struct {
	Horizon             time.Duration
	Value, Lower, Upper float64 // at now + Horizon; NaN where unknown
	Peak                float64 // highest Value within the horizon
}

// Score says how unusual one observation was.
type Score struct {
	Observed, Expected, Lower, Upper float64 // unit of the input; NaN where unknown
	Value                            float64 // 0 ordinary, 1 = alert boundary; NaN during warm-up
	Confidence                       float64 // in [0, 1]
	Type                             string  // a Type… constant; empty if Value < 1 or NaN
	Why                              Why     // zero if Value < 1 or NaN
}

// Why says what made a score an anomaly. The zero value says nothing.
type Why struct {
	View      string  // a View… constant: where the series stood out
	Value     float64 // what the view saw: usual deviations, usual spreads, or seconds
	Limit     float64 // what it takes there for a score of 1, as Value; > 0
	Deviation float64 // of the value, or of the view's mean, from Usual; signed, unit of the input
	Usual     float64 // what Deviation is measured from; unit of the input
	Days      float64 // such a Value is seen about once in that many days in this series; 0 if unknown
	Peers     int     // replicas the series was compared with, in ViewPeers; else 0
}

// The views a series can stand out in.
const (
	ViewValue    = "value"     // the newest value against the expectation
	ViewMean10m  = "mean_10m"  // the mean of the last 10 minutes against the usual level
	ViewChange   = "change"    // the mean of the last 20 to 60 minutes against the 80 before: a step in the level
	ViewMean6h   = "mean_6h"   // of the last six hours
	ViewVariance = "variance"  // how much the last half hour varies
	ViewShape    = "shape"     // the last values together
	ViewFlat     = "unchanged" // how long the value has not changed
	ViewGap      = "gap"       // how long there has been no value
	ViewState    = "state"     // how long it keeps one of its two values
	ViewAway     = "away"      // how many points of the last half hour, about, were not at its one usual value
	ViewLate     = "late"      // how long ago what comes by the clock came last
	ViewStays    = "stays"     // how long it has been there, of a series that comes and goes
	ViewPeers    = "peers"     // the newest values against those of the other replicas
)

// Timed reports whether w is about a time: Value and Limit are seconds.
func (w Why) Timed() bool {
	switch w.View {
	case ViewFlat, ViewGap, ViewState, ViewLate, ViewStays:
		return true
	}
	return false
}

// Clocked reports whether w is about a time that is usual by the clock: when the next event is due, or how long one lasts.
func (w Why) Clocked() bool { return w.View == ViewLate || w.View == ViewStays }

// The types an anomaly can have.
const (
	TypeSpike      = "spike"
	TypeDrop       = "drop"
	TypeLevelShift = "level_shift"
	TypeDrift      = "drift"
	TypeVariance   = "variance"
	TypeFlatline   = "flatline"
	TypeMissing    = "missing"
	TypeOutlier    = "outlier"
)

// AnomalyTypes lists them.
var AnomalyTypes = []string{TypeSpike, TypeDrop, TypeLevelShift, TypeDrift, TypeVariance, TypeFlatline, TypeMissing, TypeOutlier}

// The severities of a finding.
const (
	SeverityInfo     = "info"
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// Severities lists them, the mildest first.
var Severities = []string{SeverityInfo, SeverityWarning, SeverityCritical}

// Finding is one anomaly over its life: it opens at Start and is closed at End.
// Type and the labels of its series identify it; both are frozen when it opens.
type Finding struct {
	ID           string  // stable over the life, derived from content
	Family       string  // resource_spike, performance_degradation, …, system_failure
	Type         string  // frozen when the finding opened
	Reclassified string  // a later class, if it differs from Type
	Severity     string  // never falls while the finding is open
	Start        int64   // grid time of the first breach
	End          int64   // grid time at which it was resolved; 0 while it is open
	Peak         float64 // highest score so far
	Worst        Score   // the score that was Peak
	WorstAt      int64   // grid time of it
	Confidence   float64 // in [0, 1]
	Score        Score   // the newest score, or that of the last breach once resolved
	Stale        bool    // no data arrived since: neither confirmed nor resolved
	// Group is what the findings of one workload have in common that opened
	// together: they are one alert. "" where there is only one series.
	Group  string
	Threat *Threat // of a finding about an entity; nil for anomalies
	Note   *Note   // of a finding about capacity or cost; nil for others
}

// Open reports whether the finding has not been resolved.
func (f Finding) Open() bool { return f.End == 0 }

// The stages of a model.
const (
	StageActive = "active" // its forecasts are published
	StageShadow = "shadow" // they are only judged
)

// Live is what became of the forecasts of a signal whose time has come.
type Live struct {
	Judged  []Judged // by stage and horizon; none where nothing was judged yet
	Demoted string   // why the configured model is not in use; "" if it is
	Since   int64    // since when; 0 = from the start
}

// Judged is the worth of the forecasts of one stage and horizon, those of the last
// weeks more than older ones. NaN where unknown.
type Judged struct {
	Stage     string
	Horizon   time.Duration
	Forecasts int // how many were judged, ever
	MASE      float64
	Skill     float64 // 1 − error / error of the seasonal naive forecast
	Coverage  float64 // share of the values that were inside the interval
}

// Result is what one signal says about one series in one slot.
type Result struct {
	Signal     string
	SourceName string        // __name__ of the input, "" if it had none
	Labels     labels.Labels // of the input, without __name__
	Slot       int64         // scheduled time, not the wall clock
	Time       int64         // grid time of the newest complete point; 0 if there is none
	Observed   float64       // NaN if missing
	Forecast   *Forecast     // nil before the first fit
	Trends     []Trend       // significant ones, as of the newest fit
	Horizons   []Horizon     // Forecast read off at Time
	Score      *Score
	Findings   []Finding // open ones, and those resolved a short while ago
	Past       []Finding // resolved ones on record, oldest first: for people, never for alerts
	// BudgetSpent is this series' share in the alert groups its signal raised over
	// the budget period, divided by the budget: the sum over a slot's results is
	// the signal's. NaN where there is no budget.
	BudgetSpent float64
	Rollout     *Rollout // the newest of its workload, if that was within a day
	Threat      *Threat  // of an entity with a risk; nil for series
	Plan        *Plan    // capacity, cost or a recommendation; nil for series
	Live        *Live    // of the signal, shared by its results; nil if it is not forecast
	Warnings    []error  // the result stands; say this beside it
}

// Rollout is a change of what a series is about, as events tell of it.
type Rollout struct {
	At            int64
	Revision      string
	Active        bool          // in its grace
	Grace         time.Duration // how long that is
	Before, After float64       // mean level in the hour before and since, at most an hour; NaN if unknown
}

// ConfidenceLevel names a confidence in [0, 1]: low < 0.4 ≤ medium < 0.6 ≤ high
// < 0.8 ≤ very_high. NaN is low.
func ConfidenceLevel(c float64) string {
	switch {
	case c >= 0.8:
		return "very_high"
	case c >= 0.6:
		return "high"
	case c >= 0.4:
		return "medium"
	}
	return "low"
}
