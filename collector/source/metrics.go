package source

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
)

// Endpoints of the API, also the values of the label endpoint.
const (
	opRange   = "query_range"
	opInstant = "query"
)

// metrics are the self metrics of one upstream.
type metrics struct {
	up, open         prometheus.Gauge
	requests         map[string]prometheus.Counter  // by endpoint
	duration         map[string]prometheus.Observer // by endpoint
	failures         *prometheus.CounterVec         // endpoint, reason
	bytes            prometheus.Observer
	partial, samples prometheus.Counter
}

// newMetrics registers the metrics with reg, if they are not there, and sets
// those of upstream name to zero.
func newMetrics(reg prometheus.Registerer, name string) *metrics {
	by := prometheus.Labels{"upstream": name}
	m := &metrics{
		up:       collector.NewGaugeVec(reg, "upid_upstream_up").With(by),
		open:     collector.NewGaugeVec(reg, "upid_upstream_circuit_open").With(by),
		failures: collector.NewCounterVec(reg, "upid_upstream_request_failures_total").MustCurryWith(by),
		bytes:    collector.NewHistogramVec(reg, "upid_upstream_response_bytes").With(by),
		partial:  collector.NewCounterVec(reg, "upid_upstream_partial_responses_total").With(by),
		samples:  collector.NewCounterVec(reg, "upid_upstream_samples_fetched_total").With(by),
		duration: map[string]prometheus.Observer{},
		requests: map[string]prometheus.Counter{},
	}
	requests := collector.NewCounterVec(reg, "upid_upstream_requests_total").MustCurryWith(by)
	duration := collector.NewHistogramVec(reg, "upid_upstream_request_duration_seconds").MustCurryWith(by)
	for _, op := range []string{opRange, opInstant} {
		m.requests[op] = requests.WithLabelValues(op)
		m.duration[op] = duration.WithLabelValues(op)
		for _, why := range Reasons {
			m.failures.WithLabelValues(op, why)
		}
	}
	return m
}
