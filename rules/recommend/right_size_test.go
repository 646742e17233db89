package recommend

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/upid/upid/rules/recommend/sizing"
)

// container is one that is twice as large as it needs to be.
func container() SizeInput {
	return SizeInput{
		Target: Target{Namespace: "shop", Kind: "Deployment", Name: "checkout", Container: "app"}, Slot: 1_764_000_000, Policy: "balanced",
		Size: sizing.Size{CPU: 0.2501, Memory: 512<<20 - 5}, Days: 28, Trust: sizing.Trust{History: 1, Coverage: 1, Stable: 0.9, Borne: 1},
		Above: func(r float64) float64 { return 0.01 / max(r, 0.01) * 0.25 }, Risk: func(m float64) float64 { return min(1, 0.1*(512<<20)/m) },
		MemoryNow: 300 << 20, MemoryPeak: 450 << 20, KubeState: true,
		CPURequest: 0.5, CPULimit: math.NaN(), MemoryRequest: 1 << 30, MemoryLimit: 1 << 30, Replicas: 4, Throttled: math.NaN(),
		HPATarget: math.NaN(), QuotaCPU: math.NaN(), QuotaMemory: math.NaN(), JVMHeap: math.NaN(), JVMNonHeap: math.NaN(),
		CPUPrice: 0.03, MemoryPrice: 0.004, Currency: "USD", PriceSource: "opencost", LeastSavings: 5,
	}
}

func checked(t *testing.T, in SizeInput) Recommendation {
	t.Helper()
	r := RightSizes(in)
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	return r
}

func TestRightSizes(t *testing.T) {
	r := checked(t, container())
	if r.State != StateOpen || r.Recommended[CPURequest] != 0.251 || r.Recommended[MemoryLimit] != 512<<20 || r.Recommended[MemoryRequest] != 512<<20 {
		t.Errorf("%s: %v", r.State, r.Recommended)
	}
	if _, ok := r.Recommended[CPULimit]; ok {
		t.Error("a CPU limit where there was none")
	}
	// 4 replicas · 730 h · (0.249 cores · 0.03 + 0.5 GiB · 0.004)
	if got, want := *r.Impact.SavingsMonthly, 4*730*(0.249*0.03+0.5*0.004); math.Abs(got-want) > 1e-9 {
		t.Errorf("saves %g, want %g", got, want)
	}
	if want := "Set CPU request 500m → 251m, memory request 1024Mi → 512Mi, memory limit 1024Mi → 512Mi"; r.Action != want {
		t.Errorf("%s\nwant %s", r.Action, want)
	}
	if math.Abs(r.Confidence-0.9) > 1e-12 || r.ExpiresAt != 1_764_000_000+7*86400 || r.Risk.Effort != EffortRestart {
		t.Errorf("confidence %g, expires %g, %s", r.Confidence, r.ExpiresAt, r.Risk.Effort)
	}
}

// TestRightSizes_peak: a limit below what was used says that it is, and how likely that is to
// come again; one above it promises nothing of the kind.
func TestRightSizes_peak(t *testing.T) {
	in := container()
	if said := strings.Join(checked(t, in).Reasons, "; "); !strings.Contains(said, "Memory peaked at 450Mi in 28 days; 512Mi is set") || strings.Contains(said, "killed") {
		t.Error(said)
	}
	in.MemoryPeak = 700 << 20
	if said := strings.Join(checked(t, in).Reasons, "; "); !strings.Contains(said, "peaked at 700Mi in 28 days, more than the 512Mi set for the next seven: such a peak is then killed (probability within a week 10 %)") {
		t.Error(said)
	}
	in.Risk = nil
	if said := strings.Join(checked(t, in).Reasons, "; "); !strings.Contains(said, "killed") || strings.Contains(said, "probability") {
		t.Error(said)
	}
}

// TestRightSizes_above: what happened is not said to be nothing, and nothing is not said as a number.
func TestRightSizes_above(t *testing.T) {
	for share, want := range map[float64]string{0: "at no time of", 0.0001: "less than 0.1 % of", 0.0005: "0.1 % of", 0.0123: "1.2 % of"} {
		in := container()
		in.Above = func(float64) float64 { return share }
		if said := strings.Join(checked(t, in).Reasons, "; "); !strings.Contains(said, want+" the last three weeks") {
			t.Errorf("%v: %s", share, said)
		}
	}
}

