package threat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func piece(f Family, threat string, t int64, score float64) Evidence {
	return Evidence{Detector: string(f) + threat, Family: f, Threat: threat, Technique: "", Time: t, Score: score, What: "", Reading: Reading{}}
}

// TestRiskByHand computes the formula: within a family 60 and 40 make
// 60 + 40·(1 − exp(−40·2^−1.5/100)) = 65.27; with 50 of another family
// 100·(1 − 0.3473·0.5) = 82.64.
func TestRiskByHand(t *testing.T) {
	var r Risk
	at(t, "nothing", r.At(start), 0, 0)
	r.Add(piece(FamilyAuth, DefenseEvasion, start, 60))
	at(t, "one", r.At(start), 60, 1e-9)
	r.Add(piece(FamilyAuth, UnusualBehavior, start, 40))
	at(t, "two of a family", r.At(start), 65.275, 0.001)
	r.Add(piece(FamilyEgress, DataExfiltration, start, 50))
	at(t, "two families", r.At(start), 100*(1-(1-0.65275)*0.5), 0.001)
}

// TestRiskDecays by half in 6 h, 24 h and 72 h.
func TestRiskDecays(t *testing.T) {
	for score, h := range map[float64]int64{30: 6, 60: 24, 80: 72} {
		var r Risk
		r.Add(piece(FamilyAuth, BruteForce, start, score))
		at(t, "half", r.At(start+h*hour), score/2, 1e-9)
		if r.Quiet(start + h*hour) {
			t.Error("forgotten too early")
		}
		if !r.Quiet(start + 20*h*hour) {
			t.Error("not forgotten")
		}
	}
}

// TestSamePieceCountsOnce repeats a reading for an hour: the risk stays.
func TestSamePieceCountsOnce(t *testing.T) {
	var r Risk
	for i := range int64(12) {
		r.Add(piece(FamilyAuth, BruteForce, start+i*300_000, 50))
	}
	at(t, "risk", r.At(start+11*300_000), 50, 1e-9)
	if n := len(r.Evidence(start)); n != 1 {
		t.Errorf("%d pieces", n)
	}
}

// TestRiskProperties over random evidence: in [0, 100], never less for more evidence,
// never more as time passes, bounded in memory, blind to the order of one slot.
func TestRiskProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		var a, b Risk
		var es []Evidence
		for range r.IntN(12) {
			e := piece(Families[r.IntN(len(Families))], Threats[r.IntN(len(Threats))], start, 100*r.Float64())
			e.Detector += string(rune('a' + r.IntN(20)))
			before := a.At(start)
			a.Add(e)
			if a.At(start) < before-1e-9 {
				t.Fatal("less for more")
			}
			es = append(es, e)
		}
		for _, e := range slices.Backward(es) {
			b.Add(e)
		}
		v := a.At(start)
		if !(v >= 0 && v <= 100) || math.Abs(v-b.At(start)) > 1e-9 || a.At(start+hour) > v+1e-9 {
			t.Fatalf("%v, %v, %v", v, b.At(start), a.At(start+hour))
		}
	}
	var many Risk
	for i := range int64(1000) {
		many.Add(piece(FamilyAuth, BruteForce, start+i*2*hour, 50))
		many.Add(piece(FamilyAuth, BruteForce, start, math.NaN()))
		many.Add(piece(FamilyAuth, BruteForce, start, math.Inf(1)))
	}
	if len(many.evidence) > maxEvidence {
		t.Errorf("%d pieces", len(many.evidence))
	}
}

func TestTacticsBonus(t *testing.T) {
	var r Risk
	for i, id := range []string{"T1110.001", "T1098.006", "T1613"} {
		e := piece(FamilyRBAC, Threats[i], start, 20)
		e.Technique = id
		r.Add(e)
	}
	plain := r.combine(start, func(*Evidence) bool { return true })
	at(t, "three tactics", r.At(start), plain+tacticsBonus, 1e-9)
	for _, c := range [][2]string{{"T1110.001", "credential-access"}, {"T9;T1552.007", "credential-access"}, {"", ""}, {"T9999", ""}} {
		if got := Tactic(c[0]); got != c[1] {
			t.Errorf("%s is %q", c[0], got)
		}
	}
}

// TestEveryTechniqueHasATactic looks up what the catalogues name.
func TestEveryTechniqueHasATactic(t *testing.T) {
	for _, m := range []map[string]Sensitive{kubernetesWrites, awsEvents} {
		for name, s := range m {
			if Tactic(s.Technique) == "" {
				t.Errorf("%s: %s has no tactic", name, s.Technique)
			}
		}
	}
}

func TestStories(t *testing.T) {
	var r Risk
	r.Add(piece(FamilyAuth, BruteForce, start, 50))
	if got := r.Threat(start); got != BruteForce {
		t.Error(got)
	}
	r.Add(piece(FamilyRBAC, PrivilegeEscalation, start+hour, 50))
	if got := r.Threat(start + hour); got != CompromisedAccount {
		t.Error(got)
	}
	var in Risk
	in.Add(piece(FamilyBehavior, UnusualBehavior, start, 20))
	in.Add(piece(FamilyRBAC, CredentialAccess, start+hour, 50))
	if got := in.Threat(start + hour); got != Insider {
		t.Error(got)
	}
	if got := new(Risk).Threat(start); got != "" {
		t.Error(got)
	}
}

func TestBands(t *testing.T) {
	for v, want := range map[float64]string{0: "info", 0.9: "info", 1: "low", 39.9: "low", 40: "medium", 69.9: "medium", 70: "high", 89.9: "high", 90: "critical", 100: "critical"} {
		if got := Band(v); got != want {
			t.Errorf("%v is %s", v, got)
		}
	}
	if Band(math.NaN()) != "info" {
		t.Error("NaN")
	}
}

func TestRollUp(t *testing.T) {
	pods := map[string]float64{"a-1": 30, "a-2": 80, "b-1": 10, "lone": 99}
	got := RollUp(pods, func(p string) string {
		if p == "lone" {
			return ""
		}
		return p[:1]
	})
	if len(got) != 2 || got["a"] != 80 || got["b"] != 10 {
		t.Error(got)
	}
}

// TestWorth holds the table of what evidence is worth: one anomaly is medium at most.
func TestWorth(t *testing.T) {
	edge, far := Reading{Surprise: 4.0001, Threshold: 4}, Reading{Surprise: 300, Threshold: 4}
	at(t, "edge", anomalyWorth.Of(edge), 40, 0.01)
	at(t, "far", anomalyWorth.Of(far), 69, 1e-9)
	at(t, "none", anomalyWorth.Of(Reading{Surprise: 4, Threshold: 4}), 0, 0)
	if Band(sequenceWorth.Of(Reading{Surprise: 2.0001, Threshold: 2})) != BandHigh {
		t.Error("a success after failures is not high")
	}
}
