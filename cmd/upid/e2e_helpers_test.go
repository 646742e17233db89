//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/upid/upid/collector/source"
)

// buildDir holds the binary; TestMain removes it.
var buildDir string

// buildBinary builds the program as it is shipped, once for all tests: as make build does, so that
// what the quick start builds need not be compiled a second time.
var buildBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "upid-e2e")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "upid")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func upidBinary(t *testing.T) string {
	t.Helper()
	path, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a running upid.
type process struct {
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{}
}

// startProcess starts the binary in dir. What it logs is shown if the test fails.
func startProcess(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(upidBinary(t), args...), log: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("upid %s:\n%s", strings.Join(args, " "), p.log)
		}
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("still running after %v", within)
		return -1
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// target is a service that is scraped: it plays a real series on, one point each
// step, from where the back-fill ended.
type target struct {
	*httptest.Server
	mu     sync.Mutex
	factor float64 // times what the series says
	begin  time.Time
	step   time.Duration
	values []float64
	extra  string // further lines
}

func newTarget(t *testing.T, metric string, step time.Duration, values []float64, extra string) *target {
	g := &target{factor: 1, begin: time.Now(), step: step, values: values, extra: extra}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.mu.Lock()
		v := g.values[int(time.Since(g.begin)/g.step)%len(g.values)] * g.factor
		g.mu.Unlock()
		fmt.Fprintf(w, "%s %v\n%s", metric, v, g.extra)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *target) set(factor float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.factor = factor
}

// nab returns a shipped real series, its gaps filled with the value before.
func nab(t *testing.T, name string) []float64 {
	t.Helper()
	f, err := source.ReadFile("testdata/nab/" + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	vs := f.Series[0].Values
	for i, v := range vs {
		if math.IsNaN(v) && i > 0 {
			vs[i] = vs[i-1]
		}
	}
	return vs
}

// backfillText writes values as a series that ends just before end.
func backfillText(w io.Writer, metric, labels string, end time.Time, step time.Duration, values []float64) {
	fmt.Fprintf(w, "# TYPE %s gauge\n", metric)
	for i, v := range values {
		at := end.Add(-step * time.Duration(len(values)-i))
		fmt.Fprintf(w, "%s{%s} %v %d.%03d\n", metric, labels, v, at.Unix(), at.UnixMilli()%1000)
	}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: after %v: %v", what, within, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func getText(u string) (int, string, error) {
	resp, err := http.Get(u) //nolint:noctx // a test on loopback
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// sample is one element of an instant vector.
type sample struct {
	Metric map[string]string
	Value  float64
}

// promQL evaluates expr now.
func promQL(base, expr string) ([]sample, error) {
	_, body, err := getText(base + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	var r struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	if r.Status != "success" {
		return nil, fmt.Errorf("%s: %s", expr, r.Error)
	}
	var out []sample
	for _, x := range r.Data.Result {
		s, _ := x.Value[1].(string)
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, sample{x.Metric, v})
	}
	return out, nil
}

// one evaluates expr, which must have exactly one sample.
func one(base, expr string) (float64, error) {
	ss, err := promQL(base, expr)
	if err != nil {
		return 0, err
	}
	if len(ss) != 1 {
		return 0, fmt.Errorf("%s: %d samples, want 1", expr, len(ss))
	}
	return ss[0].Value, nil
}

// alert is what Alertmanager says about one.
type alert struct {
	Labels, Annotations         map[string]string
	Fingerprint, GeneratorURL   string
	StartsAt, EndsAt, UpdatedAt time.Time
	Status                      struct{ State string }
}

// alertsNamed returns Alertmanager's unresolved alerts of a name.
func alertsNamed(base, name string) ([]alert, error) {
	_, body, err := getText(base + "/api/v2/alerts?filter=" + url.QueryEscape(`alertname="`+name+`"`))
	if err != nil {
		return nil, err
	}
	var out []alert
	return out, json.Unmarshal([]byte(body), &out)
}

// freeAddr returns a loopback address nobody listens on.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
