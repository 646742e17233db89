package demo

import "time"

// Incident is one thing that goes wrong, the ground truth of the demo. Exactly
// one part of the cluster is hit, named by Workload, Service or Node.
type Incident struct {
	Name  string
	What  string        // in a few words
	Start time.Duration // relative to the time the demo starts: negative is past
	Lasts time.Duration
	On    string // namespace/name of the workload, or the node

	// What it does; zero is nothing.
	demand  float64 // factor on requests, and with them on everything
	cpu     float64 // factor on CPU
	network float64 // factor on what is sent
	request float64 // factor on the CPU and memory that pods ask for
	latency float64 // factor on the time of a request
	errors  float64 // share of requests that fail beside the ordinary
	logins  float64 // failed log-ins a second beside the ordinary
	ssh     float64 // failed log-ins by ssh a second beside the ordinary
	leak    float64 // MiB an hour, in every pod
	fill    float64 // share of the file system an hour
	down    bool    // no pod, or no host
	skip    bool    // the job does not run

	Finds []string // signals of which any finding of On means that it was found
	Also  []string // signals of others that may show it too: of the hosts, for most
}

// End returns when it is over, relative to the start of the demo.
func (i Incident) End() time.Duration { return i.Start + i.Lasts }

var hosts = []string{"node_cpu", "node_load", "node_network_receive", "node_network_transmit"}

// Incidents are what is injected, oldest first. docs/demo.md explains them. The
// past ones lie within what a fit replays (14 days) without its warm-up; ssh_guessing
// goes on while the demo starts, since of attacks that are over nothing is said again. The
// two last happen while one watches.
var Incidents = []Incident{
	{
		Name: "cpu_spike", What: "a bad query plan: three times the CPU", Start: -(8*day + 3*time.Hour), Lasts: 40 * time.Minute,
		On: "shop/checkout", cpu: 3, Finds: []string{"workload_cpu"}, Also: append(hosts, "workload_cost"),
	},
	{
		Name: "exfiltration", What: "somebody copies the database", Start: -(7*day + 5*time.Hour), Lasts: 90 * time.Minute,
		On: "data/postgres", network: 5, Finds: []string{"workload_network"}, Also: hosts,
	},
	{
		Name: "outage", What: "all pods crash and stay away", Start: -(6*day + 2*time.Hour), Lasts: 35 * time.Minute,
		On: "shop/payment", down: true, Finds: []string{"workload_cpu", "workload_memory", "workload_network", "request_rate"}, Also: hosts,
	},
	{
		Name: "login_burst", What: "passwords are tried out", Start: -(5*day + 7*time.Hour), Lasts: 20 * time.Minute,
		On: "shop/login", logins: 15, Finds: []string{"login_failures"},
	},
	{
		Name: "slow_search", What: "requests take three times as long", Start: -(4*day + 4*time.Hour), Lasts: 2 * time.Hour,
		On: "shop/search", latency: 3, Finds: []string{"request_latency"},
	},
	{
		Name: "cost_jump", What: "requests of CPU and memory raised to 2.5×", Start: -(3*day + 6*time.Hour), Lasts: 60 * day,
		On: "shop/catalog", request: 2.5, Finds: []string{"workload_cost"},
	},
	{
		Name: "missed_job", What: "the nightly report does not run", Start: -(3 * day), Lasts: day,
		On: "batch/report", skip: true, Finds: []string{"workload_cpu", "workload_memory", "workload_network", "workload_cost"},
	},
	{
		Name: "memory_leak", What: "a release leaks 24 MiB an hour", Start: -(day + 16*time.Hour), Lasts: 60 * day,
		On: "shop/recommend", leak: 24, Finds: []string{"workload_memory"}, Also: []string{"workload_cost", "node_memory"},
	},
	{
		Name: "host_down", What: "the exporter of a host cannot be scraped", Start: -(2*day + 3*time.Hour), Lasts: 12 * time.Minute,
		On: "node-3", down: true, Finds: []string{"node_up"}, Also: append(hosts, "node_memory", "node_filesystem", "node_inodes", "node_disk_busy"),
	},
	{
		Name: "traffic_drop", What: "two thirds of the requests stay away", Start: -(day + 9*time.Hour), Lasts: time.Hour,
		On: "shop/catalog", demand: 0.33, Finds: []string{"request_rate"}, Also: hosts,
	},
	{
		Name: "disk_filling", What: "a log fills /data by 1.5 % an hour", Start: -(30 * time.Hour), Lasts: 60 * day,
		On: "node-2", fill: 0.015, Finds: []string{"node_filesystem"},
	},
	{
		Name: "error_burst", What: "8 % of the requests fail", Start: -(11 * time.Hour), Lasts: 25 * time.Minute,
		On: "shop/frontend", errors: 0.08, Finds: []string{"error_ratio"},
	},
	{
		Name: "ssh_guessing", What: "passwords are guessed by ssh", Start: -17 * time.Minute, Lasts: 40 * time.Minute,
		On: "node-1", ssh: 0.5, Finds: []string{"threats-ssh"},
	},
	{
		Name: "live_errors", What: "a release fails 15 % of the requests", Start: 4 * time.Minute, Lasts: 12 * time.Minute,
		On: "shop/payment", errors: 0.15, Finds: []string{"error_ratio"},
	},
	{
		Name: "live_spike", What: "a runaway job: four times the CPU", Start: 25 * time.Minute, Lasts: 30 * time.Minute,
		On: "shop/login", cpu: 4, Finds: []string{"workload_cpu"}, Also: append(hosts, "workload_cost"),
	},
}

// effect is what the incidents under way do to one part of the cluster.
type effect struct {
	demand, cpu, network, request, latency float64 // factors
	errors, logins, ssh, leak, fill        float64
	down, skip                             bool
}

// effectOn joins the incidents that hit on at time t (Unix milliseconds).
func (c *Cluster) effectOn(on string, t int64) effect {
	e := effect{demand: 1, cpu: 1, network: 1, request: 1, latency: 1}
	at := time.Duration(t-c.o.Now) * time.Millisecond
	for i := range c.incidents {
		in := &c.incidents[i]
		if in.On != on || at < in.Start || at >= in.End() {
			continue
		}
		for _, f := range []struct {
			to *float64
			by float64
		}{{&e.demand, in.demand}, {&e.cpu, in.cpu}, {&e.network, in.network}, {&e.request, in.request}, {&e.latency, in.latency}} {
			if f.by != 0 {
				*f.to *= f.by
			}
		}
		e.errors += in.errors
		e.logins += in.logins
		e.ssh += in.ssh
		e.leak += in.leak
		e.fill += in.fill
		e.down = e.down || in.down
		e.skip = e.skip || in.skip
	}
	return e
}
