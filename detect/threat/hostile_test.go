package threat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// everyModel returns a detector of each model on the default settings.
func everyModel() []Spec {
	var specs []Spec
	for _, s := range []Spec{
		{Model: ModelRatio, Family: FamilyAuth, Threat: BruteForce},
		{Model: ModelCount, Family: FamilyAuth, Threat: BruteForce},
		{Model: ModelSequence, Family: FamilyAuth, Threat: BruteForceSuccess, After: ModelCount},
		{Model: ModelNovelty, Family: FamilyRBAC, Threat: PrivilegeEscalation},
		{Model: ModelEgress, Family: FamilyEgress, Threat: DataExfiltration},
		{Model: ModelOffHours, Family: FamilyBehavior, Threat: UnusualBehavior},
		{Model: ModelPassthrough, Family: FamilyRuntime, Threat: UnusualBehavior},
		{Model: ModelTelemetryLoss, Family: FamilyPolicy, Threat: DefenseEvasion},
		{Model: ModelFirstSeen, Family: FamilyAuth, Threat: UnusualBehavior},
		{Model: ModelPeak, Family: FamilyBehavior, Threat: UnusualBehavior},
		{Model: ModelDistinct, Family: FamilyAuth, Threat: BruteForce},
	} {
		s.Name = s.Model
		specs = append(specs, s)
	}
	return specs
}

// TestHostileInputIsNoAttack feeds ordinary counters for three weeks, in which numbers that no
// counter has, missing inputs and names that break formats come and go: no model finds more
// than a warning, and no alert is critical.
func TestHostileInputIsNoAttack(t *testing.T) {
	specs := everyModel()
	m, err := NewMonitor(MonitorOptions{EntityType: "user", Step: step}, specs)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"plain", "a\nb", `"quoted"`, "{{ .Values.x }}", strings.Repeat("x", 1<<20), "\xff\xfe", "a/b;c|d"}
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -1e300, 1e300, math.MaxFloat64}
	r := rand.New(rand.NewPCG(51, 52))
	alerts := 0
	slots(21, func(at int64) {
		in := make(map[string]Slot, len(specs))
		for _, s := range specs {
			need, may := Inputs(s.Model)
			slot := Slot{}
			for _, input := range append(need, may...) {
				if r.IntN(50) == 0 { // not answered
					continue
				}
				for _, n := range names {
					x := poisson(r, 4)
					if input == "failures" {
						x = poisson(r, 0.2)
					}
					if s.Model == ModelSequence || s.Model == ModelPassthrough {
						x = float64(r.IntN(2))
					}
					if r.IntN(20) == 0 {
						x = bad[r.IntN(len(bad))]
					}
					slot[input] = append(slot[input], Sample{Entity: n, Verb: "get", Resource: "pods", Code: "200", Rule: n, Priority: "Notice", Value: x})
				}
			}
			in[s.Name] = slot
		}
		as, _ := m.Step(at, in)
		for _, a := range as {
			if a.Band == BandCritical || math.IsNaN(a.Risk) || len(a.Entity) > maxName {
				t.Fatalf("%+v", a)
			}
			if a.Evidential && a.First == at {
				alerts++
			}
		}
	})
	if alerts > 15 { // six entities, 11 detectors, 19 days
		t.Errorf("%d alerts", alerts)
	}
	for _, d := range m.Detectors() {
		if n, _ := d.Refused(); n == 0 {
			t.Errorf("%s: a name of a megabyte was not counted", d.Spec().Name)
		}
	}
}

// TestMonitorUnderFlood sends a million users on default settings: memory stays below the
// goal, the flood is an alert, and an attack on a host that was known before is found
// all the same.
func TestMonitorUnderFlood(t *testing.T) {
	specs := []Spec{
		{Name: "failures", Model: ModelCount, Family: FamilyAuth, Threat: BruteForce, Technique: "T1110"},
		{Name: "sources", Model: ModelFirstSeen, Family: FamilyAuth, Threat: UnusualBehavior, Technique: "T1078"},
	}
	heap := func() float64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return float64(s.HeapAlloc) / (1 << 20)
	}
	before := heap()
	m, err := NewMonitor(MonitorOptions{EntityType: "user", Step: step}, specs)
	if err != nil {
		t.Fatal(err)
	}
	now := start
	known := func(x float64) map[string]Slot {
		now += step.Milliseconds()
		var failures, sources []Sample
		for i := range 20 {
			e := fmt.Sprint("known", i)
			v := 0.0
			if i == 7 {
				v = x
			}
			failures = append(failures, Sample{Entity: e, Value: v})
			sources = append(sources, Sample{Entity: e, Resource: "192.0.2.1", Value: 1})
		}
		return map[string]Slot{"failures": {"value": failures}, "sources": {"values": sources}}
	}
	for range 8 * 288 {
		m.Step(now+step.Milliseconds(), known(0))
	}
	const users = 1_000_000
	flood, attack := false, false
	began := time.Now()
	for n := 0; n < users; n += 50_000 {
		x := 0.0
		if n > users/2 {
			x = 40
		}
		in := known(x)
		for i := range 50_000 {
			e := fmt.Sprint("made-up-", n+i)
			in["failures"]["value"] = append(in["failures"]["value"], Sample{Entity: e, Value: 1})
			in["sources"]["values"] = append(in["sources"]["values"], Sample{Entity: e, Resource: e, Value: 1})
		}
		as, _ := m.Step(now, in)
		for _, a := range as {
			flood = flood || a.Entity == FloodEntity
			attack = attack || a.Entity == "known7" && a.Threat == BruteForce
			if strings.HasPrefix(a.Entity, "made-up") {
				t.Fatalf("%+v", a)
			}
		}
	}
	took := time.Since(began)
	used := heap() - before
	t.Logf("%.0f MiB, %s", used, took)
	if !flood || !attack || used > 100 {
		t.Errorf("flood %v, attack %v, %.0f MiB", flood, attack, used)
	}
	for _, d := range m.Detectors() {
		if n, _ := d.Entities(); n > 20+11*floodSize { // in 100 minutes
			t.Errorf("%s watches %d", d.Spec().Name, n)
		}
	}
	runtime.KeepAlive(m)
}
