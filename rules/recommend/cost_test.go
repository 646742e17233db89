package recommend

import (
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
)

// flat is a series of one value.
func flat(n int, v float64) series.Series {
	s := series.Series{Start: 0, Step: 3_600_000, Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = v
	}
	return s
}

// TestIdle: only what can be scaled is scaled to zero, and little is known of a network seen for an hour.
func TestIdle(t *testing.T) {
	idle := func(kind string, networkHours int) *Recommendation {
		network := flat(168, 10)
		network.Values, network.Start = network.Values[168-networkHours:], int64(168-networkHours)*3_600_000
		return Idle(Workload{
			Target: Target{Namespace: "shop", Kind: kind, Name: "a b"}, Cost: 1, Currency: "USD", PriceSource: "config",
			CPU: flat(168, 0.001), Network: network, Replicas: 2,
		}, 0)
	}
	for _, kind := range []string{"DaemonSet", "Job", "CronJob", "Node"} {
		if r := idle(kind, 168); r != nil {
			t.Errorf("%s: %s", kind, r.Action)
		}
	}
	for _, kind := range []string{"Deployment", "StatefulSet"} {
		r := idle(kind, 168)
		if r == nil || !strings.Contains(strings.Join(r.Reasons, " "), "1 kB/s") || r.Steps[1] != "kubectl --namespace shop scale "+strings.ToLower(kind)+" 'a b' --replicas 0" {
			t.Fatalf("%s: %+v", kind, r)
		}
		if len(r.Patch) != 1 || r.Patch[0].Kind != kind || string(r.Patch[0].Body) != `{"spec":{"replicas":0}}` || string(r.ReversePatch[0].Body) != `{"spec":{"replicas":2}}` {
			t.Errorf("%s: patch %+v, back %+v", kind, r.Patch, r.ReversePatch)
		}
		few := idle(kind, 1)
		if few == nil || strings.Contains(strings.Join(few.Reasons, " "), "1 kB/s") || few.Confidence >= r.Confidence {
			t.Errorf("%s with an hour of network: %+v", kind, few)
		}
	}
}

func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{"cart-7d.x": "cart-7d.x", "": "''", "a; rm -r b": "'a; rm -r b'", "it's": `'it'\''s'`} {
		if got := shellWord(s); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
