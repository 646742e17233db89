package rules

import (
	"math"
	"strings"
	"testing"

	"github.com/upid/upid/collector/series"
)

func TestFamily(t *testing.T) {
	f := func(signal, typ, want string) {
		t.Helper()
		if got := Family(signal, typ); got != want {
			t.Errorf("%s %s: %s, want %s", signal, typ, got, want)
		}
	}
	f("resource", series.TypeSpike, "resource_spike")
	f("performance", series.TypeDrift, "performance_degradation")
	f("cost", series.TypeLevelShift, "cost_anomaly")
	f("security", series.TypeSpike, "security_breach")
	f("behavior", series.TypeOutlier, "behavior_anomaly")
	f("security", series.TypeMissing, "system_failure")
	f("cost", series.TypeFlatline, "system_failure")
	f("", series.TypeSpike, "resource_spike")
}

// Every family and type has a sentence, and the resource types differ.
func TestFirstAction(t *testing.T) {
	families := []string{FamilyResource, FamilyPerformance, FamilyCost, FamilySecurity, FamilyBehavior, FamilySystem, "unknown"}
	types := []string{
		series.TypeSpike, series.TypeDrop, series.TypeLevelShift, series.TypeDrift,
		series.TypeVariance, series.TypeFlatline, series.TypeMissing, series.TypeOutlier,
	}
	for _, fam := range families {
		for _, typ := range types {
			if s := FirstAction(fam, typ); !strings.HasSuffix(s, ".") || len(s) < 40 {
				t.Errorf("%s %s: %q is not a sentence", fam, typ, s)
			}
		}
	}
	seen := map[string]string{}
	for _, typ := range []string{series.TypeSpike, series.TypeDrop, series.TypeLevelShift, series.TypeDrift, series.TypeVariance, series.TypeFlatline, series.TypeMissing} {
		s := FirstAction(FamilyResource, typ)
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s get the same advice", typ, other)
		}
		seen[s] = typ
	}
}

func TestPresetOf(t *testing.T) {
	f := func(typ, unit string, want Preset) {
		t.Helper()
		if got := PresetOf(typ, unit); got != want {
			t.Errorf("%s in %q: %+v, want %+v", typ, unit, got, want)
		}
	}
	f("resource", "cores", Preset{"both", "none", 0, 0, "warning"})
	f("performance", "ms", Preset{"up", "sqrt", 0, 0, "warning"})
	f("performance", "ratio", Preset{"up", "sqrt", 0.005, 0, "warning"})
	f("performance", "percent", Preset{"up", "sqrt", 0.5, 0, "warning"})
	f("cost", "USD/h", Preset{"both", "none", 0, 0.1, "warning"})
	f("security", "", Preset{"up", "none", 0, 0, "warning"})
	f("behavior", "", Preset{"both", "sqrt", 0, 0, "info"})
}

func TestBenign(t *testing.T) {
	for typ, want := range map[string][5]bool{ // 60 % less, 30 % less, 30 % more, twice as much, three times
		"resource":    {false, true, true, true, false},
		"cost":        {false, true, true, true, false},
		"performance": {true, true, false, false, false},
		"behavior":    {false, false, true, true, true},
		"security":    {false, false, false, false, false},
	} {
		for i, share := range []float64{-0.6, -0.3, 0.3, 1, 2} {
			if got := Benign(typ, share); got != want[i] {
				t.Errorf("%s, %v: %t", typ, share, got)
			}
		}
		if Benign(typ, math.NaN()) {
			t.Errorf("%s: an unknown shift is benign", typ)
		}
	}
}
