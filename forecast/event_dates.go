package forecast

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Dates is a day or a stretch of civil time, once or every year. See ParseDates.
type Dates struct {
	text        string
	first, last civilDay
}

// String returns what ParseDates read.
func (d Dates) String() string { return d.text }

// civilDay is a day given by date or by rule, or a minute of it.
type civilDay struct {
	year    int // 0: every year
	month   time.Month
	day     int          // 0: by nth or easter
	nth     int          // 1 to 5, −1 the last weekday of month; 0: not so
	weekday time.Weekday // of nth
	easter  bool
	shift   int // days after what the above gives
	minute  int // of the day, where timed
	timed   bool
}

var (
	dateForm   = regexp.MustCompile(`^(?:(\d{4})-)?(\d{1,2})-(\d{1,2})$`)
	easterForm = regexp.MustCompile(`^easter ?([+-] ?\d{1,3})?$`)
	nthForm    = regexp.MustCompile(`^(1st|2nd|3rd|4th|5th|last) ([a-z]+) of ([a-z]+) ?([+-] ?\d{1,3})?$`)
	timeForm   = regexp.MustCompile(`^(.*\S) ?T(\d{2}):(\d{2})$`)
)

// ParseDates reads
//
//	2026-12-24                            one day
//	2026-12-24..2026-12-26                days, both included
//	2026-11-27T18:00..2026-11-28T02:30    a stretch, without its end
//	12-24, 12-24..12-26, 12-31T20:00..01-01T04:00    the same every year
//	easter, easter-2, easter+1..easter+2  days from Easter Sunday (Gregorian)
//	4th thursday of november, last monday of may, 4th thursday of november +1
//
// A year without the day (02-29, a 5th Monday) is left out. Both ends have a year or neither has.
func ParseDates(text string) (Dates, error) {
	d := Dates{text: text, first: civilDay{}, last: civilDay{}}
	first, last, ranged := strings.Cut(strings.TrimSpace(text), "..")
	var err error
	if d.first, err = parseCivilDay(strings.TrimSpace(first)); err != nil {
		return Dates{}, fmt.Errorf("dates %q: %w", text, err)
	}
	if !ranged {
		if d.first.timed {
			return Dates{}, fmt.Errorf("dates %q: a time of day needs an end: %s..%s", text, first, first)
		}
		d.last = d.first
		return d, nil
	}
	if d.last, err = parseCivilDay(strings.TrimSpace(last)); err != nil {
		return Dates{}, fmt.Errorf("dates %q: %w", text, err)
	}
	if (d.first.year == 0) != (d.last.year == 0) {
		return Dates{}, fmt.Errorf("dates %q: one end has a year and the other has none", text)
	}
	if from, until, ok := d.in(d.first.year, time.UTC); d.first.year != 0 && ok && !until.After(from) {
		return Dates{}, fmt.Errorf("dates %q: the end is not after the beginning", text)
	}
	return d, nil
}

func parseCivilDay(text string) (civilDay, error) {
	var c civilDay
	if m := timeForm.FindStringSubmatch(text); m != nil {
		h, _ := strconv.Atoi(m[2]) // the form admits digits only
		minute, _ := strconv.Atoi(m[3])
		if h > 24 || minute > 59 || h == 24 && minute > 0 {
			return c, fmt.Errorf("%s:%s is no time of day", m[2], m[3])
		}
		text, c.timed, c.minute = m[1], true, 60*h+minute
	}
	if m := dateForm.FindStringSubmatch(text); m != nil {
		c.year, _ = strconv.Atoi(m[1]) // 0 where there is none
		month, _ := strconv.Atoi(m[2])
		c.month = time.Month(month)
		c.day, _ = strconv.Atoi(m[3])
		leap := c
		if m[1] == "" {
			leap.year = 2024
		}
		if _, ok := leap.in(leap.year, time.UTC); !ok || m[1] == "0000" {
			return c, fmt.Errorf("there is no day %s", text)
		}
		return c, nil
	}
	if m := easterForm.FindStringSubmatch(text); m != nil {
		c.easter, c.shift = true, signedDays(m[1])
		return c, nil
	}
	if m := nthForm.FindStringSubmatch(text); m != nil {
		weekday, err := ParseWeekday(m[2])
		if err != nil {
			return c, err
		}
		for month := time.January; month <= time.December; month++ {
			if strings.ToLower(month.String()) == m[3] {
				c.month = month
			}
		}
		if c.month == 0 {
			return c, fmt.Errorf("%q is no month such as november", m[3])
		}
		c.weekday, c.shift, c.nth = weekday, signedDays(m[4]), -1
		if m[1] != "last" {
			c.nth = int(m[1][0] - '0')
		}
		return c, nil
	}
	return c, fmt.Errorf("%q is no day; want a form such as 2026-12-24, 12-24, easter+1 or 4th thursday of november", text)
}

