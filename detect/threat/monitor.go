package threat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Alert is what is known about an entity while evidence against it is fresh. One
// entity has one alert at a time.
type Alert struct {
	ID           string // derived from the entity, the threat and the first slot
	Entity       string
	EntityType   string   // what the input has: "host", "client", "user"; never more
	Threat       string   // frozen when the alert opened
	Reclassified string   // a later one, if it differs
	Technique    string   // ATT&CK ids of the evidence, joined by ";"
	Band         string   // the highest so far
	Risk         float64  // 0–100, newest
	Confidence   float64  // of the strongest evidence, in [0.5, 1]
	First, Last  int64    // slots with evidence
	Top          Evidence // what weighs most
	Evidence     []Evidence
	Evidential   bool // there was evidence in the newest slot, the alert is not just held
	Suppressed   bool // it says again what was said within a day, no more urgently
}

// MonitorOptions say how entities of one type are watched.
type MonitorOptions struct {
	EntityType string
	Step       time.Duration
	AlertFrom  float64       // least risk of an alert [40, medium]
	Hold       time.Duration // an alert stays open after its last evidence [15 min, at least 3 slots]
	Suppress   time.Duration // a like alert is not said again for this long, see repeats [24 h, < 0: it is]
	Entities   int           // with evidence that are remembered [50,000]
	Classifier Classifier    // a trained model that is asked too [none]
}

// A Monitor runs the detectors of one entity type over slots, adds up their evidence
// and keeps the alerts. It is not safe for concurrent use.
type Monitor struct {
	o         MonitorOptions
	detectors []*Detector
	accused   *lru[*accused]
	open      map[string]*Alert
	repeats   repeats
	tallies   *lru[*tally] // nil without a classifier
	observed  map[string]struct{}
	location  *time.Location
	campaigns campaigns
	last      int64
	begun     bool
}

// accused is an entity with evidence against it.
type accused struct{ risk Risk }

// NewMonitor returns a monitor that has seen nothing. Detectors that wait for another come
// after it.
func NewMonitor(o MonitorOptions, specs []Spec) (*Monitor, error) {
	if o.Step <= 0 {
		o.Step = 5 * time.Minute
	}
	if !(o.AlertFrom > 0) {
		o.AlertFrom = 40
	}
	if o.Hold <= 0 {
		o.Hold = max(15*time.Minute, 3*o.Step)
	}
	if o.Entities <= 0 {
		o.Entities = maxEntities
	}
	if o.Suppress == 0 {
		o.Suppress = 24 * time.Hour
	}
	m := &Monitor{o: o, detectors: nil, accused: newLRU[*accused](o.Entities), open: make(map[string]*Alert), repeats: makeRepeats(o.Suppress, o.Entities), tallies: nil, observed: nil, location: nil, campaigns: campaigns{}, last: 0, begun: false}
	if o.Classifier != nil {
		m.tallies, m.observed = newLRU[*tally](o.Entities), make(map[string]struct{})
	}
	for _, later := range []bool{false, true} {
		for _, s := range specs {
			if (s.After != "") != later {
				continue
			}
			if later && m.detector(s.After) == nil {
				return nil, fmt.Errorf("detector %s: there is no detector %q to come after", s.Name, s.After)
			}
			if m.detector(s.Name) != nil {
				return nil, fmt.Errorf("two detectors are called %s", s.Name)
			}
			s.Step = o.Step
			d, err := NewDetector(s)
			if err != nil {
				return nil, err
			}
			if s.Location != nil {
				m.location = s.Location
			}
			if o.Classifier != nil {
				d.observe = m.observe
			}
			m.detectors = append(m.detectors, d)
		}
	}
	return m, nil
}

func (m *Monitor) detector(name string) *Detector {
	for _, d := range m.detectors {
		if d.spec.Name == name {
			return d
		}
	}
	return nil
}

// Detectors returns the detectors in the order in which they are stepped.
func (m *Monitor) Detectors() []*Detector { return m.detectors }

