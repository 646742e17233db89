package cluster

import (
	"math"
	"math/rand/v2"
	"time"
)

// serviceRow says what a service is like in a busy hour. The seed varies every number.
type serviceRow struct {
	name        string
	rhythm      rhythm
	rate        float64 // requests a second
	cost        float64 // CPU seconds a request
	memory      float64 // MiB of a pod at rest
	collects    bool    // a garbage collector: its memory is a saw-tooth
	least, most int     // pods; scaled between them
	latency     float64 // seconds, 95th percentile at rest
	errors      float64 // share of requests that fail on an ordinary day
	deploys     int     // days between two releases
}

var serviceTable = [...]serviceRow{
	{"frontend", rhythm{false, 0, 0.12, 1.1, 0}, 180, 0.012, 260, false, 3, 10, 0.08, 0.0006, 4},
	{"checkout", rhythm{false, 0, 0.08, 1.1, 1.15}, 12, 0.05, 700, true, 2, 6, 0.25, 0.002, 6},
	{"catalog", rhythm{false, 0, 0.12, 1.1, 0}, 90, 0.01, 400, false, 2, 8, 0.06, 0.0004, 7},
	{"search", rhythm{false, 0, 0.1, 1.05, 0}, 40, 0.04, 1400, true, 2, 6, 0.3, 0.001, 9},
	{"payment", rhythm{false, 0, 0.06, 1.1, 1.3}, 4, 0.03, 180, false, 2, 2, 0.4, 0.004, 11},
	{"login", rhythm{true, 0, 0.05, 0.3, 0}, 8, 0.04, 160, false, 2, 4, 0.15, 0.002, 8},
	{"billing", rhythm{true, 0, 0.02, 0.1, 2.5}, 2, 0.15, 900, true, 2, 2, 0.6, 0.003, 10},
	{"gateway", rhythm{true, 3, 0.5, 0.7, 0}, 60, 0.004, 120, false, 3, 6, 0.03, 0.0003, 13},
}

// service is a workload that people ask.
type service struct {
	serviceRow
	src            *source
	slow, fast     wander // of the demand
	burn, wait     wander // of CPU and of latency
	growth         float64
	pods           []pod
	release        int     // minute of the next
	version        int     // releases so far
	ask            float64 // cores that a pod requests
	heavier        float64 // CPU a request of this version, about 1
	rollout        int     // pods still to be replaced
	calm           int     // minutes in which fewer pods would do
	utilisation    float64
	requests, used float64 // of this minute: a second, and cores
	weights        [nodeCount]float64

	rate, errs, lat, cpu, mem, replicas, restarts, price, up *track
	podMem                                                   *track
}

// pod is one replica.
type pod struct {
	born       int
	heap, live float64 // of a garbage collector, in shares of the memory at rest
	leaked     float64 // the same
	weight     float64
}

func newService(w *world, row serviceRow) *service {
	rng := newSource(w.o.Seed, "draw/"+row.name).at(0)
	row.rhythm = row.rhythm.draw(rng)
	row.rate *= between(0.6, 1.7, rng)
	row.cost *= between(0.7, 1.4, rng)
	row.memory *= between(0.7, 1.4, rng)
	row.latency *= between(0.7, 1.5, rng)
	row.errors *= between(0.5, 2, rng)
	s := &service{
		serviceRow: row, src: newSource(w.o.Seed, "service/"+row.name),
		slow: newWander(0.04, 6*time.Hour), fast: newWander(0.02, 8*time.Minute),
		burn: newWander(0.03, 4*time.Minute), wait: newWander(0.06, 6*time.Minute),
		growth: 0.02 * (rng.Float64() - 0.3), heavier: 1,
	}
	s.ask = row.rate * row.cost / float64(row.most) / 0.6
	s.place(rng)
	for range row.least {
		s.pods = append(s.pods, newPod(-rng.IntN(3*dayMinutes), rng))
	}
	s.release = s.nextRelease(w, 0, rng)
	app, kubelet := "app/"+row.name, "kubelet/"+row.name
	s.rate = w.track("requests__"+row.name, "requests", app, rate, row.rate*0.02)
	s.errs = w.track("errors__"+row.name, "errors", app, increase, 1)
	s.lat = w.track("latency__"+row.name, "latency", app, rate, row.latency*0.03)
	s.cpu = w.track("cpu__"+row.name, "cpu", kubelet, rate, row.rate*row.cost*0.02)
	part := 0.02
	if row.collects { // nobody is told by half a tooth
		part = 0.15
	}
	s.mem = w.track("memory__"+row.name, "memory", kubelet, gauge, row.memory*float64(row.least)*part)
	s.replicas = w.track("replicas__"+row.name, "replicas", "kube-state", gauge, 0.7)
	s.restarts = w.track("restarts__"+row.name, "restarts", "kube-state", increase, 0.5)
	s.price = w.track("cost__"+row.name, "cost", "opencost", gauge, 0.06*s.podPrice()*float64(row.least))
	s.up = w.track("up__"+row.name, "up", "prometheus", gauge, 0.1)
	s.rate.odd, s.lat.odd = true, true
	s.newPodTrack(w)
	return s
}

