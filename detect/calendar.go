package detect

import "math"

// A calendar knows how each hour of the week is unlike the usual day: offices are closed on
// weekends, backups are larger on Sundays. Of the local time t it says
//
//	λ · D(t),  λ = min(max(E[D·d]/E[D²], 0), 1)
//
// D is the mean of d, how far values lay from the usual day and its drift, by hour and over the last
// weeks, interpolated between the middles of hours; λ is what D of the weeks before was worth of late, by least
// squares with a half-life of two days: of a series that knows no weekdays nearly nothing is left.
//
// A level is moved in the middle of the hour after, when nothing is between it and the next. Levels are whole multiples of
// a unit, of which 127 are the most: one byte an hour, 200 in all.
type calendar struct {
	level  [weekHours]int8
	unit   float32 // 0 before the first level
	both   float32 // E[D·d], in the square of the unit of the values
	square float32 // E[D²]
	sum    float32 // of d in the hour being filled
	hour   int32   // its number since 1970; neverHour before the first
	from   int32   // number of the hour from which it learns
	held   float32 // mean of d in the hour of the week heldAt, of which the level is to be moved
	n      uint16  // points in the hour being filled
	heldAt uint8   // noHour: none is
	first  uint8   // hour of the week that was filled first; noHour before
	weeks  uint8   // that were filled, up to calendarMemory
}

const (
	weekHours = 7 * 24
	// A level is the mean of its first three weeks, then moves by a third a week.
	calendarMemory = 3
	// One of fewer weeks is not inherited: it may know no more than how its only owner began.
	calendarWeeks = 2
	// The most units, and what a unit grows by at most for one hour that takes more: what
	// happens once must not make all others coarse. It is halved when a week took less than half.
	calendarMost, calendarGrows = math.MaxInt8, 2
	// For so many hours after a beginning it is that which tells hours apart.
	calendarRests = 48

	neverHour = math.MinInt32
	noHour    = math.MaxUint8
)

func newCalendar() *calendar {
	return &calendar{level: [weekHours]int8{}, unit: 0, both: 0, square: 0, sum: 0, held: 0, hour: neverHour, from: neverHour, n: 0, heldAt: noHour, first: noHour, weeks: 0}
}

// hourNumber returns the number of the hour of local time lt.
func hourNumber(lt int64) int32 {
	return int32(min(max(floorDiv(lt, hourMS), neverHour+1), math.MaxInt32-1))
}

// raw returns D at local time lt, 0 in the first week.
func (c *calendar) raw(lt int64) float64 {
	if c.weeks == 0 {
		return 0
	}
	from := float64(floorMod(lt, hourMS))/float64(hourMS) - 0.5
	h := int64(hourNumber(lt))
	next := h + 1
	if from < 0 {
		next, from = h-1, -from
	}
	return float64(c.unit) * ((1-from)*float64(c.level[floorMod(h, weekHours)]) + from*float64(c.level[floorMod(next, weekHours)]))
}

// at returns λ·D at local time lt.
func (c *calendar) at(lt int64) float64 {
	if c.both <= 0 { // nor was there a square
		return 0
	}
	return min(float64(c.both)/float64(c.square), 1) * c.raw(lt)
}

// learn takes d, how far the value at local time lt lies from the usual day and its drift, with weight g in λ.
func (c *calendar) learn(lt int64, d, g float64) {
	if hourNumber(lt) < c.from {
		return
	}
	if raw := c.raw(lt); c.weeks > 0 {
		c.square += float32(g) * (single(raw*raw) - c.square)
		c.both += float32(g) * (single(raw*d) - c.both)
	}
	if h := hourNumber(lt); h != c.hour {
		c.move()
		if c.n > 0 {
			c.held, c.heldAt = c.sum/float32(c.n), uint8(floorMod(int64(c.hour), weekHours))
		}
		c.hour, c.sum, c.n = h, 0, 0
	} else if floorMod(lt, hourMS) >= hourMS/2 {
		c.move()
	}
	c.sum = single(float64(c.sum) + d)
	c.n = min(c.n, math.MaxUint16-1) + 1
}

// move moves the level that is to be moved.
func (c *calendar) move() {
	if c.heldAt == noHour {
		return
	}
	at, mean := c.heldAt, float64(c.held)
	c.heldAt = noHour
	switch c.first {
	case noHour:
		c.first = at
	case at:
		c.weeks = min(c.weeks+1, calendarMemory)
		c.refine()
	}
	was := float64(c.unit) * float64(c.level[at])
	now := was + (mean-was)/float64(min(c.weeks+1, calendarMemory))
	if most := calendarMost * float64(c.unit); math.Abs(now) > most {
		c.grow(math.Abs(now) / calendarMost)
	}
	if c.unit > 0 {
		c.level[at] = int8(min(max(math.Round(now/float64(c.unit)), -calendarMost), calendarMost))
	}
}

// grow makes the unit wanted, or as much larger as it may become.
func (c *calendar) grow(wanted float64) {
	if c.unit > 0 {
		wanted = min(wanted, calendarGrows*float64(c.unit))
	}
	unit := single(wanted)
	if unit == 0 {
		return
	}
	for i, v := range c.level {
		c.level[i] = int8(math.Round(float64(v) * float64(c.unit) / float64(unit)))
	}
	c.unit = unit
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
	c.unit /= 2
	for i := range c.level {
		c.level[i] *= 2
	}
}

// rest says that the series begins anew at local time lt.
func (c *calendar) rest(lt int64) {
	c.from = min(hourNumber(lt), math.MaxInt32-calendarRests) + calendarRests
	c.heldAt, c.n, c.sum = noHour, 0, 0
}
