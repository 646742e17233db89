package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// means returns the means of h over per points each, counted back from its end, so
// that the last one is whole; a rest at the beginning is left out. A mean counts as
// observed if half of its points are.
func (h *history) means(per int, s *Scratch) history {
	n := len(h.y) / per
	offset := len(h.y) - n*per
	if cap(s.means) < n {
		s.means = make([]bool, n)
	}
	out := *h
	out.y, out.observed, out.present, out.silent = s.floats(n), s.means[:n], 0, 0
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

// detail finds what the means do not hold: the usual shape around them, and how far
// the newest points lead.
func (r *rolling) detail(s *Scratch) {
	if r.per == 1 {
		return
	}
	r.findShape(s)
	r.lead(s)
}

// findShape sets shape to the median deviation of every phase of the day from the
// mean of its hour, over the last 28 days, less its mean over the hour, so that means
// stay what they are, and shrunk by how much of it is chance:
//
//	F = max(0, 1 − 1.57·σ²/D / mean(d²))
//
// with d the medians, σ the mean absolute deviation from them times 1.25, D days. The factor
// is that of James and Stein (1961) for medians, whose variance is π/2 of a mean's.
func (r *rolling) findShape(s *Scratch) {
	m := r.h.grid.season
	n := len(r.h.y)
	r.shape = s.floats(m * r.per)
	days := min(28, n/m)
	if days < 3 {
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

// lead sets recent to how the deviation of the newest point from the forecast dies
// away over the first hours:
//
//	recent[k] = ρ[k]·(1 − k/K)·x[T],  ρ[k] = Σ x[t]·x[t+k+1] / Σ x[t]², 0 ≤ ρ[k] ≤ ρ[k−1]
//
// x[t] is the deviation of y[t] from HourOfDayMedian over 7 days and the usual
// shape, less that of the hour before it (for x[T]: of the forecast of the next hour), which the
// hourly forecast knows already; over the last 7 days; K is two hours.
func (r *rolling) lead(s *Scratch) {
	m, hours := r.h.grid.season, len(r.h.y)
	reach := 2 * r.per
	back := min(7*m, hours-1)
	n := back * r.per
	if n < 4*reach || r.fine.silent > 0 {
		return
	}
	r.recent = s.floats(reach)
	mk := s.mark()
	defer s.release(mk)
	profile := s.floats(m)
	phaseMedians(profile, r.h.y, m, 7, s)
	usual := func(hour int) float64 { return profile[(hour-hours%m+m)%m] }
	offset := len(r.fine.y) - hours*r.per
	x := s.floats(n)
	for i := range x {
		t := hours*r.per - n + i
		hour := t / r.per
		known := r.h.y[hour-1] - usual(hour-1)
		x[i] = r.fine.y[offset+t] - r.shape[t%len(r.shape)] - usual(hour) - known
	}
	square := 0.0
	for _, v := range x[:n-reach] {
		square += v * v
	}
	if square == 0 {
		return
	}
	t := hours*r.per - 1
	known := r.point[len(r.ends)-1][0] - usual(hours)
	newest := r.fine.y[offset+t] - r.shape[t%len(r.shape)] - usual(hours-1) - known
	limit := 1.0
	for k := range r.recent {
		cross := 0.0
		for i, v := range x[:n-reach] {
			cross += v * x[i+k+1]
		}
		limit = min(limit, max(0, cross/square))
		r.recent[k] = limit * newest * (1 - float64(k)/float64(reach))
	}
}
