package recommend

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

const (
	throttleShare = 0.25 // of periods: an hour above is throttled
	throttleHours = 0.05 // share of the hours of a week that are
	requestDays   = 7
	hpaHours      = 0.1 // share of the hours of a week at the maximum
)

// CPUThrottled says that a container waits for its CPU limit: in more than 5 % of the hours of the last
// week at least a quarter of its periods were throttled. ratio is that share, by hours.
func CPUThrottled(t Target, ratio series.Series, slot int64) *Recommendation {
	v := lastDays(ratio, requestDays)
	over := share01(v, func(x float64) bool { return x >= throttleShare })
	if len(v) < 24 || over < throttleHours {
		return nil
	}
	r := New(Throttled, t, "")
	p95 := num.Quantile(slices.Clone(v), 0.95)
	r.Action = fmt.Sprintf("Raise or remove the CPU limit of %s", place(t))
	r.Reasons = []string{fmt.Sprintf("in %.0f %% of the hours of the last week at least a quarter of its periods were throttled (p95 %.0f %%)", 100*over, 100*p95)}
	r.Steps = []string{"Remove the limit: the request alone shares the CPU fairly. Where limits are a rule, raise it until fewer than 5 % of the periods are throttled."}
	r.Rollback = []string{"Put the limit back."}
	r.Impact.Performance, r.Impact.Level, r.Risk.Effort = "latency falls where requests waited for the next period", Medium, EffortInPlace
	r.SetConfidence(hoursPart(v), sampled("share", 0.7+over, float64(len(v)), "share of hours that are throttled"))
	r.Evidence = []Evidence{{Metric: "container_cpu_cfs_throttled_periods_total", Query: "", Window: "7d", Points: len(v), Statistic: "p95 of the throttled share", Value: Number(p95), Unit: "ratio", Backtest: nil}}
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// KilledForMemory says that a container was killed for memory within a week. kills is how many, by hours.
func KilledForMemory(t Target, kills series.Series, slot int64) *Recommendation {
	n := 0.0
	for _, v := range lastDays(kills, 7) {
		n += v
	}
	if n < 0.5 {
		return nil
	}
	r := New(OOMKilled, t, "")
	r.Action = fmt.Sprintf("Give %s more memory, or find what it holds: it was killed %.0f times in a week", place(t), math.Round(n))
	r.Reasons = []string{"its last termination says OOMKilled, and it restarted"}
	r.Steps = []string{"Raise request and limit by a fifth, and see whether the recommendation of kind right_size or memory_leak says more.", "Three kills at an unchanged limit with flat memory before are a burst or a leak, not a size."}
	r.Rollback = []string{"Set the old request and limit."}
	r.Impact.Performance, r.Impact.Level, r.Risk.Effort = "no more restarts", High, EffortRestart
	r.SetConfidence(sampled("kills", 0.7+n/10, float64(points(kills)), fmt.Sprintf("%.0f kills", n)))
	r.Evidence = []Evidence{{Metric: "kube_pod_container_status_last_terminated_reason", Query: "", Window: "7d", Points: points(kills), Statistic: "restarts after OOMKilled", Value: Number(n), Unit: "", Backtest: nil}}
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// AutoscalerAtMax says that an autoscaler wanted all it may in more than a tenth of the hours of a week.
func AutoscalerAtMax(t Target, wanted series.Series, most float64, slot int64) *Recommendation {
	v := lastDays(wanted, 7)
	at := share01(v, func(x float64) bool { return x >= most })
	if len(v) < 24 || !(most >= 1) || at < hpaHours {
		return nil
	}
	r := New(HPAAtMax, t, "")
	want := math.Ceil(most * 1.5)
	r.Action = fmt.Sprintf("Raise maxReplicas of %s from %.0f to %.0f", place(t), most, want)
	r.Reasons = []string{fmt.Sprintf("in %.0f %% of the hours of the last week it wanted all it may", 100*at)}
	r.Current[ReplicasMax], r.Recommended[ReplicasMax] = most, want
	r.Steps = []string{"See that the nodes, the quota and what it calls can take more.", fmt.Sprintf("kubectl --namespace %s patch hpa %s --type merge -p '{\"spec\":{\"maxReplicas\":%.0f}}'", shellWord(t.Namespace), shellWord(t.Name), want)}
	r.Rollback = []string{fmt.Sprintf("Set maxReplicas back to %.0f.", most)}
	body := func(n float64) []byte { return fmt.Appendf(nil, `{"spec":{"maxReplicas":%.0f}}`, n) }
	patch := Patch{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Namespace: t.Namespace, Name: t.Name, Subresource: "", Type: "merge", Body: body(want)}
	back := patch
	back.Body = body(most)
	r.Patch, r.ReversePatch = []Patch{patch}, []Patch{back}
	r.Impact.Performance, r.Impact.Level = "peaks are served", Medium
	r.SetConfidence(hoursPart(v), sampled("share", 0.7+at, float64(len(v)), "share of hours at the maximum"))
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// RequestBelowUse says that a container uses more CPU than it asks for in more than 5 of 100 hours: what
// else is on the node may take it away.
func RequestBelowUse(t Target, cpu series.Series, request float64, slot int64) *Recommendation {
	v := lastDays(cpu, requestDays)
	if len(v) < 24 || !(request > 0) {
		return nil
	}
	p95 := num.Quantile(slices.Clone(v), 0.95)
	if p95 < 1.2*request || p95-request < 0.05 {
		return nil
	}
	r := New(RequestTooLow, t, "")
	r.Action = fmt.Sprintf("Raise the CPU request of %s from %.0fm to %.0fm", place(t), 1000*request, 1000*p95)
	r.Reasons = []string{fmt.Sprintf("in 5 of 100 hours it uses %.0fm and more: what it does not ask for others may take", 1000*p95)}
	r.Current[CPURequest], r.Recommended[CPURequest] = request, p95
	r.Steps = []string{"See whether there is a recommendation of kind right_size for it, which looks at more than this rule."}
	r.Rollback = []string{"Set the old request."}
	r.Impact.Performance, r.Impact.Level, r.Risk.Effort = "no CPU is lost to neighbours on a full node", Medium, EffortInPlace
	r.SetConfidence(hoursPart(v), Part{"rule", 0.85, "p95 of hourly means of the busiest pod"})
	r.Evidence = []Evidence{usageEvidence(cpu, "p95 of 7 days", p95)}
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// NoLimit says that a container has no memory limit.
func NoLimit(t Target, slot int64) Recommendation {
	r := New(MissingLimits, t, "")
	r.Action = fmt.Sprintf("Give %s a memory limit", place(t))
	r.Reasons = []string{"without one it can take all memory of its node, by a fault or on purpose"}
	r.Steps = []string{"Set the limit to the request that the recommendation of kind right_size says, or to twice the highest use."}
	r.Rollback = []string{"Remove the limit."}
	r.Impact.Performance, r.Risk.Level, r.Risk.Effort = "it is killed alone instead of with its neighbours", Medium, EffortRestart
	r.SetConfidence(Part{"state", 0.95, "as kube-state-metrics sees it"})
	r.ExpiresAt = expires(slot, 1)
	return r
}

// FailingPolicy says that objects break a policy. failures are how many, by hours.
func FailingPolicy(cluster, policy string, failures series.Series, slot int64) *Recommendation {
	n := 0.0
	for _, v := range lastDays(failures, 1) {
		n = max(n, v)
	}
	if n < 1 {
		return nil
	}
	r := New(PolicyFailing, Target{Cluster: cluster, Kind: "Policy", Name: policy}, "")
	r.Action = fmt.Sprintf("Mend what breaks the policy %s: up to %.0f an hour", policy, n)
	r.Reasons = []string{"its results of the last day are fail"}
	r.Steps = []string{"List them: kubectl get policyreport --all-namespaces, or the violations of the constraint; mend the objects, or except them on purpose."}
	r.Rollback = []string{"Nothing to undo."}
	r.Impact.Level = Medium
	r.SetConfidence(Part{"state", 0.95, "as the policy engine counts"})
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// SilentAudit says that an audit log that had events has none for two hours.
func SilentAudit(cluster string, events series.Series, slot int64) *Recommendation {
	v := lastDays(events, 7)
	if len(v) < 24 || events.Step <= 0 {
		return nil
	}
	before := num.Median(slices.Clone(v[:len(v)-2]))
	silent := slot-newestTime(events) > 2*events.Step || v[len(v)-1] == 0 && v[len(v)-2] == 0
	if !(before > 0) || !silent {
		return nil
	}
	name := cluster
	if name == "" {
		name = "default"
	}
	r := New(AuditSilent, Target{Cluster: cluster, Kind: "Cluster", Name: name}, "")
	r.Action = "Find out why the audit log of the API server has stopped"
	r.Reasons = []string{fmt.Sprintf("%.3g events a second were usual, and for two hours there was none", before)}
	r.Steps = []string{"Look at --audit-policy-file, --audit-log-path and the disk of the API server; then at who changed them."}
	r.Rollback = []string{"Nothing to undo."}
	r.Urgency, r.Impact.Level = UrgencyNow, High
	r.SetConfidence(hoursPart(v))
	r.ExpiresAt = expires(slot, 1)
	return &r
}

// NoState says that kube-state-metrics is not there.
func NoState() Recommendation {
	r := New(StateInputs, Target{Kind: "Cluster", Name: "default"}, "")
	r.Block(BlockNoKubeState, "kube-state-metrics is not there (kube_pod_container_info): without requests, limits and owners nothing is said of sizes, limits and autoscalers; scrape it")
	return r
}

func newestTime(s series.Series) int64 {
	for i, v := range slices.Backward(s.Values) {
		if !math.IsNaN(v) {
			return s.At(i)
		}
	}
	return 0
}

// share01 returns the share of v for which is holds, 0 of nothing.
func share01(v []float64, is func(float64) bool) float64 {
	n := 0
	for _, x := range v {
		if is(x) {
			n++
		}
	}
	return float64(n) / float64(max(1, len(v)))
}

// hoursPart is how much of a week v has: √(hours / 168).
func hoursPart(v []float64) Part {
	return sampled("hours", math.Sqrt(min(1, float64(len(v))/(requestDays*24))), float64(len(v)), fmt.Sprintf("%d hours", len(v)))
}

func expires(slot int64, days int) float64 {
	return float64(slot)/1000 + (time.Duration(days) * 24 * time.Hour).Seconds()
}

// place names a container or an object.
func place(t Target) string {
	out := t.Name
	if t.Namespace != "" {
		out = t.Namespace + "/" + out
	}
	if t.Container != "" {
		out += " (" + t.Container + ")"
	}
	return out
}
