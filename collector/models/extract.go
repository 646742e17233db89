package models

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/features"
)

// Querier answers range queries, all times in Unix milliseconds.
type Querier interface {
	Query(ctx context.Context, expr string, from, to, step int64) (series.Data, error)
}

// Extraction says which rows to make from a Prometheus.
type Extraction struct {
	ModelType string
	From, To  int64         // of the rows and their targets, Unix milliseconds
	Every     time.Duration // between rows of one workload, whole hours
	Location  *time.Location
	Progress  func(done, of int)                                    // queries, all of them once their answers are there; nil tells nobody
	Limits    Limits                                                // of the rows; their cells bound the hourly means as well. The zero value: those of files
	Excluded  func(signal string, ls labels.Labels) []feedback.Span // when a workload is not learned from; nil: nothing is
	Open      bool                                                  // also rows whose targets are not known yet
}

// ErrNoRows says that a server has nothing to make rows from.
var ErrNoRows = errors.New("no rows can be made")

// longestWindow is how far features look back.
const longestWindow = 30 * 24 * time.Hour

const hour = int64(time.Hour / time.Millisecond)

// Extract makes rows of the features of a model type from the hourly means of each
// workload, and their targets from what came after. A base that the server does not know
// leaves its features missing; an answer that is incomplete is an error. Memory: eight
// bytes for each workload, base and hour.
func Extract(ctx context.Context, q Querier, x Extraction) (*Rows, error) {
	table := features.Of(x.ModelType)
	bases := table.BaseNames()
	if len(bases) == 0 {
		return nil, fmt.Errorf("%w: %s is learned from labelled rows; give them with --training-data", ErrNoRows, x.ModelType)
	}
	if x.Limits == (Limits{}) {
		x.Limits = fileLimits
	}
	workloads, samples := map[string]features.History{}, 0
	from, to := x.From/hour*hour-longestWindow.Milliseconds(), x.To/hour*hour
	for k, name := range bases {
		if x.Progress != nil {
			x.Progress(k, len(bases))
		}
		data, err := q.Query(ctx, features.Bases[name].PromQL, from, to, hour)
		if err != nil {
			return nil, fmt.Errorf("hourly means of %s: %w", name, err)
		}
		if data.Partial {
			return nil, fmt.Errorf("hourly means of %s: the answer is incomplete: %s", name, strings.Join(data.Warnings, "; "))
		}
		for _, y := range data.Series {
			if samples += len(y.Values); samples > x.Limits.Cells {
				return nil, fmt.Errorf("%w: there are more than %d hourly means: ask for a shorter time with a shorter lookback, or spread the workloads over several upid", ErrNoRows, x.Limits.Cells)
			}
			var id []string
			for _, l := range features.EntityLabels {
				id = append(id, y.Labels.Get(l))
			}
			key := strings.Join(id, "\xff")
			if workloads[key] == nil {
				workloads[key] = features.History{}
			}
			if x.Excluded != nil {
				leaveOut(&y, x.Excluded("", y.Labels))
			}
			workloads[key][name] = y
		}
	}
	if x.Progress != nil {
		x.Progress(len(bases), len(bases))
	}
	if len(workloads) == 0 {
		return nil, fmt.Errorf("%w: the server knows none of %s of any workload; are cAdvisor, kube-state-metrics and OpenCost scraped?", ErrNoRows, strings.Join(bases, ", "))
	}
	rows := newRows(x.Limits)
	fs := table.All()
	every := x.Every.Milliseconds()
	for t := (x.From + every - 1) / every * every; t <= to; t += every { // the same hours of the day whenever it is asked
		for _, key := range slices.Sorted(maps.Keys(workloads)) {
			if err := rows.extracted(table, fs, workloads[key], t, to, &x, key); err != nil {
				return nil, err
			}
		}
	}
	if rows.N == 0 {
		return nil, fmt.Errorf("%w: no workload has a day of history", ErrNoRows)
	}
	return rows, nil
}

// leaveOut makes gaps of the hours of y that lie in spans, also in part.
func leaveOut(y *series.Series, spans []feedback.Span) {
	if len(spans) == 0 {
		return
	}
	y.Values = slices.Clone(y.Values)
	for i := range y.Values {
		at := y.At(i) // the mean of the hour before
		if slices.ContainsFunc(spans, func(s feedback.Span) bool { return at > s.From && at-hour < s.To }) {
			y.Values[i] = math.NaN()
		}
	}
}

// extracted appends the row of a workload at t, if anything measured is known of it and,
// where there are targets and x.Open is not set, one of them is.
func (r *Rows) extracted(table features.Table, fs []features.Feature, h features.History, t, to int64, x *Extraction, workload string) error {
	values, measured := features.Compute(fs, h, t, x.Location), false
	for i, v := range values {
		measured = measured || fs[i].Base != "" && !math.IsNaN(v.Value)
	}
	targets := make([]float64, len(table.Targets))
	known := len(targets) == 0 || x.Open
	for i, g := range table.Targets {
		targets[i] = math.NaN()
		if t+g.Until.Milliseconds() <= to { // else what is known of it would stand for the whole
			targets[i] = g.Compute(h, t).Value
		}
		known = known || !math.IsNaN(targets[i])
	}
	if !measured || !known {
		return nil
	}
	if err := r.begin(); err != nil {
		return err
	}
	r.Times[r.N-1] = t
	r.workloads = append(r.workloads, workload)
	for i, v := range values {
		if math.IsNaN(v.Value) {
			continue // a feature that is never there is no feature
		}
		if err := r.set(&r.Features, r.feature, &r.Columns, fs[i].Name, v.Value); err != nil {
			return err
		}
	}
	for i, v := range targets {
		if math.IsNaN(v) {
			continue
		}
		if err := r.set(&r.Targets, r.target, &r.Values, table.Targets[i].Name, v); err != nil {
			return err
		}
	}
	return nil
}
