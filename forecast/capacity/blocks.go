package capacity

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// hours is a usage by hours, oldest first: the highest value in each, NaN where
// there is none. A series coarser than an hour keeps its step.
type hours struct {
	v    []float64
	step float64 // hours a point
}

// hourly returns y by hours and its newest value; ok is false if from its first to its last value
// there is less than a day.
func hourly(y series.Series) (h hours, newest float64, ok bool) {
	first, last := -1, -1
	for i, v := range y.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if last < 0 || time.Duration(int64(last-first)*y.Step)*time.Millisecond < least-hour {
		if last >= 0 {
			newest = y.Values[last]
		} else {
			newest = math.NaN()
		}
		return hours{}, newest, false
	}
	per := max(1, int(hour.Milliseconds()/y.Step))
	n := (last - first + per) / per
	h = hours{v: make([]float64, n), step: float64(int64(per)*y.Step) / float64(hour.Milliseconds())}
	for i := range h.v { // the newest block is whole, the oldest may not be
		h.v[i] = math.NaN()
		to := last + 1 - (n-1-i)*per
		for j := max(first, to-per); j < to; j++ {
			if v := y.Values[j]; !math.IsInf(v, 0) && !(v <= h.v[i]) && !math.IsNaN(v) {
				h.v[i] = v
			}
		}
	}
	return h, y.Values[last], true
}

// present returns the share of hours with a value.
func (h hours) present() float64 {
	n := 0
	for _, v := range h.v {
		if !math.IsNaN(v) {
			n++
		}
	}
	return float64(n) / float64(len(h.v))
}

func (h hours) span() float64 { return float64(len(h.v)) * h.step }

// from returns the part that begins with point i.
func (h hours) from(i int) hours { return hours{v: h.v[i:], step: h.step} }

// peaks returns the highest value of each block of size points, the newest block
// whole, the oldest left out if it is not; an empty block is NaN.
func (h hours) peaks(size int) []float64 {
	n := len(h.v) / size
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
		to := len(h.v) - (n-1-i)*size
		for _, v := range h.v[to-size : to] {
			if !(v <= out[i]) && !math.IsNaN(v) {
				out[i] = v
			}
		}
	}
	return out
}

// dropShare is the fall, relative to the range of the history, that empties.
const dropShare = 0.3

// spread returns the range of h from its 2 % to its 98 % quantile, 0 if that is rounding.
func (h hours) spread() float64 {
	var known []float64
	for _, v := range h.v {
		if !math.IsNaN(v) {
			known = append(known, v)
		}
	}
	lo, hi := num.Quantile(known, 0.02), num.Quantile(known, 0.98)
	if d := hi - lo; d > 1e-9*max(math.Abs(hi), math.Abs(lo)) {
		return d
	}
	return 0
}

// drops returns the points at which the usage was emptied: within three points it
// fell by dropShare of its range (from the 2 % to the 98 % quantile).
func (h hours) drops() []int {
	fall := dropShare * h.spread()
	if !(fall > 0) {
		return nil
	}
	var out []int
	for i := 1; i < len(h.v); i++ {
		for back := 1; back <= 3 && back <= i; back++ {
			if before, v := h.v[i-back], h.v[i]; before-v >= fall && (len(out) == 0 || i-out[len(out)-1] > 3) {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// highest returns the highest value of the points before i.
func (h hours) highest(i int) float64 {
	top := math.Inf(-1)
	for _, v := range h.v[:i] {
		if v > top {
			top = v
		}
	}
	return top
}
