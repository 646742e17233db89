package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/upid/upid/collector/series"
)

// A wider level has a wider band around the same forecast: on every grid, for every horizon, after a move, through daylight saving,
// with events in the history and ahead, and where a level has no bound a wider one has none either.
func TestBandsNest(t *testing.T) {
	loc := berlin(t)
	auto := mustNew(t, "auto")
	rng := rand.New(rand.NewPCG(21, 22))
	var s Scratch
	c := Calendar{Location: loc, Events: []Event{
		{Name: "holiday", Kind: Holiday, Dates: mustDates(t, "2026-03-20", "2026-03-27", "2026-04-03")},
		{Name: "sale", Kind: Special, Dates: mustDates(t, "2026-03-24", "2026-04-01T08:00..2026-04-01T20:00")},
		{Name: "first", Kind: Special, Dates: mustDates(t, "2026-03-31")},
	}}
	const end = 1774828800000 // 30 March 2026, a day after the clock was put forward
	for _, step := range []int64{minutes5, 3 * minutes5, 6 * minutes5, hour, 6 * hour} {
		perHour := float64(hour) / float64(step)
		for _, days := range map[bool][]int64{true: {2, 9}, false: {2, 5, 28}}[step < hour] {
			n := int(days * dayMillis / step)
			for kind, f := range map[string]func(h float64) float64{
				"season": func(h float64) float64 { return 100 + 40*math.Sin(2*math.Pi*h/24) + 5*rng.NormFloat64() },
				"move": func(h float64) float64 {
					return 100 + 40*math.Sin(2*math.Pi*h/24) + 5*rng.NormFloat64() + pick(float64(days)*24-h < 14, 400, 0)
				},
				"fill": func(h float64) float64 { return 50 + rng.NormFloat64() + 2*math.Max(0, h-float64(days)*24+26) },
				"bursts": func(h float64) float64 {
					return math.Abs(rng.NormFloat64()) * pick(math.Mod(h, 5) < 0.5, 500, 1)
				},
			} {
				y := series.Series{Start: end - int64(n)*step, Step: step, Values: make([]float64, n)}
				for i := range y.Values {
					y.Values[i] = f(float64(i) / perHour)
				}
				for _, h := range []int{1, max(1, int(perHour)), max(1, int(26*perHour)), max(1, int(168*perHour))} {
					for _, calendar := range []Calendar{{}, c} {
						nested(t, fmt.Sprintf("%s, step %s, %d days, %d steps, %d events", kind, millis(step), days, h, len(calendar.Events)), auto, &s, y, h, calendar)
					}
				}
			}
		}
	}
}

func nested(t *testing.T, what string, f Forecaster, s *Scratch, y series.Series, h int, c Calendar) {
	t.Helper()
	var narrow *series.Forecast
	for _, level := range []float64{0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999} {
		wide := sized(h, level)
		if err := f.Forecast(wide, y, c, s); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for k, p := range wide.Point {
			l, u := wide.Lower[k], wide.Upper[k]
			if math.IsNaN(p) || l > p || p > u || math.IsNaN(l) != math.IsNaN(u) {
				t.Fatalf("%s: step %d at %v: %v, %v, %v", what, k, level, l, p, u)
			}
			if narrow == nil {
				continue
			}
			if p != narrow.Point[k] {
				t.Fatalf("%s: step %d is %v at %v and %v at %v", what, k, narrow.Point[k], narrow.Level, p, level)
			}
			tolerance := 1e-9 * math.Abs(p)
			if l > narrow.Lower[k]+tolerance || u < narrow.Upper[k]-tolerance || math.IsNaN(narrow.Lower[k]) && !math.IsNaN(l) {
				t.Errorf("%s: step %d: [%v, %v] at %v is not inside [%v, %v] at %v", what, k, narrow.Lower[k], narrow.Upper[k], narrow.Level, l, u, level)
				return
			}
		}
		narrow = wide
	}
}
