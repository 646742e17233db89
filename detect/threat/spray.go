package threat

import (
	"math"
	"time"
)

// Spray finds a source that fails with many users, once or twice with each: password
// spraying, and lists of stolen names. No user has enough failures to be noticed.
//
// Users that did not fail from the source in the last 24 hours are counted, so that a window
// of the count model (see Count; 5 min, 1 h, 6 h and 24 h here) holds the number of
// distinct users. It counts from 4½ users above the expectation on: the fifth of a quiet
// source. At most 512 users are remembered, by a hash, those that failed longest ago
// forgotten first; more than that are counted again. State: 2 KiB, and 25 B for each user.
//
// MITRE ATT&CK T1110.003.
type Spray struct {
	count *Count
	users map[uint64]int64 // time of the newest failure
}

const maxSprayed = 512

var sprayWindows = []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// NewSpray returns the model of one source. peers is shared with the other sources of the
// detector; nil stands for none.
func NewSpray(o Options, peers *Peers) *Spray {
	return &Spray{count: NewCount(o.filled(sprayWindows, 4.5), peers), users: nil}
}

// Step takes the users that failed in the slot at t. An empty slot teaches that there were
// none. Slots that do not come after the last say nothing and teach nothing. O(users).
func (m *Spray) Step(t int64, users []string) Reading {
	for h, at := range m.users {
		if t-at > day {
			delete(m.users, h)
		}
	}
	var fresh float64
	for _, u := range users {
		if m.users == nil {
			m.users = make(map[uint64]int64)
		}
		h := hashOf(u)
		if _, ok := m.users[h]; !ok {
			fresh++
			if len(m.users) >= maxSprayed {
				m.forget()
			}
		}
		m.users[h] = t
	}
	return m.count.Step(t, fresh)
}

// forget drops the user that failed longest ago, of equals the one of the smallest hash.
func (m *Spray) forget() {
	least, oldest := uint64(0), int64(math.MaxInt64)
	for h, at := range m.users {
		if at < oldest || at == oldest && h < least {
			least, oldest = h, at
		}
	}
	delete(m.users, least)
}
