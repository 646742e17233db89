package threat

import (
	"fmt"
	"math"
	"testing"
)

// asked is a classifier that remembers what it was asked and answers with p.
type asked struct {
	p    func(f map[string]float64) float64
	last map[string]float64
	n    int
}

func (a *asked) Probability(features []float64) (float64, bool) {
	a.last = make(map[string]float64, len(features))
	for i, v := range features {
		a.last[Features[i]] = v
	}
	a.n++
	p := a.p(a.last)
	return p, !math.IsNaN(p)
}

// TestClassifierFeatures counts by hand what one user does in an hour.
func TestClassifierFeatures(t *testing.T) {
	c := &asked{p: func(map[string]float64) float64 { return math.NaN() }}
	m, err := NewMonitor(MonitorOptions{EntityType: "user", Step: step, Classifier: c}, everyModel())
	if err != nil {
		t.Fatal(err)
	}
	now := start + 2*hour + 5*60_000 // Monday, 02:05
	next := func(in map[string]Slot) {
		m.Step(now, in)
		now += step.Milliseconds()
	}
	of := func(input string, s ...Sample) Slot {
		for i := range s {
			s[i].Entity = "ann"
		}
		return Slot{input: s}
	}
	ratio := func(f, n float64) Slot {
		return Slot{"failures": {{Entity: "ann", Value: f}}, "attempts": {{Entity: "ann", Value: n}}}
	}
	next(map[string]Slot{
		ModelRatio:     ratio(6, 10),
		ModelFirstSeen: of("values", Sample{Resource: "192.0.2.1", Value: 1}, Sample{Resource: "192.0.2.2", Value: 1}),
		ModelEgress:    of("value", Sample{Value: 1000}),
	})
	next(map[string]Slot{
		ModelRatio:       ratio(1, 2),
		ModelSequence:    of("successes", Sample{Value: 3}),
		ModelFirstSeen:   of("values", Sample{Resource: "192.0.2.2", Value: 1}),
		ModelDistinct:    of("values", Sample{Resource: "bob", Value: 1}),
		ModelNovelty:     of("actions", Sample{Verb: "create", Resource: "rolebindings", Code: "201", Value: 2}, Sample{Verb: "get", Resource: "pods", Code: "403", Value: 4}),
		ModelPassthrough: of("matches", Sample{Rule: "x", Value: 5}),
	})
	want := map[string]float64{
		"failed_logins_5m": 1, "failed_logins_1h": 7, "failed_logins_24h": 7, "login_attempts_5m": 2 + 3, "login_attempts_1h": 15, "failure_ratio_1h": 7.0 / 15,
		"success_after_failures_1h": 3, "distinct_sources_1h": 2, "distinct_users_1h": 1, "denied_requests_1h": 4, "sensitive_requests_1h": 2, "new_actions_24h": 2,
		"egress_bytes_1h": 1000, "egress_ratio_24h": math.NaN(), "policy_violations_24h": 5, "hour_of_day": 2, "day_of_week": 1, "entity_age": 300.0 / 86400,
	}
	if len(c.last) != len(want) {
		t.Fatalf("%d features: %v", len(c.last), c.last)
	}
	for name, v := range want {
		if got := c.last[name]; math.Abs(got-v) > 1e-6 && !(math.IsNaN(got) && math.IsNaN(v)) {
			t.Errorf("%s = %v, want %v", name, got, v)
		}
	}
	now += 2 * hour
	next(map[string]Slot{ModelRatio: ratio(0, 1)})
	if c.last["failed_logins_1h"] != 0 || c.last["failed_logins_24h"] != 7 || c.last["login_attempts_1h"] != 1 {
		t.Errorf("two hours later: %v", c.last)
	}
	now += 2 * day
	n := c.n
	if next(map[string]Slot{ModelRatio: ratio(0, 0)}); c.n != n {
		t.Error("it was asked though nothing was counted")
	}
	next(map[string]Slot{ModelRatio: ratio(0, 0), ModelEgress: of("value", Sample{Value: 1})})
	if c.last["failed_logins_24h"] != 0 || !math.IsNaN(c.last["failure_ratio_1h"]) {
		t.Errorf("two days later: %v", c.last)
	}
}

// TestClassifierIsEvidence wants a sure model to alert, one in doubt not, and whoever cannot
// say to change nothing.
func TestClassifierIsEvidence(t *testing.T) {
	for p, want := range map[float64]string{0.95: BandHigh, 0.6: BandMedium, 0.49: "", math.NaN(): "", 2: "", -1: ""} {
		c := &asked{p: func(f map[string]float64) float64 {
			if f["failed_logins_1h"] < 3 {
				return 0
			}
			return p
		}}
		m, err := NewMonitor(MonitorOptions{EntityType: "client", Step: step, Classifier: c}, everyModel()[:1])
		if err != nil {
			t.Fatal(err)
		}
		var last []Alert
		for i := range int64(10) {
			last, _ = m.Step(start+i*step.Milliseconds(), map[string]Slot{ModelRatio: {"failures": {{Entity: "a", Value: float64(i / 9 * 3)}}, "attempts": {{Entity: "a", Value: 30}}}})
		}
		switch {
		case want == "" && len(last) > 0, want != "" && (len(last) != 1 || last[0].Band != want || last[0].Top.Detector != ClassifierDetector):
			t.Errorf("%v: %+v, want %q", p, last, want)
		case c.n != 10:
			t.Errorf("it was asked %d times", c.n)
		}
	}
}

// TestTallyIsBounded sends entities on and on.
func TestTallyIsBounded(t *testing.T) {
	c := &asked{p: func(map[string]float64) float64 { return 0 }}
	m, err := NewMonitor(MonitorOptions{EntityType: "client", Step: step, Classifier: c, Entities: 100}, everyModel()[:1])
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		m.Step(start+i*step.Milliseconds(), map[string]Slot{ModelRatio: {"failures": {{Entity: fmt.Sprint(i), Value: math.Inf(1)}}}})
	}
	if n := m.tallies.len(); n > 100 || len(m.observed) > 0 {
		t.Errorf("%d tallies, %d observed", n, len(m.observed))
	}
}
