package demo

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// host is a node with the series of its node_exporter and its price.
type host struct {
	name               string
	cores, memory      float64
	cpuPrice, ramPrice float64
	rng                *rand.Rand
	noise, diskNoise   wander
	systemNoise        wander
	data               float64 // share of /data in use
	load               float64 // of the last five minutes

	usedCPU, usedMemory, received, sent float64 // by the pods of this scrape

	up                                            metric
	cpu                                           []metric // idle, system and user of each core
	uname, load5, memTotal, memFree, rx, tx, busy metric
	disks                                         [2]disk
	cpuCost, ramCost                              metric
	allocatable                                   [2]metric // cores and bytes, as kube-state-metrics has it

	logins              *rand.Rand // of log-ins by ssh, counted from the log
	sshAccepted, sshBad metric
}

// Log-ins by ssh a second on an ordinary day: people and their scripts, some of which mistype.
const (
	sshLogins   = 4.0 / 3600
	sshFailures = 3.0 / 86400
)

// disk is a file system: the root's and /data.
type disk struct {
	size, avail, files, filesFree metric
	bytes, inodes                 float64
}

func newHost(i int, rng, logins *rand.Rand) *host {
	n := nodes[i]
	m := func(name string, more ...string) metric {
		return newMetric(name, append([]string{"instance", n.name + ":9100", "job", "node"}, more...)...)
	}
	price := func(name string) metric {
		return newMetric(name, "node", n.name, "instance", "opencost:9003", "job", "opencost", "instance_type", "m6i.xlarge", "region", "eu-central-1", "arch", "amd64")
	}
	h := &host{
		name: n.name, cores: n.cores, memory: n.memory, cpuPrice: n.cpuPrice, ramPrice: n.ramPrice, rng: rng, data: n.data,
		noise: newWander(0.05, 10*time.Minute, rng), diskNoise: newWander(0.1, 10*time.Minute, rng), systemNoise: newWander(0.02, time.Hour, rng),
		up:    m("up"),
		uname: m("node_uname_info", "nodename", n.name, "sysname", "Linux", "release", "6.1.0-28-amd64", "machine", "x86_64"),
		load5: m("node_load5"), memTotal: m("node_memory_MemTotal_bytes"), memFree: m("node_memory_MemAvailable_bytes"),
		rx: m("node_network_receive_bytes_total", "device", "ens5"), tx: m("node_network_transmit_bytes_total", "device", "ens5"),
		busy: m("node_disk_io_time_seconds_total", "device", "nvme0n1"), cpuCost: price("node_cpu_hourly_cost"), ramCost: price("node_ram_hourly_cost"),
		logins: logins, sshAccepted: m("ssh_auth_events_total", "result", "accepted"), sshBad: m("ssh_auth_events_total", "result", "failed"),
	}
	for i, of := range [][2]string{{"cpu", "core"}, {"memory", "byte"}} {
		h.allocatable[i] = newMetric("kube_node_status_allocatable", "node", n.name, "resource", of[0], "unit", of[1], "instance", "kube-state-metrics:8080", "job", "kube-state-metrics")
	}
	for core := range int(n.cores) {
		for _, mode := range []string{"idle", "system", "user"} {
			h.cpu = append(h.cpu, m("node_cpu_seconds_total", "cpu", strconv.Itoa(core), "mode", mode))
		}
	}
	for k, d := range []struct {
		device, mount string
		bytes, inodes float64
	}{{"/dev/nvme0n1p1", "/", 80 << 30, 5e6}, {"/dev/nvme1n1", "/data", 400 << 30, 26e6}} {
		on := []string{"device", d.device, "fstype", "ext4", "mountpoint", d.mount}
		h.disks[k] = disk{
			bytes: d.bytes, inodes: d.inodes,
			size: m("node_filesystem_size_bytes", on...), avail: m("node_filesystem_avail_bytes", on...),
			files: m("node_filesystem_files", on...), filesFree: m("node_filesystem_files_free", on...),
		}
	}
	return h
}

// begin forgets what the pods of the last scrape used.
func (h *host) begin() { h.usedCPU, h.usedMemory, h.received, h.sent = 0, 0, 0, 0 }

// use adds what one pod uses: cores, MiB and kB a second.
func (h *host) use(cores, memory, receive, send float64) {
	h.usedCPU += cores
	h.usedMemory += memory
	h.received += receive
	h.sent += send
}

func (h *host) scrape(s *scrape, e effect) {
	s.set(&h.cpuCost, h.cpuPrice)
	s.set(&h.ramCost, h.ramPrice)
	if s.state {
		s.set(&h.allocatable[0], h.cores)
		s.set(&h.allocatable[1], (h.memory-1024)*mib)
	}
	h.data += (0.0001 + e.fill) * Interval.Hours() // a little more every hour
	if h.data > 0.97 {
		h.data = 0.35 // somebody cleans up
	}
	seconds := Interval.Seconds()
	system := 0.12 * (1 + h.noise.next(h.rng))
	h.load += (h.usedCPU + system - h.load) / 5
	busy := 0.05*(1+h.diskNoise.next(h.rng)) + 0.08*(h.usedCPU/h.cores)
	free := h.memory - 1300*(1+h.systemNoise.next(h.rng)) - h.usedMemory
	up := 1.0
	if e.down {
		up = 0
	}
	s.set(&h.up, up)
	kernel := min(system/h.cores, 1) * seconds
	user := min(h.usedCPU/h.cores*seconds, seconds-kernel) // a core has no more than the time there is
	for i := range h.cpu {
		h.counter(s, e, &h.cpu[i], grain([]float64{seconds - user - kernel, kernel, user}[i%3], 1.0/1024))
	}
	h.counter(s, e, &h.rx, grain(h.received*kb*seconds, 64))
	h.counter(s, e, &h.tx, grain(h.sent*kb*seconds, 64))
	h.counter(s, e, &h.busy, grain(busy*seconds, 1.0/1024))
	h.counter(s, e, &h.sshAccepted, count(sshLogins*seconds, h.logins))
	h.counter(s, e, &h.sshBad, count((sshFailures+e.ssh)*seconds, h.logins))
	h.gauge(s, e, &h.uname, 1)
	h.gauge(s, e, &h.load5, grain(h.load*(1+h.noise.x/2), 1.0/128))
	h.gauge(s, e, &h.memTotal, h.memory*mib)
	h.gauge(s, e, &h.memFree, grain(free*mib, 1<<16))
	for k := range h.disks {
		d := &h.disks[k]
		used := h.data
		if k == 0 {
			used = 0.31
		}
		h.gauge(s, e, &d.size, d.bytes)
		h.gauge(s, e, &d.avail, math.Round(d.bytes*(1-used)/4096)*4096)
		h.gauge(s, e, &d.files, d.inodes)
		h.gauge(s, e, &d.filesFree, math.Round(d.inodes*(1-0.1-0.05*used)))
	}
}

// gauge stores a value of node_exporter, which cannot be scraped while the host
// is down.
func (h *host) gauge(s *scrape, e effect, m *metric, v float64) {
	if e.down {
		s.end(m)
		return
	}
	s.set(m, v)
}

// counter raises a counter of node_exporter, which goes on counting unseen.
func (h *host) counter(s *scrape, e effect, m *metric, by float64) {
	if e.down {
		m.value += by
		s.end(m)
		return
	}
	s.add(m, by)
}
