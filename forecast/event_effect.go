package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/forecast/num"
)

// effect is what one occurrence ahead does to the points in it, on the scale of up.
type effect struct {
	unknown string // why nothing is known; "" if something is
	first   int    // of by
	by      []float64
	sd      float64 // standard deviation of what is not known of by
	freedom float64 // degrees of it: past occurrences less one; 0: sd is not estimated from occurrences
}

func (e *effect) at(i int) (by, sd float64) { return e.by[i-e.first], e.sd }

const (
	likeWeeks     = 8    // pairs of days, at most, that tell what Sunday is beside Tuesday
	leastHolidays = 2    // past holidays from which they are believed
	fromMAD       = 1.25 // standard deviation of a normal variable over its mean absolute deviation, √(π/2)
)

// holiday returns the effect of occurrence j of a day like another day of the week, w:
//
//	effect[i] = D[i] + n/(n+1) · R[i]
//
// D is the median over up to eight weeks of how much higher w was than the day of i at
// the same time, shrunk by how much of it is chance (see difference). R is the median of what the n past
// holidays of the same kind were above that, within an hour of the same time of day; it
// counts from two on. With less than two weeks in which w and the day of i were observed nothing is known.
//
// The standard deviation is that of past holidays around the effect, times √(1 + 1/n); without two of them half of the
// root mean square of D: the day may be anything between the two.
func (p *placed) holiday(e *Event, j int) effect {
	p.daysKnown = [7]bool{}
	difference := func(i int) float64 { return p.dayDifference(i, e.Like) }
	out := p.ahead(j)
	square := 0.0
	for k := range out.by {
		d := difference(out.first + k)
		if math.IsNaN(d) {
			return effect{unknown: "the history shows no two weeks with such a day, " + e.Like.String()}
		}
		out.by[k] = d
		square += d * d
	}
	out.sd = math.Sqrt(square/float64(max(1, len(out.by)))) / 2

	byTime := p.emptyLists(p.perDay)
	days := 0
	p.past(func(i int) bool {
		o := &p.c.Events[p.places[p.at[i]].event]
		return o.Kind == Holiday && o.Like == e.Like && p.at[i] != j
	}, func(i int, above float64, fresh bool) {
		if d := difference(i); !math.IsNaN(d) {
			tod := p.phase[i] % p.perDay
			byTime[tod] = append(byTime[tod], above-d)
			if fresh {
				days++
			}
		}
	})
	p.beyond = grown(p.beyond, p.perDay)
	beyond := p.beyond // the difference were the past ones, by time of day
	clear(beyond)
	if days >= leastHolidays {
		shrink := float64(days) / float64(days+1)
		for tod := range beyond {
			beyond[tod] = shrink * p.near(byTime, tod, true)
		}
		total, count := 0.0, 0.0
		for tod, rs := range byTime {
			for _, r := range rs {
				total += math.Abs(r - beyond[tod])
				count++
			}
		}
		for k := range out.by {
			out.by[k] += beyond[p.phase[out.first+k]%p.perDay]
		}
		out.sd = fromMAD * total / count * math.Sqrt(1+1/float64(days))
		out.freedom = max(1, float64(days-1))
	}
	p.underWay(j, &out, func(i int) float64 { return difference(i) + beyond[p.phase[i]%p.perDay] })
	return out
}

// dayDifference returns difference at the time of point i for its day of the week, NaN where nothing is known. It is
// found once for each day of the week until daysKnown is reset.
func (p *placed) dayDifference(i int, like time.Weekday) float64 {
	w := p.weekday(i)
	if !p.daysKnown[w] {
		p.daysKnown[w] = true
		p.days[w] = p.difference(p.days[w], w, like)
	}
	if len(p.days[w]) == 0 {
		return math.NaN()
	}
	return p.days[w][p.phase[i]%p.perDay]
}

// emptyLists returns n empty lists, valid until the next call.
func (p *placed) emptyLists(n int) [][]float64 {
	for i := range p.lists {
		p.lists[i] = p.lists[i][:0]
	}
	return p.moreLists(n)
}

