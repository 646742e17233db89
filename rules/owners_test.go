package rules

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
)

func TestPodOwners(t *testing.T) {
	o := NewPodOwners([]labels.Labels{
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "shop", "pod", "cart-7d9f8b6c5d-x2k4p", "owner_kind", "ReplicaSet", "owner_name", "cart-7d9f8b6c5d"),
		labels.FromStrings("__name__", "kube_replicaset_owner", "namespace", "shop", "replicaset", "cart-7d9f8b6c5d", "owner_kind", "Deployment", "owner_name", "shopping-cart"),
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "shop", "pod", "db-0", "owner_kind", "StatefulSet", "owner_name", "postgres"),
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "ops", "pod", "backup-28405320-x2k4p", "owner_kind", "Job", "owner_name", "backup-28405320"),
		labels.FromStrings("__name__", "kube_job_owner", "namespace", "ops", "job_name", "backup-28405320", "owner_kind", "CronJob", "owner_name", "nightly"),
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "shop", "pod", "lone", "owner_kind", "<none>", "owner_name", "<none>"),
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "shop", "pod", "web-7d9f8b6c5d-x2k4p", "owner_kind", "ReplicaSet", "owner_name", "web-7d9f8b6c5d"),
		labels.FromStrings("__name__", "kube_pod_owner", "namespace", "kube-system", "pod", "etcd-node-1", "owner_kind", "Node", "owner_name", "node-1"),
		labels.FromStrings("__name__", "up"),
	})
	for _, c := range [][3]string{
		{"shop", "cart-7d9f8b6c5d-x2k4p", "shopping-cart"},
		{"other", "cart-7d9f8b6c5d-x2k4p", "cart"}, // not known there
		{"shop", "db-0", "postgres"},
		{"ops", "backup-28405320-x2k4p", "nightly"},
		{"shop", "lone", "lone"},
		{"shop", "web-7d9f8b6c5d-x2k4p", "web"}, // its ReplicaSet's owner is not known
		{"kube-system", "etcd-node-1", "etcd-node"},
		{"shop", "unknown-0", "unknown"},
	} {
		if got := o.Workload(c[0], c[1]); got != c[2] {
			t.Errorf("%s/%s is of %q, want %q", c[0], c[1], got, c[2])
		}
	}
	if got := new(PodOwners).Workload("shop", "cart-7d9f8b6c5d-x2k4p"); got != "cart" {
		t.Errorf("by name: %q", got)
	}
}
