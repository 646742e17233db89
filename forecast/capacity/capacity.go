// Package capacity says when something that is used up reaches its limit: a
// disk, a quota, the memory of a process that leaks.
//
// A date is said only where there is a trend that cannot be chance, and never
// because of teeth: what is filled and emptied again (log rotation, garbage
// collection, compaction) is judged by its peaks.
package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
)

const (
	day  = 24 * time.Hour
	hour = time.Hour

	// least is the history below which nothing is said.
	least = day
	// carry is how many times its own length a history is followed ahead.
	//
	//	7 d of history: 28 d ahead, nothing is said of 30 d and 90 d
	//	28 d: 112 d ahead
	carry = 4
)

// Estimate says when a usage reaches its limit. Times are from the newest value on;
// what the history does not carry is NaN.
type Estimate struct {
	Used, Limit float64 // newest usage and its limit, in their unit
	// Median, Lower and Upper are seconds until the limit is reached: with
	// probability ½, 0.1 and 0.9.
	Median, Lower, Upper float64
	// Probability of each horizon asked for: that the limit is reached within it.
	Probability []float64
	Growth      float64 // of the peaks, in the unit of the usage per day; NaN if not significant
	Window      time.Duration
	// Emptied says that the usage was emptied before when it was near the limit: the times
	// hold if nobody does so again.
	Emptied   bool
	day, week float64 // probabilities of a day and of a week
	// Reason says why nothing is said, "" where something is.
	Reason string
}

// Known reports whether e says anything.
func (e Estimate) Known() bool { return e.Reason == "" }

// Urgent reports whether somebody is to be told: the limit is reached within a day more likely than
// not, or within a week with 80 %. Where the usage was emptied in time before, nobody is.
func (e Estimate) Urgent() bool {
	return e.Known() && !e.Emptied && (e.day >= 0.5 || e.week >= 0.8)
}

// Horizons are those of the metrics.
var Horizons = []time.Duration{day, 7 * day, 30 * day, 90 * day}

// The reasons why nothing is said.
const (
	ReasonShort     = "less than a day of history"
	ReasonLimit     = "the limit is not a number above 0"
	ReasonGaps      = "more than half of the history is missing"
	ReasonNoGrowth  = "no significant growth"
	ReasonEmptied   = "it was emptied before it got as full as it has been, and may be again"
	ReasonFewCycles = "it is emptied again and again, and there are too few cycles to see a trend of its peaks"
	ReasonFar       = "the growth does not reach the limit as far ahead as the history carries"
)

// Of estimates when y, a usage, reaches limit, in the same unit, for each of the
// horizons.
//
// The history is cut into blocks of a day, or of whole days that hold the longest
// cycle from one emptying to the next, or of hours where it is young. The highest
// values M of the blocks follow a local level with drift:
//
//	M[i] = l[i] + e,  e ~ N(0, r)
//	l[i] = l[i−1] + b[i] + w,  w ~ N(0, q),  b[i] = b[i−1] + v
//
// r and q come from the variogram of the residuals, E(M[i+k] − M[i])² = 2r + q·k; the
// standard error of the slope b from both. The slope is that of the longest window
// whose two halves agree. Where it is not above 0 at 97.5 % nothing is said. Else
// 400 paths are drawn, always the same ones, and the times at which they reach
// the limit are the distribution. v grows the deviation of the slope over as long
// as the history to slopeDrift of it: slopes do not stay what they were.
//
// Beside this, the last six hours: a rise as never before in as many hours, steady
// enough, is followed for up to a day.
//
// A usage at the limit is exhausted: all times are 0. NaN is a gap. Time
// O(n + blocks²), one to four milliseconds for 28 days of hours that grow, a tenth of that for others. Harvey, Forecasting, Structural Time
// Series Models and the Kalman Filter, 1989, chapter 2; Sen, Estimates of the
// Regression Coefficient Based on Kendall's Tau, 1968.
func Of(y series.Series, limit float64, horizons []time.Duration) Estimate {
	e := unknown(limit, len(horizons))
	x, used, ok := hourly(y)
	e.Used = used
	switch {
	case !ok:
		e.Reason = ReasonShort
		return e
	case !(limit > 0) || math.IsInf(limit, 0):
		e.Reason = ReasonLimit
		return e
	case used >= limit:
		e.Median, e.Lower, e.Upper, e.day, e.week = 0, 0, 0, 1, 1
		for i := range e.Probability {
			e.Probability[i] = 1
		}
		return e
	}
	if x.present() < 0.5 {
		e.Reason = ReasonGaps
		return e
	}
	t, reason := trendOf(x, limit)
	fast, rushing := rush(x)
	switch {
	case rushing && (reason != "" || fast.perHour() > t.perHour()):
		t = fast
	case reason != "":
		e.Reason = reason
		return e
	}
	e.Window, e.Growth = t.window(), t.perHour()*24
	e.Emptied = t.emptied
	paths := t.reach(limit, used)
	e.Lower, e.Median, e.Upper = quantile(paths, 0.1), quantile(paths, 0.5), quantile(paths, 0.9)
	e.day, e.week = share(paths, day.Seconds()), share(paths, (7*day).Seconds())
	for i, h := range horizons {
		if h.Hours() <= t.ahead() {
			e.Probability[i] = share(paths, h.Seconds())
		}
	}
	if math.IsNaN(e.Lower) && !slices.ContainsFunc(e.Probability, func(p float64) bool { return p > 0 }) {
		e.Reason = ReasonFar
		for i := range e.Probability {
			if !math.IsNaN(e.Probability[i]) {
				e.Probability[i] = 0
			}
		}
	}
	return e
}

// At is the estimate of a date that is fixed, such as that of a certificate: left is
// the time until then in seconds.
func At(left float64, horizons []time.Duration) Estimate {
	e := unknown(math.NaN(), len(horizons))
	if math.IsNaN(left) || math.IsInf(left, 0) {
		e.Reason = ReasonShort
		return e
	}
	left = max(left, 0)
	e.day, e.week = within(left, day), within(left, 7*day)
	e.Median, e.Lower, e.Upper = left, left, left
	for i, h := range horizons {
		e.Probability[i] = within(left, h)
	}
	return e
}

// within is 1 if left seconds are not more than h, else 0.
func within(left float64, h time.Duration) float64 {
	if left <= h.Seconds() {
		return 1
	}
	return 0
}

func unknown(limit float64, n int) Estimate {
	nan := math.NaN()
	e := Estimate{Used: nan, Limit: limit, Median: nan, Lower: nan, Upper: nan, Growth: nan, Window: 0, Emptied: false, day: nan, week: nan, Reason: "", Probability: make([]float64, n)}
	for i := range e.Probability {
		e.Probability[i] = nan
	}
	return e
}

// Text says e for people, such as "full in 12 days (8 to 19)".
func (e Estimate) Text() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Median == 0:
		return "the limit is reached"
	case math.IsNaN(e.Median) && math.IsNaN(e.Lower):
		return "unlikely as far ahead as the history carries"
	case math.IsNaN(e.Median):
		return fmt.Sprintf("not before %s", About(e.Lower))
	case e.Lower == e.Upper:
		return "in " + About(e.Median)
	case math.IsNaN(e.Upper):
		return fmt.Sprintf("in %s, not before %s", About(e.Median), About(e.Lower))
	}
	return fmt.Sprintf("in %s (%s to %s)", About(e.Median), About(e.Lower), About(e.Upper))
}

// About writes a number of seconds in one unit, such as 12 days.
func About(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 2*hour:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	case d < 2*day:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}
