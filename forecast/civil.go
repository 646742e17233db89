package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// civil makes a Forecaster see a series by the clock on the wall: where the offset of
// the calendar's zone from UTC changes within the history or the horizon, an hour that
// is skipped becomes a gap, an hour that comes twice the mean of both, and the forecast is read back
// by the same clock. So what happens at nine in the morning stays there through
// daylight saving. Without a change, on a grid that an offset does not fit, or where a day is no season,
// nothing is done.
type civil struct{ Forecaster }

// Forecast implements Forecaster.
func (f civil) Forecast(dst *series.Forecast, y series.Series, c Calendar, s *Scratch) error {
	if c.Location == nil || c.Location == time.UTC || gridOf(y.Step).long == 0 || len(y.Values) == 0 {
		return f.Forecaster.Forecast(dst, y, c, s)
	}
	memory := &s.wall
	memory.clock = newWallClock(c.Location, y.Start, y.Step)
	clock := &memory.clock
	n, h := len(y.Values), len(dst.Point)
	if !clock.changes(n + h) {
		return f.Forecaster.Forecast(dst, y, c, s)
	}
	wall := y
	last := 0
	for i := range n + h {
		last = max(last, clock.index(i))
	}
	end := 0 // of the history on the wall
	for i := range n {
		end = max(end, clock.index(i)+1)
	}
	memory.values, memory.counts = grown(memory.values, end), grown(memory.counts, end)
	wall.Values = memory.values
	counts := memory.counts
	clear(wall.Values)
	clear(counts)
	var masked []bool
	if c.masked != nil {
		memory.masked = grown(memory.masked, end)
		masked = memory.masked
		clear(masked)
	}
	for i, v := range y.Values {
		if at := clock.index(i); at >= 0 && finite(v) {
			counts[at]++
			wall.Values[at] += (v - wall.Values[at]) / counts[at]
			if masked != nil {
				masked[at] = masked[at] || c.masked[i]
			}
		}
	}
	c.masked = masked
	for i, count := range counts {
		if count == 0 {
			wall.Values[i] = math.NaN()
		}
	}
	// A gap at the end of the history is one of the data, not of the clock.
	ahead := max(1, last+1-end)
	memory.numbers = grown(memory.numbers, 3*ahead)
	numbers := memory.numbers
	there := &memory.there
	*there = *dst
	there.Point, there.Lower, there.Upper = numbers[:ahead:ahead], numbers[ahead:2*ahead:2*ahead], numbers[2*ahead:]
	if err := f.Forecaster.Forecast(there, wall, c, s); err != nil {
		return err
	}
	point, lower, upper := dst.Point, dst.Lower, dst.Upper
	*dst = *there
	dst.Point, dst.Lower, dst.Upper = point, lower, upper
	dst.Start = y.End()
	for k := range point {
		at := min(max(clock.index(n+k)-end, 0), ahead-1)
		point[k], lower[k], upper[k] = there.Point[at], there.Lower[at], there.Upper[at]
	}
	return nil
}

// wallMemory is what civil reuses.
type wallMemory struct {
	clock                   wallClock
	values, counts, numbers []float64
	masked                  []bool
	there                   series.Forecast
}

// wallClock numbers the points of a grid by the time of day in a zone.
type wallClock struct {
	location    *time.Location
	start, step int64
	first       int64 // offset at the start, milliseconds

	// Of the newest answer: points from before to before until have this shift.
	from, until int
	shift       int
}

func newWallClock(location *time.Location, start, step int64) wallClock {
	w := wallClock{location: location, start: start, step: step, first: 0, from: 0, until: 0, shift: 0}
	w.first = w.offset(start)
	return w
}

func (w *wallClock) offset(t int64) int64 {
	_, seconds := time.UnixMilli(t).In(w.location).Zone()
	return int64(seconds) * 1000
}

// changes reports whether the offset changes within the first n points, by a whole
// number of points.
func (w *wallClock) changes(n int) bool {
	changed := false
	t, end := w.start, w.start+int64(n)*w.step
	for t < end {
		if d := w.offset(t) - w.first; d != 0 {
			if d%w.step != 0 {
				return false
			}
			changed = true
		}
		// Never further than to the next change of the zone.
		_, next := time.UnixMilli(t).In(w.location).ZoneBounds()
		if next.IsZero() {
			break
		}
		t = max(t+1, next.UnixMilli())
	}
	return changed
}

// index returns the number of point i on the wall: i more the points that the clock was
// put forward since the start. Points are asked for in rising order.
func (w *wallClock) index(i int) int {
	if i < w.from || i >= w.until {
		t := w.start + int64(i)*w.step
		w.shift = int((w.offset(t) - w.first) / w.step)
		w.from, w.until = i, math.MaxInt
		if _, next := time.UnixMilli(t).In(w.location).ZoneBounds(); !next.IsZero() {
			w.until = int((next.UnixMilli() - w.start + w.step - 1) / w.step)
		}
	}
	return i + w.shift
}
