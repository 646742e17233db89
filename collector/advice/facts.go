package advice

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/rules/recommend"
)

// The inputs that are asked at the end of a pass.
const (
	factPods = "sizing_pods"
)

// facts is what is set and what it costs, as of the end of a pass. What is not known is in no
// map.
type facts struct {
	kube                                                                       bool // kube-state-metrics is there
	pods                                                                       map[string][]string
	cpuRequest, cpuLimit, memoryRequest, memoryLimit, meanReplicas, heap, rest map[string]float64    // by container
	hpa                                                                        map[string]autoscaler // by workload
	hpaMemory, vpa                                                             map[string]float64
	quotaCPU, quotaMemory                                                      map[string]float64 // left, by namespace
	kinds                                                                      map[string]string  // by workload; "" if it is of two
	inPlace                                                                    map[string]bool    // by cluster
	prices                                                                     map[string]price
	configured                                                                 price
	nodes                                                                      map[string][]recommend.Node
	workloads                                                                  map[string]*asked // by workload
	left                                                                       map[recommend.Target]float64
	total                                                                      float64
}

// asked is what the pods of a workload request.
type asked struct {
	cluster  string
	replicas int
	cpu, mem float64 // of one pod: cores, bytes
	gpu      float64
	daemon   bool
}

// autoscaler is one that looks at CPU.
type autoscaler struct {
	name   string
	target float64 // of the request; NaN: none of CPU
	others bool    // it looks at something else too
}

// price is that of a cluster, an hour; source is "" if nothing is known.
type price struct {
	cpu, memory, gpu float64 // a core, a GiB, a GPU; of GPUs as configured, for where OpenCost has no price of the node
	currency, source string
}

// factsOf reads the answers. saved are the results of the task of costs: if they are waited for, nobody
// knows what is left to save, and there are no prices.
func factsOf(in pipeline.Input, p Prices, saved []series.Result, wait bool) *facts {
	all := func(name string) []series.Series { return in.Series[name].Series }
	by := func(name string, labels ...string) map[string]float64 { return byLabels(all(name), in.End, labels...) }
	f := &facts{
		pods:       map[string][]string{},
		cpuRequest: by("sizing_cpu_request", byContainer...), cpuLimit: by("sizing_cpu_limit", byContainer...),
		memoryRequest: by("sizing_memory_request", byContainer...), memoryLimit: by("sizing_memory_limit", byContainer...),
		meanReplicas: by("sizing_replicas", byContainer...), heap: by("sizing_heap", byContainer...), rest: by("sizing_nonheap", byContainer...),
		hpa: map[string]autoscaler{}, hpaMemory: by("sizing_hpa_memory", byWorkload...), vpa: by("sizing_vpa", byWorkload...),
		kinds: map[string]string{}, inPlace: map[string]bool{}, prices: map[string]price{}, nodes: map[string][]recommend.Node{}, workloads: map[string]*asked{},
		configured: price{cpu: p.CPUHour, memory: p.MemoryGiBHour, gpu: p.GPUHour, currency: p.Currency, source: "config"},
	}
	for _, s := range all(factPods) {
		if !math.IsNaN(last(s, in.End)) {
			k := key(s.Labels, byContainer...)
			f.pods[k] = append(f.pods[k], s.Labels.Get("pod"))
		}
	}
	for _, pods := range f.pods {
		slices.Sort(pods)
	}
	f.kube = len(f.pods) > 0 || len(f.cpuRequest) > 0 || len(f.memoryRequest) > 0
	f.autoscalers(in)
	f.quotaCPU, f.quotaMemory = quotas(all("sizing_quota"), in.End)
	for _, s := range all("sizing_target") {
		k, kind := key(s.Labels, byWorkload...), s.Labels.Get("owner_kind")
		if math.IsNaN(last(s, in.End)) {
			continue
		}
		if was, ok := f.kinds[k]; ok && was != kind {
			kind = ""
		}
		f.kinds[k] = kind
	}
	for _, s := range all("sizing_kubelet") {
		if math.IsNaN(last(s, in.End)) {
			continue
		}
		c := s.Labels.Get("cluster")
		was, ok := f.inPlace[c]
		f.inPlace[c] = (was || !ok) && atLeast(s.Labels.Get("kubelet_version"), 1, 33)
	}
	memory := by("sizing_memory_price", "cluster")
	for k, cpu := range by("sizing_cpu_price", "cluster") {
		if m, ok := memory[k]; ok {
			f.prices[k] = price{cpu: cpu, memory: m, gpu: p.GPUHour, currency: p.Currency, source: "opencost"}
		}
	}
	f.requested(in)
	f.machines(in)
	f.costs(in, saved)
	if wait {
		f.prices, f.configured = nil, price{cpu: math.NaN(), memory: math.NaN(), gpu: math.NaN(), currency: "", source: ""}
	}
	return f
}

