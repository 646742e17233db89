//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
)

// states returns the versions of resource_prediction with their states.
func states(t *testing.T) map[string]string {
	t.Helper()
	o := upid(t, "", "models list resource_prediction -o json")
	o.want(t, exitOK)
	var rs []models.Record
	if err := json.Unmarshal([]byte(o.stdout), &rs); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rs {
		out[r.Version] = r.State
	}
	return out
}

func wantStates(t *testing.T, want map[string]string) {
	t.Helper()
	if got := states(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("versions are %v, want %v", got, want)
	}
}

// answers returns which version predicts.
func answers(t *testing.T) string {
	t.Helper()
	o := upid(t, "", "predict --model-type resource_prediction --features features.json -o json")
	o.want(t, exitOK)
	var ps []models.Prediction
	if err := json.Unmarshal([]byte(o.stdout), &ps); err != nil || len(ps) == 0 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return ps[0].ModelVersion
}

// TestModelLife trains a second version, compares, promotes, rolls back, moves it to
// another directory and removes it. Every step is in the audit trail.
func TestModelLife(t *testing.T) {
	examples(t)
	train := "train resource_prediction --training-data data.json --epochs "
	upid(t, "", train+"20").want(t, exitOK, "saved as resource_prediction v1; it answers")
	// The same rows and seed: the same model, which is no better.
	upid(t, "", train+"20").want(t, exitOK, "saved as resource_prediction v2; v1 still answers", "upid models promote resource_prediction v2", "with --force at once")
	wantStates(t, map[string]string{"v1": "active", "v2": "shadow"})

	o := upid(t, "", "models compare resource_prediction v1 v2 --training-data data.json -o json")
	o.want(t, exitOK)
	var cs []models.Comparison
	if err := json.Unmarshal([]byte(o.stdout), &cs); err != nil {
		t.Fatal(err)
	}
	if len(cs) != 4 {
		t.Fatalf("%d comparisons, want one a target: %s", len(cs), o.stdout)
	}
	for _, c := range cs {
		if c.Verdict != models.Open || c.Rows < 20 || c.Times < 5 || c.Least < 20 || c.A == nil || c.B == nil || *c.A != *c.B {
			t.Errorf("%+v", c)
		}
	}
	narrow(t, upid(t, "", "models compare resource_prediction v1 v2 --training-data data.json").stdout)

	promote := "models promote resource_prediction v2 "
	upid(t, "", promote).want(t, exitFailure, "nothing shows that v2 is better", "--force")
	upid(t, "", promote+"--training-data data.json").want(t, exitFailure, "v2 is not shown to be better than v1", "a verdict takes")
	if v := answers(t); v != "v1" {
		t.Errorf("%s answers after a refusal", v)
	}
	upid(t, "", promote+"--stage canary --share 2").want(t, exitUsage, "--share")
	upid(t, "", promote+"--stage canary --share 0.999999").want(t, exitOK)
	wantStates(t, map[string]string{"v1": "active", "v2": "canary"})
	if v := answers(t); v != "v2" {
		t.Errorf("%s answers although v2 is the canary of nearly all rows", v)
	}
	forced := upid(t, "", promote+"--force")
	forced.want(t, exitOK)
	if !strings.Contains(forced.stdout, "by force: v1 is active, and nothing shows that v2 is better") || strings.Contains(forced.stdout, "--force") {
		t.Errorf("want why, and not how to do what was done: %s", forced.stdout)
	}
	wantStates(t, map[string]string{"v1": "trained", "v2": "active"})
	upid(t, "", "models rollback resource_prediction").want(t, exitOK)
	wantStates(t, map[string]string{"v1": "active", "v2": "trained"})
	if v := answers(t); v != "v1" {
		t.Errorf("%s answers after the rollback", v)
	}
	upid(t, "", "models rollback resource_prediction").want(t, exitFailure, "no version was active before")

	upid(t, "", "models export resource_prediction v2 v2.model").want(t, exitOK)
	upid(t, "", "models export resource_prediction v2 v2.model").want(t, exitFailure, "exists")
	other := t.TempDir()
	upid(t, "", "models import v2.model --storage.path "+other).want(t, exitOK)
	upid(t, "", "models promote resource_prediction v1 --storage.path "+other).want(t, exitOK)
	upid(t, "", "models verify --storage.path "+other).want(t, exitOK)
	b, err := os.ReadFile("v2.model")
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile("bad.model", b, 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "models import bad.model --storage.path "+other).want(t, exitFailure, "damaged")
	if err := syscall.Mkfifo("pipe.model", 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "models import pipe.model --storage.path "+other).want(t, exitFailure, "no regular file")
	upid(t, "", "models promote resource_prediction v9 --storage.path "+other).want(t, exitFailure, "no such model version")

	// Of an active version that is lost nothing can be shown; another takes its place.
	upid(t, "", "models import v2.model --storage.path "+other).want(t, exitOK)
	if err := os.WriteFile(filepath.Join(other, "models", "resource_prediction", "v1.model"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "predict --model-type resource_prediction --features features.json --storage.path "+other).want(t, exitFailure, "damaged", "upid models promote")
	upid(t, "", "predict --model-type resource_prediction --features features.json --storage.path "+other).want(t, exitFailure, "v1 is active, and lost") // in quarantine by now
	upid(t, "", "models promote resource_prediction v9 --storage.path "+other).want(t, exitFailure, "no such model version")
	lost := upid(t, "", "models promote resource_prediction v2 --storage.path "+other)
	lost.want(t, exitOK)
	if !strings.Contains(lost.stdout, "in the place of v1, which cannot answer") {
		t.Error(lost.stdout)
	}
	upid(t, "", "predict --model-type resource_prediction --features features.json --storage.path "+other).want(t, exitOK)

	upid(t, "", "models delete resource_prediction v1").want(t, exitFailure, "v1 is active")
	upid(t, "", "models delete resource_prediction v2").want(t, exitOK)
	upid(t, "", "models verify").want(t, exitOK)
	if err := os.Chmod(filepath.Join("data", "models", "resource_prediction", "v1.model"), 0o644); err != nil {
		t.Fatal(err)
	}
	o = upid(t, "", "models verify -o csv")
	o.want(t, exitFailure, "1 of 1 versions are not as they were written")
	if !strings.Contains(o.stdout, "resource_prediction,v1,active,0,exposed,") {
		t.Errorf("verify: %s", o.stdout)
	}
	upid(t, "", "predict --model-type resource_prediction --features features.json").want(t, exitFailure, "its mode is 0644", "upid models import")

	var trail []string
	if _, err := audit.Verify(filepath.Join("data", audit.FileName), func(_ audit.Head, e audit.Event) error {
		trail = append(trail, e.Action+" "+e.Outcome)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"train_start ok", "train_end ok", "promote ok", "train_start ok", "train_end ok", "promote ok",
		"promote refused", "promote refused", "promote ok", "promote ok", "rollback ok", "rollback ok", "rollback failed",
		"export ok", "export ok", "export failed", "delete ok", "delete failed", "delete ok", "quarantine ok",
	}
	if strings.Join(trail, "; ") != strings.Join(want, "; ") {
		t.Errorf("the trail says\n%s\nwant\n%s", strings.Join(trail, "; "), strings.Join(want, "; "))
	}
	upid(t, "", "audit verify").want(t, exitOK)
}

// TestBetterVersionTakesOver: a second version that is better on the rows neither has
// learned from answers at once.
func TestBetterVersionTakesOver(t *testing.T) {
	t.Chdir(t.TempDir())
	rows := func(name string, noise float64, n int) {
		var b strings.Builder
		b.WriteString("timestamp,x,z,target\n")
		for i := range n {
			x, z := float64(i*7919%1000)/1000, float64(i*104729%1000)/1000
			known := z
			if noise > 0 { // the feature that matters was not recorded
				known = float64(i*15485863%1000) / 1000
			}
			fmt.Fprintf(&b, "%d,%.4f,%.4f,%.4f\n", 1_700_000_000+i*3600, x, known, 5+x+10*z)
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows("poor.csv", 1, 1500)
	rows("rich.csv", 0, 1500)
	train := "train resource_prediction --target-horizon 1h --epochs 60 --training-data "
	hasty := strings.Replace(train, "60", "2", 1)
	upid(t, "", train+"poor.csv --force").want(t, exitOK, "saved as resource_prediction v1")
	upid(t, "", train+"rich.csv").want(t, exitOK, "saved as resource_prediction v2; it answers")
	wantStates(t, map[string]string{"v1": "trained", "v2": "active"})
	upid(t, "", hasty+"rich.csv --force").want(t, exitOK, "saved as resource_prediction v3", "v2 still answers", "worse")
	wantStates(t, map[string]string{"v1": "trained", "v2": "active", "v3": "shadow"})
	o := upid(t, "", "models compare resource_prediction v3 v2 --training-data rich.csv -o csv")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, ",better\n") {
		t.Errorf("v2 against v3: %s", o.stdout)
	}
	// Without the trail nothing is changed.
	if err := os.Chmod(filepath.Join("data", audit.FileName), 0o666); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "models rollback resource_prediction").want(t, exitFailure, "nothing is changed, because it cannot be written down", "chmod 600")
	wantStates(t, map[string]string{"v1": "trained", "v2": "active", "v3": "shadow"})
}

// TestSealedModels: with a key file of the configuration nothing of a model can be read.
func TestSealedModels(t *testing.T) {
	examples(t)
	key := keyFile(t, 1)
	if err := os.WriteFile("config.yaml", []byte("storage: {path: data, encryption_key_file: "+key+"}\nsignals: [{name: a, query: sum(up)}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	upid(t, "", "train resource_prediction --training-data data.json --epochs 5 --force").want(t, exitOK, "saved as")
	b, err := os.ReadFile(filepath.Join("data", "models", "resource_prediction", "v1.model"))
	if err != nil || strings.Contains(string(b), "cpu_usage") || !strings.HasPrefix(string(b), "upid.sealed.1\n") {
		t.Errorf("%.40q, %v", b, err)
	}
	if v := answers(t); v != "v1" {
		t.Errorf("%s answers", v)
	}
	upid(t, "", "predict --model-type resource_prediction --features features.json --storage.encryption-key-file "+keyFile(t, 2)).want(t, exitFailure, "not in the key file")
	for _, command := range []string{"models list", "models verify"} { // what cannot be read is not none
		o := upid(t, "", command+" --storage.encryption-key-file "+keyFile(t, 2))
		o.want(t, exitFailure, "not in the key file")
		if o.stdout != "" {
			t.Errorf("%s says %s", command, o.stdout)
		}
	}
}

// TestParkedModel: a version that failed again and again is not asked, says so in every
// list, is not promoted and not rolled back to, and is asked again by force.
func TestParkedModel(t *testing.T) {
	examples(t)
	prints := func(command string, texts ...string) {
		t.Helper()
		o := upid(t, "", command)
		for _, text := range texts {
			if o.code != exitOK || !strings.Contains(o.stdout, text) {
				t.Errorf("%s does not print %q:\n%s", command, text, o.stdout)
			}
		}
	}
	train := "train resource_prediction --training-data data.json --epochs 5 --force"
	upid(t, "", train).want(t, exitOK, "saved as resource_prediction v1")
	prints("models show resource_prediction -o json", `"state": "active"`, `"stage": "active"`, `"parked": null`)
	until := time.Now().Add(time.Hour)
	err := store.NewVersions("data", nil).ChangeFailures("resource_prediction", "v1", func(f store.Failures) store.Failures {
		return store.Failures{Times: []int64{time.Now().UnixMilli()}, Reason: models.FailedDeadline, Detail: "too slow", Until: until.UnixMilli()}
	})
	if err != nil {
		t.Fatal(err)
	}
	said := "parked until " + until.UTC().Format("2006-01-02T15:04")
	upid(t, "", "predict --model-type resource_prediction --features features.json").want(t, exitFailure, said, "deadline: too slow", "upid models rollback resource_prediction", "upid models promote resource_prediction v1 --force")
	upid(t, "", "models list").want(t, exitOK, said, "deadline: too slow")
	prints("models show resource_prediction -o json", `"state": "parked"`, `"stage": "active"`, `"reason": "deadline"`)
	upid(t, "", "models promote resource_prediction v1").want(t, exitFailure, said)
	upid(t, "", train).want(t, exitOK, "saved as resource_prediction v2")
	prints("models promote resource_prediction v2 --force", "to active")
	upid(t, "", "models rollback resource_prediction").want(t, exitFailure, "no version was active before")
	prints("models promote resource_prediction v1 --force", "by force although it is parked (deadline)")
	if v := answers(t); v != "v1" {
		t.Errorf("%s answers", v)
	}
	wantStates(t, map[string]string{"v1": "active", "v2": "trained"})
}
