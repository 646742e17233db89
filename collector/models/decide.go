package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/learn"
)

// judge judges the versions of a type in use once a step, and when others are in use.
func (l *lifecycle) judge(ctx context.Context, typ string, plan Automatic) {
	if kindOf(typ) == learn.Class {
		return // what is learned from labelled rows has no live ones
	}
	now := l.s.o.Now()
	stages, err := l.s.o.Registry.Stages(typ)
	if err != nil {
		l.log.Warn("models are not judged", "model_type", typ, "err", err)
		return
	}
	slot := now.UnixMilli() / plan.Step.Milliseconds()
	l.mu.Lock()
	last := l.judged[typ]
	l.mu.Unlock()
	same := last.slot == slot && sameStages(last.stages, stages)
	if stages.Active == "" || same && (last.retryAt.IsZero() || now.Before(last.retryAt)) {
		return
	}
	judged, said, err := l.s.o.Registry.Judge(ctx, l.s.o.Querier, Judging{
		ModelType: typ, Now: now, Step: plan.Step, Lookback: plan.Lookback, Location: l.s.o.Location, Limits: serverLimits,
	})
	last = judgement{stages: stages, slot: slot}
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		judged, said = l.unjudged(typ, plan, err), nil
		if errors.Is(err, ErrNoRows) || errors.Is(err, ErrRows) { // and will not be in ten minutes
			l.log.Info("models cannot be judged live", "model_type", typ, "err", err)
		} else {
			last.retryAt = now.Add(judgeRetry)
			l.log.Warn("models could not be judged live", "model_type", typ, "err", err, "again_in", judgeRetry)
		}
	}
	if err == nil {
		l.fallBack(typ, judged)
	}
	l.mu.Lock()
	l.judged[typ], l.said[typ] = last, said
	l.mu.Unlock()
	l.update(typ, func(p *Progress) {
		p.Live = judged
		if err == nil {
			p.Degraded = degraded(judged)
		}
	})
	for _, pair := range judged.Pairs {
		l.log.Info("versions compared live", "model_type", typ, "active", pair.Active, "version", pair.Version, "stage", pair.Stage, "verdict", pair.Verdict, "found", pair.found())
	}
}

// unjudged returns what is known when versions could not be judged: what was known, unless it
// is too old.
func (l *lifecycle) unjudged(typ string, plan Automatic, why error) *Judged {
	now := l.s.o.Now()
	out := &Judged{At: unix(now), Live: []Live{}, Pairs: []Pair{}, Features: []Drift{}}
	if p := l.of(typ); p.Live != nil && now.Sub(when(p.Live.At)) < 2*plan.Step {
		old := *p.Live
		out = &old
	}
	out.Error = why.Error()
	return out
}

// degraded says what is wrong with the active version, "" if nothing is known to be.
func degraded(j *Judged) string {
	if w := j.worse(); w != "" {
		return "it is worse than the naive prediction: " + w
	}
	for _, l := range j.Live {
		if l.Stage == Active && l.Demoted != "" {
			return "the naive prediction answers for " + l.Target + ": " + l.Demoted
		}
	}
	return j.Drift
}

// found says what a comparison found, or why there is none.
func (p Pair) found() string {
	if p.Error != "" {
		return p.Error
	}
	return Say(p.Comparisons)
}

func sameStages(a, b store.Stages) bool {
	return a.Active == b.Active && a.Canary == b.Canary && a.Shadow == b.Shadow
}

