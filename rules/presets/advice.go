package presets

// AdviceQuery is one input of capacity, cost and recommendations.
type AdviceQuery struct {
	Name   string
	Task   string // capacity, costs or recommendations
	Source string // the exporter whose metrics it reads
	Query  string // PromQL
}

// The tasks of AdviceQueries.
const (
	TaskCapacity        = "capacity"
	TaskCosts           = "costs"
	TaskRecommendations = "recommendations"
)

// WorkloadOf is the expression that names the workload of a pod, as in the preset
// workloads: the pod's name without what its controller added.
const WorkloadOf = `"workload", "$1", "pod", "(.+?)(-([bcdfghjklmnpqrstvwxz2456789]{6,10}-|[0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?"`

// disks leaves out what is no disk of its own.
const disks = `fstype!~"tmpfs|devtmpfs|overlay|squashfs|iso9660|ramfs|autofs|nsfs|fuse.*",mountpoint!~"/var/lib/(docker|containerd|kubelet)/.*|/run/.*"`

// ended are pods that ask for nothing any more.
const ended = `unless on (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{phase=~"Succeeded|Failed"}) == 1)`

// AdviceQueries lists them. An answer of a pair, such as disk_used and disk_size, has the
// same labels in both. What an hour held is asked for at its end: the highest use, the
// lowest memory.
var AdviceQueries = []AdviceQuery{
	{"disk_used", TaskCapacity, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_size_bytes{` + disks + `} - min_over_time(node_filesystem_avail_bytes{` + disks + `}[1h]))`},
	{"disk_size", TaskCapacity, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_size_bytes{` + disks + `})`},
	{"inodes_used", TaskCapacity, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_files{` + disks + `} - min_over_time(node_filesystem_files_free{` + disks + `}[1h])) > 0`},
	{"inodes", TaskCapacity, "node_exporter", `max by (cluster, instance, job, mountpoint) (node_filesystem_files{` + disks + `}) > 0`},
	{"pvc_used", TaskCapacity, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (max_over_time(kubelet_volume_stats_used_bytes[1h]))`},
	{"pvc_size", TaskCapacity, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes)`},
	{"pvc_inodes_used", TaskCapacity, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (max_over_time(kubelet_volume_stats_inodes_used[1h]))`},
	{"pvc_inodes", TaskCapacity, "kubelet", `max by (cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_inodes) > 0`},
	{"requested", TaskCapacity, "kube-state-metrics", `sum by (cluster, resource) (kube_pod_container_resource_requests{resource=~"cpu|memory"} ` + ended + `)`},
	// The largest node may fail where there are three or more.
	{"allocatable", TaskCapacity, "kube-state-metrics", `sum by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) - (max by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) and count by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"}) > 2) or sum by (cluster, resource) (kube_node_status_allocatable{resource=~"cpu|memory"})`},
	{"quota_used", TaskCapacity, "kube-state-metrics", `max by (cluster, namespace, resourcequota, resource) (kube_resourcequota{type="used"})`},
	{"quota_hard", TaskCapacity, "kube-state-metrics", `max by (cluster, namespace, resourcequota, resource) (kube_resourcequota{type="hard"}) > 0`},
	{"pods_used", TaskCapacity, "kube-state-metrics", `count by (cluster) (kube_pod_info{node!=""} ` + ended + `)`},
	{"pods_limit", TaskCapacity, "kube-state-metrics", `sum by (cluster) (kube_node_status_allocatable{resource="pods"})`},
	{"ips_used", TaskCapacity, "aws-vpc-cni", `sum by (cluster) (awscni_assigned_ip_addresses)`},
	{"ips_limit", TaskCapacity, "aws-vpc-cni", `sum by (cluster) (awscni_ip_max)`},
	{"scrape_samples", TaskCapacity, "prometheus", `max by (job) (scrape_samples_post_metric_relabeling)`},
	{"scrape_limit", TaskCapacity, "prometheus", `max by (job) (scrape_sample_limit) > 0`},
	{"certificate_left", TaskCapacity, "cert-manager, blackbox_exporter", `min by (cluster, namespace, name) (certmanager_certificate_expiration_timestamp_seconds) - time() or min by (instance) (probe_ssl_earliest_cert_expiry) - time()`},
	{"memory_floor", TaskCapacity, "cAdvisor", `max by (cluster, namespace, pod, container) (min_over_time(container_memory_working_set_bytes{container!="",container!="POD"}[1h]))`},
	{"memory_limit", TaskCapacity, "kube-state-metrics", `max by (cluster, namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})`},
}

// AdviceInputs returns the names of AdviceQueries.
func AdviceInputs() []string {
	out := make([]string, len(AdviceQueries))
	for i, q := range AdviceQueries {
		out[i] = q.Name
	}
	return out
}

// Advice returns the queries of a task by name.
func Advice(task string) map[string]string {
	out := map[string]string{}
	for _, q := range AdviceQueries {
		if q.Task == task {
			out[q.Name] = q.Query
		}
	}
	return out
}
