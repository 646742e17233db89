package threat

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestTenThousandEntities holds the goal of 10,000 entities watched by 15 detectors: 300 MiB,
// and a round within five seconds of one core, the garbage collector's too. It runs with UPID_STRICT=1, as it takes
// half a minute.
func TestTenThousandEntities(t *testing.T) {
	if os.Getenv("UPID_STRICT") == "" {
		t.Skip("UPID_STRICT=1 runs it")
	}
	const entities, rounds = 10_000, 20
	var specs []Spec
	for model, n := range map[string]int{
		ModelRatio: 3, ModelCount: 3, ModelEgress: 2, ModelNovelty: 1, ModelOffHours: 2, ModelTelemetryLoss: 1, ModelFirstSeen: 1, ModelPeak: 1, ModelDistinct: 1,
	} {
		for i := range n {
			specs = append(specs, Spec{Name: fmt.Sprint(model, i), Model: model, Family: FamilyAuth, Threat: BruteForce})
		}
	}
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := heap()
	m, err := NewMonitor(MonitorOptions{EntityType: "client", Step: step}, specs)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, entities)
	for i := range names {
		names[i] = fmt.Sprint("client-", i)
	}
	r := rand.New(rand.NewPCG(5, 5))
	var worst time.Duration
	for round := range int64(rounds) {
		in := make(map[string]Slot, len(specs))
		for _, s := range specs {
			need, _ := Inputs(s.Model)
			slot := Slot{}
			for _, input := range need {
				samples := make([]Sample, entities)
				for i := range samples {
					samples[i] = Sample{Entity: names[i], Verb: "get", Resource: fmt.Sprint("r", r.IntN(20)), Value: float64(r.IntN(40))}
				}
				slot[input] = samples
			}
			in[s.Name] = slot
		}
		began := cpuTime()
		m.Step(start+round*step.Milliseconds(), in)
		worst = max(worst, cpuTime()-began)
	}
	used := heap() - before
	runtime.KeepAlive(m)
	t.Logf("%.0f MiB, %s a round", used, worst)
	if used > 300 || worst > 5*time.Second {
		t.Errorf("%.0f MiB and %s a round, want at most 300 MiB and 5 s", used, worst)
	}
}
