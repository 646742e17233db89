package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

// metricColumn is a metric of a version in tables and CSV.
type metricColumn struct{ metric, head string }

// metricColumns are the metrics of a model type, the most telling first.
func metricColumns(typ string) []metricColumn {
	switch typ {
	case features.SecurityThreat:
		return []metricColumn{{"precision", "PRECISION"}, {"recall", "RECALL"}, {"roc_auc", "ROC"}, {"pr_auc", "PR"}, {"brier", "BRIER"}, {"calibration_error", "CALIB"}}
	case features.AnomalyDetection:
		return []metricColumn{{"anomalous_share", "ABOVE"}, {"precision", "PRECISION"}, {"recall", "RECALL"}, {"roc_auc", "ROC"}, {"pr_auc", "PR"}}
	}
	return []metricColumn{{"skill", "SKILL"}, {"mase", "MASE"}, {"smape", "SMAPE"}, {"coverage", "COVERAGE"}}
}

// csvMetrics are the metrics of CSV, the same for all types.
var csvMetrics = []string{
	"mae", "naive_mae", "skill", "mase", "smape", "coverage", "level",
	"precision", "recall", "f1", "roc_auc", "pr_auc", "brier", "brier_skill", "calibration_error", "anomalous_share", "bias", "residual_drift",
}

var recordColumns = append([]string{
	"model_type", "version", "state", "created_at", "training_seconds", "source", "rows", "from", "until", "forced",
	"target", "unit", "algorithm", "passed", "epochs", "rows_test",
}, csvMetrics...)

// writeRecords writes versions with their held-out figures, a line for each target.
func writeRecords(e *env, format string, records []models.Record) error {
	for _, r := range records {
		if p := r.Parked; p != nil {
			e.warnf("%s %s is parked until %s: it failed again and again (%s: %s)", r.ModelType, r.Version, output.Timestamp(int64(p.Until*1000), e.loc), p.Reason, p.Detail)
		}
	}
	switch f := output.Format(format); f { //nolint:exhaustive // a table follows
	case output.JSON, output.YAML:
		return output.Objects(e.stdout, f, records)
	case output.CSV:
		return recordsCSV(e, records)
	}
	for i := 0; i < len(records); { // a table for each run of one type
		k := i
		for k < len(records) && records[k].ModelType == records[i].ModelType {
			k++
		}
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := recordTable(e, records[i:k]); err != nil {
			return err
		}
		i = k
	}
	return nil
}

func recordTable(e *env, records []models.Record) error {
	typ := records[0].ModelType
	columns := metricColumns(typ)
	fmt.Fprintf(e.stdout, "%s, on rows that were not learned from:\n", e.style().Bold(typ))
	g := &output.Grid{Head: []string{"VERSION", "TARGET", "MODEL", "EPOCHS", "HELD OUT"}, Right: []bool{false, false, false, true, true}, Width: e.width(), Give: 1}
	for _, c := range columns {
		g.Head, g.Right = append(g.Head, c.head), append(g.Right, true)
	}
	for _, r := range records {
		version := r.Version
		switch {
		case version == "":
			version = "not saved"
		case r.Stage == models.Active:
			version += " *"
		}
		for _, t := range r.Targets {
			cells := []string{version, t.Name, t.Algorithm, strconv.Itoa(t.Report.Epochs), strconv.Itoa(t.Report.Test)}
			for _, c := range columns {
				cells = append(cells, figure(t.Report.Metric(c.metric)))
			}
			g.Add(cells...)
		}
	}
	return g.Write(e.stdout, e.style())
}

// figure writes a metric with three digits.
func figure(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func recordsCSV(e *env, records []models.Record) error {
	schema := output.NewSchema(output.CSV, recordColumns...)
	w, rows := output.NewWriter(e.stdout, schema), schema.Rows(nil)
	for _, r := range records {
		for _, t := range r.Targets {
			rows.Text(r.ModelType)
			rows.Text(r.Version)
			rows.Text(r.State)
			rows.Number(r.CreatedAt)
			rows.Number(r.Seconds)
			rows.Text(r.Source)
			rows.Int(r.Rows)
			rows.Number(value(r.From))
			rows.Number(value(r.Until))
			rows.Int(flag(r.Forced))
			rows.Text(t.Name)
			rows.Text(t.Unit)
			rows.Text(t.Algorithm)
			rows.Int(flag(t.Passed))
			rows.Int(t.Report.Epochs)
			rows.Int(t.Report.Test)
			for _, m := range csvMetrics {
				rows.Number(t.Report.Metric(m))
			}
		}
	}
	return errors.Join(w.Write(rows.Bytes()), w.Close())
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// recordNotes says what a table has no column for: where the rows came from, when,
// how long it took, and what was refused.
func recordNotes(e *env, r models.Record) {
	fmt.Fprintf(e.stdout, "\n%s, trained %s in %s from %s rows of %s", r.Version, output.Timestamp(int64(r.CreatedAt*1000), e.loc), seconds(r.Seconds), output.Count(r.Rows), output.Printable(r.Source))
	if r.From != nil && r.Until != nil {
		fmt.Fprintf(e.stdout, ",\n%s to %s, targets %s ahead", output.Timestamp(int64(*r.From*1000), e.loc), output.Timestamp(int64(*r.Until*1000), e.loc), r.Horizon)
	}
	fmt.Fprintln(e.stdout)
	if r.Forced {
		fmt.Fprintln(e.stdout, "It was saved by --force: the gate did not let it pass.")
	}
	for _, t := range r.Targets {
		if t.Demoted != "" {
			fmt.Fprintf(e.stdout, "%s is demoted, the naive prediction answers: %s.\n", output.Printable(t.Name), t.Demoted)
		}
		if len(t.Why) > 0 {
			fmt.Fprintf(e.stdout, "%s did not pass: %s.\n", output.Printable(t.Name), strings.Join(t.Why, "; "))
		}
	}
	for _, t := range r.Targets {
		if len(t.Report.Calibration) == 0 {
			continue
		}
		var said, was []string
		for _, c := range t.Report.Calibration {
			said, was = append(said, fmt.Sprintf("%.2f", c.Said)), append(was, fmt.Sprintf("%.2f", c.Was))
		}
		fmt.Fprintf(e.stdout, "%s said  %s\n%s was   %s\n", output.Printable(t.Name), strings.Join(said, " "), strings.Repeat(" ", len([]rune(t.Name))), strings.Join(was, " "))
	}
	driftLine(e, "Drift of the rows judged on", heldOutDrift(r))
}

// heldOutDrift lists how the rows judged on differ from those learned from, the largest
// first.
func heldOutDrift(r models.Record) []models.Drift {
	var out []models.Drift
	if len(r.Targets) > 0 && len(r.Targets[0].Report.Drift) == len(r.Features) {
		for j, v := range r.Targets[0].Report.Drift {
			out = append(out, models.Drift{Feature: r.Features[j], PSI: v})
		}
	}
	slices.SortStableFunc(out, func(a, b models.Drift) int { return cmp.Compare(b.PSI, a.PSI) })
	return out
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", 1000*s)
	}
	return fmt.Sprintf("%.1f s", s)
}
