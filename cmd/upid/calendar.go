package main

import (
	"fmt"
	"os"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/forecast"
)

// calendarFlags say what makes certain days unlike others.
type calendarFlags struct {
	Calendar string `placeholder:"FILE" help:"File with calendars of holidays, events and outages, as under calendars in a configuration; a whole configuration will do."`
}

// calendar returns the events of the file, none without one, in the time zone asked for.
func (f *calendarFlags) calendar(e *env) (forecast.Calendar, error) {
	c := forecast.Calendar{Location: e.loc}
	if f.Calendar == "" {
		return c, nil
	}
	content, err := os.ReadFile(f.Calendar)
	if err != nil {
		return c, fmt.Errorf("read --calendar: %w", err)
	}
	events, err := config.LoadEvents(f.Calendar, content, configChecks())
	if err != nil {
		return c, usageErrorf("%v", err)
	}
	c.Events, err = forecastEvents(events)
	return c, err
}

// forecastEvents turns checked events of a configuration into those of a forecast.
func forecastEvents(events []config.Event) ([]forecast.Event, error) {
	var out []forecast.Event
	for _, e := range events {
		f := forecast.Event{Name: e.Name, Kind: forecast.EventKind(e.Kind), Like: time.Sunday, Dates: nil}
		if e.Like != "" {
			like, err := forecast.ParseWeekday(e.Like)
			if err != nil {
				return nil, fmt.Errorf("event %q: %w", e.Name, err)
			}
			f.Like = like
		}
		for _, text := range e.Dates {
			d, err := forecast.ParseDates(text)
			if err != nil {
				return nil, fmt.Errorf("event %q: %w", e.Name, err)
			}
			f.Dates = append(f.Dates, d)
		}
		out = append(out, f)
	}
	return out, nil
}

func eventKinds() []string {
	var out []string
	for _, k := range forecast.EventKinds() {
		out = append(out, string(k))
	}
	return out
}
