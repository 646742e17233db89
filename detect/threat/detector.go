package threat

import (
	"cmp"
	"fmt"
	"math"
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

// judge steps the model of one entity.
func (d *Detector) judge(t int64, w *watched, g *grouped) []Finding {
	s := &d.spec
	switch s.Model {
	case ModelRatio:
		return d.ratio(t, w, g)
	case ModelCount:
		return d.finding(g.entity, t, w.count.Step(t, g.sum("value")), anomalyWorth, s.Threat, s.Technique, "")
	case ModelSequence:
		return d.finding(g.entity, t, w.sequence.Step(t, g.sum("successes")), sequenceWorth, s.Threat, s.Technique, "")
	case ModelNovelty:
		return d.novelty(t, w, g)
	case ModelEgress:
		return d.finding(g.entity, t, w.egress.Step(t, g.sum("value")), anomalyWorth, s.Threat, s.Technique, "")
	case ModelOffHours:
		return d.finding(g.entity, t, w.offHours.Step(t, g.sum("value")), offHoursWorth, s.Threat, s.Technique, "")
	case ModelPassthrough:
		return d.passthrough(t, w, g)
	case ModelFirstSeen:
		r := w.firstSeen.Step(t, g.resources("values"))
		return d.finding(g.entity, t, r, firstSeenWorth, s.Threat, s.Technique, "new: "+w.firstSeen.What())
	case ModelPeak:
		return d.finding(g.entity, t, w.peak.Step(t, g.sum("value")), peakWorth, s.Threat, s.Technique, "")
	case ModelDistinct:
		return d.finding(g.entity, t, w.distinct.Step(t, g.resources("values")), anomalyWorth, s.Threat, s.Technique, "distinct")
	default:
		up := true
		if len(g.get("up")) > 0 {
			up = g.sum("up") > 0
		}
		what := ""
		if len(g.get("value")) == 0 {
			what = "series gone"
		}
		return d.finding(g.entity, t, w.telemetry.Step(t, g.sum("value"), up), telemetryWorth, s.Threat, s.Technique, what)
	}
}

// vanished steps the logs of which the slot holds nothing. Their targets are up if their up
// says so, which is in groups then, or, where up is not asked for, if others answered.
func (d *Detector) vanished(t int64, in Slot, groups []grouped) []Finding {
	_, asked := in["up"]
	if len(groups) == 0 {
		return nil // nobody answered
	}
	var gone []string
	for e := d.entities.order.Front(); e != nil; e = e.Next() {
		name := e.Value.(entry[*watched]).key
		if _, ok := slices.BinarySearchFunc(groups, name, func(g grouped, n string) int { return strings.Compare(g.entity, n) }); !ok {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	var out []Finding
	for _, name := range gone {
		w := d.entities.at[name].Value.(entry[*watched]).value // not newer for that
		out = append(out, d.finding(name, t, w.telemetry.Step(t, math.NaN(), !asked), telemetryWorth, d.spec.Threat, d.spec.Technique, "series gone")...)
	}
	return out
}

// ratio falls back to the count of failures where attempts are not known.
func (d *Detector) ratio(t int64, w *watched, g *grouped) []Finding {
	failures, attempts := g.sum("failures"), g.sum("attempts")
	if math.IsNaN(failures) && !math.IsNaN(attempts) {
		failures = 0 // a series of failures appears with the first
	}
	if math.IsNaN(attempts) && !math.IsNaN(failures) {
		if w.count == nil {
			w.count = NewCount(d.spec.Options, d.peers)
		}
		return d.finding(g.entity, t, w.count.Step(t, failures), anomalyWorth, d.spec.Threat, d.spec.Technique, "")
	}
	return d.finding(g.entity, t, w.ratio.Step(t, failures, attempts), anomalyWorth, d.spec.Threat, d.spec.Technique, "")
}

func (d *Detector) novelty(t int64, w *watched, g *grouped) []Finding {
	samples := g.get("actions")
	actions := make([]Action, len(samples))
	for i, s := range samples {
		refused, succeeded := outcome(s.Code)
		actions[i] = Action{Verb: s.Verb, Resource: s.Resource, Refused: refused, Succeeded: succeeded, Count: s.Value}
	}
	r := w.novelty.Step(t, actions)
	top, what := w.novelty.Top()
	fs := d.finding(g.entity, t, r, noveltyWorth, top.Threat, top.Technique, what)
	if len(fs) > 0 && top.Technique == anonymousTechnique {
		fs[0].Score = max(fs[0].Score, anonymousScore)
	}
	return fs
}

// outcome reads the code of an action: an HTTP status, or the error of a cloud, empty if
// there was none.
func outcome(code string) (refused, succeeded bool) {
	switch {
	case code == "":
		return false, true
	case code == "401" || code == "403":
		return true, false
	case len(code) == 3 && digits(code):
		return false, code[0] == '2' || code[0] == '1'
	}
	for _, word := range []string{"Denied", "Unauthorized", "Forbidden"} {
		if strings.Contains(code, word) {
			return true, false
		}
	}
	return false, false
}

func (d *Detector) passthrough(t int64, w *watched, g *grouped) []Finding {
	matches := slices.Clone(g.get("matches"))
	slices.SortStableFunc(matches, func(a, b Sample) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Priority, b.Priority))
	})
	var best []Finding
	for _, s := range matches {
		key := s.Rule + "\x00" + s.Priority
		m, ok := w.rules.get(key)
		if !ok {
			m = NewPassthrough(d.spec.Options)
			w.rules.put(key, m)
		}
		r := m.Step(t, s.Value)
		if !r.Evident() {
			continue
		}
		fs := d.finding(g.entity, t, r, Worth{0, 0}, d.spec.Threat, cmp.Or(s.Techniques, d.spec.Technique), s.Rule)
		fs[0].Score = Weight(s.Priority) * r.Surprise
		if len(best) == 0 || fs[0].Score > best[0].Score {
			best = fs
		}
	}
	return best
}

