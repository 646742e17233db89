package capacity

import (
	"math"
	"slices"
	"time"

	"github.com/upid/upid/forecast/num"
)

const (
	// leastBlocks is the fewest peaks a trend is read from.
	leastBlocks = 6
	// significant is how many standard errors a slope must be above 0, before what
	// few blocks add; see student.
	significant = 1.96
	// toothed takes its place where the usage is emptied: how high teeth grow is chance.
	toothed = 3.5
	// slopeDrift is the deviation of the slope, relative to it, after as many blocks as
	// it was seen for; chosen so that the 80 % intervals hold on growth that is real.
	slopeDrift = 0.35
	// near is the share of the limit from which on emptying is taken for a rescue: it
	// begins afresh. Below it, it is taken for a habit.
	near = 0.85
	// recordShare of the range above all peaks before is no tooth of the same saw.
	recordShare = 0.5
)

// trend is a local level with drift, per block.
type trend struct {
	level, levelVar float64 // of the peaks, at the end of the history
	slope, slopeSE  float64
	q, r            float64 // variances of the level's steps and of what is on top of it
	n               int     // blocks seen
	size            float64 // of a block, in hours
	far             float64 // how many times n it is followed
	emptied         bool    // from as full as this or fuller, once
}

func (t trend) perHour() float64      { return t.slope / t.size }
func (t trend) ahead() float64        { return t.far * float64(t.n) * t.size } // hours
func (t trend) window() time.Duration { return time.Duration(float64(t.n) * t.size * float64(hour)) }

// trendOf returns the trend of the peaks of h, or why there is none.
func trendOf(h hours, limit float64) (trend, string) {
	size, emptied, errors := blockSize(h), false, significant
	if drops := h.drops(); len(drops) > 0 {
		errors = toothed
		last := drops[len(drops)-1]
		longest := float64(len(h.v) - last)
		for i := 1; i < len(drops); i++ {
			longest = max(longest, float64(drops[i]-drops[i-1]))
		}
		record := h.highest(len(h.v)) > h.highest(last)+recordShare*h.spread() // clearly higher since than ever before
		switch {
		case longest*h.step <= 24 && len(drops) >= 3:
			// a cycle within the day: its peaks are those of days
		case len(drops) >= 2:
			perDay := 24 / h.step
			size = int(math.Ceil(longest/perDay) * perDay)
			if len(h.v)/size < leastBlocks {
				if !record || !(h.from(last).span() >= least.Hours()) {
					return trend{}, ReasonFewCycles
				}
				h = h.from(last)
				size = blockSize(h)
			}
		case record || h.highest(last) >= near*limit:
			if h.from(last).span() < least.Hours() {
				return trend{}, ReasonEmptied
			}
			emptied = !record
			h = h.from(last)
			size = blockSize(h)
		default:
			return trend{}, ReasonEmptied
		}
	}
	peaks := filled(h.peaks(size))
	if len(peaks) < leastBlocks {
		return trend{}, ReasonShort
	}
	t := steadiest(peaks)
	t.size, t.far, t.emptied = float64(size)*h.step, carry, emptied
	if !t.grows(errors) {
		return trend{}, ReasonNoGrowth
	}
	return t, ""
}

// blockSize returns the points of a block: a day, or for a young history as many hours as
// make twelve blocks.
func blockSize(h hours) int {
	if perDay := 24 / h.step; h.span() >= leastBlocks*24 {
		return max(1, int(perDay))
	}
	return max(1, len(h.v)/12)
}

// filled returns x with its gaps filled on a line between their ends.
func filled(x []float64) []float64 {
	last := -1
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		for j := last + 1; j < i && last >= 0; j++ {
			x[j] = x[last] + (v-x[last])*float64(j-last)/float64(i-last)
		}
		last = i
	}
	for len(x) > 0 && math.IsNaN(x[0]) {
		x = x[1:]
	}
	return x[:min(last+1, len(x))]
}

// steadiest returns the trend of the longest window, all of x or a half of it and so
// on, whose halves agree on the slope.
func steadiest(x []float64) trend {
	for {
		t := drift(x)
		half := len(x) / 2
		if half < leastBlocks {
			return t
		}
		a, b := drift(x[:half]), drift(x[len(x)-half:])
		if math.Abs(b.slope-a.slope) <= 2.5*math.Hypot(a.slopeSE, b.slopeSE) {
			return t
		}
		x = x[len(x)-half:]
	}
}

// drift fits a local level with drift to x, at least three values, in O(n²).
func drift(x []float64) trend {
	n := len(x)
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range x {
		for j := i + 1; j < n; j++ {
			slopes = append(slopes, (x[j]-x[i])/float64(j-i))
		}
	}
	t := trend{slope: num.Median(slopes), n: n}
	rest := make([]float64, n)
	for i, v := range x {
		rest[i] = v - t.slope*float64(i)
	}
	t.q, t.r = variogram(rest)
	m := float64(n)
	t.slopeSE = math.Sqrt(12*t.r/(m*m*m-m) + 1.2*t.q/m)
	t.level, t.levelVar = smooth(rest, t.q, t.r)
	t.level += t.slope * (m - 1)
	return t
}

// variogram splits the variance of x, without a trend, into steps q of its level and what
// is on top of it r, by least squares of
//
//	E(x[i+k] − x[i])² = 2r + q·k·(1 − k/n)
//
// over lags up to a third of x. The factor in brackets is that of a random walk from which its
// own trend was taken. Neither is below 0.
func variogram(x []float64) (q, r float64) {
	n := len(x)
	lags := max(2, n/3)
	var s0, s1, s2, y0, y1 float64
	for k := 1; k <= lags && k < n; k++ {
		sum := 0.0
		for i := k; i < n; i++ {
			d := x[i] - x[i-k]
			sum += d * d
		}
		c := float64(n - k)
		g := float64(k) * (1 - float64(k)/float64(n))
		s0, s1, s2 = s0+c, s1+c*g, s2+c*g*g
		y0, y1 = y0+sum, y1+g*sum
	}
	if det := s0*s2 - s1*s1; det > 0 {
		q = (s0*y1 - s1*y0) / det
		r = (y0 - q*s1) / s0 / 2
	} else {
		q, r = 0, y0/s0/2
	}
	switch {
	case q < 0:
		q, r = 0, y0/s0/2
	case r < 0:
		q, r = y1/s2, 0
	}
	return q, r
}

// smooth returns the level at the end of x and its variance, by the steady Kalman
// filter of a local level: gain K = P/(P+r), P = (q + √(q² + 4qr))/2, at least 2/n.
func smooth(x []float64, q, r float64) (level, variance float64) {
	gain := 2 / float64(len(x)+1)
	if q+r > 0 {
		p := (q + math.Sqrt(q*q+4*q*r)) / 2
		gain = max(gain, p/(p+r))
	}
	level = num.Median(slices.Clone(x[:min(3, len(x))]))
	for _, v := range x {
		level += gain * (v - level)
	}
	return level, gain * r
}

// grows reports whether the slope is above 0 by that many standard errors.
func (t trend) grows(errors float64) bool {
	return t.slope > 0 && t.slope >= errors*student(t.n)*t.slopeSE
}

// student widens a normal quantile for variances that are estimated from n values:
//
//	n   6   12    28   100
//	    1.5 1.25  1.11 1.03
func student(n int) float64 { return 1 + 3/float64(n) }
