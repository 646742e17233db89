package forecast

import (
	"strings"
	"testing"
	"time"
)

func mustDates(t *testing.T, texts ...string) []Dates {
	t.Helper()
	var out []Dates
	for _, text := range texts {
		d, err := ParseDates(text)
		if err != nil {
			t.Fatal(err)
		}
		if d.String() != text {
			t.Errorf("%q reads as %q", text, d.String())
		}
		out = append(out, d)
	}
	return out
}

// Days of calendars that were looked up: Easter in the table of the US Census Bureau, Thanksgiving
// and Memorial Day in that of the US Office of Personnel Management.
func TestDates(t *testing.T) {
	loc := berlin(t)
	const layout = "2006-01-02T15:04"
	f := func(text, from, until string, want ...string) {
		t.Helper()
		at := func(s string) int64 {
			v, err := time.ParseInLocation(layout, s+"T00:00", loc)
			if err != nil {
				t.Fatal(err)
			}
			return v.UnixMilli()
		}
		var got []string
		for _, o := range mustDates(t, text)[0].occurrences(nil, 0, at(from), at(until), loc) {
			got = append(got, time.UnixMilli(o.from).In(loc).Format(layout)+" "+time.UnixMilli(o.until).In(loc).Format(layout))
		}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s:\ngot  %v\nwant %v", text, got, want)
		}
	}
	f("2026-12-24", "2026-12-20", "2026-12-31", "2026-12-24T00:00 2026-12-25T00:00")
	f("2026-12-24", "2026-12-25", "2026-12-31") // what is over does not overlap
	f("2026-12-24..2026-12-26", "2026-12-20", "2026-12-25", "2026-12-24T00:00 2026-12-27T00:00")
	f("2026-11-27T18:00..2026-11-28T02:30", "2026-11-01", "2026-12-01", "2026-11-27T18:00 2026-11-28T02:30")
	f("2026-11-27T18:00..2026-11-28", "2026-11-01", "2026-12-01", "2026-11-27T18:00 2026-11-29T00:00")
	f("2026-11-27T18:00..2026-11-27T24:00", "2026-11-01", "2026-12-01", "2026-11-27T18:00 2026-11-28T00:00")
	f("12-24", "2025-06-01", "2027-06-01", "2025-12-24T00:00 2025-12-25T00:00", "2026-12-24T00:00 2026-12-25T00:00")
	f("12-31T20:00..01-01T04:00", "2026-01-01", "2027-01-01", "2025-12-31T20:00 2026-01-01T04:00", "2026-12-31T20:00 2027-01-01T04:00")
	f("12-30..01-02", "2027-01-01", "2027-02-01", "2026-12-30T00:00 2027-01-03T00:00")
	f("02-29", "2023-01-01", "2026-01-01", "2024-02-29T00:00 2024-03-01T00:00")
	f("easter-2", "2026-01-01", "2026-12-31", "2026-04-03T00:00 2026-04-04T00:00")
	f("easter+800", "2026-06-01", "2026-12-31", "2026-06-09T00:00 2026-06-10T00:00") // of 2024, 31 March
	f("easter-999", "2026-01-01", "2026-12-31", "2026-07-07T00:00 2026-07-08T00:00") // of 2029, 1 April
	f("easter..easter+1", "2024-01-01", "2025-12-31", "2024-03-31T00:00 2024-04-02T00:00", "2025-04-20T00:00 2025-04-22T00:00")
	f("4th thursday of november", "2014-01-01", "2016-01-01", "2014-11-27T00:00 2014-11-28T00:00", "2015-11-26T00:00 2015-11-27T00:00")
	f("4th thursday of november +1", "2014-01-01", "2015-01-01", "2014-11-28T00:00 2014-11-29T00:00")
	f("last monday of may", "2026-01-01", "2027-01-01", "2026-05-25T00:00 2026-05-26T00:00")
	f("5th monday of march", "2024-01-01", "2026-01-01", "2025-03-31T00:00 2025-04-01T00:00") // 2024 has none
	// The day on which the clock is put forward has 23 hours.
	d := mustDates(t, "2026-03-29")[0].occurrences(nil, 0, 0, time.Now().UnixMilli()*2, loc)
	if got := d[0].until - d[0].from; got != 23*hour {
		t.Errorf("2026-03-29 in Berlin has %d ms", got)
	}
}

func TestEaster(t *testing.T) {
	for _, want := range []string{"1961-04-02", "2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"} {
		at, err := time.Parse(time.DateOnly, want)
		if err != nil {
			t.Fatal(err)
		}
		if m, d := easter(at.Year()); m != at.Month() || d != at.Day() {
			t.Errorf("Easter of %d is %s %d, want %s", at.Year(), m, d, want)
		}
	}
}

func TestParseDatesRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseDates(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("", "is no day")
	f("christmas", "is no day")
	f("2026-13-01", "there is no day 2026-13-01")
	f("2026-02-29", "there is no day 2026-02-29")
	f("02-30", "there is no day 02-30")
	f("0000-01-01", "there is no day")
	f("2026-12-24T18:00", "needs an end")
	f("2026-12-24T25:00..2026-12-25", "25:00 is no time of day")
	f("2026-12-24..12-26", "one end has a year")
	f("2026-12-26..2026-12-24", "the end is not after")
	f("4th thirstday of november", "no day of the week")
	f("4th thursday of smarch", "no month")
	f("6th thursday of november", "is no day")
	f("easter+1000", "is no day")
}

func FuzzParseDates(f *testing.F) {
	for _, s := range []string{"2026-12-24..2026-12-26", "12-31T20:00..01-01T04:00", "easter+1", "last monday of may -3T06:00..easter"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDates(text)
		if err != nil {
			return
		}
		for _, o := range d.occurrences(nil, 0, 0, 400*dayMillis, time.UTC) {
			if o.until <= o.from {
				t.Errorf("%q ends at %d and begins at %d", text, o.until, o.from)
			}
		}
	})
}
