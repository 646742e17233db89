//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/upid/upid/rules/recommend"
)

// sizesCluster is a cluster as kube-state-metrics, cAdvisor and OpenCost export it: a month of usage, and a few hours of
// what is set. It goes on while the test runs.
type sizesCluster struct{ end time.Time }

// sizesApp is a workload of one container.
type sizesApp struct {
	name, kind, pods string  // pods separated by blanks
	days             float64 // of history
	cpu, mib         float64 // mean of a pod
	askCPU, askMiB   float64 // requested
	limitMiB         float64 // 0: none
}

var sizesApps = []sizesApp{
	{"cart", "Deployment", "cart-7d9f8b6c5d-x2k4p cart-7d9f8b6c5d-b7h2m", 29, 0.2, 200, 2, 2048, 2048},
	{"web", "Deployment", "web-6c5d7d9f8b-q9w2z web-6c5d7d9f8b-r4t5v", 9, 0.3, 150, 0.8, 1024, 1024},
	{"db", "StatefulSet", "db-0", 9, 0.5, 900, 0.6, 1024, 1024},
	{"edge", "Deployment", "edge-5d8b9f7c6d-z6x4v", 9, 0.2, 480, 0.25, 512, 512}, // 94 % of its limit
	{"free", "Deployment", "free-9f7c5d8b6d-m2n4b", 9, 0.2, 200, 1, 1024, 0},
	{"fresh", "Deployment", "fresh-8b6d9f7c5d-k7l5j", 1, 0.2, 200, 1, 1024, 1024},
	{"tuned", "Deployment", "tuned-7c5d8b6d9f-h8g6f", 9, 0.2, 200, 1, 1024, 1024}, // by a VerticalPodAutoscaler
}

const sizesHistory = 29 * 24 * time.Hour

// each calls yield for every series at a time; what is set only in the last hours.
func (c sizesCluster) each(at time.Time, yield func(metric, kind, labels string, v float64)) {
	const day = 86400
	x := at.Sub(c.end.Add(-sizesHistory)).Seconds()
	recently := c.end.Sub(at) < 4*time.Hour
	for i, a := range sizesApps {
		if c.end.Sub(at) > time.Duration(a.days*float64(24*time.Hour)) {
			continue
		}
		for k, pod := range strings.Fields(a.pods) {
			phase := 2*math.Pi*x/day + float64(i)
			cadvisor := fmt.Sprintf(`namespace="shop",pod=%q,container=%q,node="node-%d",id="/kubepods/%d-%d",image="registry/%s:1",name="c%d"`, pod, a.name, k, i, k, a.name, i)
			yield("container_cpu_usage_seconds", "counter", cadvisor+`,cpu="total"`, a.cpu*(x-0.4*day/(2*math.Pi)*math.Cos(phase)+day))
			yield("container_memory_working_set_bytes", "gauge", cadvisor, a.mib*(1<<20)*(1+0.02*math.Sin(phase)))
			if !recently {
				continue
			}
			state := fmt.Sprintf(`namespace="shop",pod=%q,uid="u%d%d"`, pod, i, k)
			in := state + fmt.Sprintf(`,container=%q,node="node-%d"`, a.name, k)
			yield("container_start_time_seconds", "gauge", cadvisor, float64(c.end.Add(-sizesHistory).Unix()))
			yield("kube_pod_container_info", "gauge", state+fmt.Sprintf(`,container=%q,image="registry/%s:1",container_id="containerd://%d"`, a.name, a.name, i), 1)
			owner := map[string]string{"Deployment": "ReplicaSet"}[a.kind]
			if owner == "" {
				owner = a.kind
			}
			yield("kube_pod_owner", "gauge", state+fmt.Sprintf(`,owner_kind=%q,owner_name="x",owner_is_controller="true"`, owner), 1)
			yield("kube_pod_status_phase", "gauge", state+`,phase="Running"`, 1)
			yield("kube_pod_container_resource_requests", "gauge", in+`,resource="cpu",unit="core"`, a.askCPU)
			yield("kube_pod_container_resource_requests", "gauge", in+`,resource="memory",unit="byte"`, a.askMiB*(1<<20))
			if a.limitMiB > 0 {
				yield("kube_pod_container_resource_limits", "gauge", in+`,resource="memory",unit="byte"`, a.limitMiB*(1<<20))
			}
			opencost := fmt.Sprintf(`namespace="shop",pod=%q,container=%q,node="node-%d"`, pod, a.name, k)
			yield("container_cpu_allocation", "gauge", opencost, a.askCPU)
			yield("container_memory_allocation_bytes", "gauge", opencost, a.askMiB*(1<<20))
		}
		if recently && a.kind == "Deployment" {
			yield("kube_deployment_spec_replicas", "gauge", fmt.Sprintf(`namespace="shop",deployment=%q`, a.name), float64(len(strings.Fields(a.pods))))
		}
	}
	if !recently {
		return
	}
	yield("kube_statefulset_replicas", "gauge", `namespace="shop",statefulset="db"`, 1)
	const web = `namespace="shop",horizontalpodautoscaler="web"`
	yield("kube_horizontalpodautoscaler_info", "gauge", web+`,scaletargetref_api_version="apps/v1",scaletargetref_kind="Deployment",scaletargetref_name="web"`, 1)
	yield("kube_horizontalpodautoscaler_spec_target_metric", "gauge", web+`,metric_name="cpu",metric_target_type="utilization"`, 40)
	yield("kube_horizontalpodautoscaler_spec_min_replicas", "gauge", web, 2)
	yield("kube_horizontalpodautoscaler_spec_max_replicas", "gauge", web, 6)
	yield("kube_horizontalpodautoscaler_status_desired_replicas", "gauge", web, 2)
	yield("kube_customresource_verticalpodautoscaler_spec_updatepolicy_updatemode", "gauge", `namespace="shop",verticalpodautoscaler="tuned",target_name="tuned",target_kind="Deployment",update_mode="Auto"`, 1)
	for k := range 3 {
		node := fmt.Sprintf(`node="node-%d"`, k)
		yield("kube_node_info", "gauge", node+`,kubelet_version="v1.34.1",os_image="Ubuntu 24.04"`, 1)
		yield("kube_node_status_allocatable", "gauge", node+`,resource="cpu",unit="core"`, 4)
		yield("kube_node_status_allocatable", "gauge", node+`,resource="memory",unit="byte"`, 16<<30)
		cost := node + fmt.Sprintf(`,instance="node-%d",instance_type="m5.xlarge",region="eu-west-1",provider_id="aws:///%d"`, k, k)
		yield("node_cpu_hourly_cost", "gauge", cost, 0.03)
		yield("node_ram_hourly_cost", "gauge", cost, 0.004)
		yield("node_total_hourly_cost", "gauge", cost, 4*0.03+16*0.004)
	}
}

