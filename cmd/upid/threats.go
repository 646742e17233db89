package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/rules/presets"
)

type threatsCmd struct {
	threatsLive   `embed:""`
	Input         []string `short:"i" sep:"none" placeholder:"FILE" help:"Read raw counters from a file, - is stdin; may be repeated. CSV with the header ts,metric,LABEL,…,value or ts,METRIC (then the file's name is the entity), or the JSON of a Prometheus range query; also gzipped. Counters may be written on change only."`
	Preset        []string `default:"auto" placeholder:"NAME" help:"Detectors to run: auto, or some of ${threat_presets}. (default ${default}: those whose metrics are there)"`
	CounterStep   duration `placeholder:"DURATION" help:"Length of a slot; counters keep their value from row to row. (default that of the preset)"`
	Budget        float64  `default:"0.1" placeholder:"NUMBER" help:"False alerts an entity may cost in a week. (default ${default})"`
	FailOnFinding bool     `help:"Exit with 3 if there is an alert."`
	Output        string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (threatsCmd) Help() string {
	return `What a running sidecar found, the newest first; with --input what there is in files of counters. The configuration's key threats says what a sidecar watches.

    upid threats
    upid threats --open --severity critical --fail-on-finding
    upid threats --since 30d --entity 192.0.2.7 -o json
    upid threats purge --entity alice

CSV columns: ` + strings.Join(threatObjectColumns, ",") + `. JSON and YAML are an array of the objects of the HTTP API. A missing number is null.

Of files: what is said of a slot knows the counters up to that slot only, as in live use. Learning takes the first days of the input: two for log-ins, seven for bytes sent; calls to a cloud need none. Presets are files of PromQL, and each says which entity its metrics can tell apart.

Examples:

    upid threats --input keycloak.csv.gz
    upid threats --input web-1.csv --input web-2.csv --preset pod-egress -o csv
    upid threats --input auth.csv --budget 0.02 --fail-on-finding

CSV columns: ` + strings.Join(threatColumns, ",") + `. There is a row for each slot in which an alert is open, in order of time. JSON and YAML are an array of objects with the same names.
`
}

// Validate is called by kong.
func (c *threatsCmd) Validate() error {
	var errs []error
	errs = append(errs, c.check(len(c.Input) > 0))
	if c.CounterStep != 0 && time.Duration(c.CounterStep) < time.Second {
		errs = append(errs, fmt.Errorf("--counter-step is %s, want at least 1s", c.CounterStep))
	}
	if !(c.Budget > 0) || math.IsInf(c.Budget, 0) {
		errs = append(errs, fmt.Errorf("--budget is %g, want more than 0", c.Budget))
	}
	for _, p := range c.Preset {
		if p != "auto" && !slices.Contains(presets.Threats(), p) {
			errs = append(errs, fmt.Errorf("--preset is %q, want auto or some of %s", p, strings.Join(presets.Threats(), ", ")))
		}
	}
	return errors.Join(errs...)
}

// Run asks a running sidecar, or replays the counters of the input through the detectors.
func (c *threatsCmd) Run(ctx context.Context, e *env) error {
	switch {
	case c.Action == "purge":
		return c.purge(ctx, e)
	case len(c.Input) == 0:
		return c.ask(ctx, e, output.Format(c.Output), c.FailOnFinding)
	}
	counters, err := readCounters(ctx, e, c.Input)
	if err != nil {
		return err
	}
	watches, err := c.watches(e, counters)
	if err != nil {
		return err
	}
	var rows []threatRow
	var campaigns []threat.Campaign
	bar := e.progress("threats", 100*len(watches))
	for i, w := range watches {
		found, cs, err := w.replay(ctx, counters, func(share float64) { bar.Set(100*i + int(100*share)) })
		if err != nil {
			return fmt.Errorf("preset %s: %w", w.preset.Name, err)
		}
		rows, campaigns = append(rows, found...), append(campaigns, cs...)
	}
	bar.Done()
	for _, w := range watches {
		if d := w.unlearned(); d > 0 {
			e.warnf("preset %s: the input covers %s, and learning takes %s: it says nothing about attacks; give it earlier data too", w.preset.Name, output.Span(w.span), output.Span(d))
		}
	}
	slices.SortStableFunc(rows, func(a, b threatRow) int { return int(min(max(a.time-b.time, -1), 1)) })
	if output.Format(c.Output) == output.Table {
		err = writeThreatTable(e, watches, rows, campaigns)
	} else {
		err = writeThreatRows(e, output.Format(c.Output), rows)
	}
	if err != nil {
		return err
	}
	if c.FailOnFinding && len(rows) > 0 {
		return &exitError{code: exitFinding, err: nil}
	}
	return nil
}

// threatRow is an alert in one slot.
type threatRow struct {
	time  int64
	alert threat.Alert
}

var threatColumns = []string{
	"timestamp", "entity", "entity_type", "threat", "technique", "severity", "risk", "observed", "expected", "evidence", "id", "confidence", "first_action",
}

func writeThreatRows(e *env, f output.Format, found []threatRow) error {
	schema := output.NewSchema(f, threatColumns...)
	w := output.NewWriter(e.stdout, schema)
	rows := schema.Rows(nil)
	for i, r := range found {
		a := r.alert
		rows.Time(r.time)
		rows.Text(a.Entity)
		rows.Text(a.EntityType)
		rows.Text(a.Threat)
		rows.TextOrNull(a.Technique)
		rows.Text(threat.Severity(a.Band))
		rows.Number(math.Round(10*a.Risk) / 10)
		rows.Number(a.Top.Reading.Observed)
		rows.Number(a.Top.Reading.Expected)
		rows.Text(evidenceText(a))
		rows.Text(a.ID)
		rows.Number(math.Round(100*a.Confidence) / 100)
		rows.Text(threat.FirstAction(a.Threat))
		if i%1000 == 999 || i == len(found)-1 {
			if err := w.Write(rows.Bytes()); err != nil {
				return err
			}
			rows = schema.Rows(nil)
		}
	}
	return w.Close()
}

// evidenceText says what an alert rests on, what explains it first.
func evidenceText(a threat.Alert) string {
	texts := []string{a.Top.Describe()}
	for _, e := range a.Evidence {
		if t := e.Describe(); len(texts) < 3 && !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	return strings.Join(texts, "; ")
}

// writeThreatTable writes a line for each alert.
func writeThreatTable(e *env, watches []*watch, rows []threatRow, campaigns []threat.Campaign) error {
	g := output.Grid{
		Head:  []string{"START", "LASTED", "THREAT", "SEVERITY", "RISK", "ENTITY"},
		Right: []bool{false, false, false, false, true, false},
		Give:  5, // the entity; when it started is never cut
		Least: 40,
	}
	type span struct{ first, last threatRow }
	var order, why []string
	spans := map[string]*span{}
	for _, r := range rows {
		s, ok := spans[r.alert.ID]
		if !ok {
			s = &span{first: r, last: r}
			spans[r.alert.ID] = s
			order = append(order, r.alert.ID)
		}
		if r.alert.Risk > s.first.alert.Risk { // the worst of it is shown
			first := s.first.time
			s.first = r
			s.first.time = first
		}
		s.last = r
	}
	for _, id := range order {
		s := spans[id]
		a := s.first.alert
		g.Add(output.Timestamp(s.first.time, e.loc), output.Span(millis(max(s.last.time-s.first.time, 1000))), a.Threat,
			threat.Severity(a.Band), fmt.Sprintf("%.0f", math.Floor(a.Risk)), a.Entity)
		why = append(why, "  "+e.style().Cut(a.Top.Describe(), output.Width-2))
	}
	var b strings.Builder
	if g.Len() > 0 {
		var lines strings.Builder
		if err := g.Write(&lines, e.style()); err != nil {
			return err
		}
		i := -1 // the head comes first
		for line := range strings.Lines(lines.String()) {
			b.WriteString(line)
			if i++; i > 0 {
				b.WriteString(e.style().Dim(why[i-1]) + "\n")
			}
		}
		b.WriteByte('\n')
	}
	for _, c := range campaigns {
		fmt.Fprintf(&b, "%s  campaign of %s against %d entities\n", output.Timestamp(c.Start, e.loc), c.Threat, len(c.Entities))
	}
	alerts := "alerts"
	if len(order) == 1 {
		alerts = "alert"
	}
	names := make([]string, len(watches))
	for i, w := range watches {
		names[i] = w.preset.Name
	}
	fmt.Fprintf(&b, "%s %s by %s\n", output.Count(len(order)), alerts, strings.Join(names, ", "))
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}