func newPod(born int, rng *rand.Rand) pod {
	return pod{born: born, heap: 0.3 * rng.Float64(), live: 0.25 + 0.1*rng.Float64(), leaked: 0, weight: 0.95 + 0.1*rng.Float64()}
}

// newPodTrack begins the series of the first pod: every release gives it another
// name, so these series come and go.
func (s *service) newPodTrack(w *world) {
	part := 0.03
	if s.collects {
		part = 0.15
	}
	if s.name == "frontend" || s.name == "search" || s.name == "login" {
		w.making = "service/" + s.name
		s.podMem = w.track("podmemory__"+s.name+"-"+string(rune('a'+s.version)), "podmemory", "kubelet/"+s.name, gauge, s.memory*part)
	}
}

// place decides what share of the service each node has: again at every release.
func (s *service) place(rng *rand.Rand) {
	sum := 0.0
	for i := range s.weights {
		s.weights[i] = 0.3 + rng.Float64()
		sum += s.weights[i]
	}
	for i := range s.weights {
		s.weights[i] /= sum
	}
}

// nextRelease is in working hours of a weekday, 0.6 to 1.4 times the usual days away.
func (s *service) nextRelease(w *world, m int, rng *rand.Rand) int {
	day := m/dayMinutes + max(1, int(float64(s.deploys)*(0.6+0.8*rng.Float64())))
	for day < w.o.Days && w.cal.weekend[day] {
		day++
	}
	return day*dayMinutes + 9*60 + rng.IntN(7*60)
}

// podPrice is USD an hour of what a pod requests.
func (s *service) podPrice() float64 { return s.ask*0.032 + s.memory*1.5/1024*0.0043 }

func (s *service) minute(w *world, m int) {
	rng := s.src.at(m)
	e := w.effect("service/"+s.name, m)
	wave := 1 + s.slow.next(rng) + s.fast.next(rng)
	burn, wait := s.burn.next(rng), s.wait.next(rng)
	zCPU, zWait := rng.NormFloat64(), rng.NormFloat64()
	weeks := float64(m) / weekMinutes
	mean := s.serviceRow.rate * s.rhythm.at(m, &w.cal) * (1 + s.growth*weeks) * wave * e.demand
	requests := count(mean*60, rng)
	s.requests = requests / 60
	s.rate.put(s.requests)
	s.deploy(w, m, rng)
	crashes := count(float64(len(s.pods))/(40*dayMinutes)+e.crashes, rng)
	if crashes > 0 {
		s.restart(m, int(crashes), rng)
	}
	if e.over && s.leaking() { // the kernel ended what leaked
		crashes += float64(len(s.pods))
		s.restart(m, len(s.pods), rng)
	}
	s.restarts.put(crashes)

	// CPU: what rests, the requests, and what new pods take to start.
	busy := mean * s.cost * s.heavier * e.cpu
	starting := 0.0
	for i := range s.pods {
		if m-s.pods[i].born < 3 {
			starting += 0.35 * s.ask
		}
	}
	s.used = (busy + 0.03*s.ask*float64(len(s.pods)) + starting) * (1 + burn + 0.012*e.noise*zCPU)
	s.used = max(s.used, 0)
	s.cpu.put(s.used)
	s.utilisation = busy / (s.ask * float64(len(s.pods)))
	s.remember(m, e, mean, rng)
	s.scale(m, e, rng)
	s.replicas.put(float64(len(s.pods)))
	// Spot prices change at midnight by a few percent.
	price := 1 + 0.03*math.Sin(float64(mix(uint64(m/dayMinutes)^s.src.key)%628)/100)
	s.price.put(s.podPrice() * price * float64(len(s.pods)))

	// Latency: a queue before the pods, colder caches after a release, and a
	// percentile of few requests is a noisy one. Of none there is none.
	if requests > 0 {
		load := min(s.utilisation, 0.95)
		cold := 0.0
		for i := range s.pods {
			cold += 0.15 * math.Exp(-float64(max(m-s.pods[i].born, 0))/5) / float64(len(s.pods))
		}
		spread := 0.02 + 0.9/math.Sqrt(requests+4)
		s.lat.put(s.latency * (1 + 0.5*load*load*load/(1-load) + cold) * e.latency * math.Exp(wait+spread*e.noise*zWait))
	}
	failing := s.errors*(1+max(0, s.utilisation-0.85)*4) + e.errors
	s.errs.put(count(requests*failing, rng))
	s.up.up(s.rate.from)
}

