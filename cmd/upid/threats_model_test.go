package main

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/forecast/features"
)

// trainThreats trains a model on labelled entities in the data directory dir: attacked are
// those with at least some failures in an hour.
func trainThreats(t *testing.T, dir string, least float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	b.WriteString("failed_logins_1h,failed_logins_24h,hour_of_day,target\n")
	for i := range 3000 {
		failed, target := least*r.Float64()*0.8, 0
		if i%4 == 0 {
			failed, target = least*(1+r.Float64()), 1
		}
		fmt.Fprintf(&b, "%.0f,%.0f,%d,%d\n", failed, failed+5*r.Float64(), r.IntN(24), target)
	}
	file := filepath.Join(t.TempDir(), "labelled.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	upidArgs(t, strings.NewReader(""), "train", "security_threat", "--training-data", file, "--epochs", "60", "--storage.path", dir).want(t, exitOK, "saved as security_threat")
}

// risks are the risks on /metrics by threat and entity.
func risks(metrics string) (out []string) {
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "upid_threat_risk_score{") {
			out = append(out, line)
		}
	}
	return out
}

// TestThreats_trainedModel wants a trained model to find what the detectors let pass, and
// nothing to change where there is none.
func TestThreats_trainedModel(t *testing.T) {
	const n = 290
	few := flat(n, 0)
	for i := n - 4; i < n; i++ {
		few[i] = few[i-1] + 2 // 8 failures within 20 minutes: fewer than people make
	}
	counters := map[string][]float64{
		`ssh_auth_events_total{host="web-1",result="failed"}`: few,
		`ssh_auth_events_total{host="web-2",result="failed"}`: flat(n, 3),
		`up{job="ssh"}`: flat(n, 1),
	}
	if got := risks(playThreats(t, counters, n-10, nil)); len(got) != 0 {
		t.Fatalf("without a model: %v", got)
	}
	dir := t.TempDir()
	trainThreats(t, dir, 6)
	trained, err := models.NewRegistry(dir, nil).NewJudge(features.SecurityThreat, threat.Features)
	if err != nil {
		t.Fatal(err)
	}
	got := risks(playThreats(t, counters, n-10, trained))
	if len(got) != 1 || !strings.Contains(got[0], `entity="web-1"`) || !strings.Contains(got[0], `threat="unusual_behavior"`) {
		t.Errorf("with a model: %v", got)
	}
}

// TestSidecar_trainedThreats wants a version to be in use once it is active, without a
// restart, and threats to be found without it where it cannot be read.
func TestSidecar_trainedThreats(t *testing.T) {
	dir := t.TempDir()
	cfg := writeFile(t, "prometheus: {url: http://127.0.0.1:1}\nalertmanager: {urls: [http://127.0.0.1:2]}\nthreats: {}\n")
	// What was open when upid was killed is posted again only once Prometheus answers.
	if err := store.NewRecords(dir, threatsKind, nil).Save([][]byte{[]byte(`{"id":"a","threat":"brute_force","signal":"threats-ssh","entity":"web-1"}`)}); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	var start cli
	if _, err := start.parser(t.Context(), io.Discard, io.Discard, func(int) {}).Parse([]string{"start", "--config", cfg, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	s, err := newSidecar(&start.Start, &env{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &log, log: slog.New(slog.NewTextHandler(&log, nil)), loc: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	defer s.lock.Release() //nolint:errcheck // the test ends
	if !strings.Contains(log.String(), "threats were open when upid ended") {
		t.Errorf("nobody is told of the open threat:\n%s", log.String())
	}
	wanted, err := wantedThreats(&s.running.Threats)
	if err != nil {
		t.Fatal(err)
	}
	var watched []resolvedThreat
	for _, p := range wanted {
		if p.Name == "ssh" {
			watched = append(watched, resolvedThreat{preset: p, entity: []string{"host"}, entityType: "host"})
		}
	}
	if err := s.apply(s.running, watched); err != nil {
		t.Fatal(err)
	}
	if !s.runtimeStatus().Threats {
		t.Error("the status does not say that threats are configured")
	}
	// The rules of Prometheus are told who alerts.
	enabled := func() float64 { return testutil.ToFloat64(s.byRules.WithLabelValues("threats-ssh")) }
	if enabled() != 0 {
		t.Error("upid posts, and the rules alert too")
	}
	s.running.Threats.Rules = true
	if s.setThreatRules(watched); enabled() != 1 {
		t.Error("the rules are not told to alert")
	}
	model := func() string { return s.threatStatuses()[0].Model }
	if s.judgeMoved() || model() != "" {
		t.Fatalf("without a model: %q", model())
	}
	trainThreats(t, dir, 6)
	if !s.judgeMoved() {
		t.Fatal("an active version is not noticed")
	}
	s.rejudge()
	if s.judgeMoved() || model() != "v1" || !strings.Contains(log.String(), "a trained model is asked too") {
		t.Errorf("model %q\n%s", model(), log.String())
	}

	// One that cannot be read is left out, and not tried for ever.
	versions, err := filepath.Glob(filepath.Join(dir, "models", "security_threat", "v1*"))
	if err != nil || len(versions) != 1 {
		t.Fatalf("%v, %v", versions, err)
	}
	if err := os.WriteFile(versions[0], []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.registry, s.judge = models.NewRegistry(dir, nil), nil
	s.rejudge()
	if s.judgeMoved() || model() != "" || !strings.Contains(log.String(), "the active model cannot be read") {
		t.Errorf("model %q\n%s", model(), log.String())
	}
}
