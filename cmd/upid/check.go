package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/source"
)

type checkCmd struct {
	Config        string `short:"c" placeholder:"FILE" help:"Configuration file. (default config.yaml if there is one, else the presets prometheus and node)"`
	PrometheusURL string `name:"prometheus.url" placeholder:"URL" help:"Server to query, instead of the configuration's."`
	Live          bool   `help:"Run every query once and estimate what the signals will cost."`
	Output        string `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (checkCmd) Help() string {
	return `Exit codes: 0 the configuration is good, 1 a query failed, 2 the configuration is bad, 4 Prometheus is unreachable.

Examples:

    upid check
    upid check --config config.yaml --live
`
}

// What one series costs, measured by the benchmarks (make bench): the state kept
// between passes, the forecast of a week in hours, and the CPU of one fit.
const (
	stateBytes    = 24 << 10
	forecastBytes = 3 * 8 * 200
	fitCPU        = 12 * time.Millisecond
)

// checked is a row of the output.
type checked struct {
	signal   config.Signal
	series   int
	samples  int64 // a fit fetches
	memory   int64 // bytes: state of all series, and the samples of one fit
	cpu      time.Duration
	err      error
	measured bool
}

// Run checks.
func (c *checkCmd) Run(ctx context.Context, e *env) error {
	cfg, name, err := loadConfig(c.Config, c.PrometheusURL)
	if err != nil {
		return err
	}
	if _, err := newLabelPolicy(&cfg.Privacy); err != nil {
		return err
	}
	if _, _, err := tasks(cfg, config.DefaultStep); err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	if name == "" {
		name = "no configuration file: presets prometheus and node"
	}
	rows := make([]checked, len(cfg.Signals))
	for i, s := range cfg.Signals {
		rows[i].signal = s
	}
	var failed error
	if c.Live {
		failed = c.live(ctx, e, cfg, rows)
		if !unreachable(failed) {
			failed = errors.Join(failed, c.threats(ctx, e, cfg))
		}
		if unreachable(failed) { // nothing is known of the signals, and one line says why
			return failed
		}
	}
	if err := c.print(e, name, rows); err != nil {
		return err
	}
	return failed
}

// configuredServer returns the client of the configured Prometheus, for a command.
func configuredServer(e *env, cfg *config.Config) (*source.Prometheus, error) {
	p := cfg.Prometheus
	return source.New(source.Options{
		Name: "prometheus", URL: p.URL, HTTP: p.HTTP, FollowRedirects: p.HTTP.FollowRedirects, Timeout: p.Timeout, Concurrency: p.Concurrency,
		Logger: e.log,
	})
}

// gone is the error of a check whose server does not answer, whatever was asked.
func gone(err error) error {
	if e, ok := errors.AsType[*source.Error](err); ok {
		err = e // without the query
	}
	return &exitError{code: exitUnreachable, err: fmt.Errorf("%w\nCheck that the server runs, or name another with --prometheus.url", err)}
}

// live runs every query over the newest three steps.
func (c *checkCmd) live(ctx context.Context, e *env, cfg *config.Config, rows []checked) error {
	client, err := configuredServer(e, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	now := time.Now()
	var errs []error
	var empty []string // without data now
	for i := range rows {
		r := &rows[i]
		s := r.signal
		end := now.Add(-s.Offset).Truncate(s.Step).UnixMilli()
		d, err := client.Query(ctx, s.Query, end-2*s.Step.Milliseconds(), end, s.Step.Milliseconds())
		if err != nil {
			r.err = err
			errs = append(errs, fmt.Errorf("signal %s: %w", s.Name, err))
			if unreachable(err) {
				return gone(err)
			}
			continue
		}
		r.measured = true
		r.series = len(d.Series)
		r.samples = int64(r.series) * int64(s.History/s.Step)
		r.memory = int64(r.series)*(stateBytes+forecastBytes) + 8*r.samples
		r.cpu = time.Duration(r.series) * fitCPU
		for _, w := range d.Warnings {
			e.warnf("signal %s: %s", s.Name, w)
		}
		if r.series == 0 {
			empty = append(empty, s.Name)
		}
	}
	switch len(empty) {
	case 0:
	case 1:
		e.warnf("signal %s: no data now", empty[0])
	default:
		e.warnf("%d signals have no data now: %s", len(empty), strings.Join(empty, ", "))
	}
	return errors.Join(errs...)
}

func (c *checkCmd) print(e *env, name string, rows []checked) error {
	format := output.Format(c.Output)
	if format != output.Table {
		schema := output.NewSchema(format, "signal", "type", "step_seconds", "history_seconds", "query", "series", "fit_samples", "memory_bytes", "fit_cpu_seconds", "error")
		w := output.NewWriter(e.stdout, schema)
		out := schema.Rows(nil)
		for _, r := range rows {
			out.Text(r.signal.Name)
			out.Text(r.signal.Type)
			out.Number(r.signal.Step.Seconds())
			out.Number(r.signal.History.Seconds())
			out.Text(r.signal.Query)
			for _, n := range []float64{float64(r.series), float64(r.samples), float64(r.memory), r.cpu.Seconds()} {
				if !r.measured {
					n = math.NaN()
				}
				out.Number(n)
			}
			out.TextOrNull(errText(r.err))
		}
		return errors.Join(w.Write(out.Bytes()), w.Close())
	}
	fmt.Fprintf(e.stdout, "%s: good, %d signals\n\n", name, len(rows))
	g := output.Grid{Head: []string{"signal", "type", "step", "history"}, Right: []bool{false, false, true, true}}
	if c.Live {
		g.Head = append(g.Head, "series", "samples", "memory", "fit CPU")
		g.Right = append(g.Right, true, true, true, true)
	}
	var total checked
	for _, r := range rows {
		cells := []string{r.signal.Name, r.signal.Type, output.Span(r.signal.Step), output.Span(r.signal.History)}
		if c.Live {
			cells = append(cells, r.cells()...)
			total.series += r.series
			total.samples += r.samples
			total.memory += r.memory
			total.cpu += r.cpu
		}
		g.Add(cells...)
	}
	if c.Live {
		total.measured = true
		g.Add(append([]string{"all", "", "", ""}, total.cells()...)...)
	}
	return g.Write(e.stdout, e.style())
}

func (r checked) cells() []string {
	if !r.measured {
		return []string{"failed", "", "", ""}
	}
	return []string{output.Count(r.series), output.Count(int(r.samples)), fmt.Sprintf("%.1f MiB", float64(r.memory)/(1<<20)), r.cpu.Round(10 * time.Millisecond).String()}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
