package forecast

import (
	"math"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// means returns the means of h over per points each, counted back from its end, so
// that the last one is whole; a rest at the beginning is left out. A mean counts as
// observed if half of its points are.
func (h *history) means(per int, s *Scratch) history {
	n := len(h.y) / per
	offset := len(h.y) - n*per
	s.means = grown(s.means, n)
	out := *h
	out.y, out.observed, out.marked, out.present, out.silent, out.older = s.floats(n), s.means, nil, 0, 0, 0
	out.min, out.max = math.Inf(1), math.Inf(-1)
	out.grid = gridOf(h.grid.step * int64(per))
	for i := range out.y {
		seen := 0
		sum := 0.0
		for t := offset + i*per; t < offset+(i+1)*per; t++ {
			sum += h.y[t]
			if h.observed[t] {
				seen++
			}
		}
		out.y[i] = sum / float64(per)
		out.min, out.max = min(out.min, out.y[i]), max(out.max, out.y[i])
		out.observed[i] = 2*seen >= per
		if out.observed[i] {
			out.present++
		}
	}
	return out
}

// findShape sets shape to the median deviation of every phase of the day from the
// mean of its hour, over the last 28 days, less its mean over the hour, so that means
// stay what they are, and shrunk by how much of it is chance:
//
//	F = max(0, 1 − 1.57·σ²/D / mean(d²))
//
// with d the medians, σ the mean absolute deviation from them times 1.25, D days. The factor
// is that of James and Stein (1961) for medians, whose variance is π/2 of a mean's.
// With less than three days it is hourShape.
func (r *rolling) findShape(s *Scratch) {
	m := r.h.grid.season
	n := len(r.h.y)
	r.shape = s.floats(m * r.per)
	days := min(28, n/m)
	if days < 3 {
		r.hourShape(s)
		return
	}
	mk := s.mark()
	defer s.release(mk)
	buf := s.floats(days)
	offset := len(r.fine.y) - n*r.per
	spread := 0.0
	for p := range r.shape {
		for j := range buf {
			// Phases count from the first point that has a mean.
			t := ((n/m-1-j)*m)*r.per + p
			buf[j] = r.fine.y[offset+t] - r.h.y[t/r.per]
		}
		d := num.Median(buf)
		r.shape[p] = d
		for _, v := range buf {
			spread += math.Abs(v - d)
		}
	}
	signal := 0.0
	for hour := range m {
		part := r.shape[hour*r.per : (hour+1)*r.per]
		c := mean(part)
		for i := range part {
			part[i] -= c
			signal += part[i] * part[i]
		}
	}
	count := float64(len(r.shape))
	sigma := 1.25 * spread / (count * float64(days))
	factor := 0.0
	if signal > 0 {
		factor = max(0, 1-1.57*sigma*sigma/float64(days)/(signal/count))
	}
	for p := range r.shape {
		r.shape[p] *= factor
	}
}

// findHead lets the combination for the next hour speak for the first of the fine
// points; not if the newest ones are missing.
func (c combination) findHead(r *rolling, s *Scratch) {
	if r.fine.silent > 0 {
		return
	}
	// The two stand beside each other, so they need lists of their own.
	s.ends, s.otherEnds = s.otherEnds, s.ends
	s.members, s.otherMembers = s.otherMembers, s.members
	s.head = *r.fine
	s.head.hourly()
	h := roll(c.short.members(&s.head), &s.head, r.per, c.short.folds, s)
	if s.stopped() != nil {
		return
	}
	h.combine(c.short.weigh(&h, s), s)
	s.headRolling = h
	r.head = &s.headRolling
}

// fine reports whether h is finer than an hour and long enough to tell one day from
// the next.
func (h *history) fine() bool {
	return h.grid.perHour() > 1 && len(h.y) >= 2*h.grid.season
}

// The history of the next hour: a week, and no more points than a week of minutes.
const (
	headDays   = 7
	headPoints = 10080
)

// hourly makes h the history of forecasts of up to an hour: its newest days, with an
// hour for the season and a day for the long one.
func (h *history) hourly() {
	h.newest(min(headDays*h.grid.season, headPoints))
	h.grid = grid{season: h.grid.perHour(), long: h.grid.season, step: h.grid.step}
}

// boundHead sets the bounds of the first hour from the residuals of its own. A level for which there are too few of
// them has the bounds of the highest for which there are not, or those it has, whichever is further out, so
// that a wider level is never narrower.
func (r *rolling) boundHead(dst *series.Forecast, s *Scratch) {
	if r.head == nil || math.IsNaN(dst.Lower[0]) {
		return
	}
	sp, ok := r.head.newSpread(s)
	if !ok {
		return
	}
	level, enough := dst.Level, true
	if have := sp.residuals(); have < int(math.Ceil(1/(1-level)-1e-9)) {
		level, enough = 1-1/float64(have), false
	}
	if level <= 0 {
		return
	}
	lower, upper := sp.quantiles(level, -1, 1, s)
	n := len(r.head.h.y)
	for k := range min(r.per, len(dst.Point)) {
		scale := sp.at(n+k, k)
		l, u := dst.Point[k]+lower*scale, dst.Point[k]+upper*scale
		if !enough {
			l, u = min(l, dst.Lower[k]), max(u, dst.Upper[k])
		}
		dst.Lower[k], dst.Upper[k] = l, u
	}
}
