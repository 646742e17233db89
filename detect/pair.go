package detect

// A pair watches a series as long as it has had no more than two values: states
// such as 0 and 1. Its residuals say nothing. What can be odd is how long a state
// lasts, against the longest time that it has lasted before.
type pair struct {
	value [2]float64
	n     int32 // distinct values seen, 3 for more than two
	now   int32 // index of the newest value
	run   float64
	state [2]state
}

// A state is what is known of the runs of one value. All lengths are in points.
type state struct {
	longest float64 // of the runs that have ended
	points  float64 // in them
	runs    float64
}

const (
	// A state that the series was in before lasts too long at that many times the
	// longest run, more while few runs are known: 4·(1+4/n) times.
	stateRatio = 4
	// One that is the exception does at fewer: its longest run is that share of the
	// usual run of the other state.
	stateSeldom      = 1 / 20.0
	stateSeldomRatio = 3
	stateSeldomLeast = 4
	// One that is new is odd from its third point, if the other had lasted for so long.
	stateNew, stateNewAfter = 3, warmPoints
	// The other states are compared once that many runs of them have ended.
	stateKnown = 5
	// What a series that wakes up scores.
	stateWakes = 1.5
	// The score is no higher: it is about time, not about size.
	stateMost = 3
	// A state that has lasted that many ms too long is how it is now.
	stateUsual = 6 * hourMS
)

// many reports whether the series had more than two values.
func (p *pair) many() bool { return p.n > 2 }

// knows reports whether x leaves the series with no more than two values.
func (p *pair) knows(x float64) bool {
	return p.n < 2 || p.n == 2 && (x == p.value[0] || x == p.value[1])
}

// wakes reports whether x is the third value of a series that had stood still for long
// and left its value a moment ago: one that is alive from now on.
func (p *pair) wakes(x float64) bool {
	return p.n == 2 && p.now == 1 && p.state[1].runs == 0 && p.state[0].longest >= stateNewAfter && !p.knows(x)
}

// brief reports whether the series has more than two values, or keeps one of the two
// for less than n points.
func (p *pair) brief(n float64) bool {
	last := [2]float64{p.state[0].longest, p.state[1].longest}
	last[p.now] = max(last[p.now], p.run)
	return p.many() || min(last[0], last[1]) < n
}

// learn takes the newest value.
func (p *pair) learn(x float64) {
	if p.many() {
		return
	}
	which := int32(0)
	switch {
	case p.n == 0:
		p.n, p.value[0] = 1, x
	case x == p.value[0]:
	case p.n == 1:
		p.n, p.value[1], which = 2, x, 1
	case x == p.value[1]:
		which = 1
	default:
		p.n = 3
		return
	}
	if which != p.now {
		s := &p.state[p.now]
		s.longest = max(s.longest, p.run)
		s.points += p.run
		s.runs++
		p.now, p.run = which, 0
	}
	p.run++
}

// lasts returns the length of the run that x goes on with or begins.
func (p *pair) lasts(x float64) float64 {
	if p.n > 0 && (x == p.value[p.now] || !p.knows(x)) {
		return p.run + 1
	}
	return 1
}

// other returns the value that x is not.
func (p *pair) other(x float64) float64 {
	if x == p.value[0] {
		return p.value[1]
	}
	return p.value[0]
}

// score returns the length of the run that x goes on with or begins over the length
// that is too long for its state, and by how much x lies above the other value. It is
// 0 for a value that makes more than two, for a state that is how it is now, and where
// too little is known. step is in ms.
func (p *pair) score(x, step float64) (score, deviation float64) {
	which := int32(0)
	switch {
	case p.many() || p.n == 0 || p.n == 1 && x == p.value[0]:
		return 0, 0
	case p.n == 1 || x == p.value[1]:
		which = 1
	case x != p.value[0]:
		return 0, 0
	}
	run, limit := p.lasts(x), p.limit(which)
	if limit == 0 || (run-limit)*step >= float64(stateUsual) {
		return 0, 0
	}
	return min(run/limit, stateMost), x - p.other(x)
}

// limit returns the number of points at which a run of the state is too long, 0 if
// none is.
func (p *pair) limit(which int32) float64 {
	s, o := &p.state[which], &p.state[1-which]
	if s.runs == 0 {
		known := o.longest
		if which != p.now {
			known = p.run
		}
		if known < stateNewAfter {
			return 0
		}
		return stateNew
	}
	if o.runs > 0 && s.longest <= stateSeldom*o.points/o.runs {
		return max(stateSeldomRatio*s.longest, stateSeldomLeast)
	}
	if s.runs < stateKnown {
		return 0
	}
	return max(stateRatio*(1+stateRatio/s.runs)*s.longest, stateSeldomLeast)
}
