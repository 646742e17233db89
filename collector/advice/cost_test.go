package advice

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/recommend"
)

// hoursOf28Days end on 1970-01-29T00:00Z, a Thursday.
const hoursOf28Days = 28*24 + 1

var prices = Prices{Currency: "USD", CPUHour: 0.03, MemoryGiBHour: 0.004, StorageGiBHour: 0.0001, Budget: 0}

func costUnit(t *testing.T, p Prices) *Unit {
	t.Helper()
	model, err := forecast.New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	return unitOfAll(t, Costs(p, model))
}

// recommendations decodes those in rs, by kind and name of the target.
func recommendations(t *testing.T, rs []series.Result) map[string]recommend.Recommendation {
	t.Helper()
	out := map[string]recommend.Recommendation{}
	for _, r := range rs {
		if r.Plan == nil || r.Plan.Advice == nil {
			continue
		}
		var x recommend.Recommendation
		if err := json.Unmarshal(r.Plan.Advice.Object, &x); err != nil {
			t.Fatal(err)
		}
		out[string(x.Kind)+" "+x.Target.Name] = x
	}
	return out
}

func workloadLabels(name string) []string { return []string{"namespace", "shop", "workload", name} }

// TestCosts is a shop of four workloads by OpenCost: one idle, one quiet at night, one fit for spot
// machines and one that is none of these, on three nodes of which two are enough.
func TestCosts(t *testing.T) {
	const n = hoursOf28Days
	night := func(i int) float64 {
		if h := i % 24; h >= 22 || h < 7 {
			return 0.02
		}
		return 1
	}
	many := func(name string, at func(int) float64) series.Series { return hourly(n, at, workloadLabels(name)...) }
	answers := map[string][]series.Series{
		"workload_cost":     {many("idle", constant(0.02)), many("quiet", constant(0.2)), many("spot", constant(0.1)), many("other", constant(0.05))},
		"workload_cpu":      {many("idle", constant(0.001)), many("quiet", night), many("spot", constant(0.5)), many("other", constant(0.3))},
		"workload_network":  {many("idle", constant(10)), many("quiet", constant(1e6)), many("spot", constant(1e6)), many("other", constant(1e6))},
		"workload_replicas": {many("idle", constant(1)), many("quiet", constant(4)), many("spot", constant(3)), many("other", constant(2))},
		"workload_owner": {
			hourly(n, constant(1), append(workloadLabels("spot"), "owner_kind", "ReplicaSet")...), hourly(n, constant(1), append(workloadLabels("quiet"), "owner_kind", "ReplicaSet")...), hourly(n, constant(1), append(workloadLabels("other"), "owner_kind", "StatefulSet")...),
		},
		"workload_guarded": {many("spot", constant(1)), many("other", constant(1))},
		"node_cost":        {hourly(n, constant(0.2), "node", "a"), hourly(n, constant(0.2), "node", "b"), hourly(n, constant(0.2), "node", "c")},
		"node_cpu":         {hourly(n, constant(4), "node", "a"), hourly(n, constant(4), "node", "b"), hourly(n, constant(4), "node", "c")},
		"node_memory":      {hourly(n, constant(16<<30), "node", "a"), hourly(n, constant(16<<30), "node", "b"), hourly(n, constant(16<<30), "node", "c")},
	}
	for i := range 10 { // 5 cores of 12
		pod := []string{"namespace", "shop", "pod", string(rune('a' + i))}
		answers["pod_cpu_request"] = append(answers["pod_cpu_request"], hourly(n, constant(0.5), pod...))
		answers["pod_memory_request"] = append(answers["pod_memory_request"], hourly(n, constant(1<<30), pod...))
	}
	rs := pass(t, costUnit(t, prices), n, answers)
	got := recommendations(t, rs)
	saves := func(key string, want float64) {
		t.Helper()
		r, ok := got[key]
		if !ok || r.Impact.SavingsMonthly == nil || math.Abs(*r.Impact.SavingsMonthly-want) > 0.01*want {
			t.Errorf("%s: %+v, want to save %.2f", key, r.Impact, want)
		}
	}
	saves("idle_workload idle", 0.02*730)
	saves("spot_candidate spot", 0.1*0.6*730)
	saves("node_count default", 0.2*730)
	if r, ok := got["off_hours quiet"]; !ok || r.Recommended[recommend.ReplicasMin] != 1 || !strings.Contains(r.Action, "UTC instead of 4") {
		t.Errorf("off hours: %+v", r)
	}
	if r := got["replicas spot"]; len(got) != 5 || !blocked(r, recommend.BlockNoRequest) || r.Impact.SavingsMonthly != nil {
		t.Errorf("%d recommendations, want 5, and replicas without a request held back: %v", len(got), got)
	}
	if r := got["idle_workload idle"]; r.Target.Kind != recommend.AnyWorkload || strings.Contains(strings.Join(append(r.Steps, r.Rollback...), " "), "kubectl") {
		t.Errorf("idle, of an unknown kind: %v", r.Steps)
	}
	if real := got["node_count default"].Impact.SavingsRealisable; real == nil || *real != *got["node_count default"].Impact.SavingsMonthly {
		t.Error("a node that can go is real")
	}
	realised(t, n, answers)
	delete(answers, "workload_owner")
	if r, ok := recommendations(t, pass(t, costUnit(t, prices), n, answers))["off_hours quiet"]; ok {
		t.Errorf("off hours of a workload of which the owner is not known: %+v", r)
	}
	sum := 0.0
	for _, r := range got {
		if r.Impact.SavingsMonthly != nil {
			sum += *r.Impact.SavingsMonthly
		}
	}
	if sum > 0.6*730 {
		t.Errorf("savings of %.2f a month of a cluster that costs %.2f", sum, 0.6*730)
	}
	// A week costs 0.37 an hour, and so does the rest of January.
	seen := 0
	for _, r := range rs {
		if c := r.Plan.Cost; c != nil && r.Labels.Get("scope") == "total" {
			seen++
			if math.Abs(c.Value[0]-0.37*168) > 0.01 || math.Abs(c.Value[1]-0.37*72) > 0.01 || c.MonthEnd != 72*time.Hour || c.Lower[0] > c.Value[0] || c.Currency != "USD" {
				t.Errorf("spend %+v", c)
			}
		}
	}
	if seen != 1 {
		t.Errorf("%d totals", seen)
	}
}

