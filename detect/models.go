package detect

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Default is the name of the model that serves every kind of series.
const Default = "stream"

// Models lists every detector by the name a configuration uses.
var Models = map[string]Factory{
	"stream": newStream,
}

// Names returns the names in Models, sorted.
func Names() []string {
	names := make([]string, 0, len(Models))
	for n := range Models {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// New makes the named detector with empty state. An empty name is Default. The
// error says what is wrong with name or o.
func New(name string, o Options) (Scorer, error) {
	if name == "" {
		name = Default
	}
	f, ok := Models[name]
	if !ok {
		return nil, fmt.Errorf("detector %q: unknown, want one of %q", name, Names())
	}
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("detector %q: %w", name, err)
	}
	if o.Transform != NoTransform {
		return newTransformed(f, o)
	}
	return f(o)
}

// The steps a detector accepts: below a second the half-lives in points stop
// making sense, above a week so does the daily season.
const (
	minStep = time.Second
	maxStep = 7 * 24 * time.Hour
)

// complete fills the defaults in and validates.
func (o Options) complete() (Options, error) {
	if o.Step < minStep || o.Step > maxStep {
		return o, fmt.Errorf("step is %v, want %v to %v", o.Step, minStep, maxStep)
	}
	if o.Step%time.Millisecond != 0 {
		return o, fmt.Errorf("step is %v, want whole milliseconds", o.Step)
	}
	if !(o.Budget > 0) || math.IsInf(o.Budget, 0) {
		return o, fmt.Errorf("budget is %v alerts a week, want more than 0", o.Budget)
	}
	switch o.Direction {
	case "":
		o.Direction = Both
	case Both, Up, Down:
	default:
		return o, fmt.Errorf("direction is %q, want %q, %q or %q", o.Direction, Both, Up, Down)
	}
	if !(o.MinDeviation >= 0) || math.IsInf(o.MinDeviation, 0) {
		return o, fmt.Errorf("minimum deviation is %v, want 0 or more", o.MinDeviation)
	}
	if !(o.MinRelative >= 0) || math.IsInf(o.MinRelative, 0) {
		return o, fmt.Errorf("minimum relative deviation is %v, want 0 or more", o.MinRelative)
	}
	switch o.Transform {
	case "":
		o.Transform = NoTransform
	case NoTransform, Sqrt:
	default:
		return o, fmt.Errorf("transform is %q, want %q or %q", o.Transform, NoTransform, Sqrt)
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	return o, nil
}
