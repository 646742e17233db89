package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

const oneDay = 24 * time.Hour

func TestTrend(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	f := func(what string, value func(i int) float64, want map[time.Duration]float64) {
		t.Helper()
		p := Patterns(hourly(672, value))
		if len(p.Trends) != len(want) {
			t.Errorf("%s: got %v, want %v", what, p.Trends, want)
			return
		}
		for _, trend := range p.Trends {
			w, ok := want[trend.Window]
			if !ok || math.Abs(trend.Ratio-w) > 0.1*math.Abs(w) {
				t.Errorf("%s: got %v, want %v", what, trend, want)
			}
		}
	}
	noise := func() float64 { return rng.NormFloat64() }
	f("noise", func(int) float64 { return 50 + noise() }, nil)
	f("day", func(i int) float64 { return daily(i) + noise() }, nil)
	f("weekdays", func(i int) float64 { return 50 + pick(i/24%7 < 5, 10, 0) + noise() }, nil)
	f("rise", func(i int) float64 { return daily(i) - daily(0) + 50 + 0.02*float64(i) + 0.05*noise() }, map[time.Duration]float64{28 * oneDay: 13.44 / trendLevel(0), 7 * oneDay: 3.36 / trendLevel(504)})
	f("fall", func(i int) float64 { return 100 - 0.05*float64(i) + 0.2*noise() }, map[time.Duration]float64{28 * oneDay: -33.6 / 100, 7 * oneDay: -8.4 / 74.8})
	f("rise with weekdays", func(i int) float64 { return 50 + 0.02*float64(i) + pick(i/24%7 < 5, 10, 0) + 0.2*noise() }, map[time.Duration]float64{28 * oneDay: 13.44 / 57.1, 7 * oneDay: 3.36 / 67.2})
	level := 0.0
	f("random walk", func(int) float64 { level = 0.98*level + noise(); return 100 + level }, nil)
}

// trendLevel is the daily median of the rising series of TestTrend where a window begins.
func trendLevel(from int) float64 {
	days := dailyLevels(hourly(24, func(i int) float64 {
		i += from
		return daily(i) - daily(0) + 50 + 0.02*float64(i)
	}).Values, 24)
	return days[0] - 0.02*12
}

// What is positive falls by less than 100 %, however it falls; what grew tenfold has grown by 900 %; a
// ratio to zero, or across it, is none.
func TestTrendIsRelativeToItsBeginning(t *testing.T) {
	f := func(what string, day func(i float64) float64, want float64) {
		t.Helper()
		days := make([]float64, 28)
		for i := range days {
			days[i] = day(float64(i) + 0.5)
		}
		got, ok := trend(days, 28)
		if ok != finite(want) {
			t.Fatalf("%s: %v, %v, want %v", what, got, ok, want)
		}
		if ok {
			closeTo(t, got.Ratio, want, 1e-9)
		}
	}
	f("to almost nothing", func(i float64) float64 { return 100 - 99*i/28 }, -0.99)
	f("tenfold", func(i float64) float64 { return 10 + 90*i/28 }, 9)
	f("doubled below zero", func(i float64) float64 { return -10 - 10*i/28 }, -1)
	f("across zero", func(i float64) float64 { return -10 + 90*i/28 }, math.NaN())
	f("from zero on", func(i float64) float64 { return i - 0.5 }, math.NaN())
	// 16, 8 … ¼: the line ends below zero, the levels do not.
	days := make([]float64, 7)
	for i := range days {
		days[i] = math.Exp2(4 - float64(i))
	}
	got, ok := trend(days, 7)
	if !ok || got.Ratio <= -1 || got.Ratio > -0.9 {
		t.Errorf("a convex fall: %v, %v", got, ok)
	}
}

