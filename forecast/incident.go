package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// An incident is a stretch of hours that is like nothing else in the history, over and not
// come again. Models see what is usual in its place, and nothing is measured there: it would
// move the band of the days after it, and teach the next weeks that it may come at any time.
const (
	incidentHours = 12  // the longest
	incidentLeast = 3   // the shortest: less is a spike, which medians see to
	incidentOver  = 6   // hours since its end, at least; and as long as it lasted
	incidentBy    = 4.0 // times as far from what is usual as anything else
	incidentFew   = 3   // with more of them they are what the series does
	incidentDays  = 14  // of history
	incidentEdge  = 1   // point beside it that is in it in part
)

// leaveIncidents takes incidents out of hourly h. Deviations are those from the median of the
// same hour of the day, or of the week where those are smaller. The stretches around the largest deviations
// are incidents if each is incidentBy times as far as the largest outside of them, and no
// two of them are at the same time of day. O(n log n).
func (h *history) leaveIncidents(s *Scratch) {
	n, day := len(h.y), h.grid.season
	if day != 24 || h.grid.long == 0 || n < incidentDays*day {
		return
	}
	m := s.mark()
	usual, far := s.floats(n), s.floats(n)
	h.usually(usual, s)
	for i, v := range h.y {
		if h.observed[i] {
			far[i] = math.Abs(v - usual[i])
		}
	}
	var found [incidentFew][2]int
	for k := range found {
		peak := 0
		for i, d := range far {
			if d > far[peak] {
				peak = i
			}
		}
		least := far[peak]
		from, to, ok := incidentAt(far, peak)
		if !ok || !(least > 0) {
			break
		}
		for _, f := range found[:k] {
			if sameTimeOfDay(f, [2]int{from, to}, day) {
				ok = false
			}
		}
		if !ok {
			break
		}
		found[k] = [2]int{from, to}
		for i := from; i < to; i++ {
			far[i] = 0
		}
		rest := 0.0
		for _, d := range far {
			rest = max(rest, d)
		}
		if rest > 0 && least >= incidentBy*rest { // those before are as far or farther
			h.takeOut(found[:k+1], usual, s)
			break
		}
	}
	s.release(m)
}

// incidentAt returns the stretch of far around its peak that is over a quarter as
// far, with a point on both sides, and whether it is as long as an incident and over.
func incidentAt(far []float64, peak int) (from, to int, ok bool) {
	least := far[peak] / 4
	for from = peak; from > 0 && far[from-1] > least; from-- {
	}
	for to = peak + 1; to < len(far) && far[to] > least; to++ {
	}
	long := to - from
	return max(from-incidentEdge, 0), min(to+incidentEdge, len(far)), long >= incidentLeast && long <= incidentHours && len(far)-to >= max(incidentOver, long)
}

// sameTimeOfDay reports whether two stretches share an hour of the day.
func sameTimeOfDay(a, b [2]int, day int) bool {
	for i := a[0]; i < a[1]; i++ {
		for j := b[0]; j < b[1]; j++ {
			if i%day == j%day {
				return true
			}
		}
	}
	return false
}

// usually stores the median of the same hour of the day, or of the week, whichever the
// observed points of h are nearer to by the median of their distances.
func (h *history) usually(dst []float64, s *Scratch) {
	m := s.mark()
	n := len(h.y)
	best, other, buf := math.Inf(1), s.floats(n), s.floats(n)
	for _, period := range [2]int{h.grid.season, h.grid.long} {
		if n < 3*period {
			break
		}
		for phase := range min(period, n) {
			k := 0
			for i := phase; i < n; i += period {
				if h.observed[i] {
					buf[k] = h.y[i]
					k++
				}
			}
			v := math.NaN()
			if k > 0 {
				v = num.Median(buf[:k])
			}
			for i := phase; i < n; i += period {
				other[i] = v
			}
		}
		k := 0
		for i, v := range h.y {
			if h.observed[i] {
				buf[k] = math.Abs(v - other[i])
				k++
			}
		}
		if k == 0 {
			break
		}
		if d := num.Median(buf[:k]); d < best {
			best = d
			copy(dst, other)
		}
	}
	s.release(m)
}

// takeOut puts what is usual in the place of stretches, where nothing is measured then.
func (h *history) takeOut(stretches [][2]int, usual []float64, s *Scratch) {
	s.incidents = grown(s.incidents, len(h.y))
	clear(s.incidents)
	copy(s.incidents, h.marked) // those of a calendar are its own
	h.marked = s.incidents
	for _, f := range stretches {
		for i := f[0]; i < f[1]; i++ {
			if h.observed[i] {
				h.y[i], h.observed[i], h.marked[i] = usual[i], false, true
			}
		}
	}
	h.min, h.max = math.Inf(1), math.Inf(-1)
	for i, v := range h.y {
		if h.observed[i] || h.marked[i] {
			h.min, h.max = min(h.min, v), max(h.max, v)
		}
	}
}
