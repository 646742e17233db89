package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// A Line is what a query said about one series: Values[i] at Times[i], Unix
// milliseconds, ascending. Steps at which it said nothing are left out.
type Line struct {
	Labels labels.Labels
	Times  []int64
	Values []float64
}

// Range evaluates expr at start, start+step, …, up to end, in Unix milliseconds. What
// it returns is the caller's. Histograms are an error. It returns when ctx is done.
func (e *Engine) Range(ctx context.Context, expr string, start, end, step int64) ([]Line, error) {
	q, err := e.promql.NewRangeQuery(ctx, e.db, promql.NewPrometheusQueryOpts(false, 0), expr, time.UnixMilli(start), time.UnixMilli(end), time.Duration(step)*time.Millisecond)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", expr, err)
	}
	out := make([]Line, 0, len(m))
	for _, s := range m {
		if len(s.Histograms) > 0 {
			return nil, fmt.Errorf("query %q: %s is a histogram", expr, s.Metric)
		}
		l := Line{Labels: s.Metric.Copy(), Times: make([]int64, len(s.Floats)), Values: make([]float64, len(s.Floats))}
		for i, p := range s.Floats {
			l.Times[i], l.Values[i] = p.T, p.F
		}
		out = append(out, l)
	}
	return out, nil
}
