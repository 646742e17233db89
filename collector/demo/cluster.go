// Package demo makes the metrics of a small Kubernetes cluster as a scrape would
// find them, minute by minute: seasons of the day and the week, releases, pods
// that come and go, counters that reset, noise, and the incidents of a table. The
// same seed and times give the same samples.
package demo

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// Interval is the time between two scrapes.
const Interval = time.Minute

// stateSince is since when kube-state-metrics is scraped, before Options.Now.
const stateSince = 2 * time.Hour

// Appender stores one sample of the series ls at t (Unix milliseconds). ref is
// what it returned for the same series before, 0 at first.
type Appender interface {
	Append(ref uint64, ls labels.Labels, t int64, v float64) (uint64, error)
}

// Options say which cluster it is.
type Options struct {
	Seed      uint64
	Now       int64      // Unix milliseconds: the time that incidents are relative to
	Incidents []Incident // nil: none
}

// Cluster is the state between two scrapes. It belongs to one goroutine.
type Cluster struct {
	o         Options
	incidents []Incident
	workloads []*running
	services  []*serving
	nodes     []*host
}

// New returns a cluster that has not been scraped yet.
func New(o Options) *Cluster {
	c := &Cluster{o: o, incidents: o.Incidents}
	for i := range nodes {
		c.nodes = append(c.nodes, newHost(i, c.rng("node/"+nodes[i].name), c.rng("ssh/"+nodes[i].name)))
	}
	byName := map[string]*running{}
	for i := range workloads {
		w := &workloads[i]
		r := newRunning(w, c.rng(w.namespace+"/"+w.name))
		c.workloads = append(c.workloads, r)
		byName[r.on] = r
	}
	for i := range services {
		s := &services[i]
		c.services = append(c.services, newServing(s, byName[s.workload], c.rng("service/"+s.workload)))
	}
	return c
}

// rng returns the random numbers of one part: no part changes those of another.
func (c *Cluster) rng(part string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(part)) // never fails
	return rand.New(rand.NewPCG(c.o.Seed, h.Sum64()))
}

// Scrape appends every sample of the scrape at t (Unix milliseconds). Each call
// is one Interval after the one before.
func (c *Cluster) Scrape(t int64, to Appender) error {
	s := &scrape{t: t, at: time.UnixMilli(t).UTC(), to: to, state: t >= c.o.Now-stateSince.Milliseconds()}
	for _, n := range c.nodes {
		n.begin()
	}
	for _, w := range c.workloads {
		w.scrape(s, c, c.effectOn(w.on, t))
	}
	for _, v := range c.services {
		v.scrape(s, c.effectOn(v.on.on, t))
	}
	for _, n := range c.nodes {
		n.scrape(s, c.effectOn(n.name, t))
	}
	return s.err
}

// scrape is one scrape under way; after an error it does nothing.
type scrape struct {
	t   int64
	at  time.Time
	to  Appender
	err error
	// state says that kube-state-metrics is scraped: what is set now is all that anybody asks for.
	state bool
}

// metric is one series and its newest value.
type metric struct {
	ls    labels.Labels
	ref   uint64
	value float64
	there bool // a sample was stored and the series has not ended since
}

func newMetric(name string, pairs ...string) metric {
	return metric{ls: labels.FromStrings(append([]string{model.MetricNameLabel, name}, pairs...)...)}
}

// set stores v.
func (s *scrape) set(m *metric, v float64) {
	m.value, m.there = v, true
	s.append(m, v)
}

// add raises a counter by v and stores it.
func (s *scrape) add(m *metric, v float64) { s.set(m, m.value+v) }

// end says that the series is not there any more.
func (s *scrape) end(m *metric) {
	if m.there {
		m.there = false
		s.append(m, math.Float64frombits(value.StaleNaN))
	}
}

func (s *scrape) append(m *metric, v float64) {
	if s.err == nil {
		m.ref, s.err = s.to.Append(m.ref, m.ls, s.t, v)
	}
}

// grain rounds x to a multiple of a power of two: what is measured has a grain,
// and rounded values take a third of the space.
func grain(x, g float64) float64 { return math.Round(x/g) * g }
