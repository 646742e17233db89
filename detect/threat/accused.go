package threat

import (
	"cmp"
	"slices"
	"strings"
)

// An Accusation is what the evidence against one entity adds up to.
type Accusation struct {
	Entity     string
	Threat     string
	Technique  string  // ATT&CK ids of the evidence, joined by ";"
	Risk       float64 // 0–100
	Confidence float64 // of the weightiest evidence, in [0.5, 1]
	First      int64   // slots of the oldest and of the newest evidence that still counts
	Last       int64
	Evidence   []Evidence // the weightiest five, first what weighs most
}

// Accused returns the entities whose risk at t is at least least, the riskiest first, those
// of equal risk by name. It changes nothing. Time is linear in the entities with evidence.
func (m *Monitor) Accused(t int64, least float64) []Accusation {
	var out []Accusation
	for e := m.accused.order.Front(); e != nil; e = e.Next() {
		have := e.Value.(entry[*accused])
		r := &have.value.risk
		risk := r.At(t)
		if !(risk >= least) || len(r.evidence) == 0 {
			continue
		}
		es := r.Evidence(t)
		a := Accusation{
			Entity: have.key, Threat: r.Threat(t), Technique: "", Risk: risk, Confidence: es[0].Reading.Confidence(),
			First: es[0].Time, Last: es[0].Time, Evidence: es[:min(len(es), 5)],
		}
		a.Technique = techniques(a.Evidence)
		for _, ev := range es {
			a.First, a.Last = min(a.First, ev.Time), max(a.Last, ev.Time)
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Accusation) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), strings.Compare(a.Entity, b.Entity))
	})
	return out
}
