package models

import (
	"errors"
	"fmt"
	"slices"

	"github.com/upid/upid/forecast/features"
)

// The states of a model beside its stages.
const (
	Untrained   = "untrained"   // its type has no version
	InTraining  = "training"    // a version is being trained
	Degraded    = "degraded"    // it answers, and is worse than naive or drifts
	Parked      = "parked"      // it failed again and again and is not asked
	Quarantined = "quarantined" // it is in a stage, and its file was damaged or could have been written by others
)

// ModelState is how a model is doing: of a version in a stage, of a type that has none, or
// of a training.
type ModelState struct {
	ModelType string `json:"model_type"`
	Version   string `json:"version"` // "": none yet
	Stage     string `json:"stage"`   // active, canary or shadow; "": none
	State     string `json:"state"`
	Reason    string `json:"reason"`
}

// States returns the states of a type: of the versions in a stage, active first, and of a
// training that runs; that of a type that has neither is untrained. p is what is known of
// its pipeline.
func (r *Registry) States(typ string, p *Progress) ([]ModelState, error) {
	stages, err := r.Stages(typ)
	if err != nil {
		return []ModelState{{ModelType: typ, State: Quarantined, Reason: err.Error()}}, err
	}
	var out []ModelState
	for _, s := range []struct{ stage, name string }{{Active, stages.Active}, {Canary, stages.Canary}, {Shadow, stages.Shadow}} {
		if s.name == "" {
			continue
		}
		m := ModelState{ModelType: typ, Version: s.name, Stage: s.stage, State: s.stage}
		parked, perr := r.Parked(typ, s.name)
		err = errors.Join(err, perr)
		switch {
		case !r.store.Has(typ, s.name):
			m.State, m.Reason = Quarantined, r.lost(typ, s.name)
		case parked != nil:
			m.State, m.Reason = Parked, parked.String()
		case s.stage == Active && p.Degraded != "":
			m.State, m.Reason = Degraded, p.Degraded
		case s.stage != Active:
			m.Reason = onTrial(p, stages.Active, s.name)
		}
		out = append(out, m)
	}
	if p.under() {
		out = append(out, ModelState{ModelType: typ, State: InTraining, Reason: "step " + p.Step + ", cause " + p.Cause})
	}
	if len(out) == 0 {
		m := ModelState{ModelType: typ, State: Untrained, Reason: "no version is in use; train one with upid train " + typ}
		if p.Reason != "" {
			m.Reason = "the newest training was " + p.Step + ": " + p.Reason
		}
		out = append(out, m)
	}
	return out, err
}

// lost says why a version in a stage is not there.
func (r *Registry) lost(typ, name string) string {
	if r.store.Quarantined(typ, name) {
		return "its file was damaged, or others could have written it: it is in " + r.store.QuarantineDir() + "; promote another version, or roll back"
	}
	return "its file is gone; promote another version, or roll back"
}

// onTrial says how far the trial of a version beside the active one is.
func onTrial(p *Progress, active, name string) string {
	if why := NotLive(p.ModelType); why != "" {
		return why
	}
	pair, ok := p.Live.Pair(active, name)
	switch {
	case !ok:
		return "it is not compared yet"
	case pair.Error != "":
		return pair.Error
	}
	times, least := 0, 0
	for _, c := range pair.Comparisons {
		times, least = max(times, c.Times), max(least, c.Least)
	}
	return fmt.Sprintf("%s than %s so far, on %d of the %d times that a verdict takes", map[string]string{Better: "better", Worse: "worse", Open: "neither better nor worse"}[pair.Verdict], active, times, least)
}

// AllStates returns the states of all types; what cannot be told of one is in its reason.
func (r *Registry) AllStates(progress map[string]*Progress) []ModelState {
	var out []ModelState
	for _, typ := range features.Types {
		p := progress[typ]
		if p == nil {
			p = &Progress{ModelType: typ}
		}
		some, _ := r.States(typ, p) // the error is in the reason
		out = append(out, some...)
	}
	return out
}

// Ailing returns the states that somebody should look at.
func Ailing(states []ModelState) []ModelState {
	return slices.DeleteFunc(slices.Clone(states), func(m ModelState) bool {
		return m.State != Degraded && m.State != Parked && m.State != Quarantined
	})
}
