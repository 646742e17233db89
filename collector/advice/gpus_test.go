package advice

import (
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
)

// realised: what is saved at night, and by what is idle, is real where a node goes.
func realised(t *testing.T, n int, answers map[string][]series.Series) {
	t.Helper()
	with := maps.Clone(answers)
	add := func(workload string, pods int) { // of a core each
		for i := range pods {
			pod := []string{"namespace", "shop", "pod", workload + string(rune('a'+i))}
			with["pod_cpu_request"] = append(with["pod_cpu_request"], hourly(n, constant(1), append(pod, "workload", workload)...))
			with["pod_memory_request"] = append(with["pod_memory_request"], hourly(n, constant(1<<30), pod...))
		}
	}
	place := func(idle, quiet, spot int) {
		with["pod_cpu_request"], with["pod_memory_request"] = nil, nil
		add("idle", idle)
		add("quiet", quiet)
		add("spot", spot)
	}
	check := func(what string, idle, quiet float64) {
		t.Helper()
		got := recommendations(t, pass(t, costUnit(t, prices), n, with))
		for key, want := range map[string]float64{"idle_workload idle": idle, "off_hours quiet": quiet} {
			if real := got[key].Impact.SavingsRealisable; real == nil != (want < 0) || real != nil && math.Abs(*real-want) > 0.01 {
				t.Errorf("%s, %s: realisable %v of %v, want %.2f", what, key, real, *got[key].Impact.SavingsMonthly, want)
			}
		}
	}
	// Three pods fit on a node. Of eight one that is idle frees none; at night three more are away, which frees one node of
	// 0.2 an hour: more than is saved.
	place(1, 4, 3)
	quiet := recommendations(t, pass(t, costUnit(t, prices), n, with))["off_hours quiet"]
	hours := 0.0
	for _, s := range quiet.Schedule {
		if s.Replicas == 1 {
			hours += float64(s.To - s.From)
		}
	}
	saves := *quiet.Impact.SavingsMonthly
	if hours < 6 || math.Abs(saves-0.2*0.75*hours/24*730) > 0.01 {
		t.Errorf("%g quiet hours save %.2f: %+v", hours, saves, quiet.Schedule)
	}
	check("a node at night", 0.02*730*hours/24, saves)
	// The idle one alone keeps a third node, by day and by night; of the quiet one nothing is away.
	place(1, 1, 5)
	check("a node always", 0.02*730, saves)
	// Nothing goes.
	place(1, 4, 2)
	with["node_cpu"] = []series.Series{hourly(n, constant(100), "node", "a")}
	check("one node", 0, 0)
	with["node_cpu"] = answers["node_cpu"]
	for i, s := range with["pod_cpu_request"] { // as a query of one's own may say it
		with["pod_cpu_request"][i].Labels = labels.NewBuilder(s.Labels).Del("workload").Labels()
	}
	check("workloads are not known", -1, -1)
}

