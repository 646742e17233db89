package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/upid/upid/forecast/learn"
)

// due says whether a training is to begin, and why, or why not yet.
func (l *lifecycle) due(typ string, plan Automatic, p *Progress) (cause string, next time.Time, waits string) {
	now := l.s.o.Now()
	stages, err := l.s.o.Registry.Stages(typ)
	if err != nil {
		return "", now.Add(retryAfter), err.Error()
	}
	cause, next = CauseSchedule, now
	switch trigger := l.trigger(plan, p); {
	case trigger != "":
		cause = trigger
	case p.EndedAt == nil:
		newest := l.newest(typ)
		if newest == nil {
			cause = CauseFirst
		} else {
			next = when(newest.CreatedAt).Add(plan.Every)
		}
	case p.Step == Interrupted && p.Interrupted < interrupted:
		cause = p.Cause
	case p.Step == Failed, p.Step == Interrupted:
		next = when(*p.EndedAt).Add(min(plan.Every, retryAfter))
	case p.Step == Refused:
		next = when(*p.EndedAt).Add(min(plan.Every, refusedAfter))
	default:
		next = when(*p.EndedAt).Add(plan.Every)
	}
	if now.Before(next) {
		return "", next, ""
	}
	for _, name := range []string{stages.Canary, stages.Shadow} {
		if name == "" {
			continue
		}
		if r, ok := l.record(typ, name); ok && now.Sub(when(r.CreatedAt)) < trialFor {
			return "", next, name + " is on trial"
		}
	}
	return cause, next, ""
}

// trigger says which event is to begin a training, "" if none is.
func (l *lifecycle) trigger(plan Automatic, p *Progress) string {
	switch {
	case !plan.OnDrift, p.TriggeredAt != nil && l.s.o.Now().Sub(when(*p.TriggeredAt)) < triggerEvery:
		return ""
	case p.Demoted:
		return CauseDemotion
	case p.Live != nil && p.Live.Drift != "" && (p.StartedAt == nil || p.Live.At > *p.StartedAt):
		return CauseDrift
	}
	return ""
}

func when(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }

// newest returns the record of the newest version, nil if there is none.
func (l *lifecycle) newest(typ string) *Record {
	records, _ := l.s.o.Registry.Records(typ)
	if len(records) == 0 {
		return nil
	}
	return &records[len(records)-1]
}

func (l *lifecycle) record(typ, name string) (Record, bool) {
	records, _ := l.s.o.Registry.Records(typ)
	i := slices.IndexFunc(records, func(r Record) bool { return r.Version == name })
	if i < 0 {
		return Record{}, false
	}
	return records[i], true
}

// begin begins a training if one is due.
func (l *lifecycle) begin(ctx context.Context, typ string, plan Automatic) {
	p := l.of(typ)
	cause, next, waits := l.due(typ, plan, &p)
	if n := finite(unix(next)); cause == "" {
		if p.NextAt == nil || *p.NextAt != *n || p.Waits != waits {
			l.update(typ, func(p *Progress) { p.NextAt, p.Waits = n, waits })
		}
		return
	}
	t := Training{ModelType: typ, Source: "prometheus", Every: plan.Step, Epochs: l.epochs, Algorithm: l.algorithm, Seed: 1, Horizon: -1, Build: l.s.o.Build, Now: l.s.o.Now}
	rows := func(ctx context.Context, step func(string)) (*Rows, error) {
		now := l.s.o.Now()
		return Extract(ctx, l.s.o.Querier, Extraction{
			ModelType: typ, From: now.Add(-plan.Lookback).UnixMilli(), To: now.UnixMilli(), Every: plan.Step, Location: l.s.o.Location,
			Limits: serverLimits, Progress: stepper(step), Excluded: l.s.o.Excluded,
		})
	}
	if plan.File != "" {
		t.Source, t.Every = plan.File, 0
		rows = func(context.Context, func(string)) (*Rows, error) {
			rows, err := readFile(plan.File)
			if err != nil {
				return nil, err
			}
			return rows.LeaveOut(l.s.o.Excluded, DefaultHorizon(typ)), nil
		}
	}
	_, err := l.s.runs.start(l.journal(), t, order{
		cause: cause, trial: true,
		step:  func(step, detail string, v *Version) { l.step(typ, step, detail, v) },
		ended: func(run Run, v *Version, err error) { l.ended(ctx, typ, run, v, err) },
	}, rows)
	if err != nil { // another one was faster, or the server is stopping
		return
	}
	l.log.Info("training begins", "model_type", typ, "cause", cause, "source", t.Source)
}

// stepper makes the progress of an extraction a step.
func stepper(step func(string)) func(done, of int) {
	return func(done, of int) {
		if done == of {
			step(StepFeatures)
		}
	}
}

// readFile reads rows within the limits of a server.
func readFile(path string) (*Rows, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := ReadRowsWithin(f, serverLimits)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

// step notes a step of a training.
func (l *lifecycle) step(typ, step, detail string, v *Version) {
	now := l.s.o.Now()
	run, _ := l.s.runs.running()
	l.log.Info("training", "model_type", typ, "step", step, "detail", detail)
	l.update(typ, func(p *Progress) {
		if step == StepExtract {
			*p = Progress{
				ModelType: typ, Cause: run.Cause, StartedAt: finite(unix(now)), TriggeredAt: p.TriggeredAt, Interrupted: p.Interrupted,
				CanarySince: p.CanarySince, Degraded: p.Degraded, Demoted: p.Demoted, Live: p.Live, Made: p.Made, Steps: []Step{},
			}
			if run.Cause == CauseDrift || run.Cause == CauseDemotion {
				p.TriggeredAt = p.StartedAt
			}
		}
		p.Step = step
		if v != nil {
			p.Trained = finite(v.CreatedAt)
		}
		p.note(now, step, detail)
	})
}

// ended notes what became of a training. One that the end of the process cancelled begins
// anew after the next start.
func (l *lifecycle) ended(ctx context.Context, typ string, run Run, v *Version, err error) {
	now := l.s.o.Now()
	outcome, reason := run.State, run.Error
	switch {
	case run.State == Cancelled && ctx.Err() != nil:
		outcome, reason = Interrupted, "the server was stopped"
	case run.State == Cancelled:
		reason = "it was cancelled"
	case errors.Is(err, learn.ErrFewRows), errors.Is(err, learn.ErrConstant), errors.Is(err, learn.ErrLeak), errors.Is(err, ErrNoRows), errors.Is(err, ErrRows):
		outcome = Refused // the rows are no good, and will not be in an hour
	case run.State == Refused:
		reason = "nothing beats the naive prediction on the held-out rows: " + v.Gate()
	case run.State == Saved:
		reason = v.Gate()
	}
	level := slog.LevelInfo
	if outcome == Failed {
		level = slog.LevelWarn
	}
	l.log.Log(ctx, level, "training ended", "model_type", typ, "outcome", outcome, "version", run.Version, "stage", run.Stage, "reason", reason)
	l.s.count(typ, outcome)
	l.update(typ, func(p *Progress) {
		p.Step, p.Reason, p.EndedAt, p.Version = outcome, reason, finite(unix(now)), run.Version
		if outcome != Interrupted {
			p.Interrupted, p.Trained = 0, nil
		}
		if outcome == Saved {
			p.Demoted = false
			outcome = run.Stage
			p.Made = append(p.Made, run.Version)
			p.Made = p.Made[max(0, len(p.Made)-keptMade):]
		}
		p.note(now, outcome, reason)
	})
	if run.State == Saved {
		l.retain(typ)
	}
}
