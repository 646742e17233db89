package detect

import "math"

// resets knows how far a series falls, or rises, when it does so all at once, as far as
// that hardly varies: a cache that is emptied when it is full, a log that is cut at its
// largest size. Such a jump is in order whenever it comes.
type resets [resetSlots]reset

type reset struct {
	size  float64 // of the jumps, up or down
	times float64 // it came
	age   float64 // in jumps that were seen since
}

const (
	resetSlots = 4
	// Jumps are of one size that differ by no more than that share.
	resetVaries = 0.05
	// One that came so often is in order.
	resetKnown = 3
	// The size moves by that share of the way to a new one.
	resetGain = 0.3
)

func (r *resets) find(size float64) int {
	for i := range r {
		if math.Abs(size-r[i].size) <= resetVaries*math.Abs(r[i].size) && r[i].times > 0 {
			return i
		}
	}
	return -1
}

// usual reports whether a jump of that size is one of many like it.
func (r *resets) usual(size float64) bool {
	i := r.find(size)
	return i >= 0 && r[i].times >= resetKnown
}

// learn takes the size of a jump.
func (r *resets) learn(size float64) {
	at := r.find(size)
	if at >= 0 {
		r[at].size += resetGain * (size - r[at].size)
		r[at].times = min(r[at].times+1, 2*resetKnown)
	} else { // in place of the one that came seldom, long ago
		at = 0
		for i := range r {
			if r[i].times*resetSlots-r[i].age < r[at].times*resetSlots-r[at].age {
				at = i
			}
		}
		r[at] = reset{size: size, times: 1, age: 0}
	}
	for i := range r {
		r[i].age++
	}
	r[at].age = 0
}
