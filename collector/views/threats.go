package views

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/rules"
)

// Threat is what speaks against one entity, or against the many of a campaign, over the life
// of its alert.
type Threat struct {
	ID          string   `json:"id"`
	Threat      string   `json:"threat"`
	Technique   string   `json:"technique"` // MITRE ATT&CK, joined by ";"
	Severity    string   `json:"severity"`
	Risk        float64  `json:"risk"`       // 0–100, newest
	Confidence  float64  `json:"confidence"` // of the strongest evidence
	Entity      string   `json:"entity"`
	EntityType  string   `json:"entity_type"`
	Observed    *float64 `json:"observed"` // of the newest evidence
	Expected    *float64 `json:"expected"`
	Evidence    []string `json:"evidence"`
	Description string   `json:"description"`
	FirstAction string   `json:"first_action"`
	FirstSeen   float64  `json:"first_seen"` // Unix seconds
	LastSeen    float64  `json:"last_seen"`  // newest evidence

	Signal          string            `json:"signal"`
	Labels          map[string]string `json:"labels"`
	Band            string            `json:"band"`
	ConfidenceLevel string            `json:"confidence_level"`
	Window          *float64          `json:"window_seconds"` // of observed and expected
	PeakRisk        float64           `json:"peak_risk"`
	EndedAt         *float64          `json:"ended_at"` // null while it is open
	Stale           bool              `json:"stale"`    // no data since: neither confirmed nor over
	Reclassified    string            `json:"reclassified,omitempty"`
	Recurrences     int               `json:"recurrences"` // earlier alerts of the threat on the entity on record
	Entities        []string          `json:"entities,omitempty"`
	Summary         string            `json:"summary"`
}

// threatRecord is a threat on record.
type threatRecord struct {
	Threat
	write uint64 // of the views in which it was last spoken of; 0 in this process
}

// KeepThreats is how many threats are on record.
const KeepThreats = 10_000

// round rounds x to a unit that is a fraction of one.
func round(x, perUnit float64) float64 { return math.Round(x*perUnit) / perUnit }

// threatOf makes the object of a finding.
func threatOf(s Signal, r *series.Result, f *series.Finding) Threat {
	t := f.Threat
	out := Threat{
		ID: f.ID, Threat: f.Type, Technique: t.Technique, Severity: f.Severity, Risk: round(t.Risk, 10), Confidence: round(f.Confidence, 100),
		Entity: t.Entity, EntityType: t.EntityType, Observed: number(t.Observed), Expected: number(t.Expected), Evidence: append([]string{}, t.Evidence...),
		Description: rules.ThreatDescription(s.SignalInfo, *f, rules.Context{}), FirstAction: t.FirstAction,
		FirstSeen: float64(f.Start) / 1000, LastSeen: float64(t.Last) / 1000,
		Signal: r.Signal, Labels: r.Labels.Map(), Band: t.Band, ConfidenceLevel: series.ConfidenceLevel(f.Confidence), Window: nil, PeakRisk: round(f.Peak, 10),
		EndedAt: nil, Stale: f.Stale, Reclassified: t.Reclassified, Recurrences: t.Recurrences, Entities: t.Entities, Summary: rules.ThreatSummary(t),
	}
	if t.Window > 0 {
		w := t.Window.Seconds()
		out.Window = &w
	}
	if !f.Open() {
		out.EndedAt = seconds(f.End)
	}
	return out
}

// noteThreat puts a finding about an entity on record. The caller holds v.mu.
func (v *Views) noteThreat(s Signal, r *series.Result, f *series.Finding) {
	old, known := v.threats[f.ID]
	if known && old.EndedAt != nil && !f.Open() && *old.EndedAt == float64(f.End)/1000 {
		old.write = v.writes
		return
	}
	now := threatRecord{Threat: threatOf(s, r, f), write: v.writes}
	if known {
		now.Recurrences = old.Recurrences
	} else {
		for _, o := range v.threats {
			if o.Entity == now.Entity && o.Threat.Threat == now.Threat.Threat && o.Signal == now.Signal && o.FirstSeen < now.FirstSeen {
				now.Recurrences++
			}
		}
		now.Recurrences = max(now.Recurrences, f.Threat.Recurrences)
	}
	// The risk decays all the time; what is worth a write is what somebody would read.
	if !known || old.EndedAt == nil != (now.EndedAt == nil) || old.Severity != now.Severity || old.LastSeen != now.LastSeen || old.Technique != now.Technique {
		v.threatsDirty = true
	}
	v.threats[f.ID] = &now
}

