package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
)

// detectWriter writes scores in the format asked for; a table shows the
// anomalies only.
type detectWriter struct {
	schema  *output.Schema // nil for a table
	records *output.Writer

	w                                io.Writer
	style                            output.Style
	loc                              *time.Location
	series, points, scored, findings int
}

func newDetectWriter(c *detectCmd, e *env) *detectWriter {
	w := &detectWriter{w: e.stdout, style: e.style(), loc: e.loc}
	if output.Format(c.Output) != output.Table {
		w.schema = output.NewSchema(output.Format(c.Output), detectColumns...)
		w.records = output.NewWriter(e.stdout, w.schema)
	}
	return w
}

func (w *detectWriter) write(name string, d detected) error {
	if w.schema != nil {
		return w.records.Write(d.rows)
	}
	w.series++
	w.points += d.points
	w.scored += d.scored
	if len(d.findings) == 0 {
		return nil
	}
	w.findings += len(d.findings)
	low, high := output.Extent(d.values)
	var b strings.Builder
	b.WriteString(w.style.Bold(w.style.Cut(name, output.Width)) + "\n")
	b.WriteString(output.Spark(d.values, output.Width-1, low, high) + "\n\n")
	g := output.Grid{
		Head:  []string{"START", "LASTED", "TYPE", "SEVERITY", "SCORE", "OBSERVED", "EXPECTED"},
		Right: []bool{false, false, false, false, true, true, true},
	}
	for _, f := range d.findings {
		lasted := "open"
		if !f.Open() {
			lasted = output.Span(millis(f.End - f.Start))
		}
		g.Add(output.Timestamp(f.Start, w.loc), lasted, f.Type, f.Severity,
			output.Human(f.Peak), output.Human(f.Worst.Observed), output.Human(f.Worst.Expected))
	}
	var lines strings.Builder
	if err := g.Write(&lines, w.style); err != nil {
		return err
	}
	i := -1 // the head comes first
	for line := range strings.Lines(lines.String()) {
		b.WriteString(line)
		if i >= 0 {
			b.WriteString(w.style.Dim(became(&d.findings[i])))
		}
		i++
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w.w, b.String())
	return err
}

// became is a line that says what a finding looked like later, "" if that is as it opened: its
// type is that of its first breaches, as in an alert, while each row of -o csv has its own.
func became(f *series.Finding) string {
	if f.Reclassified == "" || f.Reclassified == f.Type {
		return ""
	}
	return "  later: " + f.Reclassified + "\n"
}

func (w *detectWriter) close(budget string) error {
	if w.schema != nil {
		return w.records.Close()
	}
	in := ""
	if w.series > 1 {
		in = fmt.Sprintf(" in %s series", output.Count(w.series))
	}
	anomalies := "anomalies"
	if w.findings == 1 {
		anomalies = "anomaly"
	}
	_, err := fmt.Fprintf(w.w, "%s of %s points scored%s, %s %s (budget %s a series)\n",
		output.Count(w.scored), output.Count(w.points), in, output.Count(w.findings), anomalies, budget)
	return err
}
