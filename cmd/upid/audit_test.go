package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/audit"
)

func auditTrail(t *testing.T) (dir string, heads []audit.Head) {
	t.Helper()
	dir = t.TempDir()
	l := audit.New(filepath.Join(dir, audit.FileName))
	for i, action := range []string{audit.TrainEnd, audit.Gate, audit.Promote} {
		head, err := l.Append(audit.Event{
			Time: time.Date(2026, 11, 28, 12, i, 0, 0, time.UTC), Actor: "alice", Source: "cli",
			Action: action, Object: "resource_prediction/2", Outcome: audit.OK,
			Detail: "better than version 1 by 3.1 % on 240 slots,\tp = 0.01",
		})
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	return dir, heads
}

func TestAuditList(t *testing.T) {
	dir, heads := auditTrail(t)
	o := upid(t, "", "audit list --storage.path "+dir)
	o.want(t, exitOK)
	// No terminal: what was done is not cut off.
	for _, text := range []string{"train_end", "promote", "alice", "resource_prediction/2", "2026-11-28T12:02:00Z", "p = 0.01\n"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("no %q in\n%s", text, o.stdout)
		}
	}
	o = upid(t, "", "audit list --action promote -o csv --storage.path "+dir)
	o.want(t, exitOK)
	want := strings.Join(auditColumns, ",") + "\n" +
		"3,1795867320,alice,cli,promote,resource_prediction/2,ok,,\"better than version 1 by 3.1 % on 240 slots,\tp = 0.01\"," + heads[2].Hash + "\n"
	if o.stdout != want {
		t.Errorf("got\n%s\nwant\n%s", o.stdout, want)
	}
	// No trail is no failure: nothing was changed yet.
	none := t.TempDir()
	for format, want := range map[string]string{"table": "no model was changed yet", "json": "[]\n", "csv": strings.Join(auditColumns, ",") + "\n"} {
		o = upid(t, "", "audit list --storage.path "+none+" -o "+format)
		o.want(t, exitOK)
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%s: got %q, want %q", format, o.stdout, want)
		}
	}
	upid(t, "", "audit list --action nonsense --storage.path "+dir).want(t, exitUsage, "nonsense", "promote")
}

func TestAuditVerify(t *testing.T) {
	dir, heads := auditTrail(t)
	path := filepath.Join(dir, audit.FileName)
	o := upid(t, "", "audit verify --audit.log-file "+path)
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "3 events") || !strings.Contains(o.stdout, heads[2].Hash) {
		t.Error(o.stdout)
	}
	upid(t, "", "audit verify --head "+heads[1].Hash+" --storage.path "+dir).want(t, exitOK)

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	if err := os.WriteFile(path, []byte(lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "audit verify --storage.path "+dir).want(t, exitOK)
	upid(t, "", "audit verify --head "+heads[1].Hash+" --storage.path "+dir).want(t, exitFailure, "lines at its end were removed")

	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), "12:01", "12:00", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "audit verify --storage.path "+dir).want(t, exitFailure, "line 2", "the audit trail is broken")
	o = upid(t, "", "audit list -o csv --storage.path "+dir)
	o.want(t, exitFailure, "line 2")
	if strings.Count(o.stdout, "\n") != 2 {
		t.Errorf("up to the broken line:\n%s", o.stdout)
	}
	upid(t, "", "audit verify --storage.path "+t.TempDir()).want(t, exitFailure, "no audit trail")
}
