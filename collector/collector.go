package collector

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/series"
)

// Options configure a Collector.
type Options struct {
	Registry     *prometheus.Registry // private; its metrics follow the results. nil is an empty one
	MaxSeries    int                  // result series exported at most; 0 is 100,000
	ModelVersion string               // version label of upid_model_info, that of the build
	Logger       *slog.Logger         // nil discards
}

// Collector is a pipeline.Sink and the handler of /metrics.
type Collector struct {
	opts Options
}

// New returns a Collector without results.
func New(o Options) *Collector { return &Collector{opts: o} }

// Write renders the results of a task and replaces its earlier ones.
func (c *Collector) Write(ctx context.Context, task string, slot int64, rs []series.Result) error {
	return ctx.Err()
}

// Drop forgets the results of a task.
func (c *Collector) Drop(task string) {}

// SetAlertBudget sets upid_alert_budget_ratio of a signal of a task; NaN removes
// it.
func (c *Collector) SetAlertBudget(task, signal string, ratio float64) {}

// ServeHTTP writes one consistent snapshot of all results, then the self metrics.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// HorizonLabel returns d in the largest exact unit of d, h and m.
func HorizonLabel(d time.Duration) string { return d.String() }