// TestRightSizes_blocked: what is missing or in the way is said, and nothing is made up.
func TestRightSizes_blocked(t *testing.T) {
	f := func(code string, spoil func(*SizeInput)) {
		t.Helper()
		in := container()
		spoil(&in)
		r := checked(t, in)
		if r.State != StateBlocked || !slices.ContainsFunc(r.Blockers, func(b Blocker) bool { return b.Code == code }) || len(r.Patch) > 0 {
			t.Errorf("%s: %s, %v, %d patches", code, r.State, r.Blockers, len(r.Patch))
		}
	}
	f(BlockShortHistory, func(in *SizeInput) { in.Days = 1 })
	f(BlockNoUsage, func(in *SizeInput) { in.Days = 0 })
	f(BlockNoUsage, func(in *SizeInput) { in.Size = sizing.Size{CPU: math.NaN(), Memory: math.NaN()} })
	f(BlockNoKubeState, func(in *SizeInput) { in.KubeState = false })
	f(BlockVPA, func(in *SizeInput) { in.VPA = true })
	f(BlockQuota, func(in *SizeInput) { in.Size.CPU, in.QuotaCPU = 1, 1 })
	f(BlockHPAOnCPU, func(in *SizeInput) { in.CPURequest, in.HPATarget = math.NaN(), 0.8 })
	f(BlockLeak, func(in *SizeInput) { in.Kills, in.Size.Memory, in.MemoryPeak = 3, 2<<30, 300<<20 })
	in := container()
	in.CPUPrice = math.NaN()
	if r := checked(t, in); r.State != StateOpen || r.Impact.SavingsMonthly != nil || r.Impact.Currency != "" || !strings.Contains(strings.Join(r.Reasons, " "), "no price") {
		t.Errorf("without a price: %+v", r)
	}
}

// TestRightSizes_kept: a small change, and one that saves little, is not worth a restart.
func TestRightSizes_kept(t *testing.T) {
	in := container()
	in.Size = sizing.Size{CPU: 0.47, Memory: 1<<30 - 20<<20}
	if r := checked(t, in); r.State != StateKept || len(r.Patch) > 0 {
		t.Errorf("6 %% less: %s", r.State)
	}
	in = container()
	in.LeastSavings = 1000
	if r := checked(t, in); r.State != StateKept {
		t.Errorf("little saved: %s", r.State)
	}
	in = container() // a limit that never killed needs no raise
	in.Size = sizing.Size{CPU: 0.5, Memory: 3 << 30}
	if r := checked(t, in); r.State != StateKept || r.Recommended[MemoryLimit] != 1<<30 {
		t.Errorf("%s, %v", r.State, r.Recommended)
	}
	in.Kills = 1
	if r := checked(t, in); r.State != StateOpen || r.Recommended[MemoryLimit] != 3<<30 || *r.Impact.SavingsMonthly >= 0 {
		t.Errorf("killed once: %s, %v", r.State, r.Recommended)
	}
}

func TestRightSizes_now(t *testing.T) {
	in := container()
	in.MemoryNow, in.InPlace, in.Pods = 1000<<20, true, []string{"checkout-1", "checkout-2"}
	r := checked(t, in)
	if r.Urgency != UrgencyNow || r.Recommended[MemoryLimit] != 1200<<20 || r.Risk.Effort != EffortInPlace {
		t.Errorf("%s, %v, %s", r.Urgency, r.Recommended, r.Risk.Effort)
	}
	if len(r.Patch) != 2 || r.Patch[1].Kind != "Pod" || r.Patch[1].Name != "checkout-2" || r.Patch[1].Subresource != "resize" {
		t.Errorf("%+v", r.Patch)
	}
	in = container()
	in.CPULimit, in.Throttled = 0.5, 0.1
	if r := checked(t, in); r.Recommended[CPULimit] != 0.625 || r.Recommended[CPURequest] != 0.5 {
		t.Errorf("throttled: %v", r.Recommended)
	}
	in = container()
	in.JVMHeap, in.JVMNonHeap = 600<<20, 100<<20
	if r := checked(t, in); r.Recommended[MemoryLimit] != 770<<20 {
		t.Errorf("a Java virtual machine: %v", r.Recommended)
	}
	in = container()
	in.HPAOnMemory = true
	if r := checked(t, in); r.Recommended[MemoryLimit] != 0 || r.Recommended[CPURequest] == 0 {
		t.Errorf("an autoscaler of memory: %v", r.Recommended)
	}
}

