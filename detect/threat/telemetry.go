package threat

import (
	"math"
	"time"
)

// TelemetryLoss finds a log that has gone silent while its target is up: the audit log
// that was turned off, the agent that was killed.
//
// With x events a slot before, of mean μ and dispersion k, a silence of n slots has
//
//	surprise = n·k·log10(1 + μ/k)
//
// decades if slots are independent, which in a log they are not: what counts is the
// part beyond the longest silence of the last weeks, and at least 15 minutes. A
// series that vanishes (NaN) is silent too; a target that is down explains all.
// Evidence is said once for each silence. State: 64 B.
type TelemetryLoss struct {
	step    int64
	sum, sq float64
	n       float64
	silent  float64 // slots
	longest float64 // decayed
	last    int64
	begun   bool
	said    bool
}

const (
	telemetryThreshold = 6
	telemetryWarmup    = 7 // days
)

// NewTelemetryLoss returns the model of one log.
func NewTelemetryLoss(o Options) *TelemetryLoss {
	o = o.filled(nil, 1)
	return &TelemetryLoss{step: o.Step.Milliseconds(), sum: 0, sq: 0, n: 0, silent: 0, longest: 0, last: 0, begun: false, said: false}
}

// Step takes the events of the slot at t, NaN if the series is not there, and whether its
// target is up. Negative numbers teach nothing. O(1).
func (m *TelemetryLoss) Step(t int64, events float64, up bool) Reading {
	r := quiet(telemetryThreshold)
	slot := t / m.step
	if m.begun && slot <= m.last || !known(events) && !math.IsNaN(events) {
		return r
	}
	slots := 1.0
	if m.begun {
		slots = float64(slot - m.last)
	}
	m.last, m.begun = slot, true
	if !up {
		m.silent = 0
		return r
	}
	if events > 0 {
		m.hear(events)
		return r
	}
	if m.n == 0 { // never heard of
		return r
	}
	m.silent += slots
	mu := m.sum / m.n
	v := max(m.sq/m.n-mu*mu, mu)
	k := min(max(mu*mu/max(v-mu, 1e-9), minSize), maxSize)
	beyond := m.silent - 1.5*m.longest
	r.Observed, r.Expected, r.Window = 0, mu*m.silent, time.Duration(m.silent)*time.Duration(m.step)*time.Millisecond
	r.Window = min(r.Window, 24*time.Hour)
	enough := int64(m.silent)*m.step >= int64(15*time.Minute/time.Millisecond)
	if d := beyond * k * math.Log10(1+mu/k); !m.said && enough && d > 0 && m.n*float64(m.step) >= telemetryWarmup*float64(day)/2 {
		r.Surprise = min(d, 300)
		m.said = r.Evident()
	}
	return r
}

// hear takes in a slot with events, and the silence before it.
func (m *TelemetryLoss) hear(x float64) {
	f := keep(int64(m.silent+1)*m.step, 7*day)
	if m.said { // a silence that was reported is not usual
		m.silent = 0
	}
	m.longest = max(m.longest*f, m.silent)
	m.sum, m.sq, m.n = m.sum*f+x, m.sq*f+x*x, m.n*f+m.silent+1
	m.silent, m.said = 0, false
}