// deploy replaces one pod every two minutes once a release is due. A version takes
// a little more CPU or less than the one before.
func (s *service) deploy(w *world, m int, rng *rand.Rand) {
	if m == s.release {
		s.rollout, s.version = len(s.pods), s.version+1
		s.heavier = 1 + 0.05*(2*rng.Float64()-1)
		s.place(rng)
		s.release = s.nextRelease(w, m, rng)
		s.newPodTrack(w)
	}
	if s.rollout > 0 && m%2 == 0 {
		s.rollout--
		s.rollout = min(s.rollout, len(s.pods)-1)
		if s.rollout >= 0 {
			s.pods[s.rollout] = newPod(m, rng)
		}
	}
}

func (s *service) restart(m, n int, rng *rand.Rand) {
	for i := range min(n, len(s.pods)) {
		s.pods[i] = newPod(m, rng)
	}
}

func (s *service) leaking() bool { return s.pods[0].leaked > 0 }

// remember moves the memory of every pod on: caches fill in about a day, a garbage
// collector lets the heap grow with the requests and takes it back at once.
func (s *service) remember(m int, e effect, mean float64, rng *rand.Rand) {
	total := 0.0
	for i := range s.pods {
		p := &s.pods[i]
		p.leaked += e.leak / 60
		v := 0.0
		if s.collects {
			p.heap += 0.035 * (0.3 + 0.7*mean/s.serviceRow.rate*float64(s.least)/float64(len(s.pods))) * p.weight * (0.8 + 0.4*rng.Float64())
			if p.heap > 1 {
				p.heap = p.live
			}
			v = 0.6 + 0.6*p.heap
		} else {
			age := float64(m - p.born)
			v = 0.75 + 0.35*(1-math.Exp(-age/dayMinutes)) + 0.12*s.utilisation + 0.004*rng.NormFloat64()
		}
		v = max(0.1, v+p.leaked) * s.memory * p.weight
		total += v
		if i == 0 && s.podMem != nil {
			s.podMem.put(v)
		}
	}
	s.mem.put(total)
}

// scale keeps about 60 % of what the pods request in use, as the autoscaler does:
// up at once, at most double; down when fewer would have done for ten minutes.
func (s *service) scale(m int, e effect, rng *rand.Rand) {
	least := min(int(math.Round(float64(s.least)*e.pods)), 4*s.most)
	n := len(s.pods)
	want := min(max(int(math.Ceil(float64(n)*s.utilisation/0.6-0.1)), s.least), s.most)
	want = max(want, least)
	switch {
	case want > n:
		s.calm = 0
		for range min(want-n, n) {
			s.pods = append(s.pods, newPod(m, rng))
		}
	case want < n:
		if s.calm++; s.calm >= 10 {
			s.calm = 0
			s.pods = s.pods[:n-1]
		}
	default:
		s.calm = 0
	}
}