func (f *facts) autoscalers(in pipeline.Input) {
	names := []string{"cluster", "namespace", "horizontalpodautoscaler"}
	metrics := byLabels(in.Series["sizing_hpa_metrics"].Series, in.End, names...)
	for _, s := range in.Series["sizing_hpa_cpu"].Series {
		if v := last(s, in.End); v > 0 {
			f.hpa[key(s.Labels, byWorkload...)] = autoscaler{name: s.Labels.Get("horizontalpodautoscaler"), target: v, others: metrics[key(s.Labels, names...)] > 1}
		}
	}
}

// quotas returns what is left of CPU and memory by namespace; the smallest of several.
func quotas(all []series.Series, end int64) (cpu, memory map[string]float64) {
	cpu, memory = map[string]float64{}, map[string]float64{}
	for _, s := range all {
		v := last(s, end)
		if math.IsNaN(v) {
			continue
		}
		to := cpu
		if strings.HasSuffix(s.Labels.Get("resource"), "memory") {
			to = memory
		}
		k := key(s.Labels, "cluster", "namespace")
		if was, ok := to[k]; !ok || v < was {
			to[k] = v
		}
	}
	return cpu, memory
}

// target names what a container belongs to. Where the workload of that name is not known, or two
// are, its kind is Workload, which nothing can be patched of.
func (f *facts) target(ls labels.Labels) recommend.Target {
	t := recommend.Target{Cluster: ls.Get("cluster"), Namespace: ls.Get("namespace"), Kind: f.kinds[key(ls, byWorkload...)], Name: ls.Get("workload"), Container: ls.Get("container")}
	if t.Kind == "" {
		t.Kind = recommend.AnyWorkload
	}
	return t
}

// replicas returns how many there are, on average over a day; of now where that is not known.
func (f *facts) replicas(container string) float64 {
	if v, ok := f.meanReplicas[container]; ok {
		return v
	}
	if n := len(f.pods[container]); n > 0 {
		return float64(n)
	}
	return math.NaN()
}

func (f *facts) price(cluster string) price {
	if p, ok := f.prices[key(labels.FromStrings("cluster", cluster), "cluster")]; ok {
		return p
	}
	return f.configured
}

// requested adds up what a pod of each workload requests.
func (f *facts) requested(in pipeline.Input) {
	add := func(name string, to func(*asked) *float64) {
		for _, s := range in.Series[name].Series {
			v := last(s, in.End)
			n := len(f.pods[key(s.Labels, byContainer...)])
			if math.IsNaN(v) || n == 0 {
				continue
			}
			k := key(s.Labels, byWorkload...)
			w := f.workloads[k]
			if w == nil {
				w = &asked{cluster: s.Labels.Get("cluster"), replicas: 0, cpu: 0, mem: 0, gpu: 0, daemon: f.kinds[k] == "DaemonSet"}
				f.workloads[k] = w
			}
			*to(w) += v
			w.replicas = max(w.replicas, n)
		}
	}
	add("sizing_cpu_request", func(w *asked) *float64 { return &w.cpu })
	add("sizing_memory_request", func(w *asked) *float64 { return &w.mem })
	add("sizing_gpu_request", func(w *asked) *float64 { return &w.gpu })
}

func (f *facts) machines(in pipeline.Input) {
	memory := byLabels(in.Series["sizing_node_memory"].Series, in.End, "cluster", "node")
	cost := byLabels(in.Series["sizing_node_cost"].Series, in.End, "cluster", "node")
	gpus := byLabels(in.Series["sizing_node_gpu"].Series, in.End, "cluster", "node")
	for _, s := range in.Series["sizing_node_cpu"].Series {
		k := key(s.Labels, "cluster", "node")
		cpu, bytes := last(s, in.End), value(memory, k)
		if math.IsNaN(cpu) || math.IsNaN(bytes) {
			continue
		}
		p := f.price(s.Labels.Get("cluster"))
		c := value(cost, k)
		if math.IsNaN(c) {
			c = cpu*p.cpu + bytes/(1<<30)*p.memory + gpus[k]*p.gpu
		}
		cluster := s.Labels.Get("cluster")
		f.nodes[cluster] = append(f.nodes[cluster], recommend.Node{Name: s.Labels.Get("node"), CPU: cpu, Memory: bytes, GPU: gpus[k], Cost: c})
	}
}

