package forecast

import (
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// Patterns returns what a history shows beside its forecast: significant trends over
// 7 and 28 days, the last week beside the one before, the seasons it has and the days
// its level changed. Gaps are skipped; what cannot be known is absent or NaN. It
// allocates. O(n).
func Patterns(y series.Series) series.Pattern {
	out := series.Pattern{Trends: nil, WeekOverWeek: math.NaN(), Seasons: nil, Changes: nil}
	g := gridOf(y.Step)
	if g.season < 2 || g.long == 0 {
		return out
	}
	days := dailyLevels(y.Values, g.season)
	for _, window := range []int{7, 28} {
		if t, ok := trend(days, window); ok {
			out.Trends = append(out.Trends, t)
		}
	}
	out.WeekOverWeek = weekOverWeek(days)
	out.Seasons = seasons(y.Values, g)
	out.Changes = changes(withoutWeekdays(days), y)
	return out
}

// dailyLevels returns the median of every whole day, counted back from the end, oldest
// first; NaN where less than half of it was observed.
func dailyLevels(y []float64, m int) []float64 {
	n := len(y) / m
	levels := make([]float64, n)
	buf := make([]float64, 0, m)
	for i := range levels {
		buf = buf[:0]
		for _, v := range y[len(y)-(n-i)*m:][:m] {
			if finite(v) {
				buf = append(buf, v)
			}
		}
		levels[i] = math.NaN()
		if 2*len(buf) >= m {
			levels[i] = num.Median(buf)
		}
	}
	return levels
}

// trendSignificance is the two-sided probability at which a trend counts.
const trendSignificance = 0.005

// trend returns the change of the daily levels over the last window days, relative to where it
// began, (end − start)/|start|, if the test of Mann and Kendall finds it significant. Start and end are those of a line
// with the slope of Theil and Sen, the median of (x[j] − x[i])/(j − i), through the median of x − slope·i, no
// farther than half a day beyond what was seen and on its side of zero: positive levels fall by less than 100 %, and
// one that doubled has risen by 100 %. Levels that begin at zero or cross it have no ratio.
//
//	S = Σ sign(x[j] − x[i]),  Var S = n(n−1)(2n+5)/18 · (1 + ρ)/(1 − ρ)
//	|S| − 1 > z·√Var S,  z = 2.807
//
// with ρ ≥ 0 the first autocorrelation of 28 levels without their slope, 0 for 7: days that follow each
// other count for less (Yue and Wang, 2004, with an AR(1) factor). With three weeks of levels and more the mean
// day of the week is taken out first. A fifth of the days may be missing. Seven days
// of strict rise have S = 21 against 2.807·6.66 = 18.7: nothing less regular counts.
//
// P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
// JASA 63, 1968; M. G. Kendall, Rank Correlation Methods, 1975.
func trend(days []float64, window int) (series.Trend, bool) {
	none := series.Trend{Window: 0, Ratio: math.NaN()}
	if len(days) < window {
		return none, false
	}
	x := withoutWeekdays(days)
	x = x[len(x)-window:]
	var slopes []float64
	s, n := 0.0, 0.0
	for j, b := range x {
		if math.IsNaN(b) {
			continue
		}
		n++
		for i, a := range x[:j] {
			if math.IsNaN(a) {
				continue
			}
			slopes = append(slopes, (b-a)/float64(j-i))
			switch {
			case b > a:
				s++
			case b < a:
				s--
			}
		}
	}
	if 5*n < 4*float64(window) {
		return none, false
	}
	slope := num.Median(slopes)
	least, most := bounds(slices.DeleteFunc(slices.Clone(x), math.IsNaN))
	for i := range x {
		x[i] -= slope * float64(i)
	}
	middle := num.Median(slices.DeleteFunc(slices.Clone(x), math.IsNaN)) // of the first day
	for i, v := range x {
		if x[i] = v - middle; math.Abs(x[i]) < 1e-12*max(math.Abs(least), math.Abs(most)) {
			x[i] = 0 // rounding is no wandering
		}
	}
	rho := 0.0
	if n >= 14 { // of seven values it says nothing; of some it is estimated too low
		rho = min(max((n*autocorrelation(x)+2)/(n-4), 0), 0.95)
	}
	deviation := math.Sqrt(n * (n - 1) * (2*n + 5) / 18 * (1 + rho) / (1 - rho))
	if !(math.Abs(s)-1 > num.NormalQuantile(1-trendSignificance/2)*deviation) { // NaN: too large to be squared
		return none, false
	}
	half := math.Abs(slope) / 2
	low, high := least-half, most+half
	if least > 0 && low <= 0 {
		low = least
	}
	if most < 0 && high >= 0 {
		high = most
	}
	start := within(middle-slope/2, low, high)
	end := within(middle+slope*(float64(window)-0.5), low, high)
	if start == 0 || start < 0 != (end < 0) {
		return none, false
	}
	ratio := (end - start) / math.Abs(start)
	return series.Trend{Window: time.Duration(window) * 24 * time.Hour, Ratio: ratio}, finite(ratio)
}

// withoutWeekdays returns days less the median deviation of each day of the week from
// the mean of the week around it, where each was seen twice in the middle of a whole week; with less than
// three weeks days themselves.
func withoutWeekdays(days []float64) []float64 {
	x := slices.Clone(days)
	if len(days) < 21 {
		return x
	}
	var byDay [7][]float64
	// The week around each day holds every weekday once.
	for i := 3; i+3 < len(days); i++ {
		if week := slices.DeleteFunc(slices.Clone(days[i-3:i+4]), math.IsNaN); len(week) == 7 && finite(days[i]) {
			byDay[i%7] = append(byDay[i%7], days[i]-mean(week))
		}
	}
	for _, d := range byDay {
		if len(d) < 2 {
			return x
		}
	}
	for d := range byDay {
		shift := num.Median(byDay[d])
		for i := d; i < len(x); i += 7 {
			x[i] -= shift
		}
	}
	return x
}

// autocorrelation returns the first autocorrelation of x, 0 if x is constant. NaN counts for nothing: neighbours
// of a missing value are none.
func autocorrelation(x []float64) float64 {
	c := mean(slices.DeleteFunc(slices.Clone(x), math.IsNaN))
	cross, square := 0.0, 0.0
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		square += (v - c) * (v - c)
		if i > 0 && !math.IsNaN(x[i-1]) {
			cross += (v - c) * (x[i-1] - c)
		}
	}
	if !(square > 0) {
		return 0
	}
	return cross / square
}

