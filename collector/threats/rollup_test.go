package threats

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

// owned names workloads by the owners it is told, else by the text before the first dash.
func owned(owners []labels.Labels) func(namespace, pod string) string {
	by := map[string]string{}
	for _, ls := range owners {
		by[ls.Get("namespace")+"/"+ls.Get("pod")] = ls.Get("owner_name")
	}
	return func(namespace, pod string) string {
		if w, ok := by[namespace+"/"+pod]; ok {
			return w
		}
		w, _, _ := strings.Cut(pod, "-")
		return w
	}
}

// accusedPod is what a task says of a pod.
func accusedPod(entity string, risk float64) series.Result {
	return series.Result{Threat: &series.Threat{
		ID: "x", Entity: entity, EntityType: "pod", Threat: "data_exfiltration", Technique: "T1041", Band: "high", Risk: risk, Confidence: 0.7,
		Evidence: []string{"pod-egress: 9, expected 1 in 1h"},
	}}
}

// TestRollUp wants the risk of workloads and namespaces to be that of their riskiest pod,
// over all tasks that watch pods, and owners of the newest answer only.
func TestRollUp(t *testing.T) {
	u := NewRollUp(RollUpOptions{Name: "threats-workloads", Workloads: owned})
	in := pipeline.Input{Start: start, End: start, Series: series.Set{}, Results: map[string][]series.Result{
		"threats-pod-egress": {
			accusedPod("shop/web-1", 55), accusedPod("shop/web-2", 71.5), accusedPod("shop/db-0", 30), accusedPod("ops/job-1", 20),
			accusedPod("lone", 99), // of a namespace that is not known
			{Threat: &series.Threat{Entity: "a/b", EntityType: "source", Risk: 99}},
			{Findings: []series.Finding{{ID: "a campaign"}}},
		},
		"threats-falcosidekick": {accusedPod("shop/web-1", 60), accusedPod("ops/job-1", 44)},
	}}
	fit(t, u, pipeline.Input{Start: start, End: start})
	if got := u.Position(); got != start {
		t.Errorf("position %d", got)
	}
	type said struct {
		labels string
		risk   float64
		line   string
	}
	of := func(rs []series.Result) (out []said) {
		for _, r := range rs {
			if r.Threat.ID != "" || r.Findings != nil || r.Signal != "threats-workloads" || r.Threat.Technique != "T1041" {
				t.Errorf("%+v", r)
			}
			out = append(out, said{r.Labels.String(), r.Threat.Risk, r.Threat.Evidence[0]})
		}
		return out
	}
	want := []said{
		{`{entity="shop/web", entity_type="workload", namespace="shop", workload="web"}`, 71.5, "shop/web-2: pod-egress: 9, expected 1 in 1h"},
		{`{entity="shop", entity_type="namespace", namespace="shop"}`, 71.5, "shop/web-2: pod-egress: 9, expected 1 in 1h"},
		{`{entity="ops/job", entity_type="workload", namespace="ops", workload="job"}`, 44, "ops/job-1: pod-egress: 9, expected 1 in 1h"},
		{`{entity="ops", entity_type="namespace", namespace="ops"}`, 44, "ops/job-1: pod-egress: 9, expected 1 in 1h"},
		{`{entity="shop/db", entity_type="workload", namespace="shop", workload="db"}`, 30, "shop/db-0: pod-egress: 9, expected 1 in 1h"},
	}
	if got := of(step1(t, u, in)); !reflect.DeepEqual(got, want) {
		t.Errorf("by name:\n%v\nwant\n%v", got, want)
	}

	owner := func(value ...float64) series.Series {
		return series.Series{
			Labels: labels.FromStrings("__name__", "kube_pod_owner", "namespace", "shop", "pod", "web-2", "owner_kind", "StatefulSet", "owner_name", "front"),
			Start:  start + ms, Step: ms, Values: value,
		}
	}
	in.Start, in.End = start+ms, start+ms
	in.Series[OwnersInput] = series.Data{Series: []series.Series{owner(1)}}
	got := of(step1(t, u, in))
	if want := `{entity="shop/front", entity_type="workload", namespace="shop", workload="front"}`; got[0].labels != want || len(got) != 6 {
		t.Errorf("with owners: %v", got)
	}
	in.Start, in.End = start+ms, start+2*ms // the pod is gone at the end of it
	if got := of(step1(t, u, in)); got[0].labels != want[0].labels || len(got) != 5 {
		t.Errorf("of an owner that is gone: %v", got)
	}

	u.o.Export = 2
	if got := step1(t, u, in); len(got) != 2 {
		t.Errorf("%d are said, want 2", len(got))
	}
	in.Results = nil
	if got := step1(t, u, in); len(got) != 0 {
		t.Errorf("of no pods: %v", got)
	}
}

func step1(t *testing.T, u pipeline.Unit, in pipeline.Input) []series.Result {
	t.Helper()
	rs, err := u.Step(context.Background(), in.End, in)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}
