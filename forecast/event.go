package forecast

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// EventKind says what an event does to a series.
type EventKind string

// The kinds of events. None of them is learned from as if it were an ordinary day.
const (
	Holiday EventKind = "holiday" // the day goes like another day of the week
	Special EventKind = "event"   // the series is multiplied by what it was multiplied by before
	Exclude EventKind = "exclude" // an outage or the like in the past; says nothing about the future
)

// EventKinds returns every kind.
func EventKinds() []EventKind { return []EventKind{Holiday, Special, Exclude} }

// Event is something that makes certain days or hours unlike others. Events of one
// name and kind are occurrences of the same thing.
type Event struct {
	Name  string
	Kind  EventKind
	Like  time.Weekday // the day a holiday goes like; the zero value is Sunday
	Dates []Dates
}

// ParseWeekday reads the English name of a day of the week in lower case.
func ParseWeekday(s string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.ToLower(d.String()) == s {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is no day of the week such as sunday", s)
}

// occurrence is one time an event takes place, [from, until) in Unix milliseconds.
type occurrence struct {
	event       int // index in the calendar
	from, until int64
}

// occurrences appends what of the calendar overlaps [from, until) (milliseconds) to dst,
// what has precedence last: exclusions after events after holidays, of one kind what comes first in the
// calendar last.
func (c Calendar) occurrences(dst []occurrence, from, until int64) []occurrence {
	loc := c.Location
	if loc == nil {
		loc = time.UTC
	}
	for i, e := range c.Events {
		for _, d := range e.Dates {
			dst = d.occurrences(dst, i, from, until, loc)
		}
	}
	rank := func(k EventKind) int { return slices.Index([]EventKind{Holiday, Special, Exclude}, k) }
	slices.SortStableFunc(dst, func(a, b occurrence) int {
		if d := rank(c.Events[a.event].Kind) - rank(c.Events[b.event].Kind); d != 0 {
			return d
		}
		return b.event - a.event
	})
	return dst
}
