package recommend

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// apiVersions of the kinds whose pods can be given other resources, and where the pod's spec is.
var workloads = map[string]struct {
	version string
	path    []string
}{
	"Deployment":  {"apps/v1", []string{"spec", "template", "spec"}},
	"StatefulSet": {"apps/v1", []string{"spec", "template", "spec"}},
	"DaemonSet":   {"apps/v1", []string{"spec", "template", "spec"}},
	"ReplicaSet":  {"apps/v1", []string{"spec", "template", "spec"}},
	"CronJob":     {"batch/v1", []string{"spec", "jobTemplate", "spec", "template", "spec"}},
	"Pod":         {"v1", []string{"spec"}},
}

// ResourcePatches returns the strategic merge patch that sets requests and limits of the
// target's container, in kubectl's quantities; NaN takes one away. A Pod is resized in place, by
// its subresource. None for kinds that cannot be patched so, or for nothing to set.
func ResourcePatches(t Target, set map[Resource]float64) []Patch {
	w, ok := workloads[t.Kind]
	if !ok || len(set) == 0 || t.Container == "" {
		return []Patch{}
	}
	requests, limits := map[string]any{}, map[string]any{}
	for resource, v := range set {
		in, name, text := requests, "cpu", cpuText
		switch resource {
		case GPURequest: // both are to be the same
			name, text = "nvidia.com/gpu", countText
			requests[name] = text(v)
			in = limits
		case CPURequest:
		case CPULimit:
			in = limits
		case MemoryRequest:
			name, text = "memory", memoryText
		case MemoryLimit:
			in, name, text = limits, "memory", memoryText
		default:
			continue
		}
		in[name] = nil
		if !math.IsNaN(v) {
			in[name] = text(v)
		}
	}
	resources := map[string]any{}
	if len(requests) > 0 {
		resources["requests"] = requests
	}
	if len(limits) > 0 {
		resources["limits"] = limits
	}
	var body any = map[string]any{"containers": []any{map[string]any{"name": t.Container, "resources": resources}}}
	p := Patch{APIVersion: w.version, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, Type: "strategic", Body: nested(w.path, body)}
	if t.Kind == "Pod" {
		p.Subresource = "resize"
	}
	return []Patch{p}
}

// countText writes a whole number.
func countText(v float64) string { return fmt.Sprintf("%.0f", v) }

// replicaPatches returns the patch that sets the replicas of a Deployment or StatefulSet to n and the one that sets
// them back; none for other kinds, or where now is not a whole number.
func replicaPatches(t Target, n, now float64) (patch, back []Patch) {
	if t.Kind != "Deployment" && t.Kind != "StatefulSet" || now != math.Trunc(now) || n == now {
		return []Patch{}, []Patch{}
	}
	to := func(n float64) []Patch {
		return []Patch{{
			APIVersion: "apps/v1", Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, Type: "merge",
			Body: nested([]string{"spec"}, map[string]any{"replicas": int(n)}),
		}}
	}
	return to(n), to(now)
}

// hpaPatch sets the CPU target of an autoscaler. Its metrics are a list that a merge replaces, so
// it is for autoscalers with this one metric, as those of autoscaling/v1 are.
func hpaPatch(in SizeInput, target float64) Patch {
	percent := int(math.Round(100 * target))
	metric := map[string]any{"type": "Resource", "resource": map[string]any{
		"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": percent},
	}}
	return Patch{
		APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Namespace: in.Target.Namespace, Name: in.HPAName, Type: "merge",
		Body: nested([]string{"spec"}, map[string]any{"metrics": []any{metric}}),
	}
}

// nested returns {"a":{"b":v}} for the path a, b. Keys of a JSON object come in alphabetical order,
// so the bytes are a function of the content.
func nested(path []string, v any) json.RawMessage {
	for _, key := range slices.Backward(path) {
		v = map[string]any{key: v}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings, numbers and nil
	}
	return b
}
