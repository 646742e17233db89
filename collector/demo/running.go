package demo

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	mib = 1 << 20
	kb  = 1000

	rolloutEvery = 2 * time.Minute     // between two pods of a rollout
	startUp      = 2 * time.Minute     // a new pod is busy with itself that long
	startCPU     = 0.06                // cores it takes for that
	crashEvery   = 40 * 24 * time.Hour // between restarts of a container, on average
	warmUp       = 10 * time.Minute    // in which a new pod fills 63 % of its memory
	leakLimit    = 2500                // MiB
	scaleDown    = 15                  // scrapes with less to do before a pod goes
)

// running is a workload with its pods.
type running struct {
	*workload
	on   string // namespace/name
	rng  *rand.Rand
	pods []*pod
	set  string // hash of the ReplicaSet

	slow, fast         wander // of the demand
	cpuNoise, memNoise wander
	netNoise           wander
	load, demand       float64  // demand of this minute, and the one memory follows
	born               int64    // of the first scrape
	deployAt           int64    // of the next release
	rollout            []int    // ordinals that wait to be replaced
	rolled             int64    // when the last one was
	state              metric   // of kube-state-metrics: how many pods it is to have
	scaler             []metric // and of its autoscaler
	idle, placed       int
	jobEnd             int64
}

func newRunning(w *workload, rng *rand.Rand) *running {
	r := &running{
		workload: w, on: w.namespace + "/" + w.name, rng: rng, set: suffix(10, rng),
		slow: newWander(0.03, 6*time.Hour, rng), fast: newWander(0.015, 10*time.Minute, rng),
		cpuNoise: newWander(0.015, 5*time.Minute, rng), memNoise: newWander(0.006, time.Hour, rng), netNoise: newWander(0.02, 5*time.Minute, rng),
		placed: rng.IntN(len(nodes)),
	}
	r.declared()
	return r
}

// declared makes the series of kube-state-metrics.
func (r *running) declared() {
	m := func(name string, more ...string) metric {
		return newMetric(name, append([]string{"namespace", r.namespace, "instance", "kube-state-metrics:8080", "job", "kube-state-metrics"}, more...)...)
	}
	switch r.kind {
	case deployment:
		r.state = m("kube_deployment_spec_replicas", "deployment", r.name)
	case statefulSet:
		r.state = m("kube_statefulset_replicas", "statefulset", r.name)
	case daemonSet:
		r.state = m("kube_daemonset_status_desired_number_scheduled", "daemonset", r.name)
	case cronJob:
		r.state = m("kube_cronjob_info", "cronjob", r.name)
	}
	if r.most > 0 {
		r.scaler = []metric{
			m("kube_horizontalpodautoscaler_info", "horizontalpodautoscaler", r.name, "scaletargetref_kind", "Deployment", "scaletargetref_name", r.name),
			m("kube_horizontalpodautoscaler_spec_target_metric", "horizontalpodautoscaler", r.name, "metric_name", "cpu", "metric_target_type", "utilization"),
			m("kube_horizontalpodautoscaler_spec_min_replicas", "horizontalpodautoscaler", r.name),
			m("kube_horizontalpodautoscaler_spec_max_replicas", "horizontalpodautoscaler", r.name),
		}
	}
}

// declare stores them.
func (r *running) declare(s *scrape) {
	s.set(&r.state, float64(max(r.replicas, len(r.pods))))
	for i := range r.scaler {
		s.set(&r.scaler[i], []float64{1, 60, float64(r.replicas), float64(r.most)}[i])
	}
}

// scrape moves the workload on by one interval and stores its samples.
func (r *running) scrape(s *scrape, c *Cluster, e effect) {
	if r.born == 0 {
		r.born = s.t
		r.planDeploy(s.t)
	}
	weeks := float64(s.t-r.born) / float64(week.Milliseconds())
	r.load = r.shape.at(s.at) * (1 + r.growth*weeks) * (1 + r.slow.next(r.rng) + r.fast.next(r.rng)) * e.demand
	if r.demand == 0 {
		r.demand = r.load
	}
	r.demand += (r.load - r.demand) / 60 // memory follows within an hour or so
	switch {
	case r.kind == cronJob:
		r.runJob(s, e.skip)
	case e.down:
		r.stop(s)
	default:
		r.control(s, c)
	}
	r.measure(s, c, e)
}

// control starts and replaces pods as the controllers of Kubernetes do.
func (r *running) control(s *scrape, c *Cluster) {
	if len(r.pods) == 0 {
		for i := range r.replicas {
			r.start(s.t, i)
		}
	}
	if r.deploys > 0 && s.t >= r.deployAt {
		r.planDeploy(s.t)
		if !c.quiet(r.on, s.t) {
			r.set = suffix(10, r.rng)
			r.rollout = nil
			for _, p := range r.pods {
				r.rollout = append(r.rollout, p.ordinal)
			}
		}
	}
	if len(r.rollout) > 0 && s.t-r.rolled >= rolloutEvery.Milliseconds() {
		if i := slices.IndexFunc(r.pods, func(p *pod) bool { return p.dies == 0 && p.ordinal == r.rollout[0] }); i >= 0 {
			r.replace(s, r.pods[i])
		}
		r.rollout, r.rolled = r.rollout[1:], s.t
	}
	if r.most > 0 && len(r.rollout) == 0 {
		r.scale(s)
	}
	for _, p := range r.pods {
		if r.rng.Float64() < float64(Interval)/float64(crashEvery) && !c.quiet(r.on, s.t) {
			p.restart(false)
		}
	}
}

