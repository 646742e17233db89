package threat

import (
	"math"
	"testing"
	"time"
)

// TestRepeats probes a host again and again: it is said once a day, unless it gets worse.
func TestRepeats(t *testing.T) {
	m := monitor(t, sshSpecs)
	now := start
	next := func(failures float64) (Alert, bool) {
		now += step.Milliseconds()
		a, _ := m.Step(now, sshSlot(map[string]float64{"a": failures}, map[string]float64{"a": 0}))
		if len(a) == 0 {
			return Alert{}, false
		}
		return a[0], true
	}
	wait := func(d time.Duration) {
		for range int(d / step) {
			next(0)
		}
	}
	wait(8 * 24 * time.Hour)
	first, ok := next(20)
	if !ok || first.Suppressed {
		t.Fatalf("the first: %+v", first)
	}
	if a, _ := next(20); a.Suppressed || a.ID != first.ID {
		t.Errorf("it goes on: %+v", a)
	}
	wait(6 * time.Hour)
	if a, _ := next(20); a.Suppressed || a.Band != BandHigh || first.Band != BandMedium {
		t.Fatalf("six hours later it is the second, and graver: %+v", a)
	}
	wait(6 * time.Hour)
	again, ok := next(20)
	if !ok || !again.Suppressed || again.ID == first.ID {
		t.Fatalf("twelve hours later: %+v", again)
	}
	wait(20 * time.Hour)
	if a, ok := next(20); !ok || a.Suppressed {
		t.Errorf("a day after it was said: %+v", a)
	}
	wait(2 * time.Hour)
	if a, ok := next(20); !ok || !a.Suppressed {
		t.Errorf("two hours later: %+v", a)
	}
	// A success makes it worse, in the same alert.
	now += step.Milliseconds()
	a, _ := m.Step(now, sshSlot(map[string]float64{"a": 0}, map[string]float64{"a": 1}))
	if len(a) != 1 || a[0].Suppressed || Severity(a[0].Band) != "critical" {
		t.Errorf("after a success: %+v", a)
	}
}

func TestRepeats_off(t *testing.T) {
	m, err := NewMonitor(MonitorOptions{EntityType: "host", Step: step, Suppress: -1}, sshSpecs)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range int64(9 * 288) {
		x := 0.0
		if i > 8*288 && i%36 == 0 {
			x = 20
		}
		as, _ := m.Step(start+i*step.Milliseconds(), sshSlot(map[string]float64{"a": x}, nil))
		for _, a := range as {
			n++
			if a.Suppressed {
				t.Fatalf("%+v", a)
			}
		}
	}
	if n == 0 {
		t.Error("no alert at all")
	}
}

// TestTelemetryVanishes lets the series of one log of two vanish.
func TestTelemetryVanishes(t *testing.T) {
	for _, c := range []struct {
		name      string
		up        func(vanished bool) map[string]float64 // nil: not asked for
		want      bool
		everybody bool // the other log vanishes too
	}{
		{"its target is up", func(bool) map[string]float64 { return map[string]float64{"a": 1, "b": 1} }, true, false},
		{"its target is down", func(v bool) map[string]float64 { return map[string]float64{"a": map[bool]float64{false: 1}[v], "b": 1} }, false, false},
		{"its target is gone", func(v bool) map[string]float64 {
			if v {
				return map[string]float64{"b": 1}
			}
			return map[string]float64{"a": 1, "b": 1}
		}, false, false},
		{"nobody asks whether it is up", func(bool) map[string]float64 { return nil }, true, false},
		{"nobody answers", func(bool) map[string]float64 { return nil }, false, true},
	} {
		d, err := NewDetector(Spec{Options: Options{Step: step}, Name: "log", Model: ModelTelemetryLoss, Family: FamilyPolicy, Threat: DefenseEvasion, Technique: "T1562.008"})
		if err != nil {
			t.Fatal(err)
		}
		var found []Finding
		for i := range int64(9 * 288) {
			vanished := i >= 8*288
			in := Slot{}
			for _, e := range []string{"a", "b"} {
				if !vanished || e == "b" && !c.everybody {
					in["value"] = append(in["value"], Sample{Entity: e, Value: 20})
				}
			}
			for e, v := range c.up(vanished) {
				in["up"] = append(in["up"], Sample{Entity: e, Value: v})
			}
			found = append(found, d.Step(start+i*step.Milliseconds(), in, nil)...)
		}
		switch {
		case !c.want && len(found) > 0, c.want && len(found) != 1:
			t.Errorf("%s: %+v", c.name, found)
		case c.want && (found[0].Entity != "a" || found[0].Threat != DefenseEvasion || found[0].What != "series gone" || math.IsNaN(found[0].Reading.Expected)):
			t.Errorf("%s: %+v", c.name, found[0])
		}
	}
}
