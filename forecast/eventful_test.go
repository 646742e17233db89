package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// shop is a made series in the hours of Berlin: busy on weekdays by day, half as busy on
// Saturdays, a third on Sundays and on what holidays names; times factor at every point. The noise of a point
// depends on its time alone.
func shop(loc *time.Location, from string, days int, holidays []Dates, factor func(time.Time) float64) series.Series {
	start, err := time.Parse(time.DateOnly, from)
	if err != nil {
		panic(err)
	}
	y := series.Series{Start: start.UnixMilli(), Step: hour, Values: make([]float64, 24*days)}
	free := Calendar{Location: loc, Events: []Event{{Kind: Holiday, Dates: holidays}}}
	closed := free.occurrences(nil, y.Start, y.End())
	for i := range y.Values {
		t := time.UnixMilli(y.At(i)).In(loc)
		day := t.Weekday()
		for _, o := range closed {
			if y.At(i) >= o.from && y.At(i) < o.until {
				day = time.Sunday
			}
		}
		level := map[time.Weekday]float64{time.Saturday: 0.5, time.Sunday: 0.3}[day]
		if level == 0 {
			level = 1
		}
		noise := rand.New(rand.NewPCG(uint64(y.At(i)), 7)).NormFloat64()
		v := level * (100 + 80*math.Sin(2*math.Pi*float64(t.Hour()-8)/24)) * math.Exp(0.05*noise)
		if factor != nil {
			v *= factor(t)
		}
		y.Values[i] = v
	}
	return y
}

// cut returns the history of y before the day given and what follows it.
func cut(y series.Series, day string) (series.Series, []float64) {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	past := y
	n := int((at.UnixMilli() - y.Start) / y.Step)
	past.Values = y.Values[:n]
	return past, y.Values[n:]
}

func calendarForecast(t *testing.T, f Forecaster, y series.Series, h int, c Calendar) *series.Forecast {
	t.Helper()
	dst := sized(h, 0.9)
	if err := f.Forecast(dst, y, c, new(Scratch)); err != nil {
		t.Fatal(err)
	}
	for k, p := range dst.Point {
		if l, u := dst.Lower[k], dst.Upper[k]; !finite(p) || l > p || u < p {
			t.Fatalf("step %d: %v, %v, %v", k, l, p, u)
		}
	}
	return dst
}

// off returns the mean absolute error of steps from to before to, relative to the mean of what came.
func off(f *series.Forecast, actual []float64, from, to int) float64 {
	e, sum := 0.0, 0.0
	for k := from; k < to; k++ {
		e += math.Abs(f.Point[k] - actual[k])
		sum += actual[k]
	}
	return e / sum
}

func inside(f *series.Forecast, actual []float64, from, to int) float64 {
	n := 0.0
	for k := from; k < to; k++ {
		if f.Lower[k] <= actual[k] && actual[k] <= f.Upper[k] {
			n++
		}
	}
	return n / float64(to-from)
}

