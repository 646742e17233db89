package pipeline

import (
	"maps"
	"slices"
	"strings"
)

// Status is what the newest passes of a task came to.
type Status struct {
	Name   string
	Slot   int64           // of the newest results; 0 = none, or expired
	Fitted bool            // a fit was taken in
	Errors map[Pass]string // of the newest pass of each kind, where it failed
}

// Status returns the state of every task, sorted by name.
func (p *Pipeline) Status() []Status {
	p.mu.Lock()
	entries := slices.Collect(maps.Values(p.tasks))
	p.mu.Unlock()
	out := make([]Status, 0, len(entries))
	for _, e := range entries {
		st := Status{Name: e.Name, Slot: 0, Fitted: e.Unit.Position() > 0, Errors: map[Pass]string{}}
		e.results.Lock()
		st.Slot = e.slot
		for pass, msg := range e.lastErr {
			if msg != "" {
				st.Errors[pass] = msg
			}
		}
		e.results.Unlock()
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}
