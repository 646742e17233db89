package models

import (
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

// Compare judges two versions of a type on the same rows: those with a target and a
// timestamp that neither has learned from. Loss is |error|
// for numbers and the Brier score for probabilities; anomalies have no target to be
// judged by unless the rows have labels, by which the score's rank is judged as a
// probability would be. The test is judge.Compare.
func Compare(a, b *Version, rows *Rows) ([]Comparison, error) {
	if a.ModelType != b.ModelType {
		return nil, fmt.Errorf("%s %s and %s %s are of different types", a.ModelType, a.Version, b.ModelType, b.Version)
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
	pa, err := a.Predict(fresh)
	if err != nil {
		return nil, err
	}
	pb, err := b.Predict(fresh)
	if err != nil {
		return nil, err
	}
	var out []Comparison
	for k, t := range a.Targets {
		if !slices.ContainsFunc(b.Targets, func(o Target) bool { return o.Name == t.Name }) {
			continue
		}
		column := slices.Index(fresh.Targets, t.Name)
		if kindOf(a.ModelType) == learn.Oddness && len(fresh.Targets) > 0 {
			column = 0
		}
		if column < 0 {
			continue
		}
		loss, name := math.Abs, "absolute error"
		if kindOf(a.ModelType) != learn.Number {
			loss, name = func(e float64) float64 { return e * e }, "Brier score"
		}
		c := Comparison{Target: t.Name, Unit: t.Unit, Loss: name}
		losses := make([]judge.Loss, 0, fresh.N)
		va, vb := valuesOf(pa, a.Targets[k].Name, fresh.N), valuesOf(pb, t.Name, fresh.N)
		for i := range fresh.N {
			y := fresh.Values[column][i]
			losses = append(losses, judge.Loss{At: fresh.Times[i], A: loss(va[i] - y), B: loss(vb[i] - y)})
		}
		p := judge.Compare(losses, horizon.Milliseconds())
		c.Rows, c.Times, c.Least, c.A, c.B, c.P = p.Rows, p.Times, p.Least, finite(p.A), finite(p.B), finite(p.P)
		c.Verdict = map[judge.Verdict]string{judge.Better: Better, judge.Worse: Worse, judge.Open: Open}[p.Verdict]
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: they have no target that both versions predict", ErrRows)
	}
	return out, nil
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

// valuesOf returns the predictions of a target by row; NaN where there is none.
func valuesOf(ps []Prediction, target string, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	for _, p := range ps {
		if p.Target == target && p.Value != nil {
			out[p.Row] = *p.Value
		}
	}
	return out
}

// after returns the rows at or after a time.
func (r *Rows) after(from int64) *Rows {
	var keep []int
	for i, t := range r.Times {
		if t >= from {
			keep = append(keep, i)
		}
	}
	pick := func(cs [][]float64) [][]float64 {
		out := make([][]float64, len(cs))
		for j, c := range cs {
			out[j] = make([]float64, len(keep))
			for k, i := range keep {
				out[j][k] = c[i]
			}
		}
		return out
	}
	times := make([]int64, len(keep))
	for k, i := range keep {
		times[k] = r.Times[i]
	}
	return &Rows{
		Features: r.Features, Columns: pick(r.Columns), Targets: r.Targets, Values: pick(r.Values), Times: times, N: len(keep),
		feature: r.feature, target: r.target, timed: len(keep),
	}
}

// hours writes a horizon label as time.ParseDuration reads it.
func hours(label string) string {
	var d int
	if n, err := fmt.Sscanf(label, "%dd", &d); n == 1 && err == nil {
		return fmt.Sprintf("%dh", 24*d)
	}
	return label
}
