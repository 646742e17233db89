package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/forecast"
)

// inputFlags say where the series of a one-off command come from.
type inputFlags struct {
	Input         []string  `short:"i" sep:"none" xor:"input" placeholder:"FILE" help:"Read the series from a file, - is stdin; may be repeated. CSV with the header timestamp,value or timestamp,NAME,… or series,timestamp,value, or the JSON of a Prometheus range query; also gzipped."`
	Query         string    `short:"q" xor:"input" placeholder:"PROMQL" help:"Read the series from a PromQL query."`
	PrometheusURL string    `name:"prometheus.url" default:"http://localhost:9090" placeholder:"URL" help:"Server to ask. (default ${default})"`
	HTTPConfig    string    `name:"prometheus.http-config" type:"path" placeholder:"FILE" help:"YAML file with TLS, authentication and proxy for that server, in the form of Prometheus's http_config."`
	Lookback      *duration `placeholder:"DURATION" help:"How far back from the end to look. (default 28d for a query, all of a file)"`
	End           string    `placeholder:"TIME" help:"Look at what was known at this time, RFC 3339 or Unix seconds, without a zone UTC: what came later is left out. (default now for a query, the newest point of a file)"`
}

// Validate is called by the commands.
func (f *inputFlags) Validate() error {
	if len(f.Input) == 0 && f.Query == "" {
		return errors.New("no input: give --input FILE or --query PROMQL")
	}
	if f.Lookback != nil && *f.Lookback <= 0 {
		return fmt.Errorf("--lookback is %s, want more than 0", *f.Lookback)
	}
	if _, err := f.end(time.Time{}); err != nil {
		return err
	}
	if f.Query == "" {
		return nil
	}
	if err := source.CheckExpr(f.Query); err != nil {
		return fmt.Errorf("--query: %w", err)
	}
	return nil
}

// queryLookback is how far back a query goes that says nothing of it.
const queryLookback = 28 * 24 * time.Hour

// lookback returns how far back a query goes.
func (f *inputFlags) lookback() duration {
	if f.Lookback == nil {
		return duration(queryLookback)
	}
	return *f.Lookback
}

// end returns --end, or now if there is none.
func (f *inputFlags) end(now time.Time) (time.Time, error) { return endTime(f.End, now) }

// endTime returns what a flag --end says, or now if it says nothing.
func endTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	if t, _, err := source.ParseTime(text); err == nil {
		return t, nil
	}
	s, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(s) < 1e11) {
		return now, fmt.Errorf("--end is %q, want a time such as 2026-01-31T12:00:00Z or Unix seconds", text)
	}
	return time.UnixMilli(int64(math.Round(s * 1000))), nil
}

// load reads the series, of which there is at least one. A query is evaluated at
// every step.
func (f *inputFlags) load(ctx context.Context, e *env, step time.Duration) ([]source.FileSeries, error) {
	if f.Query != "" {
		return f.query(ctx, e, step)
	}
	var all []source.FileSeries
	from := map[string]string{}
	for _, path := range f.Input {
		file, err := readFile(ctx, e, path)
		if err != nil {
			return nil, err
		}
		for _, w := range file.Warnings {
			e.warnf("%s: %s", path, w)
		}
		for _, s := range file.Series {
			if other, ok := from[s.Name]; ok {
				return nil, fmt.Errorf("series %q is in %s and in %s", s.Name, other, path)
			}
			from[s.Name] = path
		}
		all = append(all, file.Series...)
	}
	return f.cut(e, all)
}

// refuse returns why s is neither forecast nor scored: it is a raw counter by its values, or by its
// name and values that never fall. A query says with last_over_time that it is none.
func (f *inputFlags) refuse(s source.FileSeries) error {
	if strings.Contains(f.Query, "last_over_time") {
		return nil
	}
	name, _, _ := strings.Cut(s.Name, "{")
	switch y := s.Grid(); {
	case forecast.Counter(y):
		return fmt.Errorf("it is a raw counter: it only rises, and falls to almost nothing at a restart; write its rate, in PromQL rate(%s[5m])", cmp.Or(name, "NAME"))
	case f.Query == "" && source.NamesCounter(s.Name) && forecast.Rising(y):
		return fmt.Errorf("it is a raw counter by its name, and never falls; write its rate, in PromQL rate(%s[5m])", name)
	}
	return nil
}

// readFile reads path, or stdin.
func readFile(ctx context.Context, e *env, path string) (source.File, error) {
	return interruptible(ctx, func() (source.File, error) {
		if path == "-" {
			return source.Read("<stdin>", e.stdin)
		}
		return source.ReadFile(path)
	})
}

// interruptible returns what read does, and gives up when ctx is done: a read of a
// terminal or a pipe cannot be interrupted otherwise.
func interruptible(ctx context.Context, read func() (source.File, error)) (source.File, error) {
	type outcome struct {
		file source.File
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		file, err := guard(read)
		done <- outcome{file, err}
	}()
	select {
	case <-ctx.Done():
		return source.File{}, ctx.Err()
	case o := <-done:
		return o.file, o.err
	}
}

// fileSeries returns y in the form of a file's series. It shares the values.
func fileSeries(name string, y series.Series) source.FileSeries {
	s := source.FileSeries{Name: name, Labels: y.Labels, Step: y.Step, Times: make([]int64, len(y.Values)), Values: y.Values}
	for i := range s.Times {
		s.Times[i] = y.At(i)
	}
	return s
}