// decide moves the versions of a type between stages by what was judged live: a shadow
// that is better becomes the canary, a canary that still is becomes active after a day;
// one that is worse leaves. An active version that is worse than the naive prediction makes
// room for the one before it.
func (l *lifecycle) decide(typ string, plan Automatic) {
	p := l.of(typ)
	stages, err := l.s.o.Registry.Stages(typ)
	if err != nil || p.Live == nil || p.Live.Error != "" {
		return
	}
	l.mu.Lock()
	current := sameStages(l.judged[typ].stages, stages)
	l.mu.Unlock()
	if !current {
		return // judged are others than those in use now
	}
	if pair, ok := p.Live.Pair(stages.Active, stages.Canary); ok {
		switch since := p.CanarySince; {
		case pair.Verdict == Worse:
			l.demote(typ, stages.Canary, Canary, pair.found())
			return
		case since == nil: // made by hand
		case pair.Verdict == Better && l.s.o.Now().Sub(when(*since)) >= canaryFor:
			l.promote(typ, stages.Canary, Active, 0, "in the place of "+stages.Active+", "+pair.found())
			return
		}
	}
	if pair, ok := p.Live.Pair(stages.Active, stages.Shadow); ok {
		switch {
		case pair.Verdict == Worse:
			l.demote(typ, stages.Shadow, Shadow, pair.found())
			return
		case pair.Verdict == Better && stages.Canary == "":
			l.promote(typ, stages.Shadow, Canary, plan.Share, fmt.Sprintf("for %g of the rows, beside %s: %s", plan.Share, stages.Active, pair.found()))
			return
		}
	}
	if why := p.Live.worse(); why != "" && !p.Live.better() && l.before(typ, stages) {
		l.demote(typ, stages.Active, Active, "worse than the naive prediction: "+why)
	}
}

// before reports whether there is a version to go back to.
func (l *lifecycle) before(typ string, s store.Stages) bool {
	return slices.ContainsFunc(s.Before, func(name string) bool {
		return name != s.Active && l.s.o.Registry.store.Has(typ, name)
	})
}

func (l *lifecycle) promote(typ, name, stage string, share float64, why string) {
	l.move(audit.Promote, typ, name, "to "+stage+" "+why, func() error {
		_, _, err := l.s.o.Registry.Promote(typ, name, stage, share)
		return err
	}, func(p *Progress, now time.Time) {
		p.CanarySince = nil
		if stage == Canary {
			p.CanarySince = finite(unix(now))
		}
		p.note(now, stage, name+": "+why)
	})
}

// demote takes a version out of its stage; the active one makes room for the one before it.
func (l *lifecycle) demote(typ, name, stage, why string) {
	detail := "from " + stage + ": " + why
	l.move(audit.Demote, typ, name, detail, func() error {
		return l.s.o.Registry.Demote(typ, name)
	}, func(p *Progress, now time.Time) {
		p.Demoted = true
		if stage == Canary {
			p.CanarySince = nil
		}
		p.note(now, "demoted", name+" "+detail)
	})
}

// move moves a version between stages, with its lines in the audit trail and in the log, and
// notes it in the progress of its type.
func (l *lifecycle) move(action, typ, name, detail string, do func() error, note func(p *Progress, now time.Time)) {
	if err := l.journal().Do(action, typ+"/"+name, detail, do); err != nil {
		l.log.Error("a version stays in its stage", "action", action, "model_type", typ, "version", name, "detail", detail, "err", err)
		return
	}
	level := slog.LevelInfo
	if action == audit.Demote {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "version moved", "action", action, "model_type", typ, "version", name, "detail", detail)
	now := l.s.o.Now()
	l.update(typ, func(p *Progress) { note(p, now) })
}

// errStage says that a version is in no stage it could leave.
var errStage = errors.New("it is in no stage")

// Demote takes a version out of its stage; the active one makes room for the one that was
// active before.
func (r *Registry) Demote(typ, name string) error {
	_, _, err := r.store.Change(typ, func(s store.Stages) (store.Stages, error) {
		switch s.Of(name) {
		case Active:
			return s.Rollback(func(name string) bool {
				_, err := r.store.Check(typ, name)
				return errors.Join(err, r.unparked(typ, name)) == nil
			})
		case Canary, Shadow:
			return s.Leave(name), nil
		}
		return s, fmt.Errorf("%s %s: %w", typ, name, errStage)
	})
	return err
}
