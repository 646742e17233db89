package config

import (
	"fmt"
	"slices"
	"strings"
)

// Calendar is a named list of events.
type Calendar struct {
	Name       string
	AllSignals bool // for every signal that names no calendars itself
	Events     []Event
}

// Event is what makes certain days or hours unlike others; see forecast.Event.
type Event struct {
	Name  string
	Kind  string
	Like  string // lower-case day of the week, of holidays
	Dates []string
}

type rawCalendar struct {
	Name       string     `yaml:"name"`
	AllSignals *bool      `yaml:"all_signals"`
	Events     []rawEvent `yaml:"events"`
}

type rawEvent struct {
	Name  string   `yaml:"name"`
	Kind  string   `yaml:"kind"`
	Like  string   `yaml:"like"`
	Dates []string `yaml:"dates"`
}

const holiday = "holiday"

// readCalendars checks the calendars of the file and keeps them for its signals.
func (v *validator) readCalendars(raws []rawCalendar) {
	lines := map[string]int{}
	for i, raw := range raws {
		at := func(text string, sub ...any) { v.at(text, slices.Concat([]any{"calendars", i}, sub)...) }
		c := Calendar{Name: raw.Name, AllSignals: raw.AllSignals == nil || *raw.AllSignals, Events: nil}
		if !signalName.MatchString(c.Name) {
			at(fmt.Sprintf("%q, want 1 to 63 lower-case letters, digits, _ or -, such as public_holidays", c.Name), "name")
		} else if line, dup := lines[c.Name]; dup {
			at(fmt.Sprintf("%q is already defined by line %d", c.Name, line), "name")
		} else {
			lines[c.Name] = v.line("calendars", i)
		}
		if len(raw.Events) == 0 {
			at("missing; name at least one, with its dates", "events")
		}
		for k, e := range raw.Events {
			if e.Name != "" && slices.ContainsFunc(c.Events, func(other Event) bool { return other.Name == e.Name }) {
				at(fmt.Sprintf("%q is listed twice; put all its dates under one", e.Name), "events", k, "name")
			}
			c.Events = append(c.Events, v.event(e, "calendars", i, "events", k))
		}
		v.calendars = append(v.calendars, c)
	}
}

func (v *validator) event(raw rawEvent, path ...any) Event {
	at := func(text string, sub ...any) { v.at(text, slices.Concat(path, sub)...) }
	e := Event{Name: raw.Name, Kind: or(raw.Kind, holiday), Like: "", Dates: raw.Dates}
	if e.Name == "" || len(e.Name) > 100 {
		at(fmt.Sprintf("%.20q, want 1 to 100 letters", e.Name), "name")
	}
	if !slices.Contains(v.checks.EventKinds, e.Kind) {
		at(fmt.Sprintf("%q, want one of %s", e.Kind, strings.Join(v.checks.EventKinds, ", ")), "kind")
	}
	if e.Kind == holiday {
		e.Like = or(raw.Like, "sunday")
		if err := v.checks.Weekday(e.Like); err != nil {
			at(err.Error(), "like")
		}
	} else if raw.Like != "" {
		at("is for holidays only", "like")
	}
	if len(e.Dates) == 0 {
		at("missing; give days such as 2026-12-24, 12-24, easter+1 or 4th thursday of november", "dates")
	}
	for i, d := range e.Dates {
		if err := v.checks.Dates(d); err != nil {
			at(err.Error(), "dates", i)
		}
	}
	return e
}

// calendarsOf returns the names of a signal's calendars and their events: those it
// names, or all that are for all signals.
func (v *validator) calendarsOf(named []string, path ...any) (names []string, events []Event) {
	if named == nil {
		for _, c := range v.calendars {
			if c.AllSignals {
				names, events = append(names, c.Name), append(events, c.Events...)
			}
		}
		return names, events
	}
	for i, name := range named {
		k := slices.IndexFunc(v.calendars, func(c Calendar) bool { return c.Name == name })
		switch {
		case k < 0:
			v.at(fmt.Sprintf("%q is not defined under calendars", name), slices.Concat(path, []any{"calendars", i})...)
		case slices.Contains(names, name):
			v.at(fmt.Sprintf("%q is listed twice", name), slices.Concat(path, []any{"calendars", i})...)
		default:
			names, events = append(names, name), append(events, v.calendars[k].Events...)
		}
	}
	return names, events
}

// LoadEvents reads the events of every calendar in a file, which may be a whole configuration.
// Its error lists every mistake in them, each as file:line: path: what is wrong.
func LoadEvents(path string, content []byte, c Checks) ([]Event, error) {
	raw, p, err := decode(path, content)
	if err != nil {
		return nil, err
	}
	v := &validator{problems: p, checks: c, roads: nil, calendars: nil}
	if len(raw.Calendars) == 0 && len(p.list) == 0 {
		v.at("missing; name at least one calendar", "calendars")
	}
	v.readCalendars(raw.Calendars)
	if err := p.err(); err != nil {
		return nil, err
	}
	var events []Event
	for _, c := range v.calendars {
		events = append(events, c.Events...)
	}
	return events, nil
}
