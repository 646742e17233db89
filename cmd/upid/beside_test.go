//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

// Tests that start real servers run in parallel where they wait more than they compute.

// exporter calls yield for every series it has at a time. Counters are named without _total.
type exporter func(at time.Time, yield func(metric, kind, labels string, v float64))

// sampleName is the name that samples of a metric have.
func sampleName(metric, kind string) string {
	if kind == "counter" {
		return metric + "_total"
	}
	return metric
}

// past returns in OpenMetrics what a Prometheus has scraped of exporters before end, with the
// labels that it adds.
func past(end time.Time, long, step time.Duration, added string, exporters ...exporter) io.Reader {
	lines, kinds, order := map[string]*bytes.Buffer{}, map[string]string{}, []string(nil)
	for at := end.Add(-long); at.Before(end); at = at.Add(step) {
		for _, each := range exporters {
			each(at, func(metric, kind, labels string, v float64) {
				b := lines[metric]
				if b == nil {
					b = &bytes.Buffer{}
					lines[metric], kinds[metric] = b, kind
					order = append(order, metric)
				}
				fmt.Fprintf(b, "%s{%s,%s} %g %d\n", sampleName(metric, kind), labels, added, v, at.Unix())
			})
		}
	}
	var out bytes.Buffer
	for _, m := range order {
		fmt.Fprintf(&out, "# TYPE %s %s\n%s", m, kinds[m], lines[m])
	}
	out.WriteString("# EOF\n")
	return &out
}

// serve exposes what an exporter has now, and returns where.
func (each exporter) serve(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		each(time.Now(), func(metric, kind, labels string, v float64) {
			fmt.Fprintf(w, "%s{%s} %g\n", sampleName(metric, kind), labels, v)
		})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// scrapeJob is a scrape job with one target.
type scrapeJob struct {
	job, url string
	instance string // label; "" is its address
	honor    bool   // labels of its own
}

func scrapeConfigs(jobs ...scrapeJob) string {
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&b, "- job_name: %s\n  honor_labels: %v\n  static_configs: [{targets: [%q]", j.job, j.honor, strings.TrimPrefix(j.url, "http://"))
		if j.instance != "" {
			fmt.Fprintf(&b, ", labels: {instance: %q}", j.instance)
		}
		b.WriteString("}]\n")
	}
	return b.String()
}

// beside is upid beside a real Prometheus, which has a past and scrapes upid too.
type beside struct {
	prom *testserver.Server
	upid *process
	dir  string // of upid
	addr string
	args []string
}

// startBeside starts both; config is given the URL of the Prometheus.
func startBeside(t *testing.T, history io.Reader, config func(prom string) string, args []string, jobs ...scrapeJob) *beside {
	t.Helper()
	b := &beside{prom: nil, upid: nil, dir: t.TempDir(), addr: freeAddr(t), args: nil}
	b.args = append(args, "--web.listen-address", b.addr, "--shutdown.delay", "100ms")
	jobs = append(jobs, scrapeJob{job: "upid", url: b.addr, honor: true})
	b.prom = testserver.Prometheus(t, testserver.Options{OpenMetrics: history, ScrapeConfigs: scrapeConfigs(jobs...)})
	b.writeConfig(t, config(b.prom.URL))
	b.start(t)
	return b
}

func (b *beside) start(t *testing.T) {
	t.Helper()
	b.upid = startProcess(t, b.dir, b.args...)
}

func (b *beside) writeConfig(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "config.yaml"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *beside) url() string { return "http://" + b.addr }

// run runs a command of the binary in the directory of upid, as people do, until it ends.
func (b *beside) run(t *testing.T, args string) outcome {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), upidBinary(t), strings.Fields(args)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, &stdout, &stderr
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}
