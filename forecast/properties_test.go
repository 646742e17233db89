package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/upid/upid/collector/series"
)

// propertyCase is a series with what makes its forecast take another way.
type propertyCase struct {
	name     string
	y        series.Series
	horizon  int
	calendar Calendar
}

func propertyCases(t *testing.T) []propertyCase {
	loc := berlin(t)
	rng := rand.New(rand.NewPCG(31, 32))
	y := shop(loc, "2026-03-10", 28, nil, nil)
	gappy := y
	gappy.Values = slices.Clone(y.Values)
	for i := range gappy.Values {
		if i > 650 || rng.IntN(9) == 0 {
			gappy.Values[i] = math.NaN()
		}
	}
	events := []Event{
		{Name: "holiday", Kind: Holiday, Dates: mustDates(t, "2026-03-19", "2026-03-27", "2026-04-10")},
		{Name: "sale", Kind: Special, Dates: mustDates(t, "2026-03-24", "2026-04-06..2026-04-07", "2026-04-09T08:00..2026-04-09T20:00")},
		{Name: "outage", Kind: Exclude, Dates: mustDates(t, "2026-03-13T03:00..2026-03-14T11:00")},
	}
	young := y
	young.Values = y.Values[:40]
	fine := everyFive(9*288, func(i int) float64 { return 100 + 50*math.Sin(2*math.Pi*float64(i)/288) + 9*rng.Float64() })
	negative := hourly(672, func(i int) float64 { return day(i) + 0.1*rng.NormFloat64() })
	return []propertyCase{
		{"plain", y, 168, Calendar{}},
		{"zone", y, 168, Calendar{Location: loc}},
		{"events", y, 168, Calendar{Events: events}},
		{"events and zone", y, 168, Calendar{Location: loc, Events: events}},
		{"gaps", gappy, 48, Calendar{Location: loc}},
		{"new level", fourWeeks(0.02, func(i int) float64 { return 1 + pick(i >= 658, 1.0, 0) }), 168, Calendar{}},
		{"filling", fourWeeks(0.05, func(i int) float64 { return 53 + 1.5*math.Max(0, float64(i-645)) }), 168, Calendar{}},
		{"5 minutes", fine, 600, Calendar{}},
		{"next hour", fine, 12, Calendar{}},
		{"young", young, 24, Calendar{}},
		{"negative", negative, 168, Calendar{Events: events}},
	}
}

// said is everything a forecast says.
func said(f *series.Forecast) string { return fmt.Sprintf("%+v", *f) }

// The order in which a worker meets series, and so whatever its working memory held before, changes
// nothing.
func TestOrderOfSeriesChangesNothing(t *testing.T) {
	auto := mustNew(t, "auto")
	cases := propertyCases(t)
	forecast := func(c propertyCase, s *Scratch) string {
		dst := sized(c.horizon, 0.9)
		if err := auto.Forecast(dst, c.y, c.calendar, s); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		return said(dst)
	}
	alone := map[string]string{}
	for _, c := range cases {
		alone[c.name] = forecast(c, new(Scratch))
	}
	rng := rand.New(rand.NewPCG(33, 34))
	var s Scratch
	for range 4 {
		for _, i := range rng.Perm(len(cases)) {
			if c := cases[i]; forecast(c, &s) != alone[c.name] {
				t.Errorf("%s: the forecast depends on what was forecast before", c.name)
			}
		}
	}
}

// Results do not depend on the unit: exactly for powers of two, to rounding for others.
func TestUnitChangesNothing(t *testing.T) {
	auto := mustNew(t, "auto")
	for _, c := range propertyCases(t) {
		one := sized(c.horizon, 0.9)
		if err := auto.Forecast(one, c.y, c.calendar, new(Scratch)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		scale := 0.0
		for _, v := range one.Point {
			scale = math.Max(scale, math.Abs(v))
		}
		for factor, tolerance := range map[float64]float64{1024: 0, 1.0 / (1 << 20): 0, 1000: 1e-6, 0.007: 1e-6} {
			if len(c.calendar.Events) > 0 {
				tolerance = max(tolerance, 1e-9) // effects are logarithms of values as they are
			}
			y := c.y
			y.Values = slices.Clone(y.Values)
			for i := range y.Values {
				y.Values[i] *= factor
			}
			f := sized(c.horizon, 0.9)
			if err := auto.Forecast(f, y, c.calendar, new(Scratch)); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for k := range f.Point {
				for _, v := range [3][2]float64{{f.Point[k], one.Point[k]}, {f.Lower[k], one.Lower[k]}, {f.Upper[k], one.Upper[k]}} {
					if math.Abs(v[0]/factor-v[1]) > tolerance*scale || math.IsNaN(v[0]) != math.IsNaN(v[1]) {
						t.Fatalf("%s, times %v: step %d is %v, want %v", c.name, factor, k, v[0]/factor, v[1])
					}
				}
			}
			if math.Abs(f.Confidence-one.Confidence) > 1e-6 {
				t.Errorf("%s, times %v: confidence %v, want %v", c.name, factor, f.Confidence, one.Confidence)
			}
		}
	}
}

// Nothing is allocated from the second series of a size on but the text of warnings, whatever way a forecast takes.
func TestNoAllocationOnAnyWay(t *testing.T) {
	for _, c := range propertyCases(t) {
		for _, name := range []string{"auto", "seasonal_naive"} {
			model := mustNew(t, name)
			dst := sized(c.horizon, 0.9)
			var s Scratch
			again := func() {
				if err := model.Forecast(dst, c.y, c.calendar, &s); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 { // find the size
				again()
			}
			const text = 8 // a warning at most
			if got := testing.AllocsPerRun(5, again); got > float64(text*len(dst.Warnings)) {
				t.Errorf("%s, %s: %v allocations, %d warnings", name, c.name, got, len(dst.Warnings))
			}
		}
	}
}
