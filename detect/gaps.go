package detect

import "iter"

// Gaps yields, oldest first, the grid times strictly between the observations at
// prev and t that have no observation: prev + step, prev + 2·step, … All times
// and step are in milliseconds. Live scoring and one-off detection both call it
// to learn which Step(time, NaN) they owe the scorer, so that they cannot differ.
//
// An observation may be early or late by less than half a step without making
// a gap: n = round((t−prev)/step) − 1 times are yielded. At the live edge t is
// the newest time known to be complete plus one step. Nothing is yielded when
// step ≤ 0 or t ≤ prev.
func Gaps(prev, t, step int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		if step <= 0 || t <= prev {
			return
		}
		for g := prev + step; t-g >= (step+1)/2; g += step {
			if !yield(g) {
				return
			}
		}
	}
}
