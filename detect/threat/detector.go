package threat

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The models a detector may use.
const (
	ModelRatio         = "ratio"
	ModelCount         = "count"
	ModelSequence      = "sequence"
	ModelNovelty       = "novelty"
	ModelEgress        = "egress"
	ModelOffHours      = "off_hours"
	ModelPassthrough   = "passthrough"
	ModelTelemetryLoss = "telemetry_loss"
	ModelFirstSeen     = "first_seen"
	ModelPeak          = "peak"
	ModelDistinct      = "distinct"
)

// Models lists them with the names of their inputs; those after "|" may be left out.
var Models = map[string]string{
	ModelRatio:         "failures attempts",
	ModelCount:         "value",
	ModelSequence:      "successes",
	ModelNovelty:       "actions",
	ModelEgress:        "value",
	ModelOffHours:      "value",
	ModelPassthrough:   "matches",
	ModelTelemetryLoss: "value | up",
	ModelFirstSeen:     "values",
	ModelPeak:          "value",
	ModelDistinct:      "values",
}

// Inputs returns the names of the inputs a model needs, and of those it may have.
func Inputs(model string) (need, may []string) {
	a, b, _ := strings.Cut(Models[model], "|")
	return strings.Fields(a), strings.Fields(b)
}

// Spec is one detector as a preset or the configuration writes it.
type Spec struct {
	Options

	Name      string
	Model     string // a Model… constant
	Family    Family
	Threat    string    // of its evidence; novelty and passthrough may know better
	Technique string    // likewise
	After     string    // the detector whose evidence a sequence waits for
	Catalogue Catalogue // of novelty
	Anonymous []string  // entities without an identity, for novelty
	Entities  int       // most that are watched [50,000]
}

// A Sample is one element of a query's answer in a slot.
type Sample struct {
	Entity         string
	Verb, Resource string // of an action
	Code           string // HTTP status or error of an action
	Rule, Priority string // of another tool's match
	Techniques     string // likewise
	Value          float64
}

// A Slot holds the answers to a detector's queries, by the names of the inputs.
type Slot map[string][]Sample

// A Finding is evidence against an entity.
type Finding struct {
	Entity string
	Evidence
}

// A Detector watches all entities of one Spec. It is not safe for concurrent use.
type Detector struct {
	spec     Spec
	entities *lru[*watched]
	peers    *Peers
	company  *Company
	values   *Values
	first    int64
	begun    bool
	// New entities of the last ten minutes: more than floodSize are a flood.
	fresh      int
	freshSince int64
	flooded    int64 // slots in which no new entity was taken
	refused    int64 // samples whose entity has too long a name
	evicted    int64
	observe    func(t int64, s *Spec, w *watched, g *grouped) // nil: nobody counts
	alarmed    []string                                       // entities with evidence in the newest slot, sorted
}

// watched is the state of one entity; what its model does not need is nil.
type watched struct {
	ratio     *Ratio
	count     *Count
	sequence  *Sequence
	novelty   *Novelty
	egress    *Egress
	offHours  *OffHours
	telemetry *TelemetryLoss
	rules     *lru[*Passthrough]
	firstSeen *FirstSeen
	peak      *Peak
	distinct  *Distinct
}

const (
	maxEntities = 50_000
	maxRules    = 64 // of another tool, on one entity
	floodSize   = 1000
	floodSpan   = 10 * int64(time.Minute/time.Millisecond)
	floodGrace  = hour // after start, when every entity is new
)

// NewDetector returns a detector that has seen nothing.
func NewDetector(s Spec) (*Detector, error) {
	if _, ok := Models[s.Model]; !ok {
		return nil, fmt.Errorf("detector %s: no model %q", s.Name, s.Model)
	}
	if s.Model == ModelSequence && s.After == "" {
		return nil, fmt.Errorf("detector %s: a sequence needs the detector it comes after", s.Name)
	}
	if s.Entities <= 0 {
		s.Entities = maxEntities
	}
	return &Detector{
		spec: s, entities: newLRU[*watched](s.Entities), peers: &Peers{}, company: NewCompany(), values: NewValues(),
		first: 0, begun: false, fresh: 0, freshSince: 0, flooded: 0, refused: 0, evicted: 0, observe: nil, alarmed: nil,
	}, nil
}

