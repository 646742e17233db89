package main

import (
	"encoding/json"
	"fmt"
	"os"
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

// TestFeedbackLeavesRowsOut: a file's rows of a time that is not to be learned from are not, and the
// version says how many.
func TestFeedbackLeavesRowsOut(t *testing.T) {
	t.Chdir(t.TempDir())
	rows := make([]string, 600)
	for i := range rows {
		a := float64(i*i%97) / 97
		rows[i] = fmt.Sprintf(`{"timestamp": %d, "a": %v, "target": %v}`, 1_790_000_000+i*3600, a, 1+a*a)
	}
	if err := os.WriteFile("rows.json", []byte(strings.Join(rows, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "feedback --since 1790036000 --until 1790072000").want(t, exitOK)
	o := upid(t, "", "train cost_optimization --training-data rows.json --target-horizon 0s --epochs 5 --force -o json")
	o.want(t, exitOK, "10 rows are not learned from, because of feedback")
	var got []struct {
		Rows    int `json:"rows"`
		LeftOut int `json:"rows_left_out"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || len(got) != 1 || got[0].Rows != 590 || got[0].LeftOut != 10 {
		t.Errorf("%v: %+v", err, got)
	}
}