// TestSavingsBelowCost: whatever is recommended saves no more than there is.
func TestSavingsBelowCost(t *testing.T) {
	const n = hoursOf28Days
	answers := map[string][]series.Series{
		"workload_cost":    {hourly(n, constant(1), workloadLabels("a")...), hourly(n, constant(1), workloadLabels("b")...)},
		"workload_cpu":     {hourly(n, constant(0), workloadLabels("a")...), hourly(n, constant(0), workloadLabels("b")...)},
		"workload_network": {hourly(n, constant(0), workloadLabels("a")...)},
		"node_cost":        {hourly(n, constant(0.5), "node", "a")}, // less than is allocated on it
	}
	sum := 0.0
	for _, r := range recommendations(t, pass(t, costUnit(t, prices), n, answers)) {
		sum += *r.Impact.SavingsMonthly
	}
	if sum > 0.5*730+1e-9 || sum == 0 {
		t.Errorf("savings of %.2f a month of %.2f", sum, 0.5*730)
	}
}

// TestOnly_savings: what is left out takes no savings from the others.
func TestOnly_savings(t *testing.T) {
	const n = hoursOf28Days
	one := func(v float64, ls ...string) []series.Series {
		return []series.Series{hourly(n, constant(v), append(workloadLabels("a"), ls...)...)}
	}
	answers := map[string][]series.Series{
		"workload_cost": one(1), "workload_cpu": one(0), "workload_network": one(0), "workload_replicas": one(3), "workload_guarded": one(1),
		"workload_owner": one(1, "owner_kind", "ReplicaSet"),
	}
	all := recommendations(t, pass(t, unitOfAll(t, Costs(prices, nil)), n, answers))
	if r := all["spot_candidate a"]; len(all) != 2 || *r.Impact.SavingsMonthly != 0 {
		t.Errorf("%+v, want nothing to save once it is scaled to zero", all)
	}
	alone := recommendations(t, pass(t, unitOfAll(t, Only(Costs(prices, nil), []string{"spot_candidate"})), n, answers))
	if r := alone["spot_candidate a"]; len(alone) != 1 || math.Abs(*r.Impact.SavingsMonthly-0.6*730) > 1e-9 {
		t.Errorf("%+v, want what spot machines save", alone)
	}
}

