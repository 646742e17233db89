package threat

import (
	"math"
	"time"
)

// Sequence finds a success where many failures went before: the guessed password.
//
// After Alarm, which the failures' own model raises, it waits for an hour. A success
// within is evidence if the entity hardly ever succeeds:
//
//	p = 1 − exp(−λ), λ = (successes before / time before)·1 h
//	surprise = −log10 p, evidence above 2
//
// so a host or a client on which others log in all the time is not accused: there, the
// next success is somebody else's. λ forgets with a half-life of 7 days, and starts
// with half a success in a week. State: 48 B.
type Sequence struct {
	rate  float64 // successes a week, decayed: Σ / weight
	time  float64 // weeks, decayed
	alarm int64
	armed bool
	last  int64
	begun bool
}

const (
	sequenceWindow    = hour
	sequenceThreshold = 2
)

// NewSequence returns the model of one entity.
func NewSequence() *Sequence {
	return &Sequence{rate: 0, time: 0, alarm: 0, armed: false, last: 0, begun: false}
}

// Alarm notes that failures were evident in the slot at t.
func (m *Sequence) Alarm(t int64) { m.alarm, m.armed = t, true }

// Step takes the successes of the slot at t. It is called after Alarm for the same slot. NaN
// and negative numbers say nothing and teach nothing. O(1).
func (m *Sequence) Step(t int64, successes float64) Reading {
	r := quiet(sequenceThreshold)
	if !known(successes) || m.begun && t <= m.last {
		return r
	}
	var passed float64
	if m.begun {
		passed = float64(t-m.last) / float64(week)
	}
	f := keep(int64(passed*float64(week)), week)
	m.rate, m.time = m.rate*f, m.time*f+passed
	lambda := (m.rate + 0.5) / (m.time + 1) * float64(sequenceWindow) / float64(week)
	r.Observed, r.Expected, r.Window = successes, lambda, time.Duration(sequenceWindow)*time.Millisecond
	if m.armed && t-m.alarm <= sequenceWindow {
		if successes > 0 {
			r.Surprise = -math.Log10(-math.Expm1(-lambda))
			m.armed = false
		}
	} else {
		m.rate += successes
	}
	m.last, m.begun = t, true
	return r
}
