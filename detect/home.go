package detect

import "math"

// A home is the one value that a series nearly always has, such as 0 restarts. How
// many points lately were elsewhere tells more than each of them.
type home struct {
	value float64
	votes float64 // for value: points with it less points without, at most a day of them
	away  float64 // discounted share of points elsewhere
	busy  float64 // such points in the last half hour, discounted
	peak  float64 // the greatest such number since it was last near 0
	most  float64 // the greatest of those before, which fades
}

const (
	// More of the points than that are elsewhere: there is no home.
	homeShare = 0.1
	// Points away are odd at a chance of e to minus that, one in 160,000, and at
	// that many times the record, which is at least homeLeast.
	homeRare, homeRatio, homeLeast = 12, 1.5, 1
	// The share is not taken for less.
	homeRarest = 1e-4
	// The record falls to 1/e in that many half-lives of the share.
	homeFade = 3
	// An episode is over when its count has fallen to that share.
	homeOver = 0.3
)

// score returns how odd it is that so many of the last points were away, with a point
// of value x: the logarithm of the Poisson chance of as many or more at the usual
// rate (Chernoff's bound n·ln(n/λ) − n + λ) over homeRare, but no more than the share
// of the record. g is the gain of the count.
func (h *home) score(x, g float64) float64 {
	if x == h.value || h.away > homeShare {
		return 0
	}
	n := h.lately(g)
	rate := max(h.away, homeRarest) / g
	if n <= rate {
		return 0
	}
	return min((n*math.Log(n/rate)-n+rate)/homeRare, n/(homeRatio*max(h.most, homeLeast)))
}

// lately returns how many of the last points were away, one more included.
func (h *home) lately(g float64) float64 { return h.busy*(1-g) + 1 }

// learn takes the value x, with weight g in the share and short in the count; day is
// the number of points in one.
func (h *home) learn(x, g, short, day float64) {
	h.busy -= short * h.busy
	if x == h.value {
		h.votes = min(h.votes+1, day)
		h.away -= g * h.away
	} else {
		h.busy++
		h.away += g * (1 - h.away)
		if h.votes--; h.votes < 0 {
			h.value, h.votes = x, 1
		}
	}
	h.peak = max(h.peak, h.busy)
	h.most *= 1 - g/homeFade
	if h.busy < homeOver*h.peak {
		h.most = max(h.most, min(h.peak, recordRise*max(h.most, homeLeast)))
		h.peak = h.busy
	}
}
