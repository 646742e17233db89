package recommend

import (
	"fmt"
	"math"
	"strings"
)

// decide says whether the change is worth making, and how to make it.
func (s *sizes) decide() {
	in, r := s.in, s.r
	changes := []string{}
	far := false
	for _, c := range []struct {
		what string
		of   Resource
		now  float64
		text func(float64) string
	}{
		{"CPU request", CPURequest, in.CPURequest, cpuText},
		{"CPU limit", CPULimit, in.CPULimit, cpuText},
		{"memory request", MemoryRequest, in.MemoryRequest, memoryText},
		{"memory limit", MemoryLimit, in.MemoryLimit, memoryText},
	} {
		v, ok := r.Recommended[c.of]
		if !ok || v == c.now {
			continue
		}
		far = far || c.now != c.now || math.Abs(v-c.now) >= leastChange*c.now
		from := "none"
		if c.now == c.now {
			from = c.text(c.now)
		}
		changes = append(changes, fmt.Sprintf("%s %s → %s", c.what, from, c.text(v)))
	}
	if len(changes) > 0 {
		r.Action = "Set " + strings.Join(changes, ", ")
		if s.target == s.target {
			r.Action += fmt.Sprintf(", and the CPU target of %s %.0f %% → %.0f %%", in.HPAName, 100*in.HPATarget, 100*s.target)
		}
	}
	saves := r.Impact.SavingsMonthly
	switch {
	case len(r.Blockers) > 0:
		return
	case len(changes) == 0 || !far && !s.fix:
		r.State = StateKept
		r.Reasons = append(r.Reasons, "What is set is within 10 % of what would be best")
		return
	case saves != nil && *saves >= 0 && *saves < in.LeastSavings && !s.fix:
		r.State = StateKept
		r.Reasons = append(r.Reasons, fmt.Sprintf("It would save %.2f %s a month, less than is worth a restart", *saves, in.Currency))
		return
	}
	if saves != nil && *saves > 0 && !s.fix {
		r.OptimizationType = CostReduction // what raises and what mends stays resource scaling
	}
	s.explain()
	s.apply()
}

// shareOf writes a share of a time in per cent, and never 0 of what did happen.
func shareOf(share float64) string {
	switch {
	case share > 0 && share < 0.0005:
		return "less than 0.1 % of"
	case share == 0:
		return "at no time of"
	}
	return fmt.Sprintf("%.1f %% of", 100*share)
}

func (s *sizes) explain() {
	in, r := s.in, s.r
	if v, ok := r.Recommended[CPURequest]; ok && in.Above != nil {
		r.Reasons = append(r.Reasons, fmt.Sprintf("CPU was above %s %s the last three weeks", cpuText(v), shareOf(in.Above(v))))
	}
	if v, ok := r.Recommended[MemoryLimit]; ok && in.MemoryPeak == in.MemoryPeak {
		r.Reasons = append(r.Reasons, s.memoryReason(v))
	}
	if in.Kills > 0 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("It was killed for memory %d times at this limit", in.Kills))
	}
	if s.target == s.target {
		r.Reasons = append(r.Reasons, "Request and target of the autoscaler change together, so that the number of replicas does not")
	}
	if r.Impact.SavingsMonthly == nil {
		r.Reasons = append(r.Reasons, "Savings are not known: there is no price of CPU and memory")
	}
}

// memoryReason says why the memory limit is v. Where usage was above it, which a policy may
// accept for what it saves, it says so, and how likely that is to come again.
func (s *sizes) memoryReason(v float64) string {
	peak := memoryText(roundUp(s.in.MemoryPeak, 1<<20))
	if s.in.MemoryPeak <= v {
		return fmt.Sprintf("Memory peaked at %s in 28 days; %s is set for the next seven", peak, memoryText(v))
	}
	text := fmt.Sprintf("Memory peaked at %s in 28 days, more than the %s set for the next seven: such a peak is then killed", peak, memoryText(v))
	if p := s.r.Impact.OOM.After; p != nil {
		text += fmt.Sprintf(" (probability within a week %.0f %%)", 100**p)
	}
	return text
}

// apply fills in steps and patches.
func (s *sizes) apply() {
	in, r := s.in, s.r
	after, before := map[Resource]float64{}, map[Resource]float64{}
	for _, k := range []Resource{CPURequest, CPULimit, MemoryRequest, MemoryLimit} {
		v, ok := r.Recommended[k]
		now, was := r.Current[k]
		if !ok || was && v == now {
			continue
		}
		after[k], before[k] = v, math.NaN()
		if was {
			before[k] = now
		}
	}
	r.Patch, r.ReversePatch = ResourcePatches(in.Target, after), ResourcePatches(in.Target, before)
	if s.target == s.target && len(r.Patch) > 0 {
		r.Patch = append(r.Patch, hpaPatch(in, s.target))
		r.ReversePatch = append(r.ReversePatch, hpaPatch(in, in.HPATarget))
	}
	r.Risk.Effort = EffortRestart
	r.Steps = []string{
		"Put the change into the manifests that the workload is deployed from, or it is undone by the next deployment.",
		"Apply it when a restart of the pods does no harm: they are replaced one by one.",
		"Watch restarts, throttling and latency for a day.",
	}
	if in.InPlace && len(in.Pods) > 0 && r.Urgency == UrgencyNow {
		r.Risk.Effort = EffortInPlace
		var now, undo []Patch
		for _, pod := range in.Pods {
			t := in.Target
			t.Kind, t.Name = "Pod", pod
			now, undo = append(now, ResourcePatches(t, after)...), append(undo, ResourcePatches(t, before)...)
		}
		r.Patch, r.ReversePatch = now, undo
		r.Steps = []string{
			"Resize the pods that run, in place: nothing restarts.",
			"Put the change into the manifests too: new pods are made from those.",
		}
	}
	r.Rollback = []string{"Apply the reverse patch (upid recommendations -o patch --reverse), and take the change out of the manifests."}
}

// cpuText returns cores as Kubernetes writes them: 180m.
func cpuText(v float64) string { return fmt.Sprintf("%.0fm", math.Ceil(1000*v-1e-6)) }

// memoryText returns bytes as Kubernetes writes them: 620Mi, or bytes where that is not exact.
func memoryText(v float64) string {
	if m := v / (1 << 20); m == math.Trunc(m) {
		return fmt.Sprintf("%.0fMi", m)
	}
	return fmt.Sprintf("%.0f", v)
}
