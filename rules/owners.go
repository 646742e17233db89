package rules

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// OwnersQuery selects what PodOwners is made of, from kube-state-metrics.
const OwnersQuery = "kube_pod_owner or kube_replicaset_owner or kube_job_owner"

// PodOwners knows which workloads pods belong to. The zero value knows what follows from
// their names only.
type PodOwners struct {
	pods map[[2]string]owner // by namespace and pod
	next map[owner]owner     // what a ReplicaSet or a Job belongs to
}

// owner is what owns something, in its namespace.
type owner struct{ namespace, kind, name string }

// maxOwners bounds the pods and the controllers that are remembered.
const maxOwners = 200_000

// NewPodOwners returns what the answer to OwnersQuery says: kube_pod_owner,
// kube_replicaset_owner and kube_job_owner. Other series, and owners that are none, are left
// out; so is what is over 200,000.
func NewPodOwners(series []labels.Labels) *PodOwners {
	o := &PodOwners{pods: make(map[[2]string]owner), next: make(map[owner]owner)}
	for _, ls := range series {
		namespace := ls.Get("namespace")
		by := owner{namespace, ls.Get("owner_kind"), ls.Get("owner_name")}
		if by.name == "" || by.name == "<none>" || len(o.pods) >= maxOwners || len(o.next) >= maxOwners {
			continue
		}
		switch ls.Get(model.MetricNameLabel) {
		case "kube_pod_owner":
			o.pods[[2]string{namespace, ls.Get("pod")}] = by
		case "kube_replicaset_owner":
			o.next[owner{namespace, "ReplicaSet", ls.Get("replicaset")}] = by
		case "kube_job_owner":
			o.next[owner{namespace, "Job", ls.Get("job_name")}] = by
		}
	}
	return o
}

// Workload returns the name of the workload of a pod: what owns its owner, its owner, or what
// follows from its name, the first that is known. A static pod, owned by its node, is called after it.
func (o *PodOwners) Workload(namespace, pod string) string {
	by, ok := o.pods[[2]string{namespace, pod}]
	switch {
	case !ok:
		return PodWorkload(pod)
	case by.kind == "Node": // a static pod is named after it
		return PodWorkload(pod)
	}
	if next, ok := o.next[by]; ok {
		return next.name
	}
	if by.kind == "ReplicaSet" || by.kind == "Job" { // theirs is not known: their name says it
		return PodWorkload(pod)
	}
	return by.name
}
