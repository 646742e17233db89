package threat

import (
	"slices"
	"time"
)

// repeats remembers which alerts were said of late, so that a host that is probed all day is
// told of once.
//
// An alert repeats what was said if all its threats were said of the entity, in alerts that
// were not suppressed and had evidence less than span ago, if it is of no higher band, and
// if its risk is less than 20 above what was said. Then it is open, and known, but
// suppressed: nobody is called again. Repeats do not put off the end of that, so what goes
// on is said once a day.
type repeats struct {
	span  int64 // 0: nothing is suppressed
	since *lru[said]
}

// said is what was said of one threat of an entity.
type said struct {
	at   int64 // of the newest evidence
	risk float64
	band int
}

const repeatRisk = 20

func makeRepeats(span time.Duration, entities int) repeats {
	return repeats{span: max(span.Milliseconds(), 0), since: newLRU[said](entities)}
}

// threatsOf returns what a says: its threat, what it became, and the threats of its evidence.
func threatsOf(a *Alert) []string {
	out := []string{a.Threat}
	if a.Reclassified != "" {
		out = append(out, a.Reclassified)
	}
	for _, e := range a.Evidence {
		if e.Time >= a.First && !slices.Contains(out, e.Threat) {
			out = append(out, e.Threat)
		}
	}
	return out
}

// like reports whether all that a says at t repeats what was said.
func (r *repeats) like(t int64, a *Alert) bool {
	for _, threat := range threatsOf(a) {
		s, ok := r.since.get(a.Entity + "\x00" + threat)
		if !ok || t-s.at >= r.span || BandRank(a.Band) > s.band || a.Risk >= s.risk+repeatRisk {
			return false
		}
	}
	return true
}

// said notes that a was said at t.
func (r *repeats) said(t int64, a *Alert) {
	if r.span <= 0 {
		return
	}
	for _, threat := range threatsOf(a) {
		key, now := a.Entity+"\x00"+threat, said{at: t, risk: a.Risk, band: BandRank(a.Band)}
		if before, ok := r.since.get(key); ok && t-before.at < r.span {
			now.risk, now.band = max(now.risk, before.risk), max(now.band, before.band)
		}
		r.since.set(key, now)
	}
}
