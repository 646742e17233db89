package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// process is a running upid.
type process struct {
	cmd     *exec.Cmd
	done    chan error
	started time.Time
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// ticks is how many of the kernel's clock ticks are a second, on every Linux.
const ticks = 100

// cpu returns the CPU time used so far, in seconds.
func (p *process) cpu() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; utime is the 12th field after it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	sum := 0.0
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		sum += n / ticks
	}
	return sum, nil
}

// cpuOver waits and returns the share of one core used meanwhile.
func (p *process) cpuOver(d time.Duration) (float64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	time.Sleep(d)
	after, err := p.cpu()
	return (after - before) / time.Since(begin).Seconds(), err
}

// memory returns the resident memory, now and at its highest, in MiB.
func (p *process) memory() (now, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for name, v := range map[string]*float64{"VmRSS": &now, "VmHWM": &peak} {
		m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(b)
		if m == nil {
			return 0, 0, fmt.Errorf("no %s in %s", name, b)
		}
		kib, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, 0, err
		}
		*v = kib / 1024
	}
	return now, peak, nil
}

// page returns a part of /metrics: self, predictions.
func (b *bench) page(part string) (string, error) {
	resp, err := http.Get("http://" + b.addr + "/metrics?collect[]=" + part) //nolint:noctx // loopback
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

var (
	success = regexp.MustCompile(`(?m)^upid_signal_last_success_timestamp_seconds\{pass="score",signal="[^"]*"\} (\S+)$`)
	fitRuns = regexp.MustCompile(`(?m)^upid_signal_runs_total\{pass="fit",signal="[^"]*"\} (\S+)$`)
)

// scored waits until p has scored every signal and returns how long that took
// from its start.
func (b *bench) scored(p *process, atMost time.Duration) (time.Duration, error) {
	for time.Since(p.started) < atMost {
		select {
		case err := <-p.done:
			p.done <- err
			return 0, fmt.Errorf("upid ended: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
		page, err := b.page("self")
		if err != nil {
			continue // not listening yet
		}
		n := 0
		for _, m := range success.FindAllStringSubmatch(page, -1) {
			if at, err := strconv.ParseFloat(m[1], 64); err == nil && at >= float64(p.started.UnixMilli())/1000 {
				n++
			}
		}
		if n == b.signals {
			return time.Since(p.started), nil
		}
	}
	return 0, fmt.Errorf("not every signal was scored within %v", atMost)
}

// fits returns how many fits there were.
func (b *bench) fits() (n int, err error) {
	page, err := b.page("self")
	for _, m := range fitRuns.FindAllStringSubmatch(page, -1) {
		k, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, err
		}
		n += k
	}
	return n, err
}

// complete checks that every series has a score and a forecast.
func (b *bench) complete() error {
	page, err := b.page("predictions")
	if err != nil {
		return err
	}
	for _, name := range []string{"upid_anomaly_score{", "upid_expected_value{", `horizon="7d"} `} {
		least := b.series
		if n := strings.Count(page, name); n < least {
			return fmt.Errorf("%d of %d series have %s", n, least, name)
		}
	}
	return nil
}

// scrape scrapes as Prometheus does, for a while, in the background. The function
// it returns waits for the end and gives the samples of the last page.
func (b *bench) scrape(during, every time.Duration) func() (int, error) {
	type outcome struct {
		samples int
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		for end := time.Now().Add(during); time.Now().Before(end) && o.err == nil; time.Sleep(every) {
			o.samples, o.err = b.scrapeOnce()
		}
		done <- o
	}()
	return func() (int, error) {
		o := <-done
		return o.samples, o.err
	}
}

func (b *bench) scrapeOnce() (samples int, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+b.addr+"/metrics", nil) //nolint:noctx // loopback
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return 0, err
	}
	body, err := io.ReadAll(z)
	return bytes.Count(body, []byte("\nupid_")), err
}

// freeAddr returns a loopback address nobody listens on.
func freeAddr() string {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	return l.Addr().String()
}
