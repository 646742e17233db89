package threat

import (
	"maps"
	"math"
	"slices"
	"time"
)

// An Action is what one identity did in a slot: Count times the same verb on the same
// kind of resource with the same outcome.
type Action struct {
	Verb, Resource string
	Refused        bool // 401 or 403, AccessDenied: it tried
	Succeeded      bool // 2xx
	Count          float64
}

// Novelty finds actions that an identity has not made before and that are worth
// something to an attacker. For each action done in fewer than three slots so far
//
//	p = (c + ½·u/(U + 1)) / (N + 5½)
//	novelty = w·min(−log10(p)/3, 1½)
//
// with c the slots in which it did this and N the sum of c over all it did, u the peers
// that do it (and 0.2) of U, and w the sensitivity of the action (see Catalogue). The
// score is the sum of the novelties of sensitive actions (w ≥ 2), of the two largest of
// ordinary ones, and of how unusual the numbers of refusals (up to 4) and of reads of
// secrets (up to 6) are, in decades beyond two. An anonymous identity that reads a
// resource adds 6. A call to a cloud with w = 6 counts as at least 0.9·w until it was done in ten
// slots: nobody needs to have been watched for a week to turn the log off.
//
// An identity seen for less than a day among peers that have been there for a week is
// new: its novelties count by half, as everything an installation does is new. While the
// peers of a cluster are watched for less than a day, all they do is new: the novelties,
// refusals and reads of secrets of those who were there then grow to their full weight over their first two days.
// Anonymous access counts in full from the first slot on.
// At most 256 actions are remembered, the least used forgotten first. State: up to
// 24 KiB.
type Novelty struct {
	o        NoveltyOptions
	peers    *Company
	known    map[string]int32 // slots by action
	total    float64          // Σ known
	active   float64          // slots
	first    int64
	last     int64
	begun    bool
	founder  bool    // it was there in the first day of the peers
	met      float64 // actions of the newest slot that it had not made before
	refused  rare
	secrets  rare
	lastTop  Sensitive
	lastWhat string
}

// NoveltyOptions say how actions are weighed.
type NoveltyOptions struct {
	Options

	Catalogue Catalogue
	Anonymous bool // the identity is that of those who have none
}

const (
	maxActions       = 256
	noveltyThreshold = 5 // of the score, at the default budget
	noveltyLearning  = 2 * day
)

// NewNovelty returns the model of one identity. company is shared with the others of the
// detector; nil stands for none.
func NewNovelty(o NoveltyOptions, company *Company) *Novelty {
	o.Options = o.filled([]time.Duration{time.Hour}, 1)
	if company == nil {
		company = NewCompany()
	}
	return &Novelty{
		o: o, peers: company, known: make(map[string]int32), total: 0, active: 0, first: 0, last: 0, begun: false, founder: false,
		met: 0, refused: rare{}, secrets: rare{}, lastTop: Sensitive{}, lastWhat: "",
	}
}

// Step takes what the identity did in the slot at t, in any order; the same verb and
// resource may come with several outcomes. Counts that are not positive numbers are
// left out. A slot without actions need not be given. Slots that do not come after the
// last say nothing. O(actions·log).
func (m *Novelty) Step(t int64, actions []Action) Reading {
	r := quiet(m.threshold())
	if m.begun && t <= m.last {
		return r
	}
	seen := merge(actions)
	if len(seen) == 0 {
		return r
	}
	if !m.begun {
		m.first, m.begun = t, true
		m.founder = m.o.Catalogue == Kubernetes && m.peers.age < day
		m.peers.join()
	}
	m.last = t
	factor := m.factor(t)
	score, top := m.novelties(seen, factor)
	var refused, secrets float64
	anonymous := false
	for _, a := range seen {
		refused += a.refused
		if a.resource == "secrets" && (a.verb == "get" || a.verb == "list") {
			secrets += a.count
		}
		anonymous = anonymous || m.o.Anonymous && a.succeeded && a.resource != "nonresource"
	}
	add := func(most float64, a novelAction) {
		if m.founder {
			most *= factor
		}
		if a.novelty = min(max(a.novelty-2, 0), most); a.novelty > 0 {
			score += a.novelty
			if a.novelty > top.novelty {
				top = a
			}
		}
	}
	add(4, m.refused.step(refused, Sensitive{2, UnusualBehavior, "T1613"}, "refusals"))
	if m.o.Catalogue == Kubernetes {
		add(6, m.secrets.step(secrets, kubernetesWrites["secrets"], "reads of secrets"))
	}
	if anonymous {
		score += 6
		top = novelAction{novelty: 6, count: 1, expected: 0, sensitive: Sensitive{6, PrivilegeEscalation, anonymousTechnique}, what: "anonymous access"}
	}
	m.lastTop, m.lastWhat = top.sensitive, top.what
	m.learn(seen)
	r.Observed, r.Expected, r.Window, r.Surprise = top.count, top.expected, m.o.Step, score
	return r
}

// Top returns what weighed most in the last slot: what it is worth, and its verb and
// resource.
func (m *Novelty) Top() (Sensitive, string) { return m.lastTop, m.lastWhat }

func (m *Novelty) threshold() float64 {
	return min(max(noveltyThreshold+math.Log10(Budget/m.o.Budget), 3), 8)
}

