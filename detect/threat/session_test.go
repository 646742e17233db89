package threat

import (
	"fmt"
	"testing"
)

// TestSessionFromManyAddresses watches short sessions of one address each, now and then of
// two; one that is used from five addresses within an hour is found, and no other.
func TestSessionFromManyAddresses(t *testing.T) {
	m, err := NewMonitor(MonitorOptions{EntityType: "session", Step: step}, []Spec{{
		Name: "session-addresses", Model: ModelDistinct, Family: FamilyAuth, Threat: UnusualBehavior, Technique: "T1550.004", Options: Options{Min: 1.5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	slots(5, func(at int64) {
		var values []Sample
		n := (at - start) / hour
		for u := range int64(20) { // each hour a new session of each user
			s := fmt.Sprintf("s%d-%d", u, n)
			values = append(values, Sample{Entity: s, Resource: fmt.Sprint("192.0.2.", u), Value: 3})
			if at%hour >= hour/2 && (u+n)%10 == 0 {
				values = append(values, Sample{Entity: s, Resource: fmt.Sprint("198.51.100.", u), Value: 1})
			}
			if k := at % hour / step.Milliseconds(); n == 100 && u == 7 && k < 5 {
				values = append(values, Sample{Entity: s, Resource: fmt.Sprint("203.0.113.", k), Value: 1})
			}
		}
		as, _ := m.Step(at, map[string]Slot{"session-addresses": {"values": values}})
		for _, a := range as {
			if a.First == at {
				found = append(found, a.Entity)
			}
		}
	})
	if len(found) != 1 || found[0] != "s7-100" {
		t.Errorf("found %q", found)
	}
}
