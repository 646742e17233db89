// Package threats is the unit behind one preset of threat detectors: it hands the
// counters that its queries answer with to a monitor, slot by slot, and says what the
// evidence against each entity adds up to.
//
// State is a function of data: a fit replays the history through an empty monitor, and
// the steps go on from there. So a restart changes nothing, and replicas agree from
// their first common fit on.
package threats

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect/threat"
)

// Options are what is watched.
type Options struct {
	Name       string   // of the task
	EntityType string   // what Entity tells apart: host, client, user, …
	Entity     []string // labels
	Step       time.Duration
	AlertFrom  float64       // least risk of an alert [40]
	Hold       time.Duration // see threat.MonitorOptions
	Detectors  []Detector
	Allow      Allow
	Classifier threat.Classifier  // a trained model whose opinion is evidence; nil is none
	Export     int                // entities whose risk is said, the riskiest [200]
	Quiet      func(t int64) bool // whether no alert is opened at t; nil is never
	Observe    func(Stats)        // is told how things are after each step; may be nil
}

// A Detector is one of them with its queries.
type Detector struct {
	Spec    threat.Spec
	Labels  map[string]string // see Reader
	Queries map[string]string // PromQL by input
}

// Stats are counts for the metrics of the process.
type Stats struct {
	Watched   int            // entities with state
	Refused   int64          // samples left out since the newest fit, their entity's name being too long
	Flooded   int64          // slots since then in which a detector took no new entity
	Forgotten int64          // entities that were forgotten for others, since the newest fit
	Bands     map[string]int // entities with a risk by its band
	Left      int            // entities with a risk beyond Export
	Allowed   int            // series that Allow left out of the newest answers
	Opened    map[string]int // alerts opened by this step, by threat
	Quiet     int            // alerts that are open and not said, because of Quiet
}

const (
	// shownFrom is the risk from which an entity is said, shownTo the one below which it
	// no longer is.
	shownFrom, shownTo = 20, 10
	defaultExport      = 200
	// maxNames bounds the entities whose labels are remembered.
	maxNames = 100_000
)

// Unit implements pipeline.Unit.
type Unit struct {
	o        Options
	readers  []Reader // of Detectors
	position atomic.Int64
	now      *state
	allowed  int // series that Allow left out of the newest answers of a step
}

// New checks the options.
func New(o Options) (*Unit, error) {
	if o.Export <= 0 {
		o.Export = defaultExport
	}
	if o.Step < time.Second {
		return nil, fmt.Errorf("threats %q: step %v, want at least 1s", o.Name, o.Step)
	}
	if len(o.Queries()) == 0 {
		return nil, fmt.Errorf("threats %q: no queries", o.Name)
	}
	u := &Unit{o: o, readers: nil, position: atomic.Int64{}, now: nil, allowed: 0}
	for _, d := range o.Detectors {
		u.readers = append(u.readers, Reader{Entity: o.Entity, Labels: d.Labels})
	}
	st, err := u.empty()
	if err != nil {
		return nil, fmt.Errorf("threats %q: %w", o.Name, err)
	}
	u.now = st
	return u, nil
}

// Queries returns the PromQL of all detectors by the names of the task's inputs.
func (o *Options) Queries() map[string]string {
	out := map[string]string{}
	for _, d := range o.Detectors {
		for input, q := range d.Queries {
			out[inputName(d.Spec.Name, input)] = q
		}
	}
	return out
}

func inputName(detector, input string) string { return detector + "/" + input }

// Position implements pipeline.Unit.
func (u *Unit) Position() int64 { return u.position.Load() }

// empty returns the state of a unit that has seen nothing.
func (u *Unit) empty() (*state, error) {
	specs := make([]threat.Spec, len(u.o.Detectors))
	for i, d := range u.o.Detectors {
		specs[i] = d.Spec
	}
	m, err := threat.NewMonitor(threat.MonitorOptions{
		EntityType: u.o.EntityType, Step: u.o.Step, AlertFrom: u.o.AlertFrom, Hold: u.o.Hold, Entities: 0,
		Classifier: u.o.Classifier,
	}, specs)
	if err != nil {
		return nil, err
	}
	return newState(m, max(15*time.Minute, 3*u.o.Step).Milliseconds()), nil
}

// Fit implements pipeline.Unit. No data is nothing to complain of: where nobody attacks,
// many counters are not there.
func (u *Unit) Fit(ctx context.Context, _ int64, in pipeline.Input) (func(), error) {
	st, err := u.empty()
	if err != nil {
		return nil, err
	}
	if _, _, err := u.advance(ctx, st, in); err != nil {
		return nil, err
	}
	return func() {
		u.now = st
		u.position.Store(in.End)
	}, nil
}

// Step implements pipeline.Unit.
func (u *Unit) Step(ctx context.Context, slot int64, in pipeline.Input) ([]series.Result, error) {
	opened := map[string]int{}
	if in.End >= in.Start {
		var err error
		if opened, u.allowed, err = u.advance(ctx, u.now, in); err != nil {
			return nil, err
		}
		u.position.Store(in.End)
	}
	rs, stats := u.results(slot)
	if u.o.Observe != nil {
		stats.Opened = opened
		u.o.Observe(stats)
	}
	return rs, nil
}

