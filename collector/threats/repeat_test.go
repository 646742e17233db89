package threats

import (
	"testing"
	"time"

	"github.com/upid/upid/detect/threat"
)

// TestState_repeats wants what was said of a host not to be said again within a day: it is
// no finding, and no alert is posted of it.
func TestState_repeats(t *testing.T) {
	const step = 5 * time.Minute
	m, err := threat.NewMonitor(threat.MonitorOptions{EntityType: "host", Step: step}, []threat.Spec{{
		Name: "failures", Model: threat.ModelCount, Family: threat.FamilyAuth, Threat: threat.BruteForce, Technique: "T1110",
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, now := newState(m, time.Hour.Milliseconds()), int64(1_700_000_100_000)
	run := func(failures float64, slots int) (opened int) {
		for range slots {
			now += step.Milliseconds()
			opened += len(s.step(now, map[string]threat.Slot{"failures": {"value": {{Entity: "a", Value: failures}}}}, false))
		}
		return opened
	}
	run(0, 8*288)
	for i, want := range []int{1, 1, 0, 0} { // the second makes it graver
		if n := run(20, 1); n != 1 {
			t.Fatalf("%d: %d alerts opened", i, n)
		}
		if got := len(s.findings()); got != want {
			t.Errorf("%d: %d findings, want %d", i, got, want)
		}
		run(0, 36)
	}
}
