package capacity

import (
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// leastSpend is how many days of spend are needed to say anything.
const leastSpend = 3

// Spend follows a rate of spend, an amount an hour, by days.
type Spend struct {
	Days     []float64 // spend of each day, oldest first; the newest ends with the history
	Expected float64   // of the newest day, from those before; NaN if unknown
	Error    float64   // standard error of Expected
	week     [7]float64
	t        trend
}

// SpendOf learns from y, whose values are rates in an amount an hour. Days are counted back from the
// newest value; one with less than half of its hours is filled on a line, the others are their mean
// times 24. ok is false with less than three days.
//
// The spend of a day is a local level with drift (see Of) plus, from two weeks on, the median
// deviation of that day of the week from its week. The drift b is shrunk by 1 − (SE/b)², which leaves
// nothing of one that may be chance.
func SpendOf(y series.Series) (Spend, bool) {
	days := daily(y)
	s := Spend{Days: days, Expected: math.NaN(), Error: math.NaN()}
	if len(days) < leastSpend {
		return s, false
	}
	if n := len(days) - 1; n >= leastSpend {
		before := learn(days[:n])
		s.Expected, s.Error = before.day(1), before.deviation(1)
	}
	l := learn(days)
	s.week, s.t = l.week, l.t
	return s, true
}

// learn fits the model to days.
func learn(days []float64) Spend {
	var s Spend
	n := len(days)
	rest := slices.Clone(days)
	if n >= 14 {
		var of [7][]float64
		for i := n % 7; i+7 <= n; i += 7 {
			week := days[i : i+7]
			mean := 0.0
			for _, v := range week {
				mean += v / 7
			}
			for k, v := range week {
				of[(n-i-k-1)%7] = append(of[(n-i-k-1)%7], v-mean)
			}
		}
		for k := range s.week {
			s.week[k] = num.Median(of[k])
		}
		for i := range rest {
			rest[i] -= s.week[(n-i-1)%7]
		}
	}
	s.t = drift(rest)
	if n >= 14 { // seven days of the week and a line were taken from n
		spare := float64(n) / float64(n-9)
		s.t.q, s.t.r, s.t.slopeSE, s.t.levelVar = s.t.q*spare, s.t.r*spare, s.t.slopeSE*math.Sqrt(spare), s.t.levelVar*spare
	}
	if ratio := s.t.slopeSE / s.t.slope; s.t.slope != 0 {
		s.t.slope *= max(0, 1-ratio*ratio)
	}
	return s
}

// day returns the spend expected of the k-th day from now, at least 0.
func (s Spend) day(k int) float64 {
	return max(0, s.t.level+s.t.slope*float64(k)+s.week[((-k)%7+7)%7])
}

// deviation returns the standard error of the spend over k days:
//
//	k²·P + k³/3·q + k·r + (k²/2)²·(SE² + (slopeDrift·b)²)
func (s Spend) deviation(k float64) float64 {
	v := k*k*s.t.levelVar + k*k*k/3*s.t.q + k*s.t.r
	v += k * k * k * k / 4 * (s.t.slopeSE*s.t.slopeSE + slopeDrift*slopeDrift*s.t.slope*s.t.slope)
	return math.Sqrt(v)
}

// Over returns the spend expected over the time d from now on, with the interval that holds a share
// level of what comes; nothing is spent twice or earned, so that no bound is below 0.
func (s Spend) Over(d time.Duration, level float64) (value, lower, upper float64) {
	left := d.Hours() / 24
	k := 0
	for ; left >= 1; left-- {
		k++
		value += s.day(k)
	}
	value += left * s.day(k+1)
	// Once for variances that are estimated, once for the days of the week, which are too.
	width := num.NormalQuantile((1+level)/2) * student(s.t.n) * student(s.t.n) * s.deviation(d.Hours()/24)
	return value, max(0, value-width), value + width
}

// daily returns the spend of each whole day of y, counted back from its newest value.
func daily(y series.Series) []float64 {
	last := -1
	for i, v := range y.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			last = i
		}
	}
	per := int(day.Milliseconds() / max(1, y.Step))
	if last < 0 || per < 1 {
		return nil
	}
	n := (last + 1) / per
	out := make([]float64, n)
	for i := range out {
		to := last + 1 - (n-1-i)*per
		sum, count := 0.0, 0
		for _, v := range y.Values[to-per : to] {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				sum, count = sum+v, count+1
			}
		}
		out[i] = math.NaN()
		if 2*count >= per {
			out[i] = sum / float64(count) * 24
		}
	}
	return filled(out)
}