// answer is one series of an answer with where its values go.
type answer struct {
	series          series.Series
	sample          threat.Sample
	detector, input string
}

// advance takes the grid points of in that st has not seen and returns how many alerts of
// each threat opened, and how many series are left out. It changes st only.
func (u *Unit) advance(ctx context.Context, st *state, in pipeline.Input) (opened map[string]int, allowed int, err error) {
	answers, allowed := u.answers(st, in)
	step := u.o.Step.Milliseconds()
	opened = map[string]int{}
	for i, t := 0, in.Start; t <= in.End; i, t = i+1, t+step {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, allowed, ctx.Err()
		}
		if t <= st.last {
			continue // it was taken in by a pass that was broken off
		}
		slots := make(map[string]threat.Slot, len(u.o.Detectors))
		for k := range answers {
			a := &answers[k]
			j, ok := a.series.Index(t)
			if !ok || math.IsNaN(a.series.Values[j]) {
				continue
			}
			if slots[a.detector] == nil {
				slots[a.detector] = threat.Slot{}
			}
			a.sample.Value = a.series.Values[j]
			slots[a.detector][a.input] = append(slots[a.detector][a.input], a.sample)
		}
		for _, a := range st.step(t, slots, u.o.Quiet != nil && u.o.Quiet(t)) {
			opened[a]++
		}
	}
	st.prune()
	return opened, allowed, nil
}

// answers returns the series of in that are not left out, in the order of detectors and
// inputs, with how many are, and remembers who they are about.
func (u *Unit) answers(st *state, in pipeline.Input) (out []answer, allowed int) {
	for i, d := range u.o.Detectors {
		for _, input := range slices.Sorted(maps.Keys(d.Queries)) {
			for _, s := range in.Series[inputName(d.Spec.Name, input)].Series {
				if u.o.Allow.Match(s.Labels) {
					allowed++
					continue
				}
				sample := u.readers[i].Sample(s.Labels)
				if _, ok := st.names[sample.Entity]; !ok {
					st.names[sample.Entity] = u.readers[i].identity(s.Labels)
				}
				out = append(out, answer{series: s, sample: sample, detector: d.Spec.Name, input: input})
			}
		}
	}
	return out, allowed
}

// results says what is known of every entity with a risk or an alert.
func (u *Unit) results(slot int64) ([]series.Result, Stats) {
	st := u.now
	stats := Stats{Watched: 0, Refused: 0, Flooded: 0, Forgotten: 0, Bands: map[string]int{}, Left: 0, Allowed: u.allowed, Opened: nil, Quiet: 0}
	for _, d := range st.monitor.Detectors() {
		n, forgotten := d.Entities()
		stats.Watched, stats.Forgotten = max(stats.Watched, n), stats.Forgotten+forgotten
		samples, slots := d.Refused()
		stats.Refused, stats.Flooded = stats.Refused+samples, stats.Flooded+slots
	}
	for _, b := range []string{threat.BandInfo, threat.BandLow, threat.BandMedium, threat.BandHigh, threat.BandCritical} {
		stats.Bands[b] = 0
	}
	byEntity := map[string]*series.Result{}
	result := func(entity string) *series.Result {
		r := byEntity[entity]
		if r == nil {
			r = u.result(slot, entity)
			byEntity[entity] = r
		}
		return r
	}
	openAt := st.openAlerts()
	said := map[string]bool{}
	shown := 0
	for _, a := range st.monitor.Accused(st.last, 1) {
		stats.Bands[threat.Band(a.Risk)]++
		open := openAt[a.Entity]
		if open == nil && a.Risk < shownFrom && !(st.said[a.Entity] && a.Risk >= shownTo) {
			continue
		}
		if shown == u.o.Export {
			stats.Left++
			continue
		}
		shown++
		said[a.Entity] = true
		r := result(a.Entity)
		r.Threat = st.accusation(a, u.o.EntityType, open)
	}
	st.said = said
	for _, f := range st.findings() {
		r := result(f.Threat.Entity)
		r.Findings = append(r.Findings, f)
	}
	for _, a := range st.alerts {
		if a.quiet && a.end == 0 {
			stats.Quiet++
		}
	}
	out := make([]series.Result, 0, len(byEntity))
	for _, e := range slices.Sorted(maps.Keys(byEntity)) {
		out = append(out, *byEntity[e])
	}
	return out, stats
}

// The labels of a result beside those that make its entity.
const (
	LabelEntity     = "entity"
	LabelEntityType = "entity_type"
)

// result returns an empty result of an entity.
func (u *Unit) result(slot int64, entity string) *series.Result {
	b := labels.NewBuilder(u.now.names[entity])
	b.Set(LabelEntity, entity)
	b.Set(LabelEntityType, u.o.EntityType)
	return &series.Result{
		Signal: u.o.Name, SourceName: "", Labels: b.Labels(), Slot: slot, Time: u.now.last, Observed: math.NaN(),
		Forecast: nil, Trends: nil, Horizons: nil, Score: nil, Findings: nil, Past: nil, BudgetSpent: math.NaN(), Rollout: nil, Threat: nil, Plan: nil, Live: nil, Warnings: nil,
	}
}

var _ pipeline.Unit = (*Unit)(nil)
