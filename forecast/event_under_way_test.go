package forecast

import (
	"math"
	"testing"
	"time"
)

// An event under way that goes as the past ones did goes on as they did: what is known of them counts once, whatever
// the days of the week it goes on over.
func TestEventUnderWayAsBefore(t *testing.T) {
	model := mustNew(t, "auto")
	f := func(kind EventKind, days []string, cut int, factor, most float64) {
		t.Helper()
		of := map[string]bool{}
		for _, d := range days {
			dates := mustDates(t, d)[0]
			from, until, _ := dates.in(2026, time.UTC)
			for at := from; at.Before(until); at = at.AddDate(0, 0, 1) {
				of[at.Format(time.DateOnly)] = true
			}
		}
		var closed []Dates
		if kind == Holiday {
			closed = mustDates(t, days...)
		}
		y := shop(time.UTC, "2026-03-02", 70, closed, func(at time.Time) float64 { return pick(of[at.Format(time.DateOnly)], factor, 1) })
		past := y
		past.Values = y.Values[:cut]
		c := Calendar{Events: []Event{{Name: "sale", Kind: kind, Dates: mustDates(t, days...)}}}
		got := calendarForecast(t, model, past, 24, c)
		rest := 24 - cut%24
		if cut%24 == 0 {
			rest = 24
		}
		said, came := 0.0, 0.0
		for k := range rest {
			said, came = said+got.Point[k], came+y.Values[cut+k]
		}
		bias := math.Log(said / came)
		t.Logf("%s, %v, from hour %d: %+.2f", kind, days, cut, bias)
		if math.Abs(bias) > most {
			t.Errorf("%s, %v, from hour %d of the day: forecast times e^%.2f what came", kind, days, cut%24, bias)
		}
	}
	const thursday, friday = 59*24 + 12, 60 * 24 // 30 April at noon, 1 May at 0:00
	for _, factor := range []float64{0.4, 2} {
		f(Special, []string{"2026-04-02", "2026-04-14", "2026-04-30"}, thursday, factor, 0.15)
		f(Special, []string{"2026-04-30"}, thursday, factor, 0.25) // six points of it: three quarters are believed
		f(Holiday, []string{"2026-04-02", "2026-04-14", "2026-04-21", "2026-04-30"}, thursday, factor, 0.15)
		f(Special, []string{"2026-04-02..2026-04-03", "2026-04-14..2026-04-15", "2026-04-30..2026-05-01"}, friday, factor, 0.15)
		f(Holiday, []string{"2026-04-02", "2026-04-14", "2026-04-30..2026-05-01"}, friday, factor, 0.15)
	}
	f(Holiday, []string{"2026-04-30..2026-05-01"}, friday, 1, 0.05)
	f(Holiday, []string{"2026-03-18", "2026-03-25", "2026-04-30..2026-05-01"}, friday, 1, 0.05)
}
