package recommend

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/upid/upid/collector/series"
)

// gpuOf is a Deployment of pods with GPUs each, of which so many are at work, with so many GPUs' worth of memory.
func gpuOf(pods, each, used, memory float64) GPUInput {
	return GPUInput{
		Target: Target{Namespace: "ml", Kind: "Deployment", Name: "rank", Container: "serve"}, Slot: 168 * 3_600_000,
		Requested: pods * each, Pods: pods, Seen: pods * each, Used: flat(168, used), Peak: flat(168, math.Min(1, 2*used)), Memory: flat(168, memory),
		Price: 2, Currency: "USD", PriceSource: "opencost",
	}
}

func TestGPUs(t *testing.T) {
	f := func(name string, in GPUInput, state State, action, block string, saves float64) *Recommendation {
		t.Helper()
		r := GPUs(in)
		if state == "" {
			if r != nil {
				t.Errorf("%s: %+v", name, r)
			}
			return r
		}
		if r == nil {
			t.Fatalf("%s: nothing", name)
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.State != state || !strings.Contains(r.Action, action) || (block != "") != (len(r.Blockers) == 1) || block != "" && r.Blockers[0].Code != block {
			t.Errorf("%s: %s %q %v", name, r.State, r.Action, r.Blockers)
		}
		got := math.NaN()
		if r.Impact.SavingsMonthly != nil {
			got = *r.Impact.SavingsMonthly
		}
		if saves != saves != (got != got) || math.Abs(got-saves) > 1e-9 {
			t.Errorf("%s: saves %g, want %g", name, got, saves)
		}
		if !(r.Confidence < 0.95) || r.Confidence < 0 {
			t.Errorf("%s: confidence %g", name, r.Confidence)
		}
		return r
	}
	nan := math.NaN()
	idle := f("idle", gpuOf(2, 1, 0, 0), StateOpen, "Give back the 2 GPUs of ml/rank (serve)", "", 2*2*730)
	if loaded := f("idle with a model loaded", gpuOf(2, 1, 0, 1.5), StateOpen, "Give back", "", 2*2*730); loaded.Confidence >= idle.Confidence {
		t.Errorf("as sure with a model loaded: %g", loaded.Confidence)
	}
	f("at work", gpuOf(1, 4, 3.5, 3), "", "", "", 0)
	f("half of four", gpuOf(1, 4, 1.4, 1.2), StateOpen, "Request 2 instead of 4 GPUs", "", 2*2*730)
	f("memory needs three", gpuOf(1, 4, 1.4, 2.6), StateOpen, "Request 3 instead of 4 GPUs", "", 2*730)
	f("memory needs all", gpuOf(1, 4, 1.4, 3.9), "", "", "", 0)
	in := gpuOf(1, 4, 1.4, 0)
	in.Memory = series.Series{}
	f("memory is not known", in, StateBlocked, "", BlockNoUsage, nan)
	f("five pods, three do", gpuOf(5, 1, 2.1, 4), StateOpen, "Run 3 instead of 5 pods", "", 2*2*730)
	f("two keep two", gpuOf(2, 1, 0.2, 1), "", "", "", 0)
	in = gpuOf(5, 1, 2.1, 4)
	in.HasHPA = true
	if r := f("an autoscaler", in, StateBlocked, "", BlockAutoscaled, 2*2*730); len(r.Patch) != 0 {
		t.Errorf("an autoscaler would undo %v", r.Patch)
	}
	f("one, seldom at work", gpuOf(1, 1, 0.2, 0.5), StateBlocked, "", BlockWholeGPU, nan)
	f("one at work", gpuOf(1, 1, 0.5, 0.5), "", "", "", 0)
	in = gpuOf(1, 2, 0, 0)
	in.Used, in.Peak = series.Series{}, series.Series{}
	f("not measured", in, StateBlocked, "", BlockNoUsage, nan)
	in = gpuOf(1, 2, 0, 0)
	in.Used, in.Peak = flat(24, 0), flat(24, 0)
	f("a day", in, StateBlocked, "", BlockShortHistory, nan)
	in = gpuOf(1, 2, 0, 0)
	in.Seen = 1
	f("one of two is measured", in, StateBlocked, "", BlockGaps, nan)
	in.Seen = nan
	f("how many are measured is not known", in, StateBlocked, "", BlockGaps, nan)
	in = gpuOf(1, 2, 0, 0)
	in.Price = nan
	f("no price", in, StateOpen, "Give back", "", nan)
	in = gpuOf(1, 2, 0, 0)
	in.Requested = nan
	f("not requested", in, "", "", "", 0)
}

// TestGPUs_patch: Kubernetes' own types take the patch and take it back; requests and limits are the same.
func TestGPUs_patch(t *testing.T) {
	in := gpuOf(1, 4, 1.4, 1.2)
	in.Target.Kind = "Pod"
	r := GPUs(in)
	object := []byte(`{"spec":{"containers":[{"name":"serve","resources":{"requests":{"cpu":"1","nvidia.com/gpu":"4"},"limits":{"nvidia.com/gpu":"4"}}}]}}`)
	for _, step := range []struct {
		patch []Patch
		want  string
	}{{r.Patch, "2"}, {r.ReversePatch, "4"}} {
		var err error
		if object, err = strategicpatch.StrategicMergePatch(object, step.patch[0].Body, &corev1.Pod{}); err != nil {
			t.Fatal(err)
		}
		var pod corev1.Pod
		if err := json.Unmarshal(object, &pod); err != nil {
			t.Fatal(err)
		}
		got := pod.Spec.Containers[0].Resources
		ask, most := got.Requests["nvidia.com/gpu"], got.Limits["nvidia.com/gpu"]
		if ask.String() != step.want || most.String() != step.want || got.Requests.Cpu().String() != "1" {
			t.Errorf("%s, want %s GPUs", object, step.want)
		}
	}
}
