package forecast

import (
	"fmt"
	"math"

	"github.com/upid/upid/forecast/num"
)

// A move is a stretch at the end of a history that lies farther from the usual day,
// all of it on one side, than any stretch of that length before: a level that
// jumped, or a disk that has begun to fill. No rolling origin has seen one, so
// neither members, weights nor residuals know what comes of it.
//
// What came of moves in open series (20,778 windows, 661 with a move) is what the
// forecast does: a level held for a hours is still held at a later time with
// a probability that falls to one half after about 2a (a = 6), 4a (12) and more; until then the
// new level has half the error of the combination. So the forecast is
//
//	ŷ[T+h] = w·(usual[T+h] + size + slope·min(h, a)) + (1 − w)·combination[T+h]
//	w = 2^(−(h−1)/half-life), half-life = a·min(3, a/6 hours); h counts from a + 1 if straight
//
// slope is 0 but for a straight rise or fall (r² ≥ 0.9 over at least 6 hours), which goes on
// for as long as it has lasted: the median of what remains if the chance that it goes on h
// hours is a/(a + h). A central interval at level 0.9 reaches from what the combination
// said to half as far again as the move went: of the values after moves 90 % were in
// between; a straight line has its further course inside. A level held for two days is
// left to the residuals.
type move struct {
	age   int       // steps
	size  float64   // median distance from the usual day over the last half day of it, at its end if straight
	slope float64   // by step; 0: not straight
	held  bool      // for the longest of moveHours: the combination has met it
	base  []float64 // what the combination forecast
	usual []float64 // by phase, counted from the end of the history
}

const (
	moveRatio    = 1.5  // to the farthest stretch of that length before
	moveNoise    = 3.0  // to the median distance of the history
	moveLeast    = 1e-6 // of the range: rounding is no move
	moveStraight = 0.9  // r² of a line
	moveDays     = 3    // of history before it, at least
)

// moveHours are the lengths of stretches looked for.
var moveHours = [...]int{6, 12, 24, 48}

// follow looks for a move at the end of h and lets the forecast follow it.
func (r *rolling) follow(s *Scratch) {
	h := r.h
	m := h.grid.season
	if int64(m)*h.grid.step != dayMillis || m < 24 {
		return
	}
	mv := move{age: 0, size: 0, slope: 0, held: false, base: nil, usual: nil}
	usual := s.floats(m) // by phase, counted from the end of h
	found := false
	for i, hours := range moveHours {
		length := hours * m / 24
		if len(h.y)-length < moveDays*m {
			break
		}
		far, unseen := r.moved(&mv, usual, length, s)
		if !far {
			break // nor is any longer stretch
		}
		if unseen {
			found, mv.held = true, i == len(moveHours)-1
		}
	}
	if !found {
		return
	}
	last := r.point[len(r.ends)-1]
	mv.base, mv.usual = s.floats(len(last)), usual
	copy(mv.base, last)
	half := float64(mv.age) * min(3, float64(mv.age)/float64(6*m)*24)
	for k := range last {
		w := math.Exp2(-float64(k) / half)
		if mv.slope != 0 {
			w = math.Exp2(-float64(max(0, k-mv.age)) / half)
		}
		to := usual[k%m] + mv.size + mv.slope*float64(min(k+1, mv.age))
		if h.positive {
			to = max(to, 0)
		}
		last[k] = w*to + (1-w)*last[k]
	}
	r.move = mv
}

// moved reports whether the last length points of the history are all far from the
// usual day, and whether no such stretch was there before: then they are a move, and it sets mv
// and usual, the median by phase of up to 28 days before. O(n).
func (r *rolling) moved(mv *move, usual []float64, length int, s *Scratch) (far, unseen bool) {
	mk := s.mark()
	defer s.release(mk)
	y, m := r.h.y, r.h.grid.season
	n := len(y)
	from := n - length
	profile := s.floats(m) // by phase, counted from the beginning of the stretch
	phaseMedians(profile, y[:from], m, 28, s)
	stretch := s.floats(length)
	for i := range stretch {
		stretch[i] = y[from+i] - profile[i%m]
	}
	side := math.Copysign(1, stretch[0])
	least, seen := math.Inf(1), 0
	for i, v := range stretch {
		if least = min(least, side*v); least <= 0 {
			return false, false
		}
		if r.h.observed[from+i] {
			seen++
		}
	}
	if 2*seen < length {
		return false, false // a bridge over a gap is no level
	}
	before, size := s.floats(from), s.floats(from)
	for t := range before {
		before[t] = y[t] - profile[((t-from)%m+m)%m]
		size[t] = math.Abs(before[t])
	}
	if least <= max(moveNoise*num.Median(size), moveLeast*(r.h.max-r.h.min)) {
		return false, false
	}
	if least <= moveRatio*farthest(before, length) {
		return true, false
	}
	recent := s.floats(min(length, 12*m/24))
	copy(recent, stretch[length-len(recent):])
	level, slope, straight := fitLine(stretch)
	*mv = move{age: length, size: num.Median(recent), slope: 0, held: false, base: nil, usual: nil}
	if straight {
		mv.size, mv.slope = level, slope
	}
	for k := range usual {
		usual[k] = profile[(k+length)%m]
	}
	return true, true
}

// farthest returns the largest distance from zero that length values of v in a row all
// have on one side. O(n): once a value is under the best so far no stretch across it counts.
func farthest(v []float64, length int) float64 {
	best := 0.0
	for _, side := range [...]float64{1, -1} {
		for t := length - 1; t < len(v); {
			least, at := math.Inf(1), t
			for i := t; i > t-length; i-- {
				if x := side * v[i]; x < least {
					least, at = x, i
					if least <= best {
						break
					}
				}
			}
			if least > best {
				best = least
				t++
			} else {
				t = at + length
			}
		}
	}
	return best
}

// fitLine fits a straight line to v by least squares and returns its value at the last
// point, its slope, and whether it explains moveStraight of the variance.
func fitLine(v []float64) (end, slope float64, straight bool) {
	centre, c := float64(len(v)-1)/2, mean(v)
	cross, square, total := 0.0, 0.0, 0.0
	for i, x := range v {
		t := float64(i) - centre
		cross += t * (x - c)
		square += t * t
		total += (x - c) * (x - c)
	}
	slope = cross / square
	return c + slope*centre, slope, total > 0 && cross*cross/square >= moveStraight*total
}

// widen returns bounds for step k at level that hold what the move may become; lower
// and upper are those around the forecast p.
func (mv *move) widen(lower, upper, p, level float64, k int) (float64, float64) {
	usual := mv.usual[k%len(mv.usual)]
	on := usual + 1.5*mv.size
	back := mv.base[k]
	switch {
	case mv.slope != 0:
		on = usual + mv.size + 1.25*mv.slope*float64(k+1)
	case mv.held:
		on = p
	}
	if !mv.held && math.Abs(usual-p) > math.Abs(back-p) {
		back = usual
	}
	reach := min(max((level-0.5)/0.4, 0), 1.25)
	for _, far := range [...]float64{(on - p) * reach, (back - p) * min(reach, 1)} {
		lower, upper = lower+min(far, 0), upper+max(far, 0)
	}
	return lower, upper
}

func (mv *move) warning(step int64) error {
	age := math.Round(millis(step * int64(mv.age)).Hours())
	if mv.slope != 0 {
		return fmt.Errorf("it moves steadily for about %.0f h as never before: the forecast goes on for as long again, and the interval holds an end of it too", age)
	}
	return fmt.Errorf("its level is new for about %.0f h: the forecast keeps to it at first, and the interval holds both levels", age)
}
