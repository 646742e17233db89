package features

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

const hour = int64(time.Hour / time.Millisecond)

// History is what is known of one workload: for each base its hourly means. The
// point at time u holds the mean over (u − 1h, u]; NaN is a gap. A base that is not
// there is all gap.
type History map[string]series.Series

// Value is a feature and the share of its window that was there, in [0, 1].
type Value struct {
	Value    float64 // NaN: missing
	Coverage float64
}

// Compute returns the features fs of h at time t (Unix milliseconds on the hourly
// grid), with the calendar of loc. What Missing says is NaN: a window less than half
// of which is there. Given features are NaN. Cost: one pass over each window.
func Compute(fs []Feature, h History, t int64, loc *time.Location) []Value {
	out := make([]Value, len(fs))
	for i, f := range fs {
		out[i] = compute(f, h, t, loc)
	}
	return out
}

func compute(f Feature, h History, t int64, loc *time.Location) Value {
	w := f.Window.Milliseconds()
	switch f.Reduce {
	case Mean:
		return mean(h[f.Base], t-w, t)
	case Count:
		v := mean(h[f.Base], t-w, t)
		v.Value *= f.Window.Seconds()
		return v
	case Ratio:
		a, b := mean(h[f.Base], t-w, t), mean(h[f.Of], t-w, t)
		v := Value{a.Value / b.Value, min(a.Coverage, b.Coverage)}
		if !(b.Value > 0) {
			v.Value = math.NaN()
		}
		return v
	case Lag:
		return mean(h[f.Base], t-w-24*hour, t-w)
	case Max:
		return largest(h[f.Base], t-w, t)
	case Slope:
		return slope(h[f.Base], t-w, t)
	case Last:
		return mean(h[f.Base], t-hour, t)
	case Change:
		a, b := mean(h[f.Base], t-hour, t), mean(h[f.Base], t-2*hour, t-hour)
		return Value{a.Value - b.Value, min(a.Coverage, b.Coverage)}
	case Hour:
		return Value{float64(time.UnixMilli(t).In(loc).Hour()), 1}
	case Weekday:
		return Value{float64(time.UnixMilli(t).In(loc).Weekday()), 1}
	case Given:
	}
	return Value{math.NaN(), 0}
}

// Compute returns the target of h at time t, missing as a mean is.
func (g Target) Compute(h History, t int64) Value {
	v := mean(h[g.Base], t+g.From.Milliseconds(), t+g.Until.Milliseconds())
	v.Value *= g.Factor
	return v
}

// each calls do with the points of y in (from, to] that are there and returns their
// share of the hours.
func each(y series.Series, from, to int64, do func(t int64, v float64)) float64 {
	if y.Step <= 0 || to <= from {
		return 0
	}
	n := 0
	part := y.Slice(from+1, to+1)
	for i, v := range part.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			do(part.At(i), v)
			n++
		}
	}
	return float64(n) / float64((to-from)/y.Step)
}

// whole returns v with its coverage, missing if less than half is there.
func whole(v, coverage float64) Value {
	if coverage < 0.5 {
		v = math.NaN()
	}
	return Value{v, coverage}
}

func mean(y series.Series, from, to int64) Value {
	var m series.Mean
	coverage := each(y, from, to, func(_ int64, v float64) { m.Add(v) })
	return whole(m.Value(), coverage)
}

func largest(y series.Series, from, to int64) Value {
	top := math.Inf(-1)
	coverage := each(y, from, to, func(_ int64, v float64) { top = max(top, v) })
	return whole(top, coverage)
}

func slope(y series.Series, from, to int64) Value {
	var n, sx, sy, sxx, sxy float64
	coverage := each(y, from, to, func(t int64, v float64) {
		x := float64(t-from) / float64(24*hour)
		n++
		sx += x
		sy += v
		sxx += x * x
		sxy += x * v
	})
	if n < 2 {
		return Value{math.NaN(), coverage}
	}
	return whole((n*sxy-sx*sy)/(n*sxx-sx*sx), coverage)
}
