package threats

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/threat"
)

// state is what a unit has learned and what it says.
type state struct {
	monitor   *threat.Monitor
	keep      int64 // how long what is over is still said, so that it can be posted
	last      int64
	alerts    map[string]*alert // by ID: open, or over a short while ago
	campaigns []*campaign
	earlier   map[string]int           // alerts that are over by entity and threat
	names     map[string]labels.Labels // by entity: what makes it
	said      map[string]bool          // entities whose risk was said last
}

// alert is one over its life.
type alert struct {
	threat.Alert
	peak    float64
	earlier int   // alerts of the same threat on the entity before
	end     int64 // 0 while it is open
	merged  int64 // when it became part of a campaign, 0 if it is none's
	quiet   bool  // it opened while no alert was to be, or repeats another, and is not said yet
	told    int64 // since when it is not quiet, 0 if it is
}

// campaign is one threat against many entities while it lasts.
type campaign struct {
	threat.Campaign
	members  map[string]bool // alerts by ID
	entities []string        // sorted
	band     string          // highest so far
	peak     float64
	end      int64
}

const (
	// maxEarlier bounds the entities whose earlier alerts are counted.
	maxEarlier = 50_000
	// maxListed bounds the entities a campaign lists.
	maxListed = 100
	// manyEntities is the entity of a campaign.
	manyEntities = "multiple"
)

func newState(m *threat.Monitor, keep int64) *state {
	return &state{
		monitor: m, keep: keep, last: 0, alerts: map[string]*alert{}, campaigns: nil,
		earlier: map[string]int{}, names: map[string]labels.Labels{}, said: map[string]bool{},
	}
}

// step takes the slot at t and returns the threats of the alerts that opened. While quiet,
// alerts that open are not said; they are once quiet is over and they still last. Nor are
// repeats of the last day.
func (s *state) step(t int64, in map[string]threat.Slot, quiet bool) (opened []string) {
	open, campaigns := s.monitor.Step(t, in)
	s.last = t
	there := make(map[string]bool, len(open))
	for _, a := range open {
		there[a.ID] = true
		have := s.alerts[a.ID]
		if have == nil {
			have = &alert{Alert: a, peak: a.Risk, earlier: s.earlier[a.Entity+"\x00"+a.Threat], end: 0, merged: 0, quiet: true, told: 0}
			s.alerts[a.ID] = have
			opened = append(opened, a.Threat)
		}
		have.Alert, have.peak = a, max(have.peak, a.Risk)
		if have.quiet && !quiet && !a.Suppressed {
			have.quiet, have.told = false, t
		}
	}
	for id, a := range s.alerts {
		switch {
		case there[id]:
		case a.end == 0:
			a.end = t
			if len(s.earlier) < maxEarlier {
				s.earlier[a.Entity+"\x00"+a.Threat]++
			}
		case t-a.end > s.keep:
			delete(s.alerts, id)
		}
	}
	s.follow(t, campaigns)
	return opened
}

// follow brings the campaigns up to date. An alert of the threat of an open campaign
// belongs to it from its first slot on, or from when it is said. A campaign whose alerts
// are all quiet waits for two of them to be said: one alone is no campaign.
func (s *state) follow(t int64, began []threat.Campaign) {
	for _, c := range began {
		i := slices.IndexFunc(s.campaigns, func(o *campaign) bool { return o.end == 0 && o.Threat == c.Threat })
		if i < 0 {
			s.campaigns = append(s.campaigns, &campaign{Campaign: c, members: map[string]bool{}, entities: nil, band: threat.BandInfo, peak: 0, end: 0})
		}
	}
	for _, c := range s.campaigns {
		if c.end != 0 {
			continue
		}
		lasts := false
		var fresh []*alert // that are to be said
		for id, a := range s.alerts {
			if c.members[id] || a.Threat != c.Threat || a.end != 0 || a.First < c.Start {
				continue
			}
			lasts = lasts || len(c.members) == 0
			if !a.quiet {
				fresh = append(fresh, a)
			}
		}
		if len(c.members)+len(fresh) > 1 {
			for _, a := range fresh {
				c.members[a.ID], a.merged = true, t
				if i, known := slices.BinarySearch(c.entities, a.Entity); !known {
					c.entities = slices.Insert(c.entities, i, a.Entity)
				}
			}
		}
		for id := range c.members {
			if a := s.alerts[id]; a != nil && a.end == 0 && a.Threat == c.Threat {
				lasts = true
				c.peak = max(c.peak, a.peak)
				if threat.BandRank(a.Band) > threat.BandRank(c.band) {
					c.band = a.Band
				}
			}
		}
		if !lasts {
			c.end = t
		}
	}
	s.campaigns = slices.DeleteFunc(s.campaigns, func(c *campaign) bool { return c.end != 0 && (t-c.end > s.keep || len(c.members) == 0) })
}

// openAlerts returns the open alerts by entity, which has one at a time.
func (s *state) openAlerts() map[string]*alert {
	out := make(map[string]*alert, len(s.alerts))
	for _, a := range s.alerts {
		if a.end == 0 {
			out[a.Entity] = a
		}
	}
	return out
}

// prune forgets labels of entities that nothing is said of, if there are too many.
func (s *state) prune() {
	if len(s.names) <= maxNames {
		return
	}
	keep := map[string]bool{}
	for _, a := range s.monitor.Accused(s.last, 1) {
		keep[a.Entity] = true
	}
	for _, a := range s.alerts {
		keep[a.Entity] = true
	}
	maps.DeleteFunc(s.names, func(e string, _ labels.Labels) bool { return !keep[e] })
}

