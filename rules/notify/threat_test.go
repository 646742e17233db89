package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// threatOf is an open finding of brute force on the pod a.
func threatOf(id, severity string, risk float64, start int64) series.Finding {
	t := &series.Threat{
		ID: id, Entity: `a{{ .Labels }}"` + "\n", EntityType: "pod", Threat: "brute_force", Technique: "T1110.001;T1078", Band: "medium", Severity: severity,
		Risk: risk, Confidence: 0.75, Observed: 40, Expected: 0.5, Evidence: []string{"ssh-failures: 40, expected 0.5 in 5m"},
		FirstAction: "Look.", First: start, Last: start,
	}
	return series.Finding{ID: id, Family: "security_breach", Type: t.Threat, Severity: severity, Start: start, Peak: risk, Confidence: 0.75, Threat: t}
}

// TestThreatAlert: one alert of its own name, nothing that changes in its labels, and a
// severity that rises is a new one while the old is resolved, in one post.
func TestThreatAlert(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		start := now() - 60_000
		b.write(result("a", threatOf("t1", series.SeverityWarning, 62, start)))
		a := am.get("a")
		wantFiring(t, a, start, 4*time.Minute)
		if a.Labels["alertname"] != "UpidThreat" || a.Labels["type"] != "brute_force" || a.Labels["severity"] != "warning" || len(a.Labels) != 5 {
			t.Errorf("labels %v, want alertname, pod, severity, signal and type", a.Labels)
		}
		for key, want := range map[string]string{
			"technique": "T1110.001;T1078", "evidence": "ssh-failures: 40, expected 0.5 in 5m", "first_action": "Look.", "family": "security_breach",
			"runbook_url": "https://attack.mitre.org/techniques/T1110/001/", "score": "62", "confidence": "0.75",
		} {
			if got := a.Annotations[key]; got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		if s := a.Annotations["summary"]; !strings.Contains(s, "sees credentials being guessed (risk 62)") {
			t.Errorf("summary %q", s)
		}
		am.forget()
		b.write(result("a", threatOf("t1", series.SeverityWarning, 65, start)))
		if n := len(am.all()); n != 0 {
			t.Errorf("%d posts because the risk moved, want none", n)
		}
		b.write(result("a", threatOf("t1", series.SeverityCritical, 91, start)))
		posts := am.all()
		if len(posts) != 1 || len(posts[0].alerts) != 2 {
			t.Fatalf("%d posts, want one of two alerts", len(posts))
		}
		wantFiring(t, am.get("a", "severity", "critical"), start, 4*time.Minute)
		if e := time.Time(am.get("a", "severity", "warning").EndsAt); e.After(time.Now()) {
			t.Errorf("the warning ends %v", e)
		}
	})
}

// TestThreatCampaign: the list grows, and that is news.
func TestThreatCampaign(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		f := threatOf("c1", series.SeverityWarning, 62, now())
		f.Threat.Entity, f.Threat.Entities, f.Threat.Observed = "multiple", []string{"a", "b", "c", "d", "e"}, 5
		b.write(result("multiple", f))
		a := am.get("multiple")
		if a == nil || a.Annotations["entities"] != "a, b, c, d, e" || !strings.Contains(a.Annotations["summary"], "Campaign of brute force against 5 entities") {
			t.Fatalf("campaign %+v", a)
		}
		am.forget()
		more := *f.Threat
		more.Entities, more.Observed = []string{"a", "b", "c", "d", "e", "f"}, 6
		f.Threat = &more
		b.write(result("multiple", f))
		if len(am.all()) != 1 || !strings.HasSuffix(am.get("multiple").Annotations["entities"], ", f") {
			t.Errorf("a new entity is not posted: %v", am.get("multiple").Annotations)
		}
	})
}
