package collector

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
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

// register registers c with reg, or returns the equal collector that is there
// already: two packages may count under one name, as long as both take it from
// Metrics. It panics on any other refusal, which is a mistake in the program.
func register[T prometheus.Collector](reg prometheus.Registerer, c T) T {
	err := reg.Register(c)
	if err == nil {
		return c
	}
	if there, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if old, ok := there.ExistingCollector.(T); ok {
			return old
		}
	}
	panic(fmt.Sprintf("collector: register: %v", err))
}

// NewCounterVec registers the counter called name of Metrics with reg, or
// returns the one that is registered.
func NewCounterVec(reg prometheus.Registerer, name string) *prometheus.CounterVec {
	m := find(name, Counter)
	return register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.Name, Help: m.Help}, m.Labels))
}

// NewGaugeVec registers the gauge called name of Metrics with reg, or returns
// the one that is registered.
func NewGaugeVec(reg prometheus.Registerer, name string) *prometheus.GaugeVec {
	m := find(name, Gauge)
	return register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, m.Labels))
}

// NewHistogramVec registers the histogram called name of Metrics with reg, with
// classic and native buckets, or returns the one that is registered.
func NewHistogramVec(reg prometheus.Registerer, name string) *prometheus.HistogramVec {
	m := find(name, Histogram)
	return register(reg, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: m.Name, Help: m.Help, Buckets: buckets[m.Name],
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
	}, m.Labels))
}

// NewGaugeFunc registers the gauge called name of Metrics, read from f at each
// scrape. It panics if there is one already: f would never be asked.
func NewGaugeFunc(reg prometheus.Registerer, name string, f func() float64) {
	m := find(name, Gauge)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: m.Name, Help: m.Help}, f))
}

// Info is a gauge that is 1 for each of a set of label values, which changes as a
// whole: a scrape sees the old set or the new one.
type Info struct {
	desc *prometheus.Desc
	set  atomic.Pointer[[]prometheus.Metric]
}

// NewInfo registers the gauge called name of Metrics with reg, without values. It
// panics if there is one already.
func NewInfo(reg prometheus.Registerer, name string) *Info {
	m := find(name, Gauge)
	i := &Info{desc: prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)}
	i.Set(nil)
	reg.MustRegister(i)
	return i
}

// Set replaces the label values, each in the order of the metric's labels. It
// panics if their number is another or one of them is not UTF-8.
func (i *Info) Set(values [][]string) {
	ones := make([]float64, len(values))
	for k := range ones {
		ones[k] = 1
	}
	i.Put(values, ones)
}

// Put is Set with a number for each set of label values.
func (i *Info) Put(values [][]string, numbers []float64) {
	set := make([]prometheus.Metric, len(values))
	for k, v := range values {
		set[k] = prometheus.MustNewConstMetric(i.desc, prometheus.GaugeValue, numbers[k], v...)
	}
	i.set.Store(&set)
}

// Describe implements prometheus.Collector.
func (i *Info) Describe(ch chan<- *prometheus.Desc) { ch <- i.desc }

// Collect implements prometheus.Collector.
func (i *Info) Collect(ch chan<- prometheus.Metric) {
	for _, m := range *i.set.Load() {
		ch <- m
	}
}

// Build says what the running binary was built from.
type Build struct {
	Version, Revision, Branch string
}

// NewRegistry returns a private registry with the standard go_ and process_
// metrics and upid_build_info.
func NewRegistry(b Build) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	NewGaugeVec(reg, "upid_build_info").
		WithLabelValues(b.Version, b.Revision, b.Branch, runtime.Version(), runtime.GOOS, runtime.GOARCH).Set(1)
	return reg
}