// Step takes the answers of the slot at t by detector and returns the alerts that are
// open, sorted by entity, and the campaigns that became known in this slot. A slot that
// does not come after the last is left out.
func (m *Monitor) Step(t int64, in map[string]Slot) ([]Alert, []Campaign) {
	if m.begun && t <= m.last {
		return nil, nil
	}
	m.last, m.begun = t, true
	fresh := make(map[string]float64) // the highest score of the slot
	for _, d := range m.detectors {
		var alarmed []string
		if d.spec.After != "" {
			alarmed = m.detector(d.spec.After).Alarmed()
		}
		for _, f := range d.Step(t, in[d.spec.Name], alarmed) {
			m.accuse(f.Entity).Add(f.Evidence)
			fresh[f.Entity] = max(fresh[f.Entity], f.Score)
		}
	}
	m.classify(t, fresh)
	var opened []*Alert
	for _, e := range sortedKeys(fresh) {
		a, ok := m.accused.get(e)
		if !ok { // forgotten for others of this very slot
			continue
		}
		if o := m.raise(t, e, &a.risk, fresh[e]); o != nil {
			opened = append(opened, o)
		}
	}
	out := make([]Alert, 0, len(m.open))
	for _, e := range sortedKeys(m.open) {
		a := m.open[e]
		if t-a.Last > m.o.Hold.Milliseconds() {
			delete(m.open, e)
			continue
		}
		a.Evidential = a.Last == t
		if have, ok := m.accused.get(e); ok {
			a.Risk = have.risk.At(t)
		}
		out = append(out, *a)
	}
	return out, m.campaigns.step(t, opened)
}

// accuse returns the evidence against an entity, to be added to.
func (m *Monitor) accuse(entity string) *Risk {
	a, ok := m.accused.get(entity)
	if !ok {
		a = new(accused)
		m.accused.put(entity, a)
	}
	return &a.risk
}

// observe counts the features of an entity.
func (m *Monitor) observe(t int64, s *Spec, w *watched, g *grouped) {
	y, ok := m.tallies.get(g.entity)
	if !ok {
		y = newTally(t)
		m.tallies.put(g.entity, y)
	}
	y.take(t, s, w, g)
	if g.busy() {
		m.observed[g.entity] = struct{}{}
	}
}

// classify asks the trained model about the entities of which something was counted in the
// slot.
func (m *Monitor) classify(t int64, fresh map[string]float64) {
	if m.o.Classifier == nil {
		return
	}
	for _, e := range sortedKeys(m.observed) {
		y, ok := m.tallies.get(e)
		if !ok { // forgotten for others of this very slot
			continue
		}
		p, ok := m.o.Classifier.Probability(y.features(t, m.location))
		if !ok {
			continue
		}
		threat := ""
		if a, ok := m.accused.get(e); ok {
			threat = a.risk.Threat(t)
		}
		if ev, ok := opinion(t, p, threat); ok {
			m.accuse(e).Add(ev)
			fresh[e] = max(fresh[e], ev.Score)
		}
	}
	clear(m.observed)
}

