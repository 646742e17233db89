package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
)

// Why an alert was never posted.
const (
	dropQueueFull = "queue_full" // the oldest in a full queue
	dropRejected  = "rejected"   // the Alertmanager refused this very alert
	dropShutdown  = "shutdown"   // still queued when the time to drain was over
	dropInvalid   = "invalid"    // its labels cannot be posted
	dropDuplicate = "duplicate"  // another finding has the same labels
)

var dropReasons = []string{dropQueueFull, dropRejected, dropShutdown, dropInvalid, dropDuplicate}

// The states of upid_alerts. A pending alert is the life cycle's own business
// and is not known here.
const (
	stateFiring     = "firing"
	stateSuppressed = "suppressed" // beyond MaxActivePerSignal
)

type metrics struct {
	sent, errors, dropped                *prometheus.CounterVec
	latency                              *prometheus.HistogramVec
	length, capacity, lastSuccess, known *prometheus.GaugeVec
	alerts                               *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		sent:        collector.NewCounterVec(reg, "upid_notifications_sent_total"),
		errors:      collector.NewCounterVec(reg, "upid_notifications_errors_total"),
		dropped:     collector.NewCounterVec(reg, "upid_notifications_dropped_total"),
		latency:     collector.NewHistogramVec(reg, "upid_notifications_latency_seconds"),
		length:      collector.NewGaugeVec(reg, "upid_notifications_queue_length"),
		capacity:    collector.NewGaugeVec(reg, "upid_notifications_queue_capacity"),
		lastSuccess: collector.NewGaugeVec(reg, "upid_notifications_last_success_timestamp_seconds"),
		known:       collector.NewGaugeVec(reg, "upid_notifications_alertmanagers_discovered"),
		alerts:      collector.NewGaugeVec(reg, "upid_alerts"),
	}
}

// add starts the metrics of an Alertmanager at zero. The time of the last
// success has no zero: it is absent until there was one.
func (m *metrics) add(url string, capacity int) {
	m.sent.WithLabelValues(url)
	m.errors.WithLabelValues(url)
	for _, r := range dropReasons {
		m.dropped.WithLabelValues(url, r)
	}
	m.latency.WithLabelValues(url)
	m.length.WithLabelValues(url).Set(0)
	m.capacity.WithLabelValues(url).Set(float64(capacity))
}

func (m *metrics) remove(url string) {
	l := prometheus.Labels{"alertmanager": url}
	m.sent.DeletePartialMatch(l)
	m.errors.DeletePartialMatch(l)
	m.dropped.DeletePartialMatch(l)
	m.latency.DeletePartialMatch(l)
	m.length.DeletePartialMatch(l)
	m.capacity.DeletePartialMatch(l)
	m.lastSuccess.DeletePartialMatch(l)
}

func (m *metrics) setAlerts(signal string, firing, suppressed int) {
	m.alerts.WithLabelValues(signal, stateFiring).Set(float64(firing))
	m.alerts.WithLabelValues(signal, stateSuppressed).Set(float64(suppressed))
}

func (m *metrics) removeAlerts(signal string) {
	m.alerts.DeletePartialMatch(prometheus.Labels{"signal": signal})
}
