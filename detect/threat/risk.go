package threat

import (
	"math"
	"slices"
)

// A Risk adds up the evidence against one entity:
//
//	e(t) = e·2^(−Δt/h), h = 6 h below 40, 24 h below 70, 72 h from 70 on
//	r_f  = e₁ + (100 − e₁)·(1 − exp(−Σ_{i≥2} e_i·i^−1.5 / 100)) within a family, e₁ ≥ e₂ ≥ …
//	R    = 100·(1 − Π_f (1 − r_f/100)), and 15 more for three tactics within 24 h
//
// and at least 90 where the evidence makes the story of an account that was forced and
// used, see story.
//
// So one strong evidence keeps its value, a second of the same family adds a little and
// one of another family a lot. R is in [0, 100]. The newest 32 pieces are kept; what a
// detector says of one threat within an hour is one piece, of its highest score. The
// i^−1.5 is that of Elastic's entity risk; the bands are those of AWS Security Hub.
type Risk struct {
	evidence []Evidence // oldest first
}

const (
	maxEvidence   = 32
	manyTactics   = 3
	tacticsBonus  = 15
	samePiece     = hour
	forgottenRisk = 0.5 // of a piece of evidence
)

// halfLife returns that of evidence of a score.
func halfLife(score float64) int64 {
	switch {
	case score >= 70:
		return 72 * hour
	case score >= 40:
		return 24 * hour
	}
	return 6 * hour
}

// decayed returns what is left of e at t.
func (e *Evidence) decayed(t int64) float64 { return e.Score * keep(t-e.Time, halfLife(e.Score)) }

// Add takes in evidence. Scores that are not in (0, 100] are left out.
func (r *Risk) Add(e Evidence) {
	if !(e.Score > 0 && e.Score <= 100) {
		return
	}
	for i := len(r.evidence) - 1; i >= 0; i-- {
		old := &r.evidence[i]
		if old.Detector != e.Detector || old.Threat != e.Threat || e.Time-old.Time > samePiece {
			continue
		}
		if old.Score > e.Score { // what was said then is the better description
			old.Time = e.Time
			return
		}
		r.evidence = slices.Delete(r.evidence, i, i+1)
		break
	}
	if len(r.evidence) == maxEvidence {
		r.evidence = slices.Delete(r.evidence, 0, 1)
	}
	r.evidence = append(r.evidence, e)
}

// Quiet reports whether nothing is left at t, so that the entity may be forgotten.
func (r *Risk) Quiet(t int64) bool {
	r.evidence = slices.DeleteFunc(r.evidence, func(e Evidence) bool { return e.decayed(t) < forgottenRisk })
	return len(r.evidence) == 0
}

// Evidence returns the evidence, what weighs most at t first.
func (r *Risk) Evidence(t int64) []Evidence {
	out := slices.Clone(r.evidence)
	slices.SortStableFunc(out, func(a, b Evidence) int {
		switch x, y := a.decayed(t), b.decayed(t); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out
}

// At returns R at t.
func (r *Risk) At(t int64) float64 {
	v := r.combine(t, func(*Evidence) bool { return true })
	if v > 0 && r.tactics(t) >= manyTactics {
		v = min(v+tacticsBonus, 100)
	}
	if story, forced := r.story(t); v > 0 && story == CompromisedAccount && forced {
		v = max(v, compromisedRisk)
	}
	return v
}

// combine returns R of the chosen evidence, without the bonus.
func (r *Risk) combine(t int64, chosen func(*Evidence) bool) float64 {
	clear100 := 1.0
	for _, f := range Families {
		var es []float64
		for i := range r.evidence {
			if e := &r.evidence[i]; e.Family == f && chosen(e) {
				es = append(es, e.decayed(t))
			}
		}
		if len(es) == 0 {
			continue
		}
		slices.SortFunc(es, func(a, b float64) int {
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		var more float64
		for i, e := range es[1:] {
			more += e * math.Pow(float64(i+2), -1.5)
		}
		rf := es[0] + (100-es[0])*-math.Expm1(-more/100)
		clear100 *= 1 - rf/100
	}
	return 100 * (1 - clear100)
}

// detectors counts the detectors with evidence after t.
func (r *Risk) detectors(t int64) int {
	var seen []string
	for i := range r.evidence {
		if e := &r.evidence[i]; e.Time > t && !slices.Contains(seen, e.Detector) {
			seen = append(seen, e.Detector)
		}
	}
	return len(seen)
}

// tactics counts the tactics seen in the 24 hours before t.
func (r *Risk) tactics(t int64) int {
	var seen []string
	for i := range r.evidence {
		e := &r.evidence[i]
		if tactic := Tactic(e.Technique); tactic != "" && t-e.Time <= day && !slices.Contains(seen, tactic) {
			seen = append(seen, tactic)
		}
	}
	return len(seen)
}

// The bands of a risk.
const (
	BandInfo     = "info"
	BandLow      = "low"
	BandMedium   = "medium"
	BandHigh     = "high"
	BandCritical = "critical"
)

// Band returns the band of a risk: info below 1, low below 40, medium below 70, high
// below 90, critical from there. NaN is info.
func Band(risk float64) string {
	switch {
	case risk >= 90:
		return BandCritical
	case risk >= 70:
		return BandHigh
	case risk >= 40:
		return BandMedium
	case risk >= 1:
		return BandLow
	}
	return BandInfo
}
