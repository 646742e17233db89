package threat

import (
	"strings"
	"testing"
)

func TestRollUpPods(t *testing.T) {
	pods := []Accusation{
		{Entity: "shop/cart-7d4b9c6f5-x2x4z", Risk: 30, Threat: UnusualBehavior},
		{Entity: "shop/cart-7d4b9c6f5-q8q9w", Risk: 55, Threat: DataExfiltration},
		{Entity: "shop/db-0", Risk: 20, Threat: BruteForce},
		{Entity: "ops/agent", Risk: 80, Threat: PrivilegeEscalation},
		{Entity: "no-namespace", Risk: 99},
		{Entity: "/x", Risk: 99},
	}
	workload := func(_, pod string) string {
		w, _, ok := strings.Cut(pod, "-")
		if !ok {
			return ""
		}
		return w
	}
	want := []struct {
		kind, entity, of string
		risk             float64
		pods             int
	}{
		{TypeNamespace, "ops", "ops/agent", 80, 1},
		{TypeWorkload, "shop/cart", "shop/cart-7d4b9c6f5-q8q9w", 55, 2},
		{TypeNamespace, "shop", "shop/cart-7d4b9c6f5-q8q9w", 55, 3},
		{TypeWorkload, "shop/db", "shop/db-0", 20, 1},
	}
	got := RollUpPods(pods, workload)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		g := got[i]
		if g.EntityType != w.kind || g.Entity != w.entity || g.Of != w.of || g.Risk != w.risk || g.Pods != w.pods {
			t.Errorf("%d: %+v, want %+v", i, g, w)
		}
	}
	if got[1].Threat != DataExfiltration {
		t.Error("the threat is not that of the riskiest pod")
	}
}
