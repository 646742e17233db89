package views

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// guessing is a result about a source that guesses passwords since start.
func guessing(source, id string, start, last, end int64) series.Result {
	t := &series.Threat{
		ID: id, Entity: source, EntityType: "source", Threat: "brute_force", Technique: "T1110.001", Band: "medium", Severity: series.SeverityWarning,
		Risk: 62.34, Confidence: 0.876, Observed: 40, Expected: 0.5, Window: 5 * time.Minute, Evidence: []string{"ssh-failures: 40, expected 0.5 in 5m"},
		FirstAction: "Look at the sources of the failures.", First: start, Last: last,
	}
	r := result("", last, nil)
	r.Signal, r.Observed, r.Score, r.BudgetSpent = "threats-ssh", nan, nil, nan
	r.Labels = labels.FromStrings("entity", source, "entity_type", "source", "source", source)
	r.Threat = t
	r.Findings = []series.Finding{{
		ID: id, Family: "security_breach", Type: t.Threat, Severity: t.Severity, Start: start, End: end, Peak: 64.9, Confidence: t.Confidence, Threat: t,
	}}
	return r
}

// watched returns views of one preset with an attack that is over and one that is open.
func watched(t testing.TB, o Options) *Views {
	o.Version = "1.2.3"
	v := New(o)
	v.SetSignals(map[string]Signal{"threats-ssh": configured("threats-ssh", "security", "")})
	write(t, v, "threats-ssh", noon-20*minute, guessing("192.0.2.7", "t0", noon-40*minute, noon-30*minute, noon-20*minute))
	write(t, v, "threats-ssh", noon, guessing("192.0.2.7", "t1", noon-5*minute, noon, 0), guessing("192.0.2.8", "t2", noon-5*minute, noon, 0))
	return v
}

