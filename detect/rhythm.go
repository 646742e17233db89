package detect

import "math"

// A rhythm knows how long it takes from one event to the next, as far as that hardly
// varies: from one run of a nightly job to the next, or how long it runs. Times are in ms.
type rhythm struct {
	low, high float64 // the shortest and the longest of late, which draw together
	late      int64   // time of the newest event that none followed in time; 0 before
	pause     int64   // the same, at the time of day or week at which none is expected; 0 once one follows there
	known     uint8   // so many were in order, in a row
	broken    uint8   // so many were not since
	paused    uint8   // so often there was that pause, in a row
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
	// With fewer, as of a job of workdays, it is the same time of the week, from the second time
	// on, or the first while fewer than so many events were in order: one weekend is seen then.
	rhythmWeeks, rhythmYoung = 2, 2 * rhythmKnown
	// Before it is known, a pause is a multiple of the usual time that follows so many in order.
	rhythmSome = 3
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

// pauses reports whether there is a pause after the event at last, as there was before.
func (r *rhythm) pauses(last int64) bool {
	return r.again(last) && (r.high <= float64(rhythmPauses) || r.paused >= rhythmWeeks || r.known < rhythmYoung)
}

// again reports whether last is at the time of day, or of the week, of the pause.
func (r *rhythm) again(last int64) bool {
	if r.pause == 0 {
		return false
	}
	cycle := r.cycle()
	d := floorMod(last-r.pause, cycle)
	return float64(min(d, cycle-d)) <= rhythmSame*r.high
}

// cycle returns after how long a pause comes again.
func (r *rhythm) cycle() int64 {
	if r.high > float64(rhythmPauses) {
		return 7 * dayMS
	}
	return dayMS
}

// stop notes that none followed the event at last in time. It does not take the place of a pause that may come again.
func (r *rhythm) stop(last int64) {
	r.late = last
	switch {
	case r.again(last):
		r.pause, r.paused = last, min(r.paused, math.MaxUint8-1)+1
	case r.pause == 0, last-r.pause > r.cycle()+dayMS:
		r.pause, r.paused = last, 1
	}
}

// skips reports whether time is about a multiple of the usual.
func (r *rhythm) skips(time, step float64) bool {
	tol := max(rhythmVaries*r.high, 2*step)
	for n := 2.0; n <= rhythmOver; n++ {
		if time >= n*r.low-tol && time <= n*r.high+tol {
			return true
		}
	}
	return false
}

// caughtUp reports whether the time from last to the next event is short because the event at
// last was late, as after a run that hung: both together are a multiple of the usual. That is one
// break; the next odd time, if none in order comes before, is the second.
func (r *rhythm) caughtUp(last int64, time, limit float64) bool {
	if r.broken == 0 || time > limit {
		return false
	}
	both, late := float64(last-r.late)+time, limit-r.high
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
			r.stop(last)
		}
		if r.broken++; r.broken < rhythmEnds {
			return
		}
		r.begin(time)
		return
	case limit == 0 && r.known >= rhythmSome && r.broken == 0 && r.skips(time, step):
		r.broken = 1
		r.stop(last)
		return
	case r.known == 0, time > 2*r.high, time < r.low/2:
		r.begin(time)
		return
	}
	if limit > 0 && r.again(last) {
		r.pause, r.paused = 0, 0 // it was a break, or else every other would be silent at this time of day
	}
	r.broken = 0
	r.known = min(r.known+1, 10*rhythmKnown)
	r.low += rhythmGain * (time - r.low)
	r.high += rhythmGain * (time - r.high)
	r.low, r.high = min(r.low, time), max(r.high, time)
}

// begin makes it one of which that time is the first.
func (r *rhythm) begin(time float64) { r.low, r.high, r.known, r.broken = time, time, 1, 0 }
