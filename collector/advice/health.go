package advice

import (
	"context"
	"math"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/rules/recommend"
)

var byContainer = []string{"cluster", "namespace", "workload", "container"}

// Health finds what is slow, killed, at its maximum or open to abuse.
func Health(ctx context.Context, in Input) (Said, error) {
	var out Said
	add := func(r *recommend.Recommendation) {
		if r != nil {
			out.Recommendations = append(out.Recommendations, *r)
		}
	}
	for _, s := range in.all("throttled") {
		add(recommend.CPUThrottled(containerOf(s.Labels), s, in.Slot))
	}
	for _, s := range in.all("oom_kills") {
		add(recommend.KilledForMemory(containerOf(s.Labels), s, in.Slot))
	}
	names := []string{"cluster", "namespace", "horizontalpodautoscaler"}
	most := byLabels(in.all("hpa_max"), in.End, names...)
	for _, s := range in.all("hpa_replicas") {
		t := recommend.Target{Cluster: s.Labels.Get("cluster"), Namespace: s.Labels.Get("namespace"), Kind: "HorizontalPodAutoscaler", Name: s.Labels.Get("horizontalpodautoscaler"), Container: ""}
		add(recommend.AutoscalerAtMax(t, s, value(most, key(s.Labels, names...)), in.Slot))
	}
	requests := byLabels(in.all("container_cpu_request"), in.End, byContainer...)
	for _, s := range in.all("container_cpu") {
		add(recommend.RequestBelowUse(containerOf(s.Labels), s, value(requests, key(s.Labels, byContainer...)), in.Slot))
	}
	limits := byLabels(in.all("container_memory_limit"), in.End, byContainer...)
	for _, s := range in.all("containers") {
		if !math.IsNaN(last(s, in.End)) && !there(limits, key(s.Labels, byContainer...)) {
			r := recommend.NoLimit(containerOf(s.Labels), in.Slot)
			add(&r)
		}
	}
	for _, s := range in.all("policy_failures") {
		add(recommend.FailingPolicy(s.Labels.Get("cluster"), s.Labels.Get("policy_name"), s, in.Slot))
	}
	for _, s := range in.all("audit_events") {
		add(recommend.SilentAudit(s.Labels.Get("cluster"), s, in.Slot))
	}
	if len(in.all("containers")) == 0 {
		r := recommend.NoState()
		add(&r)
	}
	return out, ctx.Err()
}

// containerOf returns the target of a container of a workload.
func containerOf(ls labels.Labels) recommend.Target {
	return recommend.Target{Cluster: ls.Get("cluster"), Namespace: ls.Get("namespace"), Kind: "Workload", Name: ls.Get("workload"), Container: ls.Get("container")}
}
