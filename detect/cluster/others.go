package cluster

import (
	"fmt"
	"math"
	"time"
)

// queue holds what the services hand on. The hourly job brings a heap of it.
type queue struct {
	name            string
	src             *source
	feeds           int // service
	depth           float64
	capacity        float64 // a minute
	depths, handled *track
}

func newQueue(w *world, name string, feeds int) *queue {
	q := &queue{name: name, src: newSource(w.o.Seed, "queue/"+name), feeds: feeds, capacity: w.services[feeds].serviceRow.rate * 60 * 0.1 * 2.2}
	from := "app/queue-" + name
	q.depths = w.track("queuedepth__"+name, "queuedepth", from, gauge, 3)
	q.handled = w.track("queuehandled__"+name, "queuehandled", from, rate, q.capacity*0.02)
	return q
}

func (q *queue) minute(w *world, m int) {
	rng := q.src.at(m)
	e := w.effect("queue/"+q.name, m)
	in := count(w.services[q.feeds].requests*60*0.1, rng)
	if w.jobs[2].left > 0 { // the hourly one
		in += q.capacity * 0.9
	}
	capacity := q.capacity * e.left * (0.95 + 0.1*rng.Float64())
	done := math.Floor(min(q.depth+in, capacity))
	q.depth += math.Round(in) - done
	q.depth = max(q.depth, 0)
	q.depths.put(q.depth + count(2, rng)) // what is being handled
	q.handled.put(done)
}

// database serves two services and copies itself to a second one.
type database struct {
	name                string
	src                 *source
	service             int
	pool                float64 // connections
	noise, ratioNoise   wander
	wal, leaked         float64
	conns, lag, hit, ws *track
}

func newDatabase(w *world, name string, service int) *database {
	d := &database{name: name, src: newSource(w.o.Seed, "database/"+name), service: service, pool: 100, noise: newWander(2, 10*time.Minute), ratioNoise: newWander(0.0015, 20*time.Minute)}
	from := "database/" + name
	d.conns = w.track("dbconnections__"+name, "dbconnections", from, gauge, 1.5)
	d.lag = w.track("dblag__"+name, "dblag", from, gauge, 0.05)
	d.hit = w.track("dbhit__"+name, "dbhit", from, rate, 0.0005)
	d.ws = w.track("dbwal__"+name, "dbwal", from, gauge, 200)
	d.hit.odd = true
	return d
}

func (d *database) minute(w *world, m int) {
	rng := d.src.at(m)
	e := w.effect("database/"+d.name, m)
	noise, ratio := d.noise.next(rng), d.ratioNoise.next(rng)
	z, u := rng.NormFloat64(), rng.ExpFloat64()
	s := w.services[d.service]
	load := s.requests / s.serviceRow.rate
	if e.over {
		d.leaked = 0
	}
	d.leaked += e.leak / 60 * d.pool
	d.conns.put(min(d.pool, math.Round(12+25*load+noise+d.leaked)))
	// A copy follows within milliseconds, not while the backup or the vacuum reads.
	lag := 0.02 + 0.03*u*(1+load)
	if w.jobs[1].left > 0 || w.jobs[5].left > 0 {
		lag += 3 + 4*u
	}
	d.lag.put(lag + e.add)
	d.hit.put(min(1, 0.985-0.006*load+ratio+0.0006*z-(1-e.left)))
	// The write-ahead log is cut at a checkpoint.
	d.wal += (2 + 20*load) * (0.7 + 0.6*rng.Float64())
	if d.wal > 480 {
		d.wal = 40
	}
	d.ws.put(d.wal)
}

// shop counts what people do.
type shop struct {
	src                             *source
	orders, revenue, logins, failed *track
	signups                         *track
}

func newShop(w *world) *shop {
	s := &shop{src: newSource(w.o.Seed, "shop")}
	s.orders = w.track("orders__shop", "orders", "app/shop", increase, 2)
	s.revenue = w.track("revenue__shop", "revenue", "app/shop", increase, 60)
	s.logins = w.track("logins__shop", "logins", "app/shop", increase, 2)
	s.failed = w.track("failedlogins__shop", "failedlogins", "app/shop", increase, 1)
	s.signups = w.track("signups__shop", "signups", "app/shop", increase, 1)
	return s
}

func (s *shop) minute(w *world, m int) {
	rng := s.src.at(m)
	e := w.effect("shop", m)
	orders := count(w.services[4].requests*60*0.25*e.left, rng)
	basket := math.Exp(0.8 * rng.NormFloat64() / math.Sqrt(orders+1))
	s.orders.put(orders)
	s.revenue.put(math.Round(orders*38*basket*100) / 100)
	tries := w.services[5].requests * 60 * 0.4
	s.logins.put(count(tries, rng))
	s.failed.put(count(tries*0.012+e.add, rng))
	s.signups.put(count(0.08*w.services[0].requests/w.services[0].serviceRow.rate, rng))
}

// fleet is the autoscaler of nodes: their number follows what the pods request, up
// in three minutes, down after half an hour.
type fleet struct {
	n, wait     int
	nodes, cost *track
}

func newFleet(w *world) *fleet {
	f := &fleet{n: nodeCount}
	f.nodes = w.track("nodes__fleet", "nodes", "kube-state", gauge, 0.7)
	f.cost = w.track("cost__fleet", "cost", "opencost", gauge, 0.25)
	return f
}

func (f *fleet) minute(w *world, _ int) {
	asked := 0.0
	for _, s := range w.services {
		asked += s.ask * float64(len(s.pods)) * 4
	}
	want := nodeCount + int(math.Ceil(max(0, asked-12)/nodeCores))
	switch {
	case want > f.n:
		if f.wait = max(f.wait, 0) + 1; f.wait >= 3 {
			f.n, f.wait = f.n+1, 0
		}
	case want < f.n:
		if f.wait = min(f.wait, 0) - 1; f.wait <= -30 {
			f.n, f.wait = f.n-1, 0
		}
	default:
		f.wait = 0
	}
	f.nodes.put(float64(f.n))
	f.cost.put(float64(f.n) * nodeCores * 0.034)
}

// A fixture is a series that says the same every day, by a rule of the clock.
type fixture struct {
	t  *track
	at func(m int) float64
}

func (f fixture) minute(_ *world, m int) { f.t.put(f.at(m)) }

func newFixtures(w *world) []part {
	rng := newSource(w.o.Seed, "fixtures").at(0)
	var all []part
	add := func(name, kind string, at func(m int) float64) {
		all = append(all, fixture{w.track(name+"__"+kind, kind, "kube-state", gauge, 1), at})
	}
	add("connections", "limit", func(int) float64 { return 100 })
	add("memory", "limit", func(int) float64 { return 4 << 30 })
	add("replicas", "limit", func(int) float64 { return 3 })
	add("pressure", "limit", func(int) float64 { return 0 })
	// Certificates run for 90 days and are renewed with 30 days left.
	for i := range 3 {
		left := 31 + rng.IntN(58)
		add(fmt.Sprint("site", i), "certificate", func(m int) float64 {
			age := (90-left)*dayMinutes + m
			return float64(90*dayMinutes-age%(60*dayMinutes)) * 60
		})
	}
	// A schedule that is on by day, and a leader that changes now and then.
	on := 7*60 + rng.IntN(120)
	add("dayshift", "flag", func(m int) float64 {
		if t := m % dayMinutes; t >= on && t < on+10*60 {
			return 1
		}
		return 0
	})
	term := dayMinutes * (3 + rng.IntN(5))
	add("leader", "flag", func(m int) float64 { return float64(m / term % 2) })
	return all
}
