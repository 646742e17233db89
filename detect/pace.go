package detect

import "math"

// A pace watches how a series goes on by itself: it stands still, as a number of
// replicas does, or moves by the same amount at every step, as an age or a countdown
// does. While it nearly always does, that is the expectation, and what is left are
// its jumps.
type pace struct {
	slope float64 // by which it moves a step
	last  float64 // by which it moved last
	still float64 // discounted share of points at which it went on
	jump  float64 // discounted mean size of a jump; 0 before the first
	jumps float64 // so many there were
	since int64   // time of the newest jump
	beat  rhythm  // of the jumps
	again float64 // steps in a row at which it moved by last
}

const (
	// A series is quiet once it goes on like that at so many points.
	quietShare = 0.9
	// Moves that differ by less than that many floors of the scale are the same.
	paceTol = 10
	// It moves by the same amount once it did so that often in a row.
	paceAgain = 3
	// A jump is that much of the new mean, once enough are known.
	jumpGain = 1 / 20.0
)

// at returns the value after so many steps.
func (p *pace) at(value, steps float64) float64 { return finite(value + p.slope*steps) }

// moves reports whether the series is quiet and moves: the level it should have by
// the time of day is then no measure of it.
func (p *pace) moves() bool { return p.quiet() && p.slope != 0 }

// restarts reports whether a jump of that size sets a clock back: an age falls when what it is
// the age of is new, a countdown rises when what runs out is renewed.
func (p *pace) restarts(jump float64) bool { return p.moves() && jump*p.slope < 0 }

// late scores the time without a jump up to t, unless there is one now: x is the value
// and step is in ms.
func (p *pace) late(t int64, went bool, step float64) float64 {
	if !went || p.jumps == 0 {
		return 0
	}
	return p.beat.score(t, p.since, step)
}

// goes reports whether a move by d in so many steps is no jump; tol is rounding.
func (p *pace) goes(d, steps, tol float64) bool { return math.Abs(d-p.slope*steps) <= tol }

// learn takes a move by d in so many steps, with weight g, at time t; tol is rounding.
func (p *pace) learn(t int64, d, steps, tol, g, step float64) {
	per := d / steps
	if p.goes(d, steps, tol) {
		p.still += g * (1 - p.still)
	} else {
		p.still -= g * p.still
		if p.jumps > 0 {
			p.beat.learn(p.since, float64(t-p.since), step)
		}
		p.since = t
		p.jumps++
		p.jump += max(jumpGain, 1/p.jumps) * (min(math.Abs(d-p.slope*steps), hugest) - p.jump)
	}
	if math.Abs(per-p.last) > tol {
		p.last, p.again = per, 0
	}
	if p.again++; p.again >= paceAgain {
		p.slope, p.again = per, paceAgain
	}
}

// quiet reports whether the series nearly always goes on by itself.
func (p *pace) quiet() bool { return p.still >= quietShare }
