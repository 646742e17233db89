//go:build unix

package presets_test

import (
	"fmt"
	"testing"
)

// cluster writes the metrics of a Kubernetes cluster.
type cluster struct{ *history }

// pod writes what cAdvisor says about a pod of one container that uses cores,
// from point from to point to.
func (c cluster) pod(namespace, name string, from, to int, cores float64) {
	for _, container := range []string{"app", "", "POD"} { // beside the container: the sum over the pod, and the pause container
		ls := fmt.Sprintf(`{job="kubelet",instance="n1:10250",namespace=%q,pod=%q,container=%q,id="/kubepods/%s/%s",image="i",name="n"}`, namespace, name, container, name, container)
		c.add("container_cpu_usage_seconds_total"+ls, between(from, to, counter(cores)))
		c.add("container_memory_working_set_bytes"+ls, between(from, to, constant(cores*1e9)))
	}
	c.network("receive", namespace, name, between(from, to, counter(100*cores)))
	c.network("transmit", namespace, name, between(from, to, counter(200*cores)))
}

func (c cluster) network(direction, namespace, pod string, value func(int) float64) {
	for _, device := range []string{"eth0", "lo"} {
		c.add(fmt.Sprintf(`container_network_%s_bytes_total{job="kubelet",instance="n1:10250",namespace=%q,pod=%q,interface=%q,id="/kubepods/%s",image="pause",name="p"}`, direction, namespace, pod, device, pod), value)
	}
}

// allocation writes what OpenCost says about the container of a pod; a negative
// term is not there.
func (c cluster) allocation(replica, namespace, pod, node string, cores, gib float64) {
	ls := fmt.Sprintf(`{job="opencost",opencost=%q,namespace=%q,pod=%q,container="app",instance=%q,node=%q}`, replica, namespace, pod, node, node)
	if cores >= 0 {
		c.add("container_cpu_allocation"+ls, constant(cores))
	}
	if gib >= 0 {
		c.add("container_memory_allocation_bytes"+ls, constant(gib*(1<<30)))
	}
}

func (c cluster) price(replica, node string, core, gib float64) {
	ls := fmt.Sprintf(`{job="opencost",opencost=%q,instance=%q,node=%q,instance_type="m5.large",region="eu",provider_id="aws:///%s"}`, replica, node, node, node)
	c.add("node_cpu_hourly_cost"+ls, constant(core))
	if gib >= 0 {
		c.add("node_ram_hourly_cost"+ls, constant(gib))
	}
}

// TestWorkloads gives every kind of pod the names that Kubernetes gives them.
func TestWorkloads(t *testing.T) {
	c := cluster{&history{end: now()}}
	want := map[string]float64{} // cores by series
	pod := func(name, workload string, cores float64) {
		t.Helper()
		c.pod("shop", name, 0, points, cores)
		want[fmt.Sprintf(`{namespace="shop", workload=%q}`, workload)] += cores
	}
	pod("checkout-7d9f8b6c5d-x2k4p", "checkout", 1) // Deployment
	pod("checkout-7d9f8b6c5d-9zz4w", "checkout", 2)
	pod("payment-api-v2-66fcd4cc7-bbbbb", "payment-api-v2", 1)
	pod("web-redis-0", "web-redis", 1) // StatefulSet
	pod("web-redis-12", "web-redis", 1)
	pod("db-20240101-0", "db-20240101", 1) // of a dated name
	pod("db-2-0", "db-2", 1)
	pod("node-exporter-k8sqp", "node-exporter", 1) // DaemonSet
	pod("agent-2-x2k4p", "agent-2", 1)
	pod("backup-28405320-x2k4p", "backup", 1) // CronJob
	pod("backup-28405380-tttt8", "backup", 1)
	pod("migrate-x2k4p", "migrate", 1) // Job
	pod("my-redis", "my-redis", 1)     // no controller
	pod("redis", "redis", 1)           // nor here
	pod("my-service", "my-service", 1) // letters a suffix does not have
	pod("cart-6d4cf56db6-aaaaa", "cart-6d4cf56db6-aaaaa", 1)
	pod("my-mysql-e", "my-mysql-e", 1) // one that ends in a letter
	pod("ip-10-0-0", "ip-10-0", 1)     // the price of knowing names only
	c.pod("other", "checkout-7d9f8b6c5d-x2k4p", 0, points, 4)
	want[`{namespace="other", workload="checkout"}`] = 4
	// A roll-out 20 minutes ago: one pod goes, another comes.
	c.pod("shop", "cart-6d4cf56db6-k2k2k", 0, 80, 3)
	c.pod("shop", "cart-7d9f8b6c5d-z4z4z", 80, points, 3)
	want[`{namespace="shop", workload="cart"}`] = 3
	// A container that starts again keeps its pod.
	c.add(`container_cpu_usage_seconds_total{namespace="shop",pod="batch-0",container="app"}`, resetting(1, 90))
	want[`{namespace="shop", workload="batch"}`] = 1

	memory, network := map[string]float64{}, map[string]float64{}
	for ls, cores := range want {
		memory[ls], network[ls] = cores*1e9, cores*300
	}
	delete(memory, `{namespace="shop", workload="batch"}`)
	delete(network, `{namespace="shop", workload="batch"}`)
	// Only one direction is known: no sum.
	c.network("receive", "shop", "deaf-0", counter(5))

	c.price("0", "n1", 0.04, 0.005)
	c.price("1", "n1", 0.04, 0.005) // a second replica of OpenCost
	c.price("0", "n2", 0.10, 0.010)
	c.price("0", "n3", 0.10, -1) // no price of memory
	for _, replica := range []string{"0", "1"} {
		c.allocation(replica, "shop", "checkout-7d9f8b6c5d-x2k4p", "n1", 1, 2)
	}
	c.allocation("0", "shop", "checkout-7d9f8b6c5d-9zz4w", "n2", 2, 4)
	c.allocation("0", "shop", "web-redis-0", "n1", 0, 8)
	// Without one of the terms: absent, and not too low.
	c.allocation("0", "shop", "half-7d9f8b6c5d-x2k4p", "n1", 1, 1)
	c.allocation("0", "shop", "half-7d9f8b6c5d-9zz4w", "n3", 1, 1)
	c.allocation("0", "shop", "cores-0", "n1", 1, -1)
	c.allocation("0", "shop", "memory-0", "n1", -1, 1)
	c.allocation("0", "shop", "memory-1", "n1", 1, 1)
	c.allocation("0", "shop", "lost-0", "n9", 1, 1)

	answers := run(t, "workloads", c.history, map[string]map[string]float64{
		"workload_cpu": want, "workload_memory": memory, "workload_network": network,
		"workload_cost": {
			`{namespace="shop", workload="checkout"}`:  1*0.04 + 2*0.005 + 2*0.1 + 4*0.01,
			`{namespace="shop", workload="web-redis"}`: 8 * 0.005,
		},
	})
	for signal, most := range map[string]float64{"workload_cpu": 6, "workload_network": 1800} {
		// While one pod goes and another comes, both are counted, as both ran; for
		// five minutes here, where no scrape says that the old one has gone.
		for _, v := range answers[signal][`{namespace="shop", workload="cart"}`] {
			if v > most+0.01 {
				t.Errorf("%s of a roll-out is %v, want at most %v", signal, v, most)
			}
		}
	}
	for _, v := range answers["workload_cpu"][`{namespace="shop", workload="batch"}`] {
		if v > 1.01 {
			t.Errorf("CPU %v of a container that started again, it was never above 1", v)
		}
	}
}
