package recommend

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRemovable(t *testing.T) {
	nodes := []Node{{"a", 4, 16, 0, 0.2}, {"b", 4, 16, 0, 0.2}, {"c", 4, 16, 0, 0.4}}
	pod := func(cpu float64) Pod { return Pod{CPU: cpu, Memory: 1, Daemon: false} }
	// 5 cores need two nodes of 3.6; the dear one goes.
	out := Removable(nodes, []Pod{pod(2), pod(1), pod(1), pod(1)})
	if len(out) != 1 || out[0].Name != "c" {
		t.Errorf("%v, want c", out)
	}
	if out := Removable(nodes, []Pod{pod(3.5), pod(3.5), pod(3.5)}); len(out) != 0 {
		t.Errorf("%v, want none", out)
	}
	if out := Removable(nodes, []Pod{pod(5)}); out != nil {
		t.Errorf("%v of a pod that fits nowhere", out)
	}
	// A daemon of 1 core on each of three nodes leaves 2.6 of each.
	if out := Removable(nodes, []Pod{{CPU: 3, Memory: 0, Daemon: true}, pod(2), pod(2)}); len(out) != 1 {
		t.Errorf("%v with daemons, want one", out)
	}
	if out := Removable(nodes, nil); len(out) != 2 {
		t.Errorf("%d of an empty cluster, want all but one", len(out))
	}
	if Removable(nodes[:1], nil) != nil {
		t.Error("the only node stays")
	}
	// A GPU keeps its node, which is the last to hold what needs none.
	gpu := append(slices.Clone(nodes), Node{"g", 4, 16, 1, 1})
	if out := Removable(gpu, []Pod{pod(1), {CPU: 1, Memory: 1, GPU: 1}}); len(out) != 2 || out[0].Name != "b" || out[1].Name != "c" {
		t.Errorf("%v with a pod on a GPU, want b and c", out)
	}
	if out := Removable(gpu, []Pod{pod(1)}); len(out) != 3 || out[2].Name != "g" {
		t.Errorf("%v, want the GPU to go too", out)
	}
	if out := Removable(gpu, []Pod{{CPU: 1, Memory: 1, GPU: 2}}); out != nil {
		t.Errorf("%v of a pod that asks for more GPUs than a node has", out)
	}
}

// TestCapSavings: for random recommendations the savings of a target are at most its cost, and all at most that of
// the cluster; realisable ones at most potential ones.
func TestCapSavings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		costs := map[Target]float64{}
		var rs []Recommendation
		total := 0.0
		for i := range 5 {
			target := Target{Namespace: "a", Name: string(rune('a' + i))}
			costs[target] = 10 * rng.Float64()
			total += costs[target]
			for range 3 {
				r := New(IdleWorkload, target, "")
				r.Impact.SavingsMonthly, r.Impact.Currency = Number(12*rng.Float64()-1), "USD"
				r.Impact.SavingsRealisable = Number(math.Max(0, *r.Impact.SavingsMonthly) * rng.Float64())
				r.Confidence = rng.Float64()
				rs = append(rs, r)
			}
		}
		total *= rng.Float64() * 1.2
		sum, by := 0.0, map[Target]float64{}
		for _, r := range CapSavings(rs, costs, total) {
			s := *r.Impact.SavingsMonthly
			if *r.Impact.SavingsRealisable > math.Max(s, 0)+1e-12 {
				t.Fatalf("realisable %v of %v", *r.Impact.SavingsRealisable, s)
			}
			sum, by[r.Target] = sum+math.Max(0, s), by[r.Target]+math.Max(0, s)
		}
		if sum > total+1e-9 {
			t.Fatalf("savings %v of %v", sum, total)
		}
		for target, s := range by {
			if s > costs[target]+1e-9 {
				t.Fatalf("savings %v of %v", s, costs[target])
			}
		}
	}
}
