package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/history"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/rules/notify"
)

// sidecar is the running program: everything long-lived, wired once.
type sidecar struct {
	flags *startCmd
	log   *slog.Logger
	reg   *prometheus.Registry
	lock  *store.Lock
	quit  func()

	upstream *upstream
	history  *history.Source
	pipeline *pipeline.Pipeline
	notifier *notify.Notifier
	web      *web.Server
	views    *views.Views
	learned  *models.Service
	book     *feedback.Book
	registry *models.Registry
	started  time.Time

	reload     sync.Mutex // one configuration at a time
	name       string     // of the configuration file; "" = default
	running    *config.Config
	threats    []resolvedThreat // presets in use; guarded by reload
	judge      *models.Judge    // trained model that they ask; likewise
	refused    string           // version of it that cannot be read; likewise
	reloadOK   atomic.Bool
	hasThreats atomic.Bool // the configuration in use has the key threats
	reloaded   struct{ ok, at, hash prometheus.Gauge }
	byRules    *prometheus.GaugeVec // signal
	info       *collector.Info      // of signals
	reprobe    chan struct{}        // buffered by one: a configuration is new
	ofThreat   *threatMetrics
	records    *store.Records // of threats

	threatSaves *prometheus.CounterVec // that failed, by reason
}

// newSidecar loads the configuration, takes the data directory and wires the
// parts. Nothing runs yet, and what was taken is released on error. Listeners that are
// open already are served on instead of the addresses in c.
func newSidecar(c *startCmd, e *env, listeners ...net.Listener) (_ *sidecar, err error) {
	cfg, name, err := c.load()
	if err != nil {
		return nil, err
	}
	if c.StoragePath != "" {
		cfg.Storage.Path = c.StoragePath
	}
	if c.KeyFile != "" {
		cfg.Storage.EncryptionKeyFile = c.KeyFile
	}
	keys, err := storageKeys(cfg)
	if err != nil {
		return nil, err
	}
	if len(c.ListenAddress) == 0 {
		c.ListenAddress = []string{cfg.Web.ListenAddress}
	}
	s := &sidecar{
		flags: c, log: e.log, name: name, started: time.Now(), upstream: &upstream{}, reprobe: make(chan struct{}, 1), reg: collector.NewRegistry(collector.Build{Version: build().Version, Revision: build().Revision, Branch: build().Branch}),
	}
	if s.lock, err = store.Acquire(cfg.Storage.Path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.lock.Release())
		}
	}()
	s.cleanUp(cfg.Storage.Path)
	s.reloaded.ok = collector.NewGaugeVec(s.reg, "upid_config_last_reload_successful").WithLabelValues()
	s.reloaded.at = collector.NewGaugeVec(s.reg, "upid_config_last_reload_success_timestamp_seconds").WithLabelValues()
	s.reloaded.hash = collector.NewGaugeVec(s.reg, "upid_config_hash").WithLabelValues()

	s.byRules = collector.NewGaugeVec(s.reg, "upid_alert_rules_enabled")
	s.info = collector.NewInfo(s.reg, "upid_signal_info")
	s.ofThreat = newThreatMetrics(s.reg)
	s.threatSaves = collector.NewCounterVec(s.reg, "upid_threat_history_write_failures_total")

	results := collector.New(collector.Options{Registry: s.reg, MaxSeries: c.MaxExport, ModelVersion: build().Version, Logger: e.log})
	s.notifier, err = notify.New(notify.Options{
		Alertmanagers: alertmanagers(cfg), ResendDelay: cfg.Alertmanager.ResendDelay, DrainTimeout: c.DrainTimeout,
		Watchdog: c.Watchdog || cfg.Alertmanager.Watchdog, Registerer: s.reg, Logger: e.log,
	})
	if err != nil {
		return nil, err
	}
	s.views = views.New(views.Options{Version: build().Version, Status: func() []pipeline.Status { return s.pipeline.Status() }})
	s.openThreatHistory(cfg, keys)
	s.registry = models.NewRegistry(cfg.Storage.Path, keys)
	if s.book, err = feedback.NewBook(feedback.Open(cfg.Storage.Path, keys), audit.New(filepath.Join(cfg.Storage.Path, audit.FileName)), e.log); err != nil {
		e.log.Error("feedback cannot be read in whole: what it says is learned from", "err", err)
	}
	s.learned = s.newLearned(cfg, keys, e.loc, results)
	s.history, err = history.New(history.Options{
		Dir: cfg.Storage.Path, Keys: keys, Upstream: s.upstream, MaxSeries: c.MaxSeries, MaxSamples: c.MaxSamples, Registerer: s.reg, Logger: e.log,
	})
	if err != nil {
		return nil, err
	}
	s.pipeline, err = pipeline.New(pipeline.Options{
		Source: s.history, Keeper: store.NewCheckpoints(cfg.Storage.Path, keys), SaveEvery: c.SaveEvery, Sinks: []pipeline.Sink{results, s.notifier, s.views},
		Workers: c.Workers, QueueCapacity: c.QueueCapacity, Registerer: s.reg, Logger: e.log,
	})
	if err != nil {
		return nil, err
	}
	s.web, err = web.New(web.Options{
		ListenAddresses: c.ListenAddress, Listeners: listeners, Metrics: results, Routes: s.apiRoutes(), Ready: s.ready, Healthy: s.healthy,
		Reload: s.reloadNow, Quit: func() { s.quit() }, EnableLifecycle: c.Lifecycle || cfg.Web.EnableLifecycle,
		ShutdownDelay: c.ShutdownDelay, ShutdownTimeout: c.DrainTimeout, Version: build().Version, Registerer: s.reg, Logger: e.log,
	})
	if err != nil {
		return nil, err
	}
	return s, s.apply(cfg, nil)
}

