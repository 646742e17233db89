package detect

import "math"

// An expectation predicts the next value by the best of three experts:
//
//	seasonal  the usual level of this time of day plus a slow offset
//	local     an exponential average with a half-life of two points
//	slow      one with a half-life of two days
//
// Best is the least discounted mean absolute error, half-life one day.
type expectation struct {
	season season
	local  float64
	slow   float64
	offset float64 // seasonal: value − level, half-life one day
	drift  float64 // seasonal: the same with two days; windows are measured against it
	err    [experts]float64
	fitted bool // err[seasonal] is known
	gain   struct{ err, local, slow, offset, drift float64 }
}

const (
	seasonal = iota
	local
	slow
	experts
)

// halfLife returns the gain of an exponential average with half-life n points.
func halfLife(n float64) float64 { return 1 - math.Exp2(-1/n) }

func newExpectation(o Options) expectation {
	step := float64(o.Step.Milliseconds())
	day := float64(dayMS) / step
	e := expectation{season: newSeason(o.Step.Milliseconds(), o.Location)}
	e.gain.err = halfLife(max(24, day))
	e.gain.local = halfLife(2)
	e.gain.slow = halfLife(max(12, 2*day))
	e.gain.offset = halfLife(max(3, day))
	e.gain.drift = e.gain.slow
	return e
}

// A prediction is what the experts say about one time.
type prediction struct {
	value  float64 // the best expert's
	base   float64 // the usual level of this time of day, or the slow level
	by     [experts]float64
	season bool // base and by[seasonal] come from the season
}

// at predicts the value at local time lt.
func (e *expectation) at(lt int64) prediction {
	var p prediction
	p.base, p.season = e.season.at(lt)
	if !p.season {
		p.base = e.slow
	}
	p.by = [experts]float64{p.base + e.offset, e.local, e.slow}
	switch {
	case p.season && e.fitted && e.err[seasonal] <= min(e.err[local], e.err[slow]):
		p.value = p.by[seasonal]
	case e.err[local] <= e.err[slow]:
		p.value = p.by[local]
	default:
		p.value = p.by[slow]
	}
	return p
}

// learn takes the clipped value x of which p was the prediction; seen values
// came before it.
func (e *expectation) learn(lt int64, p prediction, x, seen float64) {
	if seen == 0 {
		e.local, e.slow = x, x
	}
	e.season.learn(lt, x)
	g := max(e.gain.err, 1/(seen+1))
	for i := range e.err {
		miss := math.Abs(x - p.by[i])
		switch {
		case i != seasonal:
			e.err[i] += g * (miss - e.err[i])
		case p.season && e.fitted:
			e.err[i] += g * (miss - e.err[i])
		case p.season: // a newcomer starts from the worse of the others
			e.err[i], e.fitted = max(e.err[local], e.err[slow]), true
		default:
			e.fitted = false
		}
	}
	if p.season {
		e.offset += e.gain.offset * (x - p.base - e.offset)
		e.drift += e.gain.drift * (x - p.base - e.drift)
	}
	e.local += e.gain.local * (x - e.local)
	e.slow += max(e.gain.slow, 1/(seen+1)) * (x - e.slow)
}