// Days that are missing are days all the same: a rise goes on through them, and the levels on both sides of them
// are no neighbours.
func TestTrendOverMissingDays(t *testing.T) {
	closeTo(t, autocorrelation([]float64{1, -1, math.NaN(), 1, -1}), -0.5, 1e-12)
	rng := rand.New(rand.NewPCG(8, 9))
	lost := 0
	for range 200 {
		days := make([]float64, 28)
		for i := range days {
			days[i] = 100 + 0.5*float64(i) + 0.2*rng.NormFloat64()
		}
		_, whole := trend(days, 28)
		for i := 11; i < 16; i++ {
			days[i] = math.NaN()
		}
		if _, part := trend(days, 28); whole && !part {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("of 200 trends %d are lost with five days", lost)
	}
}

// Of 1,000 series without a trend one in a hundred may have one in 28 days: 10, and
// 20 is three deviations more. Half as many have one in 7 days: only a strict order counts.
func TestTrendIsRare(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	found := map[time.Duration]int{}
	for range 1000 {
		level := 0.0
		y := hourly(672, func(int) float64 {
			level = 0.9*level + rng.NormFloat64()
			return 200 + level
		})
		for _, trend := range Patterns(y).Trends {
			found[trend.Window]++
		}
	}
	if found[28*oneDay] > 20 || found[7*oneDay] > 20 {
		t.Errorf("found %v of 1,000", found)
	}
}

func TestSeasonsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	f := func(what string, y series.Series, want ...time.Duration) {
		t.Helper()
		got := Patterns(y).Seasons
		if len(got) != len(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
		for i, s := range got {
			if s.Length != want[i] || s.Strength < leastStrength || s.Strength > 1 {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
	}
	noise := func() float64 { return 3 * rng.NormFloat64() }
	sine := func(i int, period float64) float64 { return 10 * math.Sin(2*math.Pi*float64(i)/period) }
	f("noise", hourly(672, func(int) float64 { return noise() }))
	f("constant", hourly(672, constant))
	f("day", hourly(672, func(i int) float64 { return sine(i, 24) + noise() }), oneDay)
	f("half day", hourly(672, func(i int) float64 { return sine(i, 12) + noise() }), oneDay/2)
	f("week", hourly(672, func(i int) float64 { return pick(i/24%7 < 5, 10, 0) + noise() }), 7*oneDay)
	f("day and week", hourly(672, func(i int) float64 { return sine(i, 24) + pick(i/24%7 < 5, 10, 0) + noise() }), 7*oneDay, oneDay)
	f("job at 3", hourly(672, func(i int) float64 { return pick(i%24 == 3, 60, 0) + noise() }), oneDay)
	f("job every hour", everyFive(20*288, func(i int) float64 { return pick(i%12 == 4, 30, 0) + noise() }), time.Hour)
	f("gaps", hourly(672, func(i int) float64 { return pick(i%5 == 0, math.NaN(), sine(i, 24)+noise()) }), oneDay)
}

func TestChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	y := hourly(672, func(i int) float64 { return daily(i) + pick(i >= 12*24, 60, 0) + rng.NormFloat64() })
	got := Patterns(y).Changes
	if len(got) != 1 || got[0].Time != y.At(12*24) || got[0].After-got[0].Before < 50 {
		t.Errorf("got %v, want one at %d", got, y.At(12*24))
	}
	if got := Patterns(hourly(672, func(i int) float64 { return daily(i) + rng.NormFloat64() })).Changes; got != nil {
		t.Errorf("got %v, want none", got)
	}
}

func TestWeekOverWeek(t *testing.T) {
	closeTo(t, Patterns(hourly(336, func(i int) float64 { return pick(i < 168, 10, 12) })).WeekOverWeek, 0.2, 1e-12)
	closeTo(t, Patterns(hourly(335, constant)).WeekOverWeek, math.NaN(), 0)
	closeTo(t, Patterns(hourly(336, func(i int) float64 { return pick(i < 168, 0, 12) })).WeekOverWeek, math.NaN(), 0)
}

// A steady rise is a trend, and neither a season nor a change.
func TestLineIsOnlyATrend(t *testing.T) {
	rng := rand.New(rand.NewPCG(29, 30))
	for _, noise := range []float64{0, 5} {
		p := Patterns(hourly(672, func(i int) float64 { return 1000 + 3*float64(i) + noise*rng.NormFloat64() }))
		if len(p.Trends) != 2 || p.Seasons != nil || p.Changes != nil {
			t.Errorf("noise %v: got %+v", noise, p)
		}
	}
}

// Of chance alone at most 5 % have a season, a change or a trend, be it white or slowly wandering.
func TestPatternsOfChance(t *testing.T) {
	const runs = 400
	f := func(what string, ar float64, days int) {
		t.Helper()
		rng := rand.New(rand.NewPCG(41, uint64(100*ar)))
		seasons, changes, trends := 0, 0, 0
		for range runs {
			level := 0.0
			y := hourly(24*days, func(int) float64 {
				level = ar*level + rng.NormFloat64()
				return 100 + level
			})
			p := Patterns(y)
			seasons += min(1, len(p.Seasons))
			changes += min(1, len(p.Changes))
			trends += min(1, len(p.Trends))
		}
		t.Logf("%s, %d days: %d seasons, %d changes, %d trends of %d", what, days, seasons, changes, trends, runs)
		if most := runs / 20; seasons > most || changes > most || trends > most {
			t.Errorf("%s, %d days: %d seasons, %d changes, %d trends of %d, want at most %d", what, days, seasons, changes, trends, runs, most)
		}
	}
	for _, days := range []int{7, 14, 28, 56} {
		f("white noise", 0, days)
		f("noise with memory of two hours", 0.6, days)
		f("noise with memory of ten hours", 0.9, days)
		f("noise with memory of two days", 0.98, days)
	}
}

// Hostile histories have no patterns, or finite ones.
func TestPatternsHostile(t *testing.T) {
	for _, y := range []series.Series{
		{},
		hourly(0, constant), hourly(1, constant),
		{Step: 7 * hour, Values: make([]float64, 500)},
		hourly(672, func(int) float64 { return math.NaN() }), hourly(672, func(i int) float64 { return pick(i%2 == 0, math.Inf(1), math.NaN()) }),
		hourly(672, func(i int) float64 { return pick(i%3 == 0, 1e300, -1e300) }), hourly(672, func(i int) float64 { return 5e-324 * float64(i) }),
	} {
		p := Patterns(y)
		if math.IsInf(p.WeekOverWeek, 0) {
			t.Error(p.WeekOverWeek)
		}
		for _, s := range p.Seasons {
			if !finite(s.Strength) {
				t.Error(s)
			}
		}
		for _, s := range p.Trends {
			if !finite(s.Ratio) {
				t.Error(s)
			}
		}
	}
}

// A history that ends in a weekend, or a long one, has not changed: weekends were like that before.
func TestChanges_weekend(t *testing.T) {
	for _, days := range []int{49, 46, 47, 48} { // it begins on a Monday
		y := series.Series{Start: 4 * 86_400_000, Step: 3_600_000, Values: make([]float64, 24*days)}
		rng := rand.New(rand.NewPCG(1, uint64(days)))
		for i := range y.Values {
			level := 100.0
			if i/24%7 >= 5 {
				level = 40
			}
			y.Values[i] = level * (1 + 0.02*rng.NormFloat64())
		}
		if got := Patterns(y).Changes; len(got) != 0 {
			t.Errorf("%d days: changes %v, want none", days, got)
		}
	}
}
