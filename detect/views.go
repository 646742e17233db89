package detect

import (
	"math"

	"github.com/upid/upid/collector/series"
)

// The views. Those before tailed are measured against their own tail; a window
// has two, up and down.
const (
	residualUp   = 0 // the sides of one view differ in the lowest bit
	residualDown = 1
	windowUp     = 2                    // + 2·window
	windowDown   = 3                    // + 2·window
	variance     = windowUp + 2*windows // ratio of mean |z|
	joint        = variance + 1         // Mahalanobis norm
	changeUp     = joint + 1            // a step in the level
	changeDown   = joint + 2
	tailed       = joint + 3
	flatline     = tailed
	missing      = tailed + 1
	held         = tailed + 2 // a state of two
	late         = tailed + 4 // a jump that comes by the clock
	stays        = tailed + 5 // the values of a series that comes and goes
	restless     = tailed + 3 // often away from the one value that is usual

	windows    = 2
	longWindow = 1
)

// Their weights, for the same reason as that of the variance.
var windowWeight = [windows]float64{0.7, 0.55}

// Within the span the windows are damped less than the residual: that single values have
// been there says little of a mean, and a slow rise spends its first half there.
const windowDamp = 0.75

// The windows: 10 minutes and 6 hours, and their least length in points.
var (
	windowMS    = [windows]float64{10 * 60 * 1000, 6 * 60 * 60 * 1000}
	windowLeast = [windows]float64{3, 12}
)

const (
	// A view must exceed its level by that factor to score 1. Between 1.2 and 1.6
	// the outcome on labelled data hardly changes.
	margin = 1.3
	// Weights of the variance and of steps in the level: they answer to the same
	// events as the residual, later.
	varianceWeight = 0.6
	changeWeight   = 0.75
	// Of the seven pairs of neighbours among the last residuals so many have different signs in noise, one time in two, and
	// seldom in a burst. What stays on one side is the business of the other views: of the variance that share is left,
	// which breaches nothing.
	noiseTurns = 4
	oneSided   = 0.7
	// Least levels, in scales: nothing below is worth a word however calm the past.
	residualFloor, windowFloor, ratioFloor = 3.5, 2.5, 2.0
	// Values that a view needs behind it.
	varianceAfter, shapeAfter, shapeScored = 200, 100, 300
	// Values after which tails start to count.
	tailAfter = 30
	// What a daily decay leaves: half-life 5 days.
	tailFade = 0.8705505632961241
	// A tail counts a value at most that far above its level: one incident must
	// not redefine what is seldom.
	tailClip = 1.2
	// A learned residual is clipped at the level of its tail, between 3 and 50
	// scales; during warm-up not at all.
	clipLeast, clipMost = 3, 50
)

// A look is what the views see at one point.
type look struct {
	x       float64 // the value
	r, z    float64 // residual, and in scales
	scale   float64
	weight  float64          // what deviations count here, see span
	mean    [windows]float64 // of the residuals from the base
	zmean   [windows]float64 // the same in usual means; 0 before the window is full
	ratio   float64          // variance
	norm    float64          // joint; 0 until the covariance means something
	level   float64          // of the expectation, for the minimum relative deviation
	largest float64          // of the last residuals
	extreme float64          // the same in scales, with its sign
	present [windows]float64 // share of each window's score that stands, see goesOn
	restive float64          // the same for the variance
	swings  bool             // the last residuals go up and down
	odd     float64          // and for the joint view

	residual float64 // score of the residual
	reset    bool    // a jump that the series is used to
	begun    bool    // a fall to where the series climbs from
	step     bool    // the view of changes looked anew
}

// look measures x against the prediction p.
func (s *stream) look(lt int64, p prediction, x float64) look {
	l := look{x: x, scale: s.spread(lt, p), weight: s.span.weight(x), level: math.Abs(p.value)}
	l.r = x - p.value
	l.z = min(max(l.r/l.scale, -zMax), zMax)
	base := x - p.base - s.expect.drift
	s.recent.push(base)
	for i := range s.window {
		w := &s.window[i]
		l.mean[i] = w.add(base)
		l.present[i] = goesOn(s.recent.mean(newest(int(w.points))), l.mean[i])
		if i == longWindow {
			l.present[i] = min(l.present[i], goesOn(w.lately(), l.mean[i]))
		}
		if w.full() {
			unit := w.usual(l.scale)
			switch {
			case i != longWindow: // a leak over a weekend would be lost in the doubt
				unit += p.doubt
			case s.seen > recordAfter*int64(s.daily):
				unit = w.usualBefore(l.mean[i], l.scale)
			}
			l.zmean[i] = min(max(l.mean[i]/unit, -zMax), zMax)
		}
	}
	l.step = s.change.add(x, base, l.scale, s.gain.threeDays())
	l.ratio = s.burst.add(math.Abs(l.z), s.gain.halfHour)
	s.shape.push(l.z)
	if s.seen > shapeAfter {
		l.norm = s.shape.norm()
	}
	m := s.shape.summary()
	l.largest, l.extreme = m.largest*l.scale, m.extreme
	l.restive = goesOn(m.mean, s.burst.short)
	l.swings = m.turns >= noiseTurns
	l.odd = goesOn(m.newest, m.largest)
	return l
}

