package advice

import (
	"context"
	"math"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/recommend"
)

var byContainer = []string{"cluster", "namespace", "workload", "container"}

// Health finds what is slow, killed, at its maximum or open to abuse.
func Health(ctx context.Context, in Input) (Said, error) {
	out := Said{Results: nil, Recommendations: nil, Since: map[string]int64{}}
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
		r := recommend.SilentAudit(s.Labels.Get("cluster"), s, in.Slot)
		add(r)
		if r != nil {
			out.Since[r.ID] = in.since(func(t int64) bool { return recommend.SilentAudit(s.Labels.Get("cluster"), upTo(s, t), t) != nil })
		}
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

// TypeAudit is the type of a finding that an audit log has stopped.
const TypeAudit = "audit_silent"

// urgently is the alert of a recommendation that cannot wait and is about no limit.
func urgently(r recommend.Recommendation, start int64) series.Finding {
	f := urgentFinding(r, capacityOf(r), start)
	f.Type, f.Score.Type, f.Worst.Type = TypeAudit, TypeAudit, TypeAudit
	f.Family = rules.FamilySecurity
	return f
}
