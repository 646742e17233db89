package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
)

type detectCmd struct {
	inputFlags    `embed:""`
	Step          duration `placeholder:"DURATION" help:"Grid of the points. A file's own is the default, and its means are scored if this is longer; for a query the default is 1m."`
	Budget        string   `default:"1/week" placeholder:"N/PERIOD" help:"Alerts each series may raise, as in 1/week or 2/day: what the scores are calibrated to. (default ${default})"`
	Direction     string   `default:"both" enum:"both,up,down" placeholder:"WAY" help:"Deviations that count: ${enum}. (default ${default})"`
	MinDeviation  float64  `placeholder:"NUMBER" help:"Deviation, in the unit of the input, below which nothing is an anomaly."`
	MinRelative   float64  `placeholder:"SHARE" help:"The same relative to the expected value: 0.1 is 10 %."`
	Transform     string   `default:"none" enum:"none,sqrt" placeholder:"NAME" help:"What values go through before they are scored: ${enum}; the root suits counts, latencies and shares near 0. (default ${default})"`
	FailOnFinding bool     `help:"Exit with 3 if there is an anomaly."`
	Output        string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`

	budget rules.Budget // Budget, parsed by Validate
}

// Help is shown by --help.
func (detectCmd) Help() string {
	return `The score at a time knows the points up to that time only, as in live use. 0 is ordinary, 1 the boundary that spends the budget.

Examples:

    upid detect --input latency.csv
    upid detect --input - --direction up -o csv < errors.csv
    upid detect --input disk.csv --min-relative 0.1 --fail-on-finding
    upid detect --query 'sum(rate(http_requests_total[5m]))' --lookback 14d

Each series is scored by its own past. Replicas are compared with one another, whose type is outlier, by a running sidecar (upid start) only.

A raw counter, which only rises and falls to almost nothing at a restart, is refused: give its rate.

CSV columns: ` + strings.Join(detectColumns, ",") + `. There is a row for each point of the input, in order, and one for each missing point; type is what that point looks like, while the table has one for each anomaly, that of its beginning, as an alert has. JSON and YAML are an array of objects with the same names; a missing number is null.
`
}

// Validate is called by kong.
func (c *detectCmd) Validate() error {
	errs := []error{c.inputFlags.Validate()}
	var err error
	if c.budget, err = rules.ParseBudget(c.Budget); err != nil {
		errs = append(errs, fmt.Errorf("--%w", err))
	}
	if c.Step != 0 && time.Duration(c.Step) < time.Millisecond {
		errs = append(errs, fmt.Errorf("--step is %s, want at least 1ms", c.Step))
	}
	if !(c.MinDeviation >= 0) || math.IsInf(c.MinDeviation, 0) {
		errs = append(errs, fmt.Errorf("--min-deviation is %g, want 0 or more", c.MinDeviation))
	}
	if !(c.MinRelative >= 0) || math.IsInf(c.MinRelative, 0) {
		errs = append(errs, fmt.Errorf("--min-relative is %g, want 0 or more", c.MinRelative))
	}
	return errors.Join(errs...)
}

// detected is the outcome for one series.
type detected struct {
	points   int // the missing ones not counted
	known    int // of them, those that have a value
	scored   int // of them, those that have a score
	warmup   int // values that it takes, at step
	step     time.Duration
	values   []float64
	findings []series.Finding
	rows     []byte // in the format of the output
	err      error  // nothing could be scored
}

// Run scores every point of every series of the input.
func (c *detectCmd) Run(ctx context.Context, e *env) error {
	step := time.Duration(c.Step)
	if step == 0 {
		step = time.Minute
	}
	in, err := c.load(ctx, e, step)
	if err != nil {
		return err
	}
	out := newDetectWriter(c, e)
	bar := e.progress("detect", len(in))
	var said notes
	found, scored := 0, 0
	err = inOrder(ctx, len(in), func(ctx context.Context, _, i int) (detected, error) {
		return c.scan(ctx, e, in[i], out.schema)
	}, func(i int, d detected) error {
		bar.Set(i + 1)
		if d.err != nil {
			said.add(in[i].Name, "not scored: "+d.err.Error())
			return nil
		}
		scored++
		if d.scored == 0 {
			said.add(in[i].Name, fmt.Sprintf("no score, so no anomaly can be seen: %s of %s points have a value, scores begin after %d at the earliest, %s at a step of %s",
				output.Count(d.known), output.Count(d.points), d.warmup, output.Span(time.Duration(d.warmup)*d.step), output.Span(d.step)))
		}
		found += len(d.findings)
		return out.write(in[i].Name, d)
	})
	bar.Done()
	if err == nil {
		err = out.close(c.Budget)
	}
	said.print(e)
	switch {
	case err != nil:
		return err
	case scored == 0:
		return errors.New("no series could be scored")
	case c.FailOnFinding && found > 0:
		return &exitError{code: exitFinding, err: nil}
	}
	return nil
}

// scan replays one series through a scorer and the alert life cycle.
func (c *detectCmd) scan(ctx context.Context, e *env, s source.FileSeries, schema *output.Schema) (detected, error) {
	if err := c.refuse(s); err != nil {
		return detected{err: err}, nil
	}
	s, err := c.regrid(s)
	if err != nil {
		return detected{}, err
	}
	step := millis(s.Step)
	scorer, err := detect.New(detect.Default, detect.Options{
		Step: step, Budget: c.budget.PerWeek(), Direction: detect.Direction(c.Direction),
		MinDeviation: c.MinDeviation, MinRelative: c.MinRelative, Transform: detect.Transform(c.Transform), Location: e.loc,
	})
	if err != nil {
		return detected{err: err}, nil
	}
	var rows *output.Rows
	if schema != nil {
		rows = schema.Rows(make([]byte, 0, 96*len(s.Times)))
	}
	var d detected
	rule := rules.Default(step, series.SeverityWarning).Within(c.budget)
	var alert rules.Alert
	point := func(t int64, v float64) (scored bool) {
		score := scorer.Step(t, v)
		alert = rule.Next(alert, score, t)
		d.follow(alert)
		if rows != nil {
			appendScore(rows, s.Name, t, v, score, alert.Finding)
		}
		return !math.IsNaN(score.Value)
	}
	for i, t := range s.Times {
		if i%4096 == 0 && ctx.Err() != nil {
			return detected{}, ctx.Err()
		}
		if i > 0 {
			for g := range detect.Gaps(s.Times[i-1], t, s.Step) {
				point(g, math.NaN())
			}
		}
		if point(t, s.Values[i]) {
			d.scored++
		}
		if !math.IsNaN(s.Values[i]) {
			d.known++
		}
	}
	d.points, d.values = len(s.Times), s.Values
	d.step, d.warmup = step, detect.Warmup(step)
	if rows != nil {
		d.rows = rows.Bytes()
	}
	return d, nil
}

// regrid returns s with the means over --step, if that is given for a file and
// longer than the step of s.
func (c *detectCmd) regrid(s source.FileSeries) (source.FileSeries, error) {
	step := time.Duration(c.Step).Milliseconds()
	switch {
	case step == 0 || step == s.Step:
		return s, nil
	case step < s.Step:
		return s, usageErrorf("--step %s is finer than series %q, whose step is %s", c.Step, s.Name, duration(millis(s.Step)))
	}
	y, err := forecast.Resample(s.Grid(), step)
	if err != nil {
		return s, err
	}
	return fileSeries(s.Name, y), nil
}

// follow keeps the findings up to date with the newest state of the alert.
func (d *detected) follow(a rules.Alert) {
	for _, f := range []*series.Finding{a.Resolved, a.Finding} {
		if f == nil {
			continue
		}
		if last := len(d.findings) - 1; last >= 0 && d.findings[last].Start == f.Start {
			d.findings[last] = *f
		} else if last < 0 || d.findings[last].Start < f.Start {
			d.findings = append(d.findings, *f)
		}
	}
}

var detectColumns = []string{"series", "timestamp", "value", "expected", "lower", "upper", "score", "is_anomaly", "type"}

// appendScore appends one row; open is the finding that is open then, or nil.
func appendScore(rows *output.Rows, name string, t int64, v float64, s series.Score, open *series.Finding) {
	active, kind := 0, ""
	if open != nil {
		active, kind = 1, s.Type
		if kind == "" { // still open, though this point alone would not have been an anomaly
			kind = open.Type
		}
	}
	rows.Text(name)
	rows.Time(t)
	rows.Number(v)
	rows.Number(s.Expected)
	rows.Number(s.Lower)
	rows.Number(s.Upper)
	rows.Number(s.Value)
	rows.Int(active)
	rows.TextOrNull(kind)
}