// TestSizesLive: a real Prometheus with the series of cAdvisor, kube-state-metrics and OpenCost leads to right-sizes
// as metrics, a table, and patches that the types of the Kubernetes API take and take back.
func TestSizesLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers and runs for half a minute")
	}
	t.Parallel()
	c := sizesCluster{end: time.Now()}
	live := startBeside(t, past(c.end, sizesHistory, 2*time.Minute, `job="k8s"`, c.each), func(prom string) string {
		return fmt.Sprintf("prometheus: {url: %s}\npresets: [workloads]\ncosts: {currency: EUR}\nrecommendations: {policy: balanced}\n", prom)
	}, []string{"start", "--interval", "5"}, scrapeJob{job: "k8s", url: exporter(c.each).serve(t), honor: true})
	prom, addr := live.prom, live.addr
	found := map[string]recommend.Recommendation{}
	eventually(t, 300*time.Second, "a right-size of each workload, with savings", func() error {
		_, body, err := getText("http://" + addr + "/api/v1/recommendations?kind=right_size&state=all")
		if err != nil {
			return err
		}
		var got struct{ Data []recommend.Recommendation }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			return fmt.Errorf("%w: %s", err, body)
		}
		for _, r := range got.Data {
			found[r.Target.Name] = r
		}
		if len(got.Data) != len(sizesApps) || found["cart"].Impact.SavingsMonthly == nil {
			return fmt.Errorf("%d right-sizes, cart saves %v", len(got.Data), found["cart"].Impact.SavingsMonthly)
		}
		return nil
	})
	t.Run("decisions", func(t *testing.T) { sizesDecided(t, found) })
	t.Run("metrics", func(t *testing.T) {
		eventually(t, 60*time.Second, "they are scraped", func() error {
			_, err := one(prom.URL, `upid_recommendation_info{kind="right_size",optimization_type="cost_reduction",workload="cart",workload_kind="Deployment",container="cart"}`)
			return err
		})
		for expr, want := range map[string]float64{
			`upid_recommendation_target_value{kind="right_size",workload="cart",resource="cpu_request_cores"}`: found["cart"].Recommended[recommend.CPURequest],
			`upid_recommendation_savings_monthly{kind="right_size",workload="cart",currency="EUR"}`:            *found["cart"].Impact.SavingsMonthly,
			`upid_recommendation_confidence_ratio{kind="right_size",workload="cart"}`:                          found["cart"].Confidence,
		} {
			if v, err := one(prom.URL, expr); err != nil || math.Abs(v-want) > 0.01*want {
				t.Errorf("%s is %v (%v), want %v", expr, v, err, want)
			}
		}
		if v, err := one(prom.URL, `sum(upid_recommendation_savings_monthly)`); err != nil || v > 3*(4*0.03+16*0.004)*730 {
			t.Errorf("savings of %v (%v) of a cluster that costs %v", v, err, 3*(4*0.03+16*0.004)*730)
		}
		if ss, err := promQL(prom.URL, `upid_recommendation_info{workload=~"fresh|tuned",kind="right_size"}`); err != nil || len(ss) > 0 {
			t.Errorf("what is held back is a metric: %v, %v", ss, err)
		}
	})
	t.Run("table", func(t *testing.T) {
		o := upid(t, "", "ml-enhancement recommendations --optimization-type cost_reduction --confidence-threshold 0.8 --address http://"+addr)
		for _, want := range []string{"deployment shop/cart cart", "CPU request 2000m →", "a month", `confidence 0\.[89]\d (high|very high)`} {
			if o.code != exitOK || !regexp.MustCompile(want).MatchString(o.stdout) {
				t.Errorf("no %q in exit %d\n%s%s", want, o.code, o.stdout, o.stderr)
			}
		}
		if o := upid(t, "", "recommendations --kind right_size -o csv --all --confidence-threshold 0 --address http://"+addr); strings.Count(o.stdout, "\n") != len(sizesApps)+1 {
			t.Errorf("%s%s", o.stdout, o.stderr)
		}
	})
	t.Run("patch", func(t *testing.T) { sizesPatched(t, "http://"+addr) })
}

