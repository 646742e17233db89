package judge

import "math"

// Trial weighs a model against the seasonal naive forecast over all horizons and
// series of a signal. What is forecast for one time hangs together, as a whole
// cluster is up or down together: each time counts once, with the mean over what was
// judged of it. The zero value has seen nothing.
type Trial struct {
	Judged int // forecasts
	Times  int // different times

	at        int64 // of the sum
	sum       float64
	n         int
	err, base float64 // of what is in the means
	mean, m2  float64 // of the means, by Welford
}

// Add counts o, in the order of time.
func (r *Trial) Add(o Outcome) {
	if o.At != r.at {
		r.close()
		r.at, r.sum, r.n = o.At, 0, 0
	}
	e, naive := min(o.Error, most), min(o.Naive, most)
	r.sum += naive - e
	r.n++
	r.Judged++
	r.err += e
	r.base += naive
}

// close takes the mean of a time into account.
func (r *Trial) close() {
	if r.n == 0 {
		return
	}
	r.Times++
	d := r.sum/float64(r.n) - r.mean
	r.mean += d / float64(r.Times)
	r.m2 += d * (r.sum/float64(r.n) - r.mean)
}

// Verdict is what a trial shows.
type Verdict int

// The verdicts.
const (
	Open   Verdict = iota // too little was judged, or it is close
	Better                // than naive
	Worse                 // than naive
)

// What a verdict takes: so many judged forecasts, of so many different times, and a
// mean difference of that many standard errors (a one-sided test at 2.5 %).
const (
	LeastJudged = 12
	LeastTimes  = 6
	leastT      = 1.96
)

// Verdict says whether the model is better or worse than naive; see LeastJudged. The
// test is Student's on the differences of the errors, in scales, of one time to the
// next; with few times the threshold is that of the normal distribution widened by
// 1 + 2/times.
func (r *Trial) Verdict() Verdict {
	c := *r
	c.close()
	if c.Judged < LeastJudged || c.Times < LeastTimes {
		return Open
	}
	n := float64(c.Times)
	se := math.Sqrt(c.m2 / (n - 1) / n)
	limit := leastT * (1 + 2/n) * se
	switch {
	case c.mean > limit && c.err < c.base:
		return Better
	case c.mean < -limit && c.err > c.base:
		return Worse
	}
	return Open
}

// Skill is 1 − error / error of naive over the trial, NaN if naive made none.
func (r *Trial) Skill() float64 {
	if r.base == 0 {
		return math.NaN()
	}
	return 1 - r.err/r.base
}
