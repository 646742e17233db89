package threat_test

import (
	"fmt"
	"time"

	"github.com/upid/upid/detect/threat"
)

// A client of an identity provider with one failure in twenty attempts, and then
// twenty failures in five minutes.
func ExampleRatio() {
	m := threat.NewRatio(threat.Options{Step: 5 * time.Minute}, nil)
	t := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for range 14 * 288 {
		m.Step(t.UnixMilli(), 1, 20)
		t = t.Add(5 * time.Minute)
	}
	r := m.Step(t.UnixMilli(), 20, 40)
	fmt.Printf("%v: %.0f failures, %.1f expected in %s\n", r.Evident(), r.Observed, r.Expected, r.Window)
	// Output: true: 20 failures, 2.0 expected in 5m0s
}

func ExampleRisk() {
	var r threat.Risk
	t := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).UnixMilli()
	r.Add(threat.Evidence{Detector: "ssh", Family: threat.FamilyAuth, Threat: threat.BruteForce, Technique: "T1110.001", Time: t, Score: 55})
	fmt.Printf("%.0f %s\n", r.At(t), threat.Band(r.At(t)))
	r.Add(threat.Evidence{Detector: "audit", Family: threat.FamilyRBAC, Threat: threat.PrivilegeEscalation, Technique: "T1098.006", Time: t, Score: 60})
	fmt.Printf("%.0f %s %s\n", r.At(t), threat.Band(r.At(t)), r.Threat(t))
	// Output:
	// 55 medium
	// 90 critical compromised_account
}
