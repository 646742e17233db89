package threat

import "strings"

// Passthrough takes what another tool detected, such as a rule of Falco or a scenario of
// CrowdSec, and turns down what it says all the time.
//
// A match weighs by its priority (Weight), times
//
//	min(−log10 P(NB(μ, ½) ≥ x) / 2, 1)
//
// with μ the usual matches of a slot of this rule on this entity: the first ones count in
// full, a rule that fires in every slot not at all. μ forgets with a half-life of 7
// days, and starts with one match a week, worth a day. State: 48 B.
type Passthrough struct {
	step  int64
	sum   float64
	n     float64
	last  int64
	begun bool
}

// passthroughThreshold is above what a rule that matches in every slot comes to.
const passthroughThreshold = 0.35

// NewPassthrough returns the model of one rule on one entity.
func NewPassthrough(o Options) *Passthrough {
	o = o.filled(nil, 1)
	return &Passthrough{step: o.Step.Milliseconds(), sum: 0, n: 0, last: 0, begun: false}
}

// Step takes the matches of the slot at t: Surprise is in [0, 1], the share of the rule's
// weight that counts. NaN and negative numbers say nothing and teach nothing. O(√x).
func (m *Passthrough) Step(t int64, matches float64) Reading {
	r := quiet(passthroughThreshold)
	slot := t / m.step
	if !known(matches) || m.begun && slot <= m.last {
		return r
	}
	slots := 1.0
	if m.begun {
		slots = float64(slot - m.last)
	}
	f := keep(int64(slots)*m.step, 7*day)
	perWeek := float64(week) / float64(m.step)
	mu := (m.sum*f + 1.0/7) / (m.n*f + perWeek/7)
	r.Observed, r.Expected = matches, mu
	if matches > 0 {
		r.Surprise = min(negBinTail(matches, mu, 0.5)/2, 1)
	}
	m.sum, m.n = m.sum*f+min(matches, 10*mu+3), min(m.n*f+slots, 2*perWeek)
	m.last, m.begun = slot, true
	return r
}

// Weight returns the weight of a priority as Falco and syslog name or number them, in any case: 80
// from critical on, 60 for error, 45 for warning, 25 for notice, 10 below. An unknown
// one is 45.
func Weight(priority string) float64 {
	switch strings.ToLower(priority) {
	case "emergency", "alert", "critical", "fatal", "0", "1", "2":
		return 80
	case "error", "high", "3":
		return 60
	case "warning", "medium", "4":
		return 45
	case "notice", "low", "5":
		return 25
	case "informational", "info", "debug", "6", "7":
		return 10
	}
	return 45
}

// Techniques returns the ATT&CK ids among label names such as tag_T1555 or
// tag_mitre_T1555_004 of Falco, sorted as given and joined by ";". names whose value is
// not "true" are left out by the caller.
func Techniques(names []string) string {
	var ids []string
	for _, n := range names {
		i := strings.LastIndex(n, "T1")
		if i < 0 || len(n) < i+5 {
			continue
		}
		id := n[i : i+5]
		if !digits(id[1:]) {
			continue
		}
		if rest := n[i+5:]; len(rest) == 4 && (rest[0] == '_' || rest[0] == '.') && digits(rest[1:]) {
			id += "." + rest[1:]
		} else if rest != "" {
			continue
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, ";")
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
