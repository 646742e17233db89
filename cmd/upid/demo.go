package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/demo"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/views"
)

type demoCmd struct {
	Once            bool   `help:"Print the table and end."`
	Seed            uint64 `default:"1" placeholder:"N" help:"Of the cluster's random numbers. (default ${default})"`
	ListenAddress   string `name:"web.listen-address" placeholder:"HOST:PORT" help:"Address of metrics and API. (default 127.0.0.1:9877, with --once any free port)"`
	QueryAddress    string `name:"query.listen-address" placeholder:"HOST:PORT" help:"Address of the Prometheus query API with the cluster's data. (default 127.0.0.1:9099, with --once any free port)"`
	AlertmanagerURL string `name:"alertmanager.url" placeholder:"URL" help:"Alertmanager that alerts are sent to; without one they are only shown."`
}

//go:embed demo.yaml
var demoSignals string

const (
	demoHistory = 28 * 24 * time.Hour
	// demoPatience is how long after the start of the program the table waits for
	// every signal to be learned.
	demoPatience = 50 * time.Second
	demoPoll     = 2 * time.Second

	demoListen = "127.0.0.1:9877"
	demoQuery  = "127.0.0.1:9099"
)

// Help is shown by --help.
func (demoCmd) Help() string {
	return `A Prometheus engine in this process holds 28 days of a small cluster in which things went wrong, and goes on living.
upid watches it over HTTP as it would watch yours. docs/demo.md lists what is injected. Nothing stays on disk when it ends.

Examples:

    upid demo
    upid demo --once
    upid demo --alertmanager.url http://localhost:9093
`
}

// Validate is called by kong.
func (c *demoCmd) Validate() error {
	if c.AlertmanagerURL == "" {
		return nil
	}
	if err := config.CheckServerURL(c.AlertmanagerURL); err != nil {
		return fmt.Errorf("--alertmanager.url: %w", err)
	}
	return nil
}

// Run runs everything until it is told to stop.
func (c *demoCmd) Run(ctx context.Context, e *env) (err error) {
	began := time.Now()
	ctx, stop := untilHangup(ctx)
	defer stop()
	query, err := listen(ctx, "--query.listen-address", c.address(c.QueryAddress, demoQuery))
	if err != nil {
		return err
	}
	defer query.Close()
	web, err := listen(ctx, "--web.listen-address", c.address(c.ListenAddress, demoListen))
	if err != nil {
		return err
	}
	defer web.Close()
	dir, remove, err := demoDir(e.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	d := &demonstration{cmd: c, e: e, began: began}
	d.engine, err = engine.Open(engine.Options{Dir: filepath.Join(dir, "tsdb"), Concurrency: 4, Logger: quiet(e.log)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.engine.Close()) }()
	if err := d.load(ctx); err != nil {
		return err
	}
	url := "http://" + query.Addr().String()
	if d.sidecar, err = c.sidecar(ctx, e, dir, url, web); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.sidecar.quit = cancel
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serve(ctx, query, d.engine.Handler()) })
	g.Go(func() error { return d.live(ctx) })
	g.Go(func() error { return d.sidecar.run(ctx, nil) })
	g.Go(func() error {
		defer cancel()
		return d.watch(ctx, url)
	})
	return g.Wait()
}

// untilHangup returns a context that ends when the terminal is closed too, unless
// nohup has said that this is not to matter.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if ossignal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return ossignal.NotifyContext(ctx, syscall.SIGHUP)
}

// address returns where to listen: as the flag says, else at the usual place, where
// others look for it. Nobody looks for a demo that ends at once.
func (c *demoCmd) address(flag, usual string) string {
	if flag == "" && c.Once {
		return "127.0.0.1:0"
	}
	return cmp.Or(flag, usual)
}

// listen takes an address, so that one in use is known before the work begins.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; give another address, or end what uses this one", flag, err)
	}
	return ln, nil
}

// serve serves h until ctx is done, and returns when no query is under way: the
// storage is closed then.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }, // queries end with it
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := s.Shutdown(grace)
		if err != nil { // somebody reads an answer very slowly
			err = s.Close()
		}
		ended <- err
	})
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("query API: %w", err)
	}
	return <-ended
}

// quiet passes warnings and errors on; everything if debugging was asked for.
func quiet(log *slog.Logger) *slog.Logger {
	if log.Enabled(context.Background(), slog.LevelDebug) {
		return log
	}
	return slog.New(warnings{log.Handler()})
}

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(as []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(as)} }

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// sidecar makes the sidecar that `upid start` would, with the configuration of
// the demo in dir.
func (c *demoCmd) sidecar(ctx context.Context, e *env, dir, url string, web net.Listener) (*sidecar, error) {
	file := filepath.Join(dir, "config.yaml")
	text := demoSignals
	if c.AlertmanagerURL != "" {
		text += "alertmanager: {urls: [" + strconv.Quote(c.AlertmanagerURL) + "]}\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("demo configuration: %w", err)
	}
	var start cli
	args := []string{
		"start", "--config", file, "--prometheus.url", url, "--storage.path", filepath.Join(dir, "data"),
		"--web.listen-address", web.Addr().String(), "--config.check-interval", "0", "--shutdown.delay", "0",
	}
	if _, err := start.parser(ctx, io.Discard, io.Discard, func(int) {}).Parse(args); err != nil {
		return nil, err
	}
	return newSidecar(&start.Start, &env{stdin: e.stdin, stdout: e.stdout, stderr: e.stderr, log: quiet(e.log), loc: e.loc}, web)
}

