package capacity

import (
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// Leak says how fast a usage grows that only a restart ends, and when it reaches its
// limit.
type Leak struct {
	Rate float64 // unit of the usage per hour
	// Median, Lower and Upper are seconds until the limit, with probability ½, 0.1 and
	// 0.9; NaN beyond leakAhead.
	Median, Lower, Upper float64
	Hours                float64 // how long it has been seen to grow
	Reason               string  // why nothing is said, "" where something is
}

// Known reports whether l says that there is a leak.
func (l Leak) Known() bool { return l.Reason == "" }

// ReasonNoLeak is that nothing grows as a leak does.
const ReasonNoLeak = "it does not grow steadily"

// leakWindows are the hours looked at, the longest first. The two shortest need three days before
// them, from which the shape of the day is known.
var leakWindows = []int{168, 120, 72, 48, 36, 24, 18, 12}

// leakTeeth are the hours that garbage may take to be collected.
var leakTeeth = []int{1, 4, 12}

const (
	dayless = 24 // hours; a window that is shorter cannot tell a leak from a morning

	leakErrors = 5 // standard errors that the slope must be above 0
	// Where there is history four times as long as the window, it says what wanders: the slope
	// must be that many times the usual one of as many hours.
	leakUnusual = 7
	leakDoubt   = 2.5  // and so many standard errors
	leakShare   = 0.05 // of the limit: what it must have grown
	leakMore    = 2    // times the highest rise before, in as many hours
	leakSteady  = 0.4  // of the mean growth: what each quarter of the window must have
	leakAhead   = 5 * 24
	resetShare  = 0.7 // of the hour before: a fall below is a restart
)

// LeakOf looks for a leak in y, the memory of one process, with a limit in its unit.
//
// The floor of each hour, its lowest value, is what garbage collection cannot take.
// Of the hours since the last restart, a window leaks whose floor
//
//   - has a Theil–Sen slope five standard errors above 0 or, where there is history, seven times the usual slope of as many hours; the errors from the variogram
//     (see Of), so that wandering is none;
//   - grows in each of its quarters, by at least 0.4 of the mean: no step, and
//     no warming up, which flattens;
//   - grew by at least 5 % of the limit, and twice as much as ever before in as
//     many hours, but for lives that ended at the limit: what comes and goes is none;
//   - did so one, two and three hours ago, too;
//   - reaches the limit within five days.
//
// Where there are three days before the window, the median shape of their days is taken
// off first. The longest window counts. NaN is a gap; O(n) and O(window²) where
// it grows.
func LeakOf(y series.Series, limit float64) Leak {
	nan := math.NaN()
	l := Leak{Rate: nan, Median: nan, Lower: nan, Upper: nan, Hours: 0, Reason: ReasonNoLeak}
	if !(limit > 0) || math.IsInf(limit, 0) {
		l.Reason = ReasonLimit
		return l
	}
	f := floors(y)
	if len(f) < leakWindows[len(leakWindows)-1]+2 {
		l.Reason = ReasonShort
		return l
	}
	for _, w := range leakWindows {
		t, ok := leaks(f, w, limit)
		if !ok {
			continue
		}
		for back := 1; back <= 3 && ok; back++ {
			_, ok = leaks(f[:len(f)-back], w, limit)
		}
		if !ok {
			continue
		}
		left := limit - t.level
		at := func(slope float64) float64 {
			if h := left / slope; slope > 0 && h <= leakAhead {
				return max(0, h) * 3600
			}
			return nan
		}
		const p90 = 1.2816
		se := student(t.n) * t.slopeSE
		if math.IsNaN(at(t.slope)) {
			continue
		}
		l.Rate, l.Hours, l.Reason = t.slope, float64(w), ""
		l.Median, l.Lower, l.Upper = at(t.slope), at(t.slope+p90*se), at(t.slope-p90*se)
		return l
	}
	return l
}

// floors returns the lowest value of each hour, the newest hour whole; gaps are filled on a line
// between their ends, and nothing of the hours before a first value is left.
func floors(y series.Series) []float64 {
	low := series.Series{Start: y.Start, Step: y.Step, Values: make([]float64, len(y.Values))}
	for i, v := range y.Values {
		low.Values[i] = -v
	}
	h, _, ok := hourly(low)
	if !ok || h.step != 1 {
		h, ok = short(low)
		if !ok {
			return nil
		}
	}
	for i := range h.v {
		h.v[i] = -h.v[i]
	}
	return filled(h.v)
}

// short is hourly for less than a day.
func short(y series.Series) (hours, bool) {
	padded := y
	const more = 26
	per := int(hour.Milliseconds() / y.Step)
	if per < 1 || len(y.Values) == 0 || math.IsNaN(y.Values[0]) {
		return hours{}, false
	}
	padded.Values = append(slices.Repeat([]float64{y.Values[0]}, more*per), y.Values...)
	h, _, ok := hourly(padded)
	return h.from(min(len(h.v), more)), ok
}

// leaks reports whether the last w hours of f grow as a leak does.
func leaks(f []float64, w int, limit float64) (trend, bool) {
	n := len(f)
	if n < w || f[n-1] >= limit {
		return trend{}, false
	}
	for i := n - w + 1; i < n; i++ {
		if f[i] < resetShare*f[i-1] && f[i] < resetShare*f[n-1] {
			return trend{}, false // a restart within it
		}
	}
	g := slices.Clone(f)
	if shape, ok := dayShape(f[:n-w]); ok {
		for i := range g {
			g[i] -= shape[i%24]
		}
	} else if w < dayless {
		return trend{}, false
	}
	for _, teeth := range leakTeeth {
		if teeth*4 > w {
			break
		}
		if t, ok := climbs(lowest(g, teeth), w, limit); ok {
			t.level = max(t.level, f[n-1])
			return t, true
		}
	}
	return trend{}, false
}

// lowest returns the lowest of each value of f and the n-1 before it.
func lowest(f []float64, n int) []float64 {
	out := slices.Clone(f)
	for i := range out {
		for j := max(0, i-n+1); j < i; j++ {
			out[i] = min(out[i], f[j])
		}
	}
	return out
}

// climbs is leaks for floors without days and teeth.
func climbs(f []float64, w int, limit float64) (trend, bool) {
	x, before := f[len(f)-w:], f[:len(f)-w]
	rise, steady := quarters(x)
	if !steady || rise < leakShare*limit {
		return trend{}, false
	}
	if left := limit - x[w-1]; left > leakAhead*rise/float64(w) {
		return trend{}, false
	}
	if rise < leakMore*highestRise(before, w, limit) {
		return trend{}, false
	}
	t := drift(x)
	t.size = 1
	if usual, ok := usualSlope(before, w); ok {
		return t, t.grows(leakDoubt) && t.slope >= leakUnusual*usual
	}
	return t, t.grows(leakErrors)
}

// usualSlope returns the root mean square of the slope of w hours anywhere in f, where f is
// at least four times as long.
func usualSlope(f []float64, w int) (float64, bool) {
	if len(f) < 4*w {
		return 0, false
	}
	centre := float64(w-1) / 2
	ss := float64(w) * (float64(w)*float64(w) - 1) / 12
	sum, n := 0.0, 0
	for from := 0; from+w <= len(f); from += max(1, w/6) {
		slope := 0.0
		for i, v := range f[from : from+w] {
			slope += (float64(i) - centre) * v
		}
		slope /= ss
		sum, n = sum+slope*slope, n+1
	}
	return math.Sqrt(sum / float64(n)), true
}

// quarters returns how much x rose, from the medians of its quarters, and whether each
// of the three steps between them has its share of that.
func quarters(x []float64) (rise float64, steady bool) {
	var m [4]float64
	for q := range m {
		m[q] = num.Median(slices.Clone(x[q*len(x)/4 : (q+1)*len(x)/4]))
	}
	mean := (m[3] - m[0]) / 3
	for q := 1; q < 4; q++ {
		if m[q]-m[q-1] < leakSteady*mean {
			return 4 * mean, false
		}
	}
	return 4 * mean, mean > 0
}

// highestRise returns the most that f rose within w hours, from a median of three hours to another,
// without lives that ended at the limit.
func highestRise(f []float64, w int, limit float64) float64 {
	const reached = 0.9
	top := 0.0
	end := len(f)
	for end > 3 {
		from := end - 1
		for from > 0 && f[from] >= resetShare*f[from-1] {
			from--
		}
		life := f[from:end]
		if end == len(f) || life[len(life)-1] < reached*limit {
			top = max(top, riseWithin(life, w))
		}
		end = from
	}
	return top
}

// riseWithin returns the most that life rose within w hours.
func riseWithin(life []float64, w int) float64 {
	if len(life) < 3 {
		return 0
	}
	smooth := make([]float64, len(life)-2)
	for i := range smooth {
		a, b, c := life[i], life[i+1], life[i+2]
		smooth[i] = max(min(a, b), min(max(a, b), c))
	}
	var queue []int // indices of ascending values: the first is the lowest of the window
	top := 0.0
	for i, v := range smooth {
		for len(queue) > 0 && smooth[queue[len(queue)-1]] >= v {
			queue = queue[:len(queue)-1]
		}
		queue = append(queue, i)
		if queue[0] < i-w {
			queue = queue[1:]
		}
		top = max(top, v-smooth[queue[0]])
	}
	return top
}

// dayShape returns the median deviation of each hour of the day from the median of its day, by
// hours counted from the beginning of f; ok is false for less than three whole days.
func dayShape(f []float64) (shape [24]float64, ok bool) {
	days := len(f) / 24
	if days < 3 {
		return shape, false
	}
	days = min(days, 7)
	first := len(f) - days*24
	rest := make([][]float64, 24)
	for d := range days {
		part := f[first+d*24 : first+(d+1)*24]
		level := num.Median(slices.Clone(part))
		for i, v := range part {
			k := (first + d*24 + i) % 24
			rest[k] = append(rest[k], v-level)
		}
	}
	for k := range shape {
		shape[k] = num.Median(rest[k])
	}
	return shape, true
}