func TestThreats(t *testing.T) {
	v := watched(t, Options{})
	base := serve(t, v)
	_, a := list(t, base, "/api/v1/threats?state=open", "id")
	golden(t, "threat.json", first(t, a.Data))
	_, a = list(t, base, "/api/v1/predictions?model_type=security_threat", "id")
	golden(t, "risk.json", first(t, a.Data))
	if a.Total != 2 {
		t.Errorf("%d risks, want 2", a.Total)
	}
	for query, want := range map[string]string{
		"":                        "t1 t2 t0",
		"?state=ended":            "t0",
		"?entity=192.0.2.7":       "t1 t0",
		"?threat=brute_force":     "t1 t2 t0",
		"?threat=insider":         "",
		"?severity=critical":      "",
		"?entity_type=user":       "",
		"?signal=threats-ssh":     "t1 t2 t0",
		"?since=1699876000":       "t1 t2",
		"?limit=1":                "t1",
		"?label=source=192.0.2.8": "t2",
	} {
		if got, _ := list(t, base, "/api/v1/threats"+query, "id"); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	// They are no anomalies.
	if got, _ := list(t, base, "/api/v1/anomalies", "id"); got != "" {
		t.Errorf("anomalies %q", got)
	}
}

func TestThreats_life(t *testing.T) {
	v := watched(t, Options{})
	one := func(id string) Threat {
		t.Helper()
		ts, _ := v.Threats(ThreatFilter{})
		for _, x := range ts {
			if x.ID == id {
				return x
			}
		}
		t.Fatalf("no threat %s", id)
		return Threat{}
	}
	if got := one("t1"); got.Recurrences != 1 || got.EndedAt != nil || one("t0").Recurrences != 0 {
		t.Errorf("recurrences %d, want that of before: %+v", got.Recurrences, got)
	}
	v.Expire("threats-ssh")
	if got := one("t1"); !got.Stale || got.EndedAt != nil {
		t.Errorf("expired: %+v", got)
	}
	// One is spoken of as over, the other not at all.
	write(t, v, "threats-ssh", noon+20*minute, guessing("192.0.2.7", "t1", noon-5*minute, noon, noon+15*minute))
	if got := one("t1"); got.EndedAt == nil || *got.EndedAt != float64(noon+15*minute)/1000 || got.Stale {
		t.Errorf("over: %+v", got)
	}
	if got := one("t2"); got.EndedAt == nil || *got.EndedAt != got.LastSeen {
		t.Errorf("not spoken of: %+v", got)
	}
	v.SetThreatRetention(30 * time.Minute)
	write(t, v, "threats-ssh", noon+40*minute)
	if ts, _ := v.Threats(ThreatFilter{}); len(ts) != 1 || ts[0].ID != "t1" {
		t.Errorf("after the retention: %+v", ts)
	}
	v.Drop("threats-ssh")
	if ts, _ := v.Threats(ThreatFilter{}); len(ts) != 1 {
		t.Error("what happened is forgotten with the preset")
	}
}

// TestThreats_disk: what one process saved the next one has, and what was open is stale until
// it is spoken of.
func TestThreats_disk(t *testing.T) {
	v := watched(t, Options{})
	records, dirty := v.SaveThreats()
	if !dirty || len(records) != 3 {
		t.Fatalf("%d records, dirty %v", len(records), dirty)
	}
	if _, dirty := v.SaveThreats(); dirty {
		t.Error("dirty twice")
	}
	// A risk that decays is not worth a write, new evidence is.
	write(t, v, "threats-ssh", noon, guessing("192.0.2.7", "t1", noon-5*minute, noon, 0), guessing("192.0.2.8", "t2", noon-5*minute, noon, 0))
	if _, dirty := v.SaveThreats(); dirty {
		t.Error("the same again is written")
	}
	write(t, v, "threats-ssh", noon+minute, guessing("192.0.2.7", "t1", noon-5*minute, noon+minute, 0), guessing("192.0.2.8", "t2", noon-5*minute, noon, 0))
	if _, dirty := v.SaveThreats(); !dirty {
		t.Error("new evidence is not written")
	}
	v.UnsavedThreats()
	if _, dirty := v.SaveThreats(); !dirty {
		t.Error("what could not be written is forgotten")
	}

	next := New(Options{})
	next.SetSignals(map[string]Signal{"threats-ssh": configured("threats-ssh", "security", "")})
	if bad := next.LoadThreats(append(records, []byte("{"), []byte("{}"))); bad != 2 {
		t.Errorf("%d bad records, want 2", bad)
	}
	ts, n := next.Threats(ThreatFilter{State: Open})
	if n != 2 || !ts[0].Stale {
		t.Errorf("loaded: %+v", ts)
	}
	a, _ := v.Threats(ThreatFilter{State: Ended})
	b, _ := next.Threats(ThreatFilter{State: Ended})
	if x, y := encoded(t, a), encoded(t, b); x != y {
		t.Errorf("saved\n%s\nloaded\n%s", x, y)
	}
	write(t, next, "threats-ssh", noon+minute, guessing("192.0.2.7", "t1", noon-5*minute, noon+minute, 0))
	ts, n = next.Threats(ThreatFilter{State: Open})
	if n != 1 || ts[0].ID != "t1" || ts[0].Stale || ts[0].Recurrences != 1 {
		t.Errorf("spoken of: %+v", ts)
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThreats_bounded(t *testing.T) {
	v := watched(t, Options{KeepThreats: 2})
	if ts, n := v.Threats(ThreatFilter{}); n != 2 || ts[0].EndedAt != nil || ts[1].EndedAt != nil {
		t.Errorf("%d on record, want the two that are open: %+v", n, ts)
	}
}

func TestThreats_purge(t *testing.T) {
	v := watched(t, Options{})
	many := guessing("multiple", "c1", noon, noon, 0)
	many.Findings[0].Threat.Entities = []string{"192.0.2.7", "192.0.2.9"}
	write(t, v, "threats-ssh", noon+minute, many, guessing("192.0.2.8", "t2", noon-5*minute, noon, 0))
	if ts, n := v.Threats(ThreatFilter{Entity: "192.0.2.7"}); n != 3 {
		t.Errorf("%d about the entity, want its own and the campaign: %+v", n, ts)
	}
	req := func(query string) (int, string) {
		t.Helper()
		for _, r := range v.Routes() {
			if r.Name == "api_threats_purge" {
				rec := httptest.NewRecorder()
				httpReq, _ := http.NewRequest(http.MethodPost, "/api/v1/threats/purge"+query, nil)
				r.Serve(rec, httpReq)
				return rec.Code, rec.Body.String()
			}
		}
		t.Fatal("no route")
		return 0, ""
	}
	if code, body := req(""); code != http.StatusBadRequest || !strings.Contains(body, "want the entity to forget") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := req("?entity=192.0.2.7"); code != http.StatusOK || !strings.Contains(body, `"threats":3`) {
		t.Errorf("%d %s", code, body)
	}
	ts, _ := v.Threats(ThreatFilter{})
	if len(ts) != 1 || ts[0].ID != "t2" {
		t.Errorf("left: %+v", ts)
	}
	if _, dirty := v.SaveThreats(); !dirty {
		t.Error("a purge is not written to disk")
	}
}