// finding returns the evidence in r, if any.
func (d *Detector) finding(entity string, t int64, r Reading, w Worth, threat, technique, what string) []Finding {
	if !r.Evident() {
		return nil
	}
	return []Finding{{Entity: entity, Evidence: Evidence{
		Detector: d.spec.Name, Model: d.spec.Model, Family: d.spec.Family, Threat: threat, Technique: technique, Time: t, Score: w.Of(r), What: what, Reading: r,
	}}}
}

// FloodEntity is the entity a flood of new ones is reported for.
const FloodEntity = "(new entities)"

// floodFinding is evidence that names are made up: somebody tries them one by one, or
// fills our memory.
func (d *Detector) floodFinding(t int64) Finding {
	return Finding{Entity: FloodEntity, Evidence: Evidence{
		Detector: d.spec.Name, Model: d.spec.Model, Family: d.spec.Family, Threat: UnusualBehavior, Technique: "T1087", Time: t, Score: 50, What: "flood of new names",
		Reading: Reading{Observed: float64(d.fresh), Expected: floodSize, Window: time.Duration(floodSpan) * time.Millisecond, Surprise: 1, Threshold: 0},
	}}
}

// grouped is what a slot holds for one entity.
type grouped struct {
	entity string
	inputs [maxInputs][]Sample // by inputIndex
	size   [maxInputs]int32
}

// inputNames are the names of the inputs of all models.
var inputNames = []string{"value", "failures", "attempts", "successes", "actions", "matches", "up", "values"}

const maxInputs = 8

func inputIndex(input string) int { return slices.Index(inputNames, input) }

// What is longer is no name but an attack or an accident: samples of such an entity are
// left out, and other texts are cut.
const (
	maxName = 1024 // bytes
	maxText = 256
)

// group returns the entities of a slot, sorted, and how many samples were left out. All
// samples of an input share an array: there may be hundreds of thousands.
func group(in Slot) (out []grouped, refused int64) {
	most := 0
	for _, samples := range in {
		most = max(most, len(samples))
	}
	at := make(map[string]int32, most)
	for input, samples := range in {
		n := inputIndex(input)
		if n < 0 {
			continue
		}
		of := make([]int32, len(samples)) // the group of each
		for i := range samples {
			e := samples[i].Entity
			if len(e) > maxName {
				of[i] = -1
				refused++
				continue
			}
			g, ok := at[e]
			if !ok {
				g = int32(len(out))
				at[e] = g
				out = append(out, grouped{entity: e, inputs: [maxInputs][]Sample{}, size: [maxInputs]int32{}})
			}
			of[i] = g
			out[g].size[n]++
		}
		all := make([]Sample, len(samples))
		next := 0
		for i := range samples {
			if of[i] < 0 {
				continue
			}
			g := &out[of[i]]
			if g.inputs[n] == nil {
				end := next + int(g.size[n])
				g.inputs[n] = all[next:next:end]
				next = end
			}
			g.inputs[n] = append(g.inputs[n], cut(samples[i]))
		}
	}
	order := make([]int32, len(out)) // groups are large
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(out[a].entity, out[b].entity) })
	sorted := make([]grouped, len(out))
	for i, j := range order {
		sorted[i] = out[j]
	}
	return sorted, refused
}

// cut returns a sample with its long texts cut.
func cut(s Sample) Sample {
	for _, text := range []*string{&s.Verb, &s.Resource, &s.Code, &s.Rule, &s.Priority, &s.Techniques} {
		if len(*text) > maxText {
			*text = strings.Clone((*text)[:maxText])
		}
	}
	return s
}

// get returns the samples of an input, nil if there are none.
func (g *grouped) get(input string) []Sample { return g.inputs[inputIndex(input)] }

// sum adds up an input; NaN if it is not there.
func (g *grouped) sum(input string) float64 {
	samples := g.get(input)
	if len(samples) == 0 {
		return math.NaN()
	}
	if len(samples) == 1 {
		return samples[0].Value
	}
	xs := make([]float64, len(samples))
	for i, s := range samples {
		xs[i] = s.Value
	}
	slices.Sort(xs) // floats do not add up the same in every order
	var sum float64
	for _, x := range xs {
		sum += x
	}
	return sum
}

// resources returns the resources of an input that have events, each once and sorted; long
// ones are cut.
func (g *grouped) resources(input string) []string {
	var out []string
	for _, s := range g.get(input) {
		if known(s.Value) && s.Value > 0 && s.Resource != "" {
			out = append(out, s.Resource)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
