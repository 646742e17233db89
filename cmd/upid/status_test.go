//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/upid/upid/cmd/upid/config"
)

// object is the data of an answer that must be a success.
func object(t *testing.T, u string) (map[string]any, string) {
	t.Helper()
	code, body, err := getText(u)
	if err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %s %v", u, code, body, err)
	}
	var a struct {
		Status string
		Data   map[string]any
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Status != "success" {
		t.Fatalf("%s: %v %s", u, err, body)
	}
	return a.Data, body
}

// TestRuntimeStatusGolden shows the object whole.
func TestRuntimeStatusGolden(t *testing.T) {
	f := newFakeSidecar(t)
	since := float64(apiNoon)/1000 - 60
	f.status.Upstream = upstreamStatus{URL: "http://localhost:9090", State: "failing", Error: "connection refused", Since: &since}
	_, body := object(t, f.URL+"/api/v1/status/runtime")
	var a struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, a.Data, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "runtime.json", b.String()+"\n")
}

// TestStatusRoutes asks a real sidecar for everything it says about itself, with
// a secret wherever the configuration takes one.
func TestStatusRoutes(t *testing.T) {
	p := constantPrometheus(t)
	const secret = "c4n4ry"
	cfg := writeFile(t, `prometheus:
  url: `+p.URL+`
  http: {basic_auth: {username: someone, password: `+secret+`1}, http_headers: {X-Token: {secrets: [`+secret+`2]}}, proxy_url: "http://user:`+secret+`3@127.0.0.1:1", no_proxy: "127.0.0.1"}
alertmanager: {urls: ["http://`+freeAddr(t)+`"], http: {authorization: {credentials: `+secret+`4}}}
signals: [{name: a, query: sum(up), step: 1s, unit: cores}]
`)
	addr, stop := startSidecar(t, "--config", cfg, "--interval", "1")
	defer stop()
	metricBecomes(t, addr, `upid_observed_value{signal="a",job="x"} 1`)
	api := "http://" + addr + "/api/v1/"

	runtime, _ := object(t, api+"status/runtime")
	want, _ := object(t, newFakeSidecar(t).URL+"/api/v1/status/runtime")
	if got, want := slices.Sorted(maps.Keys(runtime)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Errorf("runtime has %v, the golden file %v", got, want)
	}
	if runtime["threats_configured"] != false {
		t.Errorf("no key threats, but threats_configured is %v", runtime["threats_configured"])
	}
	if up := runtime["upstream"].(map[string]any); up["state"] != "ok" || up["url"] != p.URL {
		t.Errorf("upstream %v", up)
	}
	if n := runtime["start_time"].(float64); n <= 0 || n > runtime["now"].(float64) {
		t.Errorf("started at %v, now %v", n, runtime["now"])
	}
	if b, _ := object(t, api+"status/buildinfo"); b["go_version"] == "" || b["version"] != runtime["version"] {
		t.Errorf("build %v", b)
	}
	flags, _ := object(t, api+"status/flags")
	if flags["interval"] != "1s" || flags["config"] != cfg || flags["web.enable-lifecycle"] != false || fmt.Sprint(flags["web.listen-address"]) != "["+addr+"]" {
		t.Errorf("flags %v", flags)
	}
	shown, _ := object(t, api+"status/config")
	text, _ := shown["yaml"].(string)
	if !strings.Contains(text, "someone") || !strings.Contains(text, "sum(up)") {
		t.Errorf("configuration %s", text)
	}
	if _, err := config.Parse("shown", []byte(text), configChecks()); err != nil {
		t.Errorf("what is shown is no configuration: %v\n%s", err, text)
	}
	for _, path := range []string{"status/runtime", "status/config", "status/flags", "status/buildinfo", "signals", "signals/a", "signals/a/series", "predictions", "anomalies"} {
		code, body, err := getText(api + path)
		if err != nil || code != http.StatusOK {
			t.Errorf("%s: %d %v", path, code, err)
		}
		if strings.Contains(body, secret) {
			t.Errorf("%s shows a secret:\n%s", path, body)
		}
		resp, err := http.Post(api+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, resp.StatusCode)
		}
	}

	// The commands understand a real one.
	o := upid(t, "", "predictions --model-type anomaly_detection -o csv --address http://"+addr)
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, `anomaly_detection,a,"{job=""x""}"`) {
		t.Errorf("predictions:\n%s", o.stdout)
	}
	upid(t, "", "anomalies --address http://"+addr).want(t, exitOK)
	if o := upid(t, "", "dashboard --address http://"+addr); o.code != exitOK || !strings.Contains(o.stdout, "prometheus ok") || !strings.Contains(o.stdout, "1 SIGNAL ") {
		t.Errorf("dashboard: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}
