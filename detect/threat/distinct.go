package threat

import (
	"math"
	"time"
)

// Distinct finds more different values than usual: users that fail from one source, once or
// twice each (password spraying: no user has enough failures to be noticed), addresses
// within one session (a stolen cookie), resources an identity touches.
//
// Values that the entity did not have in the last 24 hours are counted, so that a window
// of the count model (see Count; 5 min, 1 h, 6 h and 24 h here) holds the number of
// distinct values. It counts from Min (4½) values above the expectation on: the fifth of a
// quiet source. At most 512 values are remembered, by a hash, those seen longest ago
// forgotten first; more than that are counted again. State: 2 KiB, and 25 B for each value.
//
// MITRE ATT&CK T1110.003.
type Distinct struct {
	count *Count
	seen  map[uint64]int64 // time of the newest sight
}

const (
	maxDistinct = 512
	// distinctSize is the dispersion of a new entity: values that count once a day come in
	// no such crowds as events do.
	distinctSize = 1
)

var distinctWindows = []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// NewDistinct returns the model of one entity. peers is shared with the others of the
// detector; nil stands for none.
func NewDistinct(o Options, peers *Peers) *Distinct {
	m := &Distinct{count: NewCount(o.filled(distinctWindows, 4.5), peers), seen: nil}
	m.count.c.newSize = distinctSize
	return m
}

// Step takes the values of the slot at t. An empty slot teaches that there were none. Slots
// that do not come after the last say nothing and teach nothing. O(values).
func (m *Distinct) Step(t int64, values []string) Reading {
	for h, at := range m.seen {
		if t-at > day {
			delete(m.seen, h)
		}
	}
	var fresh float64
	for _, u := range values {
		if m.seen == nil {
			m.seen = make(map[uint64]int64)
		}
		h := hashOf(u)
		if _, ok := m.seen[h]; !ok {
			fresh++
			if len(m.seen) >= maxDistinct {
				m.forget()
			}
		}
		m.seen[h] = t
	}
	return m.count.Step(t, fresh)
}

// forget drops the value seen longest ago, of equals the one of the smallest hash.
func (m *Distinct) forget() {
	least, oldest := uint64(0), int64(math.MaxInt64)
	for h, at := range m.seen {
		if at < oldest || at == oldest && h < least {
			least, oldest = h, at
		}
	}
	delete(m.seen, least)
}
