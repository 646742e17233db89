//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/dashboards"
)

// TestQuickstart runs every command of docs/quickstart.md, in order, in a copy of
// the repository, on a real Prometheus. Only addresses are others, Grafana is its
// API alone, and of Docker only the file is looked for.
func TestQuickstart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make here")
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := copyRepository(t)
	prom := testserver.Prometheus(t, testserver.Options{Config: quickstartPrometheus, OpenMetrics: quickstartHistory()})
	grafana := newFakeGrafana(t)
	grafana.prefix, grafana.token = "", "glsa_quickstart"
	addr := freeAddr(t)
	addresses := strings.NewReplacer("localhost:9090", prom.Addr, "localhost:9877", addr, "localhost:3000", strings.TrimPrefix(grafana.URL, "http://"))
	t.Cleanup(func() { // whatever the document left running
		_ = exec.Command(filepath.Join(dir, "upid"), "stop", "--storage.path", filepath.Join(dir, "data")).Run()
		if b, err := os.ReadFile(filepath.Join(dir, "upid.log")); t.Failed() && err == nil {
			t.Logf("upid.log:\n%s", b)
		}
	})

	ran := 0
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		block := addresses.Replace(m[2])
		switch {
		case m[1] == "yaml":
			scrape(t, prom, block)
		case m[1] != "sh":
			t.Fatalf("a block of %q: the test does not know what to do with\n%s", m[1], block)
		case strings.HasPrefix(block, "docker "):
			file := strings.Fields(block)[3]
			if _, err := os.Stat(filepath.Join(root, file)); err != nil || strings.Count(block, "\n") != 1 {
				t.Errorf("%s: %v", block, err)
			}
		default:
			ran++
			out, err := runBlock(t, bash, dir, block)
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, block, out)
			}
			t.Logf("%s%s", block, out)
			if strings.Contains(block, "upid start") {
				eventually(t, 30*time.Second, "it serves", func() error {
					code, _, err := getText("http://" + addr + "/-/ready")
					if err == nil && code != http.StatusOK {
						err = fmt.Errorf("/-/ready is %d", code)
					}
					return err
				})
			}
			if strings.Contains(block, ">upid.yaml") { // it has a signal that the first had not
				eventually(t, 30*time.Second, "its signal", func() error {
					_, err := one(prom.URL, `upid_signal_info{signal="scrapes",unit="s"}`)
					return err
				})
			}
			if strings.Contains(block, "dashboard push") && strings.Count(out, "created") != len(dashboards.All()) {
				t.Errorf("push says\n%s", out)
			}
		}
	}
	tracked, err := os.ReadFile(filepath.Join(root, "config.yaml"))
	if after, rerr := os.ReadFile(filepath.Join(dir, "config.yaml")); err != nil || rerr != nil || !bytes.Equal(after, tracked) {
		t.Errorf("the reference configuration was written over: %v %v", err, rerr)
	}
	if ran < 7 {
		t.Errorf("only %d blocks were run", ran)
	}
	exported := []string{"provisioning/datasources/upid.yaml", "provisioning/dashboards/upid.yaml"}
	for _, d := range dashboards.All() {
		exported = append(exported, d.UID+".json")
	}
	for _, file := range exported {
		if _, err := os.Stat(filepath.Join(dir, "grafana", file)); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := getText("http://" + addr + "/-/ready"); err == nil {
		t.Error("it runs after upid stop")
	}
}

const quickstartPrometheus = `global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["localhost:1"], labels: {instance: "localhost:9090"}}]
`

// quickstartHistory is what a Prometheus of eight days knows about itself.
func quickstartHistory() *bytes.Buffer {
	var b bytes.Buffer
	var series []float64
	for i := range 8 * 24 * 12 {
		series = append(series, 5000+300*math.Sin(2*math.Pi*float64(i)/(24*12))+20*math.Sin(float64(i*i)))
	}
	backfillText(&b, "prometheus_tsdb_head_series", `job="prometheus",instance="localhost:9090"`, time.Now(), 5*time.Minute, series)
	b.WriteString("# EOF\n")
	return &b
}

// runBlock runs one block as somebody types it. The output goes to a file: what
// goes on in the background would hold a pipe open.
func runBlock(t *testing.T, bash, dir, block string) (string, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(bash, "-euo", "pipefail", "-c", block)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, f, f
	cmd.Env = append(os.Environ(), "GRAFANA_TOKEN=glsa_quickstart")
	err = cmd.Run()
	out, rerr := os.ReadFile(f.Name())
	if rerr != nil {
		t.Fatal(rerr)
	}
	return string(out), err
}

// scrape adds the document's scrape configuration to that of the server and waits
// until it has results.
func scrape(t *testing.T, prom *testserver.Server, block string) {
	t.Helper()
	jobs, ok := strings.CutPrefix(block, "scrape_configs:\n")
	if !ok {
		t.Fatalf("no scrape configuration:\n%s", block)
	}
	config := filepath.Join(filepath.Dir(prom.Dir), "prometheus.yml")
	if err := os.WriteFile(config, []byte(quickstartPrometheus+jobs), 0o600); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(prom.URL+"/-/reload", "", nil) //nolint:noctx // a test on loopback
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("reload: %s", resp.Status)
	}
	eventually(t, 60*time.Second, "Prometheus has a forecast", func() error {
		_, err := one(prom.URL, `upid_forecast_upper{signal="prometheus_series",horizon="7d"}`)
		return err
	})
}

// copyRepository copies what make build needs, and what a clone has beside it.
func copyRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "config.yaml", "cmd", "collector", "dashboards", "detect", "forecast", "rules", "deploy"} {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if err == nil && info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else if err == nil {
			var b []byte
			if b, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
