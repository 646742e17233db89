package recommend

import (
	"math"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
)

func hours(n int, at func(i int) float64) series.Series {
	s := series.Series{Start: 0, Step: 3600_000, Values: make([]float64, n)}
	for i := range s.Values {
		s.Values[i] = at(i)
	}
	return s
}

func TestExhaustion(t *testing.T) {
	const gib = 1 << 30
	l := Limit{
		Kind: "pvc", Target: Target{Namespace: "shop", Kind: "PersistentVolumeClaim", Name: "data-0"}, Name: "", Unit: "bytes",
		Used: hours(672, func(i int) float64 { return (40 + float64(i)/24) * gib }), Limit: 100 * gib, Query: "used",
	}
	e, r := Exhaustion(l, 672*3600_000)
	if r == nil {
		t.Fatal(e.Text())
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	// It holds 68 GiB and takes in 1 a day: (68 + 90)/0.8 = 197.5.
	if size := r.Recommended[StorageBytes] / gib; math.Abs(size-198) > 1 {
		t.Errorf("size %.1f GiB, want 198", size)
	}
	if r.OptimizationType != CapacityPlanning || r.Urgency != UrgencyNormal || r.Confidence < 0.4 || !strings.Contains(strings.Join(r.Steps, " "), "kubectl -n shop patch pvc data-0") {
		t.Errorf("%+v", r)
	}
	l.Limit = 1e6 * gib
	if e, r := Exhaustion(l, 0); r != nil || e.Reason == "" {
		t.Errorf("far: %+v", r)
	}
	l.Limit = math.NaN()
	if e, r := Exhaustion(l, 0); r != nil || e.Reason == "" {
		t.Errorf("no limit: %+v", r)
	}
	l.Limit, l.Used = 30*gib, hours(48, func(int) float64 { return 30 * gib })
	if _, r := Exhaustion(l, 0); r == nil || r.Urgency != UrgencyNow || r.Check() != nil {
		t.Errorf("full: %+v", r)
	}
}

// TestLimitTexts: every kind says what it is, what happens and what to do in its own words, and nothing of another kind.
func TestLimitTexts(t *testing.T) {
	rising := hours(672, func(i int) float64 { return 40 + float64(i)/24 })
	seen := map[string]string{}
	for kind, what := range LimitKinds {
		if kind == "memory" {
			continue // MemoryLeak
		}
		l := Limit{Kind: kind, Target: Target{Namespace: "shop", Kind: "X", Name: "data"}, Name: "part", Used: rising, Limit: 80}
		_, r := Exhaustion(l, 0)
		if r == nil || r.Check() != nil {
			t.Fatalf("%s: %+v", kind, r)
		}
		if strings.Contains(r.Action, "%!") || !strings.Contains(r.Action, "shop/data part") || !strings.Contains(r.Action, " in ") {
			t.Errorf("%s: %s", kind, r.Action)
		}
		// It holds 68 and takes in 1 a day: (68 + 90)/0.8 = 197.5.
		if len(r.Steps) < 2 || r.Steps[0] != what.First || !strings.Contains(r.Steps[1], " 198") && !strings.HasPrefix(r.Steps[1], "198") {
			t.Errorf("%s: %q", kind, r.Steps)
		}
		l.Limit = 67
		if _, r := Exhaustion(l, 0); r == nil || !strings.HasSuffix(r.Action, " now") {
			t.Errorf("%s: full: %+v", kind, r)
		}
		for _, text := range []string{r.Action, r.Steps[0], r.Impact.Performance} {
			if other := seen[text]; other != "" || text == "" {
				t.Errorf("%s says what %s says: %q", kind, other, text)
			}
			seen[text] = kind
		}
		disk := kind == "disk" || kind == "pvc"
		if got := strings.Contains(r.Rollback[0], "disk"); got != disk || (r.Risk.RollbackComplexity == High) != disk {
			t.Errorf("%s: undone by %q", kind, r.Rollback[0])
		}
	}
	if len(seen) != 3*10 {
		t.Errorf("%d texts", len(seen))
	}
}

func TestMemoryLeakAndExpiry(t *testing.T) {
	const mib = 1 << 20
	l := Limit{
		Kind: "memory", Target: Target{Namespace: "shop", Kind: "Pod", Name: "cart-1", Container: "app"}, Unit: "bytes",
		Used: hours(330, func(i int) float64 { return (400 + 12*max(0, float64(i-300))) * mib }), Limit: 1024 * mib,
	}
	leak, r := MemoryLeak(l, 0)
	if r == nil {
		t.Fatal(leak.Reason)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	if r.OptimizationType != PerformanceImprovement || !strings.Contains(r.Action, "shop/cart-1 (app): it grows by 12 MiB an hour") {
		t.Errorf("%+v", r)
	}
	if _, r := Expiry(Target{Name: "shop"}, "shop", 40*86400, 0); r != nil {
		t.Error("40 days are enough")
	}
	for left, urgency := range map[float64]Urgency{20 * 86400: UrgencyNormal, 3600: UrgencyNow, -10: UrgencyNow} {
		_, r := Expiry(Target{Name: "shop"}, "shop", left, 0)
		if r == nil || r.Urgency != urgency || r.Check() != nil {
			t.Errorf("%g s left: %+v", left, r)
		}
	}
}

func TestAmount(t *testing.T) {
	for want, v := range map[string]float64{"1.5 GiB": 1.5 * (1 << 30), "20 MiB": 20 << 20, "12 bytes": 12, "2 TiB": 2 << 40} {
		if got := amount(v, "bytes"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := amount(1.23456, "cores"); got != "1.235 cores" {
		t.Error(got)
	}
	if got := amount(math.NaN(), "cores"); got != "an unknown amount" {
		t.Error(got)
	}
}
