package threat

import (
	"hash/fnv"
	"math"
	"time"
)

// FirstSeen finds a value that an entity never had: an address, a country, a network or a
// device from which a user logs in, a destination to which a pod sends.
//
// With a values that were new in w weeks, and u of U peers that have the value,
//
//	λ = (a + ½) / (w + 1) new values a week
//	surprise = −log10 max(1 − exp(−λ), (u − ½) / U)
//
// so who is always on the way, and a value that others have too, are no surprise. Evidence is
// above −log10(2·budget), 0.7 decades by default: after ten days without one. It is weak,
// and alerts beside other evidence only. A week counts from the entity's third day on, and its values before that are
// not new; a and w forget with a half-life of 28 days, values that were
// not seen for longest when there are more than 64. State: 3 KiB at most.
//
// Robbins, Estimating the total probability of the unobserved outcomes (1968): what is new
// is estimated by how often something was.
type FirstSeen struct {
	o     Options
	peers *Values
	known map[uint64]int64 // slot of the newest sight
	fresh float64          // a
	weeks float64          // w
	first int64
	last  int64
	begun bool
	what  string
}

const (
	maxValues       = 64
	firstSeenWarmup = 3 * 24 * time.Hour
)

// NewFirstSeen returns the model of one entity. peers is shared with the other entities of
// the detector; nil stands for none.
func NewFirstSeen(o Options, peers *Values) *FirstSeen {
	if o.Warmup <= 0 {
		o.Warmup = firstSeenWarmup
	}
	o = o.filled([]time.Duration{time.Hour}, 1)
	if peers == nil {
		peers = NewValues()
	}
	return &FirstSeen{o: o, peers: peers, known: make(map[uint64]int64, 4), fresh: 0, weeks: 0, first: 0, last: 0, begun: false, what: ""}
}

// hashOf returns the FNV-1a hash of a value, which may be long.
func hashOf(value string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(value)) // never fails
	return h.Sum64()
}

// Step takes the values that the entity had in the slot at t, in order; a value without
// events is to be left out. Slots that do not come after the last say nothing.
// O(values·64) at worst.
func (m *FirstSeen) Step(t int64, values []string) Reading {
	r := quiet(firstSeenDecades(m.o.Budget))
	if len(values) == 0 || m.begun && t <= m.last {
		return r
	}
	if !m.begun {
		m.first, m.begun = t, true
	}
	learned := t - m.first - m.o.Warmup.Milliseconds()
	if passed := min(t-m.last, learned); passed > 0 {
		f := keep(passed, 4*week)
		m.fresh, m.weeks = m.fresh*f, m.weeks*f+float64(passed)/float64(week)
	}
	m.last = t
	lambda := (m.fresh + 0.5) / (m.weeks + 1)
	news, share := 0, 1.0
	for _, v := range values {
		h := hashOf(v)
		_, ok := m.known[h]
		m.remember(h, t)
		if ok {
			continue
		}
		if s := m.peers.share(h); learned > 0 && (news == 0 || s < share) {
			share, m.what = s, v
		}
		m.peers.meet(h)
		news++
	}
	if news == 0 || learned <= 0 {
		return r
	}
	m.fresh++ // what comes together has one cause
	r.Observed, r.Expected, r.Window = float64(news), lambda*float64(m.o.Step.Milliseconds())/float64(week), m.o.Step
	r.Surprise = max(-math.Log10(max(-math.Expm1(-lambda), share)), 0)
	return r
}

// What returns the value that was new in the last slot that had one.
func (m *FirstSeen) What() string { return m.what }

// firstSeenDecades returns the threshold.
func firstSeenDecades(budget float64) float64 { return min(max(-math.Log10(2*budget), 0.3), 4) }

// remember notes that h was seen at t, and forgets the value that was not for longest, of equals
// the one of the smallest hash.
func (m *FirstSeen) remember(h uint64, t int64) {
	if _, ok := m.known[h]; !ok && len(m.known) >= maxValues {
		least, oldest := uint64(0), int64(math.MaxInt64)
		for k, at := range m.known {
			if at < oldest || at == oldest && k < least {
				least, oldest = k, at
			}
		}
		delete(m.known, least)
	}
	m.known[h] = t
}

// Values is what the entities of one detector have in common: how many have a value. It
// remembers 16,384 values, the first ones, and is moved on by Settle only.
type Values struct {
	now, next map[uint64]int32
	size      int
	joined    int
}

const maxShared = 16_384

// NewValues returns an empty one.
func NewValues() *Values {
	return &Values{now: make(map[uint64]int32), next: make(map[uint64]int32), size: 0, joined: 0}
}

func (p *Values) join() { p.joined++ }

func (p *Values) meet(h uint64) {
	if len(p.next) < maxShared {
		p.next[h]++
	}
}

// share returns the share of entities that have the value, (u − ½)/U, 0 if none has.
func (p *Values) share(h uint64) float64 {
	if u := p.now[h]; u > 0 && p.size > 1 {
		return min((float64(u)-0.5)/float64(p.size), 1)
	}
	return 0
}

// Settle takes in what was new in the slot that is over.
func (p *Values) Settle() {
	for h, n := range p.next { // sums: the order does not matter unless it is full
		if _, ok := p.now[h]; ok || len(p.now) < maxShared {
			p.now[h] += n
		}
	}
	clear(p.next)
	p.size += p.joined
	p.joined = 0
}
