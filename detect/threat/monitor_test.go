package threat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

var sshSpecs = []Spec{
	{Name: "ssh-success", Model: ModelSequence, Family: FamilyAuth, Threat: BruteForceSuccess, Technique: "T1110;T1078", After: "ssh-failures"},
	{Name: "ssh-failures", Model: ModelCount, Family: FamilyAuth, Threat: BruteForce, Technique: "T1110.001"},
}

func monitor(t *testing.T, specs []Spec) *Monitor {
	t.Helper()
	m, err := NewMonitor(MonitorOptions{EntityType: "host", Step: step}, specs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sshSlot(failures, successes map[string]float64) map[string]Slot {
	samples := func(m map[string]float64) (out []Sample) {
		for e, v := range m {
			out = append(out, Sample{Entity: e, Value: v})
		}
		return out
	}
	return map[string]Slot{"ssh-failures": {"value": samples(failures)}, "ssh-success": {"successes": samples(successes)}}
}

// TestAlertLife follows an attack on one host: the alert opens, is held, becomes graver
// by a success, ends, and has one identity.
func TestAlertLife(t *testing.T) {
	m := monitor(t, sshSpecs)
	quietSlots := func(from int64, n int) int64 {
		for range n {
			from += step.Milliseconds()
			if a, _ := m.Step(from, sshSlot(map[string]float64{"a": 0, "b": 0}, map[string]float64{"a": 0, "b": 0})); len(a) > 0 && from > start+week+hour {
				t.Fatalf("%+v", a)
			}
		}
		return from
	}
	now := quietSlots(start, 8*288)
	next := func(failures, successes float64) []Alert {
		now += step.Milliseconds()
		a, _ := m.Step(now, sshSlot(map[string]float64{"a": failures, "b": 0}, map[string]float64{"a": successes, "b": 0}))
		return a
	}
	a := next(40, 0)
	if len(a) != 1 || a[0].Entity != "a" || a[0].EntityType != "host" || a[0].Threat != BruteForce || a[0].Technique != "T1110.001" || a[0].Band != BandMedium || !a[0].Evidential {
		t.Fatalf("%+v", a)
	}
	id := a[0].ID
	if s := a[0].Top.Describe(); !strings.HasPrefix(s, "ssh-failures: 40, expected ") || !strings.HasSuffix(s, "in 5m") {
		t.Errorf("%q", s)
	}
	a = next(0, 1)
	if len(a) != 1 || a[0].ID != id || a[0].Threat != BruteForce || a[0].Reclassified != BruteForceSuccess || BandRank(a[0].Band) < BandRank(BandHigh) || Severity(a[0].Band) != "critical" {
		t.Fatalf("after the success: %+v", a)
	}
	for range 3 {
		if a = next(0, 0); len(a) != 1 || a[0].Evidential || a[0].ID != id {
			t.Fatalf("held: %+v", a)
		}
	}
	if a = next(0, 0); len(a) != 0 {
		t.Fatalf("not ended: %+v", a)
	}
	if got, _ := m.Step(now, nil); got != nil {
		t.Error("a slot twice")
	}
}

// TestWeakEvidence does not alert alone, a day after an alert neither, but does beside
// another detector's of the same hour.
func TestWeakEvidence(t *testing.T) {
	specs := []Spec{
		{Name: "a", Model: ModelPassthrough, Family: FamilyRuntime, Threat: UnusualBehavior},
		{Name: "b", Model: ModelPassthrough, Family: FamilyBehavior, Threat: UnusualBehavior},
	}
	m := monitor(t, specs)
	say := func(at int64, detector, priority string) int {
		alerts, _ := m.Step(at, map[string]Slot{detector: {"matches": {{Entity: "e", Rule: priority, Priority: priority, Value: 1}}}})
		return len(alerts)
	}
	if say(start, "a", "notice") != 0 {
		t.Error("a notice alerts")
	}
	if say(start+day, "a", "critical") != 1 {
		t.Error("a critical match does not alert")
	}
	if say(start+2*day, "b", "notice") != 0 {
		t.Error("a notice after yesterday's alert alerts")
	}
	if say(start+2*day+hour/2, "a", "info") != 1 {
		t.Error("two detectors within an hour do not alert")
	}
}

// TestCampaign makes one alert of six hosts, told once.
func TestCampaign(t *testing.T) {
	m := monitor(t, sshSpecs[1:])
	hosts := map[string]float64{}
	for i := range 6 {
		hosts[fmt.Sprint("host", i)] = 0
	}
	slots(8, func(at int64) { m.Step(at, sshSlot(hosts, nil)) })
	told := 0
	for i := range int64(3) {
		a, b := fmt.Sprint("host", 2*i), fmt.Sprint("host", 2*i+1)
		hosts[a], hosts[b] = 50, 50
		_, cs := m.Step(start+8*day+i*step.Milliseconds(), sshSlot(hosts, nil))
		hosts[a], hosts[b] = 0, 0
		for _, c := range cs {
			told++
			if c.Threat != BruteForce || len(c.Entities) < campaignSize {
				t.Errorf("%+v", c)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestMonitorOrder wants the order of samples not to matter.
func TestMonitorOrder(t *testing.T) {
	a, b := monitor(t, sshSpecs), monitor(t, sshSpecs)
	r := rand.New(rand.NewPCG(3, 3))
	slots(10, func(at int64) {
		f := map[string]float64{}
		for i := range 5 {
			f[fmt.Sprint(i)] = negBin(r, 1, 0.2)
		}
		// Maps are walked in another order each time.
		x, _ := a.Step(at, sshSlot(f, f))
		y, _ := b.Step(at, sshSlot(f, f))
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("%+v\n%+v", x, y)
		}
	})
}

// TestFloodIsBounded sends made-up names, in time and after the start: the oldest are forgotten,
// and the flood is evidence.
func TestFloodIsBounded(t *testing.T) {
	d, err := NewDetector(Spec{Name: "users", Model: ModelCount, Family: FamilyAuth, Threat: BruteForce, Entities: 2000})
	if err != nil {
		t.Fatal(err)
	}
	n, found := 0, 0
	for i := range int64(40) {
		samples := make([]Sample, 5_000)
		for j := range samples {
			samples[j] = Sample{Entity: fmt.Sprintf("user%d", n), Value: 1}
			n++
		}
		for _, f := range d.Step(start+i*step.Milliseconds(), Slot{"value": samples}, nil) {
			if f.Entity == FloodEntity {
				found++
			}
		}
	}
	watched, evicted := d.Entities()
	if watched > 2000 || evicted == 0 || found == 0 || d.flooded == 0 {
		t.Errorf("%d users: %d watched, %d forgotten, flood found %d times", n, watched, evicted, found)
	}
}

// TestHostileNames sends names that break formats, and numbers that are none.
func TestHostileNames(t *testing.T) {
	names := []string{"", "a\nb", `"`, "{{ .Values }}", strings.Repeat("x", 1<<20), "\xff\xfe", "a,b;c|d"}
	for model := range Models {
		need, may := Inputs(model)
		d, err := NewDetector(Spec{Name: "d", Model: model, Family: FamilyAuth, Threat: BruteForce, After: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(500) {
			in := Slot{}
			for _, input := range append(need, may...) {
				for j, n := range names {
					in[input] = append(in[input], Sample{Entity: n, Verb: n, Resource: n, Code: n, Rule: n, Priority: n, Techniques: n, Value: hostile[(int(i)+j)%len(hostile)]})
				}
			}
			for _, f := range d.Step(start+i*step.Milliseconds(), in, names) {
				sane(t, f.Reading)
				if math.IsNaN(f.Score) || f.Score < 0 || f.Score > 100 {
					t.Fatalf("%s: score %v", model, f.Score)
				}
			}
		}
	}
}

// TestRatioWithoutAttempts falls back to counts.
func TestRatioWithoutAttempts(t *testing.T) {
	d, err := NewDetector(Spec{Name: "d", Model: ModelRatio, Family: FamilyAuth, Threat: BruteForce})
	if err != nil {
		t.Fatal(err)
	}
	slots(8, func(at int64) { d.Step(at, Slot{"failures": {{Entity: "e", Value: 0}}}, nil) })
	if fs := d.Step(start+8*day, Slot{"failures": {{Entity: "e", Value: 30}}}, nil); len(fs) != 1 {
		t.Errorf("%+v", fs)
	}
}

// TestPassthroughDetector reads priority and technique of the other tool.
func TestPassthroughDetector(t *testing.T) {
	d, err := NewDetector(Spec{Name: "falco", Model: ModelPassthrough, Family: FamilyRuntime, Threat: UnusualBehavior})
	if err != nil {
		t.Fatal(err)
	}
	fs := d.Step(start, Slot{"matches": {
		{Entity: "shop/web-1", Rule: "Terminal shell", Priority: "Notice", Value: 1},
		{Entity: "shop/web-1", Rule: "Read sensitive file", Priority: "Critical", Techniques: "T1555", Value: 1},
	}}, nil)
	if len(fs) != 1 || fs[0].Technique != "T1555" || fs[0].What != "Read sensitive file" || fs[0].Score < 70 {
		t.Errorf("%+v", fs)
	}
}

func TestMonitorRefuses(t *testing.T) {
	for want, specs := range map[string][]Spec{
		"no model":           {{Name: "a", Model: "magic"}},
		"needs the detector": {{Name: "a", Model: ModelSequence}},
		"no detector":        {{Name: "a", Model: ModelSequence, After: "b"}},
		"two detectors":      {{Name: "a", Model: ModelCount}, {Name: "a", Model: ModelCount}},
	} {
		if _, err := NewMonitor(MonitorOptions{}, specs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestOutcome(t *testing.T) {
	for code, want := range map[string][2]bool{"": {false, true}, "200": {false, true}, "101": {false, true}, "403": {true, false}, "401": {true, false}, "409": {false, false}, "AccessDenied": {true, false}, "Client.UnauthorizedOperation": {true, false}, "NoSuchKey": {false, false}} {
		if r, s := outcome(code); r != want[0] || s != want[1] {
			t.Errorf("%q: %v %v", code, r, s)
		}
	}
}

func TestEveryThreatHasAFirstAction(t *testing.T) {
	for _, threat := range Threats {
		if FirstAction(threat) == "" {
			t.Error(threat)
		}
	}
}

// BenchmarkRound steps 10,000 entities: a fifteenth of the round of the goal.
func BenchmarkRound(b *testing.B) {
	m, err := NewMonitor(MonitorOptions{EntityType: "client", Step: step}, []Spec{{Name: "logins", Model: ModelRatio, Family: FamilyAuth, Threat: BruteForce}})
	if err != nil {
		b.Fatal(err)
	}
	r, at := rand.New(rand.NewPCG(4, 4)), start
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		in := Slot{}
		for i := range 10_000 {
			e, n := fmt.Sprint(i), poisson(r, 20)
			in["failures"] = append(in["failures"], Sample{Entity: e, Value: poisson(r, n/20)})
			in["attempts"] = append(in["attempts"], Sample{Entity: e, Value: n})
		}
		b.StartTimer()
		at += step.Milliseconds()
		m.Step(at, map[string]Slot{"logins": in})
	}
}
