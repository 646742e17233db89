package presets

// AdviceQuery is one input of capacity, cost and recommendations.
type AdviceQuery struct {
	Name   string
	Task   string // capacity, costs, recommendations or sizing
	Newest bool   // of sizing: only the newest point is asked for
	Source string // the exporter whose metrics it reads
	Query  string // PromQL
}

// The tasks of AdviceQueries.
const (
	TaskCapacity        = "capacity"
	TaskCosts           = "costs"
	TaskRecommendations = "recommendations"
	TaskSizing          = "sizing"
)

// WorkloadOf is the expression that names the workload of a pod, as in the preset
// workloads: the pod's name without what its controller added.
const WorkloadOf = `"workload", "$1", "pod", "(.+?)(-([bcdfghjklmnpqrstvwxz2456789]{6,10}-|[0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?"`

// disks leaves out what is no disk of its own.
const disks = `fstype!~"tmpfs|devtmpfs|overlay|squashfs|iso9660|ramfs|autofs|nsfs|fuse.*",mountpoint!~"/var/lib/(docker|containerd|kubelet)/.*|/run/.*"`

// ended are pods that ask for nothing any more.
const ended = `unless on (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{phase=~"Succeeded|Failed"}) == 1)`

// gpuPriced is what the GPUs of each container cost an hour.
const gpuPriced = `max by (cluster, namespace, pod, container, node) (container_gpu_allocation) * on (cluster, node) group_left () max by (cluster, node) (node_gpu_hourly_cost)`

// priced is what each container costs an hour, with its GPUs if it has any.
const priced = `(` + corePriced + ` + (` + gpuPriced + `) or ` + corePriced + `)`

// corePriced is what CPU and memory of each container cost an hour.
const corePriced = `max by (cluster, namespace, pod, container, node) (container_cpu_allocation) * on (cluster, node) group_left () max by (cluster, node) (node_cpu_hourly_cost) + max by (cluster, namespace, pod, container, node) (container_memory_allocation_bytes) / 2^30 * on (cluster, node) group_left () max by (cluster, node) (node_ram_hourly_cost)`

// onGPU is a metric of dcgm-exporter by the pod that has the GPU: where the labels of the scrape were
// kept, those of the exporter's samples are called exported_.
func onGPU(expr string) string {
	return `label_replace(label_replace(label_replace(` + expr + `, "pod", "$1", "exported_pod", "(.+)"), "namespace", "$1", "exported_namespace", "(.+)"), "container", "$1", "exported_container", "(.+)")`
}

// byGPU combines what GPUs say by container of a workload.
func byGPU(with, expr string) string {
	return with + ` by (cluster, namespace, workload, container) (label_replace(` + onGPU(expr) + `, ` + WorkloadOf + `))`
}

// gpuRequests are the GPUs that each container of a pod asks for.
const gpuRequests = `max by (cluster, namespace, pod, container) (kube_pod_container_resource_requests{resource="nvidia_com_gpu"} ` + ended + `)`

// young are the containers that started within ten minutes: five, and the window of their rate.
const young = `time() - container_start_time_seconds{container!="",container!="POD"} < 600`

// ofContainers is the highest of the pods of each container of a workload.
func ofContainers(expr string) string {
	return `max by (cluster, namespace, workload, container) (label_replace(` + expr + `, ` + WorkloadOf + `))`
}

// named are the objects of a kind, as workloads.
func named(metric, label, kind string) string {
	return `label_replace(label_replace(` + metric + `, "workload", "$1", "` + label + `", "(.+)"), "owner_kind", "` + kind + `", "", "")`
}

// autoscaled are the workloads with an autoscaler of the use of a resource, and its target in per cent.
func autoscaled(resource string) string {
	return `max by (cluster, namespace, workload, horizontalpodautoscaler) (label_replace(kube_horizontalpodautoscaler_info{scaletargetref_name!=""}, "workload", "$1", "scaletargetref_name", "(.+)") * on (cluster, namespace, horizontalpodautoscaler) group_left () max by (cluster, namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_target_metric{metric_name="` + resource + `",metric_target_type="utilization"}))`
}

