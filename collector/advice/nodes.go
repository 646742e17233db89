package advice

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/rules/recommend"
)

// machines are nodes and what the pods on them ask for, by cluster.
type machines struct {
	nodes map[string][]recommend.Node
	pods  map[string][]placed
	total float64 // what the nodes cost a month; NaN if unknown
}

// placed is a pod and its workload; "" where the answer does not say.
type placed struct {
	recommend.Pod
	workload string // key by byWorkload
}

func machinesOf(in Input, p Prices) machines {
	out := machines{nodes: map[string][]recommend.Node{}, pods: map[string][]placed{}, total: 0}
	cost := byLabels(in.all("node_cost"), in.End, "cluster", "node")
	memory, gpus := byLabels(in.all("node_memory"), in.End, "cluster", "node"), byLabels(in.all("node_gpu"), in.End, "cluster", "node")
	for _, k := range slices.Sorted(maps.Keys(cost)) {
		out.total += cost[k] * recommend.HoursPerMonth
	}
	if len(cost) == 0 {
		out.total = math.NaN()
	}
	for _, n := range in.all("node_cpu") {
		k := key(n.Labels, "cluster", "node")
		cpu, bytes := last(n, in.End), value(memory, k)
		if math.IsNaN(cpu) || math.IsNaN(bytes) {
			continue
		}
		c, ok := cost[k]
		if !ok {
			c = cpu*p.CPUHour + bytes/(1<<30)*p.MemoryGiBHour + gpus[k]*p.GPUHour
			if len(cost) == 0 {
				out.total = orZero(out.total) + c*recommend.HoursPerMonth
			}
		}
		cluster := n.Labels.Get("cluster")
		out.nodes[cluster] = append(out.nodes[cluster], recommend.Node{Name: n.Labels.Get("node"), CPU: cpu, Memory: bytes, GPU: gpus[k], Cost: c})
	}
	bytes := byLabels(in.all("pod_memory_request"), in.End, "cluster", "namespace", "pod")
	asked := byLabels(in.all("pod_gpu_request"), in.End, "cluster", "namespace", "pod")
	daemon := byLabels(in.all("pod_daemon"), in.End, "cluster", "namespace", "pod")
	known := map[string]bool{}
	pod := func(ls labels.Labels, k string, cores float64) {
		cluster, workload := ls.Get("cluster"), ""
		if ls.Has("workload") {
			workload = key(ls, byWorkload...)
		}
		known[k] = true
		out.pods[cluster] = append(out.pods[cluster], placed{recommend.Pod{CPU: cores, Memory: orZero(value(bytes, k)), GPU: orZero(value(asked, k)), Daemon: there(daemon, k)}, workload})
	}
	for _, c := range in.all("pod_cpu_request") {
		if v := last(c, in.End); !math.IsNaN(v) {
			pod(c.Labels, key(c.Labels, "cluster", "namespace", "pod"), v)
		}
	}
	// Pods that request no CPU hold their node too, above all those on GPUs.
	for _, c := range slices.Concat(in.all("pod_memory_request"), in.all("pod_gpu_request")) {
		if k := key(c.Labels, "cluster", "namespace", "pod"); !known[k] && !math.IsNaN(last(c, in.End)) {
			pod(c.Labels, k, 0)
		}
	}
	return out
}

// nodes says where what is requested fits on fewer nodes.
func (s *Said) nodes(in Input, p Prices, m machines, source string) {
	for _, cluster := range slices.Sorted(maps.Keys(m.nodes)) {
		from := source
		if len(in.all("node_cost")) == 0 {
			from = "config"
		}
		pods := make([]recommend.Pod, len(m.pods[cluster]))
		for i, x := range m.pods[cluster] {
			pods[i] = x.Pod
		}
		if r := recommend.FewerNodes(cluster, m.nodes[cluster], pods, p.Currency, from, in.Slot); r != nil {
			s.Recommendations = append(s.Recommendations, *r)
		}
	}
}