// Spec returns what the detector was made from.
func (d *Detector) Spec() Spec { return d.spec }

// Entities returns how many entities are watched, and how many were forgotten for others.
func (d *Detector) Entities() (watched int, evicted int64) { return d.entities.len(), d.evicted }

// Refused returns how many samples were left out because the name of their entity is longer
// than 1 KiB, and in how many slots new entities were, because there was a flood of them.
func (d *Detector) Refused() (samples, slots int64) { return d.refused, d.flooded }

// Step takes the slot at t and returns the evidence, sorted by entity. The order of the
// samples does not matter; alarmed are the entities with evidence of the detector
// named by After in the same slot. Time and memory are linear in the samples.
func (d *Detector) Step(t int64, in Slot, alarmed []string) []Finding {
	if !d.begun {
		d.first, d.freshSince, d.begun = t, t, true
	}
	if t-d.freshSince >= floodSpan {
		d.fresh, d.freshSince = 0, t
	}
	var out []Finding
	flood := false
	if d.spec.Model == ModelSequence {
		for _, e := range alarmed { // its first success may be the one to find
			if w, ok := d.watch(t, e); ok {
				w.sequence.Alarm(t)
			}
		}
	}
	groups, refused := group(in)
	d.refused += refused
	for i := range groups {
		g := &groups[i]
		w, ok := d.watch(t, g.entity)
		if !ok {
			flood = true
			continue
		}
		out = append(out, d.judge(t, w, g)...)
		if d.observe != nil {
			d.observe(t, &d.spec, w, g)
		}
	}
	if d.spec.Model == ModelTelemetryLoss {
		out = append(out, d.vanished(t, in, groups)...)
	}
	step := d.spec.filled(nil, 1).Step
	d.peers.Settle(step)
	d.company.Settle(step)
	d.values.Settle()
	slices.SortStableFunc(out, func(a, b Finding) int { return strings.Compare(a.Entity, b.Entity) })
	d.alarmed = d.alarmed[:0]
	for _, f := range out {
		d.alarmed = append(d.alarmed, f.Entity)
	}
	if flood {
		d.flooded++
		out = append(out, d.floodFinding(t))
	}
	return out
}

// Alarmed returns the entities with evidence in the newest slot, sorted. It is valid
// until the next Step.
func (d *Detector) Alarmed() []string { return d.alarmed }

// watch returns the state of an entity; ok is false for a new one in a flood of them.
func (d *Detector) watch(t int64, entity string) (w *watched, ok bool) {
	if w, ok = d.entities.get(entity); ok {
		return w, true
	}
	d.fresh++
	if d.fresh > floodSize && t-d.first > floodGrace {
		return nil, false
	}
	w = new(watched)
	switch s := d.spec; s.Model {
	case ModelRatio:
		w.ratio = NewRatio(s.Options, d.peers)
	case ModelCount:
		w.count = NewCount(s.Options, d.peers)
	case ModelSequence:
		w.sequence = NewSequence()
	case ModelNovelty:
		w.novelty = NewNovelty(NoveltyOptions{Options: s.Options, Catalogue: s.Catalogue, Anonymous: slices.Contains(s.Anonymous, entity)}, d.company)
	case ModelEgress:
		w.egress = NewEgress(s.Options)
	case ModelOffHours:
		w.offHours = NewOffHours(s.Location)
	case ModelPassthrough:
		w.rules = newLRU[*Passthrough](maxRules)
	case ModelTelemetryLoss:
		w.telemetry = NewTelemetryLoss(s.Options)
	case ModelFirstSeen:
		w.firstSeen = NewFirstSeen(s.Options, d.values)
		d.values.join()
	case ModelPeak:
		w.peak = NewPeak(s.Options)
	case ModelDistinct:
		w.distinct = NewDistinct(s.Options, d.peers)
	}
	if d.entities.put(entity, w) {
		d.evicted++
	}
	return w, true
}