// moreLists returns the first n of the lists that emptyLists has emptied, as they are.
func (p *placed) moreLists(n int) [][]float64 {
	for len(p.lists) < n {
		p.lists = append(p.lists, nil)
	}
	return p.lists[:n]
}

// difference returns, in the memory of d, by time of day, how much higher day like of a week is than day own, on the
// scale of up: the median over the newest eight weeks in which both belong to no event, times
//
//	F = max(0, 1 − (π/2)·σ²/N / mean(d²))
//
// with d the medians, σ the mean absolute deviation from them times 1.25, N the weeks:
// the factor of James and Stein (1961) for medians, so that days that do not differ
// are not made to. Empty with less than two weeks. O(likeWeeks · points of a day).
func (p *placed) difference(d []float64, own, like time.Weekday) []float64 {
	d = grown(d, p.perDay)
	clear(d)
	if own == like {
		return d
	}
	week := 7 * p.perDay
	apart := (int(like-own) + 7) % 7
	if apart > 3 {
		apart -= 7
	}
	spread, pairs, signal := 0.0, 0.0, 0.0
	for tod := range d {
		p.buf = p.buf[:0]
		// The newest point at this time of day own.
		at := len(p.masked) - 1
		at -= ((p.phase[at]-int(own)*p.perDay-tod)%week + week) % week
		for i := at; i >= 0 && len(p.buf) < likeWeeks; i -= week {
			i = p.onPhase(i, int(own)*p.perDay+tod)
			k := p.onPhase(i+apart*p.perDay, int(like)*p.perDay+tod)
			if p.seen(i) && p.seen(k) {
				p.buf = append(p.buf, p.up(p.y.Values[k])-p.up(p.y.Values[i]))
			}
		}
		if len(p.buf) < 2 {
			return d[:0]
		}
		d[tod] = num.Median(p.buf)
		signal += d[tod] * d[tod]
		for _, v := range p.buf {
			spread += math.Abs(v - d[tod])
		}
		pairs += float64(len(p.buf))
	}
	if signal == 0 {
		return d
	}
	points := float64(p.perDay)
	sigma := fromMAD * spread / pairs
	factor := max(0, 1-math.Pi/2*sigma*sigma/(pairs/points)/(signal/points))
	for tod := range d {
		d[tod] *= factor
	}
	return d
}

// onPhase returns the point nearest to k, within a few hours, that has the given phase of the week; k
// itself outside of the history and the horizon.
func (p *placed) onPhase(k, phase int) int {
	if k < 0 || k >= len(p.phase) {
		return k
	}
	week := 7 * p.perDay
	d := ((phase-p.phase[k])%week + week) % week
	if d > week/2 {
		d -= week
	}
	return k + d
}

// special returns the effect of occurrence j of an event, from the m past ones of it:
//
//	effect[i] = M + m/(m+1) · (S[i] − M)
//
// M is the median of how much higher than usual all their points were, S the same
// within an hour of as long after their beginning. The standard deviation is that of their points
// around this, times √(1 + 1/m), and |M|/(2m) for how little m of them say. Nothing is known without a past one.
func (p *placed) special(event, j int) effect {
	byOffset := p.emptyLists(0)
	p.above = p.above[:0]
	times := 0
	p.past(func(i int) bool { return p.places[p.at[i]].event == event && p.at[i] != j }, func(i int, above float64, _ bool) {
		o := p.offset(i)
		if o >= len(byOffset) {
			byOffset = p.moreLists(o + 1)
		}
		byOffset[o] = append(byOffset[o], above)
		p.above = append(p.above, above)
	})
	for o := range p.places {
		if p.places[o].event == event && o != j && p.observedIn(o) {
			times++
		}
	}
	out := p.ahead(j)
	if times == 0 {
		if p.underWay(j, &out, func(int) float64 { return 0 }) {
			return out
		}
		return effect{unknown: "the history holds none"}
	}
	middle := num.Median(p.above)
	shrink := float64(times) / float64(times+1)
	at := func(o int) float64 {
		if o >= len(byOffset) {
			return middle
		}
		s := p.near(byOffset, o, false)
		if math.IsNaN(s) {
			return middle
		}
		return middle + shrink*(s-middle)
	}
	for k := range out.by {
		out.by[k] = at(p.offset(out.first + k))
	}
	total := 0.0
	for o, vs := range byOffset {
		here := at(o)
		for _, v := range vs {
			total += math.Abs(v - here)
		}
	}
	m := float64(times)
	out.sd = math.Hypot(fromMAD*total/float64(len(p.above))*math.Sqrt(1+1/m), middle/(2*m))
	out.freedom = max(1, m-1)
	p.underWay(j, &out, func(i int) float64 { return at(p.offset(i)) })
	return out
}

