// Package views keeps what upid last said, for people and programs that ask:
// the newest results of every signal and the newest findings. It serves them as
// the JSON objects of the HTTP API.
package views

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// Signal is what is configured for one task.
type Signal struct {
	rules.SignalInfo
	Scope                   string // whose answers its values are: the server, the tenant
	Step, FitEvery, History time.Duration
	Horizons                []time.Duration // empty: not forecast
	Level                   float64
	Budget                  string // empty: not scored
}

// Options configure Views.
type Options struct {
	Version string                   // of the models: that of the build
	Keep    int                      // findings, and past predictions of each model type, on record; 0 is 1,000
	Status  func() []pipeline.Status // of the passes

	KeepThreats     int           // threats on record; 0 is KeepThreats
	ThreatRetention time.Duration // how long those that are over stay there; 0 is for ever
}

// Views is a pipeline.Sink and answers questions about what it was given. It is
// safe for concurrent use. Objects are made when somebody asks; Write only takes
// notes. Memory: the results themselves, which the pipeline holds as well, about
// 170 bytes a series for its newest values, and what Keep bounds.
type Views struct {
	o    Options
	busy chan struct{} // a place for each answer being made

	mu       sync.RWMutex
	signals  map[string]Signal // replaced, never changed
	tasks    map[string]*task
	findings map[string]record       // by ID
	past     map[string][]Prediction // superseded ones by model type, oldest first

	threats      map[string]*threatRecord // by ID
	threatsDirty bool                     // they changed since SaveThreats
	threatSlot   int64                    // the newest slot of threats
	writes       uint64
}

// task is the newest results of one task.
type task struct {
	slot    int64
	results []series.Result // never changed
	expired bool            // results are too old to be shown
	rows    []row           // what is remembered of the series of results, in their order
}

// current returns the results that may be shown.
func (t *task) current() []series.Result {
	if t.expired {
		return nil
	}
	return t.results
}

// recent is how many of a series' newest values are kept for a sparkline.
const recent = 24

// row is what is remembered of a series from slot to slot.
type row struct {
	key    uint64
	at     int // of the series in the newest results that had it
	n      int
	values [recent]float32  // a ring of n values
	past   []series.Finding // those already on record
}

// add takes in the newest value. If the slot is not a new one it replaces the
// value of that slot.
func (r *row) add(v float64, newer bool) {
	if !newer && r.n > 0 {
		r.n--
	}
	r.values[r.n%recent] = float32(v)
	r.n++
}

// list returns the values, oldest first.
func (r *row) list() []float64 {
	out := make([]float64, 0, recent)
	for i := max(0, r.n-recent); i < r.n; i++ {
		out = append(out, float64(r.values[i%recent]))
	}
	return out
}

// maxBusy is how many answers are made at once: further questions are told to
// come back, so that nobody keeps the scoring from the processors.
const maxBusy = 4

// New returns empty Views.
func New(o Options) *Views {
	if o.Keep == 0 {
		o.Keep = 1000
	}
	if o.KeepThreats == 0 {
		o.KeepThreats = KeepThreats
	}
	if o.Status == nil {
		o.Status = func() []pipeline.Status { return nil }
	}
	return &Views{
		o: o, busy: make(chan struct{}, maxBusy), signals: map[string]Signal{}, tasks: map[string]*task{},
		findings: map[string]record{}, past: map[string][]Prediction{}, threats: map[string]*threatRecord{},
	}
}

// SetSignals says what is configured, by task. The map is kept. Values and
// predictions of a signal that means something else now are forgotten. Its
// findings stay and say what they said: what happened has happened.
func (v *Views) SetSignals(signals map[string]Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, was := range v.signals {
		if s, ok := signals[name]; ok && !s.comparable(&was) {
			delete(v.tasks, name)
			v.forget(name)
		}
	}
	v.signals = signals
}

// comparable reports whether values of s can stand beside those of was.
func (s *Signal) comparable(was *Signal) bool {
	return s.Query == was.Query && s.Unit == was.Unit && s.Type == was.Type && s.PrometheusURL == was.PrometheusURL && s.Scope == was.Scope
}