// weekOverWeek returns the mean of the daily levels of the last seven days over that of the seven
// before, less 1; NaN if either has fewer than five days or the older is 0.
func weekOverWeek(days []float64) float64 {
	if len(days) < 14 {
		return math.NaN()
	}
	week := func(from int) float64 {
		known := slices.DeleteFunc(slices.Clone(days[from:from+7]), math.IsNaN)
		if len(known) < 5 {
			return math.NaN()
		}
		return mean(known)
	}
	now, before := week(len(days)-7), week(len(days)-14)
	if ratio := (now - before) / math.Abs(before); finite(ratio) {
		return ratio
	}
	return math.NaN()
}

// changes returns the days whose level differs from that of the days before for
// good: the medians of up to seven days on either side, of at least three, differ by more than
// eight times the median absolute difference of neighbouring days and by more than 10 %, beyond
// what they differ by the median difference of neighbouring days: a steady rise is a trend and no change. Of
// several near each other the clearest counts. days are without the days of the week, where
// these are known: a weekend at the end is no change.
func changes(days []float64, y series.Series) []series.Change {
	var steps []float64
	for i := 1; i < len(days); i++ {
		if d := days[i] - days[i-1]; finite(d) {
			steps = append(steps, d)
		}
	}
	if len(steps) < 6 {
		return nil
	}
	drift := num.Median(slices.Clone(steps))
	for i, d := range steps {
		steps[i] = math.Abs(d - drift)
	}
	usual := num.Median(steps)
	side := func(v []float64) float64 {
		known := slices.DeleteFunc(slices.Clone(v), math.IsNaN)
		if len(known) < 3 {
			return math.NaN()
		}
		return num.Median(known)
	}
	var out []series.Change
	best, at := 0.0, -1
	first := len(y.Values) - len(days)*gridOf(y.Step).season
	for i := 3; i+3 <= len(days); i++ {
		before, after := side(days[max(0, i-7):i]), side(days[i:min(len(days), i+7)])
		// The middles of the two sides lie this many days apart.
		apart := float64(min(len(days), i+7)-max(0, i-7)) / 2
		size := math.Abs(after - before - drift*apart)
		if !(size > 8*usual && size > 0.1*math.Abs(before)) {
			continue
		}
		// A step in the very day tells where: medians alone move for days.
		size *= 1 + math.Abs(days[i]-days[i-1]-drift)/size
		change := series.Change{Time: y.At(first + i*gridOf(y.Step).season), Before: before, After: after}
		switch {
		case at >= 0 && i-at < 7 && size > best:
			out[len(out)-1] = change
			best, at = size, i
		case at < 0 || i-at >= 7:
			out = append(out, change)
			best, at = size, i
		}
	}
	return out
}
