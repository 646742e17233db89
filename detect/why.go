package detect

import (
	"math"

	"github.com/upid/upid/collector/series"
)

// mostDays bounds how rare a value is said to be: more than that is not known
// from a tail that remembers weeks.
const mostDays = 1e6

// why explains a score of 1 or more that a view gave at a point with the
// prediction p. All fields are finite. O(bins), for anomalies only.
func (s *stream) why(t int64, view int, p prediction, l *look, score float64) series.Why {
	w := series.Why{View: series.ViewValue, Value: math.Abs(l.z), Limit: 0, Deviation: l.r, Usual: p.value, Days: 0, Peers: 0}
	switch {
	case view >= windowUp && view < variance:
		i := (view - windowUp) / 2
		w.View = [windows]string{series.ViewMean10m, series.ViewMean6h}[i]
		w.Value, w.Deviation, w.Usual = math.Abs(l.zmean[i]), l.mean[i], p.base+s.expect.drift
	case view == changeUp, view == changeDown:
		w.View, w.Value, w.Deviation = series.ViewChange, math.Abs(s.change.z), s.change.by
	case view == variance:
		w.View, w.Value = series.ViewVariance, l.ratio
	case view == joint:
		w.View, w.Value = series.ViewShape, l.norm
	case view == flatline:
		w.View, w.Value = series.ViewFlat, s.flat.length*s.step/1000
	case view == held:
		w.View, w.Value = series.ViewState, s.pair.lasts(l.x)*s.step/1000
		w.Usual = s.pair.other(l.x)
		w.Deviation = l.x - w.Usual
	case view == restless:
		w.View, w.Value = series.ViewAway, s.home.lately(s.gain.halfHour)
		w.Usual = s.home.value
		w.Deviation = l.x - w.Usual
	case view == late:
		w.View, w.Value = series.ViewLate, float64(t-s.pace.since)/1000
	case view == stays:
		w.View, w.Value = series.ViewStays, float64(t-s.shift.start)/1000
	}
	if view < tailed {
		w.Days = s.rarity(view, w.Value)
	}
	w.Deviation, w.Usual = finite(w.Deviation), finite(w.Usual)
	w.Limit = w.Value / score
	return w
}

// rarity returns the mean time in days between two events in which a view
// reaches x, 0 if unknown: 7/(p·n) with p the share of points that reach x by the
// view's tail and n the independent points of a week.
func (s *stream) rarity(view int, x float64) float64 {
	p, ok := s.tail[view].exceed(x)
	if !ok {
		return 0
	}
	return min(7/(p*s.events(view)), mostDays)
}

// events returns how many independent looks a view takes in a week: neighbouring
// means of a window are one event, as are 20 points of variance.
func (s *stream) events(view int) float64 {
	week := 7 * float64(dayMS) / s.step
	switch {
	case view == changeUp, view == changeDown:
		return week / float64(s.change.per)
	case view == variance:
		return week / 20
	case view >= windowUp && view < variance:
		return week / (float64(s.window[(view-windowUp)/2].points) / 2)
	}
	return week
}

// exceed returns the share of points that reach x > 0, in (0, 1]: below the 97 %
// quantile by counting, above by the generalised Pareto distribution of quantile.
// ok is false with a weight below 30. O(bins).
func (h *tail) exceed(x float64) (p float64, ok bool) {
	if h.total < tailMinimum {
		return 0, false
	}
	g := h.pareto(tailFraction)
	if g.n > 0 && x > g.from {
		p = g.n / float64(h.total) * math.Pow(1+g.shape*(x-g.from)/g.scale, -1/g.shape)
	} else {
		for k := tailBin(x); k < tailBins; k++ {
			p += h.of(k)
		}
		p /= float64(h.total)
	}
	return min(max(p, math.SmallestNonzeroFloat32), 1), true
}