// run runs everything until ctx is done. Then, in this order: not ready any more,
// passes cancelled, alerts drained, HTTP closed, data directory released.
func (s *sidecar) run(ctx context.Context, hup <-chan os.Signal) error {
	defer s.lock.Release() //nolint:errcheck // the process ends
	defer s.upstream.set(nil)
	from := s.name
	if from == "" {
		from = "none: presets prometheus and node"
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	s.log.Info("upid started", "version", build().Version, "configuration", from, "prometheus", s.upstream.client.URL(),
		"alertmanagers", len(s.running.Alertmanager.URLs), "signals", len(s.running.Signals), "listen", strings.Join(s.flags.ListenAddress, ","))
	g, ctx := errgroup.WithContext(ctx)
	alerting, stopAlerting := context.WithCancel(context.WithoutCancel(ctx)) // until the passes have ended
	defer stopAlerting()
	go s.measure(ctx, s.running.Storage.Path) // nothing waits for a disk that hangs
	g.Go(func() error { return s.web.Run(ctx) })
	g.Go(func() error {
		defer stopAlerting()
		return s.pipeline.Run(ctx)
	})
	g.Go(func() error { return s.notifier.Run(alerting) })
	g.Go(func() error { return s.history.Run(alerting) })
	g.Go(func() error { return s.watch(ctx, hup) })
	g.Go(func() error { return s.holdLock(ctx) })
	g.Go(func() error { return s.watchThreats(ctx) })
	g.Go(func() error { return s.keepThreatHistory(alerting) })
	g.Go(func() error { return s.learned.Run(ctx) })
	g.Go(func() error {
		s.book.Run(ctx, s.silences)
		return nil
	})
	go exitOnSecondSignal(ctx)
	err := g.Wait()
	if err == nil {
		s.log.Info("upid stopped")
	}
	return err
}

// listen opens the addresses and writes them down where other commands look for
// this process.
func (s *sidecar) listen(ctx context.Context) error {
	if err := s.web.Listen(ctx); err != nil {
		return err
	}
	var addrs []string
	for _, a := range s.web.Addrs() {
		addrs = append(addrs, a.String())
	}
	if err := s.lock.Announce(addrs); err != nil { // a full disk; it is tried again
		s.log.Warn("lock file not written: other commands need --address", "err", err)
	}
	return nil
}

// exitOnSecondSignal ends the process at once when somebody insists.
func exitOnSecondSignal(ctx context.Context) {
	<-ctx.Done()
	c := make(chan os.Signal, 1)
	ossignal.Notify(c, os.Interrupt, syscall.SIGTERM)
	<-c
	os.Exit(exitFailure)
}

// ready is the body of /-/ready. Prometheus being down does not make upid
// unready: an outage must not restart or unlist it.
func (s *sidecar) ready() (ok bool, body string) {
	var b strings.Builder
	fmt.Fprintln(&b, s.upstream.status())
	for _, a := range s.notifier.Status() {
		state := "ok"
		switch {
		case a.Failing():
			state = "failing: " + a.LastError
		case a.LastSuccess.IsZero():
			state = "nothing posted yet"
		}
		fmt.Fprintf(&b, "alertmanager %s: %s\n", a.URL, state)
	}
	for _, m := range s.learned.Ailing() {
		fmt.Fprintf(&b, "model %s %s: %s: %s\n", m.ModelType, m.Version, m.State, m.Reason)
	}
	for _, t := range s.pipeline.Status() {
		var passes []string
		for pass, st := range t.Passes {
			if st.Err != "" {
				passes = append(passes, fmt.Sprintf("%s: %s", pass, st.Err))
			}
		}
		slices.Sort(passes)
		switch {
		case t.Waiting():
			fmt.Fprintf(&b, "signal %s: waiting for data\n", t.Name)
		case len(passes) > 0:
			fmt.Fprintf(&b, "signal %s: %s\n", t.Name, strings.Join(passes, "; "))
		case !t.Fitted:
			fmt.Fprintf(&b, "signal %s: learning\n", t.Name)
		}
	}
	return true, b.String()
}

// healthy fails when the scheduler has stopped going round.
func (s *sidecar) healthy() error {
	if age := time.Since(s.pipeline.Heartbeat()); age > 6*pipeline.MaxSleep {
		return fmt.Errorf("the scheduler has not gone round for %v", age.Round(time.Second))
	}
	return nil
}
