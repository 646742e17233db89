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
	Loss    string   `json:"loss"`  // absolute error, Brier score or balanced error
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

// ErrNotCompared says that there is nothing to judge scores of anomalies by.
var ErrNotCompared = errors.New("scores of anomalies are judged by labels alone, which these rows do not have: one target, 1 for an anomaly, 0 for an ordinary row, and some of both")

// NotLive says why versions of a type are not compared live, "" if they are.
func NotLive(typ string) string {
	const rest = " is judged by labels, and a server has none. Compare versions on labelled rows, with --training-data"
	switch kindOf(typ) {
	case learn.Class:
		return "they are not judged live: a probability of " + typ + rest
	case learn.Oddness:
		return "they are not compared live: a score of " + typ + rest
	case learn.Number:
	}
	return ""
}

// Compare judges two versions of a type on the same rows: those with a target and a
// timestamp that neither has learned from; a row of which a version knows no feature is
// left out. Loss is |error| for numbers, the Brier score for probabilities, and for scores of
// anomalies the balanced error of anomalyLoss, or ErrNotCompared without labels. The test is
// judge.Compare.
func (r *Registry) Compare(ctx context.Context, a, b *Version, rows *Rows) ([]Comparison, error) {
	if a.ModelType != b.ModelType {
		return nil, fmt.Errorf("%s %s and %s %s are of different types", a.ModelType, a.Version, b.ModelType, b.Version)
	}
	odd := kindOf(a.ModelType) == learn.Oddness
	if odd && len(rows.Targets) != 1 {
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
	fresh := rows.after(int64(from))
	if fresh.N == 0 {
		return nil, fmt.Errorf("%w: no row is younger than what %s or %s has learned from (until %s)",
			ErrRows, a.Version, b.Version, time.UnixMilli(int64(from)).UTC().Format(time.RFC3339))
	}
	var horizon time.Duration
	var labels []float64
	var err error
	if odd {
		labels = fresh.Values[0]
		horizon, err = labelled(fresh.Times, labels)
	} else {
		horizon, err = time.ParseDuration(hours(a.Horizon))
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s and %s: %w", a.ModelType, a.Version, b.Version, err)
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
		if odd {
			column = 0
		}
		if other < 0 || column < 0 {
			continue
		}
		loss, name := func(v, y float64) float64 { return math.Abs(v - y) }, "absolute error"
		switch {
		case odd:
			loss, name = anomalyLoss(labels), "balanced error"
		case kindOf(a.ModelType) == learn.Class:
			loss, name = func(v, y float64) float64 { return (v - y) * (v - y) }, "Brier score"
		}
		c := Comparison{Target: t.Name, Unit: t.Unit, Loss: name}
		losses := make([]judge.Loss, 0, fresh.N)
		va, vb := pa[k], pb[other]
		for i := range fresh.N {
			y := fresh.Values[column][i]
			losses = append(losses, judge.Loss{At: fresh.Times[i], A: loss(va[i], y), B: loss(vb[i], y)})
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

// alarmReach is how far false alarms hang together at least: those of a day have one cause often.
const alarmReach = 24 * time.Hour

// labelled checks labels of anomalies, 1 or 0, NaN where there is none, and returns how far
// rows hang together: as long as the longest stretch of times without an interruption in which
// an anomaly is marked, at least alarmReach.
func labelled(times []int64, labels []float64) (time.Duration, error) {
	marked, ordinary := map[int64]bool{}, false
	for i, y := range labels {
		switch {
		case math.IsNaN(y):
		case y == 1:
			marked[times[i]] = true
		case y == 0:
			ordinary = true
		default:
			return 0, fmt.Errorf("%w: one is labelled %v", ErrNotCompared, y)
		}
	}
	if len(marked) == 0 || !ordinary {
		return 0, ErrNotCompared
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(times)))
	longest := alarmReach.Milliseconds()
	begin, within := int64(0), false
	for _, t := range sorted {
		if marked[t] && !within {
			begin = t
		}
		if within = marked[t]; within {
			longest = max(longest, t-begin)
		}
	}
	return time.Duration(longest) * time.Millisecond, nil
}

// anomalyLoss returns the loss of a score v whose label is y: 0 if it is on the right side of
// the boundary, which is 1, else a weight by which all anomalies count as much together as all
// ordinary rows, so that its mean is the balanced error, (misses/anomalies + false
// alarms/ordinary rows)/2. Without a label it is NaN.
func anomalyLoss(labels []float64) func(v, y float64) float64 {
	var n [2]float64
	for _, y := range labels {
		if !math.IsNaN(y) {
			n[int(y)]++
		}
	}
	return func(v, y float64) float64 {
		switch {
		case math.IsNaN(v) || math.IsNaN(y):
			return math.NaN()
		case v > 1 == (y == 1):
			return 0
		}
		return (n[0] + n[1]) / (2 * n[int(y)])
	}
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
