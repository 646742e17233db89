package recommend

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Node is one machine.
type Node struct {
	Name        string
	CPU, Memory float64 // allocatable: cores, bytes
	GPU         float64 // allocatable
	Cost        float64 // an hour; NaN if unknown
}

// Pod is what one pod requests.
type Pod struct {
	CPU, Memory float64 // cores, bytes
	GPU         float64
	Daemon      bool // one on every node
}

// packRoom is how full a node may be packed: rollouts and moves need room.
const packRoom = 0.9

// Removable returns the nodes that could go if pods were packed anew, first-fit decreasing: the
// pods, the largest first, each into the first node that has room, the cheapest nodes for their size
// first, those with GPUs last. Each node keeps a tenth of its CPU and memory, and what daemons take. Anti-affinity,
// taints and zones are not looked at, so that this is an upper bound. It returns nil if the pods do not fit as they
// are. O(pods · nodes).
func Removable(nodes []Node, pods []Pod) []Node {
	if len(nodes) < 2 {
		return nil
	}
	nodes = slices.Clone(nodes)
	slices.SortStableFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(min(a.GPU, 1), min(b.GPU, 1)), cmp.Compare(perSize(a), perSize(b)), cmp.Compare(b.CPU, a.CPU), cmp.Compare(a.Name, b.Name))
	})
	daemon := Pod{}
	var rest []Pod
	for _, p := range pods {
		if p.Daemon {
			daemon.CPU += p.CPU / float64(len(nodes))
			daemon.Memory += p.Memory / float64(len(nodes))
		} else {
			rest = append(rest, p)
		}
	}
	var cpu, memory float64
	for _, n := range nodes {
		cpu, memory = cpu+n.CPU, memory+n.Memory
	}
	size := func(p Pod) float64 { return max(p.CPU/cpu, p.Memory/memory) }
	// Those with GPUs first: they have the fewest places.
	slices.SortStableFunc(rest, func(a, b Pod) int { return cmp.Or(cmp.Compare(b.GPU, a.GPU), cmp.Compare(size(b), size(a))) })
	free := make([]Pod, len(nodes))
	used := make([]bool, len(nodes))
	for i, n := range nodes {
		free[i] = Pod{CPU: packRoom*n.CPU - daemon.CPU, Memory: packRoom*n.Memory - daemon.Memory, GPU: n.GPU, Daemon: false}
	}
	for _, p := range rest {
		i := slices.IndexFunc(free, func(f Pod) bool { return p.CPU <= f.CPU && p.Memory <= f.Memory && p.GPU <= f.GPU })
		if i < 0 {
			return nil
		}
		free[i].CPU, free[i].Memory, free[i].GPU, used[i] = free[i].CPU-p.CPU, free[i].Memory-p.Memory, free[i].GPU-p.GPU, true
	}
	var out []Node
	for i, n := range nodes {
		if !used[i] {
			out = append(out, n)
		}
	}
	if len(out) == len(nodes) {
		out = out[1:]
	}
	return out
}

// perSize is what a core and its share of memory cost.
func perSize(n Node) float64 {
	if math.IsNaN(n.Cost) || n.CPU <= 0 {
		return 0
	}
	return n.Cost / n.CPU
}

// FewerNodes says that what is requested fits on fewer nodes.
func FewerNodes(cluster string, nodes []Node, pods []Pod, currency, source string, slot int64) *Recommendation {
	out := Removable(nodes, pods)
	if len(out) == 0 || len(pods) == 0 {
		return nil
	}
	name := cluster
	if name == "" {
		name = "default"
	}
	r := New(NodePacking, Target{Cluster: cluster, Kind: "Cluster", Name: name}, "")
	r.Action = fmt.Sprintf("Run %d nodes instead of %d: what the pods request fits", len(nodes)-len(out), len(nodes))
	r.Current[NodeCount], r.Recommended[NodeCount] = float64(len(nodes)), float64(len(nodes)-len(out))
	monthly := 0.0
	names := make([]string, len(out))
	for i, n := range out {
		monthly += n.Cost * HoursPerMonth
		names[i] = n.Name
	}
	r.Reasons = []string{fmt.Sprintf("packed first-fit decreasing with a tenth of every node left free, nothing is left for %v", names)}
	r.Steps = []string{
		"Let the cluster autoscaler or Karpenter do it (consolidation), or drain them one by one: kubectl drain NODE --ignore-daemonsets.",
		"Anti-affinity, zones, taints and local volumes were not looked at; a drain that does not end shows them.",
	}
	r.Rollback = []string{"kubectl uncordon NODE, or let the autoscaler add one."}
	r.Impact.Performance = "less room for bursts and for the loss of a node"
	r.Risk.Level, r.Impact.RiskLevel, r.Risk.Effort = Medium, Medium, EffortRestart
	r.SetConfidence(Part{"packing", 0.75, "constraints of scheduling are not known"})
	w := Workload{Currency: currency, PriceSource: source}
	w.price(&r, monthly)
	r.Impact.SavingsRealisable = r.Impact.SavingsMonthly
	r.ExpiresAt = float64(slot)/1000 + (24 * time.Hour).Seconds()
	return &r
}
