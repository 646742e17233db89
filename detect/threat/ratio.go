package threat

import "time"

// Ratio finds more failures than usual among attempts: logins of a client of an
// identity provider, 401 among the requests of an ingress.
//
// With f failures of n attempts in a window, a rate p̂ that is shrunk to that of the
// peers p₀, and an overdispersion ρ of the window's own past,
//
//	p̂ = (Σf + κ·p₀) / (Σn + κ), κ = 200 attempts
//	surprise = min(−log10 P(BB(n, p̂, ρ) ≥ f), −log10 P(NB(μ, k) ≥ f) + 2) − ½·i
//
// for window i of 5 min, 1 h, 6 h and 24 h: the share must be unusual, and the
// number nearly so too. Sums forget with a half-life of 7 days, ρ of 14. A window
// counts from Min failures on. What was reported is consumed, and what is
// learned is clipped, see Count. State: 2 KiB.
//
// Skellam (1948); Gelman et al., Bayesian Data Analysis, 3rd ed., §5.3.
type Ratio struct {
	o     Options
	c     counts
	peers *Peers
	f, n  float64 // sums, with κ not in them
	rho   []rho
}

// ratioWindows are the default windows.
var ratioWindows = []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

const (
	shrinkage    = 200 // attempts that the peers' rate weighs
	rateHalfLife = 7 * day
	countSlack   = 2 // decades by which the number may be more ordinary than the share
)

// NewRatio returns the model of one entity. peers is shared with the other entities of
// the detector; nil stands for none.
func NewRatio(o Options, peers *Peers) *Ratio {
	o = o.filled(ratioWindows, 5)
	if peers == nil {
		peers = &Peers{}
	}
	m := &Ratio{o: o, c: makeCounts(o), peers: peers, f: 0, n: 0, rho: make([]rho, len(o.Windows))}
	m.c.crowd = peers
	return m
}

// Rate returns p̂, in (0, 1).
func (m *Ratio) Rate() float64 {
	p0 := m.peers.Rate()
	return min(max((m.f+shrinkage*p0)/(m.n+shrinkage), 1e-6), 1-1e-6)
}

// Step takes the failures and attempts of the slot at t; failures are among the
// attempts, and where there are more of them they are all. NaN and negative numbers
// say nothing and teach nothing. O(windows·attempts), bounded by 20,000 each.
func (m *Ratio) Step(t int64, failures, attempts float64) Reading {
	tau := Decades(m.o.Budget, m.o.Step)
	if !known(failures, attempts) {
		return quiet(tau)
	}
	attempts = max(attempts, failures)
	p := m.Rate()
	if !m.c.enter(t, m.teach, func(i int, s cell) { m.learnRho(i, s, p) }) {
		return quiet(tau)
	}
	mu := m.c.expected(t)
	m.c.add(failures, attempts, mu)
	best, at := quiet(tau), -1
	best.Observed, best.Expected, best.Window = failures, p*attempts, m.o.Step
	if m.c.warm(m.o.Warmup) {
		for i := range m.c.windows {
			if i > 0 && failures <= mu {
				break
			}
			if r := m.look(i, p); r.Surprise > best.Surprise {
				best, at = r, i
			}
		}
	}
	if best.Evident() {
		m.c.windows.consume(at)
	}
	return best
}

// look returns the reading of window i.
func (m *Ratio) look(i int, p float64) Reading {
	s := m.c.windows[i].sum()
	f, n, mean := float64(s.x), float64(s.n), float64(s.mean)
	r := quiet(Decades(m.o.Budget, m.o.Step))
	if f < m.o.Min || f <= p*n {
		return r
	}
	conc := 1/m.rhoOf(i) - 1
	share := betaBinTail(f, max(n, f), p*conc, (1-p)*conc)
	r.Observed, r.Expected, r.Window = f, p*n, m.c.windows[i].span
	if price := windowPrice * float64(i); share-price > r.Threshold { // the dearer of the two is seldom asked for
		number := negBinTail(f, mean, m.c.size(i, mean))
		r.Surprise = max(min(share, number+countSlack)-price, 0)
	}
	return r
}

