package forecast

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// eventful makes a Forecaster know the calendar's events:
//
//  1. Past events are taken out: models see what an ordinary week would have held, and nothing
//     is measured there, neither weights nor residuals.
//  2. What is forecast is an ordinary week.
//  3. Where an event lies ahead, what it is known to do is put on top, and the
//     interval grows by how far that is known; see effects.
//
// Without an event in the history or the horizon nothing is done.
type eventful struct{ Forecaster }

// Forecast implements Forecaster.
func (f eventful) Forecast(dst *series.Forecast, y series.Series, c Calendar, s *Scratch) error {
	if len(c.Events) == 0 || len(y.Values) == 0 || y.Step <= 0 {
		return f.Forecaster.Forecast(dst, y, c, s)
	}
	p := &s.events
	if !p.place(y, len(dst.Point), c) {
		return f.Forecaster.Forecast(dst, y, Calendar{Location: c.Location}, s)
	}
	usual := y
	usual.Values = p.usual
	if err := f.Forecaster.Forecast(dst, usual, Calendar{Location: c.Location, masked: p.masked}, s); err != nil {
		return err
	}
	p.effects(dst)
	return nil
}

// placed is a calendar laid over a history and a horizon. Point i is that at
// y.At(i), past the history too.
type placed struct {
	c      Calendar
	y      series.Series
	perDay int // points of a day; 0: a day is no whole number of them

	places []occurrence
	at     []int  // of each point: its occurrence in places, −1 for none
	masked []bool // of each point of the history: in an event
	phase  []int  // of each point: its place in the week by the clock on the wall

	usual []float64 // the history with events replaced by what is usual, NaN where nothing is known
	shift float64   // of the logarithm; NaN: values can be negative, so effects are added
	buf   []float64
	begun []float64 // of underWay, whose expected uses buf

	// Of the effect being made.
	by        []float64
	beyond    []float64    // by time of day
	lists     [][]float64  // of past points, by time of day or since the beginning
	above     []float64    // past points
	days      [7][]float64 // difference by day of the week; see dayDifference
	daysKnown [7]bool
}

// place lays c over y and the n points after it. It returns false if no event is there.
func (p *placed) place(y series.Series, n int, c Calendar) bool {
	p.c, p.y = c, y
	length := len(y.Values) + n
	until := y.Start + int64(length)*y.Step
	p.places = c.occurrences(p.places[:0], y.Start, until)
	if len(p.places) == 0 {
		return false
	}
	p.perDay = 0
	if y.Step <= dayMillis && dayMillis%y.Step == 0 {
		p.perDay = int(dayMillis / y.Step)
	}
	p.at, p.masked, p.phase = grown(p.at, length), grown(p.masked, len(y.Values)), grown(p.phase, length)
	p.usual = append(p.usual[:0], y.Values...)
	for i := range p.at {
		p.at[i] = -1
	}
	for j, o := range p.places {
		first, last := o.points(y.Start, y.Step)
		for i := max(0, first); i < min(int64(length), last); i++ {
			p.at[i] = j
		}
	}
	for i := range p.masked {
		p.masked[i] = p.at[i] >= 0
	}
	p.clock()
	p.findShift()
	for i, in := range p.masked {
		if in {
			p.usual[i] = p.ordinary(i)
		}
	}
	return true
}

// points returns the points of a grid that belong to o, from first to before last: those of whose step the
// middle is in it; of what is too short for that the one that holds its middle.
func (o occurrence) points(start, step int64) (first, last int64) {
	first = ceilDiv(o.from-start-step/2, step)
	last = ceilDiv(o.until-start-step/2, step)
	if first >= last {
		first = floorDiv(o.from+(o.until-o.from)/2-start, step)
		last = first + 1
	}
	return first, last
}

// Without returns y with gaps where c has an event: what is left shows what is usual. It
// is y itself where there is none.
func Without(y series.Series, c Calendar) series.Series {
	if len(c.Events) == 0 || y.Step <= 0 {
		return y
	}
	all := c.occurrences(nil, y.Start, y.End())
	if len(all) == 0 {
		return y
	}
	out := y
	out.Values = slices.Clone(y.Values)
	for _, o := range all {
		first, last := o.points(y.Start, y.Step)
		for i := max(0, first); i < min(int64(len(out.Values)), last); i++ {
			out.Values[i] = math.NaN()
		}
	}
	return out
}

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

// clock sets phase.
func (p *placed) clock() {
	loc := p.c.Location
	if loc == nil {
		loc = time.UTC
	}
	if p.perDay == 0 {
		clear(p.phase)
		return
	}
	var offset, next int64 // of the zone, until when
	for i := range p.phase {
		t := p.y.At(i)
		if i == 0 || t >= next {
			at := time.UnixMilli(t).In(loc)
			_, seconds := at.Zone()
			offset, next = int64(seconds)*1000, math.MaxInt64
			if _, end := at.ZoneBounds(); !end.IsZero() {
				next = end.UnixMilli()
			}
		}
		middle := t + offset + p.y.Step/2
		p.phase[i] = int(floorMod(middle-firstSunday, weekMillis) / p.y.Step)
	}
}

// firstSunday is the beginning of the first Sunday after the epoch, which was a Thursday.
const firstSunday = 3 * dayMillis

func (p *placed) weekday(i int) time.Weekday { return time.Weekday(p.phase[i] / p.perDay) }

