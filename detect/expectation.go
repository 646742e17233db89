package detect

import "math"

// An expectation predicts the next value by the best of four experts:
//
//	usual  the level of this time of the week plus its offset with a half-life of a day
//	today  the same with an offset with a half-life of eight points
//	local  an exponential average with a half-life of two points
//	slow   one with a half-life of two days
//
// Best is the least discounted mean absolute error, half-life one day.
type expectation struct {
	season season
	week   *calendar // how the hours of the week are unlike the season
	local  float64
	slow   float64
	usual  float64 // offset from the level of this time of the week
	today  float64
	drift  float64 // the same with two days; windows are measured against it
	err    [experts]float64
	fitted bool  // the errors of usual and today are known
	rests  int32 // number of the hour since 1970 until which the calendar does not learn
	gain   struct{ err, slow, usual float32 }
}

// The experts; those before local need the season.
const (
	usual = iota
	today
	local
	slow
	experts
)

// The gains of a half-life of two and of eight points.
var localGain, todayGain = halfLife(2), halfLife(8)

// halfLife returns the gain of an exponential average with half-life n points.
func halfLife(n float64) float64 { return 1 - math.Exp2(-1/n) }

func newExpectation(o Options) expectation {
	step := float64(o.Step.Milliseconds())
	day := float64(dayMS) / step
	e := expectation{season: newSeason(o.Step.Milliseconds(), o.Location), week: newCalendar(), rests: math.MinInt32}
	e.gain.err = float32(halfLife(max(24, day)))
	e.gain.slow = float32(halfLife(max(12, 2*day)))
	e.gain.usual = float32(halfLife(max(3, day)))
	return e
}

// A prediction is what the experts say about one time.
type prediction struct {
	value  float64 // the best expert's
	base   float64 // the usual level of this time of the week, or the slow level
	by     [experts]float64
	season bool    // base is the level of the season
	daily  bool    // the best expert is one of the usual day
	week   float64 // what of base the calendar says
	edge   float64 // by how much a value may be off because the calendar is, in the unit of the values, see doubtShare
	doubt  float64 // the same for a mean of ten minutes: of the edge ahead, and of what the calendar adds
}

// at predicts the value at local time lt.
func (e *expectation) at(lt int64) prediction {
	var p prediction
	p.base, p.week, p.season = e.usualAt(lt)
	if !p.season {
		p.base = e.slow
	}
	p.by = [experts]float64{p.base + e.usual, p.base + e.today, e.local, e.slow}
	best, first := slow, local
	if p.season && e.fitted {
		first = usual
	}
	for i := slow; i >= first; i-- {
		if e.err[i] <= e.err[best] {
			best = i
		}
	}
	p.value, p.daily = p.by[best], p.season && best <= today
	if sure := e.week.sure(); p.season && sure > 0 {
		either, ahead := e.week.edges(lt, e.season.step)
		p.edge = doubtShare * sure * either
		p.doubt = doubtShare * sure * (ahead + math.Abs(p.week))
	}
	return p
}

// What an hour of the week differs by from the usual day, and from the hours beside it, was learned in about three weeks:
// that share of it is in doubt. Between 0.05 and 0.2 the outcome on labelled data hardly changes.
const doubtShare = 0.1

// For so many hours after a beginning it is that which tells hours of the week apart.
const calendarRests = 48

// begins says that the series begins anew at local time lt: what comes now tells nothing of the hours of the week.
func (e *expectation) begins(lt int64) {
	e.rests = min(hourNumber(lt), math.MaxInt32-calendarRests) + calendarRests
	e.week.drop()
}

// hourNumber returns the number of the hour of local time lt since 1970.
func hourNumber(lt int64) int32 {
	return int32(min(max(floorDiv(lt, hourMS), math.MinInt32), math.MaxInt32))
}

// usualAt returns the usual level at local time lt, and how much of it the calendar says. ok is false where
// the usual day is not known.
func (e *expectation) usualAt(lt int64) (base, week float64, ok bool) {
	base, ok = e.season.at(lt)
	if ok {
		week = e.week.at(lt, middleOf(e.season.step))
	}
	return base + week, week, ok
}

// learn takes the clipped value x of which p was the prediction; seen values
// came before it.
func (e *expectation) learn(lt int64, p prediction, x, seen float64) {
	if seen == 0 {
		e.local, e.slow = x, x
	}
	e.season.learn(lt, x, e.drift+p.week)
	g := max(float64(e.gain.err), 1/(seen+1))
	for i := local; i <= slow; i++ {
		e.err[i] += g * (math.Abs(x-p.by[i]) - e.err[i])
	}
	if p.season {
		if hourNumber(lt) >= e.rests {
			e.week.learn(lt, middleOf(e.season.step), x-(p.base-p.week)-e.drift, float64(e.gain.slow))
		}
		if !e.fitted { // newcomers start from the worse of the others
			e.err[usual] = max(e.err[local], e.err[slow])
			e.err[today] = e.err[usual]
		}
		for i := range local {
			e.err[i] += g * (math.Abs(x-p.by[i]) - e.err[i])
		}
		e.usual += float64(e.gain.usual) * (x - p.base - e.usual)
		e.today += todayGain * (x - p.base - e.today)
		e.drift += float64(e.gain.slow) * (x - p.base - e.drift)
	}
	e.fitted = p.season
	e.local += localGain * (x - e.local)
	e.slow += max(float64(e.gain.slow), 1/(seen+1)) * (x - e.slow)
}

// charge makes the experts answer for the value x of which they learned a clipped one.
func (e *expectation) charge(p prediction, clipped, x float64) {
	first := local
	if p.season {
		first = usual
	}
	for i := first; i <= slow; i++ {
		e.err[i] += float64(e.gain.err) * (math.Abs(x-p.by[i]) - math.Abs(clipped-p.by[i]))
	}
}