// quiet reports whether an incident is near that a release or a crash would hide.
func (c *Cluster) quiet(on string, t int64) bool {
	at := time.Duration(t-c.o.Now) * time.Millisecond
	return slices.ContainsFunc(c.incidents, func(in Incident) bool {
		return in.On == on && at > in.Start-12*time.Hour && at < in.End()+12*time.Hour
	})
}

// planDeploy plans the next release for a working hour, 0.6 to 1.4 times the
// usual time from now.
func (r *running) planDeploy(t int64) {
	next := time.UnixMilli(t).UTC().Add(time.Duration(float64(r.deploys) * (0.6 + 0.8*r.rng.Float64())))
	for next.Weekday() == time.Saturday || next.Weekday() == time.Sunday {
		next = next.Add(day)
	}
	next = next.Truncate(day).Add(9*time.Hour + time.Duration(r.rng.IntN(7*60))*time.Minute)
	r.deployAt = max(next.UnixMilli(), t+time.Hour.Milliseconds())
}

// start adds a pod on the next node.
func (r *running) start(t int64, ordinal int) *pod {
	node := ordinal
	if r.kind != daemonSet {
		node = (r.placed + ordinal) % len(nodes)
	}
	p := newPod(r.workload, r.set, ordinal, node, t, r.rng)
	r.pods = append(r.pods, p)
	return p
}

// replace starts the successor of p. Where it has the same name, p is restarted.
func (r *running) replace(s *scrape, p *pod) {
	if r.kind == statefulSet {
		p.restart(true)
		p.born = s.t
		return
	}
	p.dies = s.t // its last seconds fall between two scrapes
	r.start(s.t, p.ordinal)
}

// scale keeps about 60 % of the demand of each pod in use: up at once, down after
// a while.
func (r *running) scale(s *scrape) {
	want := min(max(int(r.load*float64(r.most)*0.8+0.999), r.replicas), r.most)
	alive := len(r.pods)
	switch {
	case want > alive:
		r.idle = 0
		r.start(s.t, alive)
	case want < alive:
		if r.idle++; r.idle > scaleDown {
			r.idle = 0
			last := slices.IndexFunc(r.pods, func(p *pod) bool { return p.ordinal == alive-1 })
			if last >= 0 && r.pods[last].dies == 0 {
				r.pods[last].dies = s.t + Interval.Milliseconds()
			}
		}
	default:
		r.idle = 0
	}
}

// stop ends all pods at once.
func (r *running) stop(s *scrape) {
	for _, p := range r.pods {
		p.end(s)
	}
	r.pods, r.rollout = nil, nil
}

// runJob starts the pod of a job at its hour and ends it when its work is done.
func (r *running) runJob(s *scrape, skip bool) {
	if len(r.pods) > 0 && s.t >= r.jobEnd {
		r.stop(s)
	}
	if s.at.Hour() == r.hour && s.at.Minute() == 0 && len(r.pods) == 0 && !skip {
		r.start(s.t, 0)
		r.placed++
		length := float64(r.cronLength) * (0.95 + 0.1*r.rng.Float64())
		r.jobEnd = s.t + int64(length)*Interval.Milliseconds()
	}
}

// warmth is the share of its memory that p has filled at t. The pods of the first
// scrape, at born, are warm.
func (p *pod) warmth(t, born int64) float64 {
	if p.born == born {
		return 1
	}
	return 1 - 0.6*math.Exp(-float64(t-p.born)/float64(warmUp.Milliseconds()))
}

// measure stores the samples of every pod.
func (r *running) measure(s *scrape, c *Cluster, e effect) {
	cpuNoise, memNoise, netNoise := r.cpuNoise.next(r.rng), r.memNoise.next(r.rng), r.netNoise.next(r.rng)
	total := 0.0
	kept := r.pods[:0]
	for _, p := range r.pods {
		if p.dies != 0 && s.t >= p.dies {
			p.end(s)
			continue
		}
		kept = append(kept, p)
		total += p.weight
	}
	r.pods = kept
	for _, p := range r.pods {
		share := p.weight / total
		cores := (r.cpuRest + r.cpu*r.load*share) * (1 + cpuNoise) * e.cpu
		if age := s.t - p.born; age < startUp.Milliseconds() && s.t > r.born+startUp.Milliseconds() {
			cores += startCPU
		}
		p.leaked += e.leak * Interval.Hours()
		if p.leaked > leakLimit {
			p.restart(false) // the kernel kills what is above its limit
		}
		memory := (r.memRest+r.memory*r.demand*share)*(1+memNoise)*p.warmth(s.t, r.born) + p.leaked
		receive, send := r.receive*r.load*share*(1+netNoise), r.send*r.load*share*(1+netNoise)*e.network
		receive, send = receive+2, send+2 // probes

		s.add(&p.cpu, grain(cores*Interval.Seconds(), 1.0/1024))
		s.set(&p.memory, grain(memory*mib, 1<<16))
		s.add(&p.receive, grain(receive*kb*Interval.Seconds(), 64))
		s.add(&p.send, grain(send*kb*Interval.Seconds(), 64))
		s.set(&p.cpuAsk, grain(max(cores, r.cpuAsk*e.request), 1.0/1024))
		s.set(&p.memAsk, grain(max(memory, r.memAsk*e.request)*mib, 1<<16))
		c.nodes[p.node].use(cores, memory, receive, send)
		if s.state {
			p.declare(s, r.workload, e.request)
		}
	}
	if s.state {
		r.declare(s)
	}
}