// settleThreats ends the threats of a task that are not spoken of any more, and forgets the
// oldest of too many. The caller holds v.mu.
func (v *Views) settleThreats(task string, slot int64) {
	for _, t := range v.threats {
		if t.Signal == task && t.EndedAt == nil && t.write != v.writes {
			end := t.LastSeen
			t.EndedAt, t.Stale = &end, false
			v.threatsDirty = true
		}
	}
	v.threatSlot = max(v.threatSlot, slot)
	v.trimThreats()
}

// trimThreats forgets what is older than the retention or too much.
func (v *Views) trimThreats() {
	if v.o.ThreatRetention > 0 {
		least := float64(v.threatSlot-v.o.ThreatRetention.Milliseconds()) / 1000
		for id, t := range v.threats {
			if t.EndedAt != nil && *t.EndedAt < least {
				delete(v.threats, id)
				v.threatsDirty = true
			}
		}
	}
	if len(v.threats) <= v.o.KeepThreats {
		return
	}
	all := v.threatList()
	for _, t := range all[v.o.KeepThreats:] {
		delete(v.threats, t.ID)
	}
	v.threatsDirty = true
}

// threatList returns the threats on record: open ones first, then the newest. The caller
// holds v.mu.
func (v *Views) threatList() []*threatRecord {
	out := make([]*threatRecord, 0, len(v.threats))
	for _, t := range v.threats {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *threatRecord) int {
		if (a.EndedAt == nil) != (b.EndedAt == nil) {
			if a.EndedAt == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.FirstSeen, a.FirstSeen), strings.Compare(a.ID, b.ID))
	})
	return out
}

// SetThreatRetention says how long threats that are over stay on record; 0 is for ever.
func (v *Views) SetThreatRetention(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.o.ThreatRetention = d
	v.trimThreats()
}

// LoadThreats puts on record what an earlier process had, as Threats returned it. What it
// had open is stale until it is spoken of. A record that cannot be read is left out and
// counted.
func (v *Views) LoadThreats(records [][]byte) (bad int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, b := range records {
		var t Threat
		if err := json.Unmarshal(b, &t); err != nil || t.ID == "" {
			bad++
			continue
		}
		if v.threats[t.ID] != nil {
			continue
		}
		t.Stale = t.EndedAt == nil
		v.threatSlot = max(v.threatSlot, int64(t.LastSeen*1000))
		v.threats[t.ID] = &threatRecord{Threat: t, write: 0}
	}
	v.trimThreats()
	return bad
}

// SaveThreats returns everything on record for LoadThreats; dirty says whether that changed
// since the last call.
func (v *Views) SaveThreats() (records [][]byte, dirty bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.threatsDirty {
		return nil, false
	}
	v.threatsDirty = false
	for _, t := range v.threatList() {
		b, err := json.Marshal(&t.Threat)
		if err != nil {
			continue // it holds no number that JSON has not
		}
		records = append(records, b)
	}
	return records, true
}

// UnsavedThreats says that what SaveThreats returned was not written.
func (v *Views) UnsavedThreats() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.threatsDirty = true
}

// PurgeThreats forgets every threat on record that is about an entity or names it among
// others, and returns how many there were. One that is open comes back while it lasts.
func (v *Views) PurgeThreats(entity string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for id, t := range v.threats {
		if t.About(entity) {
			delete(v.threats, id)
			n++
		}
	}
	v.threatsDirty = v.threatsDirty || n > 0
	return n
}

// About reports whether t is about an entity or names it among others.
func (t *Threat) About(entity string) bool {
	return t.Entity == entity || slices.Contains(t.Entities, entity)
}

// ThreatFilter says which threats are wanted; a zero field wants all.
type ThreatFilter struct {
	Threat, Severity, Signal, Entity, EntityType string
	State                                        string // Open or Ended
	Since                                        int64  // open, or ended at that time or later, Unix milliseconds
	Labels                                       map[string]string
	Offset, Limit                                int
}

