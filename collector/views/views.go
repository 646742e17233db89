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
	past     map[string][]Prediction // of earlier fits by model type, oldest first
	writes   uint64
}

// task is the newest results of one task.
type task struct {
	slot    int64
	results []series.Result // nil once expired; never changed
	rows    []row           // what is remembered of the series of results, in their order
}

// recent is how many of a series' newest values are kept for a sparkline.
const recent = 24

// row is what is remembered of a series from slot to slot.
type row struct {
	key      uint64
	n        int
	values   [recent]float32 // a ring of n values
	forecast *series.Forecast
	past     []series.Finding // those already on record
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
	if o.Status == nil {
		o.Status = func() []pipeline.Status { return nil }
	}
	return &Views{
		o: o, busy: make(chan struct{}, maxBusy), signals: map[string]Signal{}, tasks: map[string]*task{},
		findings: map[string]record{}, past: map[string][]Prediction{},
	}
}

// SetSignals says what is configured, by task. The map is kept.
func (v *Views) SetSignals(signals map[string]Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signals = signals
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
	t.align(rs)
	newer := slot > t.slot
	t.slot, t.results = slot, rs
	var fresh []int // results with a new forecast
	for i := range rs {
		t.rows[i].add(rs[i].Observed, newer)
		if f := rs[i].Forecast; f != nil && f != t.rows[i].forecast {
			t.rows[i].forecast = f
			fresh = append(fresh, i)
		}
	}
	v.archive(name, rs, fresh)
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

// archive puts the predictions of new fits on record, as far as they will stay
// there: a fit of many series has more than Keep.
func (v *Views) archive(name string, rs []series.Result, fresh []int) {
	n, from := 0, len(fresh)
	for from > 0 && n < v.o.Keep {
		from--
		n += len(rs[fresh[from]].Horizons)
	}
	if n == 0 {
		return
	}
	s := v.signals[name]
	kind := forecastType(s.Type)
	list := v.past[kind]
	for _, i := range fresh[from:] {
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
	t := v.tasks[name]
	if t == nil {
		return
	}
	t.results = nil
	for id, f := range v.findings {
		if f.task == name && f.Open() {
			f.Stale = true
			v.findings[id] = f
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
