// Package features is the vocabulary of the learned models: for each model type a
// table of named features, each with unit, formula, PromQL and what makes it
// missing, and the targets that are learned. One table serves the text for people,
// the queries, and the arithmetic, so they cannot differ.
package features

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The model types.
const (
	ResourcePrediction = "resource_prediction"
	AnomalyDetection   = "anomaly_detection"
	SecurityThreat     = "security_threat"
	CostOptimization   = "cost_optimization"
)

// Types lists them.
var Types = []string{ResourcePrediction, AnomalyDetection, SecurityThreat, CostOptimization}

// Reduce says how the hourly means of a base become one number.
type Reduce int

// The reductions. A window W ends at the time of the row.
const (
	Mean    Reduce = iota // mean over W
	Count                 // mean over W times the seconds of W: how many there were
	Ratio                 // mean of the base over W divided by that of Of
	Lag                   // mean over the 24 hours that ended W ago
	Max                   // largest hourly mean in W
	Slope                 // least-squares slope over W, per day
	Last                  // the newest hour
	Change                // the newest hour minus the hour before
	Hour                  // hour of the day, local time, 0 to 23
	Weekday               // day of the week, local time, Sunday is 0
	Given                 // not computed here: given with the row
)

// Feature is one named input of a model.
type Feature struct {
	Name   string
	Unit   string
	Base   string // in Bases; "" where Reduce needs none
	Of     string // denominator of a Ratio
	Reduce Reduce
	Window time.Duration
	About  string // of a Given feature: what it counts
}

// Target is what a model type is trained to predict from histories.
type Target struct {
	Name    string
	Unit    string
	Base    string
	From    time.Duration // the mean over (t + From, t + Until], times Factor
	Until   time.Duration
	Factor  float64
	Formula string
}

// Table is the features of one model type.
type Table struct {
	Type     string
	Contract []Feature // the names that stay
	Further  []Feature // what else may be given, and is computed where the base is there
	Targets  []Target  // of training from Prometheus; none: rows must be given
}

// All returns the contract and the further features.
func (t Table) All() []Feature { return slices.Concat(t.Contract, t.Further) }

// Of returns the table of a model type. It panics on an unknown one.
func Of(modelType string) Table {
	switch modelType {
	case ResourcePrediction:
		return resourceTable()
	case AnomalyDetection:
		return anomalyTable()
	case SecurityThreat:
		return threatTable()
	case CostOptimization:
		return costTable()
	}
	panic("features: unknown model type " + modelType)
}

// Lookup returns the feature of a name in the table of a type.
func Lookup(modelType, name string) (Feature, bool) {
	if !slices.Contains(Types, modelType) {
		return Feature{}, false
	}
	all := Of(modelType).All()
	i := slices.IndexFunc(all, func(f Feature) bool { return f.Name == name })
	if i < 0 {
		return Feature{}, false
	}
	return all[i], true
}

// TargetUnit returns the unit of a target, "" if it is not in the table.
func TargetUnit(modelType, name string) string {
	if !slices.Contains(Types, modelType) {
		return ""
	}
	for _, t := range Of(modelType).Targets {
		if t.Name == name {
			return t.Unit
		}
	}
	return ""
}

// BaseNames returns the bases that the table's features and targets need, sorted.
func (t Table) BaseNames() []string {
	var names []string
	for _, f := range t.All() {
		names = append(names, f.Base, f.Of)
	}
	for _, target := range t.Targets {
		names = append(names, target.Base)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// Formula says how the feature is computed, with x for the hourly means of its base.
func (f Feature) Formula() string {
	w := window(f.Window)
	switch f.Reduce {
	case Mean:
		return fmt.Sprintf("mean of %s over %s", f.Base, w)
	case Count:
		return fmt.Sprintf("mean of %s over %s × %d s", f.Base, w, int(f.Window.Seconds()))
	case Ratio:
		return fmt.Sprintf("mean of %s over %s ÷ mean of %s over %s", f.Base, w, f.Of, w)
	case Lag:
		return fmt.Sprintf("mean of %s over the 24h that ended %s ago", f.Base, w)
	case Max:
		return fmt.Sprintf("largest hourly mean of %s in %s", f.Base, w)
	case Slope:
		return fmt.Sprintf("least-squares slope of %s over %s, per day", f.Base, w)
	case Last:
		return fmt.Sprintf("%s over the newest hour", f.Base)
	case Change:
		return fmt.Sprintf("%s over the newest hour − over the hour before", f.Base)
	case Hour:
		return "hour of the day in local time, 0 to 23"
	case Weekday:
		return "day of the week in local time, Sunday is 0"
	case Given:
		return f.About
	}
	return ""
}

// Missing says when the feature is missing. It is never 0 for want of data.
func (f Feature) Missing() string {
	switch f.Reduce {
	case Mean, Count, Max, Slope:
		return "under half of the hours of " + window(f.Window)
	case Ratio:
		return "under half of the hours of " + window(f.Window) + ", or nothing to divide by"
	case Lag:
		return "under half of those 24 hours"
	case Last:
		return "no value in the newest hour"
	case Change:
		return "no value in one of the two hours"
	case Hour, Weekday:
		return "no time of the row"
	case Given:
		return "not given"
	}
	return ""
}

// PromQL is the feature as an instant query, "" for one that is given. Calendar
// features are in UTC there. PromQL averages what there is: the half that must be
// there is asked for by count_over_time in HalfThere.
func (f Feature) PromQL() string {
	b, w := Bases[f.Base].PromQL, window(f.Window)
	switch f.Reduce {
	case Mean:
		return fmt.Sprintf("avg_over_time((%s)[%s:1h])", b, w)
	case Count:
		return fmt.Sprintf("avg_over_time((%s)[%s:1h]) * %d", b, w, int(f.Window.Seconds()))
	case Ratio:
		return fmt.Sprintf("avg_over_time((%s)[%s:1h]) / (avg_over_time((%s)[%s:1h]) > 0)", b, w, Bases[f.Of].PromQL, w)
	case Lag:
		return fmt.Sprintf("avg_over_time((%s)[24h:1h] offset %s)", b, w)
	case Max:
		return fmt.Sprintf("max_over_time((%s)[%s:1h])", b, w)
	case Slope:
		return fmt.Sprintf("deriv((%s)[%s:1h]) * 86400", b, w)
	case Last:
		return b
	case Change:
		return fmt.Sprintf("(%s) - last_over_time((%s)[1h:1h] offset 1h)", b, b)
	case Hour:
		return "hour()"
	case Weekday:
		return "day_of_week()"
	case Given:
	}
	return ""
}

// HalfThere is a PromQL filter for the query of a windowed feature: it keeps the
// workloads that have at least half of the hours. "" where there is no window.
func (f Feature) HalfThere() string {
	switch f.Reduce { //nolint:exhaustive // the others have no window
	case Mean, Count, Ratio, Max, Slope:
		return fmt.Sprintf("count_over_time((%s)[%s:1h]) >= %d", Bases[f.Base].PromQL, window(f.Window), int(f.Window.Hours())/2)
	}
	return ""
}

// window writes a window as the names of the features do: 24h, 7d, 30d.
func window(d time.Duration) string {
	if d > day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

const day = 24 * time.Hour
