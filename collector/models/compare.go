package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/judge"
	"github.com/upid/upid/forecast/learn"
)

func known(typ string) bool { return slices.Contains(features.Types, typ) }

// Comparison is the paired test of two versions on one target.
type Comparison struct {
	Target  string   `json:"target"`
	Unit    string   `json:"unit"`
	Loss    string   `json:"loss"`  // absolute error, or Brier score
	Rows    int      `json:"rows"`  // both were judged on
	Times   int      `json:"times"` // different times among them
	Least   int      `json:"times_needed"`
	A       *float64 `json:"loss_a"`
	B       *float64 `json:"loss_b"`
	P       *float64 `json:"p"`       // that B only seems better, or worse; null below the times needed
	Verdict string   `json:"verdict"` // better, worse or open: B against A
}

// The verdicts of a comparison.
const (
	Better = "better"
	Worse  = "worse"
	Open   = "open"
)

// ErrNotCompared says that there is no test for what the versions predict.
var ErrNotCompared = errors.New("labels of anomalies are not compared yet: a score is no probability")

// Compare judges two versions of a type on the same rows: those with a target and a
// timestamp that neither has learned from; a row of which a version knows no feature is
// left out. Loss is |error| for numbers and the Brier score for probabilities. Scores of
// anomalies are neither, so they get no verdict but ErrNotCompared. The test is
// judge.Compare.
func (r *Registry) Compare(ctx context.Context, a, b *Version, rows *Rows) ([]Comparison, error) {
	if a.ModelType != b.ModelType {
		return nil, fmt.Errorf("%s %s and %s %s are of different types", a.ModelType, a.Version, b.ModelType, b.Version)
	}
	if kindOf(a.ModelType) == learn.Oddness {
		return nil, fmt.Errorf("%s %s and %s: %w", a.ModelType, a.Version, b.Version, ErrNotCompared)
	}
	if rows.Times == nil {
		return nil, fmt.Errorf("%w: the rows have no timestamps, so which of them a version has learned from is not known", ErrRows)
	}
	from := math.Inf(-1)
	for _, v := range []*Version{a, b} {
		if v.HeldOut == nil {
			return nil, fmt.Errorf("%s %s was trained on rows without timestamps, so which of these it has learned from is not known", v.ModelType, v.Version)
		}
		from = max(from, *v.HeldOut*1000)
	}
	horizon, err := time.ParseDuration(hours(a.Horizon))
	if err != nil {
		return nil, fmt.Errorf("%s %s: horizon %q: %w", a.ModelType, a.Version, a.Horizon, err)
	}
	fresh := rows.after(int64(from))
	if fresh.N == 0 {
		return nil, fmt.Errorf("%w: no row is younger than what %s or %s has learned from (until %s)",
			ErrRows, a.Version, b.Version, time.UnixMilli(int64(from)).UTC().Format(time.RFC3339))
	}
	pa, err := r.values(ctx, a, fresh)
	if err != nil {
		return nil, err
	}
	pb, err := r.values(ctx, b, fresh)
	if err != nil {
		return nil, err
	}
	var out []Comparison
	for k, t := range a.Targets {
		other := slices.IndexFunc(b.Targets, func(o Target) bool { return o.Name == t.Name })
		column := slices.Index(fresh.Targets, t.Name)
		if other < 0 || column < 0 {
			continue
		}
		loss, name := math.Abs, "absolute error"
		if kindOf(a.ModelType) == learn.Class {
			loss, name = func(e float64) float64 { return e * e }, "Brier score"
		}
		c := Comparison{Target: t.Name, Unit: t.Unit, Loss: name}
		losses := make([]judge.Loss, 0, fresh.N)
		va, vb := pa[k], pb[other]
		for i := range fresh.N {
			y := fresh.Values[column][i]
			losses = append(losses, judge.Loss{At: fresh.Times[i], A: loss(va[i] - y), B: loss(vb[i] - y)})
		}
		p := judge.Compare(losses, horizon.Milliseconds())
		c.Rows, c.Times, c.Least, c.A, c.B, c.P = p.Rows, p.Times, p.Least, finite(p.A), finite(p.B), finite(p.P)
		c.Verdict = verdict(p.Verdict)
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: they have no target that both versions predict", ErrRows)
	}
	return out, nil
}

// verdict names a verdict.
func verdict(v judge.Verdict) string {
	switch v {
	case judge.Better:
		return Better
	case judge.Worse:
		return Worse
	case judge.Open:
	}
	return Open
}

// values are the bare predictions of v behind the guard.
func (r *Registry) values(ctx context.Context, v *Version, rows *Rows) ([][]float64, error) {
	return guarded(ctx, r, v, rows.N, int64(8*len(v.Models)), func(ctx context.Context) ([][]float64, error) { return v.values(ctx, rows) })
}

// Sum puts the verdicts of all targets together: better if one is and none is worse, worse
// if one is.
func Sum(cs []Comparison) string {
	verdict := Open
	for _, c := range cs {
		switch c.Verdict {
		case Worse:
			return Worse
		case Better:
			verdict = Better
		}
	}
	return verdict
}

// after returns the rows at or after a time.
func (r *Rows) after(from int64) *Rows {
	var keep []int
	for i, t := range r.Times {
		if t >= from {
			keep = append(keep, i)
		}
	}
	return r.only(keep)
}

// hours writes a horizon label as time.ParseDuration reads it.
func hours(label string) string {
	var d int
	if n, err := fmt.Sscanf(label, "%dd", &d); n == 1 && err == nil {
		return fmt.Sprintf("%dh", 24*d)
	}
	return label
}