// costs says what each workload and the cluster cost a month, less what other recommendations save of it.
func (f *facts) costs(in pipeline.Input, saved []series.Result) {
	f.left, f.total = map[recommend.Target]float64{}, 0
	target := func(ls labels.Labels) recommend.Target {
		t := f.target(ls)
		t.Container = ""
		return t
	}
	for _, s := range in.Series["sizing_cost"].Series {
		if v := last(s, in.End); v > 0 {
			f.left[target(s.Labels)] = v * recommend.HoursPerMonth
		}
	}
	known := len(f.left) > 0
	for _, name := range []string{"sizing_cpu_request", "sizing_memory_request", "sizing_gpu_request"} {
		for _, s := range in.Series[name].Series {
			t, v := target(s.Labels), last(s, in.End)
			if known || math.IsNaN(v) {
				continue
			}
			p := f.price(t.Cluster)
			each := v * p.cpu
			switch name {
			case "sizing_memory_request":
				each = v / (1 << 30) * p.memory
			case "sizing_gpu_request":
				each = v * p.gpu
			}
			if n := f.replicas(key(s.Labels, byContainer...)); n > 0 {
				each *= n
			}
			f.left[t] += each * recommend.HoursPerMonth
		}
	}
	for _, t := range slices.SortedFunc(maps.Keys(f.left), compareTargets) {
		f.total += f.left[t]
	}
	nodes := 0.0
	for _, k := range slices.Sorted(maps.Keys(f.nodes)) {
		for _, n := range f.nodes[k] {
			nodes += n.Cost * recommend.HoursPerMonth
		}
	}
	if nodes > 0 {
		f.total = nodes
	}
	for _, r := range saved {
		if r.Plan == nil || r.Plan.Advice == nil {
			continue
		}
		a := r.Plan.Advice
		if a.State != string(recommend.StateOpen) || !(a.Savings > 0) {
			continue
		}
		f.total = max(0, f.total-a.Savings)
		t := target(r.Labels)
		if v, ok := f.left[t]; ok {
			f.left[t] = max(0, v-a.Savings)
		}
	}
}

// realisable says of savings what whole nodes make real that can go: those that hold nothing when the pods
// are packed with the new requests and do hold something with the old ones,
//
//	realisable = savings · min(1, cost of these nodes / Σ savings)
//
// by cluster. Where nodes are not known it is not known.
func (f *facts) realisable(rs []recommend.Recommendation) {
	saves := map[string]float64{}
	change := map[string][2]float64{} // by workload: cores and bytes of a pod
	for _, r := range rs {
		if r.State != recommend.StateOpen {
			continue
		}
		if s := r.Impact.SavingsMonthly; s != nil && *s > 0 {
			saves[r.Target.Cluster] += *s
		}
		k := key(labels.FromStrings("cluster", r.Target.Cluster, "namespace", r.Target.Namespace, "workload", r.Target.Name), byWorkload...)
		d := change[k]
		for i, of := range []recommend.Resource{recommend.CPURequest, recommend.MemoryRequest} {
			if v, ok := r.Recommended[of]; ok {
				d[i] += v - r.Current[of]
			}
		}
		change[k] = d
	}
	share := map[string]float64{}
	for cluster, sum := range saves {
		nodes := f.nodes[cluster]
		if len(nodes) == 0 || sum <= 0 {
			continue
		}
		var before, after []recommend.Pod
		for _, k := range slices.Sorted(maps.Keys(f.workloads)) {
			w := f.workloads[k]
			if w.cluster != cluster {
				continue
			}
			for range w.replicas {
				before = append(before, recommend.Pod{CPU: w.cpu, Memory: w.mem, GPU: w.gpu, Daemon: w.daemon})
				after = append(after, recommend.Pod{CPU: max(0, w.cpu+change[k][0]), Memory: max(0, w.mem+change[k][1]), GPU: w.gpu, Daemon: w.daemon})
			}
		}
		freed := monthly(recommend.Removable(nodes, after)) - monthly(recommend.Removable(nodes, before))
		share[cluster] = min(1, max(0, freed)/sum)
	}
	for i := range rs {
		s := rs[i].Impact.SavingsMonthly
		v, ok := share[rs[i].Target.Cluster]
		if s == nil || !ok || rs[i].State != recommend.StateOpen || *s <= 0 || math.IsNaN(v) {
			continue
		}
		rs[i].Impact.SavingsRealisable = recommend.Number(v * *s)
	}
}

func monthly(nodes []recommend.Node) float64 {
	sum := 0.0
	for _, n := range nodes {
		sum += n.Cost * recommend.HoursPerMonth
	}
	return sum
}

// capacityOf returns the memory of a recommendation as a limit that is used up.
func capacityOf(r recommend.Recommendation) capacity.Estimate {
	nan := math.NaN()
	e := capacity.Estimate{Used: nan, Limit: nan, Median: nan, Lower: nan, Upper: nan, Growth: nan}
	if v, ok := r.Current[recommend.MemoryLimit]; ok {
		e.Limit = v
	}
	return e
}