// teach takes a block that leaves the longest window into the sums of this entity and
// its peers; failures that were reported or clipped are no attempts either.
func (m *Ratio) teach(s cell) {
	f := keep(int64(s.slots)*m.c.step, rateHalfLife)
	failures := float64(s.learned)
	attempts := max(float64(s.n-s.seen)+failures, failures)
	m.f, m.n = m.f*f+failures, m.n*f+attempts
	m.peers.add(failures, attempts)
}

// A rho is the overdispersion of a share, by moments, as two sums over windows:
//
//	ρ = Σ(r²n / (p(1−p)) − 1) / Σ(n − 1), r = f/n − p
//
// 0 is binomial; 1 is a share that is always 0 or 1.
type rho struct{ sum, weight float64 }

// rhoPrior is how many attempts the peers' ρ weighs in that of an entity: one that seldom
// has five attempts in a window would know attacks only.
const rhoPrior = 1000

// value returns ρ, shrunk to prior and held between 5e-4 and 0.3.
func (r *rho) value(prior float64) float64 {
	return min(max((r.sum+prior*rhoPrior)/(r.weight+rhoPrior), 5e-4), 0.3)
}

// rhoOf returns ρ of window i.
func (m *Ratio) rhoOf(i int) float64 { return m.rho[i].value(m.peers.rhoOf(i)) }

// learnRho takes in window i, which has ended, as far as its failures were not reported.
// A residual counts as at most three standard deviations. What was learned shrinks by a
// half in 14 days.
func (m *Ratio) learnRho(i int, s cell, p float64) {
	n := float64(s.n - s.seen + s.learned)
	if n < 5 {
		return
	}
	d := float64(s.learned)/n - p
	z := min(d*d*n/(p*(1-p)), 9*(1+(n-1)*m.rhoOf(i)))
	f := keep(m.c.windows[i].span.Milliseconds(), 14*day)
	r := &m.rho[i]
	r.sum, r.weight = r.sum*f+z-1, r.weight*f+n-1
	m.peers.addRho(i, rho{sum: z - 1, weight: n - 1})
}

// Peers is what the entities of one detector have in common: their pooled rate. New
// entities start from it. It is moved on by Settle only, so that the order in which
// the entities of a slot are taken does not matter.
type Peers struct {
	now, next pool
	age       int64 // milliseconds since the first slot
}

// A pool is what the entities of a detector sum up to.
type pool struct {
	f, n          float64
	rho           [8]rho // by window
	events, slots float64
}

// What is assumed before anything is known: one attempt in twenty fails, worth 200
// attempts; and ρ.
const (
	peerRate = 0.05
	peerRho  = 0.02
)

// Rate returns the pooled share of failures, in (0, 1).
func (p *Peers) Rate() float64 {
	return min(max((p.now.f+peerRate*shrinkage)/(p.now.n+shrinkage), 1e-6), 1-1e-6)
}

// rhoOf returns the pooled ρ of window i.
func (p *Peers) rhoOf(i int) float64 {
	if i >= len(p.now.rho) {
		return peerRho
	}
	return p.now.rho[i].value(peerRho)
}

func (p *Peers) add(f, n float64) {
	p.next.f += f
	p.next.n += n
}

func (p *Peers) addRho(i int, r rho) {
	if i < len(p.next.rho) {
		p.next.rho[i].sum += r.sum
		p.next.rho[i].weight += r.weight
	}
}

func (p *Peers) addCount(events, slots float64) {
	p.next.events += events
	p.next.slots += slots
}

// mean returns the mean count of a slot of all entities, at least one event in all that was
// seen and a week.
func (p *Peers) mean(perHour float64) float64 {
	return (p.now.events + 1) / (p.now.slots + 168*perHour)
}

// Settle takes in what the entities had in the slot of length step that is over.
func (p *Peers) Settle(step time.Duration) {
	f := keep(step.Milliseconds(), rateHalfLife)
	p.now.f, p.now.n = p.now.f*f+p.next.f, p.now.n*f+p.next.n
	for i := range p.now.rho {
		r, d := &p.now.rho[i], p.next.rho[i]
		r.sum, r.weight = r.sum*f+d.sum, r.weight*f+d.weight
	}
	p.now.events, p.now.slots = p.now.events*f+p.next.events, p.now.slots*f+p.next.slots
	p.next = pool{}
	p.age += step.Milliseconds()
}
