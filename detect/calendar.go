package detect

import "math"

// A calendar knows how each hour of the week is unlike the usual day: offices are closed on
// weekends, backups are larger on Sundays. Of the local time t it says
//
//	λ · D(t),  λ = min(max(E[D·d]/E[D²], 0), 1)
//
// D is the mean of d, how far values lay from the usual day and its drift, by hour and over the last
// weeks, interpolated between the middles of hours, where an hour has several points; λ is what D of the weeks before
// was worth of late, by least squares with a half-life of two days, as if the first week had been worth nothing before: of
// a series that knows no weekdays nearly nothing is left.
//
// The level of an hour is moved once the middle of the next has come, from when on no level that is said
// depends on it, only an edge, see edges.
// Levels are whole multiples of a unit, of which 127 are the most, and the unit is a power of two: one byte an hour, 192 in all.
type calendar struct {
	level  [weekHours]int8
	both   float32 // E[D·d], in the square of the unit of the values
	square float32 // E[D²]
	sum    float32 // of d in the hour being filled
	held   float32 // mean of d in the hour before, of which the level is to be moved
	exp    int16   // the unit is two to that
	n      uint16  // points in the hour being filled
	hour   uint8   // of the week, that is being filled; noHour before the first
	heldAt uint8   // that of held; noHour: nothing is held
	first  uint8   // that was filled first; noHour before
	weeks  uint8   // that were filled, up to calendarMemory
}

const (
	weekHours = 7 * 24
	// A level is the mean of its first three weeks, then moves by a third a week.
	calendarMemory = 3
	// One of fewer weeks is not inherited: it may know no more than how its only owner began.
	calendarWeeks = 2
	// The most units. For an hour that takes more the unit is doubled once: what happens once
	// must not make all others coarse. It is halved when a week took less than half.
	calendarMost = math.MaxInt8

	// A state says no other unit: levels are of four bytes before they are of one.
	calendarFinest, calendarCoarsest = -200, 128

	noHour = math.MaxUint8
	noUnit = math.MinInt16 // two to that is 0
)

func newCalendar() *calendar {
	return &calendar{level: [weekHours]int8{}, both: 0, square: 0, sum: 0, held: 0, exp: noUnit, n: 0, hour: noHour, heldAt: noHour, first: noHour, weeks: 0}
}

// hourOfWeek returns the hour of the week of local time lt; 0 is a Thursday's first.
func hourOfWeek(lt int64) uint8 { return uint8(floorMod(floorDiv(lt, hourMS), weekHours)) }

func (c *calendar) unit() float64 { return math.Ldexp(1, int(c.exp)) }

// onePoint is the middle of the hours of a series that has one point in an hour at most.
const onePoint = -1

// middleOf returns the time from the start of an hour to the mean of its points, for a step; all in ms.
func middleOf(step int64) int64 {
	if step >= hourMS {
		return onePoint
	}
	return (hourMS - step) / 2
}

// raw returns D at local time lt, 0 in the first week; middle is that of an hour, see middleOf.
func (c *calendar) raw(lt, middle int64) float64 {
	if c.weeks == 0 {
		return 0
	}
	h := int(hourOfWeek(lt))
	if middle == onePoint { // the hours beside may have none
		return c.unit() * float64(c.level[h])
	}
	off := float64(floorMod(lt, hourMS)-middle) / float64(hourMS)
	next := h + 1
	if off < 0 {
		next, off = h-1, -off
	}
	return c.unit() * ((1-off)*float64(c.level[h]) + off*float64(c.level[(next+weekHours)%weekHours]))
}

// at returns λ·D at local time lt.
func (c *calendar) at(lt, middle int64) float64 {
	worth := c.worth()
	if worth == 0 {
		return 0
	}
	return worth * c.raw(lt, middle)
}

// worth returns λ.
func (c *calendar) worth() float64 {
	if c.both <= 0 { // nor was there a square
		return 0
	}
	return min(float64(c.both)/float64(c.square), 1)
}

// sure returns how far λ is above a half, from 0 to 1: below that what an hour says of itself is mostly noise.
func (c *calendar) sure() float64 { return max(2*c.worth()-1, 0) }

