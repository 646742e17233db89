package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// Training says what to train.
type Training struct {
	ModelType string
	Rows      *Rows
	Source    string        // of the rows, for the record
	Every     time.Duration // between the rows of Extract; 0: they are not Extract's
	Epochs    int
	Algorithm string // of regressors; "" is the default
	Level     float64
	Seed      uint64
	Horizon   time.Duration // how long after its time a row's target is known; negative: as the type says
	Build     string
	Now       func() time.Time
	// Progress is told of every epoch of every target; nil tells nobody.
	Progress func(target string, done, targets int, e learn.Epoch)
}

// kindOf returns what a model type predicts.
func kindOf(typ string) learn.Kind {
	switch typ {
	case features.AnomalyDetection:
		return learn.Oddness
	case features.SecurityThreat:
		return learn.Class
	}
	return learn.Number
}

// DefaultHorizon is how far ahead the targets of a type are.
func DefaultHorizon(typ string) time.Duration {
	var d time.Duration
	for _, t := range features.Of(typ).Targets {
		d = max(d, t.Until)
	}
	return d
}

// oddness is the name of the target of what has none.
const oddness = "oddness"

// Train trains a version. It saves nothing: that is for who has looked at Passed. ctx
// ends it between epochs. A target that cannot be learned fails the training, with its name.
func Train(ctx context.Context, t Training) (*Version, error) {
	began := t.Now()
	if t.Algorithm == "" {
		t.Algorithm = learn.DefaultAlgorithm
	}
	if t.Level == 0 {
		t.Level = learn.DefaultLevel
	}
	if t.Horizon < 0 {
		t.Horizon = DefaultHorizon(t.ModelType)
	}
	r := t.Rows
	v := &Version{Record: Record{
		ModelType: t.ModelType, State: Trained, CreatedAt: unix(began), Source: t.Source, Rows: r.N, LeftOut: r.LeftOut, Horizon: horizonLabel(t.Horizon),
		Epochs: t.Epochs, Algorithm: t.Algorithm, Level: t.Level, Seed: t.Seed, Features: r.Features, Build: t.Build, Targets: []Target{},
	}}
	if t.Every > 0 {
		v.Every = horizonLabel(t.Every)
	}
	for i, at := range r.Times {
		s := float64(at) / 1000
		if i == 0 || s < *v.From {
			v.From = &s
		}
		if i == 0 || s > *v.Until {
			v.Until = &s
		}
	}
	kind := kindOf(t.ModelType)
	names, values := r.Targets, r.Values
	if kind == learn.Oddness {
		names = []string{oddness}
		values = [][]float64{nil}
		if len(r.Values) > 0 {
			values = r.Values[:1]
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: no row has a target; name it target, or target_NAME where there are several", learn.ErrInput)
	}
	for k, name := range names {
		d := learn.Data{Features: r.Features, Columns: r.Columns, Target: values[k], Times: r.Times, Gap: t.Horizon.Milliseconds()}
		if kind == learn.Number || kind == learn.Class {
			d = withTarget(d)
		}
		if from, ok := d.HeldOutFrom(); ok {
			s := float64(from) / 1000
			if v.HeldOut == nil || s > *v.HeldOut {
				v.HeldOut = &s
			}
		}
		m, err := learn.Train(kind, d, learn.Config{
			Epochs: t.Epochs, Algorithm: t.Algorithm, Level: t.Level, Seed: t.Seed,
			Progress: func(e learn.Epoch) error {
				if t.Progress != nil {
					t.Progress(name, k, len(names), e)
				}
				return ctx.Err()
			},
		})
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", name, err)
		}
		why := m.Report.Gate()
		if why == nil {
			why = []string{}
		}
		v.Models = append(v.Models, m)
		v.Targets = append(v.Targets, Target{Name: name, Unit: unitOf(t.ModelType, name), Algorithm: m.Algorithm, Passed: len(why) == 0, Why: why, Report: m.Report})
	}
	v.Seconds = t.Now().Sub(began).Seconds()
	return v, nil
}

// withTarget leaves out the rows without a target, so that limits count the others.
func withTarget(d learn.Data) learn.Data {
	var rows []int
	for i, y := range d.Target {
		if !math.IsNaN(y) {
			rows = append(rows, i)
		}
	}
	if len(rows) == len(d.Target) {
		return d
	}
	pick := func(c []float64) []float64 {
		out := make([]float64, len(rows))
		for k, i := range rows {
			out[k] = c[i]
		}
		return out
	}
	columns := make([][]float64, len(d.Columns))
	for j, c := range d.Columns {
		columns[j] = pick(c)
	}
	var times []int64
	if d.Times != nil {
		times = make([]int64, len(rows))
		for k, i := range rows {
			times[k] = d.Times[i]
		}
	}
	d.Target, d.Columns, d.Times = pick(d.Target), columns, times
	return d
}

func unitOf(typ, target string) string {
	switch kindOf(typ) {
	case learn.Oddness:
		return "score"
	case learn.Class:
		return "probability"
	case learn.Number:
	}
	return features.TargetUnit(typ, target)
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// horizonLabel writes a horizon as the largest exact unit, 0s for none.
func horizonLabel(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// Advice returns what to do about an error of Train, "" if there is nothing to say.
func Advice(err error) string {
	switch {
	case errors.Is(err, learn.ErrFewRows):
		return "Give more rows, over more time: rows of more machines or of more days, each with its timestamp. With targets 7 days ahead, three weeks is the least; if yours are known sooner, say when with --target-horizon (0 where they are of the same time)."
	case errors.Is(err, learn.ErrConstant):
		return "There is nothing to predict in a target that does not change: leave it out, or take rows in which it does."
	case errors.Is(err, learn.ErrLeak):
		return "Such a feature is known only when the target is: remove it from the rows, or the model will fail when it is asked about the future."
	}
	return ""
}
