package pipeline

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
)

// metrics are the pipeline's own: what it did, and what it did not do.
type metrics struct {
	heartbeat                         prometheus.Gauge
	runs, failures, skipped           *prometheus.CounterVec
	dropped, panics                   *prometheus.CounterVec
	seriesDropped, samplesIgnored     *prometheus.CounterVec
	stage                             *prometheus.HistogramVec
	lastSuccess, lastDuration, period *prometheus.GaugeVec
	saves, loads                      prometheus.Counter
	saveFailures, rebuilds            *prometheus.CounterVec
	saveDuration                      prometheus.Observer
	lastSave                          prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, q *queue) *metrics {
	m := &metrics{
		heartbeat:      collector.NewGaugeVec(reg, "upid_scheduler_last_heartbeat_timestamp_seconds").WithLabelValues(),
		runs:           collector.NewCounterVec(reg, "upid_signal_runs_total"),
		failures:       collector.NewCounterVec(reg, "upid_signal_run_failures_total"),
		skipped:        collector.NewCounterVec(reg, "upid_signal_runs_skipped_total"),
		dropped:        collector.NewCounterVec(reg, "upid_work_dropped_total"),
		panics:         collector.NewCounterVec(reg, "upid_panics_recovered_total"),
		seriesDropped:  collector.NewCounterVec(reg, "upid_series_dropped_total"),
		samplesIgnored: collector.NewCounterVec(reg, "upid_samples_ignored_total"),
		stage:          collector.NewHistogramVec(reg, "upid_signal_run_duration_seconds"),
		lastSuccess:    collector.NewGaugeVec(reg, "upid_signal_last_success_timestamp_seconds"),
		lastDuration:   collector.NewGaugeVec(reg, "upid_signal_last_run_duration_seconds"),
		period:         collector.NewGaugeVec(reg, "upid_signal_interval_seconds"),
		saves:          collector.NewCounterVec(reg, "upid_model_saves_total").WithLabelValues(),
		saveFailures:   collector.NewCounterVec(reg, "upid_model_save_failures_total"),
		saveDuration:   collector.NewHistogramVec(reg, "upid_model_save_duration_seconds").WithLabelValues(),
		lastSave:       collector.NewGaugeVec(reg, "upid_model_last_save_success_timestamp_seconds").WithLabelValues(),
		loads:          collector.NewCounterVec(reg, "upid_state_loads_total").WithLabelValues(),
		rebuilds:       collector.NewCounterVec(reg, "upid_state_rebuilds_total"),
	}
	m.saveFailures.WithLabelValues("disk_full")
	m.rebuilds.WithLabelValues("checkpoint", "damaged")
	m.dropped.WithLabelValues("queue_full")
	m.panics.WithLabelValues("unit")
	collector.NewGaugeFunc(reg, "upid_work_queue_length", func() float64 { n, _ := q.stats(); return float64(n) })
	collector.NewGaugeFunc(reg, "upid_work_queue_capacity", func() float64 { _, c := q.stats(); return float64(c) })
	return m
}

// add starts a task's counters at zero.
func (m *metrics) add(t *Task) {
	for _, pass := range []Pass{Fit, Score} {
		m.runs.WithLabelValues(t.Name, string(pass))
		m.period.WithLabelValues(t.Name, string(pass)).Set(t.every(pass).Seconds())
	}
	m.skipped.WithLabelValues(t.Name, "overrun")
	m.skipped.WithLabelValues(t.Name, "parked")
	m.seriesDropped.WithLabelValues(t.Name, "limit")
}

// remove deletes everything that speaks of a removed task.
func (m *metrics) remove(task string) {
	l := prometheus.Labels{"signal": task}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		m.runs, m.failures, m.skipped, m.seriesDropped, m.samplesIgnored, m.lastSuccess, m.lastDuration, m.period,
	} {
		v.DeletePartialMatch(l)
	}
}

func (m *metrics) skip(task, why string, n int64) {
	if n > 0 {
		m.skipped.WithLabelValues(task, why).Add(float64(n))
	}
}

// finish records the outcome of a pass. One that a commit overtook did not fail:
// the pass after the commit takes its points.
func (m *metrics) finish(task string, pass Pass, took time.Duration, err error, now time.Time) {
	m.runs.WithLabelValues(task, string(pass)).Inc()
	m.lastDuration.WithLabelValues(task, string(pass)).Set(took.Seconds())
	switch {
	case errors.Is(err, errMoved):
	case err != nil:
		m.failures.WithLabelValues(task, string(pass), reason(err)).Inc()
	default:
		m.lastSuccess.WithLabelValues(task, string(pass)).Set(float64(now.UnixMilli()) / 1000)
	}
}

// ignored counts what the source left out of an answer.
func (m *metrics) ignored(task string, d series.Data) {
	for why, n := range d.Dropped {
		m.seriesDropped.WithLabelValues(task, why).Add(float64(n))
	}
	for why, n := range d.Ignored {
		m.samplesIgnored.WithLabelValues(task, why).Add(float64(n))
	}
}