// TestPair_converges: an autoscaler keeps usage of a replica at target · request, whatever the
// load. Sizing by that usage ten times over, each applied, ends where the first one did;
// requests alone would be 0.9¹⁰ of it and falling.
func TestPair_converges(t *testing.T) {
	for _, peak := range []float64{1.05, 1.3, 2.2} { // highest usage over usual
		request, target := 1.0, 0.8
		var seen []float64
		for range 10 {
			usage := request * target // by the autoscaler's doing
			var ok bool
			request, target, ok = Pair(request, target, usage*peak)
			if !ok || target < hpaLow || target > hpaHigh {
				t.Fatalf("request %g, target %g", request, target)
			}
			seen = append(seen, request)
		}
		if first, last := seen[0], seen[9]; math.Abs(last/first-1) > 0.02 || math.Abs(request*target/0.8-1) > 0.02 {
			t.Errorf("peak %g: %v, and %g cores a replica, want 0.8", peak, seen, request*target)
		}
	}
	in := container()
	in.HPATarget, in.HPAName = 0.5, "checkout"
	r := checked(t, in)
	if len(r.Patch) != 2 || r.Patch[1].Kind != "HorizontalPodAutoscaler" || r.Recommended[HPATarget] != 0.95 {
		t.Errorf("%v, %+v", r.Recommended, r.Patch)
	}
}