// signedDays reads "+1" or "- 2"; 0 where there is nothing. The forms admit no other.
func signedDays(s string) int {
	n, _ := strconv.Atoi(strings.ReplaceAll(s, " ", ""))
	return n
}

// Contains reports whether a time, in Unix milliseconds, is in one of the stretches, by the
// clock of loc. Time is linear in the years a shift spans.
func (d Dates) Contains(t int64, loc *time.Location) bool {
	for _, o := range d.occurrences(nil, 0, t, t+1, loc) {
		if o.from <= t && t < o.until {
			return true
		}
	}
	return false
}

// occurrences appends what overlaps [from, until), in milliseconds, on the clocks of loc.
func (d Dates) occurrences(dst []occurrence, event int, from, until int64, loc *time.Location) []occurrence {
	first, last := d.first.year, d.first.year
	if first == 0 {
		// A year more on each side for what goes on past its end, and as many as the day is shifted by.
		years := 1 + (max(d.first.shift, -d.first.shift)+364)/365
		first, last = time.UnixMilli(from).In(loc).Year()-years, time.UnixMilli(until).In(loc).Year()+years
	}
	for year := first; year <= last; year++ {
		begin, end, ok := d.in(year, loc)
		if o := (occurrence{event: event, from: begin.UnixMilli(), until: end.UnixMilli()}); ok && o.from < until && o.until > from {
			dst = append(dst, o)
		}
	}
	return dst
}

// in returns the stretch that begins in the given year; ok is false where there is none.
func (d Dates) in(year int, loc *time.Location) (from, until time.Time, ok bool) {
	from, ok = d.first.in(year, loc)
	if !ok {
		return from, until, false
	}
	end := d.last
	if !end.timed {
		end.shift++ // the day after at 0:00
	}
	if end.year != 0 {
		year = end.year
	}
	until, ok = end.in(year, loc)
	if ok && end.year == 0 && !until.After(from) {
		until, ok = end.in(year+1, loc)
	}
	return from, until, ok
}

// in returns when the day, or the minute of it, begins in a year on the clocks of
// loc; ok is false if the year has no such day.
func (c civilDay) in(year int, loc *time.Location) (t time.Time, ok bool) {
	month, day := c.month, c.day
	switch {
	case c.easter:
		month, day = easter(year)
	case c.nth > 0:
		first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday()
		day = 1 + (int(c.weekday-first)+7)%7 + 7*(c.nth-1)
	case c.nth < 0:
		end := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC)
		day = end.Day() - (int(end.Weekday()-c.weekday)+7)%7
	}
	if at := time.Date(year, month, day, 0, 0, 0, 0, time.UTC); at.Month() != month || at.Day() != day {
		return t, false
	}
	return time.Date(year, month, day+c.shift, 0, c.minute, 0, 0, loc), true
}

// easter returns the Gregorian Easter Sunday of a year: the algorithm of Butcher (1876) as in
// Meeus, Astronomical Algorithms, 2nd ed., 1998, ch. 8.
func easter(year int) (time.Month, int) {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	f := (b + 8) / 25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Month(n / 31), n%31 + 1
}
