//go:build unix

package presets_test

import (
	"testing"

	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/forecast/features"
)

// TestFeatureQueries asks a real Prometheus for every base that learned models are
// trained on, of a workload with the names and labels of cAdvisor, kube-state-metrics and
// OpenCost, and for the features made of them.
func TestFeatureQueries(t *testing.T) {
	h := &history{end: now()}
	const pod = `namespace="shop",pod="checkout-7d9f8b6c5d-x2k4p"`
	const app = pod + `,container="app"`
	h.add(`container_cpu_usage_seconds_total{`+app+`}`, counter(0.5))
	h.add(`container_cpu_usage_seconds_total{`+pod+`,container=""}`, counter(9))
	h.add(`container_memory_working_set_bytes{`+app+`}`, constant(3e8))
	h.add(`container_network_receive_bytes_total{`+pod+`,interface="eth0"}`, counter(1000))
	h.add(`container_network_transmit_bytes_total{`+pod+`,interface="eth0"}`, counter(500))
	h.add(`container_cpu_cfs_throttled_periods_total{`+app+`}`, counter(1))
	h.add(`container_cpu_cfs_periods_total{`+app+`}`, counter(10))
	h.add(`http_requests_total{`+pod+`,code="200"}`, counter(8))
	h.add(`http_requests_total{`+pod+`,code="500"}`, counter(2))
	h.add(`http_request_duration_seconds_sum{`+pod+`}`, counter(0.5))
	h.add(`http_request_duration_seconds_count{`+pod+`}`, counter(10))
	h.add(`login_attempts_total{`+pod+`,result="ok"}`, counter(3))
	h.add(`login_attempts_total{`+pod+`,result="failure"}`, counter(1))
	for resource, v := range map[string]float64{"cpu": 1, "memory": 1 << 30} {
		h.add(`kube_pod_container_resource_requests{`+app+`,resource="`+resource+`"}`, constant(v))
		h.add(`kube_pod_container_resource_limits{`+app+`,resource="`+resource+`"}`, constant(2*v))
	}
	h.add(`kube_pod_container_status_restarts_total{`+app+`}`, counter(0.001))
	h.add(`kube_pod_status_ready{`+pod+`,condition="true"}`, constant(1))
	h.add(`container_cpu_allocation{`+app+`,node="n1"}`, constant(2))
	h.add(`container_memory_allocation_bytes{`+app+`,node="n1"}`, constant(4<<30))
	h.add(`node_cpu_hourly_cost{node="n1"}`, constant(0.03))
	h.add(`node_ram_hourly_cost{node="n1"}`, constant(0.004))
	h.WriteString("# EOF\n")
	s := testserver.Prometheus(t, testserver.Options{OpenMetrics: h})

	const workload = `{namespace="shop", workload="checkout"}`
	const part = (2400 + 7.5) / 3600 // 40 minutes of an hour have samples, and half an interval is extrapolated
	want := map[string]float64{
		"cpu": 0.5 * part, "memory": 3e8, "network": 1500 * part, "requests": 10 * part, "errors": 2 * part, "cost": 2*0.03 + 4*0.004,
		"cpu_request": 1, "cpu_limit": 2, "memory_request": 1 << 30, "memory_limit": 2 << 30, "throttled": part, "periods": 10 * part,
		"restarts": 0.001 * part, "replicas": 1, "latency_sum": 0.5 * part, "latency_count": 10 * part, "cpu_price": 0.03, "memory_price": 0.004,
		"logins": 4 * part, "failed_logins": part,
	}
	for name, base := range features.Bases {
		if want[name] == 0 {
			t.Errorf("%s is not tested", name)
		}
		check(t, name, answer(t, s.URL, base.PromQL, h.end), map[string]float64{workload: want[name]})
	}
	// At the newest full hour, so that a subquery of whole hours has a point that is known.
	for _, typ := range features.Types {
		for _, f := range features.Of(typ).All() {
			for _, expr := range []string{f.PromQL(), f.HalfThere()} {
				if expr != "" {
					answer(t, s.URL, expr, h.end) // it fails the test on an error or a warning
				}
			}
		}
	}
}