// findShift sets shift to that of logged, or to NaN.
func (p *placed) findShift() {
	sum, n := 0.0, 0
	for _, v := range p.y.Values {
		if !finite(v) {
			continue
		}
		if v < 0 {
			p.shift = math.NaN()
			return
		}
		n++
		sum += (v - sum) / float64(n)
	}
	p.shift = logShift * sum
	if !(p.shift > 0) || math.IsInf(p.shift, 0) {
		p.shift = math.NaN()
	}
}

// up turns a value into what effects are added to: log(v + shift), or v itself.
func (p *placed) up(v float64) float64 {
	if math.IsNaN(p.shift) {
		return v
	}
	return math.Log(v + p.shift)
}

// down is the inverse of up, finite, and not below 0 after a logarithm.
func (p *placed) down(v float64) float64 {
	if math.IsNaN(p.shift) {
		return p.within(v)
	}
	return p.within(math.Exp(v) - p.shift)
}

// usualWeeks is from how many weeks near by, before or after, an event is replaced.
const usualWeeks = 4

// ordinary returns the median of what was observed at the same time of the nearest
// four weeks of the history in which it belongs to no event, or of the same time of the nearest days
// where there is no such week; NaN where there is neither.
func (p *placed) ordinary(i int) float64 {
	if p.perDay == 0 {
		return math.NaN()
	}
	for _, period := range [2]int{7 * p.perDay, p.perDay} {
		p.buf = p.buf[:0]
		for j := 1; len(p.buf) < usualWeeks && (i-j*period >= 0 || i+j*period < len(p.masked)); j++ {
			for _, k := range [2]int{p.sameClock(i, i-j*period, period), p.sameClock(i, i+j*period, period)} {
				if p.seen(k) {
					p.buf = append(p.buf, p.y.Values[k])
				}
			}
		}
		if len(p.buf) > 0 {
			return num.Median(p.buf)
		}
	}
	return math.NaN()
}

// sameClock returns k, or the point beside it that has the time of day (of the week) of
// i where the clock was changed between them.
func (p *placed) sameClock(i, k, period int) int {
	if k < 0 || k >= len(p.phase) {
		return -1
	}
	d := (p.phase[i] - p.phase[k]) % period
	switch {
	case d > period/2:
		d -= period
	case d < -period/2:
		d += period
	}
	return k + d
}

// seen reports whether point k is in the history, observed and in no event.
func (p *placed) seen(k int) bool {
	return k >= 0 && k < len(p.masked) && !p.masked[k] && finite(p.y.Values[k])
}

// effects puts what the events ahead are known to do on top of dst.
func (p *placed) effects(dst *series.Forecast) {
	n := len(p.masked)
	for k := 0; k < len(dst.Point); {
		j := p.at[n+k]
		end := k + 1
		for end < len(dst.Point) && p.at[n+end] == j {
			end++
		}
		if j >= 0 {
			p.effect(dst, j, k, end)
		}
		k = end
	}
}

// effect puts occurrence j on the steps from k to before end.
func (p *placed) effect(dst *series.Forecast, j, k, end int) {
	e := &p.c.Events[p.places[j].event]
	var known effect
	switch {
	case e.Kind == Exclude:
		return
	case p.perDay == 0:
		known.unknown = "a day is no whole number of steps"
	case e.Kind == Holiday:
		known = p.holiday(e, j)
	default:
		known = p.special(p.places[j].event, j)
	}
	if known.unknown != "" {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("%s %q on %s: %s: the forecast is that of an ordinary day, its interval twice as wide",
			e.Kind, e.Name, p.date(p.places[j].from), known.unknown))
		for ; k < end; k++ {
			v := dst.Point[k]
			dst.Lower[k], dst.Upper[k] = p.within(v-2*(v-dst.Lower[k])), p.within(v+2*(dst.Upper[k]-v))
		}
		return
	}
	z := num.NormalQuantile((1 + dst.Level) / 2)
	if f := known.freedom; f > 0 {
		// The quantile of Student's t to first order in 1/f: Peiser, Annals of
		// Mathematical Statistics 14, 1943. A few past occurrences do not tell their spread.
		z *= 1 + (z*z+1)/(4*f)
	}
	n := len(p.masked)
	for ; k < end; k++ {
		by, sd := known.at(n + k)
		if !finite(by) || !finite(sd) {
			continue // differences of the largest numbers there are
		}
		v := p.down(p.up(dst.Point[k]) + by)
		room := z * sd
		if !math.IsNaN(p.shift) {
			room *= v + p.shift
		}
		below := v - p.down(p.up(dst.Lower[k])+by)
		above := p.down(p.up(dst.Upper[k])+by) - v
		dst.Point[k] = v
		dst.Lower[k], dst.Upper[k] = p.within(v-math.Hypot(below, room)), p.within(v+math.Hypot(above, room))
	}
}

// within keeps v finite, and at 0 or above where no value was below; NaN stays.
func (p *placed) within(v float64) float64 {
	least := 0.0
	if math.IsNaN(p.shift) {
		least = -math.MaxFloat64
	}
	return min(max(v, least), math.MaxFloat64)
}

func (p *placed) date(t int64) string {
	loc := p.c.Location
	if loc == nil {
		loc = time.UTC
	}
	return time.UnixMilli(t).In(loc).Format(time.DateOnly)
}