// TestCostByPriceTable: without OpenCost requests cost what the configuration says.
func TestCostByPriceTable(t *testing.T) {
	const n = hoursOf28Days
	answers := map[string][]series.Series{
		"workload_cpu_request":    {hourly(n, constant(2), workloadLabels("a")...), hourly(n, constant(2), workloadLabels("half")...)},
		"workload_memory_request": {hourly(n, constant(4<<30), workloadLabels("a")...)},
		"workload_cpu":            {hourly(n, constant(0.001), workloadLabels("a")...)},
	}
	rs := pass(t, costUnit(t, prices), n, answers)
	got := recommendations(t, rs)["idle_workload a"]
	if want := (2*0.03 + 4*0.004) * 730; got.Impact.PriceSource != "config" || got.Impact.SavingsMonthly == nil || math.Abs(*got.Impact.SavingsMonthly-want) > 1e-9 {
		t.Errorf("%+v, want %.2f by the configuration", got.Impact, want)
	}
}

// TestNoPrice: neither OpenCost nor requests is a reason, and no number.
func TestNoPrice(t *testing.T) {
	rs := pass(t, costUnit(t, prices), 48, map[string][]series.Series{"workload_cpu": {hourly(48, constant(1), workloadLabels("a")...)}})
	got := recommendations(t, rs)
	r := got["cost_inputs default"]
	if len(got) != 1 || r.State != recommend.StateBlocked || r.Blockers[0].Code != recommend.BlockNoPrice || r.Impact.SavingsMonthly != nil {
		t.Errorf("%+v", got)
	}
	for _, r := range rs {
		if r.Plan.Cost != nil {
			t.Errorf("a cost without a price: %+v", r.Plan.Cost)
		}
	}
}

// TestOneDay: of one day of history nothing is said.
func TestOneDay(t *testing.T) {
	answers := map[string][]series.Series{
		"workload_cost": {hourly(25, constant(1), workloadLabels("a")...)}, "workload_cpu": {hourly(25, constant(0), workloadLabels("a")...)},
		"workload_replicas": {hourly(25, constant(3), workloadLabels("a")...)},
	}
	if rs := pass(t, costUnit(t, prices), 25, answers); len(rs) != 0 {
		t.Errorf("%+v", rs)
	}
}

// TestCostAnomaly: the last day costs more than any, because one workload has three times its cores.
func TestCostAnomaly(t *testing.T) {
	const n = hoursOf28Days
	tripled := func(v float64) func(int) float64 {
		return func(i int) float64 {
			if i >= n-24 {
				return 3 * v
			}
			return v
		}
	}
	find := func(quantity func(int) float64) series.Finding {
		t.Helper()
		answers := map[string][]series.Series{
			"workload_cost":           {hourly(n, tripled(0.5), workloadLabels("jump")...), hourly(n, constant(0.5), workloadLabels("same")...)},
			"workload_cpu_allocation": {hourly(n, quantity, workloadLabels("jump")...), hourly(n, constant(4), workloadLabels("same")...)},
		}
		for _, r := range pass(t, costUnit(t, prices), n, answers) {
			if r.Labels.Get("scope") == "namespace" && len(r.Findings) == 1 {
				return r.Findings[0]
			}
		}
		t.Fatal("no finding")
		return series.Finding{}
	}
	f := find(tripled(4))
	if f.Note.Alert != rules.AlertCost || f.Family != rules.FamilyCost || f.Type != series.TypeSpike || !strings.Contains(f.Note.Description, "shop/jump: +24.00, by quantity: 12 instead of 4 cores") {
		t.Errorf("%+v %+v", f, f.Note)
	}
	if f = find(constant(4)); !strings.Contains(f.Note.Description, "by price: +200 %") {
		t.Errorf("%+v", f.Note)
	}
	if strings.Contains(f.Note.Description, "same") {
		t.Errorf("what did not move is named: %s", f.Note.Description)
	}
}

// TestCostFinding_free: what cost nothing before has a score that is a number.
func TestCostFinding_free(t *testing.T) {
	f := costFinding(Input{End: 1, Step: 1}, prices, nil, capacity.Spend{Days: []float64{0, 0, 0, 3}, Expected: 0, Error: 0}, "shop")
	if f == nil || math.IsInf(f.Peak, 0) || math.IsNaN(f.Peak) || f.Peak < 1 {
		t.Errorf("%+v", f)
	}
}

