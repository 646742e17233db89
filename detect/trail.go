package detect

// A trail lets a score fade instead of dropping at once: what was odd a few points ago
// may well go on, in a value that happens to be in order or that the expectation has
// come up to. With p points of half-life, what is left of a score of v is
//
//	min(v, 1) · 2^(−n/p)   after n points
//
// and a score is never less than that. It stays below 1, so it opens nothing and keeps
// nothing open; it ranks the points of an incident above those of quiet days. O(1).
type trail struct {
	left float64 // of the highest of late; 0 to 1
	keep float64 // what of it is left a point later; given by the step
}

// newTrail returns a trail whose half-life is the time a finding stays open without
// another breach: ten points, at most half an hour, at least three points (rules.Default).
func newTrail(step float64) trail {
	return trail{left: 0, keep: 1 - halfLife(max(min(10, 30*60*1000/step), 3))}
}

// fade takes the score of the newest point and returns it, or what is left of those
// before it if that is more.
func (r *trail) fade(v float64) float64 {
	r.left *= r.keep
	v = max(v, r.left)
	r.left = min(v, 1)
	return v
}

// forget begins anew.
func (r *trail) forget() { r.left = 0 }
