package cluster

import (
	"fmt"
	"math"
	"time"
)

// jobRow is a job that the clock starts.
type jobRow struct {
	name   string
	every  int // minutes
	at     int // minute of the period
	length int // minutes
	cores  float64
	disk   float64 // MB/s written
	node   int
	days   string // "" every day, "weekdays", "first" of the month, "sunday"
}

var jobTable = [...]jobRow{
	{"report", dayMinutes, 2 * 60, 70, 0.9, 4, 0, ""},
	{"backup", dayMinutes, 60 + 30, 40, 0.5, 60, 1, ""},
	{"sync", 60, 5, 6, 0.7, 3, 2, ""},
	{"load", dayMinutes, 5 * 60, 50, 1.2, 15, 3, "weekdays"},
	{"invoices", dayMinutes, 3 * 60, 150, 1.5, 10, 4, "first"},
	{"vacuum", dayMinutes, 3*60 + 30, 90, 0.6, 40, 1, "sunday"},
}

// job runs by the clock. Its CPU is a series only while it runs; the time since it
// last succeeded grows until it does again.
type job struct {
	jobRow
	src         *source
	left        int // minutes it still runs
	started     bool
	success     int // minute of the last
	noise       wander
	cores, disk float64 // of this minute
	cpu, age    *track
}

func newJob(w *world, row jobRow) *job {
	rng := newSource(w.o.Seed, "draw/job/"+row.name).at(0)
	row.length = max(3, int(float64(row.length)*between(0.75, 1.3, rng)))
	if row.every == dayMinutes {
		row.at = (row.at + 10*rng.IntN(7) + dayMinutes) % dayMinutes
	}
	j := &job{jobRow: row, src: newSource(w.o.Seed, "job/"+row.name), noise: newWander(0.05, 3*time.Minute), success: row.at + row.length - row.every}
	j.cpu = w.track("jobcpu__"+row.name, "jobcpu", "kubelet/jobs", rate, row.cores*0.1)
	if row.days == "" {
		// Monthly and weekday jobs are left out: their age is no clue to anybody.
		j.age = w.track("jobage__"+row.name, "jobage", "kube-state", gauge, 60*float64(row.every)*0.06)
	}
	return j
}

// due reports whether the job is to start in minute m.
func (j *job) due(w *world, m int) bool {
	if m%j.every != j.at%j.every {
		return false
	}
	day := m / dayMinutes
	switch j.days {
	case "weekdays":
		return !w.cal.weekend[day]
	case "first":
		return w.cal.first[day]
	case "sunday":
		return w.cal.weekend[day] && !w.cal.weekend[day+1]
	}
	return true
}

func (j *job) minute(w *world, m int) {
	rng := j.src.at(m)
	noise := j.noise.next(rng)
	stretch, z := 0.94+0.12*rng.Float64(), rng.NormFloat64()
	e := w.effect("job/"+j.name, m)
	if j.due(w, m) && !e.missed {
		j.left, j.started = max(1, int(math.Round(float64(j.length)*stretch*e.latency))), true
	}
	j.cores, j.disk = 0, 0
	if j.left > 0 {
		j.left--
		j.cores, j.disk = max(0, j.jobRow.cores*(1+noise+0.02*z)), j.jobRow.disk
		j.cpu.put(j.cores)
		if j.left == 0 {
			j.success = m
		}
	}
	if j.age != nil {
		j.age.put(60 * float64(m-j.success))
	}
}

const (
	nodeCount = 5
	nodeCores = 8
	nodeDisk  = 400.0 // GB
)

// node is a host: it sums up what runs on it.
type node struct {
	i                 int
	src               *source
	system            wander
	cache, logs, data float64 // GB
	spilled           float64 // GB that a fault wrote
	perLog            float64 // GB a day of logs
	cpu, mem, disk    *track
	write, net, up    *track
}

func newNode(w *world, i int) *node {
	rng := newSource(w.o.Seed, fmt.Sprint("draw/node/", i)).at(0)
	from := fmt.Sprint("node/", i)
	name := func(kind string) string { return fmt.Sprintf("%s__node%d", kind, i) }
	n := &node{
		i: i, src: newSource(w.o.Seed, from), system: newWander(0.03, 5*time.Minute),
		cache: 4 + 4*rng.Float64(), data: 120 + 80*rng.Float64(), perLog: 4 + 6*rng.Float64(),
	}
	n.cpu = w.track(name("nodecpu"), "nodecpu", from, rate, 0.01)
	n.mem = w.track(name("nodememory"), "nodememory", from, gauge, 3)
	n.disk = w.track(name("nodedisk"), "nodedisk", from, gauge, 0.5)
	n.write = w.track(name("nodewrite"), "nodewrite", from, rate, 0.3)
	n.net = w.track(name("nodenet"), "nodenet", from, rate, 0.1)
	n.up = w.track(name("up"), "up", "prometheus", gauge, 0.1)
	n.cpu.odd = true
	return n
}

func (n *node) minute(w *world, m int) {
	rng := n.src.at(m)
	system, z, burst := n.system.next(rng), rng.NormFloat64(), math.Exp(0.35*rng.NormFloat64())
	grow := rng.Float64()
	e := w.effect(fmt.Sprint("node/", n.i), m)
	cores, requests, memory := 0.25+system, 0.0, 3.0
	for _, s := range w.services {
		cores += s.used * s.weights[n.i]
		requests += s.requests * s.weights[n.i]
		memory += s.memory * float64(len(s.pods)) * s.weights[n.i] / 1024
	}
	write := (0.4 + 0.012*requests) * burst
	for _, j := range w.jobs {
		if j.node == n.i {
			cores += j.cores
			write += j.disk * (0.9 + 0.2*burst/1.06)
		}
	}
	cores += e.add * nodeCores
	n.cpu.put(min(max(cores/nodeCores*(1+0.01*e.noise*z), 0), 1))
	// The page cache grows with what is written and is given back when it is large.
	n.cache += write * 60 / 1024 * 0.02
	if n.cache > 14 {
		n.cache = 5
	}
	n.mem.put(memory + n.cache + 0.03*z)
	// Logs are compressed and the old ones removed at midnight, data grow slowly.
	n.logs += n.perLog / dayMinutes * (0.4 + requests/150) * (0.5 + grow)
	n.data += 0.25 / dayMinutes
	n.spilled += e.leak / 60 * nodeDisk
	if m%dayMinutes == 4+n.i {
		n.logs *= 0.12
	}
	if e.over { // somebody cleans up
		n.spilled = 0
	}
	n.disk.put(min(n.data+n.logs+n.spilled, nodeDisk))
	n.write.put(write)
	n.net.put((0.05 + 0.02*requests) * (1 + 0.04*z + system))
	n.up.up(n.cpu.from)
}
