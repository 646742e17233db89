package detect

import "math"

// A startup knows from where a series climbs when it begins, as the memory of a process
// does that fills its caches for a day: the level at its birth, and that to which it fell
// at once whenever it began anew. To fall back there is to begin anew.
type startup struct {
	level float32 // from where it climbs
	size  float32 // how far it falls to there; 0 before the first fall
	fell  float32 // the value at the newest fall, or at birth
	by    float32 // and how far it fell; 0 at birth

	lower, low float32 // lowest value of the day that began at since, and of the one before
	at         int32   // minute of that fall, or of the birth
	since      int32   // minute, from a day after the newest beginning on

	known  bool // the level is
	judged bool // whether it stayed down
	climbs bool // it was known for a beginning, and the way up is not done
}

const (
	// A fall ends at that level if it misses it by no more than that share of itself, and
	// says something if the series was not there lately: above it by that share.
	startupNear, startupAway = 0.35, 0.4
	// It was a beginning if for that many ms, and points, there is no jump back by half of it.
	startupStays, startupPoints = 2 * hourMS, 12
	// What falls every day is known by the clock: beginnings lie further apart than that.
	startupApart = 26 * hourMS
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

// again reports whether a fall by that much to x, at time t, is a beginning.
func (u *startup) again(t int64, x, by float64) bool {
	level := float64(u.level)
	return u.known && minute(t)-u.at > minute(startupApart) && math.Abs(x-level) <= startupNear*by && float64(min(u.low, u.lower)) > level+startupAway*by
}

// learn takes the value x at time t; jump is how far it jumped if that was odd, or 0.
// step is in ms.
func (u *startup) learn(t int64, x, jump, step float64) {
	now, half := minute(t), float64(u.by)/2
	switch {
	case u.at == 0:
		u.begin(now, x, 0)
	case jump < -startupSmall*float64(u.size):
		u.begin(now, x, -jump)
	case jump > half && !u.judged:
		u.judged = true
	case !u.judged && float64(now-u.at)*float64(minuteMS) >= max(float64(startupStays), startupPoints*step):
		u.judged = true
		if u.by == 0 || x-float64(u.fell) <= half {
			u.settle()
		}
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
	u.at, u.fell, u.by, u.judged, u.climbs = now, single(x), single(by), false, false
}

// settle learns from the newest fall, which was a beginning.
func (u *startup) settle() {
	toward := func(v *float32, x float32, known bool) {
		if known {
			x = *v + startupGain*(x-*v)
		}
		*v = single(float64(x))
	}
	toward(&u.level, u.fell, u.known)
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