// judge returns the view that stands out most and its score.
func (s *stream) judge(t int64, x float64, l *look) (view int, value float64) {
	view = residualUp
	take := func(v int, score float64) {
		if score > value && s.off&(1<<v) == 0 {
			view, value = v, score
		}
	}
	if s.pair.wakes(x) {
		deviation := x - s.pair.value[0]
		take(held, s.permit(deviation, math.Abs(deviation), l, stateWakes))
	}
	if s.pair.knows(x) {
		score, deviation := s.pair.score(x, s.step)
		take(held, s.permit(deviation, math.Abs(deviation), l, score))
	} else if s.warm() {
		v := residualUp
		if l.z < 0 {
			v = residualDown
		}
		l.residual = s.permit(l.z, math.Abs(l.r), l, math.Abs(l.z)/s.tail[v].level*l.weight/margin)
		if !s.pace.restarts(l.r) {
			take(v, l.residual)
		}
		for i := range s.window {
			if s.seen <= 4*int64(s.window[i].points) || s.pace.moves() {
				continue
			}
			v := windowUp + 2*i
			if l.zmean[i] < 0 {
				v = windowDown + 2*i
			}
			weight := windowWeight[i]
			if l.weight < 1 {
				weight *= windowDamp
			}
			take(v, s.permit(l.zmean[i], math.Abs(l.mean[i]), l, goingOn(math.Abs(l.zmean[i])/s.tail[v].level*weight/margin, l.present[i])))
		}
		if s.seen > shapeScored && !s.pace.quiet() {
			take(joint, s.permit(l.extreme, l.largest, l, goingOn(l.norm/s.tail[joint].level*l.weight/margin, l.odd)))
		}
		if s.change.n > changeScored && !s.pace.quiet() {
			v := changeUp
			if s.change.z < 0 {
				v = changeDown
			}
			score := math.Abs(s.change.z) / s.tail[v].level * changeWeight / margin
			if score >= habitFrom {
				score *= s.moved()
			}
			take(v, s.permit(s.change.z, math.Abs(s.change.by), l, score))
		}
		if s.seen > varianceAfter && !s.pace.quiet() {
			score := s.permit(l.extreme, l.largest, l, goingOn(l.ratio/s.tail[variance].level*varianceWeight/margin, l.restive))
			if !l.swings {
				score = min(score*oneSided, habitual)
			}
			take(variance, score)
		}
	}
	if s.warm() && s.pace.quiet() && s.pair.brief(1/s.gain.halfHour) {
		away := x - s.home.value
		take(restless, s.permit(away, math.Abs(away), l, s.home.score(x, s.gain.halfHour)))
	}
	if s.warm() && s.pace.quiet() {
		went := s.pace.goes(x-s.value, s.steps(t), paceTol*s.floor())
		take(late, s.pace.late(t, went, s.step))
	}
	take(stays, s.shift.stays(t, float64(t-s.seenAt), s.step))
	take(flatline, s.flat.score(s.seen)/margin)
	return view, value
}

// moved returns how much of a step the values themselves made, from 0 to 1. A day after
// a lasting step the level of that time of day has learned a part of it: a series that
// goes on as it is then steps away from its base.
func (s *stream) moved() float64 {
	return min(max((s.expect.local-s.change.value)/s.change.by/changeMoved, 0), 1)
}

// permit returns what a score counts: more where it has a known cause, nothing when the
// deviation goes the way nobody watches, and below 1 when it is smaller than the configured
// minimum: then it is at most the share of the minimum that was reached.
func (s *stream) permit(sign, deviation float64, l *look, score float64) float64 {
	if (s.o.direction == Up && sign < 0) || (s.o.direction == Down && sign > 0) {
		return 0
	}
	score *= max(s.caused, 1)
	if least := s.least(l.level); deviation < least {
		score = min(score, deviation/least)
	}
	return score
}

// least returns the deviation below which nothing scores 1 when level is
// expected.
func (s *stream) least(level float64) float64 {
	return max(s.o.minDeviation, s.o.minRelative*math.Abs(level))
}

