package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/forecast"
)

type forecastCmd struct {
	inputFlags    `embed:""`
	gridFlags     `embed:""`
	calendarFlags `embed:""`
	Model         string   `default:"auto" placeholder:"NAME" help:"Model: ${models}. (default ${default})"`
	Level         float64  `default:"0.9" placeholder:"SHARE" help:"Share of the future values the interval is to hold. (default ${default})"`
	Max           *float64 `placeholder:"VALUE" help:"The most that a value can be, such as 1 for a share: forecasts and bounds end there. (default no limit)"`
	Output        string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// gridFlags are the time axis of a forecast.
type gridFlags struct {
	Horizon duration `default:"7d" placeholder:"DURATION" help:"How far to look ahead, rounded up to whole steps. (default ${default})"`
	Step    duration `placeholder:"DURATION" help:"Distance of two forecast points. If the input is finer, its means over the step are forecast. (default 1h, or the input's step if that is longer)"`
}

// Validate is called by kong.
func (f *gridFlags) Validate() error {
	if f.Horizon <= 0 {
		return fmt.Errorf("--horizon is %s, want more than 0", f.Horizon)
	}
	if f.Step < 0 || f.Step != 0 && time.Duration(f.Step) < time.Millisecond {
		return fmt.Errorf("--step is %s, want at least 1ms", f.Step)
	}
	return nil
}

// defaultStep is the grid of a forecast of days: beyond a few hours means over
// an hour forecast better than the samples themselves.
const defaultStep = time.Hour

// step returns the grid for a series whose own step is given, both in
// milliseconds.
func (f *gridFlags) step(own int64) int64 {
	if f.Step != 0 {
		return time.Duration(f.Step).Milliseconds()
	}
	return max(own, defaultStep.Milliseconds())
}

// maxPoints bounds a forecast: two years of minutes.
const maxPoints = 1_000_000

// points returns the horizon in whole steps (milliseconds), rounded up.
func (f *gridFlags) points(step int64) (int, error) {
	horizon := time.Duration(f.Horizon)
	n := int64((horizon-1)/millis(step)) + 1
	if n > maxPoints {
		return 0, usageErrorf("--horizon %s is %d steps of %s, want at most %d", f.Horizon, n, duration(millis(step)), maxPoints)
	}
	return int(n), nil
}

// rounded says what a horizon becomes that is no whole number of steps (milliseconds), "" if it is one.
func (f *gridFlags) rounded(step int64) string {
	horizon, s := time.Duration(f.Horizon), millis(step)
	if horizon%s == 0 {
		return ""
	}
	whole := ((horizon-1)/s + 1) * s
	return fmt.Sprintf("--horizon %s is rounded up to %s, whole steps of %s: what is forecast are means over a step; a shorter --step looks closer, if the input is as fine", f.Horizon, duration(whole), duration(s))
}

// queryStep is how finely a query is evaluated: the means over an hour of samples
// five minutes apart say more than one sample an hour.
func (f *gridFlags) queryStep() time.Duration {
	const fine = 5 * time.Minute
	step := time.Duration(f.Step)
	if step == 0 {
		step = defaultStep
	}
	if step > fine && step%fine == 0 {
		return fine
	}
	return step
}

// grid returns s on the grid of the forecast.
func (f *gridFlags) grid(s source.FileSeries) (series.Series, error) {
	step := f.step(s.Step)
	switch {
	case step == s.Step:
		return s.Grid(), nil
	case step < s.Step:
		return series.Series{}, usageErrorf("--step %s is finer than series %q, whose step is %s", f.Step, s.Name, duration(millis(s.Step)))
	}
	return forecast.Resample(s.Grid(), step)
}

// oddStep says what is lost where a day is not a whole number of steps, "" if nothing is.
func oddStep(step int64) string {
	const day = 24 * time.Hour
	switch s := millis(step); {
	case s >= day || day%s == 0:
		return ""
	case 7*day%s == 0:
		return fmt.Sprintf("a day is not a whole number of steps of %s: only a weekly season is learned, from several weeks of history; see --step", duration(s))
	default:
		return fmt.Sprintf("neither a day nor a week is a whole number of steps of %s: no season is learned; see --step", duration(s))
	}
}

// Help is shown by --help.
func (forecastCmd) Help() string {
	return `The series come from files (CSV or the JSON of a Prometheus range query, also gzipped) or from a PromQL query.

Examples:

    upid forecast --input cpu.csv
    upid forecast --input - --horizon 1d --step 5m -o csv < cpu.csv
    upid forecast --query 'sum(rate(http_requests_total[5m]))' --horizon 1d
    upid forecast --query node_load1 --prometheus.url http://prometheus:9090

A raw counter, which only rises and falls to almost nothing at a restart, is refused: give its rate.

CSV columns: ` + strings.Join(forecastColumns, ",") + `. JSON and YAML are an array of objects with the same names; a missing number is null. confidence is a measured number between 0 and 1. JSON and YAML also say what the history shows: ` + strings.Join(patternColumns, ", ") + `; a trend is the change over the window relative to where it began (-0.5: halved, 1: doubled) and null where it is not significant.
`
}

// Validate is called by kong.
func (c *forecastCmd) Validate() error {
	return errors.Join(c.inputFlags.Validate(), c.gridFlags.Validate(), validLevel(c.Level), validModels(c.Model), validMax(c.Max))
}

func validMax(most *float64) error {
	if most != nil && (math.IsNaN(*most) || math.IsInf(*most, 0)) {
		return fmt.Errorf("--max is %g, want a number; leave it out if there is no limit", *most)
	}
	return nil
}

func validLevel(level float64) error {
	if !(level > 0 && level < 1) {
		return fmt.Errorf("--level is %g, want between 0 and 1", level)
	}
	return nil
}

func validModels(names ...string) error {
	for _, name := range names {
		if _, ok := forecast.Models[name]; !ok {
			return fmt.Errorf("--model %q is unknown, want one of %s", name, strings.Join(forecast.Names(), ", "))
		}
	}
	return nil
}

// forecasted is the outcome for one series.
type forecasted struct {
	y    series.Series
	f    *series.Forecast // nil: no forecast, err says why
	err  error
	rows []byte // f in the format of the output
}

// Run forecasts every series of the input.
func (c *forecastCmd) Run(ctx context.Context, e *env) error {
	in, err := c.load(ctx, e, c.queryStep())
	if err != nil {
		return err
	}
	model, err := forecast.New(c.Model, nil)
	if err != nil {
		return err
	}
	calendar, err := c.calendar(e)
	if err != nil {
		return err
	}
	scratches := make([]forecast.Scratch, runtime.GOMAXPROCS(0))
	out := newForecastWriter(c, e, calendar, len(in))
	work := func(ctx context.Context, worker, i int) (forecasted, error) {
		if err := c.refuse(in[i]); err != nil {
			return forecasted{err: err}, nil
		}
		y, err := c.grid(in[i])
		if err != nil {
			return forecasted{}, err
		}
		if len(y.Values) == 0 {
			return forecasted{err: fmt.Errorf("too little history, not one whole step of %s (see --step); %s", duration(millis(y.Step)), historyWanted)}, nil
		}
		n, err := c.points(y.Step)
		if err != nil {
			return forecasted{}, err
		}
		f := newForecast(n, c.Level)
		err = model.Forecast(f, y, calendar, scratches[worker].With(ctx))
		switch {
		case ctx.Err() != nil:
			return forecasted{}, ctx.Err()
		case err != nil:
			return forecasted{y: y, err: err}, nil
		}
		if c.Max != nil {
			forecast.Limit(f, y, *c.Max)
		}
		return forecasted{y: y, f: f, rows: out.render(in[i].Name, y, f)}, nil
	}

	bar := e.progress("forecast", len(in))
	var said notes
	done := 0
	err = inOrder(ctx, len(in), work, func(i int, r forecasted) error {
		bar.Set(i + 1)
		if r.f == nil {
			said.add(in[i].Name, "no forecast: "+r.err.Error())
			return nil
		}
		done++
		for _, odd := range []string{c.rounded(r.y.Step), oddStep(r.y.Step)} {
			if odd != "" {
				said.add(in[i].Name, odd)
			}
		}
		for _, w := range r.f.Warnings {
			said.add(in[i].Name, w.Error())
		}
		return out.write(in[i].Name, r)
	})
	bar.Done()
	if err == nil {
		err = out.close()
	}
	said.print(e)
	if err == nil && done == 0 {
		err = errors.New("no series could be forecast")
	}
	return err
}

// newForecast returns a forecast of n steps for a Forecaster to fill.
func newForecast(n int, level float64) *series.Forecast {
	numbers := make([]float64, 3*n)
	return &series.Forecast{
		Band: series.Band{
			Start: 0, Step: 0,
			Point: numbers[:n:n], Lower: numbers[n : 2*n : 2*n], Upper: numbers[2*n:],
			Level: level, Coverage: math.NaN(),
		},
	}
}

var (
	forecastColumns = []string{"series", "timestamp", "value", "lower", "upper", "model", "confidence"}
	// patternColumns stand beside them in JSON and YAML, the same in every object of a series.
	patternColumns = []string{"trend_7d", "trend_28d", "week_over_week", "seasons", "changed"}
)

// forecastWriter writes forecasts in the format asked for.
type forecastWriter struct {
	schema   *output.Schema // nil for a table
	records  *output.Writer
	table    *forecastTable
	patterns bool
	calendar forecast.Calendar
	loc      *time.Location
}

func newForecastWriter(c *forecastCmd, e *env, calendar forecast.Calendar, n int) *forecastWriter {
	if output.Format(c.Output) == output.Table {
		return &forecastWriter{table: newForecastTable(e, calendar, n, time.Duration(c.Horizon))}
	}
	columns := forecastColumns
	patterns := output.Format(c.Output) != output.CSV
	if patterns {
		columns = slices.Concat(columns, patternColumns)
	}
	s := output.NewSchema(output.Format(c.Output), columns...)
	return &forecastWriter{schema: s, patterns: patterns, calendar: calendar, loc: e.loc, records: output.NewWriter(e.stdout, s)}
}

// render returns f as records, nil for a table. It is safe for concurrent use.
func (w *forecastWriter) render(name string, y series.Series, f *series.Forecast) []byte {
	if w.schema == nil {
		return nil
	}
	var p describedPattern
	if w.patterns {
		p = describe(forecast.Patterns(forecast.Without(y, w.calendar)), w.loc)
	}
	rows := w.schema.Rows(make([]byte, 0, 96*len(f.Point)))
	for i, v := range f.Point {
		rows.Text(name)
		rows.Time(f.Start + int64(i)*f.Step)
		rows.Number(v)
		rows.Number(f.Lower[i])
		rows.Number(f.Upper[i])
		rows.Text(f.Model)
		rows.Number(f.Confidence)
		if w.patterns {
			rows.Number(p.trend7)
			rows.Number(p.trend28)
			rows.Number(p.weekOverWeek)
			rows.TextOrNull(p.seasons)
			rows.TextOrNull(p.changed)
		}
	}
	return rows.Bytes()
}

func (w *forecastWriter) write(name string, r forecasted) error {
	if w.table != nil {
		return w.table.add(name, r.y, r.f)
	}
	return w.records.Write(r.rows)
}

func (w *forecastWriter) close() error {
	if w.table != nil {
		return w.table.close()
	}
	return w.records.Close()
}

// horizons returns the ones a table shows: those of 1h, 6h, 1d, 3d and 7d that
// are whole steps and within the whole, and the whole.
func horizons(whole, step time.Duration) []time.Duration {
	const day = 24 * time.Hour
	var hs []time.Duration
	for _, h := range []time.Duration{time.Hour, 6 * time.Hour, day, 3 * day, 7 * day} {
		if h < whole && h%step == 0 {
			hs = append(hs, h)
		}
	}
	return slices.Clip(append(hs, whole))
}

// describedPattern is what a history shows, as cells.
type describedPattern struct {
	trend7, trend28, weekOverWeek float64
	seasons, changed              string
	changes                       []string // what changed joins
}

// describe turns a pattern into cells: seasons as "7d 0.31, 1d 0.52" with the share of
// the variance each explains, changes as "2026-01-31T00:00:00Z 12 to 47".
func describe(p series.Pattern, loc *time.Location) describedPattern {
	out := describedPattern{trend7: math.NaN(), trend28: math.NaN(), weekOverWeek: p.WeekOverWeek, seasons: "", changed: "", changes: nil}
	for _, t := range p.Trends {
		if t.Window == 7*24*time.Hour {
			out.trend7 = t.Ratio
		} else {
			out.trend28 = t.Ratio
		}
	}
	var seasons []string
	for _, s := range p.Seasons {
		seasons = append(seasons, fmt.Sprintf("%s %.2f", output.Horizon(s.Length), s.Strength))
	}
	for _, c := range p.Changes {
		out.changes = append(out.changes, fmt.Sprintf("%s %s to %s", output.Timestamp(c.Time, loc), output.Human(c.Before), output.Human(c.After)))
	}
	out.seasons, out.changed = strings.Join(seasons, ", "), strings.Join(out.changes, ", ")
	return out
}

// trends returns the significant trends as "-3.1 % in 7d, +12 % in 28d".
func (p describedPattern) trends() string {
	var out []string
	for _, t := range []struct {
		ratio float64
		name  string
	}{{p.trend7, "7d"}, {p.trend28, "28d"}} {
		if !math.IsNaN(t.ratio) {
			out = append(out, fmt.Sprintf("%+.3g %% in %s", 100*t.ratio, t.name))
		}
	}
	return strings.Join(out, ", ")
}
