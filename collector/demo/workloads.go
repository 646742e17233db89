package demo

import "time"

// kind says how a workload's pods are named, and how they are replaced.
type kind int

const (
	deployment  kind = iota // name-<ReplicaSet>-<pod>, replaced one by one
	statefulSet             // name-<ordinal>, restarted in place
	daemonSet               // name-<pod>, one a node
	cronJob                 // name-<minute>-<pod>, there while it runs
)

// workload is a row of the cluster. Amounts are those of the whole workload while
// demand is 1, a busy hour of a weekday; what rests is that of one pod.
type workload struct {
	namespace, name string
	kind            kind
	replicas        int
	most            int // autoscaled between replicas and this; 0: not
	shape           shape
	growth          float64 // of the demand, a week

	cpu, cpuRest     float64       // cores
	memory, memRest  float64       // MiB
	receive, send    float64       // kB/s
	cpuAsk, memAsk   float64       // cores and MiB requested by one pod
	deploys          time.Duration // between two; 0: never
	hour, cronLength int           // a cronJob's: of the day, and how many minutes it takes
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// workloads are what runs in the cluster.
var workloads = []workload{
	{
		namespace: "shop", name: "frontend", kind: deployment, replicas: 2, most: 5, shape: evening, growth: 0.01,
		cpu: 1.3, cpuRest: 0.03, memory: 300, memRest: 160, receive: 900, send: 4200, cpuAsk: 0.25, memAsk: 256, deploys: 5 * day,
	},
	{
		namespace: "shop", name: "checkout", kind: deployment, replicas: 2, shape: evening,
		cpu: 0.7, cpuRest: 0.02, memory: 240, memRest: 200, receive: 350, send: 300, cpuAsk: 0.25, memAsk: 384, deploys: 8 * day,
	},
	{
		namespace: "shop", name: "catalog", kind: deployment, replicas: 2, shape: evening,
		cpu: 0.9, cpuRest: 0.02, memory: 500, memRest: 260, receive: 700, send: 2100, cpuAsk: 0.3, memAsk: 512, deploys: 9 * day,
	},
	{
		namespace: "shop", name: "search", kind: deployment, replicas: 2, shape: evening,
		cpu: 1.1, cpuRest: 0.05, memory: 900, memRest: 700, receive: 400, send: 900, cpuAsk: 0.8, memAsk: 1280, deploys: 11 * day,
	},
	{
		namespace: "shop", name: "payment", kind: deployment, replicas: 2, shape: evening,
		cpu: 0.4, cpuRest: 0.02, memory: 120, memRest: 180, receive: 150, send: 120, cpuAsk: 0.15, memAsk: 256, deploys: 12 * day,
	},
	{
		namespace: "shop", name: "login", kind: deployment, replicas: 2, shape: office,
		cpu: 0.5, cpuRest: 0.02, memory: 160, memRest: 150, receive: 220, send: 180, cpuAsk: 0.15, memAsk: 256, deploys: 10 * day,
	},
	{
		namespace: "shop", name: "recommend", kind: deployment, replicas: 1, shape: evening,
		cpu: 0.8, cpuRest: 0.05, memory: 350, memRest: 600, receive: 300, send: 260, cpuAsk: 0.5, memAsk: 1024, deploys: 9 * day,
	},
	{
		namespace: "shop", name: "mailer", kind: deployment, replicas: 1, shape: office,
		cpu: 0.25, cpuRest: 0.01, memory: 60, memRest: 110, receive: 60, send: 340, cpuAsk: 0.1, memAsk: 192,
	},
	{
		namespace: "data", name: "postgres", kind: statefulSet, replicas: 2, shape: evening, growth: 0.005,
		cpu: 1.4, cpuRest: 0.08, memory: 900, memRest: 2200, receive: 900, send: 2600, cpuAsk: 1, memAsk: 3072,
	},
	{
		namespace: "data", name: "redis", kind: statefulSet, replicas: 1, shape: evening,
		cpu: 0.35, cpuRest: 0.03, memory: 260, memRest: 480, receive: 1200, send: 1900, cpuAsk: 0.2, memAsk: 1024,
	},
	{
		namespace: "data", name: "kafka", kind: statefulSet, replicas: 3, shape: evening,
		cpu: 0.9, cpuRest: 0.06, memory: 400, memRest: 1100, receive: 1600, send: 1700, cpuAsk: 0.5, memAsk: 1536, deploys: 9 * day,
	},
	{
		namespace: "batch", name: "resize", kind: deployment, replicas: 1, shape: office,
		cpu: 0.9, cpuRest: 0.01, memory: 260, memRest: 140, receive: 800, send: 500, cpuAsk: 1.2, memAsk: 448,
	},
	{
		namespace: "batch", name: "report", kind: cronJob, replicas: 1, shape: flat, hour: 2, cronLength: 70,
		cpu: 0.3, cpuRest: 0.01, memory: 300, memRest: 200, receive: 80, send: 20, cpuAsk: 0.5, memAsk: 1024,
	},
	{
		namespace: "monitoring", name: "prometheus", kind: statefulSet, replicas: 1, shape: flat,
		cpu: 0.3, cpuRest: 0.05, memory: 200, memRest: 1300, receive: 420, send: 110, cpuAsk: 0.5, memAsk: 2048,
	},
	{
		namespace: "ingress", name: "controller", kind: daemonSet, replicas: 3, shape: evening, growth: 0.01,
		cpu: 0.6, cpuRest: 0.02, memory: 180, memRest: 150, receive: 5200, send: 5400, cpuAsk: 0.1, memAsk: 256, deploys: 20 * day,
	},
	{
		namespace: "kube-system", name: "coredns", kind: deployment, replicas: 2, shape: evening,
		cpu: 0.12, cpuRest: 0.01, memory: 30, memRest: 45, receive: 40, send: 60, cpuAsk: 0.1, memAsk: 70,
	},
	{
		namespace: "kube-system", name: "node-agent", kind: daemonSet, replicas: 3, shape: flat,
		cpu: 0.2, cpuRest: 0.02, memory: 60, memRest: 90, receive: 90, send: 210, cpuAsk: 0.05, memAsk: 128,
	},
}

// service is a row of what users ask for: requests to a workload.
type service struct {
	workload string
	rate     float64 // requests a second while demand is 1
	latency  float64 // seconds at rest
	errors   float64 // share that fails on an ordinary day
}

// services have the metrics http_requests_total and
// http_request_duration_seconds_{sum,count}.
var services = []service{
	{workload: "shop/frontend", rate: 180, latency: 0.045, errors: 0.002},
	{workload: "shop/checkout", rate: 40, latency: 0.11, errors: 0.003},
	{workload: "shop/catalog", rate: 120, latency: 0.03, errors: 0.001},
	{workload: "shop/search", rate: 60, latency: 0.16, errors: 0.002},
	{workload: "shop/payment", rate: 25, latency: 0.24, errors: 0.004},
	{workload: "shop/login", rate: 30, latency: 0.08, errors: 0.002},
}

// nodes are the hosts; their price is in USD an hour.
var nodes = []struct {
	name               string
	cores, memory      float64 // memory in MiB
	cpuPrice, ramPrice float64 // a core, a GiB
	data               float64 // share of /data in use at the start
}{
	{"node-1", 4, 16384, 0.031, 0.0042, 0.38},
	{"node-2", 4, 16384, 0.031, 0.0042, 0.41},
	{"node-3", 4, 16384, 0.034, 0.0045, 0.36},
}