// edges returns by how much the hour of local time lt differs from those beside it, the more of both, and from the next one, in
// the unit of the values: what they hold may come a little earlier or later, and be more this week than last. From the middle of this
// hour on the one before has been moved by what just came, and tells of that too. At steps of several hours those beside it are a
// step away, and nothing is known where steps are no whole hours.
func (c *calendar) edges(lt, step int64) (either, ahead float64) {
	if step > hourMS && step%hourMS != 0 {
		return 0, 0
	}
	h, k := int(hourOfWeek(lt)), int(min(max(step/hourMS, 1), weekHours))
	level := func(h int) float64 { return float64(c.level[(h+weekHours)%weekHours]) }
	before := c.unit() * math.Abs(level(h)-level(h-k))
	ahead = c.unit() * math.Abs(level(h+k)-level(h))
	return max(before, ahead), ahead
}

// learn takes d, how far the value at local time lt lies from the usual day and its drift, with weight g in λ.
func (c *calendar) learn(lt, middle int64, d, g float64) {
	if raw := c.raw(lt, middle); c.weeks > 0 {
		c.square = follow(c.square, raw*raw, g)
		c.both = follow(c.both, raw*d, g)
	}
	if h := hourOfWeek(lt); h != c.hour {
		c.move()
		if c.first != noHour && passes(c.hour, h, c.first) {
			c.weeks = min(c.weeks+1, calendarMemory)
			c.refine()
			if c.weeks == 1 {
				c.prove()
			}
		}
		if c.n > 0 {
			c.held, c.heldAt = c.sum/float32(c.n), c.hour
		}
		c.hour, c.sum, c.n = h, 0, 0
	} else if floorMod(lt, hourMS) >= middle {
		c.move()
	}
	c.sum = single(float64(c.sum) + d)
	c.n = min(c.n, math.MaxUint16-1) + 1
}

// follow returns mean moved towards x by the share g of the way, with no overflow on it.
func follow(mean float32, x, g float64) float32 {
	return single(float64(mean) + g*(float64(single(x))-float64(mean)))
}

// passes reports whether an hour of the week ends between the hours from and to, be it there or not.
func passes(from, to, hour uint8) bool {
	end := (int(hour) + 1) % weekHours
	since := func(h int) int { return (h - int(from) + weekHours) % weekHours }
	return since(end) > 0 && since(end) <= since(int(to))
}

// move moves the level that is to be moved.
func (c *calendar) move() {
	if c.heldAt == noHour {
		return
	}
	at, mean := c.heldAt, float64(c.held)
	c.heldAt = noHour
	if c.first == noHour {
		c.first = at
	}
	was := c.unit() * float64(c.level[at])
	now := was + (mean-was)/float64(min(c.weeks+1, calendarMemory))
	if math.Abs(now) > calendarMost*c.unit() {
		c.grow(math.Abs(now) / calendarMost)
	}
	if unit := c.unit(); unit > 0 {
		c.level[at] = int8(min(max(math.Round(now/unit), -calendarMost), calendarMost))
	}
}

// grow makes the unit that of the first level, later twice as large.
func (c *calendar) grow(wanted float64) {
	if c.exp == noUnit {
		_, e := math.Frexp(wanted)
		c.exp = int16(e) - 1
		return
	}
	c.exp++
	for i, v := range c.level {
		c.level[i] = int8(math.Round(float64(v) / 2))
	}
}

// refine halves the unit if no level takes half of what it could.
func (c *calendar) refine() {
	most := 0
	for _, v := range c.level {
		most = max(most, int(v), -int(v))
	}
	if most == 0 || most > calendarMost/2 {
		return
	}
	c.exp--
	for i := range c.level {
		c.level[i] *= 2
	}
}

// prove begins λ at 0, with the levels as they are: what they are worth is to be seen first. At steps above an hour the hours
// that have no points count as 0, and there is less to prove.
func (c *calendar) prove() {
	sum := 0.0
	for _, v := range c.level {
		sum += float64(v) * float64(v)
	}
	c.both, c.square = 0, single(sum/weekHours*c.unit()*c.unit())
}

// drop forgets what is of the hour being filled and of the one before it.
func (c *calendar) drop() { c.heldAt, c.n, c.sum = noHour, 0, 0 }