// Events that are neither in the history nor ahead change no byte and cost no memory.
func TestNoEventNoChange(t *testing.T) {
	y := shop(time.UTC, "2026-04-06", 28, nil, nil)
	far := Calendar{Events: []Event{{Name: "christmas", Kind: Holiday, Dates: mustDates(t, "12-25")}}}
	for _, name := range Names() {
		model := mustNew(t, name)
		with, without := calendarForecast(t, model, y, 168, far), calendarForecast(t, model, y, 168, Calendar{})
		if fmt.Sprint(*with) != fmt.Sprint(*without) {
			t.Errorf("%s: a calendar without an event changes the forecast", name)
		}
	}
	var s Scratch
	dst, auto := sized(168, 0.9), mustNew(t, "auto")
	if n := testing.AllocsPerRun(5, func() { _ = auto.Forecast(dst, y, far, &s) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A holiday ahead goes like a Sunday on the clocks of the zone, also while they are
// changed, and the other days stay what they are to the bit.
func TestHolidayAhead(t *testing.T) {
	loc := berlin(t)
	model := mustNew(t, "auto")
	for _, day := range []string{"2026-05-01", "2026-04-03", "2026-03-31"} { // the clock is put forward on 29 March
		y := shop(loc, "2026-02-16", 90, mustDates(t, day), nil)
		at, _ := time.Parse(time.DateOnly, day)
		past, actual := cut(y, at.AddDate(0, 0, -3).Format(time.DateOnly))
		c := Calendar{Location: loc, Events: []Event{{Name: "day", Kind: Holiday, Dates: mustDates(t, day)}}}
		with, without := calendarForecast(t, model, past, 168, c), calendarForecast(t, model, past, 168, Calendar{Location: loc})
		from := int((c.occurrences(nil, 0, math.MaxInt64/2)[0].from - past.End()) / hour)
		before, after := off(without, actual, from, from+24), off(with, actual, from, from+24)
		t.Logf("%s: error on the day %.2f, %.2f without the calendar", day, after, before)
		if after > 0.15 || after > before/5 {
			t.Errorf("%s: error on the day %.2f, %.2f without the calendar", day, after, before)
		}
		if got := inside(with, actual, from, from+24); got < 0.9 {
			t.Errorf("%s: coverage on the day %.2f", day, got)
		}
		for k := range with.Point {
			if k >= from && k < from+24 {
				continue
			}
			if with.Point[k] != without.Point[k] || with.Lower[k] != without.Lower[k] || with.Upper[k] != without.Upper[k] {
				t.Fatalf("%s: step %d differs", day, k)
			}
		}
		if len(with.Warnings) != len(without.Warnings) {
			t.Errorf("%s: %v", day, with.Warnings)
		}
	}
}

// A holiday that was is not learned: the week after is forecast as if it had been none,
// and the interval does not know it.
func TestPastEventsAreNotLearned(t *testing.T) {
	holiday := mustDates(t, "2026-04-29..2026-04-30")
	normal, _ := cut(shop(time.UTC, "2026-04-06", 35, nil, nil), "2026-05-04")
	with, actual := cut(shop(time.UTC, "2026-04-06", 35, holiday, nil), "2026-05-04")
	broken := with
	broken.Values = slices.Clone(normal.Values)
	for i := range 48 {
		broken.Values[23*24+i] = 3000 // a load test on the same days
	}
	for _, name := range []string{"auto", "hour_of_week_median", "week_profile", "seasonal_naive"} {
		model := mustNew(t, name)
		want := calendarForecast(t, model, normal, 168, Calendar{})
		for _, kind := range EventKinds() {
			y := with
			if kind != Holiday {
				y = broken
			}
			got := calendarForecast(t, model, y, 168, Calendar{Events: []Event{{Name: "e", Kind: kind, Dates: holiday}}})
			if off(got, want.Point, 0, 168) > 0.05 {
				t.Errorf("%s, %s: %.3f from the forecast of an undisturbed history", name, kind, off(got, want.Point, 0, 168))
			}
			if a, b := off(got, actual, 0, 168), off(want, actual, 0, 168); a > b+0.02 {
				t.Errorf("%s, %s: error %.3f, undisturbed %.3f", name, kind, a, b)
			}
			if a, b := width(got), width(want); a > 1.3*b {
				t.Errorf("%s, %s: interval %.1f wide, undisturbed %.1f", name, kind, a, b)
			}
			if got.Confidence < want.Confidence-0.1 || len(got.Warnings) != len(want.Warnings) {
				t.Errorf("%s, %s: confidence %.2f, undisturbed %.2f; %v", name, kind, got.Confidence, want.Confidence, got.Warnings)
			}
		}
		// Without the calendar the disturbance is all over the forecast.
		plain := calendarForecast(t, model, broken, 168, Calendar{})
		if name != "hour_of_week_median" && width(plain) < 1.3*width(want) {
			t.Errorf("%s: the disturbance would not have shown", name)
		}
	}
}

func width(f *series.Forecast) float64 {
	sum := 0.0
	for k, u := range f.Upper {
		sum += u - f.Lower[k]
	}
	return sum / float64(len(f.Upper))
}

// Where holidays have been quieter than Sundays, the next one is expected to be, from
// two of them on.
func TestHolidaysAreLearned(t *testing.T) {
	days := mustDates(t, "2026-04-02", "2026-04-15", "2026-05-01")
	quiet := func(at time.Time) float64 {
		switch at.Format(time.DateOnly) {
		case "2026-04-02", "2026-04-15", "2026-05-01":
			return 0.5
		}
		return 1
	}
	y := shop(time.UTC, "2026-03-02", 70, days, quiet)
	past, actual := cut(y, "2026-04-30")
	model := mustNew(t, "auto")
	forecast := func(texts ...string) float64 {
		c := Calendar{Events: []Event{{Name: "public", Kind: Holiday, Dates: mustDates(t, texts...)}}}
		return off(calendarForecast(t, model, past, 168, c), actual, 24, 48)
	}
	none, two := forecast("2026-05-01"), forecast("2026-05-01", "2026-04-02", "2026-04-15")
	t.Logf("error on the day %.2f with two past ones, %.2f with none", two, none)
	if two > none/1.8 || two > 0.5 {
		t.Errorf("error on the day %.2f with two past ones, %.2f with none", two, none)
	}
	if one := forecast("2026-05-01", "2026-04-15"); one < none/1.3 {
		t.Errorf("one past holiday is believed: %.2f, %.2f with none", one, none)
	}
}

// A sale multiplied by three, in the hours from 10 to 14 most. Nothing is made up for the first.
func TestSpecialEvent(t *testing.T) {
	sale := func(at time.Time) float64 {
		switch at.Format(time.DateOnly) {
		case "2026-04-15", "2026-05-07":
			return 2 + 2*pick(at.Hour() >= 10 && at.Hour() < 14, 1.0, 0)
		}
		return 1
	}
	y := shop(time.UTC, "2026-03-30", 50, nil, sale)
	past, actual := cut(y, "2026-05-05")
	model := mustNew(t, "auto")
	event := func(kind EventKind, texts ...string) Calendar {
		return Calendar{Events: []Event{{Name: "sale", Kind: kind, Dates: mustDates(t, texts...)}}}
	}
	base := calendarForecast(t, model, past, 168, event(Exclude, "2026-04-15"))
	known := calendarForecast(t, model, past, 168, event(Special, "2026-04-15", "2026-05-07"))
	t.Logf("error on the day %.2f, %.2f without the calendar", off(known, actual, 48, 72), off(base, actual, 48, 72))
	if e := off(known, actual, 48, 72); e > 0.3 || e > off(base, actual, 48, 72)/2 {
		t.Errorf("error on the day %.2f, %.2f without the calendar", e, off(base, actual, 48, 72))
	}
	if got := inside(known, actual, 48, 72); got < 0.85 {
		t.Errorf("coverage on the day %.2f", got)
	}
	for k := range base.Point {
		if ahead := k >= 48 && k < 72; !ahead && known.Point[k] != base.Point[k] {
			t.Fatalf("step %d differs", k)
		}
	}

	c := event(Special, "2026-05-07")
	c.Events = append(c.Events, event(Exclude, "2026-04-15").Events...)
	first := calendarForecast(t, model, past, 168, c)
	if !slices.Equal(first.Point, base.Point) {
		t.Error("a first event has an effect")
	}
	for k := range base.Point {
		want := 1 + pick(k >= 48 && k < 72, 1.0, 0)
		if got := (first.Upper[k] - first.Point[k]) / (base.Upper[k] - base.Point[k]); math.Abs(got-want) > 1e-9 {
			t.Fatalf("step %d is %v times as wide, want %v", k, got, want)
		}
	}
	const say = `event "sale" on 2026-05-07: the history holds none`
	if n := len(first.Warnings); n != len(base.Warnings)+1 || !strings.Contains(first.Warnings[n-1].Error(), say) {
		t.Errorf("warnings %v, want %q", first.Warnings, say)
	}
}

// Once an event has begun, its own first hours say how it goes.
func TestEventUnderWay(t *testing.T) {
	double := func(at time.Time) float64 { return 1 + pick(at.Format(time.DateOnly) == "2026-05-07", 1.0, 0) }
	y := shop(time.UTC, "2026-04-06", 35, nil, double)
	past := y
	n := 31*24 + 12 // 7 May at noon
	past.Values = y.Values[:n]
	c := Calendar{Events: []Event{{Name: "launch", Kind: Special, Dates: mustDates(t, "2026-05-07")}}}
	f := calendarForecast(t, mustNew(t, "auto"), past, 36, c)
	if today, tomorrow := off(f, y.Values[n:], 0, 12), off(f, y.Values[n:], 12, 36); today > 0.25 || tomorrow > 0.15 {
		t.Errorf("error of the rest of the day %.2f, of the next %.2f", today, tomorrow)
	}
}

// Every model, on grids of every kind, with events anywhere: finite, ordered, not below zero.
func TestEventsOnEveryGrid(t *testing.T) {
	loc := berlin(t)
	r := rand.New(rand.NewPCG(3, 4))
	c := Calendar{Location: loc, Events: []Event{
		{Name: "a", Kind: Holiday, Like: time.Saturday, Dates: mustDates(t, "2026-03-27", "2026-03-31", "04-06")},
		{Name: "b", Kind: Special, Dates: mustDates(t, "2026-03-25T10:00..2026-03-25T11:30", "2026-03-29T01:00..2026-03-29T05:00", "04-03")},
		{Name: "c", Kind: Exclude, Dates: mustDates(t, "2026-03-20..2026-03-22", "2026-03-28T23:00..2026-03-29T03:00")},
	}}
	for _, step := range []time.Duration{5 * time.Minute, 7 * time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour, 48 * time.Hour} {
		for _, lowest := range []float64{0, -50} {
			ms := step.Milliseconds()
			y := series.Series{Start: 1773100800000, Step: ms, Values: make([]float64, 21*dayMillis/ms)} // 10 March
			for i := range y.Values {
				y.Values[i] = lowest + 100*r.Float64()
				if r.IntN(20) == 0 {
					y.Values[i] = math.NaN()
				}
			}
			for _, name := range Names() {
				f := calendarForecast(t, mustNew(t, name), y, int(max(1, min(500, 7*dayMillis/ms))), c)
				if lowest == 0 && (slices.Min(f.Point) < 0 || slices.Min(f.Lower) < 0) {
					t.Errorf("%s, %s: below zero", name, step)
				}
			}
		}
	}
}

// With everything in an event nothing is left to forecast from.
func TestOnlyEvents(t *testing.T) {
	y := shop(time.UTC, "2026-04-06", 3, nil, nil)
	c := Calendar{Events: []Event{{Name: "outage", Kind: Exclude, Dates: mustDates(t, "2026-04-01..2026-04-30")}}}
	err := mustNew(t, "auto").Forecast(sized(24, 0.9), y, c, new(Scratch))
	if err == nil || !strings.Contains(err.Error(), ErrShort.Error()) {
		t.Errorf("err = %v", err)
	}
}

// What is shorter than a step belongs to the step that holds most of it, and what the history
// shows beside the forecast is seen without events.
func TestWithout(t *testing.T) {
	y := shop(time.UTC, "2026-04-06", 28, nil, func(at time.Time) float64 {
		return pick(at.Before(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), 1.0, 0.1)
	})
	f := func(want []int, texts ...string) {
		t.Helper()
		c := Calendar{Events: []Event{{Name: "outage", Kind: Exclude, Dates: mustDates(t, texts...)}}}
		var got []int
		for i, v := range Without(y, c).Values {
			if math.IsNaN(v) {
				got = append(got, i)
			} else if v != y.Values[i] {
				t.Fatalf("point %d changed", i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: gaps at %v, want %v", texts, got, want)
		}
	}
	f([]int{24 + 9}, "2026-04-07T09:10..2026-04-07T09:20")
	f([]int{24 + 10}, "2026-04-07T09:55..2026-04-07T10:15")
	f([]int{24 + 10, 24 + 11}, "2026-04-07T09:40..2026-04-07T12:20")
	f(nil, "2027-04-07", "2026-04-05")
	f([]int{0}, "2026-04-05T20:00..2026-04-06T01:00")

	if p := Patterns(y); len(p.Trends) == 0 && len(p.Changes) == 0 {
		t.Error("the outage would not have shown")
	}
	c := Calendar{Events: []Event{{Name: "outage", Kind: Exclude, Dates: mustDates(t, "2026-05-01..2026-05-31")}}}
	if p := Patterns(Without(y, c)); len(p.Trends) > 0 || len(p.Changes) > 0 {
		t.Errorf("trends %v, changes %v", p.Trends, p.Changes)
	}
}

// TestHolidaysOnTaxi forecasts 18 times across six public holidays in the demand for taxis in
// New York (NAB), from 1, 3 and 6 days before; the calendar holds only these days.
func TestHolidaysOnTaxi(t *testing.T) {
	var y series.Series
	eachLine(t, "nab_hourly.csv.gz", func(cells []string) {
		if cells[0] == "nab_nyc_taxi" {
			y = series.Series{Start: 1000 * int64(number(t, cells[1])), Step: 1000 * int64(number(t, cells[2])), Values: gappy(t, cells[3:])}
		}
	})
	days := []string{"2014-09-01", "2014-11-27", "2014-11-28", "2014-12-25", "2015-01-01", "2015-01-19"}
	c := Calendar{Events: []Event{{Name: "public", Kind: Holiday, Dates: mustDates(t, append(days, "2014-07-04")...)}}}
	model := mustNew(t, "auto")
	f := func(history int, most, mostWeek float64) {
		t.Helper()
		logDay, logWeek, n, covered, coveredBefore := 0.0, 0.0, 0.0, 0.0, 0.0
		for _, day := range days {
			for _, ahead := range []int{1, 3, 6} {
				at, _ := time.Parse(time.DateOnly, day)
				past, actual := cut(y, at.AddDate(0, 0, 1-ahead).Format(time.DateOnly))
				past = past.Slice(max(past.Start, past.End()-int64(history)*dayMillis), past.End())
				with, without := calendarForecast(t, model, past, 168, c), calendarForecast(t, model, past, 168, Calendar{})
				from := 24 * (ahead - 1)
				logDay += math.Log(off(with, actual, from, from+24) / off(without, actual, from, from+24))
				logWeek += math.Log(off(with, actual, 0, 168) / off(without, actual, 0, 168))
				covered += inside(with, actual, from, from+24)
				coveredBefore += inside(without, actual, from, from+24)
				n++
			}
		}
		day, week := math.Exp(logDay/n), math.Exp(logWeek/n)
		t.Logf("%d days of history: error on the day %.3f of that without the calendar, of the week %.3f; coverage at 0.9 on the day %.2f, %.2f without",
			history, day, week, covered/n, coveredBefore/n)
		if day > most || week > mostWeek || covered/n < 0.85 {
			t.Errorf("%d days: error on the day %.3f of that without, want at most %v; week %.3f, want at most %v; coverage %.2f",
				history, day, most, week, mostWeek, covered/n)
		}
	}
	f(28, 0.9, 0.96)
	f(60, 0.8, 0.95)
	f(200, 0.65, 0.87)
}
