package detect

// A rhythm knows how long it takes from one event to the next, as far as that hardly
// varies: from one run of a nightly job to the next, or how long it runs. Times are in ms.
type rhythm struct {
	low, high float64 // the shortest and the longest of late, which draw together
	pause     int64   // time of the newest event that none followed in time; 0 before, and once one does at that time of day
	known     uint8   // so many were in order, in a row
	broken    uint8   // so many were not since
}

const (
	// It is one once that many times in a row varied by no more than that share of
	// the longest, or two steps and twice that share; two that do not end it.
	rhythmKnown, rhythmVaries, rhythmEnds = 8, 0.1, 2
	// Below that many steps there is none.
	rhythmLeast = 6
	// An event is late that many times the variation after the longest time, at least
	// that share of it, and a step.
	rhythmLate, rhythmShare = 1.5, 0.02
	// After three times that long it is how things are now.
	rhythmOver = 3
	// The shortest and the longest move by that share of the way to each new time.
	rhythmGain = 0.1
	// The score is no higher: it is about time, not about size.
	rhythmMost = 3
	// What pauses at the same time of day as before, give or take that share of the usual time,
	// is not late, if there are at least two events a day.
	rhythmPauses, rhythmSame = 12 * hourMS, 0.5
)

// limit returns the time after which the event is late, 0 where there is no rhythm;
// step is that of the series.
func (r *rhythm) limit(step float64) float64 {
	if r.known < rhythmKnown || r.high < rhythmLeast*step || r.high-r.low > max(rhythmVaries*r.high, min(2*step, 2*rhythmVaries*r.high)) {
		return 0
	}
	return r.high + max(rhythmLate*(r.high-r.low), rhythmShare*r.high, step)
}

// score returns the time since the newest event, that at last, over the limit.
func (r *rhythm) score(t, last int64, step float64) float64 {
	since, limit := float64(t-last), r.limit(step)
	if limit == 0 || since > rhythmOver*limit || r.pauses(last) {
		return 0
	}
	return min(since/limit, rhythmMost)
}

// pauses reports whether there was a pause after this time of day before.
func (r *rhythm) pauses(last int64) bool {
	if r.pause == 0 || r.high > float64(rhythmPauses) {
		return false
	}
	d := floorMod(last-r.pause, dayMS)
	return float64(min(d, dayMS-d)) <= rhythmSame*r.high
}

// caughtUp reports whether the time from last to the next event is short because the event at
// last was late, as after a run that hung: both together are a multiple of the usual. That is one
// break; the next odd time, if none in order comes before, is the second.
func (r *rhythm) caughtUp(last int64, time, limit float64) bool {
	if r.broken == 0 || time > limit {
		return false
	}
	both, late := float64(last-r.pause)+time, limit-r.high
	for n := 2.0; n <= rhythmOver; n++ {
		if both >= n*r.low-late && both <= n*r.high+late {
			return true
		}
	}
	return false
}

// learn takes the time between two events, the first of them at last.
func (r *rhythm) learn(last int64, time, step float64) {
	limit := r.limit(step)
	switch {
	case limit > 0 && (time > limit || time < r.low-(limit-r.high)):
		if r.caughtUp(last, time, limit) {
			return
		}
		if time > limit {
			r.pause = last
		}
		if r.broken++; r.broken < rhythmEnds {
			return
		}
		fallthrough
	case r.known == 0, time > 2*r.high, time < r.low/2:
		*r = rhythm{low: time, high: time, known: 1, broken: 0, pause: r.pause}
		return
	}
	if limit > 0 && r.pauses(last) {
		r.pause = 0 // it was a break, or else every other would be silent at this time of day
	}
	r.broken = 0
	r.known = min(r.known+1, 10*rhythmKnown)
	r.low += rhythmGain * (time - r.low)
	r.high += rhythmGain * (time - r.high)
	r.low, r.high = min(r.low, time), max(r.high, time)
}
