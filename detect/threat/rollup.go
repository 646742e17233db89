package threat

import (
	"cmp"
	"slices"
	"strings"
)

// RollUp returns the risk of each parent, which is the highest of its children: ten
// pods at 30 do not make a workload at risk. parent returns "" for a child without one.
// It is applied again for the next level: pod, workload, namespace.
func RollUp(children map[string]float64, parent func(child string) string) map[string]float64 {
	out := make(map[string]float64)
	for c, v := range children {
		if p := parent(c); p != "" && v > out[p] {
			out[p] = v
		}
	}
	return out
}

// The levels that the risk of pods is rolled up to.
const (
	TypePod       = "pod"
	TypeWorkload  = "workload"
	TypeNamespace = "namespace"
)

// A Place is a workload or a namespace and what its riskiest pod says.
type Place struct {
	EntityType string // workload or namespace
	Pods       int    // with a risk, under it
	Of         string // the pod whose risk it is; of equal ones the first by name
	Accusation        // of that pod; Entity is namespace/workload, or the namespace
}

// RollUpPods returns the risk of workloads and namespaces from that of pods, whose entities
// are namespace/pod: the highest counts, not the sum. workload returns the name of what runs a
// pod, from its owner's labels where they are known or from its name; "" leaves the
// workload out. Pods without a namespace are left out. The riskiest come first, a workload
// before its namespace.
func RollUpPods(pods []Accusation, workload func(namespace, pod string) string) []Place {
	at := make(map[[2]string]*Place)
	add := func(kind, entity string, a Accusation) {
		key := [2]string{kind, entity}
		p := at[key]
		if p == nil {
			p = &Place{EntityType: kind, Pods: 0, Of: a.Entity, Accusation: a}
			at[key] = p
		}
		p.Pods++
		if a.Risk > p.Risk || a.Risk == p.Risk && a.Entity < p.Of {
			p.Of, p.Accusation = a.Entity, a
		}
	}
	for _, a := range pods {
		namespace, pod, ok := strings.Cut(a.Entity, "/")
		if !ok || namespace == "" || pod == "" {
			continue
		}
		if w := workload(namespace, pod); w != "" {
			add(TypeWorkload, namespace+"/"+w, a)
		}
		add(TypeNamespace, namespace, a)
	}
	out := make([]Place, 0, len(at))
	for key, p := range at {
		p.Entity = key[1]
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Place) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), strings.Compare(b.EntityType, a.EntityType), strings.Compare(a.Entity, b.Entity))
	})
	return out
}
