package detect

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// A stream is the one-pass scorer. It predicts the newest value, looks at how
// the prediction missed in several views (the residual up and down, its means
// over 10 minutes and 6 hours, steps in its level, its variance, the shape of the last
// eight, a flat line, a gap) and divides each by the level that this series
// itself seldom exceeds. The greatest quotient is the score. Then it learns from
// a clipped value, so that an anomaly teaches it little.
//
// Half-lives count observed points; the season goes by time. Time O(1) a point
// (about 0.4 µs), no allocation; memory fixed by the step.
type stream struct {
	o     watch
	step  float64 // ms
	gain  gains
	every int32 // points between two looks at the tails
	daily int32 // points in a day, at least leastDay

	seen   int64   // values observed
	last   int64   // time of the newest Step
	seenAt int64   // time of the newest value
	value  float64 // the newest value

	expect  expectation
	scale   scale
	lever   leverage
	span    span
	pair    pair
	pace    pace
	home    home
	shift   shift
	habits  habits
	resets  resets
	startup startup
	calm    bool // the newest value was not odd
	trail   trail
	window  [windows]window
	recent  recent
	change  change
	shape   shape
	burst   burst
	flat    flat
	gap     gap
	tail    [tailed]tail
	off     uint32  // views that are silent, a bit each: for the measure of what each is worth
	caused  float64 // see Caused; no part of the state
}

// A watch is what a stream keeps of its options.
type watch struct {
	step                              time.Duration
	budget, minDeviation, minRelative float64
	direction                         Direction
}

// options returns them again.
func (w watch) options(loc *time.Location) Options {
	return Options{Step: w.step, Budget: w.budget, Direction: w.direction, MinDeviation: w.minDeviation, MinRelative: w.minRelative, Transform: NoTransform, Location: loc}
}

// gains are the weights of the newest point in the discounted means: a half-life
// of a day, for the scale of one hour of the day, and of half an hour.
type gains struct{ day, hour, halfHour float64 }

func (g gains) threeDays() float64 { return g.day / 3 }
func (g gains) fiveDays() float64  { return g.day / 5 }

const (
	// Nothing is scored before that many values.
	warmPoints = 60
	// Half-lives are counted in days of at least that many points.
	leastDay = 24
	// Values beyond that count as that, so that differences stay finite.
	hugest = 1e300
	// Residuals beyond that many scales count as that.
	zMax = 1e6
)

// lookEvery returns the points between two looks at the tails, of a series that has so many in a day.
func lookEvery(daily int64) int64 { return min(max(20, daily/24), warmPoints) }

// Warmup returns how many values a series of that step has, 60 to 120, before Default scores any: those of the
// beginning, and as many more until the tails are looked at. Series of few different values may take longer.
func Warmup(step time.Duration) int {
	every := lookEvery(max(leastDay, int64(24*time.Hour/max(step, 1))))
	return int((warmPoints/every + 1) * every)
}

func newStream(o Options) (Scorer, error) { return makeStream(o), nil }

func makeStream(o Options) *stream {
	step := float64(o.Step.Milliseconds())
	day := float64(dayMS) / step
	g := halfLife(max(leastDay, day))
	s := &stream{
		o: watch{o.Step, o.Budget, o.MinDeviation, o.MinRelative, o.Direction}, step: step, daily: int32(max(leastDay, int64(day))),
		gain: gains{day: g, hour: max(8*g, 0.001), halfHour: halfLife(max(6, 30*60*1000/step))},
		seen: 0, last: 0, seenAt: 0, value: 0,
		expect: newExpectation(o), scale: scale{}, lever: leverage{}, span: span{}, pair: pair{}, pace: pace{}, home: home{}, shift: shift{}, habits: habits{}, resets: resets{}, startup: startup{}, calm: false, trail: newTrail(step),
		window: [windows]window{}, recent: recent{}, change: newChange(step), shape: newShape(), burst: burst{}, flat: flat{}, gap: gap{longest: step}, tail: [tailed]tail{}, off: 0, caused: 0,
	}
	s.every = int32(lookEvery(int64(s.daily)))
	for i := range s.tail {
		s.tail[i].level = unknownLevel
	}
	for i, m := range windowMS {
		s.window[i] = newWindow(int(max(windowLeast[i], m/step)))
	}
	return s
}

func (s *stream) floor() float64 { return floor(s.expect.slow, s.span.high-s.span.low) }

// steps returns how many steps lie between the newest value and time t.
func (s *stream) steps(t int64) float64 {
	d := float64(t - s.seenAt)
	if d == s.step { // nearly always
		return 1
	}
	return max(1, math.Round(d/s.step))
}

