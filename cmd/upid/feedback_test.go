package main

import (
	"strings"
	"testing"
)

// TestFeedback: what is said is kept, listed, in the audit trail, and taken back.
func TestFeedback(t *testing.T) {
	t.Chdir(t.TempDir())
	upid(t, "", "feedback list").want(t, exitOK)
	o := upidArgs(t, nil, "feedback", "--since", "2026-11-20T08:00:00Z", "--until", "2026-11-20T14:00:00Z", "--match", `{namespace="shop"}`, "--note", "failover test")
	o.want(t, exitOK)
	id, _, _ := strings.Cut(o.stdout, ":")
	if len(id) != 12 || !strings.Contains(o.stdout, `all signals{namespace="shop"} from 2026-11-20T08:00:00Z to 2026-11-20T14:00:00Z`) {
		t.Errorf("%s", o.stdout)
	}
	upid(t, "", "feedback --since 1790000000 --until 1790003600 --signal cpu").want(t, exitOK)
	for _, format := range []string{"table", "json", "yaml", "csv"} {
		o := upid(t, "", "feedback list -o "+format)
		o.want(t, exitOK)
		for _, text := range []string{id, "failover test", "cpu", "cli"} {
			if text == "failover test" && format == "table" {
				continue // a narrow terminal has no room for it
			}
			if !strings.Contains(o.stdout, text) {
				t.Errorf("%s lacks %q:\n%s", format, text, o.stdout)
			}
		}
	}
	upid(t, "", "feedback remove "+id).want(t, exitOK)
	upid(t, "", "feedback remove "+id).want(t, exitFailure, "there is no window")
	o = upid(t, "", "feedback list -o csv")
	o.want(t, exitOK)
	if strings.Contains(o.stdout, id) || !strings.Contains(o.stdout, "cpu") {
		t.Errorf("%s", o.stdout)
	}
	o = upid(t, "", "audit list")
	o.want(t, exitOK)
	if n := strings.Count(o.stdout, "feedback"); n != 3 {
		t.Errorf("%d events, want 3:\n%s", n, o.stdout)
	}
	upid(t, "", "feedback").want(t, exitUsage, "--since")
	upid(t, "", "feedback --since yesterday").want(t, exitUsage, "is no time")
	upid(t, "", "feedback --since 1h --until 2h").want(t, exitUsage, "before it begins")
	upid(t, "", "feedback --since 1h --match nonsense{").want(t, exitUsage, "is no selector")
}
