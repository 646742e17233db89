package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/config"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/source"
)

// quotedValue is how the YAML decoder shows what it could not use; it may be a
// secret.
var quotedValue = regexp.MustCompile("`[^`]*`")

// query asks the server for the newest whole steps of the look-back. Grid times
// are aligned to Unix time, so that a command run twice within a step asks for
// the same.
func (f *inputFlags) query(ctx context.Context, e *env, step time.Duration) ([]source.FileSeries, error) {
	end, err := f.end(time.Now())
	if err != nil {
		return nil, err // Validate has accepted it before
	}
	server, err := newServer(e, f.PrometheusURL, f.HTTPConfig)
	if err != nil {
		return nil, err
	}
	defer server.Close()

	ms := step.Milliseconds()
	to := end.UnixMilli() / ms * ms
	from := end.Add(-time.Duration(f.lookback())).UnixMilli() / ms * ms
	data, err := server.Query(ctx, f.Query, from, to, ms)
	if err != nil {
		var failed *source.Error
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &failed) && failed.Unreachable():
			return nil, &exitError{code: exitUnreachable, err: fmt.Errorf("%w\nCheck that the server runs, or name another with --prometheus.url", err)}
		}
		return nil, err
	}
	for _, info := range data.Infos {
		e.warnf("query: %s", info)
	}
	if data.Partial {
		return nil, fmt.Errorf("query %q: the answer is incomplete: %s", f.Query, strings.Join(data.Warnings, "; "))
	}
	for _, w := range data.Warnings {
		e.warnf("query: %s", w)
	}
	if len(data.Series) == 0 {
		return nil, f.nothing(ctx, server, end, step)
	}
	in := make([]source.FileSeries, len(data.Series))
	for i, y := range data.Series {
		in[i] = fileSeries(source.Name(y.Labels), y)
	}
	return in, nil
}

// newServer returns a client of a Prometheus at --prometheus.url with what
// --prometheus.http-config says.
func newServer(e *env, url, httpConfig string) (*source.Prometheus, error) {
	o := source.Options{URL: url, HTTP: config.DefaultHTTPClientConfig, Logger: e.log}
	if httpConfig != "" {
		c, _, err := config.LoadHTTPConfigFile(httpConfig)
		if err != nil {
			return nil, usageErrorf("--prometheus.http-config: %s", quotedValue.ReplaceAllString(err.Error(), "a value"))
		}
		o.HTTP = *c
	}
	server, err := source.New(o)
	if err != nil {
		return nil, usageErrorf("--prometheus.url: %w", err)
	}
	return server, nil
}

// historyWanted is what is said where there is too little of it.
const historyWanted = "a forecast needs about a day of history, an interval for it five"

// nothing returns why a query had no value at any step: a series that is younger than
// a step, as on a Prometheus that has just started, is told apart from one that is
// not there.
func (f *inputFlags) nothing(ctx context.Context, server *source.Prometheus, end time.Time, step time.Duration) error {
	const fine = 15 * time.Second
	if step > fine {
		ms := fine.Milliseconds()
		to := end.UnixMilli() / ms * ms
		data, err := server.Query(ctx, f.Query, end.Add(-step).UnixMilli()/ms*ms, to, ms)
		if err == nil && len(data.Series) > 0 {
			since := data.Series[0].At(0)
			for _, y := range data.Series {
				since = min(since, y.At(0))
			}
			return fmt.Errorf("query %q: too little history: the first value is %s old, and it is looked at every %s; %s",
				f.Query, output.Span(max(fine, end.Sub(time.UnixMilli(since)).Truncate(fine))), output.Span(step), historyWanted)
		}
	}
	when := "the last " + f.lookback().String()
	if f.End != "" {
		when = "the " + f.lookback().String() + " before " + f.End
	}
	return fmt.Errorf("query %q: no data in %s", f.Query, when)
}
