//go:build unix

package testserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

func get(t *testing.T, u string) string {
	t.Helper()
	resp, err := client.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", u, resp.Status, b)
	}
	return string(b)
}

// query returns the values of an instant query, one per series.
func query(t *testing.T, s *Server, expr string) []string {
	t.Helper()
	var body struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	raw := get(t, s.URL+"/api/v1/query?query="+url.QueryEscape(expr))
	if err := json.Unmarshal([]byte(raw), &body); err != nil {
		t.Fatal(err)
	}
	var vs []string
	for _, r := range body.Data.Result {
		vs = append(vs, r.Value[1].(string))
	}
	return vs
}

func TestPrometheusBackfillAndRestart(t *testing.T) {
	// A day of minutes, 20 days ago: survives only a longer retention than the
	// default.
	start := time.Now().Add(-20 * 24 * time.Hour).Truncate(time.Hour)
	var om strings.Builder
	om.WriteString("# TYPE demo gauge\n")
	for i := range 24 * 60 {
		fmt.Fprintf(&om, "demo{a=\"b\"} %d %d\n", i, start.Unix()+int64(i)*60)
	}
	om.WriteString("# EOF\n")

	rule := filepath.Join(t.TempDir(), "r.yml")
	writeFile(t, rule, "groups: [{name: g, rules: [{record: two, expr: '1 + 1'}]}]\n")
	s := Prometheus(t, Options{
		OpenMetrics: strings.NewReader(om.String()),
		RuleFiles:   []string{rule},
		ScrapeConfigs: "- job_name: self\n" +
			"  static_configs: [{targets: ['127.0.0.1:1']}]\n",
		ExtraFlags: []string{"--web.page-title=under test"},
	})
	count := func() string {
		t.Helper()
		vs := query(t, s, "count_over_time(demo[30d])")
		if len(vs) != 1 {
			t.Fatalf("%d series, want 1", len(vs))
		}
		return vs[0]
	}
	if got := count(); got != "1440" {
		t.Errorf("back-filled samples %s, want 1440", got)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(query(t, s, "two == 2")) == 0 || len(query(t, s, "up == 0")) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no rule result or no scrape result")
		}
		time.Sleep(200 * time.Millisecond)
	}

	s.Kill()
	if s.Running() {
		t.Fatal("running after Kill")
	}
	if _, err := client.Get(s.URL); err == nil {
		t.Fatal("killed server answers")
	}
	s.Start()
	if got := count(); got != "1440" {
		t.Errorf("samples after the restart %s, want 1440", got)
	}
	s.Stop()
	s.Stop() // does nothing
	if !strings.Contains(s.Log(), "See you next time!") {
		t.Error("no orderly stop in the log")
	}
}

func TestPrometheusConfig(t *testing.T) {
	s := Prometheus(t, Options{Config: "global: {external_labels: {here: there}}\n"})
	if got := get(t, s.URL+"/api/v1/status/config"); !strings.Contains(got, "here: there") {
		t.Errorf("configuration %s", got)
	}
	s.Pause()
	short := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 300 * time.Millisecond}
	if _, err := short.Get(s.URL + "/-/healthy"); err == nil {
		t.Error("a paused server answers")
	}
	s.Resume()
	get(t, s.URL+"/-/healthy")
}