// sizesDecided says what is to be said of each workload.
func sizesDecided(t *testing.T, found map[string]recommend.Recommendation) {
	cart := found["cart"]
	if cpu, m := cart.Recommended[recommend.CPURequest], cart.Recommended[recommend.MemoryLimit]; cart.State != recommend.StateOpen || cart.Confidence < 0.8 || cpu < 0.25 || cpu > 0.45 || m < 204<<20 || m > 400<<20 {
		t.Errorf("cart: %+v", cart)
	}
	saved := 2 * 730 * ((2-cart.Recommended[recommend.CPURequest])*0.03 + (2-cart.Recommended[recommend.MemoryRequest]/(1<<30))*0.004)
	if s := cart.Impact.SavingsMonthly; math.Abs(*s-saved) > 0.01*saved || cart.Impact.PriceSource != "opencost" || cart.Impact.SavingsRealisable == nil {
		t.Errorf("cart saves %v, want %v; %+v", *s, saved, cart.Impact)
	}
	if r := found["web"]; r.State != recommend.StateOpen || len(r.Patch) != 2 || math.Abs(r.Recommended[recommend.CPURequest]*r.Recommended[recommend.HPATarget]-0.8*0.4) > 0.01 {
		t.Errorf("web, with an autoscaler: %+v", r)
	}
	if r := found["edge"]; r.Urgency != recommend.UrgencyNow || r.State != recommend.StateOpen || r.Recommended[recommend.MemoryLimit] < 550<<20 || r.Patch[0].Kind != "Pod" || r.Patch[0].Subresource != "resize" {
		t.Errorf("edge, at its limit: %+v", r)
	}
	if r := found["free"]; r.State != recommend.StateOpen || r.Impact.OOM.Before != nil {
		t.Errorf("free, without limit: %+v", r)
	}
	for name, code := range map[string]string{"fresh": recommend.BlockShortHistory, "tuned": recommend.BlockVPA} {
		if r := found[name]; r.State != recommend.StateBlocked || !slices.ContainsFunc(r.Blockers, func(b recommend.Blocker) bool { return b.Code == code }) || len(r.Patch) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// kubectlCall is a call that a shell makes.
type kubectlCall struct{ kind, name, subresource, patchType, body string }

// kubectlCalls runs a script with a kubectl that notes its arguments.
func kubectlCalls(t *testing.T, script string) (out []kubectlCall) {
	t.Helper()
	b, err := exec.Command("sh", "-c", "kubectl() { printf '%s\\0' \"$@\" END; }\n"+script).Output()
	if err != nil {
		t.Fatal(err)
	}
	for call := range strings.SplitSeq(strings.TrimSuffix(string(b), "END\x00"), "END\x00") {
		args := strings.Split(strings.TrimSuffix(call, "\x00"), "\x00")
		if len(args) < 5 || args[0] != "--namespace" || args[2] != "patch" {
			t.Fatalf("kubectl %q", args)
		}
		k := kubectlCall{kind: args[3], name: args[4]}
		for i := 5; i+1 < len(args); i += 2 {
			switch args[i] {
			case "--type":
				k.patchType = args[i+1]
			case "--subresource":
				k.subresource = args[i+1]
			case "--patch":
				k.body = args[i+1]
			}
		}
		out = append(out, k)
	}
	return out
}

// object returns an empty object of the kind of a call, by the types of the Kubernetes API.
func (k kubectlCall) object(t *testing.T) any {
	switch k.kind {
	case "deployment":
		return &appsv1.Deployment{}
	case "statefulset":
		return &appsv1.StatefulSet{}
	case "pod":
		return &corev1.Pod{}
	case "horizontalpodautoscaler":
		return &autoscalingv2.HorizontalPodAutoscaler{}
	}
	t.Fatalf("kubectl patch %s", k.kind)
	return nil
}

// sizesPatched applies the patches as printed to objects of the Kubernetes API, and takes them back.
func sizesPatched(t *testing.T, address string) {
	script := upid(t, "", "recommendations --kind right_size -o patch --confidence-threshold 0 --address "+address)
	undo := upid(t, "", "recommendations --kind right_size -o patch --reverse --confidence-threshold 0 --address "+address)
	calls, back := kubectlCalls(t, script.stdout), kubectlCalls(t, undo.stdout)
	if len(calls) < 4 || len(calls) != len(back) {
		t.Fatalf("%d calls, %d to undo them\n%s%s", len(calls), len(back), script.stdout, script.stderr)
	}
	kinds := map[string]int{}
	for _, k := range calls {
		kinds[k.kind]++
		strict := json.NewDecoder(strings.NewReader(k.body))
		strict.DisallowUnknownFields()
		if err := strict.Decode(k.object(t)); err != nil {
			t.Errorf("%s %s is not of the Kubernetes API: %v\n%s", k.kind, k.name, err, k.body)
		}
		if k.patchType != "strategic" || k.kind == "pod" != (k.subresource == "resize") {
			continue
		}
		i := slices.IndexFunc(sizesApps, func(a sizesApp) bool { return strings.HasPrefix(k.name, a.name) })
		before := k.object(t)
		setContainer(before, sizesApps[i])
		original, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		after, err := strategicpatch.StrategicMergePatch(original, []byte(k.body), k.object(t))
		if err != nil {
			t.Fatalf("%s %s: %v", k.kind, k.name, err)
		}
		r := slices.IndexFunc(back, func(b kubectlCall) bool { return b.kind == k.kind && b.name == k.name })
		if r < 0 || bytes.Equal(after, original) {
			t.Fatalf("%s %s: nothing changed, or nothing undoes it", k.kind, k.name)
		}
		undone, err := strategicpatch.StrategicMergePatch(after, []byte(back[r].body), k.object(t))
		if err != nil {
			t.Fatal(err)
		}
		a, b := k.object(t), k.object(t)
		if err := json.Unmarshal(original, a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(undone, b); err != nil {
			t.Fatal(err)
		}
		if x, y := quantities(a), quantities(b); !reflect.DeepEqual(x, y) {
			t.Errorf("%s %s: %v, undone %v", k.kind, k.name, x, y)
		}
	}
	if kinds["deployment"] == 0 || kinds["pod"] == 0 || kinds["horizontalpodautoscaler"] == 0 {
		t.Errorf("patches of %v", kinds)
	}
}

// podSpec returns that of an object.
func podSpec(o any) *corev1.PodSpec {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return &o.Spec.Template.Spec
	case *corev1.Pod:
		return &o.Spec
	}
	return &corev1.PodSpec{}
}

func setContainer(o any, a sizesApp) {
	c := corev1.Container{Name: a.name, Image: "registry/" + a.name + ":1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(int64(1000*a.askCPU), resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity(int64(a.askMiB)<<20, resource.BinarySI),
	}}}
	if a.limitMiB > 0 {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(int64(a.limitMiB)<<20, resource.BinarySI)}
	}
	podSpec(o).Containers = []corev1.Container{{Name: "side", Image: "x"}, c}
}

// quantities are the amounts of every container of an object.
func quantities(o any) map[string]int64 {
	out := map[string]int64{}
	for _, c := range podSpec(o).Containers {
		for where, l := range map[string]corev1.ResourceList{"request": c.Resources.Requests, "limit": c.Resources.Limits} {
			for name, q := range l {
				out[c.Name+" "+where+" "+string(name)] = q.MilliValue()
			}
		}
	}
	return out
}
