package threat

import (
	"math"
	"time"
)

// OffHours finds activity at an hour at which an identity is never active.
//
// The hours of the day, workdays apart from weekends, are multinomial with a
// Dirichlet prior of 1/20 for each of the 48:
//
//	q(h) = (n(h) + 1/20) / (N + 2.4)
//	surprise = −log10 Σ q over the hours with at most one activity more than this one
//
// (one more, because counts that were forgotten for different times are not worth
// telling apart)
// evidence above 1.7 (one slot in fifty), from 50 active slots on at least seven days
// on. An hour counts once however much is done in it. Working late is no attack: its
// evidence stays "low" unless something else is seen, see Risk. Counts forget with a
// half-life of 28 days. State: 0.5 KiB.
type OffHours struct {
	n     [48]float64
	total float64
	days  int
	day   int64
	hour  int64
	loc   *time.Location
	begun bool
}

const (
	offHoursThreshold = 1.7
	offHoursPrior     = 0.05
)

// NewOffHours returns the model of one identity; loc is where it works, nil for UTC.
func NewOffHours(loc *time.Location) *OffHours {
	return &OffHours{n: [48]float64{}, total: 0, days: 0, day: 0, hour: 0, loc: loc, begun: false}
}

// Step takes the events of the slot at t; 0, NaN and negative numbers are no activity. O(48).
func (m *OffHours) Step(t int64, events float64) Reading {
	r := quiet(offHoursThreshold)
	if !known(events) || events == 0 || m.begun && t/hour <= m.hour {
		return r
	}
	p := profile{loc: m.loc}
	h := p.hourOf(t)
	q := (m.n[h] + offHoursPrior) / (m.total + 48*offHoursPrior)
	var tail float64
	for _, n := range m.n {
		if n <= m.n[h]+1 {
			tail += (n + offHoursPrior) / (m.total + 48*offHoursPrior)
		}
	}
	r.Observed, r.Expected, r.Window = events, q, time.Hour
	if m.total >= 50 && m.days >= 7 {
		r.Surprise = max(-math.Log10(min(tail, 1)), 0)
	}
	if m.begun {
		f := keep(t-m.hour*hour, 28*day)
		for i := range m.n {
			m.n[i] *= f
		}
		m.total *= f
	}
	m.n[h]++
	m.total++
	if d := t / day; !m.begun || d != m.day {
		m.days, m.day = m.days+1, d
	}
	m.hour, m.begun = t/hour, true
	return r
}