// ahead returns an effect of 0 for the points of occurrence j that lie ahead.
func (p *placed) ahead(j int) effect {
	first := len(p.masked)
	for first < len(p.at) && p.at[first] != j {
		first++
	}
	last := first
	for i := first; i < len(p.at); i++ {
		if p.at[i] == j {
			last = i + 1
		}
	}
	p.by = grown(p.by, last-first)
	clear(p.by)
	return effect{unknown: "", first: first, by: p.by, sd: 0}
}

// past calls f for every observed point of the history in an event for which want is
// true, with how much higher than usual it was, and whether it is the first of its day.
func (p *placed) past(want func(i int) bool, f func(i int, above float64, fresh bool)) {
	day, of := -1, -1
	for i, in := range p.masked {
		if !in || !finite(p.y.Values[i]) || math.IsNaN(p.usual[i]) || !want(i) {
			continue
		}
		today := p.phase[i] / p.perDay
		f(i, p.up(p.y.Values[i])-p.up(p.usual[i]), today != day || p.at[i] != of)
		day, of = today, p.at[i]
	}
}

// observedIn reports whether a point of occurrence o was observed.
func (p *placed) observedIn(o int) bool {
	for i, in := range p.masked {
		if in && p.at[i] == o && finite(p.y.Values[i]) && !math.IsNaN(p.usual[i]) {
			return true
		}
	}
	return false
}

// offset returns how many points after the beginning of its occurrence point i is.
func (p *placed) offset(i int) int {
	return int(floorDiv(p.y.At(i)+p.y.Step/2-p.places[p.at[i]].from, p.y.Step))
}

// near returns the median of what lies within an hour of index i; NaN if there is
// nothing, 0 where the indices go round a day.
func (p *placed) near(lists [][]float64, i int, round bool) float64 {
	hour := p.perDay / 24
	p.buf = p.buf[:0]
	for k := i - hour; k <= i+hour; k++ {
		switch {
		case round:
			p.buf = append(p.buf, lists[(k+p.perDay)%p.perDay]...)
		case k >= 0 && k < len(lists):
			p.buf = append(p.buf, lists[k]...)
		}
	}
	if len(p.buf) == 0 {
		if round {
			return 0
		}
		return math.NaN()
	}
	return num.Median(p.buf)
}

// underWay corrects the effect of an occurrence that has begun by the median of what its points of
// the newest quarter of a day were above expected, n of them times n/(n + 2). It returns false if j has not begun or
// nothing of it was observed.
func (p *placed) underWay(j int, out *effect, expected func(i int) float64) bool {
	n := len(p.masked)
	p.begun = p.begun[:0]
	for i := n - 1; i >= max(0, n-max(1, p.perDay/4)); i-- {
		if p.at[i] != j || !finite(p.y.Values[i]) || math.IsNaN(p.usual[i]) {
			continue
		}
		if more := p.up(p.y.Values[i]) - p.up(p.usual[i]) - expected(i); finite(more) {
			p.begun = append(p.begun, more)
		}
	}
	if len(p.begun) == 0 {
		return false
	}
	count := float64(len(p.begun))
	shift := num.Median(p.begun) * count / (count + 2)
	for k := range out.by {
		out.by[k] += shift
	}
	spread := 0.0
	for _, v := range p.begun {
		spread += math.Abs(v - shift)
	}
	out.sd = max(out.sd, fromMAD*spread/count)
	return true
}
