package recommend

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sample is a recommendation with every field set.
func sample() Recommendation {
	r := New(RightSize, Target{Cluster: "eu-1", Namespace: "shop", Kind: "Deployment", Name: "checkout", Container: "app"}, "")
	r.Action = "Lower the CPU request from 500m to 180m."
	r.Current = Amounts{CPURequest: 0.5, MemoryRequest: 1 << 30, MemoryLimit: 1 << 30}
	r.Recommended = Amounts{CPURequest: 0.18}
	r.Impact.SavingsMonthly, r.Impact.SavingsRealisable = new(11.42), new(7.9)
	r.Impact.Currency, r.Impact.PriceSource = "USD", "opencost"
	r.Impact.Performance = "CPU above its request 1.1 % of the time, 0.1 % now"
	r.Impact.Violation = Probabilities{Before: new(0.001), After: new(0.011)}
	r.Impact.OOM = Probabilities{Before: new(0.02), After: nil}
	r.SetConfidence(Part{Name: "history", Value: 1, Why: "28 of 28 days"}, Part{Name: "stability", Value: 0.83, Why: "level moved 6 d ago"})
	r.Risk.Effort = EffortInPlace
	r.Steps = []string{"Apply the patch.", "Watch throttling for a day."}
	r.Rollback = []string{"Apply the reverse patch."}
	r.Evidence = []Evidence{{
		Metric: "container_cpu_usage_seconds_total", Query: `rate(container_cpu_usage_seconds_total{container="app"}[5m])`,
		Window: "28d", Points: 8064, Statistic: "p99, half-life 3 d", Value: new(0.171), Unit: "cores",
		Backtest: &Backtest{Weeks: 4, Violations: new(0.009), OOM: nil},
	}}
	r.Reasons = []string{"Usage stays below 0.17 cores 99 % of the time."}
	r.ExpiresAt = 1764892800
	patch := Patch{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "checkout", Type: "strategic"}
	patch.Body = json.RawMessage(`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"180m"}}}]}}}}`)
	r.Patch = []Patch{patch}
	patch.Body = json.RawMessage(`{"spec":{"template":{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"500m"}}}]}}}}`)
	r.ReversePatch = []Patch{patch}
	return r
}