func TestBudget(t *testing.T) {
	const n = hoursOf28Days
	ask := func(budget float64) (recommend.Recommendation, *series.Capacity) {
		p := prices
		p.Budget = budget
		rs := pass(t, costUnit(t, p), n, map[string][]series.Series{"workload_cost": {hourly(n, constant(1), workloadLabels("a")...)}})
		var c *series.Capacity
		for _, r := range rs {
			if r.Plan.Capacity != nil {
				c = r.Plan.Capacity
			}
		}
		return recommendations(t, rs)["budget_overrun month"], c
	}
	// 672 are spent, and 72 to come.
	if r, c := ask(700); r.Urgency != recommend.UrgencyNow || c == nil || math.Abs(c.Median-27*3600) > 2*3600 {
		t.Errorf("%+v %+v", r, c)
	}
	if r, c := ask(800); r.ID != "" || c == nil || !math.IsNaN(c.Median) {
		t.Errorf("%+v %+v", r, c)
	}
}

// TestBudgetStart: an alert about the budget begins when it first would have been urgent, whenever the process
// started that says it.
func TestBudgetStart(t *testing.T) {
	p := prices
	p.Budget = 700
	var starts []int64
	for _, n := range []int{hoursOf28Days - 24, hoursOf28Days - 6, hoursOf28Days} { // each in a process of its own
		found := 0
		for _, r := range pass(t, costUnit(t, p), n, map[string][]series.Series{"workload_cost": {hourly(n, constant(1), workloadLabels("a")...)}}) {
			for _, f := range r.Findings {
				if r.Labels.Get("capacity") == "budget" {
					found++
					starts = append(starts, f.Start)
				}
			}
		}
		if found != 1 {
			t.Fatalf("%d findings after %d hours", found, n)
		}
	}
	// 744 are to be expected as soon as three days say what a day costs.
	if first := starts[0]; first < 60*3600_000 || first > 5*24*3600_000 {
		t.Errorf("it began after %d hours", first/3600_000)
	}
	if starts[0] != starts[1] || starts[0] != starts[2] {
		t.Errorf("it began at %v", starts)
	}
}

