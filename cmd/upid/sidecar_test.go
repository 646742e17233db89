//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/source"
)

// constantPrometheus answers every range query with one constant series.
func constantPrometheus(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query_range" {
			http.NotFound(w, r)
			return
		}
		if strings.Contains(r.FormValue("query"), "broken") {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"it is broken"}`)
			return
		}
		if strings.Contains(r.FormValue("query"), "absent") {
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"x"},"values":[[%s,"1"]]}]}}`, r.FormValue("end"))
	}))
	t.Cleanup(s.Close)
	return s
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultConfigurationIsGood(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, name, err := loadConfig("", "http://other:9090")
	if err != nil || name != "" {
		t.Fatal(name, err)
	}
	if cfg.Prometheus.URL != "http://other:9090" || len(cfg.Signals) < 10 {
		t.Errorf("%s, %d signals", cfg.Prometheus.URL, len(cfg.Signals))
	}
	ts, infos, err := tasks(cfg, time.Minute)
	if err != nil || len(ts) < len(cfg.Signals)+1 || len(infos) != len(ts) {
		t.Fatalf("%d tasks, %d infos, %v", len(ts), len(infos), err)
	}
}

func TestTasks(t *testing.T) {
	cfg, err := config.Parse("test", []byte(`signals:
  - {name: a, query: sum(up), step: 1m}
  - {name: b, query: sum(up), step: 5m, every: 10m, forecast: {every: 7m}}
  - {name: c, query: sum(up), alert: {enabled: false}}
  - {name: d, query: sum(up), detect: {enabled: false}}
  - {name: e, query: sum(up), history: 2h}
`), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	ts, infos, err := tasks(cfg, 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if ts[0].Every != 2*time.Minute {
		t.Errorf("every %v, want --interval rounded up to whole steps", ts[0].Every)
	}
	if ts[1].Every != 10*time.Minute || ts[1].FitEvery != 10*time.Minute {
		t.Errorf("every %v, fit every %v", ts[1].Every, ts[1].FitEvery)
	}
	if ts[4].FitEvery != 2*time.Hour {
		t.Errorf("fit every %v, want no more than the history", ts[4].FitEvery)
	}
	if infos["a"].Muted || !infos["c"].Muted || !infos["d"].Muted {
		t.Errorf("muted: %+v", infos)
	}
	again, _, err := tasks(cfg, 90*time.Second)
	if err != nil || again[0].Key != ts[0].Key || ts[0].Key == ts[1].Key {
		t.Errorf("keys do not tell changed signals from unchanged ones: %v", err)
	}
	// A signal that only moved in the file is unchanged.
	moved, err := config.Parse("test", []byte("signals:\n  - {name: z, query: sum(up)}\n  - {name: a, query: sum(up), step: 1m}\n"), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := tasks(moved, 90*time.Second)
	if err != nil || other[1].Key != ts[0].Key {
		t.Errorf("key of a moved signal:\n%s\n%s", other[1].Key, ts[0].Key)
	}
	// What its alerts say is nothing it has learned; what another server said is.
	for _, c := range []struct {
		text string
		same bool
	}{
		{"signals: [{name: a, query: sum(up), step: 1m, unit: cores, alert: {runbook_url: http://wiki, post: false}}]", true},
		{"signals: [{name: a, query: sum(up), step: 1m, alert: {severity: critical}}]", false},
		{"prometheus: {url: http://other:9090}\nsignals: [{name: a, query: sum(up), step: 1m}]", false},
		{"prometheus: {http: {http_headers: {X-Scope-OrgID: {values: [b]}}}}\nsignals: [{name: a, query: sum(up), step: 1m}]", false},
	} {
		cfg, err := config.Parse("test", []byte(c.text), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		if other, _, err := tasks(cfg, 90*time.Second); err != nil || (other[0].Key == ts[0].Key) != c.same {
			t.Errorf("%s: same key %v, %v", c.text, !c.same, err)
		}
	}
}

func TestBareDuration(t *testing.T) {
	f := func(in string, unit, want time.Duration) {
		t.Helper()
		if got, err := bareDuration(in, unit); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	f("60", time.Second, time.Minute)
	f("30", time.Minute, 30*time.Minute)
	f("0", time.Minute, 0)
	f("1.5", time.Minute, 90*time.Second)
	f("90s", time.Minute, 90*time.Second)
	f("1d", time.Minute, 24*time.Hour)
	for _, bad := range []string{"-1", "soon", "1e30", "NaN", "-5s"} {
		if d, err := bareDuration(bad, time.Second); err == nil {
			t.Errorf("%s is %v", bad, d)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	upid(t, "", "start --interval 0").want(t, exitUsage, "--interval is 0s")
	upid(t, "", "start --pipeline.workers 1").want(t, exitUsage, "at least 2")
	upid(t, "", "start --config none.yaml").want(t, exitUsage, "none.yaml")
	upid(t, "", "start --config "+writeFile(t, "signals: [{name: a, query: http_requests_total}]")).want(t, exitUsage,
		"config.yaml:1: signals[0].query:", "looks like a counter", "rate(http_requests_total[5m])")
	bad := upid(t, "", "check --config "+writeFile(t, "signals:\n  - {name: a, query: sum(up}\n  - {name: a, step: soon}\nfoo: 1\n"))
	bad.want(t, exitUsage, "config.yaml:2: signals[0].query:", "config.yaml:3: signals[1].step:", `config.yaml:3: signals[1].name: "a" is already defined by line 2`, `config.yaml:4: unknown key "foo"`)
}

func TestStopWithoutInstance(t *testing.T) {
	t.Chdir(t.TempDir())
	upid(t, "", "stop").want(t, exitFailure, "not running")
	upid(t, "", "ml-enhancement stop --storage.path elsewhere").want(t, exitFailure, "not running")
	upid(t, "", "stop --address http://"+freeAddr(t)).want(t, exitFailure, "not running")
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	upid(t, "", "stop --address "+s.URL).want(t, exitFailure, "--web.enable-lifecycle")
}

// TestStopWithBrokenConfiguration: a file that is being edited is no reason to run on.
func TestStopWithBrokenConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	head := "prometheus: {url: " + constantPrometheus(t).URL + "}\nstorage: {path: own}\nweb: {listen_address: '" + freeAddr(t) + "'}\n"
	write(head + "signals: [{name: a, query: sum(up)}]\n")
	p := startProcess(t, dir, "start", "--shutdown.delay", "0s")
	eventually(t, 20*time.Second, "lock file", func() error {
		_, err := os.Stat(filepath.Join(dir, "own", "upid.lock"))
		return err
	})
	write(head + "signals: [{name: a, query: sum(up), stepp: 1m}]\n")
	t.Chdir(dir)
	upid(t, "", "stop").want(t, exitOK, "config.yaml is refused (see upid check)", "data directory own", "stopped process")
	if code := p.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("exit %d", code)
	}
	write("storage: [\n")
	upid(t, "", "stop").want(t, exitFailure, "config.yaml is refused", "data directory data", "not running")
	upid(t, "", "stop --config nope.yaml").want(t, exitUsage, "nope.yaml") // a typing error must not stop another one
}

func TestCheck(t *testing.T) {
	p := constantPrometheus(t)
	good := writeFile(t, "prometheus: {url: "+p.URL+"}\nsignals: [{name: a, query: sum(up)}, {name: b, query: absent}]")
	o := upid(t, "", "check --config "+good)
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "good, 2 signals") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
	o = upid(t, "", "check --live --config "+good)
	o.want(t, exitOK, "signal b: no data now")
	if !strings.Contains(o.stdout, "40,320") { // 28 d of minutes
		t.Errorf("stdout:\n%s", o.stdout)
	}
	o = upid(t, "", "check --live -o csv --config "+good)
	o.want(t, exitOK, "no data now")
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], "a,resource,60,2419200,sum(up),1,40320,") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
	empty := writeFile(t, "prometheus: {url: "+p.URL+"}\nsignals: [{name: a, query: absent}, {name: b, query: absent or absent}]")
	upid(t, "", "check --live --config "+empty).want(t, exitOK, "2 signals have no data now: a, b")
	for _, rest := range []string{"signals: [{name: a, query: up}, {name: b, query: up}]", "threats: {}"} {
		o = upid(t, "", "check --live --config "+writeFile(t, "prometheus: {url: 'http://127.0.0.1:1'}\n"+rest))
		o.want(t, exitUnreachable, "Check that the server runs")
		if o.stdout != "" || strings.Count(o.stderr, "\n") != 2 || strings.Contains(o.stderr, "group by") {
			t.Errorf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
		}
	}
	broken := writeFile(t, "prometheus: {url: "+p.URL+"}\nsignals: [{name: a, query: broken}]")
	o = upid(t, "", "check --live --config "+broken)
	o.want(t, exitFailure, "signal a:", "it is broken")
	if !strings.Contains(o.stdout, "failed") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
}

// TestStartOfTakenAddress: nothing has started where it cannot listen.
func TestStartOfTakenAddress(t *testing.T) {
	p := constantPrometheus(t)
	file := writeFile(t, "prometheus: {url: "+p.URL+"}\nsignals: [{name: a, query: up}]")
	taken := strings.TrimPrefix(p.URL, "http://")
	o := upid(t, "", "start --config "+file+" --storage.path "+t.TempDir()+" --web.listen-address "+taken)
	o.want(t, exitFailure, "the address is in use")
	if strings.Contains(o.stderr, "upid started") {
		t.Errorf("stderr:\n%s", o.stderr)
	}
}

// start runs the sidecar in this process until the returned function is called.
func startSidecar(t *testing.T, args ...string) (addr string, stop func() (code int, stderr string)) {
	t.Helper()
	addr = freeAddr(t)
	ctx, cancel := context.WithCancel(context.Background())
	var stderr lockedBuffer
	code := make(chan int, 1)
	args = append([]string{"start", "--web.listen-address", addr, "--storage.path", t.TempDir(), "--shutdown.delay", "0s"}, args...)
	go func() { code <- execute(ctx, args, strings.NewReader(""), io.Discard, &stderr) }()
	eventually(t, 10*time.Second, "ready", func() error {
		status, _, err := getText("http://" + addr + "/-/ready")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("HTTP %d", status)
		}
		return err
	})
	return addr, func() (int, string) {
		cancel()
		select {
		case c := <-code:
			return c, stderr.String()
		case <-time.After(15 * time.Second):
			t.Fatalf("still running:\n%s", stderr.String())
			return 0, ""
		}
	}
}

func TestSidecarRunsAndEnds(t *testing.T) {
	p := constantPrometheus(t)
	cfg := writeFile(t, "prometheus: {url: "+p.URL+"}\nsignals: [{name: a, query: sum(up), step: 1s}]")
	addr, stop := startSidecar(t, "--config", cfg, "--interval", "1", "--config.check-interval", "100ms", "--web.enable-lifecycle")
	eventually(t, 20*time.Second, "a result", func() error {
		_, body, err := getText("http://" + addr + "/metrics")
		if err == nil && !strings.Contains(body, `upid_observed_value{signal="a",job="x"} 1`) {
			err = fmt.Errorf("/metrics:\n%.2000s", body)
		}
		return err
	})
	if status, body, err := getText("http://" + addr + "/-/healthy"); err != nil || status != http.StatusOK {
		t.Errorf("/-/healthy: %d %s %v", status, body, err)
	}
	// A changed file is noticed without a signal; a bad one changes nothing.
	if err := os.WriteFile(cfg, []byte("signals: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	metricBecomes(t, addr, "upid_config_last_reload_successful 0")
	if err := os.WriteFile(cfg, []byte("prometheus: {url: "+p.URL+"}\nweb: {listen_address: ':1'}\nsignals: [{name: b, query: sum(up), unit: targets, step: 1s}]"), 0o644); err != nil {
		t.Fatal(err)
	}
	metricBecomes(t, addr, "upid_config_last_reload_successful 1")
	metricBecomes(t, addr, `upid_observed_value{signal="b",job="x"} 1`)
	metricBecomes(t, addr, `upid_signal_info{signal="b",type="resource",unit="targets"} 1`)
	if _, body, _ := getText("http://" + addr + "/metrics"); strings.Contains(body, `signal="a"`) {
		t.Errorf("the removed signal is still there:\n%s", body)
	}
	if code := upid(t, "", "stop --address http://"+addr).code; code != exitOK {
		t.Errorf("stop --address: exit %d", code)
	}
	code, stderr := stop()
	if code != exitOK || !strings.Contains(stderr, "upid stopped") || !strings.Contains(stderr, "change with a restart only") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// TestReloadTakesOldValuesAway: what a changed signal said is gone before the
// reload has answered, whether or not there is anything newer.
func TestReloadTakesOldValuesAway(t *testing.T) {
	p := constantPrometheus(t)
	config := func(query, unit string) string {
		return "prometheus: {url: " + p.URL + "}\nsignals: [{name: a, query: " + query + ", unit: " + unit + ", step: 1s}, {name: b, query: sum(up), step: 1s}]"
	}
	cfg := writeFile(t, config("sum(up)", "targets"))
	addr, stop := startSidecar(t, "--config", cfg, "--interval", "1", "--config.check-interval", "0s", "--web.enable-lifecycle")
	metricBecomes(t, addr, `upid_observed_value{signal="a",job="x"} 1`)
	metricBecomes(t, addr, `upid_observed_value{signal="b",job="x"} 1`)
	reload := func(content string) (metrics, views string) {
		t.Helper()
		if err := os.WriteFile(cfg, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post("http://"+addr+"/-/reload", "", nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("reload: %v %v", resp, err)
		}
		resp.Body.Close()
		_, metrics, err1 := getText("http://" + addr + "/metrics")
		_, views, err2 := getText("http://" + addr + "/api/v1/signals/a/series")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return metrics, views
	}
	metrics, views := reload(config("absent", "targets"))
	if strings.Contains(metrics, `upid_observed_value{signal="a"`) || !strings.Contains(views, `"data":[]`) {
		t.Errorf("values of the old query:\n%s\n%s", metrics, views)
	}
	if !strings.Contains(metrics, `upid_observed_value{signal="b",job="x"} 1`) || strings.Count(metrics, "upid_signal_info{") != 2 {
		t.Errorf("an unchanged signal lost its values, or one has no information:\n%s", metrics)
	}
	metrics, _ = reload(config("sum(up)", "hosts"))
	if !strings.Contains(metrics, `upid_signal_info{signal="a",type="resource",unit="hosts"} 1`) || strings.Count(metrics, "upid_signal_info{") != 2 {
		t.Errorf("the unit is not the new one alone:\n%s", metrics)
	}
	metricBecomes(t, addr, `upid_observed_value{signal="a",job="x"} 1`)
	if code, stderr := stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func metricBecomes(t *testing.T, addr, line string) {
	t.Helper()
	eventually(t, 20*time.Second, line, func() error {
		_, body, err := getText("http://" + addr + "/metrics")
		if err == nil && !strings.Contains(body, line) {
			err = fmt.Errorf("not on /metrics")
		}
		return err
	})
}

// TestForeignFilesAreLeftAlone starts upid on a directory that is not its alone.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	theirs, ours := filepath.Join(dir, "other", "download.tmp"), filepath.Join(dir, "checkpoints", "a.checkpoint.1.tmp")
	for _, f := range []string{theirs, ours} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(f), 0o700), os.WriteFile(f, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	_, stop := startSidecar(t, "--prometheus.url", constantPrometheus(t).URL, "--storage.path", dir)
	stop()
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("another program's file: %v", err)
	}
	if _, err := os.Stat(ours); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed upid left is there: %v", err)
	}
}

func TestSidecarWithoutPrometheusStaysUp(t *testing.T) {
	down := freeAddr(t)
	addr, stop := startSidecar(t, "--config", writeFile(t, "prometheus: {url: 'http://"+down+"'}\nsignals: [{name: a, query: sum(up)}]"))
	metricBecomes(t, addr, `upid_upstream_up{upstream="prometheus"} 0`)
	eventually(t, 30*time.Second, "the body of /-/ready", func() error {
		status, body, err := getText("http://" + addr + "/-/ready")
		if err == nil && (status != http.StatusOK || !strings.Contains(body, "failing since") || !strings.Contains(body, "signal a: fit:")) {
			err = fmt.Errorf("%d\n%s", status, body)
		}
		return err
	})
	if code, stderr := stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestHangingPrometheusIsNotOK(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	addr, stop := startSidecar(t, "--config", writeFile(t, "prometheus: {url: "+s.URL+"}\nsignals: [{name: a, query: sum(up), step: 1s, forecast: {every: 1m}}]"), "--interval", "1")
	if _, body, err := getText("http://" + addr + "/-/ready"); err != nil || !strings.Contains(body, "not asked yet") {
		t.Errorf("before the first answer: %s %v", body, err)
	}
	// What a pass does when its time is over, without waiting for the minute.
	u := &upstream{}
	client, err := source.New(source.Options{URL: s.URL, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	u.set(client)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := u.Query(ctx, "up", 0, 1000, 1000); err == nil {
		t.Error("an answer from a server that hangs")
	}
	if got := u.status(); !strings.Contains(got, "failing since") {
		t.Errorf("status %q", got)
	}
	canceled, stopQuery := context.WithCancel(context.Background())
	stopQuery()
	u.set(nil)
	u.set(client)
	if _, err := u.Query(canceled, "up", 0, 1000, 1000); err == nil || !strings.Contains(u.status(), "not asked yet") {
		t.Errorf("our own cancellation: %v, status %q", err, u.status())
	}
	if code, stderr := stop(); code != exitOK {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// What a server says stays on its line and leaves the terminal alone.
func TestServerTextIsPlain(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"x\u001b[31m\nupid: all is well"}`)
	}))
	defer s.Close()
	o := upid(t, "", "forecast -q up --prometheus.url "+s.URL)
	if strings.Contains(o.stderr, "\x1b") || strings.Contains(o.stderr, "\nupid: all") || !strings.Contains(o.stderr, "all is well") {
		t.Errorf("stderr %q", o.stderr)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	t.Chdir(t.TempDir())
	upid(t, "", "check --prometheus.url foo").want(t, exitUsage, "--prometheus.url: want an http or https URL")
	upid(t, "", "stop --address localhost:9877").want(t, exitUsage, "--address: want an http or https URL")
	upid(t, "", "detect -q up --step 500us").want(t, exitUsage, "want at least 1ms")
}

func TestPortInUse(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	o := upid(t, "", "start --storage.path "+t.TempDir()+" --web.listen-address "+addr+" --config "+writeFile(t, "signals: [{name: a, query: sum(up)}]"))
	if o.code != exitFailure || !strings.Contains(o.stderr, addr) {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
}
