package detect

import "math"

// A startup knows from where a series climbs when it begins, as the memory of a process
// does that fills its caches: the level at its birth, and that to which it fell
// at once whenever it began anew. To fall back there is to begin anew.
type startup struct {
	level float32 // from where it climbs
	size  float32 // how far it falls to there; 0 before the first fall
	fell  float32 // the lowest value of the newest fall, or the one at birth
	by    float32 // and how far it fell; 0 at birth

	lower, low float32 // lowest value of the day that began at since, and of the one before
	at         int32   // minute of that fall, or of the birth
	since      int32   // minute, from a day after the newest beginning on

	known  bool // the level is
	judged bool // whether that fall was a beginning
	begun  bool // it was known for one at once
	climbs bool // so it was, and the way up is not done
	daily  bool // the newest fall came a day after the one before
	abrupt bool // since that fall it rose by much at once
	quick  bool // half of a fall was made good before it was judged, and not at once
}

const (
	// A fall ends at that level if it misses it by no more than that share of itself, and
	// says something if the series was not there lately: above it by that share.
	startupNear, startupAway = 0.35, 0.33
	// It was a beginning if for that many ms, and points, there is no jump back by half of it. Where half of it
	// is made good by then the second one is believed. None that ended below that share of what it began with is one:
	// what falls to nothing is down.
	startupStays, startupPoints, startupShare = 2 * hourMS, 12, 0.2
	// On its way up no single step makes good more than that share of a fall: then one such fall is believed.
	startupGentle = 0.25
	// Replicas begin one after the other: what falls on within so many ms, and points, is the same fall.
	startupFalls, startupFallPoints = 15 * minuteMS, 3
	// Beginnings lie further apart than that, and what falls daily, give or take so many ms, is known by the clock.
	startupApart, startupClock = 2 * hourMS, hourMS
	// It is on its way up until half of the fall is made good, for so many ms at most: means
	// of values are low then.
	startupLasts = 3 * dayMS
	// The level and the size move by that share of the way to new ones. Falls of less than
	// half the size are none.
	startupGain, startupSmall = 0.5, 0.5
)

// minute returns the minute of t, which holds for some thousand years.
func minute(t int64) int32 {
	return int32(min(max(floorDiv(t, minuteMS), math.MinInt32/2), math.MaxInt32/2))
}

// ago returns the ms since the newest fall, or birth.
func (u *startup) ago(t int64) int64 { return int64(minute(t)-u.at) * minuteMS }

// again reports whether a fall by that much to x, at time t, is a beginning.
func (u *startup) again(t int64, x, by float64) bool {
	ago, level := u.ago(t), float64(u.level)
	switch {
	case !u.known, ago <= startupApart, u.daily && byClock(ago):
		return false
	}
	return (math.Abs(x-level) <= startupNear*by || u.partly(x, by)) && float64(min(u.low, u.lower)) > level+startupAway*by
}

// byClock reports whether what comes so many ms after the one before may be known by the clock.
func byClock(ago int64) bool { return ago >= dayMS-startupClock && ago <= dayMS+startupClock }

// partly reports whether a fall by that much to x is half of one to the level, as where one of two replicas begins
// anew. It says nothing of where both climb from.
func (u *startup) partly(x, by float64) bool {
	return u.size > 0 && by >= startupSmall*float64(u.size) && math.Abs(x-by-float64(u.level)) <= startupNear*by
}

// begins notes that the newest fall is a beginning.
func (u *startup) begins() { u.begun, u.climbs = true, true }

// recovers reports whether x at time t lies on the way from where a beginning fell to back to where it fell
// from, within the first hours: the faster that is, the odder each point of it looks.
func (u *startup) recovers(t int64, x float64) bool {
	return u.begun && u.ago(t) < startupStays && x <= float64(u.fell)+float64(u.by) && x >= float64(u.level)-startupNear*float64(max(u.by, u.size))
}

// learn takes the value x at time t, was the one before; jump is how far it jumped if that was odd, or 0.
// step is in ms.
func (u *startup) learn(t int64, x, was, jump, step float64) {
	now, ago, half := minute(t), float64(u.ago(t)), float64(u.by)/2
	u.abrupt = u.abrupt || x-was > startupGentle*float64(u.by)
	switch {
	case u.at == 0:
		u.begin(now, x, 0)
	case !u.judged && u.by > 0 && x < float64(u.fell) && ago <= max(float64(startupFalls), startupFallPoints*step):
		u.by = single(float64(u.by) + float64(u.fell) - x)
		u.fell = single(x)
	case jump < -startupSmall*float64(u.size):
		u.begin(now, x, -jump)
	case !u.judged && u.by > 0 && max(jump, x-was) > half:
		u.judged = true
	case u.judged && u.by > 0 && x-was > half && was <= float64(u.fell)+half:
		u.known = false // what comes back at once was down all that time
	case !u.judged && ago >= max(float64(startupStays), startupPoints*step):
		u.judge(x)
	}
	if x > float64(u.fell)+float64(u.by)/2 || now-u.at > minute(startupLasts) {
		u.climbs = false
	}
	if now-u.since > minute(dayMS) {
		u.low, u.lower, u.since = u.lower, single(x), now
	}
	if now >= u.since {
		u.lower = min(u.lower, single(x))
	}
}

// begin notes a fall by that much to x.
func (u *startup) begin(now int32, x, by float64) {
	u.daily = by > 0 && byClock(int64(now-u.at)*minuteMS)
	u.at, u.fell, u.by = now, single(x), single(by)
	u.judged, u.begun, u.climbs, u.abrupt = false, false, false, false
}

// judge decides whether the newest fall, which nothing undid at once, was a beginning; x is the value by now.
func (u *startup) judge(x float64) {
	u.judged = true
	switch {
	case u.by == 0:
		u.settle()
	case float64(u.fell) < startupShare*(float64(u.fell)+float64(u.by)):
	case x-float64(u.fell) <= float64(u.by)/2, u.quick, !u.abrupt:
		u.settle()
	default:
		u.quick = true
	}
}

// settle learns from the newest fall, which was a beginning.
func (u *startup) settle() {
	toward := func(v *float32, x float32, known bool) {
		if known {
			x = *v + startupGain*(x-*v)
		}
		*v = single(float64(x))
	}
	if u.partly(float64(u.fell), float64(u.by)) {
		u.unseen(u.at)
		return
	}
	// Where history began is no birth if the falls end elsewhere.
	toward(&u.level, u.fell, u.known && math.Abs(float64(u.level-u.fell)) <= startupNear*float64(u.by))
	if u.by > 0 {
		toward(&u.size, u.by, u.size > 0)
	}
	u.known = true
	u.unseen(u.at)
}

// unseen begins the lowest values anew, a day after now.
func (u *startup) unseen(now int32) {
	u.low, u.lower, u.since = math.MaxFloat32, math.MaxFloat32, now+minute(dayMS)
}

// inherit keeps what is known, for a series that is born at time t with the value x.
func (u *startup) inherit(t int64, x float64) {
	u.begin(minute(t), x, 0)
	u.judged = u.known
	u.unseen(u.at)
}