// Write implements pipeline.Sink. It keeps rs, which nobody may change.
func (v *Views) Write(_ context.Context, name string, slot int64, rs []series.Result) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tasks[name]
	if t == nil {
		t = &task{}
		v.tasks[name] = t
	}
	was := t.results
	t.align(rs)
	newer := slot > t.slot
	t.slot, t.results, t.expired = slot, rs, false
	var superseded []int // results in was whose series have a new forecast
	for i := range rs {
		r := &t.rows[i]
		r.add(rs[i].Observed, newer)
		if f := rs[i].Forecast; f != nil && r.at < len(was) && was[r.at].Forecast != nil && was[r.at].Forecast != f {
			superseded = append(superseded, r.at)
		}
		r.at = i
	}
	v.archive(name, was, superseded)
	v.record(name, t)
	return nil
}

// align makes the rows those of rs, in its order. Mostly they are already.
func (t *task) align(rs []series.Result) {
	if t.aligned(rs) {
		return
	}
	known := make(map[uint64]int, len(t.rows))
	for i := range t.rows {
		known[t.rows[i].key] = i
	}
	rows := make([]row, len(rs)) // a reader may hold the old ones
	for i := range rs {
		k := rowKey(rs[i].SourceName, rs[i].Labels)
		rows[i].at = len(t.results) // in none
		if j, ok := known[k]; ok {
			rows[i] = t.rows[j]
		}
		rows[i].key = k
	}
	t.rows = rows
}

func (t *task) aligned(rs []series.Result) bool {
	if t.results == nil || len(t.results) != len(rs) {
		return false
	}
	for i := range rs {
		if a, b := &t.results[i], &rs[i]; a.SourceName != b.SourceName || !labels.Equal(a.Labels, b.Labels) {
			return false
		}
	}
	return true
}

// rowKey identifies a series among those of its task: should two ever have the
// same key, they share a sparkline.
func rowKey(source string, ls labels.Labels) uint64 {
	h := ls.Hash()
	for i := range len(source) {
		h = h*1099511628211 ^ uint64(source[i])
	}
	return h
}

// archive puts the predictions of some of rs on record, as far as they will stay
// there: a fit of many series supersedes more than Keep.
func (v *Views) archive(name string, rs []series.Result, superseded []int) {
	n, from := 0, len(superseded)
	for from > 0 && n < v.o.Keep {
		from--
		n += len(rs[superseded[from]].Horizons)
	}
	if n == 0 {
		return
	}
	s := v.signals[name]
	kind := ModelTypeOf(s.Type)
	list := v.past[kind]
	for _, i := range superseded[from:] {
		for _, h := range rs[i].Horizons {
			list = append(list, v.forecastOf(name, s, rs, i, h))
		}
	}
	if n := len(list); n > 2*v.o.Keep {
		list = append(make([]Prediction, 0, 2*v.o.Keep), list[n-v.o.Keep:]...)
	}
	v.past[kind] = list
}

// Expire implements pipeline.Sink: predictions disappear, open findings are
// neither confirmed nor resolved.
func (v *Views) Expire(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t := v.tasks[name]; t != nil {
		t.expired = true
	}
	for id, f := range v.findings {
		if f.task == name && f.Open() {
			f.Stale = true
			v.findings[id] = f
		}
	}
	for _, t := range v.threats {
		if t.Signal == name && t.EndedAt == nil {
			t.Stale = true
		}
	}
}

// Drop implements pipeline.Sink.
func (v *Views) Drop(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.tasks, name)
	for id, f := range v.findings {
		if f.task == name {
			delete(v.findings, id)
		}
	}
	v.forget(name)
	v.writes++
	v.settleThreats(name, 0) // what happened has happened, but is watched no more
}

// forget removes the past predictions of a signal. The caller holds v.mu.
func (v *Views) forget(name string) {
	for kind, list := range v.past {
		kept := make([]Prediction, 0, len(list)) // a reader may hold the old ones
		for _, p := range list {
			if p.Signal != name {
				kept = append(kept, p)
			}
		}
		v.past[kind] = kept
	}
}

var _ pipeline.Sink = (*Views)(nil)
