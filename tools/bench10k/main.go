// Command bench10k measures what upid costs where 10,000 series are scored each
// minute: it runs the real binary against a server in this process that answers
// range queries as Prometheus does, and prints each figure beside its goal.
//
// The series have two days of history, so that the first fit is bounded; a
// longer one changes the time of the first start and the peak of memory, and
// nothing of what is measured afterwards. The CPU is that of upid alone.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench10k: ")
	var b bench
	flag.StringVar(&b.binary, "upid", "./upid", "binary to measure")
	flag.IntVar(&b.series, "series", 10_000, "series in all")
	flag.IntVar(&b.signals, "signals", 10, "signals they are in")
	flag.StringVar(&b.history, "history", "2d", "history of a signal")
	flag.DurationVar(&b.window, "window", 2*time.Minute, "how long to measure; whole minutes")
	flag.StringVar(&b.log, "log", "", "file for the log of upid")
	flag.Parse()
	missed, err := b.run()
	if err != nil {
		log.Fatal(err)
	}
	if missed {
		os.Exit(1)
	}
}

type bench struct {
	binary, history, log string
	series, signals      int
	window               time.Duration

	dir, addr string
	missed    bool
}

// row prints a figure beside its goal, or without one if that is 0.
func (b *bench) row(what string, got, goal float64, unit string) {
	verdict := ""
	if goal > 0 {
		verdict = "ok"
		if got > goal {
			verdict, b.missed = "MISSED", true
		}
		verdict = fmt.Sprintf("goal <= %v  %s", goal, verdict)
	}
	fmt.Printf("%-46s %14.4g %-10s %s\n", what, got, unit, verdict)
}

func (b *bench) run() (missed bool, err error) {
	if b.dir, err = os.MkdirTemp("", "bench10k"); err != nil {
		return false, err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // a temporary directory
	server := httptest.NewServer(&fake{perSignal: b.series / b.signals})
	defer server.Close()
	b.addr = freeAddr()
	var cfg strings.Builder
	fmt.Fprintf(&cfg, "prometheus: {url: %s}\nsignals:\n", server.URL)
	for i := range b.signals {
		fmt.Fprintf(&cfg, "  - {name: bench_%d, query: 'bench{group=\"%d\"}', step: 1m, history: %s, forecast: {every: 1d}}\n", i, i, b.history)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "config.yaml"), []byte(cfg.String()), 0o600); err != nil {
		return false, err
	}

	p, err := b.start()
	if err != nil {
		return false, err
	}
	defer func() { p.kill() }()
	cold, err := b.scored(p, 20*time.Minute)
	if err != nil {
		return false, err
	}
	if err := b.complete(); err != nil {
		return false, err
	}
	b.row("first start to scores of 10,000 series", cold.Seconds(), 600, "s")
	// Garbage of the fit goes with the next passes.
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(2 * time.Minute)))
	fits, err := b.fits()
	if err != nil {
		return false, err
	}
	used, err := p.cpuOver(b.window)
	if err != nil {
		return false, err
	}
	b.row("10,000 series scored each minute, one core", 100*used, 2, "%")
	rss, peak, err := p.memory()
	if err != nil {
		return false, err
	}
	b.row("resident memory", rss, 512, "MiB")
	b.row("resident memory, peak of the first fit", peak, 0, "MiB")
	scraped := b.scrape(time.Minute, 15*time.Second)
	used, err = p.cpuOver(time.Minute)
	if err != nil {
		return false, err
	}
	samples, err := scraped()
	if err != nil {
		return false, err
	}
	b.row(fmt.Sprintf("the same with %d samples scraped each 15 s", samples), 100*used, 0, "%")
	if now, err := b.fits(); err != nil || now != fits {
		return false, fmt.Errorf("%d fits ran while it was measured: run it again (%w)", now-fits, errors.Join(err))
	}

	if err := p.end(); err != nil {
		return false, err
	}
	if p, err = b.start(); err != nil {
		return false, err
	}
	warm, err := b.scored(p, 20*time.Minute)
	if err != nil {
		return false, err
	}
	b.row("start again to scores of 10,000 series", warm.Seconds(), 5, "s")
	return b.missed, errors.Join(b.complete(), p.end())
}

// start starts upid as the reference instance: 2 CPUs, 512 MiB for Go.
func (b *bench) start() (*process, error) {
	cmd := exec.Command(b.binary, "start", "--web.listen-address", b.addr, "--shutdown.delay", "0s", "--log.level", "warn") //nolint:noctx // it is ended by signal
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=512MiB", "GOMAXPROCS=2")
	cmd.Stderr = os.Stderr
	if b.log != "" {
		f, err := os.Create(b.log)
		if err != nil {
			return nil, err
		}
		cmd.Stderr = f
	}
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, err
	}
	cmd.Path = binary
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan error, 1), started: time.Now()}
	go func() { p.done <- cmd.Wait() }()
	return p, nil
}

// end stops p in good order.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(20 * time.Second):
		return errors.New("upid did not end within 20 s")
	}
}
