package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/config"

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
	o := source.Options{URL: f.PrometheusURL, HTTP: config.DefaultHTTPClientConfig, Logger: e.log}
	if f.HTTPConfig != "" {
		c, _, err := config.LoadHTTPConfigFile(f.HTTPConfig)
		if err != nil {
			return nil, usageErrorf("--prometheus.http-config: %s", quotedValue.ReplaceAllString(err.Error(), "a value"))
		}
		o.HTTP = *c
	}
	server, err := source.New(o)
	if err != nil {
		return nil, usageErrorf("--prometheus.url: %w", err)
	}
	defer server.Close()

	ms := step.Milliseconds()
	to := end.UnixMilli() / ms * ms
	from := end.Add(-time.Duration(f.Lookback)).UnixMilli() / ms * ms
	data, err := server.Query(ctx, f.Query, from, to, ms)
	if err != nil {
		var failed *source.Error
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &failed) && failed.Unreachable():
			return nil, &exitError{code: exitUnreachable, err: err}
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
		return nil, fmt.Errorf("query %q: no data in the last %s", f.Query, f.Lookback)
	}
	in := make([]source.FileSeries, len(data.Series))
	for i, y := range data.Series {
		in[i] = fileSeries(source.Name(y.Labels), y)
	}
	return in, nil
}
