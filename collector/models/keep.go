package models

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
)

// Journal writes what changes models to the audit trail, for one actor.
type Journal struct {
	Trail  *audit.Log
	Actor  string // who
	Source string // from where: cli, or the address of a request
}

// Note writes one event.
func (j Journal) Note(action, object, outcome, detail string) error {
	_, err := j.Trail.Append(audit.Event{Actor: j.Actor, Source: j.Source, Action: action, Object: object, Outcome: outcome, Detail: detail})
	return err
}

// Do writes what is to be done, does it, and writes that it failed if it does: no change
// is without its line. What cannot be written down is not done.
func (j Journal) Do(action, object, detail string, do func() error) error {
	if err := j.Note(action, object, audit.OK, detail); err != nil {
		return fmt.Errorf("nothing is changed, because it cannot be written down: %w", err)
	}
	err := do()
	if err != nil {
		err = errors.Join(err, j.Note(action, object, audit.Failed, err.Error()))
	}
	return err
}

// Keep saves a version that was trained on rows and puts it into a stage: the first of a
// type is active; a later one only if a paired test on rows that neither has learned from
// shows that it is better, else it is in the shadow. It returns why.
func (r *Registry) Keep(ctx context.Context, j Journal, v *Version, rows *Rows) (why string, err error) {
	return r.keep(ctx, j, v, rows, false)
}

// keep is Keep; on trial, a version goes into the shadow beside an active one, whatever the
// test on its held-out rows says: it is judged live first.
func (r *Registry) keep(ctx context.Context, j Journal, v *Version, rows *Rows, trial bool) (why string, err error) {
	detail := fmt.Sprintf("%d rows of %s, seed %d; %s", v.Rows, v.Source, v.Seed, v.Gate())
	if err := j.Do(audit.TrainEnd, v.ModelType, detail, func() error { return r.Save(v) }); err != nil {
		return "", err
	}
	return r.place(ctx, j, v, rows, trial)
}

// place puts a version that was saved into its stage.
func (r *Registry) place(ctx context.Context, j Journal, v *Version, rows *Rows, trial bool) (why string, err error) {
	stages, err := r.Stages(v.ModelType)
	if err != nil {
		return "", err
	}
	stage, why := Active, "no other was active"
	switch {
	case stages.Active == "":
	case trial && r.readable(v.ModelType, stages.Active):
		stage, why = Shadow, "it is judged live beside "+stages.Active+" first"
	default:
		stage, why = r.against(ctx, v, stages.Active, rows)
	}
	err = j.Do(audit.Promote, v.ModelType+"/"+v.Version, "to "+stage+": "+why, func() error {
		_, _, err := r.Promote(v.ModelType, v.Version, stage, 0)
		return err
	})
	if err == nil {
		v.State, v.Stage = stage, stage
	}
	return why, err
}

// readable reports whether a version can be asked.
func (r *Registry) readable(typ, name string) bool {
	_, err := r.Get(typ, name)
	return err == nil
}

// against returns the stage that a new version is for beside the active one, and why.
func (r *Registry) against(ctx context.Context, v *Version, active string, rows *Rows) (stage, why string) {
	old, err := r.Get(v.ModelType, active)
	switch {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, ErrNoVersion):
		return Active, active + " is lost: " + err.Error()
	case err != nil:
		return Shadow, active + " cannot be read: " + err.Error()
	}
	cs, err := r.Compare(ctx, old, v, rows)
	if err != nil {
		return Shadow, err.Error()
	}
	if Sum(cs) == Better {
		return Active, Say(cs)
	}
	return Shadow, Say(cs)
}

// Gate says in words what the gate found, by target.
func (r Record) Gate() string {
	var said []string
	for _, t := range r.Targets {
		if t.Passed {
			said = append(said, t.Name+" passed")
		} else {
			said = append(said, t.Name+": "+strings.Join(t.Why, "; "))
		}
	}
	return strings.Join(said, ", ")
}

// Say says in words what comparisons found.
func Say(cs []Comparison) string {
	var said []string
	for _, c := range cs {
		s := fmt.Sprintf("%s %s, %s %s to %s on %d rows of %d times", c.Target, c.Verdict, c.Loss, digits(c.A), digits(c.B), c.Rows, c.Times)
		if c.P != nil {
			s += fmt.Sprintf(" (p = %.2g)", *c.P)
		} else {
			s += fmt.Sprintf(" (a verdict takes %d)", c.Least)
		}
		said = append(said, s)
	}
	return strings.Join(said, "; ")
}

func digits(v *float64) string {
	if v == nil {
		return "?"
	}
	return fmt.Sprintf("%.4g", *v)
}
