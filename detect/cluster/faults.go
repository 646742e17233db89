package cluster

import (
	"fmt"
	"math/rand/v2"
)

// fault is one thing that breaks.
type fault struct {
	kind       Kind
	on         string // what breaks: a part, or an exporter
	start, end int    // minutes, end excluded
	size       float64
	cause      *cause
}

// A cause is a way to break, with the range of its length and size: from what one
// has to look for to what nobody misses.
type cause struct {
	kind     Kind
	minutes  [2]float64
	size     [2]float64
	exporter bool // it breaks what is measured, not what is
	effect   func(e *effect, size float64, since int)
}

// ramp takes a factor from 1 to size over some minutes: a dependency slows down bit
// by bit, people do not all come at once.
func ramp(size float64, since, minutes int) float64 {
	return 1 + (size-1)*min(1, float64(since+1)/float64(minutes))
}

var serviceCauses = []cause{
	{Spike, [2]float64{8, 45}, [2]float64{1.5, 4}, false, func(e *effect, x float64, t int) { e.demand *= ramp(x, t, 3) }},
	{TrafficLoss, [2]float64{10, 90}, [2]float64{0.15, 0.7}, false, func(e *effect, x float64, _ int) { e.demand *= x }},
	{LevelShift, [2]float64{180, 720}, [2]float64{1.25, 2.2}, false, func(e *effect, x float64, t int) { e.cpu *= ramp(x, t, 6) }},
	{Drift, [2]float64{240, 900}, [2]float64{0.04, 0.3}, false, func(e *effect, x float64, _ int) { e.leak += x }},
	{ErrorBurst, [2]float64{5, 45}, [2]float64{0.02, 0.3}, false, func(e *effect, x float64, _ int) { e.errors += x }},
	{Latency, [2]float64{20, 150}, [2]float64{1.4, 4}, false, func(e *effect, x float64, t int) { e.latency *= ramp(x, t, 8) }},
	{Variance, [2]float64{60, 240}, [2]float64{3, 8}, false, func(e *effect, x float64, _ int) { e.noise *= x }},
	{Flatline, [2]float64{90, 300}, [2]float64{1, 1}, true, nil},
	{Missing, [2]float64{20, 120}, [2]float64{1, 1}, true, nil},
	{Outlier, [2]float64{1, 1}, [2]float64{4, 15}, true, nil},
	{CrashLoop, [2]float64{15, 60}, [2]float64{1, 5}, false, func(e *effect, x float64, _ int) {
		e.crashes += x / 10
		e.errors += 0.01 * x
	}},
	{CostJump, [2]float64{360, 1440}, [2]float64{2, 4}, false, func(e *effect, x float64, _ int) { e.pods *= x }},
}

var nodeCauses = []cause{
	{Spike, [2]float64{15, 120}, [2]float64{0.2, 0.6}, false, func(e *effect, x float64, _ int) { e.add += x }},
	{Drift, [2]float64{180, 600}, [2]float64{0.01, 0.08}, false, func(e *effect, x float64, _ int) { e.leak += x }},
	{Missing, [2]float64{15, 90}, [2]float64{1, 1}, true, nil},
	{Flatline, [2]float64{90, 240}, [2]float64{1, 1}, true, nil},
	{Outlier, [2]float64{1, 1}, [2]float64{3, 8}, true, nil},
}

var databaseCauses = []cause{
	{Drift, [2]float64{60, 300}, [2]float64{0.1, 0.6}, false, func(e *effect, x float64, _ int) { e.leak += x }},
	{Spike, [2]float64{5, 40}, [2]float64{10, 120}, false, func(e *effect, x float64, t int) { e.add += ramp(x, t, 4) }},
	{LevelShift, [2]float64{60, 360}, [2]float64{0.015, 0.1}, false, func(e *effect, x float64, _ int) { e.left *= 1 - x }},
	{Missing, [2]float64{15, 90}, [2]float64{1, 1}, true, nil},
}

var queueCauses = []cause{
	{QueueStall, [2]float64{15, 90}, [2]float64{0.6, 1}, false, func(e *effect, x float64, _ int) { e.left *= 1 - x }},
}

