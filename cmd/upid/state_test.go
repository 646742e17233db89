//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/store"
)

// hourly answers range queries with one series of a saw tooth.
func hourly(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, _ := strconv.ParseInt(r.FormValue("start"), 10, 64)
		end, _ := strconv.ParseInt(r.FormValue("end"), 10, 64)
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"x"},"values":[`)
		for at := start; at <= end; at++ {
			if at > start {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `[%d,"%d"]`, at, 100+at%7)
		}
		fmt.Fprint(w, `]}]}}`)
	}))
	t.Cleanup(s.Close)
	return s
}

const oneSecond = `prometheus: {url: %s}
signals:
  - {name: a, query: sum(up), step: 1s, history: 1h, forecast: {horizons: [10m], every: 6h}}
`

// counter returns a value on /metrics, "" if it is not there.
func counter(t *testing.T, addr, series string) string {
	t.Helper()
	_, page, err := getText("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(page, "\n"+series+" ")
	if !found {
		return ""
	}
	v, _, _ := strings.Cut(rest, "\n")
	return v
}

func number(t *testing.T, addr, series string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(counter(t, addr, series), 64)
	if err != nil {
		t.Fatalf("%s: %v", series, err)
	}
	return v
}

const scored = `upid_anomaly_score{signal="a",job="x"} `

// TestWarmRestart goes on from its files: no fit, hardly a question; and without
// them, or with damaged ones, from Prometheus.
func TestWarmRestart(t *testing.T) {
	cfg, dir := writeFile(t, fmt.Sprintf(oneSecond, hourly(t).URL)), t.TempDir()
	args := []string{"--config", cfg, "--interval", "1", "--storage.path", dir}
	addr, stop := startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, "upid_state_loads_total 0")
	metricBecomes(t, addr, `upid_state_rebuilds_total{part="checkpoint",reason="missing"} 1`)
	time.Sleep(3 * time.Second)
	fetched, fresh := number(t, addr, "upid_history_samples_fetched_total"), number(t, addr, "upid_history_samples_new_total")
	if fetched < 3600 || fetched > 1.1*fresh {
		t.Errorf("%v samples fetched, %v of them new", fetched, fresh)
	}
	if n := number(t, addr, "upid_storage_free_bytes"); !(n > 0) {
		t.Errorf("%v bytes free", n)
	}
	if _, log := stop(); !strings.Contains(log, "no state on disk, it is built from history") {
		t.Errorf("log:\n%s", log)
	}

	checkpoint := filepath.Join(dir, "checkpoints", "a.checkpoint")
	if info, err := os.Stat(checkpoint); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v", err)
	}
	addr, stop = startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, "upid_state_loads_total 1")
	if runs := counter(t, addr, `upid_signal_runs_total{pass="fit",signal="a"}`); runs != "0" {
		t.Errorf("%s fits after a restart", runs)
	}
	if n := number(t, addr, "upid_history_samples_fetched_total"); n > 60 {
		t.Errorf("%v samples fetched after a restart", n)
	}
	if n := number(t, addr, "upid_storage_bytes"); !(n > 1000) {
		t.Errorf("%v bytes on disk", n)
	}
	stop()

	b, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(checkpoint, b, 0o600); err != nil {
		t.Fatal(err)
	}
	addr, stop = startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, `upid_state_rebuilds_total{part="checkpoint",reason="damaged"} 1`)
	if n := number(t, addr, "upid_history_samples_fetched_total"); n > 600 {
		t.Errorf("%v samples fetched: the history was there", n)
	}
	if _, log := stop(); !strings.Contains(log, "state cannot be used and is built from history") {
		t.Errorf("log:\n%s", log)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoints", "quarantine", "a.checkpoint")); err != nil {
		t.Error(err)
	}

	// What an older version kept is not damaged: it is made again, and not moved aside.
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := config.Parse(cfg, text, configChecks())
	if err != nil {
		t.Fatal(err)
	}
	key := taskKey(parsed, parsed.Signals[0])
	older := strings.Replace(key, "upid.stream.", "upid.stream.0", 1)
	if older == key {
		t.Fatalf("no version in %s", key)
	}
	if err := store.NewCheckpoints(dir, nil).Save("a", older, func(w io.Writer) error { _, err := io.WriteString(w, "of before"); return err }); err != nil {
		t.Fatal(err)
	}
	addr, stop = startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, `upid_state_rebuilds_total{part="checkpoint",reason="other_configuration"} 1`)
	if _, log := stop(); !strings.Contains(log, "of another configuration or version") {
		t.Errorf("log:\n%s", log)
	}
	if aside, err := os.ReadDir(filepath.Join(dir, "checkpoints", "quarantine")); err != nil || len(aside) != 1 {
		t.Errorf("in quarantine: %v, %v; want the damaged one", aside, err)
	}

	// Another server: neither its state nor its history is that of the first.
	if err := os.WriteFile(cfg, fmt.Appendf(nil, oneSecond, hourly(t).URL), 0o644); err != nil {
		t.Fatal(err)
	}
	addr, stop = startSidecar(t, args...)
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, `upid_state_rebuilds_total{part="checkpoint",reason="other_configuration"} 1`)
	if n := number(t, addr, "upid_history_samples_fetched_total"); n < 3600 {
		t.Errorf("%v samples fetched from the other server", n)
	}
	stop()
}

// TestDataDirectoryRemoved makes it anew with its lock.
func TestDataDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	addr, stop := startSidecar(t, "--config", writeFile(t, fmt.Sprintf(oneSecond, hourly(t).URL)), "--interval", "1",
		"--storage.path", dir, "--storage.checkpoint-interval", "1s")
	metricBecomes(t, addr, scored)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "a new directory", func() error {
		for _, name := range []string{"upid.lock", "checkpoints/a.checkpoint"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	})
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	upid(t, "", "start --storage.path "+dir+" --config "+writeFile(t, "signals: [{name: a, query: sum(up)}]")).want(t, exitFailure, "in use")
	if code, log := stop(); code != exitOK || strings.Contains(log, "level=ERROR") {
		t.Errorf("exit %d\n%s", code, log)
	}
}

// TestReloadKeepsUnchangedSignals: a bad file changes nothing, a good one nothing
// about the signals that are as they were.
func TestReloadKeepsUnchangedSignals(t *testing.T) {
	url := hourly(t).URL
	good := fmt.Sprintf(oneSecond, url)
	cfg := writeFile(t, good+"  - {name: b, query: sum(up), step: 1s, history: 1h}\n")
	addr, stop := startSidecar(t, "--config", cfg, "--interval", "1", "--config.check-interval", "100ms")
	metricBecomes(t, addr, scored)
	metricBecomes(t, addr, `upid_signal_runs_total{pass="fit",signal="a"} 1`)
	write := func(text, becomes string) {
		t.Helper()
		if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		metricBecomes(t, addr, becomes)
	}
	write(good+"  - {name: a, query: sum(up)}\n", "upid_config_last_reload_successful 0")
	for _, signal := range []string{"a", "b"} { // both still run
		before := number(t, addr, `upid_signal_runs_total{pass="score",signal="`+signal+`"}`)
		eventually(t, 10*time.Second, "a pass of "+signal, func() error {
			if n := number(t, addr, `upid_signal_runs_total{pass="score",signal="`+signal+`"}`); n <= before {
				return fmt.Errorf("%v passes", n)
			}
			return nil
		})
	}
	write("# another line\n"+good+"  - {name: b, query: sum(up), step: 1s, history: 2h}\n", "upid_config_last_reload_successful 1")
	eventually(t, 10*time.Second, "b learns afresh", func() error {
		if n := number(t, addr, `upid_signal_runs_total{pass="fit",signal="b"}`); n < 2 {
			return fmt.Errorf("%v fits", n)
		}
		return nil
	})
	if n := counter(t, addr, `upid_signal_runs_total{pass="fit",signal="a"}`); n != "1" {
		t.Errorf("%s fits of the unchanged signal", n)
	}
	stop()
}

// TestTaskKey is the same in every process and for every place in the file.
func TestTaskKey(t *testing.T) {
	keys := map[string]bool{}
	for _, text := range []string{
		"signals: [{name: a, query: sum(up), timezone: Europe/Berlin}]",
		"\n\nsignals: [{name: a, query: sum(up), timezone: Europe/Berlin, alert: {severity: warning}}]",
		"signals: [{name: a, query: sum(up), timezone: Europe/Paris}]",
	} {
		cfg, err := config.Parse("test", []byte(text), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		key := taskKey(cfg, cfg.Signals[0])
		if strings.Contains(key, "0x") {
			t.Errorf("an address in %s", key)
		}
		keys[key] = true
	}
	if len(keys) != 2 {
		t.Errorf("%d keys, want one for each time zone: %v", len(keys), keys)
	}
}

func TestScope(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		cfg, err := config.Parse("test", []byte("prometheus: "+text+"\nsignals: [{name: a, query: sum(up)}]"), configChecks())
		if err != nil {
			t.Fatal(err)
		}
		if got := scope(cfg); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	f("{url: 'http://one/'}", "http://one")
	f("{url: 'http://one', http: {basic_auth: {username: u, password: secret}, http_headers: {X-Scope-OrgID: {values: [b]}, A: {secrets: [secret]}}}}",
		"http://one\n\"X-Scope-OrgID\": \"b\"")
}