// bounded are the workloads with an autoscaler, and its least or most replicas.
func bounded(which string) string {
	return `max by (cluster, namespace, workload, horizontalpodautoscaler) (label_replace(kube_horizontalpodautoscaler_info{scaletargetref_name!=""}, "workload", "$1", "scaletargetref_name", "(.+)") * on (cluster, namespace, horizontalpodautoscaler) group_left () max by (cluster, namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_` + which + `_replicas))`
}

// AdviceQueries lists them. An answer of a pair, such as disk_used and disk_size, has the
// same labels in both. What an hour held is asked for at its end: the highest use, the
// lowest memory.
var AdviceQueries = []AdviceQuery{
	{"disk_used", TaskCapacity, false, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_size_bytes{` + disks + `} - min_over_time(node_filesystem_avail_bytes{` + disks + `}[1h]))`},
	{"disk_size", TaskCapacity, false, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_size_bytes{` + disks + `})`},
	{"inodes_used", TaskCapacity, false, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_files{` + disks + `} - min_over_time(node_filesystem_files_free{` + disks + `}[1h])) > 0`},
	{"inodes", TaskCapacity, false, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_files{` + disks + `}) > 0`},
	{"pvc_used", TaskCapacity, false, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (max_over_time(kubelet_volume_stats_used_bytes[1h]))`},
	{"pvc_size", TaskCapacity, false, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes)`},
	{"pvc_inodes_used", TaskCapacity, false, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (max_over_time(kubelet_volume_stats_inodes_used[1h]))`},
	{"pvc_inodes", TaskCapacity, false, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes) > 0`},
	{"requested", TaskCapacity, false, "kube-state-metrics", `sum by (cluster, resource) (kube_pod_container_resource_requests{resource=~"cpu|memory"} ` + ended + `)`},
	// The largest node may fail where there are three or more.
	{"allocatable", TaskCapacity, false, "kube-state-metrics", `sum by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) - (max by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) and count by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) > 2) or sum by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"})`},
	{"quota_used", TaskCapacity, false, "kube-state-metrics", `max by (cluster, namespace, resourcequota, resource) (kube_resourcequota{type="used"})`},
	{"quota_hard", TaskCapacity, false, "kube-state-metrics", `max by (cluster, namespace, resourcequota, resource) (kube_resourcequota{type="hard"}) > 0`},
	{"pods_used", TaskCapacity, false, "kube-state-metrics", `count by (cluster) (kube_pod_info{node!=""} ` + ended + `)`},
	{"pods_limit", TaskCapacity, false, "kube-state-metrics", `sum by (cluster) (kube_node_status_allocatable{resource="pods"})`},
	{"ips_used", TaskCapacity, false, "aws-vpc-cni", `sum by (cluster) (awscni_assigned_ip_addresses)`},
	{"ips_limit", TaskCapacity, false, "aws-vpc-cni", `sum by (cluster) (awscni_ip_max)`},
	{"scrape_samples", TaskCapacity, false, "prometheus", `max by (job) (scrape_samples_post_metric_relabeling)`},
	{"scrape_limit", TaskCapacity, false, "prometheus", `max by (job) (scrape_sample_limit) > 0`},
	{"certificate_left", TaskCapacity, false, "cert-manager, blackbox_exporter", `min by (cluster, namespace, name) (certmanager_certificate_expiration_timestamp_seconds) - time() or min by (instance) (probe_ssl_earliest_cert_expiry) - time()`},
	{"memory_floor", TaskCapacity, false, "cAdvisor", `max by (cluster, namespace, pod, container) (min_over_time(container_memory_working_set_bytes{container!="",container!="POD"}[1h]))`},
	{"memory_limit", TaskCapacity, false, "kube-state-metrics", `max by (cluster, namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})`},

	// Cores and GiB allocated at the price of their node; none of a workload with a container that has no price.
	{"workload_cost", TaskCosts, false, "OpenCost", `sum by (cluster, namespace, workload) (label_replace(` + priced + `, ` + WorkloadOf + `)) unless on (cluster, namespace, workload) label_replace((container_cpu_allocation or container_memory_allocation_bytes) unless on (cluster, namespace, pod, container, node) (container_cpu_allocation and on (cluster, namespace, pod, container, node) container_memory_allocation_bytes and on (cluster, node) node_cpu_hourly_cost and on (cluster, node) node_ram_hourly_cost), ` + WorkloadOf + `)`},
	{"workload_cpu_allocation", TaskCosts, false, "OpenCost", `sum by (cluster, namespace, workload) (label_replace(max by (cluster, namespace, pod, container, node) (container_cpu_allocation), ` + WorkloadOf + `))`},
	{"workload_memory_allocation", TaskCosts, false, "OpenCost", `sum by (cluster, namespace, workload) (label_replace(max by (cluster, namespace, pod, container, node) (container_memory_allocation_bytes), ` + WorkloadOf + `))`},
	{"workload_cpu_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, workload) (label_replace(max by (cluster, namespace, pod, container) (kube_pod_container_resource_requests{resource="cpu"} ` + ended + `), ` + WorkloadOf + `))`},
	{"workload_memory_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, workload) (label_replace(max by (cluster, namespace, pod, container) (kube_pod_container_resource_requests{resource="memory"} ` + ended + `), ` + WorkloadOf + `))`},
	{"workload_cpu", TaskCosts, false, "cAdvisor", `sum by (cluster, namespace, workload) (label_replace(rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[1h]), ` + WorkloadOf + `))`},
	{"workload_network", TaskCosts, false, "cAdvisor", `sum by (cluster, namespace, workload) (label_replace(rate(container_network_receive_bytes_total{pod!="",interface!="lo"}[1h]) + rate(container_network_transmit_bytes_total{pod!="",interface!="lo"}[1h]), ` + WorkloadOf + `))`},
	{"workload_replicas", TaskCosts, false, "cAdvisor", `count by (cluster, namespace, workload) (label_replace(count by (cluster, namespace, pod) (container_memory_working_set_bytes{container!="",container!="POD"}), ` + WorkloadOf + `))`},
	{"workload_owner", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, workload, owner_kind) (label_replace(kube_pod_owner{owner_is_controller="true"}, ` + WorkloadOf + `))`},
	{"workload_guarded", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, workload) (label_replace(kube_poddisruptionbudget_status_expected_pods > 0, "workload", "$1", "poddisruptionbudget", "(.+?)(-pdb)?"))`},
	{"workload_hpa", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, workload) (label_replace(kube_horizontalpodautoscaler_info{scaletargetref_name!=""}, "workload", "$1", "scaletargetref_name", "(.+)"))`},
	{"workload_hpa_cpu", TaskCosts, false, "kube-state-metrics", autoscaled("cpu") + ` / 100`},
	{"workload_hpa_min", TaskCosts, false, "kube-state-metrics", bounded("min")},
	{"workload_hpa_max", TaskCosts, false, "kube-state-metrics", bounded("max")},
	{"workload_spot", TaskCosts, false, "OpenCost", `max by (cluster, namespace, workload) (label_replace(container_cpu_allocation, ` + WorkloadOf + `) * on (cluster, node) group_left () kubecost_node_is_spot) > 0`},
	{"gpu_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, workload, container) (label_replace(` + gpuRequests + `, ` + WorkloadOf + `))`},
	{"gpu_pods", TaskCosts, false, "kube-state-metrics", `count by (cluster, namespace, workload, container) (label_replace(` + gpuRequests + ` > 0, ` + WorkloadOf + `))`},
	{"gpu_used", TaskCosts, false, "dcgm-exporter", byGPU("sum", `avg_over_time(DCGM_FI_DEV_GPU_UTIL[1h])`) + ` / 100`},
	{"gpu_peak", TaskCosts, false, "dcgm-exporter", byGPU("max", `max_over_time(DCGM_FI_DEV_GPU_UTIL[1h])`) + ` / 100`},
	{"gpu_seen", TaskCosts, false, "dcgm-exporter", byGPU("count", `DCGM_FI_DEV_GPU_UTIL`)},
	{"gpu_memory", TaskCosts, false, "dcgm-exporter", byGPU("sum", `max_over_time(DCGM_FI_DEV_FB_USED[1h]) / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)`)},
	{"gpu_price", TaskCosts, false, "OpenCost", `avg by (cluster) (node_gpu_hourly_cost > 0)`},
	{"node_gpu", TaskCosts, false, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="nvidia_com_gpu"})`},
	{"node_cost", TaskCosts, false, "OpenCost", `max by (cluster, node) (node_total_hourly_cost)`},
	{"node_cpu", TaskCosts, false, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="cpu"})`},
	{"node_memory", TaskCosts, false, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="memory"})`},
	{"pod_cpu_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, workload, pod) (label_replace(kube_pod_container_resource_requests{resource="cpu"} ` + ended + `, ` + WorkloadOf + `))`},
	{"pod_memory_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, pod) (kube_pod_container_resource_requests{resource="memory"} ` + ended + `)`},
	{"pod_gpu_request", TaskCosts, false, "kube-state-metrics", `sum by (cluster, namespace, pod) (` + gpuRequests + `)`},
	{"pod_daemon", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, pod) (kube_pod_owner{owner_kind="DaemonSet"})`},
	{"volume_size", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, persistentvolumeclaim, volumename) (kube_persistentvolumeclaim_resource_requests_storage_bytes * on (cluster, namespace, persistentvolumeclaim) group_left (volumename) kube_persistentvolumeclaim_info)`},
	{"volume_price", TaskCosts, false, "OpenCost", `label_replace(max by (cluster, persistentvolume) (pv_hourly_cost), "volumename", "$1", "persistentvolume", "(.+)")`},
	{"volume_attached", TaskCosts, false, "kube-state-metrics", `max by (cluster, namespace, persistentvolumeclaim) (kube_pod_spec_volumes_persistentvolumeclaims_info)`},
	{"volume_used", TaskCosts, false, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (max_over_time(kubelet_volume_stats_used_bytes[1h]))`},

	{"throttled", TaskRecommendations, false, "cAdvisor", `max by (cluster, namespace, workload, container) (label_replace(increase(container_cpu_cfs_throttled_periods_total{container!=""}[1h]) / (increase(container_cpu_cfs_periods_total{container!=""}[1h]) > 0), ` + WorkloadOf + `))`},
	{"oom_kills", TaskRecommendations, false, "kube-state-metrics", `sum by (cluster, namespace, workload, container) (label_replace(increase(kube_pod_container_status_restarts_total[1h]) * on (cluster, namespace, pod, container) group_left () (max by (cluster, namespace, pod, container) (kube_pod_container_status_last_terminated_reason{reason="OOMKilled"}) == 1), ` + WorkloadOf + `))`},
	{"hpa_replicas", TaskRecommendations, false, "kube-state-metrics", `max by (cluster, namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas)`},
	{"hpa_max", TaskRecommendations, false, "kube-state-metrics", `max by (cluster, namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_max_replicas)`},
	{"container_cpu", TaskRecommendations, false, "cAdvisor", `max by (cluster, namespace, workload, container) (label_replace(rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[1h]), ` + WorkloadOf + `))`},
	{"container_cpu_request", TaskRecommendations, false, "kube-state-metrics", `max by (cluster, namespace, workload, container) (label_replace(kube_pod_container_resource_requests{resource="cpu"}, ` + WorkloadOf + `))`},
	{"containers", TaskRecommendations, false, "kube-state-metrics", `max by (cluster, namespace, workload, container) (label_replace(kube_pod_container_info, ` + WorkloadOf + `))`},
	{"container_memory_limit", TaskRecommendations, false, "kube-state-metrics", `max by (cluster, namespace, workload, container) (label_replace(kube_pod_container_resource_limits{resource="memory"}, ` + WorkloadOf + `))`},
	{"policy_failures", TaskRecommendations, false, "kyverno, gatekeeper", `sum by (cluster, policy_name) (increase(kyverno_policy_results_total{rule_result="fail"}[1h])) or sum by (cluster, policy_name) (label_replace(gatekeeper_violations, "policy_name", "gatekeeper $1", "enforcement_action", "(.+)"))`},
	{"audit_events", TaskRecommendations, false, "kube-apiserver", `sum by (cluster) (rate(apiserver_audit_event_total[1h]))`},

	// Of each container the pod that uses most: every five minutes for four weeks. The first ten minutes of a
	// container are a start; a kill is the limit at which it came.
	{"sizing_cpu", TaskSizing, false, "cAdvisor", ofContainers(`max by (cluster, namespace, pod, container) (rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[5m])) unless on (cluster, namespace, pod, container) (` + young + `)`)},
	{"sizing_memory", TaskSizing, false, "cAdvisor", ofContainers(`max by (cluster, namespace, pod, container) (max_over_time(container_memory_working_set_bytes{container!="",container!="POD"}[5m]))`)},
	{"sizing_start", TaskSizing, false, "cAdvisor", ofContainers(`max by (cluster, namespace, pod, container) (rate(container_cpu_usage_seconds_total{container!="",container!="POD"}[5m])) and on (cluster, namespace, pod, container) (` + young + `)`)},
	{"sizing_kill", TaskSizing, false, "kube-state-metrics", ofContainers(`max by (cluster, namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"}) and on (cluster, namespace, pod, container) (increase(kube_pod_container_status_restarts_total[5m]) > 0) and on (cluster, namespace, pod, container) (kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1)`)},
	{"sizing_throttled", TaskSizing, false, "cAdvisor", ofContainers(`increase(container_cpu_cfs_throttled_periods_total{container!=""}[5m]) / (increase(container_cpu_cfs_periods_total{container!=""}[5m]) > 0)`)},
	// What is set, as of now.
	{"sizing_pods", TaskSizing, true, "kube-state-metrics", `max by (cluster, namespace, workload, pod, container) (label_replace(kube_pod_container_info ` + ended + `, ` + WorkloadOf + `))`},
	{"sizing_replicas", TaskSizing, true, "kube-state-metrics", `avg_over_time(count by (cluster, namespace, workload, container) (label_replace(max by (cluster, namespace, pod, container) (kube_pod_container_info ` + ended + `), ` + WorkloadOf + `))[1d:1h])`},
	{"sizing_cpu_request", TaskSizing, true, "kube-state-metrics", ofContainers(`kube_pod_container_resource_requests{resource="cpu"} ` + ended)},
	{"sizing_cpu_limit", TaskSizing, true, "kube-state-metrics", ofContainers(`kube_pod_container_resource_limits{resource="cpu"} ` + ended)},
	{"sizing_memory_request", TaskSizing, true, "kube-state-metrics", ofContainers(`kube_pod_container_resource_requests{resource="memory"} ` + ended)},
	{"sizing_memory_limit", TaskSizing, true, "kube-state-metrics", ofContainers(`kube_pod_container_resource_limits{resource="memory"} ` + ended)},
	{"sizing_target", TaskSizing, true, "kube-state-metrics", `max by (cluster, namespace, workload, owner_kind) (` + named("kube_deployment_spec_replicas", "deployment", "Deployment") + ` or ` + named("kube_statefulset_replicas", "statefulset", "StatefulSet") + ` or ` + named("kube_daemonset_status_desired_number_scheduled", "daemonset", "DaemonSet") + ` or ` + named("kube_cronjob_info", "cronjob", "CronJob") + `)`},
	{"sizing_hpa_cpu", TaskSizing, true, "kube-state-metrics", autoscaled("cpu") + ` / 100`},
	{"sizing_hpa_memory", TaskSizing, true, "kube-state-metrics", autoscaled("memory") + ` / 100`},
	{"sizing_hpa_metrics", TaskSizing, true, "kube-state-metrics", `count by (cluster, namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_spec_target_metric)`},
	{"sizing_vpa", TaskSizing, true, "kube-state-metrics", `max by (cluster, namespace, workload) (label_replace(kube_verticalpodautoscaler_spec_updatepolicy_updatemode{update_mode!="Off"} == 1 or kube_customresource_verticalpodautoscaler_spec_updatepolicy_updatemode{update_mode!="Off"} == 1, "workload", "$1", "target_name", "(.+)"))`},
	{"sizing_quota", TaskSizing, true, "kube-state-metrics", `min by (cluster, namespace, resource) (kube_resourcequota{type="hard",resource=~"(requests\\.)?(cpu|memory)"} - ignoring (type) kube_resourcequota{type="used",resource=~"(requests\\.)?(cpu|memory)"})`},
	{"sizing_kubelet", TaskSizing, true, "kube-state-metrics", `max by (cluster, kubelet_version) (kube_node_info)`},
	{"sizing_heap", TaskSizing, true, "a Java agent", ofContainers(`sum by (cluster, namespace, pod, container) (jvm_memory_max_bytes{area="heap",pod!="",container!=""} > 0)`)},
	{"sizing_nonheap", TaskSizing, true, "a Java agent", ofContainers(`sum by (cluster, namespace, pod, container) (quantile_over_time(0.99, jvm_memory_used_bytes{area="nonheap",pod!="",container!=""}[1d]))`)},
	{"sizing_cpu_price", TaskSizing, true, "OpenCost", `avg by (cluster) (node_cpu_hourly_cost)`},
	{"sizing_memory_price", TaskSizing, true, "OpenCost", `avg by (cluster) (node_ram_hourly_cost)`},
	{"sizing_cost", TaskSizing, true, "OpenCost", `sum by (cluster, namespace, workload) (label_replace(` + priced + `, ` + WorkloadOf + `))`},
	{"sizing_gpu_request", TaskSizing, true, "kube-state-metrics", ofContainers(`kube_pod_container_resource_requests{resource="nvidia_com_gpu"} ` + ended)},
	{"sizing_node_gpu", TaskSizing, true, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="nvidia_com_gpu"})`},
	{"sizing_node_cpu", TaskSizing, true, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="cpu"})`},
	{"sizing_node_memory", TaskSizing, true, "kube-state-metrics", `max by (cluster, node) (kube_node_status_allocatable{resource="memory"})`},
	{"sizing_node_cost", TaskSizing, true, "OpenCost", `max by (cluster, node) (node_total_hourly_cost)`},
}

// AdviceInputs returns the names of AdviceQueries.
func AdviceInputs() []string {
	out := make([]string, len(AdviceQueries))
	for i, q := range AdviceQueries {
		out[i] = q.Name
	}
	return out
}

// Advice returns the queries of a task by name, those of its grid points and those of the newest.
func Advice(task string) (points, newest map[string]string) {
	points, newest = map[string]string{}, map[string]string{}
	for _, q := range AdviceQueries {
		switch {
		case q.Task != task:
		case q.Newest:
			newest[q.Name] = q.Query
		default:
			points[q.Name] = q.Query
		}
	}
	return points, newest
}