func (f *ThreatFilter) match(t *threatRecord) bool {
	for _, c := range [][2]string{{f.Threat, t.Threat.Threat}, {f.Severity, t.Severity}, {f.Signal, t.Signal}, {f.EntityType, t.EntityType}} {
		if c[0] != "" && c[0] != c[1] {
			return false
		}
	}
	open := t.EndedAt == nil
	switch {
	case f.Entity != "" && !t.About(f.Entity), f.State == Open && !open, f.State == Ended && open, !open && int64(*t.EndedAt*1000) < f.Since:
		return false
	}
	return matches("", labels.FromMap(t.Labels), f.Labels)
}

// Threats returns the threats on record, open ones first, then the newest, and how many match
// in all.
func (v *Views) Threats(f ThreatFilter) (page []Threat, total int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	page, p := []Threat{}, pager{offset: f.Offset, limit: f.Limit}
	for _, t := range v.threatList() {
		if f.match(t) && p.take() {
			page = append(page, t.Threat)
		}
	}
	return page, p.total
}

func (v *Views) serveThreats(q *params, _ string) (any, web.Page, error) {
	f := ThreatFilter{
		Threat: q.text("threat"), Severity: q.oneOf("severity", series.Severities), Signal: q.text("signal"), Entity: q.text("entity"), EntityType: q.text("entity_type"),
		State: q.oneOf("state", []string{Open, Ended}), Since: q.since(), Labels: q.labels(),
	}
	f.Offset, f.Limit = q.page()
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Threats(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

// RiskUnit is the unit of a risk.
const RiskUnit = "risk"

// risks returns the risk of each entity, the riskiest first.
func (v *Views) risks(f PredictionFilter) (page []Prediction, total int) {
	var all []Prediction
	for _, t := range v.shots(f.Signal) {
		for i := range t.results {
			r := &t.results[i]
			if r.Threat == nil || !f.enough(r.Threat.Confidence) || f.Horizon != "" && f.Horizon != now || !hasLabels(t.results, i, f.Labels) {
				continue
			}
			all = append(all, v.riskOf(t.name, r))
		}
	}
	slices.SortStableFunc(all, func(a, b Prediction) int { return cmp.Compare(*b.Value, *a.Value) })
	page, p := []Prediction{}, pager{offset: f.Offset, limit: f.Limit}
	for _, a := range all {
		if p.take() {
			page = append(page, a)
		}
	}
	return page, p.total
}

// riskOf makes the prediction of an entity: its risk now.
func (v *Views) riskOf(name string, r *series.Result) Prediction {
	t := r.Threat
	risk := round(t.Risk, 10)
	ls := r.Labels.Map()
	return Prediction{
		ID: predictionID(SecurityThreat, name, "", r.Labels, now), ModelType: SecurityThreat, Signal: name, Labels: ls,
		Slot: *seconds(r.Slot), Horizon: now, Value: &risk, Lower: nil, Upper: nil, Unit: RiskUnit,
		Confidence: number(round(t.Confidence, 100)), ConfidenceLevel: series.ConfidenceLevel(t.Confidence), Model: "threat", ModelVersion: v.o.Version,
		FeaturesUsed: []string{"evidence"}, Observed: number(t.Observed), Peak: nil, Score: nil, Level: nil, Members: nil, Path: nil,
		Warnings: nil, Threat: t.Threat, Technique: t.Technique, Evidence: append([]string{}, t.Evidence...),
	}
}

// Purged is the answer to a request to forget an entity.
type Purged struct {
	Entity  string `json:"entity"`
	Threats int    `json:"threats"` // that were forgotten
}

// purgeThreats forgets what is on record about the entity in the query string.
func (v *Views) purgeThreats(w http.ResponseWriter, r *http.Request) {
	q, err := readParams(r.URL.RawQuery)
	if err == nil {
		entity := q.text("entity")
		if entity == "" {
			q.fail("entity: missing, want the entity to forget")
		}
		if err = q.done(); err == nil {
			web.Answer(w, Purged{entity, v.PurgeThreats(entity)}, web.Page{})
			return
		}
	}
	web.Refuse(w, http.StatusBadRequest, "bad_data", err)
}
