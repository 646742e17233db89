package models

import (
	"math"
	"slices"
)

// A Judge asks the classifiers of one version for the probability of a row whose features
// come in an order of the caller's. It is safe for concurrent use, and the same row always
// has the same answer.
type Judge struct {
	v    *Version
	door *door
	at   []int // of each feature of v where it is in the row, −1 if it never is
}

// NewJudge returns what the active version of a type says, of rows of the named features;
// ErrNoVersion if none is active.
func (r *Registry) NewJudge(typ string, features []string) (*Judge, error) {
	v, err := r.Get(typ, "")
	if err != nil {
		return nil, err
	}
	j := &Judge{v: v, door: r.guard.door(v), at: make([]int, len(v.Features))}
	for k, name := range v.Features {
		j.at[k] = slices.Index(features, name)
	}
	return j, nil
}

// Version returns the name of the version that is asked.
func (j *Judge) Version() string { return j.v.Version }

// mostMissing bounds what a probability may miss: the features with this share of the weight
// of all that the model usually has.
const mostMissing = 0.5

// Probability returns the highest probability, in [0, 1], that a target which passed the
// gate has for the row; NaN is a feature that is not known. ok is false if none is known,
// or if what is missing is more than half of what the model goes by, or if the model failed
// or is parked. Cost: some 2 µs a target.
func (j *Judge) Probability(row []float64) (p float64, ok bool) {
	if j.door.ask(func() { p, ok = j.probability(row) }) {
		return p, ok
	}
	return 0, false
}

func (j *Judge) probability(row []float64) (p float64, ok bool) {
	x := make([]float64, len(j.at))
	known := false
	for k, i := range j.at {
		x[k] = math.NaN()
		if i >= 0 && i < len(row) {
			x[k] = row[i]
		}
		known = known || !math.IsNaN(x[k])
	}
	if !known {
		return 0, false
	}
	for k, m := range j.v.Models {
		if !j.v.Targets[k].Passed {
			continue
		}
		o, err := m.At(x, false)
		if err != nil || o.Widened > 1+mostMissing || !(o.Value >= 0 && o.Value <= 1) {
			continue // an infinite feature, say
		}
		p, ok = max(p, o.Value), true
	}
	return p, ok
}
