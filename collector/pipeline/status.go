package pipeline

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Status is what the newest passes of a task came to.
type Status struct {
	Name   string
	Slot   int64 // of the newest results; 0 = none, or expired
	Fitted bool  // a fit was taken in
	Passes map[Pass]PassStatus
}

// Waiting reports whether the task was never fitted for want of data: nothing is
// wrong with it.
func (s Status) Waiting() bool {
	return !s.Fitted && s.Passes[Fit].Reason == noData
}

// PassStatus is how the newest pass of one kind went. Ended is zero before the
// first.
type PassStatus struct {
	Slot   int64
	Ended  time.Time
	Took   time.Duration
	Err    string    // "" if it succeeded
	Reason string    // of Err, as upid_signal_run_failures_total counts it
	Next   time.Time // when the next one is due

	told bool // Err is in the log, above debug
}

// Status returns the state of every task, sorted by name.
func (p *Pipeline) Status() []Status {
	p.mu.Lock()
	entries := slices.Collect(maps.Values(p.tasks))
	out := make([]Status, len(entries))
	for i, e := range entries {
		out[i] = Status{Name: e.Name, Slot: 0, Fitted: e.Unit.Position() > 0, Passes: map[Pass]PassStatus{}}
		for pass, due := range e.due {
			out[i].Passes[pass] = PassStatus{Slot: 0, Ended: time.Time{}, Took: 0, Err: "", Reason: "", Next: time.UnixMilli(due)}
		}
	}
	p.mu.Unlock()
	for i, e := range entries {
		e.results.Lock()
		out[i].Slot = e.slot
		for pass, st := range e.passes {
			st.Next = out[i].Passes[pass].Next
			out[i].Passes[pass] = st
		}
		e.results.Unlock()
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Queue returns how many passes wait, and how many may.
func (p *Pipeline) Queue() (length, capacity int) { return p.queue.stats() }
