package collector

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets are the classic histogram buckets by metric; others take
// prometheus.DefBuckets (5 ms to 10 s).
var buckets = map[string][]float64{
	"upid_signal_run_duration_seconds": prometheus.ExponentialBuckets(0.001, 4, 10), // 1 ms to 4.4 min
	"upid_upstream_response_bytes":     prometheus.ExponentialBuckets(1024, 8, 7),   // 1 KiB to 256 MiB
}

// find returns the row of the self metric called name. It panics if there is
// none or it is of another kind: metrics exist in the table or not at all.
func find(name string, kind Kind) Metric {
	for _, m := range Metrics {
		if m.Name == name && m.Kind == kind && m.Scope == Self {
			return m
		}
	}
	panic(fmt.Sprintf("collector: no %s %q in Metrics", kind, name))
}

// NewCounterVec registers the counter called name of Metrics with reg.
func NewCounterVec(reg prometheus.Registerer, name string) *prometheus.CounterVec {
	m := find(name, Counter)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels)
	reg.MustRegister(v)
	return v
}

// NewGaugeVec registers the gauge called name of Metrics with reg.
func NewGaugeVec(reg prometheus.Registerer, name string) *prometheus.GaugeVec {
	m := find(name, Gauge)
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels)
	reg.MustRegister(v)
	return v
}

// NewHistogramVec registers the histogram called name of Metrics with reg, with
// classic and native buckets.
func NewHistogramVec(reg prometheus.Registerer, name string) *prometheus.HistogramVec {
	m := find(name, Histogram)
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: buckets[m.Name],
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
	}, m.Labels)
	reg.MustRegister(v)
	return v
}

// NewGaugeFunc registers the gauge called name of Metrics, read from f at each
// scrape.
func NewGaugeFunc(reg prometheus.Registerer, name string, f func() float64) {
	m := find(name, Gauge)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, f))
}