// TestRecommendation_golden holds the JSON that scripts read, full and as New made it.
func TestRecommendation_golden(t *testing.T) {
	empty := New(Replicas, Target{Namespace: "shop", Kind: "Deployment", Name: "cart"}, "schedule")
	empty.Block(BlockShortHistory, "Wait until there are 7 days of history.")
	got, err := json.MarshalIndent([]Recommendation{sample(), empty}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := filepath.Join("testdata", "recommendations.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("UPDATE=1 go test writes it anew; got\n%s", got)
	}
	var back []Recommendation
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	for i := range back { // the indentation of bodies
		for _, ps := range [][]Patch{back[i].Patch, back[i].ReversePatch} {
			for k := range ps {
				var b bytes.Buffer
				if err := json.Compact(&b, ps[k].Body); err != nil {
					t.Fatal(err)
				}
				ps[k].Body = b.Bytes()
			}
		}
	}
	if !reflect.DeepEqual(back, []Recommendation{sample(), empty}) {
		t.Errorf("read back: %+v", back)
	}
	if strings.Contains(string(got), "null,\n  \"steps\"") {
		t.Error("an empty list is null")
	}
}

func TestIdentity(t *testing.T) {
	a := sample()
	b := sample()
	b.Recommended[CPURequest], b.ExpiresAt = 0.2, 0
	if again := New(b.Kind, b.Target, ""); again.ID != a.ID || b.ID != a.ID {
		t.Errorf("%s, %s, %s: amounts and times change the id", a.ID, b.ID, again.ID)
	}
	seen := map[string]bool{}
	targets := []Target{
		{}, {Namespace: "ab"}, {Namespace: "a", Kind: "b"}, {Kind: "ab"}, {Cluster: "ab"}, {Name: "ab"}, {Container: "ab"},
	}
	for kind := range Kinds {
		for _, target := range targets {
			for _, action := range []string{"", "ab"} {
				id := New(kind, target, action).ID
				if seen[id] || !strings.HasPrefix(id, string(kind)+"-") {
					t.Errorf("%s of %+v, %q", id, target, action)
				}
				seen[id] = true
			}
		}
	}
}

func TestSort(t *testing.T) {
	var rs []Recommendation
	add := func(name string, state State, urgency Urgency, saves *float64) {
		r := New(RightSize, Target{Name: name}, "")
		r.State, r.Urgency, r.Impact.SavingsMonthly = state, urgency, saves
		rs = append(rs, r)
	}
	add("now", StateOpen, UrgencyNow, new(-3.0))
	add("much", StateOpen, UrgencyNormal, new(30.0))
	add("little", StateOpen, UrgencyNormal, new(3.0))
	add("unknown", StateOpen, UrgencyNormal, nil)
	add("costs", StateOpen, UrgencyNormal, new(-1.0))
	add("blocked", StateBlocked, UrgencyNow, new(100.0))
	add("kept", StateKept, UrgencyNormal, new(100.0))
	want := "now much little unknown costs blocked kept"
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		rng.Shuffle(len(rs), func(i, k int) { rs[i], rs[k] = rs[k], rs[i] })
		Sort(rs)
		var names []string
		for _, r := range rs {
			names = append(names, r.Target.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

func TestFilter(t *testing.T) {
	a, b := sample(), sample()
	b.Confidence, b.OptimizationType = 0.5, CostReduction
	f := func(want int, least float64, types ...OptimizationType) {
		t.Helper()
		if got := len(Filter([]Recommendation{a, b}, least, types...)); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	f(2, 0)
	f(1, 0.8)
	f(1, 0, CostReduction)
	f(0, 0.8, CostReduction)
	f(2, 0.5, CostReduction, ResourceScaling)
}

func TestCheck(t *testing.T) {
	if err := sample().Check(); err != nil {
		t.Error(err)
	}
	f := func(want string, spoil func(*Recommendation)) {
		t.Helper()
		r := sample()
		spoil(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("not in Kinds", func(r *Recommendation) { r.Kind = "x" })
	f("optimization type", func(r *Recommendation) { r.OptimizationType = "x" })
	f("no target", func(r *Recommendation) { r.Target = Target{} })
	f("cpu_request_cores is NaN", func(r *Recommendation) { r.Recommended[CPURequest] = math.NaN() })
	f("cpu_request_cores is +Inf", func(r *Recommendation) { r.Current[CPURequest] = math.Inf(1) })
	f("confidence 1.1", func(r *Recommendation) { r.Confidence = 1.1 })
	f("part history", func(r *Recommendation) { r.ConfidenceParts[0].Value = math.NaN() })
	f("probability 2", func(r *Recommendation) { r.Impact.OOM.After = new(2.0) })
	f("more realisable", func(r *Recommendation) { r.Impact.SavingsRealisable = new(12.0) })
	f("more realisable", func(r *Recommendation) { r.Impact.SavingsMonthly = nil })
	f("without currency", func(r *Recommendation) { r.Impact.Currency = "" })
	f("savings are NaN", func(r *Recommendation) { r.Impact.SavingsMonthly = new(math.NaN()) })
	f("evidence", func(r *Recommendation) { r.Evidence[0].Value = new(math.Inf(-1)) })
	f("without a reason", func(r *Recommendation) { r.Reasons = nil })
	f("blocked by nothing", func(r *Recommendation) { r.State = StateBlocked })
	f("state", func(r *Recommendation) { r.State = "x" })
	f("0 to undo", func(r *Recommendation) { r.ReversePatch = nil })
	f("not JSON", func(r *Recommendation) { r.Patch[0].Body = []byte("{") })
	cost := sample() // a raise that costs has nothing to realise
	cost.Impact.SavingsMonthly, cost.Impact.SavingsRealisable = new(-4.0), new(0.0)
	if err := cost.Check(); err != nil {
		t.Error(err)
	}
}

func TestNumber(t *testing.T) {
	if got := Number(0); got == nil || *got != 0 {
		t.Error("0 is a number")
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if Number(v) != nil {
			t.Errorf("%g is none", v)
		}
	}
}