// leaving is a recommendation that takes pods away in some hours of the day.
type leaving struct {
	at       int // in Said.Recommendations
	workload string
	keeps    int // pods that stay in those hours
	hours    [24]bool
	worth    float64 // of the saving, an hour of the day that it is in force
}

// realisable says of idle workloads, GPUs given back and quiet hours what whole nodes make real that can go. For every hour of
// the day the pods are packed with and without those that are away then:
//
//	realisable = Σ over hours: s(h) · min(1, freed(h) / Σ s(h))
//
// with s(h) what a recommendation saves in that hour of each day, in a month, and freed(h) the price of the nodes that
// hold nothing without these pods and something with them. Without nodes, their prices or the workloads of pods it
// is not known. O(24 · pods · nodes) where each hour differs.
func (s *Said) realisable(m machines) {
	for cluster, nodes := range m.nodes {
		all := s.leaving(cluster)
		if len(all) == 0 || !slices.ContainsFunc(m.pods[cluster], func(p placed) bool { return p.workload != "" }) {
			continue
		}
		freed := map[string]float64{} // by who is away
		before := monthly(recommend.Removable(nodes, without(m.pods[cluster], nil)))
		real := make([]float64, len(all))
		for h := range 24 {
			away, names, sum := map[string]int{}, []string{}, 0.0
			for _, l := range all {
				if !l.hours[h] {
					continue
				}
				sum += l.worth
				if keeps, ok := away[l.workload]; !ok || l.keeps < keeps {
					away[l.workload] = l.keeps
				}
				names = append(names, fmt.Sprint(l.at))
			}
			if sum <= 0 {
				continue
			}
			who := strings.Join(names, " ")
			free, ok := freed[who]
			if !ok {
				free = max(0, monthly(recommend.Removable(nodes, without(m.pods[cluster], away)))-before)
				freed[who] = free
			}
			for i, l := range all {
				if l.hours[h] {
					real[i] += l.worth * min(1, free/24/sum)
				}
			}
		}
		for i, l := range all {
			impact := &s.Recommendations[l.at].Impact
			if v := recommend.Number(real[i]); v != nil {
				impact.SavingsRealisable = recommend.Number(min(*v, *impact.SavingsMonthly))
			}
		}
	}
}

// leaving returns the open recommendations of a cluster that take all pods but some away and have a saving.
func (s *Said) leaving(cluster string) (out []leaving) {
	for i, r := range s.Recommendations {
		saves := r.Impact.SavingsMonthly
		if r.Target.Cluster != cluster || r.State != recommend.StateOpen || saves == nil || !(*saves > 0) {
			continue
		}
		l := leaving{at: i, workload: workloadKey(r.Target), keeps: 0, hours: [24]bool{}, worth: 0}
		n := 0
		switch {
		case r.Kind == recommend.OffHours:
			l.keeps = 1
			for _, stretch := range r.Schedule {
				for h := stretch.From; h < stretch.To && stretch.Replicas == 1; h++ {
					l.hours[h] = true
					n++
				}
			}
		case r.Kind == recommend.IdleWorkload, r.Kind == recommend.GPUUnderused && gaveBack(r):
			for h := range l.hours {
				l.hours[h] = true
			}
			n = 24
		}
		if n > 0 {
			l.worth = *saves / float64(n)
			out = append(out, l)
		}
	}
	return out
}

// gaveBack reports whether r is to need no GPU any more.
func gaveBack(r recommend.Recommendation) bool {
	n, ok := r.Recommended[recommend.GPURequest]
	return ok && n == 0
}

// without returns pods less those of the workloads that are away, of which so many stay.
func without(pods []placed, away map[string]int) []recommend.Pod {
	out, stay := make([]recommend.Pod, 0, len(pods)), maps.Clone(away)
	for _, p := range pods {
		if left, ok := stay[p.workload]; ok && p.workload != "" {
			if left == 0 {
				continue
			}
			stay[p.workload] = left - 1
		}
		out = append(out, p.Pod)
	}
	return out
}