// accusation returns what is said of an entity with a risk; open is its alert, if there is
// one.
func (s *state) accusation(a threat.Accusation, entityType string, open *alert) *series.Threat {
	if open != nil {
		return open.threat()
	}
	top := a.Evidence[0]
	return &series.Threat{
		ID: "", Entity: a.Entity, EntityType: entityType, Threat: a.Threat, Reclassified: "", Technique: a.Technique,
		Band: threat.Band(a.Risk), Severity: threat.Severity(threat.Band(a.Risk)), Risk: a.Risk, Confidence: a.Confidence,
		Observed: top.Reading.Observed, Expected: top.Reading.Expected, Window: top.Reading.Window, Evidence: lines(top, a.Evidence),
		FirstAction: threat.FirstAction(a.Threat), First: a.First, Last: a.Last, Recurrences: s.earlier[a.Entity+"\x00"+a.Threat], Entities: nil,
	}
}

// threat returns what is said of an alert.
func (a *alert) threat() *series.Threat {
	return &series.Threat{
		ID: a.ID, Entity: a.Entity, EntityType: a.EntityType, Threat: a.Threat, Reclassified: a.Reclassified, Technique: a.Technique,
		Band: a.Band, Severity: threat.Severity(a.Band), Risk: a.Risk, Confidence: a.Confidence,
		Observed: a.Top.Reading.Observed, Expected: a.Top.Reading.Expected, Window: a.Top.Reading.Window, Evidence: lines(a.Top, a.Evidence),
		FirstAction: threat.FirstAction(a.Threat), First: a.First, Last: a.Last, Recurrences: a.earlier, Entities: nil,
	}
}

// maxEvidence is how many lines of evidence are said.
const maxEvidence = 3

// lines returns what the evidence says, each once, top first.
func lines(top threat.Evidence, es []threat.Evidence) []string {
	out := []string{top.Describe()}
	for _, e := range es {
		if d := e.Describe(); len(out) < maxEvidence && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// findings returns what alerts are made of, in the order of their identities. An alert that
// became part of a campaign is over: the campaign is its successor.
func (s *state) findings() []series.Finding {
	var out []series.Finding
	for _, id := range slices.Sorted(maps.Keys(s.alerts)) {
		a := s.alerts[id]
		switch {
		case a.quiet, a.merged != 0 && s.last-a.merged > s.keep:
			continue
		case a.merged != 0 && a.merged == a.told:
			continue // it never was one by itself
		}
		t := a.threat()
		end := a.end
		if a.merged != 0 {
			end = a.merged
		}
		out = append(out, finding(t, a.First, end, a.peak))
	}
	for _, c := range s.campaigns {
		if len(c.members) > 0 {
			out = append(out, s.campaignFinding(c))
		}
	}
	return out
}

// campaignFinding returns the one finding of a campaign.
func (s *state) campaignFinding(c *campaign) series.Finding {
	var members []*alert
	for id := range c.members {
		if a := s.alerts[id]; a != nil {
			members = append(members, a)
		}
	}
	slices.SortFunc(members, func(a, b *alert) int {
		return cmp.Or(cmp.Compare(b.peak, a.peak), strings.Compare(a.Entity, b.Entity))
	})
	t := &series.Threat{
		ID: c.ID, Entity: manyEntities, EntityType: "", Threat: c.Threat, Reclassified: "", Technique: "",
		Band: c.band, Severity: threat.Severity(c.band), Risk: c.peak, Confidence: 0, Observed: float64(len(c.entities)), Expected: math.NaN(), Window: 0,
		Evidence: nil, FirstAction: threat.FirstAction(c.Threat), First: c.Start, Last: s.last, Recurrences: 0, Entities: c.entities[:min(len(c.entities), maxListed)],
	}
	var techniques []string
	for i, a := range members {
		t.EntityType, t.Confidence = a.EntityType, max(t.Confidence, a.Confidence)
		for id := range strings.SplitSeq(a.Technique, ";") {
			if id != "" && !slices.Contains(techniques, id) {
				techniques = append(techniques, id)
			}
		}
		if i < maxEvidence {
			t.Evidence = append(t.Evidence, fmt.Sprintf("%s: %s", a.Entity, a.Top.Describe()))
		}
	}
	t.Technique = strings.Join(techniques, ";")
	return finding(t, c.Start, c.end, c.peak)
}

// The families of anomalies that threats belong to.
const (
	familySecurity = "security_breach"
	familyBehavior = "behavior_anomaly"
)

// finding returns the finding of a threat.
func finding(t *series.Threat, start, end int64, peak float64) series.Finding {
	family := familySecurity
	if t.Threat == threat.UnusualBehavior || t.Threat == threat.Insider {
		family = familyBehavior
	}
	score := series.Score{
		Observed: t.Observed, Expected: t.Expected, Lower: math.NaN(), Upper: math.NaN(), Value: t.Risk, Confidence: t.Confidence, Type: t.Threat, Why: series.Why{},
	}
	return series.Finding{
		ID: t.ID, Family: family, Type: t.Threat, Reclassified: t.Reclassified, Severity: t.Severity, Start: start, End: end,
		Peak: peak, Worst: score, WorstAt: t.Last, Confidence: t.Confidence, Score: score, Stale: false, Group: "", Threat: t, Note: nil,
	}
}