func TestAlertmanagerCluster(t *testing.T) {
	ams := AlertmanagerCluster(t, 2, AlertmanagerOptions{Webhook: "http://127.0.0.1:1/"})
	deadline := time.Now().Add(20 * time.Second)
	for {
		var status struct {
			Cluster struct{ Peers []any }
			Config  struct{ Original string }
		}
		if err := json.Unmarshal([]byte(get(t, ams[1].URL+"/api/v2/status")), &status); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(status.Config.Original, "127.0.0.1:1") {
			t.Fatalf("configuration without the webhook: %s", status.Config.Original)
		}
		if len(status.Cluster.Peers) == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d peers, want 2", len(status.Cluster.Peers))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestAlertmanagerAlone(t *testing.T) {
	s := Alertmanager(t, AlertmanagerOptions{})
	if got := get(t, s.URL+"/api/v2/status"); !strings.Contains(got, `"status":"disabled"`) {
		t.Errorf("cluster is on: %s", got)
	}
	if got := alertmanagerConfig(AlertmanagerOptions{Config: "x"}); got != "x" {
		t.Errorf("configuration %q", got)
	}
}

// fakeTB records the end of a test without ending it.
type fakeTB struct {
	testing.TB
	failed, skipped string
}

type ended struct{}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Skip(args ...any)          { f.skipped = fmt.Sprint(args...); panic(ended{}) }
func (f *fakeTB) Fatal(args ...any)         { f.failed = fmt.Sprint(args...); panic(ended{}) }
func (f *fakeTB) Fatalf(s string, a ...any) { f.failed = fmt.Sprintf(s, a...); panic(ended{}) }
func (f *fakeTB) Errorf(s string, a ...any) { f.failed = fmt.Sprintf(s, a...) }
func (f *fakeTB) during(fn func())          { defer func() { _ = recover().(ended) }(); fn() }

func TestAbsentBinary(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("UPID_TEST_PROMETHEUS", "")
	t.Setenv("UPID_TEST_ALERTMANAGER", "")

	t.Setenv("UPID_REQUIRE_SERVERS", "")
	f := &fakeTB{TB: t}
	f.during(func() { Prometheus(f, Options{}) })
	if want := "no prometheus found: apt-get install prometheus (it brings promtool), or set UPID_TEST_PROMETHEUS to the binary"; f.skipped != want || f.failed != "" {
		t.Errorf("skipped %q, failed %q", f.skipped, f.failed)
	}

	t.Setenv("UPID_REQUIRE_SERVERS", "1")
	f = &fakeTB{TB: t}
	f.during(func() { Alertmanager(f, AlertmanagerOptions{}) })
	if !strings.HasPrefix(f.failed, "no prometheus-alertmanager or alertmanager found") || f.skipped != "" {
		t.Errorf("skipped %q, failed %q", f.skipped, f.failed)
	}

	t.Setenv("UPID_TEST_PROMETHEUS", filepath.Join(t.TempDir(), "absent"))
	f = &fakeTB{TB: t}
	f.during(func() { Prometheus(f, Options{}) })
	if !strings.HasPrefix(f.failed, "UPID_TEST_PROMETHEUS: ") {
		t.Errorf("failed %q", f.failed)
	}
}

func TestBrokenServer(t *testing.T) {
	// A binary that ends at once fails the test with its output; starting one
	// twice and signalling a dead one are slips of the caller and say so.
	bin := filepath.Join(t.TempDir(), "prometheus")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\necho no luck; exit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("UPID_TEST_PROMETHEUS", bin)
	f := &fakeTB{TB: t}
	f.during(func() { Prometheus(f, Options{}) })
	if !strings.Contains(f.failed, "ended while starting: exit status 3") || !strings.Contains(f.failed, "no luck") {
		t.Errorf("failed %q", f.failed)
	}

	f = &fakeTB{TB: t}
	s := &Server{name: "x", binary: filepath.Join(t.TempDir(), "absent"), log: &logBuffer{}, tb: f}
	f.during(s.Start)
	if !strings.HasPrefix(f.failed, "start x: ") {
		t.Errorf("failed %q", f.failed)
	}
	s.Pause()
	if !strings.HasSuffix(f.failed, "to x: not running") {
		t.Errorf("failed %q", f.failed)
	}

	s = &Server{name: "x", binary: "/bin/sleep", args: []string{"60"}, log: &logBuffer{}, tb: f}
	if err := s.spawn(); err != nil {
		t.Fatal(err)
	}
	f.during(s.Start)
	if f.failed != "start x: it is running" {
		t.Errorf("failed %q", f.failed)
	}
	s.Kill()
}

func TestBadBackfill(t *testing.T) {
	f := &fakeTB{TB: t}
	f.during(func() { Prometheus(f, Options{OpenMetrics: strings.NewReader("not metrics\n")}) })
	if f.skipped != "" {
		t.Skip(f.skipped)
	}
	if !strings.HasPrefix(f.failed, "back-fill: ") {
		t.Errorf("failed %q", f.failed)
	}
}