// raise opens the alert of an entity or brings it up to date; it returns the alert if it
// was opened. score is the highest of the slot's evidence: what would not alert alone
// opens an alert only beside another detector's evidence of the last hour, so that
// working late after yesterday's alert is not the next.
func (m *Monitor) raise(t int64, entity string, r *Risk, score float64) (opened *Alert) {
	r.Quiet(t) // forgets what has no weight
	risk := r.At(t)
	if risk < m.o.AlertFrom {
		return nil
	}
	a, ok := m.open[entity]
	if ok && t-a.Last > m.o.Hold.Milliseconds() {
		ok = false
	}
	if !ok && score < m.o.AlertFrom && r.detectors(t-hour) < 2 {
		return nil
	}
	threat := r.Threat(t)
	if !ok {
		a = &Alert{
			ID: alertID(m.o.EntityType, entity, threat, t), Entity: entity, EntityType: m.o.EntityType, Threat: threat, Reclassified: "", Technique: "",
			Band: BandInfo, Risk: risk, Confidence: 0, First: t, Last: t, Top: Evidence{}, Evidence: nil, Evidential: true, Suppressed: false,
		}
		m.open[entity] = a
		opened = a
	}
	a.Last, a.Risk = t, risk
	a.Reclassified = ""
	if threat != a.Threat {
		a.Reclassified = threat
	}
	if band := Band(risk); BandRank(band) > BandRank(a.Band) {
		a.Band = band
	}
	a.Evidence = r.Evidence(t)
	a.Evidence = a.Evidence[:min(len(a.Evidence), 5)]
	a.Top = a.Evidence[0]
	for _, e := range a.Evidence { // what is happening now explains the alert
		if e.Time == t {
			a.Top = e
			break
		}
	}
	a.Confidence = a.Top.Reading.Confidence()
	a.Technique = techniques(a.Evidence)
	a.Suppressed = (opened != nil || a.Suppressed) && m.repeats.like(t, a)
	if !a.Suppressed {
		m.repeats.said(t, a)
	}
	return opened
}

// techniques joins the techniques of the evidence, each once, the weightiest first.
func techniques(es []Evidence) string {
	var ids []string
	for _, e := range es {
		for id := range strings.SplitSeq(e.Technique, ";") {
			if id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return strings.Join(ids, ";")
}

// BandRank orders the bands, 0 is info; -1 for what is no band.
func BandRank(band string) int {
	return slices.Index([]string{BandInfo, BandLow, BandMedium, BandHigh, BandCritical}, band)
}

// alertID derives a name of 16 digits from content.
func alertID(entityType, entity, threat string, t int64) string {
	sum := sha256.Sum256([]byte(entityType + "\x00" + entity + "\x00" + threat + "\x00" + strconv.FormatInt(t, 10)))
	return hex.EncodeToString(sum[:8])
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Severity returns the severity of an alert in a band: high and critical are critical,
// medium is a warning.
func Severity(band string) string {
	switch band {
	case BandCritical, BandHigh:
		return "critical"
	case BandMedium:
		return "warning"
	}
	return "info"
}

// Describe returns what an alert says in one line, for people.
func (e Evidence) Describe() string {
	r := e.Reading
	s := fmt.Sprintf("%s: %s, expected %s", e.Detector, number(r.Observed), number(r.Expected))
	if r.Window > 0 {
		s += " in " + shortSpan(r.Window)
	}
	if e.What != "" {
		s += " (" + e.What + ")"
	}
	return s
}

// number writes a count with at most three digits after the point.
func number(x float64) string { return strconv.FormatFloat(roundTo(x), 'f', -1, 64) }

func roundTo(x float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		return x
	}
	return v
}

// shortSpan writes a window as 5m, 1h or 24h.
func shortSpan(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

// firstActions is what to do first about a threat.
var firstActions = map[string]string{
	BruteForce:          "Look at the sources of the failures; block them, or slow log-ins down, and check that no log-in from them succeeded.",
	BruteForceSuccess:   "End the sessions of the account that logged in and set a new password before anything else.",
	PrivilegeEscalation: "Ask who made the change; if nobody did, revoke the binding, key or token and look at what was done with it.",
	DataExfiltration:    "Find where the bytes went; cut the entity off from the network if nobody can say.",
	UnusualBehavior:     "Ask the owner whether this was meant; look at what else the entity did in that hour.",
	CredentialAccess:    "Ask who read the secrets; renew them if nobody can say.",
	DefenseEvasion:      "Turn the log on again and look at what was done since it went silent.",
	Insider:             "Compare what was read or sent with the task of the person; involve whoever may.",
	CompromisedAccount:  "Lock the account, end its sessions and undo what it changed.",
}

// FirstAction returns what to do first about a threat.
func FirstAction(threat string) string { return firstActions[threat] }