// predict returns what is expected at time t, local time lt.
func (s *stream) predict(t, lt int64) prediction {
	p := s.expect.at(lt)
	if s.seen > 0 && (s.pace.quiet() || !s.pair.many()) {
		p.value = s.pace.at(s.value, s.steps(t))
	}
	return p
}

// usual returns the scale of residuals at local time lt. Of a quiet series most are
// 0; there it is its jumps that count.
func (s *stream) usual(lt int64) float64 {
	v := s.scale.at(hourOf(lt), s.floor())
	if s.pace.quiet() {
		v = max(v, s.pace.jump)
	}
	return v
}

// lean returns by what the scale of residuals is multiplied where p is expected.
func (s *stream) lean(p prediction) float64 { return s.lever.at(p.by[usual], s.expect.slow) }

// spread returns the scale of residuals at local time lt where p is expected, with what of p is in doubt.
func (s *stream) spread(lt int64, p prediction) float64 {
	if s.pace.quiet() {
		return s.usual(lt)
	}
	return max(s.usual(lt)*max(s.lean(p), leverLeast), s.floor()) + p.edge
}

func (s *stream) warm() bool { return s.seen >= warmPoints }

// Step implements Scorer. A time not after the one before is neither scored nor
// learned. An infinite value is a missing one.
func (s *stream) Step(t int64, v float64) series.Score {
	if math.IsInf(v, 0) {
		v = math.NaN()
	}
	switch {
	case s.seen > 0 && t <= s.last:
		return unknown(v)
	case math.IsNaN(v):
		return s.missed(t)
	}
	return s.observe(t, finite(v))
}

// finite bounds x, so that differences and bounds stay finite.
func finite(x float64) float64 { return min(max(x, -hugest), hugest) }

// unknown is the score of v when nothing can be said.
func unknown(v float64) series.Score {
	nan := math.NaN()
	return series.Score{Observed: v, Expected: nan, Lower: nan, Upper: nan, Value: nan, Confidence: 0, Type: "", Why: series.Why{}}
}

// missed scores a grid point that has no value. Nothing is learned from it.
func (s *stream) missed(t int64) series.Score {
	sc := unknown(math.NaN())
	if s.seen == 0 {
		return sc
	}
	s.last = t
	if !s.warm() {
		return sc
	}
	lt := s.expect.season.local(t)
	p := s.predict(t, lt)
	sc.Expected = finite(p.value)
	sc.Lower, sc.Upper = s.band(sc.Expected, s.spread(lt, p))
	sc.Value = 0
	if s.seen > gapAfter && s.off&(1<<missing) == 0 {
		since := float64(t - s.seenAt)
		sc.Value = s.gap.score(since, s.step) / margin
		if s.shift.comes(since, s.step) {
			sc.Value = max(sc.Value, s.shift.starts.score(t, s.shift.start, s.step))
		}
	}
	sc.Value = s.trail.fade(sc.Value)
	if sc.Value >= 1 {
		sc.Type = series.TypeMissing
		since := float64(t-s.seenAt) / 1000
		sc.Why = series.Why{View: series.ViewGap, Value: since, Limit: since / sc.Value, Deviation: 0, Usual: 0, Days: 0, Peers: 0}
	}
	sc.Confidence = confidence(float64(s.seen)/gapAfter, sc.Value, sc.Why)
	return sc
}

// observe scores the value x and learns from it.
func (s *stream) observe(t int64, x float64) series.Score {
	if s.seen == 0 {
		s.seenAt, s.value = t, x
		s.expect.local, s.expect.slow = x, x
		s.span = span{low: x, high: x}
	}
	lt := s.expect.season.local(t)
	p := s.predict(t, lt)
	l := s.look(lt, p, x)
	stuck := s.flat.score(s.seen) >= margin
	ended := s.flat.run(x == s.value, s.seen)
	view, value := s.judge(t, x, &l)
	if view < tailed && s.pair.many() {
		value = s.routine(t, lt, view, value, p, &l)
	}

	sc := unknown(x)
	sc.Expected = finite(p.value)
	if s.calibrated() {
		sc.Lower, sc.Upper = s.band(p.value, l.scale)
		sc.Value = s.trail.fade(value)
		if value >= 1 {
			sc.Type = classify(view, l.z)
			sc.Why = s.why(t, view, p, &l, value)
		}
		sc.Confidence = s.confidence(view, sc.Value, sc.Why)
	}

	s.learn(lt, p, &l)
	if l.reset {
		s.expect.local = x // it goes on from there
		if l.begun {
			s.expect.charge(p, p.value+s.clip(&l), x)
		}
	}
	s.flat.learn(ended, stuck)
	since := float64(t - s.seenAt)
	s.shift.learn(t, since, s.step)
	s.gap.learn(since, s.step, s.seen > gapAfter && s.gap.score(since, s.step) >= margin)
	s.span.learn(x, value < 1 || !s.warm())
	s.pair.learn(x)
	g := max(s.gain.day, 1/(float64(s.seen)+1))
	if s.seen > 0 {
		s.pace.learn(t, x-s.value, s.steps(t), paceTol*s.floor(), g, s.step)
	}
	s.home.learn(x, max(s.gain.fiveDays(), 1/(float64(s.seen)+1)), s.gain.halfHour, float64(s.daily))
	s.last, s.seenAt, s.value = t, t, x
	s.seen++
	s.age()
	return sc
}

