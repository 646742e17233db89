package threat

import "time"

// Count finds more events than usual, where the number of trials is not known:
// failures of a host, refusals of a user, reads of secrets, requests of a client.
//
// The events of a window are negative binomial with the mean of its hours of the
// week (see profile) and the dispersion k of the window's own past:
//
//	surprise = −log10 P(NB(μ, k) ≥ x) − i
//
// for window i of 5 min, 10 min, 1 h and 6 h, against a threshold 0.4 decades above
// Decades: nothing but the number speaks, so all evaluations of a week are paid for. A window counts from Min events above
// its expectation on, in slots that add to it; the default of 9.5 is the tenth failure of
// a quiet host. What
// was reported is consumed. Means and dispersions forget within two weeks; what is
// learned is clipped. An entity whose counts have a heavier tail than that would spend
// more than its budget: each evidence, forgotten with a half-life of 14 days, raises its
// threshold, a of them by log10(1 + a/0.3), at most 1½ decades. State: 2 KiB.
//
// Hilbe, Negative Binomial Regression, 2nd ed., chapter 8.
type Count struct {
	o     Options
	c     counts
	tired fatigue
}

// countWindows are the default windows.
var countWindows = []time.Duration{5 * time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}

const (
	countPrice   = 1   // decades for each longer window
	countMore    = 0.4 // decades above Decades
	countFatigue = 0.3
)

// NewCount returns the model of one entity. peers is shared with the other entities of the
// detector, of which a new one is expected to be like; nil stands for none.
func NewCount(o Options, peers *Peers) *Count {
	o = o.filled(countWindows, 9.5)
	m := &Count{o: o, c: makeCounts(o), tired: fatigue{}}
	m.c.crowd = peers
	return m
}

// Step takes the x ≥ 0 events of the slot at t. NaN, a negative x and a slot that
// does not come after the last say nothing and teach nothing. O(windows·√x).
func (m *Count) Step(t int64, x float64) Reading {
	tau := Decades(m.o.Budget, m.o.Step) + countMore + m.tired.price(t, countFatigue)
	if !known(x) || !m.c.enter(t, nil, nil) {
		return quiet(tau)
	}
	mu := m.c.expected(t)
	m.c.add(x, 0, mu)
	best, at := quiet(tau), -1
	best.Observed, best.Expected, best.Window = x, mu, m.o.Step
	if m.c.warm(m.o.Warmup) {
		for i := range m.c.windows {
			if i > 0 && x <= mu { // nothing new
				break
			}
			s := m.c.windows[i].sum()
			have, mean := float64(s.x), float64(s.mean)
			if have-mean < m.o.Min {
				continue
			}
			d := negBinTail(have, mean, m.c.size(i, mean)) - countPrice*float64(i)
			if d > best.Surprise {
				best = Reading{Observed: have, Expected: mean, Window: m.c.windows[i].span, Surprise: d, Threshold: tau}
				at = i
			}
		}
	}
	if best.Evident() {
		m.c.windows.consume(at)
		m.tired.say(t)
	}
	return best
}