// band returns the values at which the residual view reaches 1. The side that
// nobody watches is NaN.
func (s *stream) band(expected, scale float64) (lower, upper float64) {
	least := s.least(expected)
	// Inside the span it takes more, see span.weight; at its edge that ends.
	side := func(v int, edge float64) float64 {
		if s.tail[v].level >= unknownLevel {
			return math.NaN()
		}
		d := s.tail[v].level * margin * scale / max(s.caused, 1)
		return max(least, min(d/spanDamp, max(d, edge)))
	}
	lower = finite(expected - side(residualDown, expected-s.span.low))
	upper = finite(expected + side(residualUp, s.span.high-expected))
	if s.pair.n == 2 { // either value is in order
		lower = min(lower, s.pair.value[0], s.pair.value[1])
		upper = max(upper, s.pair.value[0], s.pair.value[1])
	}
	switch s.o.direction {
	case Up:
		lower = math.NaN()
	case Down:
		upper = math.NaN()
	case Both:
	}
	return lower, upper
}

// clip returns the residual to learn from.
func (s *stream) clip(l *look) float64 {
	if !s.warm() || s.scale.all <= s.floor() {
		return l.r
	}
	v := residualUp
	if l.z < 0 {
		v = residualDown
	}
	limit := min(max(s.tail[v].level, clipLeast), clipMost) * l.scale
	return min(max(l.r, -limit), limit)
}

// remember adds the views to their tails.
func (s *stream) remember(l *look) {
	if s.seen <= tailAfter {
		return
	}
	s.count(residualUp, l.z)
	for i := range s.window {
		if s.seen > 2*int64(s.window[i].points) {
			s.count(windowUp+2*i, l.zmean[i])
		}
	}
	s.tally(variance, l.ratio)
	if l.step && s.change.have == changeBlocks && s.change.n > changeAfter {
		s.count(changeUp, s.change.raw)
	}
	if s.seen > shapeAfter {
		s.tally(joint, l.norm)
		shrink := 1.0
		if level := s.tail[joint].level; l.norm > level {
			shrink = level / l.norm
		}
		s.shape.learn(shrink, max(s.gain.fiveDays(), 1/float64(s.seen)))
	}
}

// count adds z to the tail up, or its negative to the one after it.
func (s *stream) count(up int, z float64) {
	if z > 0 {
		s.tally(up, z)
	} else {
		s.tally(up+1, math.Abs(z)) // not −z: that would be −0 for 0
	}
}

func (s *stream) tally(view int, x float64) {
	s.tail[view].add(min(x, tailClip*s.tail[view].level))
}

// level reads the levels off the tails. A side that was hardly ever seen, as
// below a series that only rises, takes twice the level of both together.
func (s *stream) level() {
	for v := range s.tail {
		q, ok := s.tail[v].quantile(s.rate(v))
		if !ok && sided(v) {
			both := s.tail[v].merged(&s.tail[v^1])
			q, ok = both.quantile(s.rate(v))
			q *= 2
		}
		if !ok {
			q = unknownLevel
		}
		s.tail[v].level = max(q, floorOf(v))
	}
}

// unknownLevel keeps a view silent whose tail has too little weight.
const unknownLevel = 1e9

// calibrated reports whether it is known what is seldom on at least one side.
// Before, a score would call everything ordinary.
func (s *stream) calibrated() bool {
	return s.warm() && min(s.tail[residualUp].level, s.tail[residualDown].level) < unknownLevel
}

// sided reports whether a view has a tail up and one down.
func sided(view int) bool { return view < variance || view > joint }

// floorOf returns the least level of a view.
func floorOf(view int) float64 {
	switch {
	case view <= residualDown:
		return residualFloor
	case sided(view):
		return windowFloor
	}
	return ratioFloor
}

// rate returns the probability a point with which a view may exceed its level:
// 10 × the budget a week, since margin, persistence and fatigue keep nine of ten
// exceedances from becoming alerts. Neighbouring means of a window are one
// event, as are 20 points of variance.
func (s *stream) rate(view int) float64 {
	return min(perBudget*s.o.budget/s.events(view), 0.5)
}

const perBudget = 10

// classify names an anomaly by the view that saw it.
func classify(view int, z float64) string {
	switch {
	case view == residualUp:
		return series.TypeSpike
	case view == residualDown:
		return series.TypeDrop
	case view == variance, view == restless:
		return series.TypeVariance
	case view == joint:
		return series.TypeOutlier
	case view == held, view == stays:
		return series.TypeLevelShift
	case view == flatline, view == late:
		return series.TypeFlatline
	case view < variance && view >= windowUp+2*longWindow:
		return series.TypeDrift
	}
	return series.TypeLevelShift
}

// confidence returns how sure the score of a view is, see the function confidence.
func (s *stream) confidence(view int, value float64, w series.Why) float64 {
	if view >= tailed {
		return confidence(float64(s.seen)/flatAfter, value, w)
	}
	return confidence(float64(s.tail[view].total)*s.rate(view), value, w)
}