// nearby says where in the usual day a view looks for values like the newest.
type nearby struct {
	bins  int     // on either side; 0: nowhere
	above float64 // how far today is above the usual day
	share float64 // of what those values lie apart that is tolerated
}

// within returns it: a mean of ten minutes looks within ten minutes; a single value of which the usual day was
// expected, where steps are finer than the bins, in those on either side, as an edge of the day lies anywhere
// between them. What today is above the usual was then learned on the slope that is put in place of the edge.
func (s *stream) within(view int, p prediction) nearby {
	switch view {
	case windowUp, windowDown:
		return nearby{int(seasonNear / s.expect.season.width), s.expect.drift, 0}
	case residualUp, residualDown:
		if p.daily && s.step < float64(s.expect.season.width) {
			return nearby{1, p.value - p.base + p.week, edgeShare}
		}
	}
	return nearby{0, 0, 0}
}

// routine takes the score of what is measured against its tail and returns what is left
// of it where the series is used to such a thing: a little earlier or later, at this time of
// day, or of this size.
func (s *stream) routine(t, lt int64, view int, value float64, p prediction, l *look) float64 {
	odd := value
	clock := false
	if w := s.within(view, p); w.bins > 0 && value >= habitFrom && s.expect.season.near(lt, w.bins, l.x-w.above, nearTol*l.scale, w.share) {
		value = min(value, habitual)
		clock = true
	}
	if (view == windowDown || view == windowDown+2*longWindow) && s.startup.climbs {
		value = min(value, habitual)
	}
	if s.startup.recovers(t, l.x) {
		value = min(value, habitual)
	}
	if odd >= habitFrom && s.caused == 0 {
		if s.habits.usual(lt, value) {
			value = min(value, habitual)
		}
		s.habits.learn(lt, odd)
	}
	if l.residual >= habitFrom && s.calm {
		jump := finite(l.r)
		l.begun = jump < 0 && !clock && s.startup.again(t, l.x, -jump) && !s.resets.regular(jump)
		if s.resets.usual(jump) || l.begun {
			value = min(value, habitual)
		}
		// What the usual day may learn is left to it: the experts do not answer for that.
		if s.resets.usual(jump) || l.begun && !byClock(s.startup.ago(t)) {
			l.reset = true
			s.shape.x[0] = 0
			s.change.forget()
			s.burst.forget(math.Abs(l.z), s.gain.halfHour)
		}
		s.resets.learn(jump)
	}
	jump := 0.0
	if l.residual >= 1 && (s.calm || l.r > 0) {
		jump = finite(l.r)
	}
	s.startup.learn(t, l.x, s.value, jump, s.step)
	if l.begun && jump < 0 {
		s.startup.begins()
	}
	s.calm = odd < habitFrom
	return value
}

// learn takes the newest point into every running mean, clipped where the views
// would have called it an anomaly.
func (s *stream) learn(lt int64, p prediction, l *look) {
	seen := float64(s.seen)
	r := s.clip(l)
	lean, slow := s.lean(p), s.expect.slow
	s.expect.learn(lt, p, p.value+r, seen)
	s.lever.learn(math.Abs(r), p.by[usual], slow, max(s.gain.fiveDays(), 1/(seen+1)))
	s.scale.learn(math.Abs(r)/lean, hourOf(lt), max(s.gain.day, 1/(seen+1)), s.gain.hour)
	g := max(s.gain.threeDays(), 1/(seen+1))
	based := p.season || s.seen > recordAfter*int64(s.daily)
	for i := range s.window {
		s.window[i].learn(l.mean[i], l.scale, g, based)
	}
	s.burst.learn(math.Abs(l.z), g)
	s.remember(l)
}

// age lets the past fade once a day and looks at the tails about once an hour.
func (s *stream) age() {
	if s.seen%int64(s.daily) == 0 {
		for i := range s.tail {
			s.tail[i].decay(tailFade)
		}
		s.span.shrink()
	}
	if s.seen%int64(s.every) == 0 || s.seen == warmPoints {
		s.level()
		if s.seen > shapeAfter {
			s.shape.factor()
		}
	}
}

func hourOf(local int64) int { return int(floorMod(local, dayMS) / hourMS) }
