package detect

import "math"

// resets knows how far a series falls, or rises, when it does so all at once, as far as
// that hardly varies: a cache that is emptied when it is full, a log that is cut at its
// largest size. Such a jump is in order whenever it comes.
type resets [resetSlots]reset

type reset struct {
	size  float32 // of the jumps, up or down
	times uint8   // it came
	age   uint8   // in jumps that were seen since
}

const (
	resetSlots = 4
	// Jumps are of one size that differ by no more than that share.
	resetVaries = 0.05
	// One that came so often is in order.
	resetKnown = 3
	// More are not counted; falls of less than the size of the newest jump are odd once it came that often.
	resetMost = 6
	// Falls of that many times the size are larger ones.
	resetMore = 1 + 2*resetVaries
	// The size moves by that share of the way to a new one.
	resetGain = 0.3
)

func (r *resets) find(size float64) int {
	for i := range r {
		if known := float64(r[i].size); math.Abs(size-known) <= resetVaries*math.Abs(known) && r[i].times > 0 {
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

// regular reports whether jumps of more than that have a size that is known: one of another size is odd then.
func (r *resets) regular(size float64) bool {
	for i := range r {
		if r[i].times >= resetMost && r[i].age == 0 && float64(r[i].size)/size > resetMore {
			return true
		}
	}
	return false
}

// learn takes the size of a jump.
func (r *resets) learn(size float64) {
	at := r.find(size)
	if at >= 0 {
		known := float64(r[at].size)
		r[at].size = single(known + resetGain*(size-known))
		r[at].times = min(r[at].times+1, resetMost)
	} else { // in place of the one that came seldom, long ago
		at = 0
		for i := range r {
			if r[i].worth() < r[at].worth() {
				at = i
			}
		}
		r[at] = reset{size: single(size), times: 1, age: 0}
	}
	for i := range r {
		r[i].age = min(r[i].age, math.MaxUint8-1) + 1
	}
	r[at].age = 0
}

// worth orders the sizes by how much is lost with one.
func (r *reset) worth() int { return int(r.times)*resetSlots - int(r.age) }
