package forecast

import (
	"fmt"
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
	youngBlocks    = minTrainBlocks + fewOrigins // days from which three origins have four days before them
	youngTimes     = 8                           // a season must have been seen, to be found in less than two days
	youngStrength  = 0.2                         // share of variance it must explain; see strengthOf
	youngParsimony = 0.9                         // the shortest season of that much of the strongest is the one
)

// young settles the season of a history of less than two days and returns what to say about it. From one
// day on tomorrow is like today: on hourly series that is right so often that the error a day ahead is 0.95 to 0.99 of
// that of repeating it, and 1.5 to 1.8 without a day. Before, a shorter season may show.
func (h *history) young(s *Scratch) error {
	day := h.grid.season
	if len(h.y) >= day {
		return fmt.Errorf("one day of history: that the next is like it is assumed (%d points, want %d)", len(h.y), 2*day)
	}
	h.grid = h.youngGrid(s)
	return fmt.Errorf("no daily season: %d points of history, want %d", len(h.y), day)
}

// hours reports whether h is finer than an hour and holds a day, so that the next hour has a combination of its own.
func (h *history) hours() bool { return h.grid.perHour() > 1 && len(h.y) >= h.grid.season }

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

// youngOrigins is origins for histories of less than seven blocks, where four to learn from would leave fewer than
// three origins: one is enough to learn from. With less than two blocks there is one origin, after the first, and
// the test is what is left, a quarter of a block at least.
func youngOrigins(ends []int, n, horizon, block int) ([]int, int) {
	horizon = min(horizon, block, max(n-block, 1))
	if n < needed(block) {
		return ends, horizon
	}
	apart, k := block, fewOrigins
	if horizon <= block/2 {
		apart, k = max(horizon, block/4), shortFolds
	}
	for i := k - 1; i >= 0; i-- {
		if end := n - horizon - i*apart; end >= block {
			ends = append(ends, end)
		}
	}
	return ends, horizon
}

// youngInflation is by how much bounds widen where there are few days of residuals:
//
//	max(1, 7/d)^0.3   d days: 1.46 for two, 1.29 for three, 1.11 for five
//
// On 684 server and M4 histories cut to 40 to 167 hours that holds coverage at 0.9 where it is with a week and more:
// 0.83 to 0.86 a day ahead (0.71 to 0.84 without, 0.84 with a week), 0.85 to 0.90 a week ahead.
func youngInflation(n, block int) float64 {
	return math.Pow(max(1, 7*float64(block)/float64(n)), 0.3)
}