// merged is an action with its outcomes added up.
type merged struct {
	key, verb, resource string
	count, refused      float64
	succeeded           bool
}

// merge adds up the outcomes, sorted by verb and resource so that sums do not depend on
// the order of the input.
func merge(actions []Action) []merged {
	seen := make([]merged, 0, len(actions))
	for _, a := range actions {
		if !known(a.Count) || a.Count == 0 {
			continue
		}
		m := merged{key: a.Verb + " " + a.Resource, verb: a.Verb, resource: a.Resource, count: a.Count, refused: 0, succeeded: a.Succeeded}
		if a.Refused {
			m.refused = a.Count
		}
		seen = append(seen, m)
	}
	slices.SortFunc(seen, func(a, b merged) int {
		if a.key != b.key {
			if a.key < b.key {
				return -1
			}
			return 1
		}
		return 0
	})
	out := seen[:0]
	for _, a := range seen {
		if n := len(out); n > 0 && out[n-1].key == a.key {
			out[n-1].count += a.count
			out[n-1].refused += a.refused
			out[n-1].succeeded = out[n-1].succeeded || a.succeeded
			continue
		}
		out = append(out, a)
	}
	return out
}

type novelAction struct {
	novelty   float64
	count     float64 // in this slot
	expected  float64 // in one
	sensitive Sensitive
	what      string
}

// factor returns by how much novelties count.
func (m *Novelty) factor(t int64) float64 {
	switch age := t - m.first; {
	case m.founder:
		return min(float64(age)/float64(noveltyLearning), 1)
	case age < day && m.peers.age >= week:
		return 0.5
	}
	return 1
}

// novelties returns the sum of what is new, and the newest.
func (m *Novelty) novelties(seen []merged, factor float64) (score float64, top novelAction) {
	var first, second float64 // of the ordinary ones
	for _, a := range seen {
		c := float64(m.known[a.key])
		s := m.o.Catalogue.Look(a.verb, a.resource)
		always := m.o.Catalogue == AWS && s.Weight >= 6 && c < 10
		if c >= 3 && !always {
			continue
		}
		p := (c + 0.5*m.peers.share(a.key)) / (m.total + 5.5)
		f := min(-math.Log10(p)/3, 1.5)
		if always && factor == 1 {
			f = max(f, 0.9)
		}
		v := s.Weight * f * factor
		if v > top.novelty {
			top = novelAction{novelty: v, count: a.count, expected: c / max(m.active, 1), sensitive: s, what: a.key}
		}
		switch {
		case s.Weight >= 2:
			score += v
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	return score + first + second, top
}

// learn takes in what was done.
func (m *Novelty) learn(seen []merged) {
	m.active++
	m.met = 0
	for _, a := range seen {
		n, ok := m.known[a.key]
		if !ok {
			if len(m.known) >= maxActions {
				m.forget()
			}
			m.peers.meet(a.key)
			m.met++
		}
		m.known[a.key] = min(n+1, math.MaxInt32-1)
		m.total++
	}
}

// forget drops the action that was done in the fewest slots, of equals the first by
// name.
func (m *Novelty) forget() {
	least, at := int32(math.MaxInt32), ""
	for k, n := range m.known {
		if n < least || n == least && k < at {
			least, at = n, k
		}
	}
	m.total -= float64(least)
	delete(m.known, at)
}

// A rare is the mean of a count that is mostly 0, over about a week of active
// slots of 15 minutes.
type rare struct{ sum, n float64 }

const (
	rareSlots = 672
	rareSize  = 0.5 // of the negative binomial
)

// step returns how surprising the count x of what is, in decades, and learns it, at most
// tenfold the mean and three.
func (r *rare) step(x float64, s Sensitive, what string) novelAction {
	mean := (r.sum + 0.2) / (r.n + 2)
	a := novelAction{novelty: negBinTail(x, mean, rareSize), count: x, expected: mean, sensitive: s, what: what}
	const f = 1 - 1.0/rareSlots
	r.sum, r.n = r.sum*f+min(x, 10*mean+3), r.n*f+1
	return a
}

// A Company is what the identities of one detector have in common: who does what. It
// remembers 4,096 actions. It is moved on by Settle only.
type Company struct {
	now, next map[string]int32 // identities by action
	size      int
	joined    int
	age       int64
}

const maxCompany = 4096

// NewCompany returns an empty company.
func NewCompany() *Company {
	return &Company{now: make(map[string]int32), next: make(map[string]int32), size: 0, joined: 0, age: 0}
}

func (c *Company) join() { c.joined++ }

func (c *Company) meet(key string) {
	if len(c.next) < maxCompany {
		c.next[key]++
	}
}

// share returns the share of identities that do this.
func (c *Company) share(key string) float64 {
	return (float64(c.now[key]) + 0.2) / float64(c.size+1)
}

// Settle takes in what was new in the slot of length step that is over.
func (c *Company) Settle(step time.Duration) {
	for _, k := range slices.Sorted(maps.Keys(c.next)) {
		if _, ok := c.now[k]; ok || len(c.now) < maxCompany {
			c.now[k] += c.next[k]
		}
	}
	clear(c.next)
	c.size += c.joined
	c.joined = 0
	c.age += step.Milliseconds()
}