func TestVolumes(t *testing.T) {
	const n, gib = hoursOf28Days, 1 << 30
	claim := func(name string) []string { return []string{"namespace", "shop", "persistentvolumeclaim", name} }
	size := func(name string) series.Series {
		return hourly(n, constant(100*gib), append(claim(name), "volumename", "pv-"+name)...)
	}
	answers := map[string][]series.Series{
		"workload_cost":   {hourly(n, constant(1), workloadLabels("a")...)},
		"volume_size":     {size("gone"), size("big"), size("full")},
		"volume_attached": {hourly(n-10*24, constant(1), claim("gone")...), hourly(n, constant(1), claim("big")...), hourly(n, constant(1), claim("full")...)},
		"volume_used":     {hourly(n, constant(5*gib), claim("big")...), hourly(n, constant(70*gib), claim("full")...)},
		"volume_price":    {hourly(n, constant(0.0002), "volumename", "pv-big")},
	}
	got := recommendations(t, pass(t, costUnit(t, prices), n, answers))
	if r := got["unattached_volume gone"]; r.Impact.PriceSource != "config" || math.Abs(*r.Impact.SavingsMonthly-100*0.0001*730) > 1e-9 {
		t.Errorf("%+v", r)
	}
	if r := got["oversized_volume big"]; r.Impact.PriceSource != "opencost" || r.Recommended[recommend.StorageBytes] != 10*gib || math.Abs(*r.Impact.SavingsMonthly-90*0.0002*730) > 1e-9 {
		t.Errorf("%+v", r)
	}
	if len(got) != 2 {
		t.Errorf("%v", got)
	}
	// Without kube-state-metrics' view of pods no volume is called unattached.
	delete(answers, "volume_attached")
	if got := recommendations(t, pass(t, costUnit(t, prices), n, answers)); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestHealth(t *testing.T) {
	const n = 8 * 24
	c := func(name string) []string {
		return []string{"namespace", "shop", "workload", name, "container", "app"}
	}
	hpa := []string{"namespace", "shop", "horizontalpodautoscaler", "web"}
	answers := map[string][]series.Series{
		"throttled":              {hourly(n, constant(0.5), c("slow")...), hourly(n, constant(0.01), c("fine")...)},
		"oom_kills":              {hourly(n, func(i int) float64 { return float64((i % 48) / 47) }, c("killed")...), hourly(n, constant(0), c("fine")...)},
		"hpa_replicas":           {hourly(n, constant(10), hpa...)},
		"hpa_max":                {hourly(n, constant(10), hpa...)},
		"container_cpu":          {hourly(n, constant(1), c("greedy")...), hourly(n, constant(0.5), c("fine")...), hourly(n, constant(9), c("unknown")...)},
		"container_cpu_request":  {hourly(n, constant(0.5), c("greedy")...), hourly(n, constant(0.5), c("fine")...)},
		"containers":             {hourly(n, constant(1), c("fine")...), hourly(n, constant(1), c("boundless")...)},
		"container_memory_limit": {hourly(n, constant(1<<30), c("fine")...)},
		"policy_failures":        {hourly(n, constant(3), "policy_name", "no-root"), hourly(n, constant(0), "policy_name", "ok")},
		"audit_events":           {hourly(n-4, constant(20))},
	}
	got := recommendations(t, pass(t, unitOfAll(t, Health), n, answers))
	for _, want := range []string{
		"cpu_throttled slow", "oom_killed killed", "hpa_at_max web", "request_below_use greedy", "missing_limits boundless", "policy_failing no-root", "audit_silent default",
	} {
		if _, ok := got[want]; !ok {
			t.Errorf("no %s", want)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d recommendations, want 7: %v", len(got), got)
	}
	r := got["hpa_at_max web"]
	if len(r.Patch) != 1 || string(r.Patch[0].Body) != `{"spec":{"maxReplicas":15}}` || string(r.ReversePatch[0].Body) != `{"spec":{"maxReplicas":10}}` {
		t.Errorf("patch %+v", r.Patch)
	}
	if got["audit_silent default"].Urgency != recommend.UrgencyNow {
		t.Error("a silent audit log is urgent")
	}
	for key, r := range got {
		if !(r.Confidence < 0.995) {
			t.Errorf("%s is certain: %+v", key, r.ConfidenceParts)
		}
	}

	// Without kube-state-metrics there is a reason, and one day says nothing of weeks.
	got = recommendations(t, pass(t, unitOfAll(t, Health), 12, map[string][]series.Series{"throttled": {hourly(12, constant(1), c("slow")...)}}))
	if r := got["state_inputs default"]; len(got) != 1 || r.State != recommend.StateBlocked || r.Blockers[0].Code != recommend.BlockNoKubeState {
		t.Errorf("%v", got)
	}
}

// TestHealth_audit: an audit log that has stopped is an alert, which begins with the first look that found it
// silent, whatever look it is, and ends when there are events again.
func TestHealth_audit(t *testing.T) {
	const n, stopped = 8 * 24, 8*24 - 10
	u := unitOfAll(t, Health)
	find := func(n int, at func(int) float64) []series.Finding {
		t.Helper()
		for _, r := range pass(t, u, n, map[string][]series.Series{"audit_events": {hourly(n, at)}, "containers": {hourly(n, constant(1), "workload", "a")}, "container_memory_limit": {hourly(n, constant(1), "workload", "a")}}) {
			if len(r.Findings) > 0 {
				return r.Findings
			}
		}
		return nil
	}
	silent := func(i int) float64 {
		if i >= stopped {
			return 0
		}
		return 20
	}
	if fs := find(stopped+1, silent); len(fs) != 0 {
		t.Errorf("%+v after an hour", fs)
	}
	fs := find(n, silent)
	if len(fs) != 1 {
		t.Fatalf("%d alerts", len(fs))
	}
	f := fs[0]
	if f.Type != TypeAudit || f.Family != rules.FamilySecurity || !f.Open() || f.Start != (stopped+1)*hourMS || f.Severity != series.SeverityWarning || f.Note.Alert != rules.AlertCapacity || !strings.Contains(f.Note.FirstAction, "--audit-policy-file") {
		t.Errorf("%+v %+v", f, f.Note)
	}
	if again := find(n+1, silent); len(again) != 1 || again[0].ID != f.ID {
		t.Errorf("%+v, want the same an hour later", again)
	}
	fs = find(n+2, func(i int) float64 {
		if i == n+1 {
			return 20
		}
		return silent(i)
	})
	if len(fs) != 1 || fs[0].Open() {
		t.Errorf("%+v, want it to end", fs)
	}
}

// naive repeats the week before, 10 % either side.
type naive struct{}

func (naive) Forecast(dst *series.Forecast, y series.Series, _ forecast.Calendar, _ *forecast.Scratch) error {
	for i := range dst.Point {
		v := y.Values[len(y.Values)-168+i%168]
		dst.Point[i], dst.Lower[i], dst.Upper[i] = v, 0.9*v, 1.1*v
	}
	dst.Confidence = 0.9
	return nil
}

// TestReplicas: a Deployment of eight replicas of a core, which needs three at night and six by day, and the
// bounds of its autoscaler if it has one.
func TestReplicas(t *testing.T) {
	const n = 673
	demand := func(i int) float64 { // at 70 % of a core each
		if h := i % 24; h >= 8 && h < 20 {
			return 5.6 * 0.7 / 1.1
		}
		return 2.6 * 0.7 / 1.1
	}
	web := workloadLabels("web")
	answers := map[string][]series.Series{
		"workload_cost": {hourly(n, constant(0.8), web...)}, "workload_cpu": {hourly(n, demand, web...)}, "workload_replicas": {hourly(n, constant(8), web...)},
		"workload_cpu_request": {hourly(n, constant(8), web...)},
		"workload_owner":       {hourly(n, constant(1), append(web, "owner_kind", "ReplicaSet")...)},
	}
	unit := func() *Unit { return unitOfAll(t, Costs(prices, naive{})) }
	r := recommendations(t, pass(t, unit(), n, answers))["replicas web"]
	if r.State != recommend.StateOpen || r.Recommended[recommend.ReplicaCount] != 6 || r.Recommended[recommend.ReplicasMin] != 3 || len(r.Schedule) != 3 || len(r.Patch) != 1 || r.OptimizationType != recommend.CostReduction {
		t.Errorf("%+v", r)
	}
	// 3.5 replicas fewer on average, at 0.1 an hour each.
	if s := r.Impact.SavingsMonthly; s == nil || math.Abs(*s-3.5*0.1*730) > 1 {
		t.Errorf("saves %v", s)
	}
	hpa := append(web, "horizontalpodautoscaler", "web-hpa")
	answers["workload_hpa"] = []series.Series{hourly(n, constant(1), web...)}
	answers["workload_hpa_cpu"], answers["workload_hpa_min"], answers["workload_hpa_max"] = []series.Series{hourly(n, constant(0.7), hpa...)}, []series.Series{hourly(n, constant(8), hpa...)}, []series.Series{hourly(n, constant(10), hpa...)}
	r = recommendations(t, pass(t, unit(), n, answers))["replicas web"]
	if r.State != recommend.StateOpen || len(r.Patch) != 1 || r.Patch[0].Kind != "HorizontalPodAutoscaler" || r.Patch[0].Name != "web-hpa" || r.Recommended[recommend.ReplicasMin] != 3 || r.Recommended[recommend.ReplicasMax] != 10 {
		t.Errorf("with an autoscaler: %+v", r)
	}
	delete(answers, "workload_owner")
	if r, ok := recommendations(t, pass(t, unit(), n, answers))["replicas web"]; ok {
		t.Errorf("of an unknown kind: %+v", r)
	}
	only := unitOfAll(t, Only(Costs(prices, naive{}), []string{"idle_workload"}))
	if got := recommendations(t, pass(t, only, n, answers)); len(got) != 0 {
		t.Errorf("a kind that is not wanted: %v", got)
	}
}

// TestCustomName: what one custom limit is of is told apart by all its labels.
func TestCustomName(t *testing.T) {
	for _, f := range []struct {
		want string
		ls   []string
	}{
		{"a:9090", []string{"instance", "a:9090", "job", "prometheus", "namespace", "x"}},
		{"queue=mail", []string{"queue", "mail"}},
		{"a queue=mail", []string{"instance", "a", "queue", "mail"}},
		{"", nil},
	} {
		if got := customName(labels.FromStrings(f.ls...)); got != f.want {
			t.Errorf("%v: %q, want %q", f.ls, got, f.want)
		}
	}
}
