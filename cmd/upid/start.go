package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"syscall"
	"time"

	"github.com/upid/upid/cmd/upid/config"
)

type startCmd struct {
	Config        string        `short:"c" placeholder:"FILE" help:"Configuration file. (default config.yaml if there is one, else the presets prometheus and node)"`
	Interval      bareSeconds   `default:"60" placeholder:"TIME" help:"Score cadence of signals that set none; a bare number is seconds. (default ${default})"`
	Duration      bareMinutes   `default:"0" placeholder:"TIME" help:"Stop after that time; a bare number is minutes, 0 is never. (default ${default})"`
	PrometheusURL string        `name:"prometheus.url" placeholder:"URL" help:"Server to query, instead of the configuration's."`
	StoragePath   string        `name:"storage.path" placeholder:"DIR" help:"Data directory, instead of the configuration's. (default data)"`
	KeyFile       string        `name:"storage.encryption-key-file" placeholder:"FILE" help:"Key that seals what is kept on disk, instead of the configuration's: 32 random bytes in base64, older ones below it."`
	SaveEvery     time.Duration `name:"storage.checkpoint-interval" default:"5m" placeholder:"TIME" help:"How old the state on disk may get; what is newer is asked for again after a restart. (default ${default})"`
	ListenAddress []string      `name:"web.listen-address" placeholder:"HOST:PORT" help:"Address to serve on, instead of the configuration's; may be repeated. (default :9877)"`
	Lifecycle     bool          `name:"web.enable-lifecycle" help:"Serve POST /-/reload and /-/quit to this machine."`
	CheckInterval time.Duration `name:"config.check-interval" default:"30s" placeholder:"TIME" help:"How often to look whether the configuration file changed; 0 is never. (default ${default})"`
	ShutdownDelay time.Duration `name:"shutdown.delay" default:"2s" placeholder:"TIME" help:"How long to serve on, not ready, before the end. (default ${default})"`
	DrainTimeout  time.Duration `name:"shutdown.timeout" default:"5s" placeholder:"TIME" help:"How long alerts and requests under way may take then. (default ${default})"`
	Watchdog      bool          `name:"alert.watchdog" help:"Post UpidWatchdog, an alert that always fires, for a dead-man service."`
	Workers       int           `name:"pipeline.workers" default:"4" placeholder:"N" help:"Passes at once, at least 2. (default ${default})"`
	QueueCapacity int           `name:"pipeline.queue-capacity" default:"1000" placeholder:"N" help:"Passes that may wait; beyond it the oldest fit is dropped. (default ${default})"`
	MaxSeries     int           `name:"query.max-series" default:"50000" placeholder:"N" help:"Series taken from one query; the rest is counted. (default ${default})"`
	MaxSamples    int64         `name:"query.max-samples" default:"50000000" placeholder:"N" help:"Samples taken from one query; more fail it. (default ${default})"`
	MaxBytes      int64         `name:"query.max-response-bytes" default:"268435456" placeholder:"N" help:"Size of one answer, decompressed. (default ${default})"`
	MaxExport     int           `name:"export.max-series" default:"100000" placeholder:"N" help:"Result series on /metrics; the rest is counted. (default ${default})"`
}

// Help is shown by --help.
func (startCmd) Help() string {
	return `Signals: SIGHUP reloads the configuration, SIGTERM and SIGINT end upid gracefully, a second one at once; SIGUSR1 logs
what every goroutine does.

Without GOMEMLIMIT, memory is kept below nine tenths of what the control group, such as a container, allows.

Examples:

    upid start
    upid start --config config.yaml --interval 30
    upid start --interval 60 --duration 1       stops by itself after a minute
`
}

// Validate is called by kong.
func (c *startCmd) Validate() error {
	if time.Duration(c.Interval) < time.Second {
		return fmt.Errorf("--interval is %v, want at least 1s", time.Duration(c.Interval))
	}
	if c.Workers < 2 {
		return fmt.Errorf("--pipeline.workers is %d, want at least 2: one stays free for scoring", c.Workers)
	}
	if c.SaveEvery <= 0 {
		return fmt.Errorf("--storage.checkpoint-interval is %v, want more than 0", c.SaveEvery)
	}
	return nil
}

// load reads the configuration: the file asked for, ./config.yaml, or the
// default. name says which it was.
func (c *startCmd) load() (cfg *config.Config, name string, err error) {
	return loadConfig(c.Config, c.PrometheusURL)
}

func loadConfig(path, prometheusURL string) (cfg *config.Config, name string, err error) {
	if path == "" {
		path = "config.yaml"
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			path = ""
		}
	}
	if path == "" {
		cfg, err = config.Parse("default configuration", []byte(defaultConfig), configChecks())
	} else {
		cfg, err = config.Load(path, configChecks())
	}
	if err != nil {
		return nil, path, &exitError{code: exitUsage, err: err}
	}
	if prometheusURL != "" {
		if err := config.CheckServerURL(prometheusURL); err != nil {
			return nil, path, usageErrorf("--prometheus.url: %w", err)
		}
		cfg.Prometheus.URL = prometheusURL
	}
	return cfg, path, nil
}

// Run runs the sidecar until it is told to stop.
func (c *startCmd) Run(ctx context.Context, e *env) error {
	s, err := newSidecar(c, e)
	if err != nil {
		return err
	}
	limitMemory(e.log)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dumpGoroutines(ctx, e.log)
	if d := time.Duration(c.Duration); d > 0 {
		defer time.AfterFunc(d, func() { cancel(errDuration) }).Stop()
	}
	hup := make(chan os.Signal, 1)
	ossignal.Notify(hup, syscall.SIGHUP)
	defer ossignal.Stop(hup)
	s.quit = func() { cancel(errQuit) }
	return s.run(ctx, hup)
}

var (
	errDuration = errors.New("the time of --duration is over")
	errQuit     = errors.New("/-/quit was called")
)

// bareSeconds is a duration whose bare number is seconds.
type bareSeconds time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *bareSeconds) UnmarshalText(text []byte) error {
	v, err := bareDuration(string(text), time.Second)
	*d = bareSeconds(v)
	return err
}

// bareMinutes is a duration whose bare number is minutes.
type bareMinutes time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *bareMinutes) UnmarshalText(text []byte) error {
	v, err := bareDuration(string(text), time.Minute)
	*d = bareMinutes(v)
	return err
}