// TestPatch_apply applies each patch to an object of Kubernetes' own types, by its own strategic
// merge, and takes it back.
func TestPatch_apply(t *testing.T) {
	const containers = `"containers":[{"name":"side","image":"b","resources":{"limits":{"memory":"64Mi"}}},{"name":"app","image":"a","resources":{"requests":{"cpu":"500m","memory":"1Gi"},"limits":{"memory":"1Gi"}}}]`
	template := `{"metadata":{"name":"checkout"},"spec":{"template":{"spec":{` + containers + `}}}}`
	f := func(kind, object string, typed func() any, resources func(any) corev1.ResourceRequirements) {
		t.Helper()
		in := container()
		in.Target.Kind, in.Throttled, in.Size.CPU = kind, 0.1, 0.7
		r := checked(t, in)
		if len(r.Patch) != 1 || len(r.ReversePatch) != 1 {
			t.Fatalf("%s: %d patches, %d back", kind, len(r.Patch), len(r.ReversePatch))
		}
		original := typed()
		if err := json.Unmarshal([]byte(object), original); err != nil {
			t.Fatal(err)
		}
		before, _ := json.Marshal(original)
		merged, err := strategicpatch.StrategicMergePatch(before, r.Patch[0].Body, typed())
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		after := typed()
		if err := json.Unmarshal(merged, after); err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, merged)
		}
		got := resources(after)
		if cpu, memory := got.Requests.Cpu().MilliValue(), got.Limits.Memory().Value(); cpu != 700 || memory != 512<<20 {
			t.Errorf("%s: %d m, %d bytes", kind, cpu, memory)
		}
		back, err := strategicpatch.StrategicMergePatch(merged, r.ReversePatch[0].Body, typed())
		if err != nil {
			t.Fatal(err)
		}
		undone := typed()
		if err := json.Unmarshal(back, undone); err != nil {
			t.Fatal(err)
		}
		a, b := resources(original), resources(undone)
		if a.Requests.Cpu().Cmp(*b.Requests.Cpu()) != 0 || a.Requests.Memory().Cmp(*b.Requests.Memory()) != 0 || a.Limits.Memory().Cmp(*b.Limits.Memory()) != 0 || len(a.Limits) != len(b.Limits) {
			t.Errorf("%s: %v, taken back %v", kind, a, b)
		}
	}
	app := func(s corev1.PodSpec) corev1.ResourceRequirements {
		for _, c := range s.Containers {
			if c.Name == "app" {
				return c.Resources
			}
		}
		return corev1.ResourceRequirements{}
	}
	f("Deployment", template, func() any { return &appsv1.Deployment{} }, func(o any) corev1.ResourceRequirements { return app(o.(*appsv1.Deployment).Spec.Template.Spec) })
	f("StatefulSet", template, func() any { return &appsv1.StatefulSet{} }, func(o any) corev1.ResourceRequirements { return app(o.(*appsv1.StatefulSet).Spec.Template.Spec) })
	f("DaemonSet", template, func() any { return &appsv1.DaemonSet{} }, func(o any) corev1.ResourceRequirements { return app(o.(*appsv1.DaemonSet).Spec.Template.Spec) })
	f("CronJob", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{`+containers+`}}}}}}`, func() any { return &batchv1.CronJob{} },
		func(o any) corev1.ResourceRequirements {
			return app(o.(*batchv1.CronJob).Spec.JobTemplate.Spec.Template.Spec)
		})
	f("Pod", `{"spec":{`+containers+`}}`, func() any { return &corev1.Pod{} }, func(o any) corev1.ResourceRequirements { return app(o.(*corev1.Pod).Spec) })

	in := container()
	in.HPATarget, in.HPAName = 0.6, "checkout"
	r := checked(t, in)
	var hpa autoscalingv2.HorizontalPodAutoscaler
	dec := json.NewDecoder(strings.NewReader(string(r.Patch[1].Body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&hpa); err != nil {
		t.Fatal(err)
	}
	if got := *hpa.Spec.Metrics[0].Resource.Target.AverageUtilization; got != 95 {
		t.Errorf("target %d %%", got)
	}
	if got := ResourcePatches(Target{Kind: "Node", Name: "n"}, map[Resource]float64{CPURequest: 1}); len(got) != 0 {
		t.Errorf("a node has no containers: %v", got)
	}
	// What was not set is taken away again.
	undo := ResourcePatches(container().Target, map[Resource]float64{CPULimit: math.NaN()})
	if !reflect.DeepEqual(string(undo[0].Body), `{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":null}}}]}}}}`) {
		t.Errorf("%s", undo[0].Body)
	}
}

// TestLearn: from samples to a recommendation.
func TestLearn(t *testing.T) {
	policy, err := sizing.PolicyNamed("balanced")
	if err != nil {
		t.Fatal(err)
	}
	s, c := sizing.New(policy, 300), sizing.NewScratch(nil)
	for d := range 28 {
		for i := range 288 {
			s.Observe(sizing.Sample{Time: int64(d*86400 + i*300), CPU: 0.1 + 0.05*math.Sin(float64(i)), Memory: 200 << 20})
		}
		s.EndDay(c)
		s.Decide(int64(d+1)*86400, s.Usual(c), c)
	}
	in := container()
	in.Learn(s, c)
	r := checked(t, in)
	if r.State != StateOpen || r.Recommended[CPURequest] < 0.15 || r.Recommended[CPURequest] > 0.25 || r.Recommended[MemoryLimit] < 200<<20 || r.Recommended[MemoryLimit] > 300<<20 {
		t.Errorf("%s: %v", r.State, r.Recommended)
	}
	if cpu, memory := r.Evidence[0].Backtest, r.Evidence[1].Backtest; cpu == nil || !(cpu.Weeks > 1.5) || cpu.Violations == nil || *cpu.Violations > 0.01 || cpu.OOM != nil || memory == nil || memory.OOM == nil || *memory.OOM != 0 || memory.Violations != nil {
		t.Errorf("backtests %+v and %+v", cpu, memory)
	}
	if r.Impact.Violation.After == nil || *r.Impact.Violation.After > 0.01 || r.Impact.OOM.After == nil || *r.Impact.OOM.After > 0.2 {
		t.Errorf("%+v", r.Impact)
	}
}
