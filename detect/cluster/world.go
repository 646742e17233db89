package cluster

import (
	"fmt"
	"math"
	"slices"
)

// world is the whole cluster under way.
type world struct {
	o       Options
	minutes int // to make
	per     int // minutes between two points
	cal     calendar
	faults  map[string][]fault // by what they are on

	exporters []*exporter
	tracks    []*track
	services  []*service
	nodes     []*node
	jobs      []*job
	others    []part
	making    string // the part whose series are being made
}

// A part is anything that makes series.
type part interface {
	minute(w *world, m int)
}

func newWorld(o Options, faults []fault) *world {
	w := &world{o: o, minutes: o.Days * dayMinutes, per: int(o.Step.Minutes()), cal: newCalendar(o.Start, o.Days), faults: map[string][]fault{}}
	for _, f := range faults {
		w.faults[f.on] = append(w.faults[f.on], f)
	}
	for i := range serviceTable {
		w.making = "service/" + serviceTable[i].name
		w.services = append(w.services, newService(w, serviceTable[i]))
	}
	for i := range jobTable {
		w.making = "job/" + jobTable[i].name
		w.jobs = append(w.jobs, newJob(w, jobTable[i]))
	}
	for i := range nodeCount {
		w.making = fmt.Sprint("node/", i)
		w.nodes = append(w.nodes, newNode(w, i))
	}
	for i, name := range [...]string{"mail", "events"} {
		w.making = "queue/" + name
		w.others = append(w.others, newQueue(w, name, i))
	}
	for i, name := range [...]string{"orders", "users"} {
		w.making = "database/" + name
		w.others = append(w.others, newDatabase(w, name, [...]int{1, 5}[i]))
	}
	w.making = "shop"
	w.others = append(w.others, newShop(w))
	w.making = "fleet"
	w.others = append(w.others, newFleet(w))
	w.making = "fixture"
	w.others = append(w.others, newFixtures(w)...)
	w.making = ""
	return w
}

// run makes all minutes. Causes come before what they cause: jobs and services,
// then the nodes they run on and whatever counts them.
func (w *world) run() {
	for m := range w.minutes {
		if m%w.per == 0 {
			for _, e := range w.exporters {
				e.scrape(w, m)
			}
		}
		for _, j := range w.jobs {
			j.minute(w, m)
		}
		for _, s := range w.services {
			s.minute(w, m)
		}
		for _, n := range w.nodes {
			n.minute(w, m)
		}
		for _, p := range w.others {
			p.minute(w, m)
		}
		if m%w.per == w.per-1 {
			for _, t := range w.tracks {
				t.store(m / w.per)
			}
		}
	}
}

// effect is what the faults on one part do to it in one minute.
type effect struct {
	demand, cpu, latency, noise, pods, left float64 // factors
	errors, leak, crashes, add              float64 // shares, restarts a minute, or what is added
	missed, over                            bool    // over: a fault ended in this minute
}

func (w *world) effect(on string, m int) effect {
	e := effect{demand: 1, cpu: 1, latency: 1, noise: 1, pods: 1, left: 1}
	for _, f := range w.faults[on] {
		if m == f.end {
			e.over = true
		}
		if m >= f.start && m < f.end {
			f.apply(&e, m)
		}
	}
	return e
}

// An exporter is one target: a scrape without samples leaves a gap in all its
// series. About one in 700 is, for one to three scrapes. Of these gaps one in ten is a
// scrape that failed, a slow answer or a restart, and `up` is 0; the others were lost
// behind it, by a restart of Prometheus or a write that came too late, and `up` with them.
type exporter struct {
	name            string
	src             *source
	gap             int // scrapes that still fail
	missing, frozen bool
	failed          bool // if missing: the target did not answer
	steady          bool // Prometheus' own series do not fail
	factor          float64
}

const gapEvery = 700

func (w *world) exporter(name string) *exporter {
	i := slices.IndexFunc(w.exporters, func(e *exporter) bool { return e.name == name })
	if i >= 0 {
		return w.exporters[i]
	}
	e := &exporter{name: name, src: newSource(w.o.Seed, "exporter/"+name), steady: name == "prometheus"}
	w.exporters = append(w.exporters, e)
	return e
}

// scrape decides what comes of the scrape that ends the step that begins at m.
func (e *exporter) scrape(w *world, m int) {
	rng := e.src.at(m / w.per)
	e.missing, e.frozen, e.factor = e.gap > 0, false, 1
	e.failed = e.failed && e.missing
	e.gap = max(e.gap-1, 0)
	if hit, more, failed := rng.IntN(gapEvery) == 0, rng.IntN(3), rng.IntN(10) == 0; hit && !e.missing && !e.steady {
		e.missing, e.gap, e.failed = true, more, failed
	}
	for _, f := range w.faults[e.name] {
		if m >= f.start && m < f.end {
			switch f.kind {
			case Missing:
				e.missing, e.failed = true, true
			case Flatline:
				e.frozen = true
			case Outlier:
				e.factor = f.size
			default: // breaks what is, not what is measured
			}
		}
	}
}

// up gives the value of a target's up.
func (t *track) up(e *exporter) {
	switch {
	case !e.missing:
		t.put(1)
	case e.failed:
		t.put(0)
	}
}

// How minutes become a point: a rate is their mean, a gauge the newest, a counter's
// increase their sum.
type mode int

const (
	rate mode = iota
	gauge
	increase
)

// track is a series being made.
type track struct {
	name, kind string
	of         string // the part that it is a series of
	from       *exporter
	mode       mode
	least      float64 // nobody sees a smaller difference
	per        int
	sum        float64
	n          int
	values     []float64 // from the first step on; NaN: none
	odd        bool      // an Outlier of its exporter shows here
}

func (w *world) track(name, kind, from string, m mode, least float64) *track {
	t := &track{name: name, kind: kind, of: w.making, from: w.exporter(from), mode: m, least: least, per: w.per}
	w.tracks = append(w.tracks, t)
	return t
}

// put gives the value of this minute.
func (t *track) put(v float64) {
	if t.mode == gauge {
		t.sum, t.n = v, 1
		return
	}
	t.sum += v
	t.n++
}

// store ends step i.
func (t *track) store(i int) {
	v := math.NaN()
	if t.n > 0 {
		v = t.sum
		if t.mode == rate {
			v /= float64(t.n)
		}
	}
	t.sum, t.n = 0, 0
	for len(t.values) < i {
		t.values = append(t.values, math.NaN())
	}
	switch {
	case math.IsNaN(v):
	case t.from.missing:
		v = math.NaN()
	case t.from.frozen:
		if last := t.last(); !math.IsNaN(last) {
			v = last
		}
	case t.odd:
		v *= t.from.factor
	}
	t.values = append(t.values, v)
}

// last returns the newest sample, NaN if there is none in the last ten steps.
func (t *track) last() float64 {
	for i := len(t.values) - 1; i >= max(0, len(t.values)-10); i-- {
		if !math.IsNaN(t.values[i]) {
			return t.values[i]
		}
	}
	return math.NaN()
}
