//go:build unix

package testserver

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Options says what a Prometheus has. The zero value is an empty server that
// scrapes nothing.
type Options struct {
	Config        string // the whole prometheus.yml; excludes ScrapeConfigs and RuleFiles
	ScrapeConfigs string // YAML list for scrape_configs
	Alerting      string // YAML mapping for alerting
	RuleFiles     []string
	// OpenMetrics is back-filled before the server starts: text with
	// timestamps in seconds, ending with "# EOF". Samples older than 60 days
	// are deleted by the server.
	OpenMetrics io.Reader
	ExtraFlags  []string
}

const prometheusHint = "apt-get install prometheus (it brings promtool)"

// Prometheus starts a Prometheus server, UPID_TEST_PROMETHEUS or prometheus on
// the PATH, back-filled by promtool (UPID_TEST_PROMTOOL). It is ready when
// Prometheus returns.
func Prometheus(tb testing.TB, o Options) *Server {
	tb.Helper()
	binary := find(tb, "UPID_TEST_PROMETHEUS", prometheusHint, "prometheus")
	dir, addr := tb.TempDir(), freeAddr(tb)
	config := filepath.Join(dir, "prometheus.yml")
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		tb.Fatal(err)
	}
	writeFile(tb, config, prometheusConfig(o))
	if o.OpenMetrics != nil {
		backfill(tb, o.OpenMetrics, dir, data)
	}
	return run(tb, &Server{
		URL: "http://" + addr, Addr: addr, Dir: data,
		name: "prometheus", binary: binary,
		args: append([]string{
			"--config.file=" + config,
			"--storage.tsdb.path=" + data,
			// The default of 15 days silently deletes half of a 28-day back-fill.
			"--storage.tsdb.retention.time=60d",
			"--web.listen-address=" + addr,
			"--web.enable-lifecycle",
		}, o.ExtraFlags...),
	})
}

func prometheusConfig(o Options) string {
	if o.Config != "" {
		return o.Config
	}
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 1s, evaluation_interval: 1s}\n")
	if len(o.RuleFiles) > 0 {
		b.WriteString("rule_files:\n")
		for _, f := range o.RuleFiles {
			fmt.Fprintf(&b, "  - %q\n", f)
		}
	}
	section := func(key, yaml string) {
		if yaml == "" {
			return
		}
		b.WriteString(key + ":\n")
		for line := range strings.Lines(yaml) {
			b.WriteString("  " + line)
		}
		b.WriteByte('\n')
	}
	section("alerting", o.Alerting)
	section("scrape_configs", o.ScrapeConfigs)
	return b.String()
}

// backfill writes blocks into the data directory of a server that is not
// running.
func backfill(tb testing.TB, r io.Reader, dir, data string) {
	tb.Helper()
	promtool := find(tb, "UPID_TEST_PROMTOOL", prometheusHint, "promtool")
	name := filepath.Join(dir, "backfill.om")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		tb.Fatalf("write back-fill: %v", err)
	}
	// Blocks of 24 h: 28 days take 2 s instead of 19 s with the default of 2 h.
	cmd := exec.CommandContext(tb.Context(), promtool, "tsdb", "create-blocks-from", "openmetrics",
		"--quiet", "--max-block-duration=24h", name, data)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("back-fill: %v\n%s", err, out)
	}
	if err := os.Remove(name); err != nil {
		tb.Fatal(err)
	}
}
