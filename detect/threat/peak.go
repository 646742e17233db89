package threat

import (
	"math"
	"time"
)

// Peak finds a number that is higher than on any of the last days, and only higher: sessions
// of a user at the same time, the longest of them, how many kinds of resources an identity
// touched in an hour, requests of a client in a slot.
//
// The largest value of each of the last 14 days is Gumbel as a logarithm, as the sums of
// bytes are (see Egress):
//
//	y = log(x + Min), surprise = −log10 P(Y ≥ y)
//
// with the mean of the days and a standard deviation that is shrunk to 0.55 as if four more
// days had said so. It counts if it is at least Min (3) above the typical day, from 7
// days on. What was reported belongs to its day, and raises the threshold for a
// while, see Egress. State: 0.2 KiB.
//
// Gumbel, Statistics of Extremes (1958), chapter 5.
type Peak struct {
	o     Options
	days  maxima
	tired fatigue
	first int64
	last  int64
	begun bool
}

const peakMin = 3

// NewPeak returns the model of one entity.
func NewPeak(o Options) *Peak {
	if o.Warmup <= 0 {
		o.Warmup = egressWarmup
	}
	o = o.filled([]time.Duration{time.Hour}, peakMin)
	m := &Peak{o: o, days: maxima{}, tired: fatigue{}, first: 0, last: 0, begun: false}
	m.days.floor = float32(o.Min)
	return m
}

// Step takes the value x ≥ 0 of the slot at t. NaN, negative numbers and slots that do not
// come after the last say nothing and teach nothing. O(days).
func (m *Peak) Step(t int64, x float64) Reading {
	r := quiet(egressDecades(m.o.Budget) + m.tired.price(t, egressFatigue))
	if !known(x) || m.begun && t <= m.last {
		return r
	}
	if !m.begun {
		m.first, m.begun = t, true
	}
	m.last = t
	m.days.turn(t / day)
	typical, surprise := m.days.judge(x)
	r.Observed, r.Expected, r.Window = x, typical, m.o.Step
	if t-m.first >= m.o.Warmup.Milliseconds() && x-typical >= m.o.Min && !math.IsNaN(surprise) {
		r.Surprise = surprise
	}
	m.days.see(x)
	if r.Evident() {
		m.tired.say(t)
		m.days.said = true
	}
	return r
}
