package series

import "time"

// Plan is what is said about one thing that is used up, paid for or can be changed.
// Of its parts at most one is not nil.
type Plan struct {
	Capacity *Capacity
	Cost     *Cost
	Advice   *Advice
}

// Capacity says when a limit is reached. Times are seconds from the slot on; what is
// not known is NaN.
type Capacity struct {
	Kind                 string  // disk, inodes, quota, …
	Used, Limit          float64 // unit of the input
	Unit                 string
	Median, Lower, Upper float64
	Horizons             []time.Duration
	Probability          []float64 // of reaching it within each of Horizons
	Reason               string    // why nothing is said, "" where something is
}

// Cost is predicted spend.
type Cost struct {
	Currency            string
	Horizons            []time.Duration // the last one may be the end of the month
	MonthEnd            time.Duration   // until the end of the month; 0 if unknown
	Value, Lower, Upper []float64       // over each of Horizons
	Confidence          float64         // in [0, 1]
	Budget, ToDate      float64         // a month's, and what was spent since its first; NaN if unknown
}

// Advice is a recommendation as the doors need it.
type Advice struct {
	ID, Kind, OptimizationType string
	State, Urgency             string
	RiskLevel, Effort          string
	Action                     string
	Confidence                 float64 // in [0, 1]
	Savings, Realisable        float64 // a month; NaN if unknown
	Currency                   string
	Targets                    []Target // what to set
	Object                     []byte   // the whole of it as JSON
}

// Target is one amount that a recommendation sets.
type Target struct {
	Resource string
	Value    float64
}

// Note is what a finding says that is no anomaly of a series.
type Note struct {
	Alert       string // alertname
	Summary     string
	Description string
	FirstAction string
}
