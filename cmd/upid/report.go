package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/rules/report"
)

type reportCmd struct {
	Since         duration `default:"30d" placeholder:"DURATION" help:"How far back. (default ${default})"`
	End           string   `placeholder:"TIME" help:"Report up to this time, RFC 3339 or Unix seconds, without a zone UTC. (default now)"`
	Alerts        string   `placeholder:"MATCHERS" help:"Which alerts users feel, as label matchers such as severity=\"page\". (default all that are not upid's)"`
	Resolution    duration `placeholder:"DURATION" help:"How exactly beginnings of incidents and alerts are told, and the end. (default 5m, coarser where --since is longer than 69d)"`
	Config        string   `short:"c" placeholder:"FILE" help:"Configuration file that names the server. (default config.yaml if there is one, else http://localhost:9090)"`
	PrometheusURL string   `name:"prometheus.url" placeholder:"URL" help:"Server that scrapes upid, instead of the configuration's."`
	Output        string   `short:"o" default:"markdown" enum:"markdown,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (reportCmd) Help() string {
	return `What upid was worth: spend against its forecast and the budget, savings proposed, applied and realised, incidents and how long before other alerts they were seen, accuracy and alert budget. It is all read from the Prometheus that scrapes upid; the sidecar need not run. A figure whose inputs are not there is absent, and says why.

Examples:

    upid report
    upid report --since 90d -o csv
    upid report --alerts 'severity="page"'

CSV columns: ` + strings.Join(reportColumns, ", ") + `. What each figure means: docs/report.md.
`
}

// mostIncidentPoints bounds the grid of incidents and alerts: 69 days at five minutes, two years at an hour.
const mostIncidentPoints = 20_000

// resolutions are those taken by default: the finest at which --since has no more than mostIncidentPoints.
var resolutions = [...]time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// resolution returns --resolution, or the one that suits --since.
func (c *reportCmd) resolution() time.Duration {
	if c.Resolution != 0 {
		return time.Duration(c.Resolution)
	}
	for _, r := range resolutions {
		if time.Duration(c.Since)/r <= mostIncidentPoints {
			return r
		}
	}
	return resolutions[len(resolutions)-1]
}

// Validate is called by kong.
func (c *reportCmd) Validate() error {
	var errs []error
	if time.Duration(c.Since) < time.Hour {
		errs = append(errs, fmt.Errorf("--since is %s, want an hour or more", c.Since))
	}
	coarsest := resolutions[len(resolutions)-1]
	if r := c.resolution(); r < time.Minute || r > coarsest {
		errs = append(errs, fmt.Errorf("--resolution is %s, want 1m to 1h", c.Resolution))
	} else if most := mostIncidentPoints * coarsest; time.Duration(c.Since) > most {
		errs = append(errs, fmt.Errorf("--since is %s, want %s at most", c.Since, output.Span(most)))
	} else if n := time.Duration(c.Since) / r; n > mostIncidentPoints {
		errs = append(errs, fmt.Errorf("--since %s at --resolution %s is %d points, want %d at most: a coarser resolution, or leave it out", c.Since, c.Resolution, n, mostIncidentPoints))
	}
	if _, err := endTime(c.End, time.Time{}); err != nil {
		errs = append(errs, err)
	}
	if err := source.CheckExpr("ALERTS{" + report.UserAlerts + "," + c.Alerts + "}"); err != nil {
		errs = append(errs, fmt.Errorf("--alerts: %w", err))
	}
	return errors.Join(errs...)
}

// Run prints the report.
func (c *reportCmd) Run(ctx context.Context, e *env) error {
	cfg, _, err := loadConfig(c.Config, c.PrometheusURL)
	if err != nil {
		return err
	}
	client, err := configuredServer(e, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	end, err := endTime(c.End, time.Now())
	if err != nil {
		return err
	}
	in, err := c.ask(ctx, e, client, end)
	if err != nil {
		return err
	}
	r := report.Make(in)
	switch format := output.Format(c.Output); format { //nolint:exhaustive // Markdown follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, format, r)
	case output.CSV:
		return reportCSV(e, r)
	}
	return reportMarkdown(e, r)
}

// reportServer is what a report needs of a server.
type reportServer interface {
	Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error)
	Instant(ctx context.Context, expr string, t int64) (series.Data, error)
}

// ask asks every query of a report. One that fails, or whose answer is not whole, is missing and says why; a server that is
// not there is an error.
func (c *reportCmd) ask(ctx context.Context, e *env, server reportServer, end time.Time) (report.Input, error) {
	hour, step := time.Hour.Milliseconds(), c.resolution().Milliseconds()
	in := report.Input{To: end.UnixMilli() / step * step, Step: step, Answers: series.Set{}, Failed: map[string]string{}}
	in.From = (in.To - time.Duration(c.Since).Milliseconds()) / step * step
	queries := report.Queries(model.Duration(c.resolution()).String(), model.Duration(time.Duration(in.To-in.From)*time.Millisecond).String(), strings.TrimSpace(c.Alerts))
	bar := e.progress("queries", len(queries))
	defer bar.Done()
	for i, q := range queries {
		bar.Set(i)
		var d series.Data
		var err error
		switch q.Grid {
		case report.Instant:
			d, err = server.Instant(ctx, q.Expr, in.To)
		case report.Fine:
			d, err = server.Query(ctx, q.Expr, in.From, in.To, in.Step)
		default:
			d, err = server.Query(ctx, q.Expr, report.HistoryFrom(in.From), in.To/hour*hour, hour)
		}
		switch {
		case ctx.Err() != nil:
			return in, ctx.Err()
		case err != nil && unreachable(err):
			return in, &exitError{code: exitUnreachable, err: fmt.Errorf("%w\nCheck that the server runs, or name another with --prometheus.url", err)}
		case err != nil:
			in.Failed[q.Name] = err.Error()
		case d.Partial:
			in.Failed[q.Name] = "the answer is incomplete: " + strings.Join(d.Warnings, "; ")
		case d.Dropped["limit"] > 0:
			in.Failed[q.Name] = fmt.Sprintf("%s series are more than fit: %s are left out", output.Count(len(d.Series)+d.Dropped["limit"]), output.Count(d.Dropped["limit"]))
		default:
			in.Answers[q.Name] = d
		}
	}
	failed := make([]string, 0, len(in.Failed))
	for name := range in.Failed {
		failed = append(failed, name)
	}
	slices.Sort(failed)
	for _, name := range failed {
		e.warnf("%s: %s", name, in.Failed[name])
	}
	return in, nil
}