// demonstration is a demo under way.
type demonstration struct {
	cmd     *demoCmd
	e       *env
	began   time.Time
	now     int64 // Unix milliseconds that the incidents are relative to
	engine  *engine.Engine
	cluster *demo.Cluster
	next    int64 // of the next scrape
	samples int   // stored before the sidecar began
	sidecar *sidecar
	told    map[string]bool // findings that were printed, and the ends of them
}

// batchScrapes is how many scrapes are stored at once while loading.
const batchScrapes = 60

// load stores the history up to now.
func (d *demonstration) load(ctx context.Context) error {
	d.now = d.began.Truncate(demo.Interval).UnixMilli()
	d.cluster = demo.New(demo.Options{Seed: d.cmd.Seed, Now: d.now, Incidents: demo.Incidents})
	d.next = d.now - demoHistory.Milliseconds()
	total := int(demoHistory / demo.Interval)
	bar := d.e.progress("28 days of a cluster", total)
	defer bar.Done()
	for done := 0; d.next <= d.now; done += batchScrapes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.scrape(ctx, min(d.now, d.next+(batchScrapes-1)*demo.Interval.Milliseconds()))
		if err != nil {
			return err
		}
		d.samples += n
		bar.Set(min(done, total))
	}
	return nil
}

// scrape stores every scrape up to the time to, and returns how many samples those
// were.
func (d *demonstration) scrape(ctx context.Context, to int64) (samples int, err error) {
	b := d.engine.Batch(ctx)
	for ; d.next <= to; d.next += demo.Interval.Milliseconds() {
		if err := d.cluster.Scrape(d.next, b); err != nil {
			return 0, errors.Join(err, b.Rollback())
		}
	}
	return b.Len(), b.Commit()
}

// live goes on scraping. After the machine slept, it makes up for it.
func (d *demonstration) live(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(time.UnixMilli(d.next))):
		}
		if _, err := d.scrape(context.WithoutCancel(ctx), max(d.next, time.Now().Add(-demo.Interval).UnixMilli())); err != nil {
			return err
		}
	}
}

// watch prints the table as soon as everything was learned, then what is new. On
// a slow machine it prints what there is when patience ends, and all of it later.
func (d *demonstration) watch(ctx context.Context, url string) error {
	printed, whole := false, false
	for t := range d.tick(ctx) {
		waiting := d.learning()
		switch {
		case whole:
			d.news()
		case len(waiting) == 0 || !printed && t.Sub(d.began) >= demoPatience:
			printed, whole = true, len(waiting) == 0
			if err := d.table(url, waiting); err != nil || d.cmd.Once {
				return err
			}
		}
	}
	return nil
}

// tick yields the time every demoPoll until ctx is done.
func (d *demonstration) tick(ctx context.Context) func(func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		t := time.NewTicker(demoPoll)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case at := <-t.C:
				if !yield(at) {
					return
				}
			}
		}
	}
}

// learning returns the signals without results.
func (d *demonstration) learning() []string {
	var out []string
	for _, s := range d.sidecar.pipeline.Status() {
		if s.Slot == 0 {
			out = append(out, s.Name)
		}
	}
	if len(d.sidecar.threatStatuses()) == 0 { // its metrics are looked for yet
		out = append(out, threatTask(demoThreats))
	}
	return out
}

// demoThreats is the preset of threat detectors of demo.yaml.
const demoThreats = "ssh"

// findings returns everything on record, anomalies and threats, oldest first, and how it
// stands with the incidents.
func (d *demonstration) findings() ([]views.Anomaly, demo.Verdict) {
	all, _ := d.sidecar.views.Anomalies(views.AnomalyFilter{})
	slices.Reverse(all)
	ts, _ := d.sidecar.views.Threats(views.ThreatFilter{})
	for i := range ts {
		t := &ts[i]
		all = append(all, views.Anomaly{
			ID: t.ID, Type: t.Threat, Severity: t.Severity, Confidence: t.Confidence, StartedAt: t.FirstSeen, EndedAt: t.EndedAt,
			Observed: t.Observed, Expected: t.Expected, Labels: t.Labels, Signal: t.Signal, Summary: t.Summary, Stale: t.Stale,
		})
	}
	slices.SortStableFunc(all, func(a, b views.Anomaly) int { return cmp.Compare(a.StartedAt, b.StartedAt) })
	seen := make([]demo.Sighting, len(all))
	for i, a := range all {
		seen[i] = demo.Sighting{Signal: a.Signal, Labels: a.Labels, Start: int64(a.StartedAt * 1000)}
	}
	return all, demo.Judge(demo.Incidents, d.now, seen)
}

// news prints the findings that are new, and those that ended.
func (d *demonstration) news() {
	all, v := d.findings()
	for i := range all {
		a := &all[i]
		what := "false alarm"
		if k := v.Explained[i]; k >= 0 {
			what = "incident " + demo.Incidents[k].Name
		}
		if !d.told[a.ID] {
			d.told[a.ID] = true
			fmt.Fprintf(d.e.stdout, "%s  %s %s %s: %s (%s)\n", output.Timestamp(time.Now().Truncate(time.Second).UnixMilli(), d.e.loc),
				a.Severity, a.Signal, output.Printable(subject(a.Labels)), output.Printable(a.Summary), what)
		}
		if end := a.ID + " end"; a.EndedAt != nil && !d.told[end] {
			d.told[end] = true
			fmt.Fprintf(d.e.stdout, "%s  resolved %s %s: %s after %s\n", output.Timestamp(time.Now().Truncate(time.Second).UnixMilli(), d.e.loc),
				a.Signal, output.Printable(subject(a.Labels)), a.Type, output.Span(time.Duration((*a.EndedAt-a.StartedAt)*float64(time.Second))))
		}
	}
}
