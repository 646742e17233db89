// Package views keeps what upid last said, for people and programs that ask:
// the newest results of every signal and the newest findings. It serves them as
// the JSON objects of the HTTP API.
package views

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

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
	Keep    int                      // newest findings and past predictions on record, each; 0 is 1,000
	Status  func() []pipeline.Status // of the passes
}

// Views is a pipeline.Sink and answers questions about what it was given. It is
// safe for concurrent use. Memory: the results themselves, which the pipeline
// holds as well, about 200 bytes a series for its newest values, and what Keep
// bounds.
type Views struct {
	o Options

	mu       sync.RWMutex
	signals  map[string]Signal
	tasks    map[string]*task
	findings map[string]Anomaly // by ID
	past     []Prediction       // predictions of earlier fits, oldest first
}

// task is the newest results of one task.
type task struct {
	slot    int64
	results []series.Result // nil once expired
	seen    map[uint64]*trace
}

// recent is how many of a series' newest values are kept for a sparkline.
const recent = 24

// trace is what is remembered of a series from slot to slot.
type trace struct {
	slot     int64 // of the newest result
	forecast *series.Forecast
	values   [recent]float32 // a ring
	n        int
}

func (t *trace) add(v float64) {
	t.values[t.n%recent] = float32(v)
	t.n++
}

// list returns the values, oldest first.
func (t *trace) list() []float64 {
	out := make([]float64, 0, recent)
	for i := max(0, t.n-recent); i < t.n; i++ {
		out = append(out, float64(t.values[i%recent]))
	}
	return out
}

// New returns empty Views.
func New(o Options) *Views {
	if o.Keep == 0 {
		o.Keep = 1000
	}
	if o.Status == nil {
		o.Status = func() []pipeline.Status { return nil }
	}
	return &Views{o: o, signals: map[string]Signal{}, tasks: map[string]*task{}, findings: map[string]Anomaly{}}
}

// SetSignals says what is configured, by task.
func (v *Views) SetSignals(signals map[string]Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signals = signals
}

// Write implements pipeline.Sink.
func (v *Views) Write(_ context.Context, name string, slot int64, rs []series.Result) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tasks[name]
	if t == nil {
		t = &task{seen: map[uint64]*trace{}}
		v.tasks[name] = t
	}
	newer := slot > t.slot
	t.slot, t.results = slot, rs
	for i := range rs {
		r := &rs[i]
		k := traceKey(r)
		tr := t.seen[k]
		if tr == nil {
			tr = &trace{}
			t.seen[k] = tr
		}
		if newer {
			tr.add(r.Observed)
		}
		if r.Forecast != nil && r.Forecast != tr.forecast {
			tr.forecast = r.Forecast
			v.archive(name, r)
		}
		tr.slot = slot
	}
	for k, tr := range t.seen {
		if tr.slot != slot {
			delete(t.seen, k)
		}
	}
	v.record(name, t)
	return nil
}

func traceKey(r *series.Result) uint64 {
	h := r.Labels.Hash()
	for i := range len(r.SourceName) {
		h = h*1099511628211 ^ uint64(r.SourceName[i])
	}
	return h
}

// archive puts the predictions of a new fit on record.
func (v *Views) archive(name string, r *series.Result) {
	for _, h := range r.Horizons {
		v.past = append(v.past, v.forecastOf(name, r, h))
	}
	if n := len(v.past); n > 2*v.o.Keep {
		v.past = slices.Clone(v.past[n-v.o.Keep:])
	}
}

// record brings the findings up to date with the results of a task. A finding
// that was open and is not spoken of any more ended unseen.
func (v *Views) record(name string, t *task) {
	open := map[string]bool{}
	var oldest int64
	if len(v.findings) >= v.o.Keep {
		oldest = v.oldest()
	}
	for i := range t.results {
		r := &t.results[i]
		for j := range r.Past {
			f := &r.Past[j]
			if old, known := v.findings[f.ID]; f.Start < oldest || known && old.EndedAt != nil {
				continue
			}
			v.findings[f.ID] = v.anomaly(name, r, f, t.slot)
		}
		for j := range r.Findings {
			f := &r.Findings[j]
			open[f.ID] = f.Open()
			v.findings[f.ID] = v.anomaly(name, r, f, t.slot)
		}
	}
	for id, a := range v.findings {
		if a.task == name && a.EndedAt == nil && !open[id] {
			a.EndedAt = seconds(t.slot)
			v.findings[id] = a
		}
	}
	v.trim()
}

// oldest returns the start of the oldest finding on record.
func (v *Views) oldest() int64 {
	least := int64(0)
	for _, a := range v.findings {
		if least == 0 || a.start < least {
			least = a.start
		}
	}
	return least
}

// trim forgets the oldest findings beyond Keep, ended ones first.
func (v *Views) trim() {
	if len(v.findings) <= v.o.Keep {
		return
	}
	all := v.sortedFindings()
	slices.SortStableFunc(all, func(a, b Anomaly) int { return boolOrder(a.EndedAt == nil, b.EndedAt == nil) })
	for _, a := range all[v.o.Keep:] {
		delete(v.findings, a.ID)
	}
}

// boolOrder puts true first.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// sortedFindings returns the findings, newest first.
func (v *Views) sortedFindings() []Anomaly {
	out := make([]Anomaly, 0, len(v.findings))
	for _, a := range v.findings {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Anomaly) int {
		if a.start != b.start {
			return int(max(-1, min(1, b.start-a.start)))
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Expire implements pipeline.Sink: predictions disappear, findings stay.
func (v *Views) Expire(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t := v.tasks[name]; t != nil {
		t.results = nil
	}
}

// Drop implements pipeline.Sink.
func (v *Views) Drop(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.tasks, name)
	for id, a := range v.findings {
		if a.task == name {
			delete(v.findings, id)
		}
	}
	v.past = slices.DeleteFunc(v.past, func(p Prediction) bool { return p.Signal == name })
}

var _ pipeline.Sink = (*Views)(nil)
