package forecast

import (
	"errors"
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

var errCounter = errors.New("it only rises, and falls to almost nothing: if it is a counter, forecast its rate")

// Counter reports whether the values of y are those of a raw counter: something that
// never falls but to almost nothing, as a process that starts again does. Neither its
// level nor its jumps mean what a forecast would make of them. It is one if
//
//   - no value is negative, and each falls short of the one before only to less than a
//     twentieth of it, at least once and at most once in 24 points;
//   - it rises at half of the steps at least, by amounts that differ: an age, which
//     rises as fast as time, is none;
//   - it is not set back by the calendar, at distances that are all the same, as what was
//     used since midnight is.
//
// What only rises may be a disk that fills, so without a fall there is no counter. Gaps
// are skipped. O(n log n).
func Counter(y series.Series) bool {
	v := slices.DeleteFunc(slices.Clone(y.Values), func(x float64) bool { return !finite(x) })
	resets, ok := setBack(v)
	if !ok || len(resets) == 0 {
		return false
	}
	var rises []float64
	for t := 1; t < len(v); t++ {
		if d := v[t] - v[t-1]; d > 0 {
			rises = append(rises, d)
		}
	}
	usual, same := num.Median(slices.Clone(rises)), 0
	for _, d := range rises {
		if math.Abs(d-usual) <= 0.01*usual {
			same++
		}
	}
	if 10*same >= 9*len(rises) {
		return false
	}
	if len(resets) < 3 {
		return true
	}
	shortest, longest := math.MaxInt, 0
	for i := 1; i < len(resets); i++ {
		d := resets[i] - resets[i-1]
		shortest, longest = min(shortest, d), max(longest, d)
	}
	return longest-shortest > 1
}

// Rising reports whether y never falls but as a counter does, by the first rule of Counter, or not at all, and
// rises at least once. With a name that says so, that is a counter.
func Rising(y series.Series) bool {
	v := slices.DeleteFunc(slices.Clone(y.Values), func(x float64) bool { return !finite(x) })
	if len(v) < 3 || v[0] < 0 {
		return false
	}
	for t := 1; t < len(v); t++ {
		if v[t] < v[t-1] && (v[t] < 0 || v[t] > v[t-1]/20) {
			return false
		}
	}
	return slices.Min(v) < slices.Max(v)
}

// counter is the first two rules of Counter, ages included, on h.
func (h *history) counter() bool {
	resets, ok := setBack(h.y)
	return ok && len(resets) > 0
}

// setBack returns the indices at which y falls to less than a twentieth. It is not ok if y
// falls in another way or is negative, falls more often than once in 24 points, or rises at less than half of the steps.
func setBack(y []float64) (resets []int, ok bool) {
	rises := 0
	for t := 1; t < len(y); t++ {
		switch d := y[t] - y[t-1]; {
		case d > 0:
			rises++
		case d < 0 && (y[t] < 0 || y[t] > y[t-1]/20):
			return nil, false
		case d < 0:
			resets = append(resets, t)
		}
	}
	return resets, 24*len(resets) <= len(y) && 2*rises >= len(y)
}
