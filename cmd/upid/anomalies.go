package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules"
)

type anomaliesCmd struct {
	sidecarFlags  `embed:""`
	Family        string   `placeholder:"FAMILY" help:"Only these: ${families}."`
	Type          string   `placeholder:"TYPE" help:"Only these: ${anomaly_types}."`
	Severity      string   `placeholder:"SEVERITY" help:"Only these: ${severities}."`
	Signal        string   `placeholder:"NAME" help:"Only those of one signal."`
	Open          bool     `help:"Only those that have not ended."`
	Since         duration `default:"1d" placeholder:"DURATION" help:"Those that ended longer ago are left out. (default ${default})"`
	Limit         int      `default:"100" placeholder:"N" help:"How many at most, 0 is all on record. (default ${default})"`
	FailOnFinding bool     `help:"Exit with 3 if there is one."`
	Output        string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (anomaliesCmd) Help() string {
	return `What a running sidecar found out of the ordinary, the newest first, and why.

Examples:

    upid anomalies
    upid anomalies --open --severity critical --fail-on-finding
    upid anomalies --signal checkout_cpu --since 7d -o json

CSV columns: ` + strings.Join(anomalyColumns, ", ") + `. JSON and YAML are an array of the objects of the HTTP API. A missing number is null.
`
}

// Validate is called by kong.
func (c *anomaliesCmd) Validate() error {
	errs := []error{
		c.sidecarFlags.Validate(),
		oneOf("--family", c.Family, rules.Families),
		oneOf("--type", c.Type, series.AnomalyTypes),
		oneOf("--severity", c.Severity, series.Severities),
	}
	if c.Since < 0 {
		errs = append(errs, fmt.Errorf("--since is %s, want 0 or more", c.Since))
	}
	if c.Limit < 0 {
		errs = append(errs, fmt.Errorf("--limit is %d, want 0 or more", c.Limit))
	}
	return errors.Join(errs...)
}

// Run prints the findings.
func (c *anomaliesCmd) Run(ctx context.Context, e *env) error {
	state := ""
	if c.Open {
		state = views.Open
	}
	since := strconv.FormatInt(time.Now().Add(-time.Duration(c.Since)).Unix(), 10)
	cl := c.client(e)
	as, total, err := all[views.Anomaly](ctx, cl, "anomalies",
		filter("family", c.Family, "type", c.Type, "severity", c.Severity, "signal", c.Signal, "state", state, "since", since), c.Limit)
	if err != nil {
		return err
	}
	cl.sayDoubt(e)
	if len(as) == 0 {
		if _, err := cl.explain(ctx, e, c.Signal); err != nil {
			return err
		}
	}
	if c.Family == "" && c.Type == "" && (c.Signal == "" || slices.Contains(adviceNames, c.Signal)) {
		if err := cl.urgentAside(ctx, e); err != nil {
			return err
		}
	}
	if len(as) < total {
		e.warnf("%s of %s shown; --limit 0 shows all", output.Count(len(as)), output.Count(total))
	}
	switch format := output.Format(c.Output); format {
	case output.CSV:
		err = c.csv(e, as)
	case output.JSON, output.YAML:
		err = output.Objects(e.stdout, format, as)
	default:
		err = anomalyTable(e.stdout, e.style(), e.width(), e.loc, as)
	}
	if err == nil && c.FailOnFinding && len(as) > 0 {
		return &exitError{code: exitFinding, err: nil}
	}
	return err
}

var anomalyColumns = []string{
	"id", "family", "type", "severity", "confidence", "started_at", "ended_at", "signal", "series",
	"observed", "expected", "lower", "upper", "unit", "score", "stale", "summary", "first_action",
}

func (c *anomaliesCmd) csv(e *env, as []views.Anomaly) error {
	schema := output.NewSchema(output.CSV, anomalyColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for i := range as {
		a := &as[i]
		for _, s := range []string{a.ID, a.Family, a.Type, a.Severity} {
			rows.Text(s)
		}
		rows.Number(a.Confidence)
		rows.Number(a.StartedAt)
		rows.Number(value(a.EndedAt))
		rows.Text(a.Signal)
		rows.Text(canonical(a.Labels))
		for _, v := range []*float64{a.Observed, a.Expected, a.Lower, a.Upper} {
			rows.Number(value(v))
		}
		rows.Text(a.Unit)
		rows.Number(value(a.Score))
		stale := 0
		if a.Stale {
			stale = 1
		}
		rows.Int(stale)
		rows.Text(a.Summary)
		rows.Text(a.FirstAction)
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}

// anomalyTable writes a block for each finding: what, where, why and what to do.
func anomalyTable(w io.Writer, st output.Style, width int, loc *time.Location, as []views.Anomaly) error {
	var b strings.Builder
	open := 0
	for i := range as {
		a := &as[i]
		if a.EndedAt == nil {
			open++
		}
		title := st.Cut(a.Signal, width/3) + "  " + output.Printable(a.Type)
		b.WriteString(mark(st, a) + "  " + st.Bold(title) + "  " + lasted(a, loc) + "\n")
		line, where := recentSpark(a.Path, 16), pairs(a.Labels, nil)
		switch {
		case strings.TrimSpace(line) != "":
			b.WriteString("  " + st.Accent(line) + "  " + st.Cut(where, width-4-len([]rune(line))) + "\n")
		case where != "":
			b.WriteString("  " + st.Cut(where, width-2) + "\n")
		}
		// The labels stand above.
		why, _, _ := strings.Cut(a.Description, " Series: ")
		paragraph(&b, "  ", why, width)
		paragraph(&b, "  → ", a.FirstAction, width)
		b.WriteByte('\n')
	}
	switch {
	case len(as) == 0:
		b.WriteString("no anomalies\n")
	default:
		fmt.Fprintf(&b, "%s, %s open\n", plural(len(as), "anomaly", "anomalies"), output.Count(open))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mark shows the severity of a finding: a filled dot while it is open.
func mark(st output.Style, a *views.Anomaly) string {
	dot := "○ "
	if a.EndedAt == nil {
		dot = "● "
	}
	text := dot + output.Printable(a.Severity)
	switch {
	case a.EndedAt != nil:
		return st.Dim(text)
	case a.Severity == series.SeverityCritical:
		return st.Alarm(text)
	case a.Severity == series.SeverityWarning:
		return st.Caution(text)
	}
	return text
}

// lasted says since when a finding is open, or how long it was.
func lasted(a *views.Anomaly, loc *time.Location) string {
	start := output.Timestamp(int64(a.StartedAt*1000), loc)
	switch {
	case a.EndedAt != nil:
		return start + ", lasted " + output.Span(time.Duration((*a.EndedAt-a.StartedAt)*float64(time.Second)))
	case a.Stale:
		return "open since " + start + ", no data now"
	}
	return "open since " + start
}

// plural returns n with the word for it.
func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return output.Count(n) + " " + more
}

// paragraph writes text in lines of at most width characters, the first of them behind begin and the
// others as far in.
func paragraph(b *strings.Builder, begin, text string, width int) {
	n := len([]rune(begin))
	for _, line := range wrap(text, width-n) {
		b.WriteString(begin + line + "\n")
		begin = strings.Repeat(" ", n)
	}
}

// wrap breaks text, made printable, into lines of at most width characters. A
// word that is longer has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(output.Printable(text)) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
