package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/forecast/num"
)

// youngSeasons are the parts of a day at which schedulers start things, the shortest first.
var youngSeasons = [...]time.Duration{
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour,
}

const (
	youngTimes     = 8   // a season must have been seen, to be found in less than two days
	youngStrength  = 0.2 // share of variance it must explain; see strengthOf
	youngParsimony = 0.9 // the shortest season of that much of the strongest is the one
)

// youngGrid returns the grid of a history that is too short to show a day: with a shorter season,
// if one shows, else with none.
// A season shows if it was seen eight times, explains a fifth of the variance around its moving
// mean in excess of chance, and recurs (see recurs). Of several the shortest counts that explains nearly as much as
// the strongest: a job every hour is one every two hours too. O(n) for each of nine seasons.
func (h *history) youngGrid(s *Scratch) grid {
	g := grid{season: 1, long: 0, step: h.grid.step}
	mk := s.mark()
	defer s.release(mk)
	n := len(h.y)
	x, sums := s.floats(n), s.floats(n+1) // sums[i] is that of the first i points
	for i, v := range h.y {
		sums[i+1] = sums[i] + v
	}
	var points [len(youngSeasons)]int
	var strength [len(youngSeasons)]float64
	for i, d := range youngSeasons {
		m := int(d.Milliseconds() / g.step)
		if d.Milliseconds()%g.step == 0 && m > 1 && n >= youngTimes*m {
			points[i], strength[i] = m, strengthOf(aroundMeans(x, h.y, sums, m), m)
		}
	}
	recurring := func(i int) bool { return recurs(aroundMeans(x, h.y, sums, points[i]), 1, points[i]) }
	for {
		strongest := 0
		for i, v := range strength {
			if v > strength[strongest] {
				strongest = i
			}
		}
		if strength[strongest] < youngStrength {
			return g
		}
		if !recurring(strongest) {
			strength[strongest] = 0
			continue
		}
		for i, v := range strength[:strongest] {
			if v >= youngParsimony*strength[strongest] && recurring(i) {
				strongest = i
				break
			}
		}
		g.season = points[strongest]
		return g
	}
}

// aroundMeans writes y less the mean of the m points around each into dst, where there are so many, and
// returns that part of dst; of an even m the two outer ones of m + 1 count half. sums are
// those of the first i points of y. O(n).
func aroundMeans(dst, y, sums []float64, m int) []float64 {
	half := m / 2
	dst = dst[half : len(y)-half]
	for i := range dst {
		sum := sums[i+2*half+1] - sums[i]
		if m%2 == 0 {
			sum -= (y[i] + y[i+2*half]) / 2
		}
		dst[i] = y[i+half] - sum/float64(m)
	}
	return dst
}

// hourShape sets shape to the median deviation of every phase of the hour from the mean of its hour, where there
// are too few days for one by phase of the day, less its mean, and shrunk as by findShape.
func (r *rolling) hourShape(s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	hours := len(r.h.y)
	buf, d := s.floats(hours), s.floats(r.per)
	offset := len(r.fine.y) - hours*r.per
	spread := 0.0
	for p := range d {
		for i, level := range r.h.y {
			buf[i] = r.fine.y[offset+i*r.per+p] - level
		}
		d[p] = num.Median(buf)
		for _, v := range buf {
			spread += math.Abs(v - d[p])
		}
	}
	c, signal := mean(d), 0.0
	for p := range d {
		d[p] -= c
		signal += d[p] * d[p]
	}
	if signal == 0 {
		return
	}
	n := float64(hours)
	sigma := fromMAD * spread / (n * float64(r.per))
	factor := max(0, 1-math.Pi/2*sigma*sigma/n/(signal/float64(r.per)))
	for p := range r.shape {
		r.shape[p] = factor * d[p%r.per]
	}
}
