package detect

import "math"

// Inherit makes s, a scorer with the options of donor, one that knows what donor
// knows: the usual day, the scale by hour, the tails, what is routine. From time t on, at
// which the value was value, it expects level where donor would expect its own, with values
// that are usually spread from it, mean |x − level|. What is about the newest points
// begins afresh.
//
// It reports false, and s is as it was, if donor has no such knowledge: too few points, or a
// series of two values, or of steps, of which all there is to know is when they come.
func Inherit(s, donor Scorer, t int64, value, level, spread float64) bool {
	switch from := donor.(type) {
	case *transformed:
		to, ok := s.(*transformed)
		return ok && Inherit(to.inner, from.inner, t, root(value), root(level), rootSpread(level, spread))
	case *stream:
		to, ok := s.(*stream)
		if !ok || !from.calibrated() || !from.pair.many() || from.pace.quiet() || to.LoadState(from.AppendState(nil)) != nil {
			return false
		}
		to.last, to.seenAt, to.value = t, t, finite(value)
		to.flat.length = 1
		to.shift = shift{}
		to.startup.inherit(t, finite(value))
		if to.expect.week.weeks < calendarWeeks {
			to.expect.week = newCalendar()
		}
		to.rebase(t, level, spread)
		return true
	}
	return false
}

// Rebase makes level what s expects at time t, with values that are spread from it by
// spread, mean |x − level|, and keeps everything else that s knows: a series that was moved
// on purpose goes on from there. It reports whether s can do that.
func Rebase(s Scorer, t int64, level, spread float64) bool {
	switch s := s.(type) {
	case *transformed:
		return Rebase(s.inner, t, root(level), rootSpread(level, spread))
	case *stream:
		if !s.calibrated() || !s.pair.many() || s.pace.quiet() {
			return false
		}
		s.rebase(t, level, spread)
		return true
	}
	return false
}

// Shifted returns how far level is from what s expects at time t by the usual day alone,
// in its scales and as a share of what is expected, both signed; ok is false while s does
// not know.
func Shifted(s Scorer, t int64, level float64) (scales, share float64, ok bool) {
	switch s := s.(type) {
	case *transformed:
		scales, share, ok = Shifted(s.inner, t, root(level))
		return scales, square(1+share) - 1, ok
	case *stream:
		if !s.calibrated() || !s.pair.many() || s.pace.quiet() {
			return 0, 0, false
		}
		lt := s.expect.season.local(t)
		base, _, season := s.expect.usualAt(lt)
		if season {
			base += s.expect.drift
		} else {
			base = s.expect.slow
		}
		d := finite(level) - base
		return d / s.usual(lt), d / max(math.Abs(base), s.floor()), true
	}
	return 0, 0, false
}

// rootSpread is the spread of the roots of values around level: half a spread over √level,
// by the derivative, and no more than the root of the spread.
func rootSpread(level, spread float64) float64 {
	return min(spread/(2*max(math.Sqrt(math.Abs(level)), tiny)), math.Sqrt(spread))
}

// rebase moves the expectation at time t to level, and forgets the newest points.
func (s *stream) rebase(t int64, level, spread float64) {
	level, spread = finite(level), finite(spread)
	lt := s.expect.season.local(t)
	e := &s.expect
	if base, _, ok := e.usualAt(lt); ok { // the whole day moves, and holds all of the drift
		e.slow = finite(e.slow + finite(level-base-e.drift))
		d := finite(level - base)
		e.season.origin = finite(e.season.origin + d)
		e.season.sum = finite(e.season.sum + d*float64(e.season.n))
		e.usual, e.today, e.drift = 0, 0, 0
	} else {
		e.slow = level
	}
	e.local = level
	e.begins(lt)
	s.scale.all = max(s.scale.all, spread)
	s.span.low, s.span.high = min(s.span.low, level-spread), max(s.span.high, level+spread)
	for i := range s.window {
		w := &s.window[i]
		clear(w.blocks)
		w.pos, w.fill, w.sum, w.n = 0, 0, 0, 0
	}
	s.recent = recent{}
	s.change.forget()
	s.shape.x = [lags]float32{}
	s.burst.short = s.burst.long
	s.calm = true
	s.trail.forget()
}

// Caused tells s, a scorer, that what comes next has a known cause, such as a rollout, and how
// many times as much scores of deviations count for that, at least 1; 0 is no cause. What is
// odd then is no habit of its time of day, and none is made of it. It is no part of the state:
// tell it before each Step.
func Caused(s Scorer, times float64) {
	switch s := s.(type) {
	case *transformed:
		Caused(s.inner, times)
	case *stream:
		s.caused = times
	}
}
