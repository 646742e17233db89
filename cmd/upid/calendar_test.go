package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/forecast"
)

// office is hours of 28 days from a Monday on: 100 on weekdays, 20 at weekends.
func office() string {
	var b strings.Builder
	b.WriteString("timestamp,office\n")
	for i := range 28 * 24 {
		v := 100
		if i/24%7 >= 5 {
			v = 20
		}
		fmt.Fprintf(&b, "%d,%d\n", monday+3600*i, v+i%3)
	}
	return b.String()
}

func calendarFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calendar.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestForecast_calendar(t *testing.T) {
	const day = 30 // a Wednesday, the third day ahead
	date := func(d int) string { return time.Unix(monday+int64(d)*86400, 0).UTC().Format(time.DateOnly) }
	file := calendarFile(t, "calendars:\n  - name: public\n    events:\n      - {name: day off, dates: ["+date(day)+"]}\n")
	with := forecastRows(t, office(), "forecast --input - --horizon 7d --calendar "+file)
	without := forecastRows(t, office(), "forecast --input - --horizon 7d")
	for i := range with {
		value, err := strconv.ParseFloat(with[i][2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if i/24 == day-28 {
			if value < 18 || value > 25 {
				t.Errorf("row %d is %v, want about 20", i, value)
			}
		} else if !reflect.DeepEqual(with[i], without[i]) {
			t.Errorf("row %d is %v, %v without a calendar", i, with[i], without[i])
		}
	}
	upid(t, office(), "backtest --input - --horizon 1d --folds 2 -o csv --calendar "+file).want(t, exitOK)

	// Of the first event of its kind nothing is known, and that is said.
	file = calendarFile(t, "calendars:\n  - name: sales\n    events:\n      - {name: sale, kind: event, dates: ["+date(day)+"]}\n")
	o := upid(t, office(), "forecast --input - --horizon 7d -o csv --calendar "+file)
	if say := `event "sale" on ` + date(day) + ": the history holds none"; o.code != exitOK || !strings.Contains(o.stderr, say) {
		t.Errorf("%d, %s, want %q", o.code, o.stderr, say)
	}
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		same := reflect.DeepEqual(row, without[i])
		if row[2] != without[i][2] || same == (i/24 == day-28) {
			t.Errorf("row %d is %v, %v without a calendar", i, row, without[i])
		}
	}
}

func TestForecast_badCalendar(t *testing.T) {
	file := calendarFile(t, "calendars:\n  - name: public\n    events:\n      - {name: a, dates: [soon]}\n      - {name: b, knd: event, dates: [12-25]}\n")
	o := upid(t, office(), "forecast --input - --calendar "+file)
	o.want(t, exitUsage, "calendar.yaml:4: calendars[0].events[0].dates[0]: ", `calendar.yaml:5: unknown key "knd", did you mean "kind"?`)
	upid(t, office(), "forecast --input - --calendar none.yaml").want(t, exitFailure, "none.yaml")
}

// Calendars change what a signal learns, so that it must learn afresh.
func TestTaskKey_calendars(t *testing.T) {
	key := func(text string) string {
		cfg, err := config.Parse("test", []byte(text+"signals: [{name: a, query: sum(up)}]"), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		ts, _, err := tasks(cfg, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return ts[0].Key
	}
	const calendar = "calendars: [{name: c, events: [{name: e, dates: [12-25]}]}]\n"
	switch a, b := key(""), key(calendar); {
	case a == b:
		t.Error("a calendar changes nothing")
	case b != key(calendar):
		t.Error("the same calendar is another one")
	case b == key(strings.Replace(calendar, "12-25", "12-26", 1)):
		t.Error("another date changes nothing")
	}
}

func TestForecastEvents(t *testing.T) {
	got, err := forecastEvents([]config.Event{
		{Name: "a", Kind: "holiday", Like: "saturday", Dates: []string{"12-24"}}, {Name: "b", Kind: "exclude", Dates: []string{"2026-01-02"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Like != time.Saturday || got[0].Kind != forecast.Holiday || got[1].Kind != forecast.Exclude || got[1].Dates[0].String() != "2026-01-02" {
		t.Errorf("%+v", got)
	}
	if !reflect.DeepEqual(eventKinds(), []string{"holiday", "event", "exclude"}) {
		t.Errorf("kinds %v", eventKinds())
	}
}