// TestGPUs: GPUs that are requested and measured by dcgm-exporter, or not.
func TestGPUs(t *testing.T) {
	const n = hoursOf28Days
	of := func(name string, v float64) series.Series {
		return hourly(n, constant(v), append(workloadLabels(name), "container", "serve")...)
	}
	many := func(name string, v float64, more ...string) series.Series {
		return hourly(n, constant(v), append(workloadLabels(name), more...)...)
	}
	pod := func(name string, v float64, more ...string) series.Series {
		return hourly(n, constant(v), append([]string{"namespace", "shop", "pod", name + "-a"}, more...)...)
	}
	answers := map[string][]series.Series{
		"workload_cpu_request":    {many("rank", 1), many("blind", 1)},
		"workload_memory_request": {many("rank", 1<<30), many("blind", 1<<30)},
		"workload_owner":          {many("rank", 1, "owner_kind", "ReplicaSet")},
		"gpu_request":             {of("rank", 2), of("blind", 1)},
		"gpu_pods":                {of("rank", 1), of("blind", 1)},
		"gpu_used":                {of("rank", 0)}, "gpu_peak": {of("rank", 0)}, "gpu_seen": {of("rank", 2)}, "gpu_memory": {of("rank", 0.01)},
		"node_cpu":           {hourly(n, constant(8), "node", "a"), hourly(n, constant(8), "node", "b")},
		"node_memory":        {hourly(n, constant(32<<30), "node", "a"), hourly(n, constant(32<<30), "node", "b")},
		"node_gpu":           {hourly(n, constant(4), "node", "b")},
		"pod_cpu_request":    {pod("rank", 1, "workload", "rank"), pod("blind", 1, "workload", "blind")},
		"pod_memory_request": {pod("rank", 1<<30), pod("blind", 1<<30)},
		"pod_gpu_request":    {pod("rank", 2), pod("blind", 1)},
	}
	p := prices
	p.GPUHour = 0.95
	rs := pass(t, costUnit(t, p), n, answers)
	got := recommendations(t, rs)
	r := got["gpu_underused rank"]
	if r.State != recommend.StateOpen || r.Target.Kind != "Deployment" || r.Impact.SavingsMonthly == nil || math.Abs(*r.Impact.SavingsMonthly-2*0.95*730) > 0.01 || r.Impact.PriceSource != "config" || len(r.Patch) != 1 {
		t.Errorf("%+v", r)
	}
	if real := r.Impact.SavingsRealisable; real == nil || *real != 0 { // the other one needs the node with GPUs
		t.Errorf("realisable %v, want none", real)
	}
	if r := got["gpu_underused blind"]; !blocked(r, recommend.BlockNoUsage) || r.Impact.SavingsMonthly != nil {
		t.Errorf("a GPU that nobody measures: %+v", r)
	}
	if r, ok := got["node_count default"]; !ok || !strings.Contains(strings.Join(r.Reasons, " "), "[a]") {
		t.Errorf("%+v, want the node without GPUs to go", r)
	}
	cores := answers["pod_cpu_request"]
	answers["pod_cpu_request"], answers["pod_memory_request"] = []series.Series{pod("front", 1, "workload", "front")}, nil
	if r, ok := recommendations(t, pass(t, costUnit(t, p), n, answers))["node_count default"]; ok {
		t.Errorf("%+v, want the node of pods that request nothing but GPUs to stay", r)
	}
	answers["pod_cpu_request"], answers["pod_memory_request"] = cores, []series.Series{pod("rank", 1<<30), pod("blind", 1<<30)}
	for _, r := range rs { // two workloads of a core and a GiB, three GPUs
		if c := r.Plan.Cost; c != nil && r.Labels.Get("scope") == "total" && math.Abs(c.Value[0]-168*(2*0.034+3*0.95)) > 0.01 {
			t.Errorf("a week costs %v", c.Value)
		}
	}
	answers["gpu_price"] = []series.Series{hourly(n, constant(2))}
	answers["workload_cost"] = []series.Series{many("rank", 4.034), many("blind", 2.034)}
	answers["gpu_request"][1], answers["gpu_pods"][1] = of("blind", 5), of("blind", 5)
	answers["gpu_used"], answers["gpu_peak"] = append(answers["gpu_used"], of("blind", 2)), append(answers["gpu_peak"], of("blind", 0.9))
	answers["gpu_seen"] = append(answers["gpu_seen"], of("blind", 5))
	r = recommendations(t, pass(t, costUnit(t, p), n, answers))["gpu_underused blind"]
	if r.State != recommend.StateOpen || r.Recommended[recommend.ReplicaCount] != 3 || r.Target.Kind != recommend.AnyWorkload || len(r.Patch) != 0 || r.Impact.PriceSource != "opencost" {
		t.Errorf("three pods of five do, at a price of OpenCost: %+v", r)
	}
}

// TestFactsOfGPUs: at configured prices GPUs are in what a workload and the nodes cost, so that GPUs which are given
// back are not taken off the savings of CPU and memory.
func TestFactsOfGPUs(t *testing.T) {
	p := Prices{Currency: "EUR", CPUHour: 0.03, MemoryGiBHour: 0.004, GPUHour: 1}
	facts := func(more map[string]series.Series) *facts {
		in := pipeline.Input{Series: series.Set{}}
		for name, s := range more {
			in.Series[name] = series.Data{Series: []series.Series{s}}
		}
		return factsOf(in, p, nil, false)
	}
	asked := map[string]series.Series{
		factPods: fact(0, 1, app("rank", "pod", "rank-a")...), "sizing_cpu_request": fact(0, 1, app("rank")...), "sizing_gpu_request": fact(0, 2, app("rank")...),
		"sizing_target": fact(0, 1, "namespace", "shop", "workload", "rank", "owner_kind", "Deployment"),
	}
	f := facts(asked)
	if got, want := f.left[recommend.Target{Namespace: "shop", Kind: "Deployment", Name: "rank"}], 2.03*730; math.Abs(got-want) > 1e-9 || math.Abs(f.total-want) > 1e-9 {
		t.Errorf("the workload costs %v, all %v, want %v; %v", got, f.total, want, f.left)
	}
	asked["sizing_node_cpu"], asked["sizing_node_memory"], asked["sizing_node_gpu"] = fact(0, 8, "node", "a"), fact(0, 32<<30, "node", "a"), fact(0, 4, "node", "a")
	if f, want := facts(asked), (8*0.03+32*0.004+4)*730; math.Abs(f.total-want) > 1e-9 {
		t.Errorf("the node costs %v, want %v", f.total, want)
	}
	asked["sizing_node_cost"] = fact(0, 5, "node", "a")
	if f := facts(asked); math.Abs(f.total-5*730) > 1e-9 {
		t.Errorf("a node with a price costs %v", f.total)
	}
}
