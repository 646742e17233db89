package rules

import (
	"regexp"

	"github.com/prometheus/prometheus/model/labels"
)

// controllers are labels that name what runs pods or serves requests, the most
// telling first.
var controllers = []string{
	"workload", "deployment", "statefulset", "daemonset", "cronjob", "service", "service_name", "app_kubernetes_io_name", "app",
}

// podName splits what its controller added off the name of a pod. Kubernetes'
// suffixes have no vowels; see presets/workloads.yaml.
var podName = regexp.MustCompile(`^(.+?)(-([bcdfghjklmnpqrstvwxz2456789]{6,10}-|[0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?$`)

// Workload identifies the workload that a series is about, by cluster, namespace and
// the name of its controller, which may follow from the name of a pod. ok is false
// if the labels name none.
func Workload(ls labels.Labels) (key string, ok bool) {
	name := ""
	for _, c := range controllers {
		if name = ls.Get(c); name != "" {
			break
		}
	}
	for _, p := range []string{"pod", "pod_name"} {
		if pod := ls.Get(p); name == "" && pod != "" {
			name = PodWorkload(pod)
		}
	}
	if name == "" {
		return "", false
	}
	return ls.Get("cluster") + "\xff" + ls.Get("namespace") + "\xff" + name, true
}

// PodWorkload returns the name of the workload that a pod's name follows from, the name
// itself if nothing was added to it. Where the owner of the pod is known, that is better.
func PodWorkload(pod string) string { return podName.ReplaceAllString(pod, "$1") }