var shopCauses = []cause{
	{LoginBurst, [2]float64{10, 45}, [2]float64{3, 60}, false, func(e *effect, x float64, _ int) { e.add += x }},
	{Drop, [2]float64{20, 90}, [2]float64{0.05, 0.5}, false, func(e *effect, x float64, _ int) { e.left *= x }},
	{Flatline, [2]float64{90, 240}, [2]float64{1, 1}, true, nil},
}

// Jobs break when they are due, so their table has no lengths.
var (
	missedJob = cause{MissedJob, [2]float64{}, [2]float64{1, 1}, false, func(e *effect, _ float64, t int) { e.missed = e.missed || t == 0 }}
	hungJob   = cause{HungJob, [2]float64{}, [2]float64{2, 5}, false, func(e *effect, x float64, _ int) { e.latency *= x }}
)

func (f fault) apply(e *effect, m int) {
	if f.cause.effect != nil {
		f.cause.effect(e, f.size, m-f.start)
	}
}

// plan decides what breaks when: each part about every so many days, a day and a
// half apart at least, each way of it in turn.
func plan(w *world) []fault {
	var all []fault
	add := func(part, on, exporter string, causes []cause, days float64) {
		rng := newSource(w.o.Seed, "fault/"+part).at(0)
		order := rng.Perm(len(causes))
		at := float64(w.o.Warm) + days*rng.Float64()
		for k := 0; ; k++ {
			c := &causes[order[k%len(order)]]
			f := fault{kind: c.kind, on: on, start: int(at*dayMinutes) + rng.IntN(60), size: between(c.size[0], c.size[1], rng), cause: c}
			f.start -= f.start % w.per
			length := int(between(c.minutes[0], c.minutes[1], rng))
			if c.kind == Missing { // one to three scrapes fail now and then
				length = max(length, 6*w.per)
			}
			f.end = f.start + length
			if c.exporter {
				f.on = exporter
			}
			if f.end+6*60 > w.minutes {
				return
			}
			all = append(all, f)
			at += 1.5 + float64(length)/dayMinutes + 2*(days-1.5)*rng.Float64()
		}
	}
	for _, s := range w.services {
		add(s.name, "service/"+s.name, exporterOf(s.name, w.o.Seed), serviceCauses, 4)
	}
	for i := range w.nodes {
		name := fmt.Sprint("node/", i)
		add(name, name, name, nodeCauses, 6)
	}
	for _, p := range w.others {
		switch p := p.(type) {
		case *database:
			add("database/"+p.name, "database/"+p.name, "database/"+p.name, databaseCauses, 5)
		case *queue:
			add("queue/"+p.name, "queue/"+p.name, "", queueCauses, 7)
		case *shop:
			add("shop", "shop", "app/shop", shopCauses, 5)
		}
	}
	for _, j := range w.jobs {
		all = append(all, jobFaults(w, j)...)
	}
	return all
}

// exporterOf picks what fails when a service's measurements do: its own or the kubelet's.
func exporterOf(name string, seed uint64) string {
	if mix(seed^uint64(len(name)))%3 == 0 {
		return "kubelet/" + name
	}
	return "app/" + name
}

// jobFaults lets about one run in eight of a nightly job fail, of the hourly one one
// in a hundred.
func jobFaults(w *world, j *job) []fault {
	rng := newSource(w.o.Seed, "fault/job/"+j.name).at(0)
	var all []fault
	quiet := 0
	for m := w.o.Warm * dayMinutes; m < w.minutes-2*j.every-60; m++ {
		if !j.due(w, m) {
			continue
		}
		odds := 8
		if j.every < dayMinutes {
			odds = 100
		}
		hit, missed, size := rng.IntN(odds) == 0, rng.IntN(2) == 0, between(2, 5, rng)
		if quiet--; !hit || quiet > 0 || j.days == "first" {
			continue
		}
		quiet = 3
		all = append(all, jobFault(rng, j, m, missed, size))
	}
	return all
}

func jobFault(_ *rand.Rand, j *job, m int, missed bool, size float64) fault {
	f := fault{kind: HungJob, on: "job/" + j.name, start: m, end: m + int(float64(j.length)*size) + 2, size: size, cause: &hungJob}
	if missed {
		f.kind, f.size, f.cause = MissedJob, 1, &missedJob
		f.end = m + j.every + j.length // until it succeeds again
	} else if f.end >= m+j.every {
		f.end = m + j.every - 1 // the next run is another one
	}
	return f
}
