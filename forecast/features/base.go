package features

// Base is a quantity of a workload, from which features are made.
type Base struct {
	Unit   string
	PromQL string // its mean over the last hour, by cluster, namespace and workload
}

// EntityLabels name a workload.
var EntityLabels = []string{"cluster", "namespace", "workload"}

// podName matches the name of a pod and captures that of its workload, as in the
// preset workloads.
const podName = `(.+?)(-([bcdfghjklmnpqrstvwxz2456789]{6,10}-|[0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?`

// workload sums or averages expr by workload.
func workload(aggregate, expr string) string {
	return aggregate + ` by (cluster, namespace, workload) (label_replace(` + expr + `, "workload", "$1", "pod", "` + podName + `"))`
}

const (
	container = `{container!="",container!="POD"}`
	requests  = `rate(http_requests_total{pod!=""}[1h])`
	failed    = `rate(http_requests_total{pod!="",code=~"5.."}[1h]) or rate(http_requests_total{pod!="",status=~"5.."}[1h])`
)

// Bases are the quantities by name. CPU, memory and network are the kubelet's
// (cAdvisor), requests those of the instrumented program, cost OpenCost's.
// Failures are 0, not missing, where there are requests and none failed.
var Bases = map[string]Base{
	"cpu":      {"cores", workload("sum", "rate(container_cpu_usage_seconds_total"+container+"[1h])")},
	"memory":   {"bytes", workload("sum", "avg_over_time(container_memory_working_set_bytes"+container+"[1h])")},
	"network":  {"bytes/s", workload("sum", `rate(container_network_receive_bytes_total{pod!="",interface!="lo"}[1h]) + rate(container_network_transmit_bytes_total{pod!="",interface!="lo"}[1h])`)},
	"requests": {"requests/s", workload("sum", requests)},
	"errors":   {"requests/s", workload("sum", failed) + " or 0 * " + workload("sum", requests)},
	"cost": {"currency/h", workload("sum", `max by (cluster, namespace, pod, container, node) (avg_over_time(container_cpu_allocation[1h])) * on (cluster, node) group_left () max by (cluster, node) (avg_over_time(node_cpu_hourly_cost[1h]))`+
		` + max by (cluster, namespace, pod, container, node) (avg_over_time(container_memory_allocation_bytes[1h])) / 2^30 * on (cluster, node) group_left () max by (cluster, node) (avg_over_time(node_ram_hourly_cost[1h]))`)},

	"cpu_request":    {"cores", workload("sum", `avg_over_time(kube_pod_container_resource_requests{resource="cpu"}[1h])`)},
	"cpu_limit":      {"cores", workload("sum", `avg_over_time(kube_pod_container_resource_limits{resource="cpu"}[1h])`)},
	"memory_request": {"bytes", workload("sum", `avg_over_time(kube_pod_container_resource_requests{resource="memory"}[1h])`)},
	"memory_limit":   {"bytes", workload("sum", `avg_over_time(kube_pod_container_resource_limits{resource="memory"}[1h])`)},
	"throttled":      {"periods/s", workload("sum", "rate(container_cpu_cfs_throttled_periods_total"+container+"[1h])")},
	"periods":        {"periods/s", workload("sum", "rate(container_cpu_cfs_periods_total"+container+"[1h])")},
	"restarts":       {"restarts/s", workload("sum", "rate(kube_pod_container_status_restarts_total[1h])")},
	"replicas":       {"pods", workload("sum", `avg_over_time(kube_pod_status_ready{condition="true"}[1h])`)},
	"latency_sum":    {"s/s", workload("sum", `rate(http_request_duration_seconds_sum{pod!=""}[1h])`)},
	"latency_count":  {"requests/s", workload("sum", `rate(http_request_duration_seconds_count{pod!=""}[1h])`)},
	"cpu_price":      {"currency/core/h", workload("avg", `max by (cluster, namespace, pod, node) (container_cpu_allocation) * 0 + on (cluster, node) group_left () max by (cluster, node) (avg_over_time(node_cpu_hourly_cost[1h]))`)},
	"memory_price":   {"currency/GiB/h", workload("avg", `max by (cluster, namespace, pod, node) (container_memory_allocation_bytes) * 0 + on (cluster, node) group_left () max by (cluster, node) (avg_over_time(node_ram_hourly_cost[1h]))`)},
	"logins":         {"log-ins/s", workload("sum", `rate(login_attempts_total{pod!=""}[1h])`)},
	"failed_logins":  {"log-ins/s", workload("sum", `rate(login_attempts_total{pod!="",result=~"fail.*|error|denied"}[1h])`) + " or 0 * " + workload("sum", `rate(login_attempts_total{pod!=""}[1h])`)},
}
