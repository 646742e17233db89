package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// suffixLetters are those that Kubernetes makes the endings of names of: no vowels, so
// that they are no words.
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789"

func suffix(n int, rng *rand.Rand) string {
	var b strings.Builder
	for range n {
		b.WriteByte(suffixLetters[rng.IntN(len(suffixLetters))])
	}
	return b.String()
}

// pod is one pod with one container, and its series.
type pod struct {
	born    int64 // Unix milliseconds
	dies    int64 // 0: not yet known
	ordinal int
	node    int
	weight  float64 // share of the work, around 1
	leaked  float64 // MiB

	cpu, memory, receive, send, cpuAsk, memAsk metric
	state                                      [4]metric // of kube-state-metrics: there it is, what it requests, and its memory limit
}

// newPod returns a pod of w with its name made as its controller makes it. set
// is the hash of its ReplicaSet.
func newPod(w *workload, set string, ordinal, node int, t int64, rng *rand.Rand) *pod {
	name := ""
	switch w.kind {
	case deployment:
		name = w.name + "-" + set + "-" + suffix(5, rng)
	case statefulSet:
		name = fmt.Sprintf("%s-%d", w.name, ordinal)
	case daemonSet:
		name = w.name + "-" + suffix(5, rng)
	case cronJob:
		name = fmt.Sprintf("%s-%d-%s", w.name, t/60_000, suffix(5, rng))
	}
	on := nodes[node].name
	kubelet := func(metric string, more ...string) metricLabels {
		return append(metricLabels{metric, "namespace", w.namespace, "pod", name, "node", on, "instance", on + ":10250", "job", "kubelet", "metrics_path", "/metrics/cadvisor"}, more...)
	}
	opencost := func(metric string) metricLabels {
		return metricLabels{metric, "namespace", w.namespace, "pod", name, "container", w.name, "node", on, "instance", "opencost:9003", "job", "opencost"}
	}
	state := func(of string, more ...string) metric {
		return append(metricLabels{of, "namespace", w.namespace, "pod", name, "container", w.name, "instance", "kube-state-metrics:8080", "job", "kube-state-metrics"}, more...).metric()
	}
	return &pod{
		state: [4]metric{
			state("kube_pod_container_info", "image", "registry.example/"+w.name),
			state("kube_pod_container_resource_requests", "node", on, "resource", "cpu", "unit", "core"),
			state("kube_pod_container_resource_requests", "node", on, "resource", "memory", "unit", "byte"),
			state("kube_pod_container_resource_limits", "node", on, "resource", "memory", "unit", "byte"),
		},
		born: t, ordinal: ordinal, node: node, weight: 0.94 + 0.12*rng.Float64(),
		cpu:     kubelet("container_cpu_usage_seconds_total", "container", w.name, "cpu", "total").metric(),
		memory:  kubelet("container_memory_working_set_bytes", "container", w.name).metric(),
		receive: kubelet("container_network_receive_bytes_total", "interface", "eth0").metric(),
		send:    kubelet("container_network_transmit_bytes_total", "interface", "eth0").metric(),
		cpuAsk:  opencost("container_cpu_allocation").metric(),
		memAsk:  opencost("container_memory_allocation_bytes").metric(),
	}
}

// metricLabels are a name and pairs of label names and values.
type metricLabels []string

func (m metricLabels) metric() metric { return newMetric(m[0], m[1:]...) }

// end ends the series of p.
func (p *pod) end(s *scrape) {
	for _, m := range []*metric{&p.cpu, &p.memory, &p.receive, &p.send, &p.cpuAsk, &p.memAsk} {
		s.end(m)
	}
	for i := range p.state {
		s.end(&p.state[i])
	}
}

// declare stores what kube-state-metrics says of p.
func (p *pod) declare(s *scrape, w *workload, request float64) {
	limit := max(1.5*w.memAsk, leakLimit)
	if w.memAsk < leakLimit/3 {
		limit = 3 * w.memAsk
	}
	for i, v := range []float64{1, w.cpuAsk * request, w.memAsk * request * mib, limit * mib} {
		s.set(&p.state[i], v)
	}
}

// restart sets the counters of the container to zero, those of the network with
// them when the whole pod is new.
func (p *pod) restart(whole bool) {
	p.cpu.value, p.leaked = 0, 0
	if whole {
		p.receive.value, p.send.value = 0, 0
	}
}
