package main

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// findingSink keeps the last state of every finding by task.
type findingSink struct {
	found map[string]map[string]series.Finding
}

func (s *findingSink) Write(_ context.Context, task string, _ int64, rs []series.Result) error {
	if s.found[task] == nil {
		s.found[task] = map[string]series.Finding{}
	}
	for _, r := range rs {
		for _, f := range r.Findings {
			s.found[task][f.ID] = f
		}
	}
	return nil
}

func (*findingSink) Expire(string) {}
func (*findingSink) Drop(string)   {}

// TestEveryFamilyIsFound injects one incident of each family into ordinary data and
// runs the pipeline on it over HTTP, with the presets of the types and nothing
// else configured. What each preset calls good news stays silent.
func TestEveryFamilyIsFound(t *testing.T) {
	const (
		points   = 10 * 288
		fitAt    = 8*288 + 100
		incident = 9*288 + 144 // noon of the last day
	)
	rng := rand.New(rand.NewPCG(11, 12))
	day := func(i int) float64 { return 1 + 0.5*math.Sin(2*math.Pi*float64(i)/288) }
	during := func(i, n int) bool { return i >= incident && i < incident+n }
	poisson := func(mean float64) float64 {
		n, p := 0, rng.Float64()
		for limit := math.Exp(-mean); p > limit; n++ {
			p *= rng.Float64()
		}
		return float64(n)
	}
	cases := []struct {
		name, typ, unit string
		family, kind    string // kind is that of the finding; "" is any
		severities      string
		value, good     func(i int) float64
	}{
		{"cpu", "resource", "cores", rules.FamilyResource, series.TypeSpike, "warning critical", func(i int) float64 {
			v := day(i) + 0.03*rng.NormFloat64()
			if during(i, 6) {
				v += 1.5
			}
			return v
		}, nil},
		{"error_ratio", "performance", "ratio", rules.FamilyPerformance, "", "warning critical", func(i int) float64 {
			mean := 0.002
			if during(i, 12) {
				mean = 0.03
			}
			return poisson(mean*2000*day(i)) / (2000 * day(i))
		}, func(i int) float64 { // fewer errors, and a rise that is within half a percentage point
			mean := 0.002
			if during(i, 12) {
				mean = 0
			}
			if during(i, 100) && !during(i, 50) {
				mean = 0.004
			}
			return poisson(mean*200000) / 200000
		}},
		{"latency", "performance", "ms", rules.FamilyPerformance, "", "warning critical", func(i int) float64 {
			v := 80 * day(i) * math.Exp(0.05*rng.NormFloat64())
			if during(i, 12) {
				v *= 2.5
			}
			return v
		}, func(i int) float64 {
			v := 80 * day(i) * math.Exp(0.05*rng.NormFloat64())
			if during(i, 12) {
				v /= 3
			}
			return v
		}},
		{"cost", "cost", "USD/h", rules.FamilyCost, "", "warning critical", func(i int) float64 {
			v := 40 + 0.2*rng.NormFloat64()
			if i >= incident {
				v += 14
			}
			return v
		}, func(i int) float64 { // 5 % is no news
			v := 40 + 0.2*rng.NormFloat64()
			if i >= incident {
				v += 2
			}
			return v
		}},
		{"failed_logins", "security", "", rules.FamilySecurity, series.TypeSpike, "warning critical", func(i int) float64 {
			mean := 4.0
			if during(i, 8) {
				mean = 120
			}
			return poisson(mean)
		}, func(i int) float64 {
			if during(i, 12) {
				return 0
			}
			return poisson(40)
		}},
		{"orders", "behavior", "", rules.FamilyBehavior, "", "info warning critical", func(i int) float64 {
			mean := 200 * day(i)
			if during(i, 12) {
				mean *= 0.3
			}
			return poisson(mean)
		}, nil},
		{"silent", "resource", "bytes", rules.FamilySystem, series.TypeMissing, "warning critical", func(i int) float64 {
			if during(i, points) {
				return math.NaN()
			}
			return 1e9 + 1e7*rng.NormFloat64()
		}, nil},
	}
	yaml := "signals:\n"
	samples := map[string][]float64{}
	add := func(name, typ, unit string, value func(int) float64) {
		yaml += "  - {name: " + name + ", type: " + typ + ", unit: \"" + unit + "\", query: " + name + ", step: 5m, forecast: {enabled: false}}\n"
		samples[name] = make([]float64, points)
		for i := range points {
			samples[name][i] = value(i)
		}
	}
	for _, c := range cases {
		add(c.name, c.typ, c.unit, c.value)
		if c.good != nil {
			add(c.name+"_good", c.typ, c.unit, c.good)
		}
	}
	sink := &findingSink{found: map[string]map[string]series.Finding{}}
	live(t, yaml, samples, fitAt, sink)
	for _, c := range cases {
		if len(sink.found[c.name]) != 1 {
			t.Errorf("%s: %d findings, want 1: %+v", c.name, len(sink.found[c.name]), sink.found[c.name])
		}
		for _, f := range sink.found[c.name] {
			i := int((f.Start/1000 - monday) / 300)
			if f.Family != c.family || c.kind != "" && f.Type != c.kind || i < incident || i > incident+8 {
				t.Errorf("%s: %s of family %s at point %d, want %s at %d", c.name, f.Type, f.Family, i, c.family, incident)
			}
			t.Logf("%s: %s, %s, %s, peak %.3g", c.name, f.Family, f.Type, f.Severity, f.Peak)
		}
		for _, f := range sink.found[c.name+"_good"] {
			t.Errorf("%s_good: %+v", c.name, f)
		}
	}
}
