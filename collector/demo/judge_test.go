package demo

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	at := func(d time.Duration) int64 { return now + d.Milliseconds() }
	checkout := map[string]string{"namespace": "shop", "workload": "checkout"}
	service := map[string]string{"namespace": "shop", "service": "checkout"}
	host := map[string]string{"instance": "node-1:9100", "mountpoint": "/data"}
	incidents := []Incident{
		{Name: "spike", On: "shop/checkout", Start: -10 * time.Hour, Lasts: time.Hour, Finds: []string{"workload_cpu"}, Also: []string{"node_cpu"}},
		{Name: "disk", On: "node-1", Start: -50 * time.Hour, Lasts: 60 * day, Finds: []string{"node_filesystem"}},
		{Name: "quiet", On: "shop/mailer", Start: -5 * time.Hour, Lasts: time.Hour, Finds: []string{"workload_cpu"}},
	}
	f := func(name string, want int, s Sighting) {
		t.Helper()
		v := Judge(incidents, now, []Sighting{s})
		if v.Explained[0] != want || v.FalseAlarms != map[bool]int{true: 1, false: 0}[want < 0] {
			t.Errorf("%s: explained by %d with %d false alarms, want %d", name, v.Explained[0], v.FalseAlarms, want)
		}
	}
	f("found", 0, Sighting{"workload_cpu", checkout, at(-10*time.Hour + 5*time.Minute)})
	f("before", -1, Sighting{"workload_cpu", checkout, at(-11 * time.Hour)})
	f("its end", 0, Sighting{"workload_cpu", checkout, at(-8*time.Hour - time.Minute)})
	f("long after", -1, Sighting{"workload_cpu", checkout, at(-6 * time.Hour)})
	f("another signal", 0, Sighting{"request_latency", service, at(-10 * time.Hour)})
	f("another workload", -1, Sighting{"workload_cpu", map[string]string{"namespace": "shop", "workload": "search"}, at(-10 * time.Hour)})
	f("another namespace", -1, Sighting{"workload_cpu", map[string]string{"namespace": "data", "workload": "checkout"}, at(-10 * time.Hour)})
	f("the host", 0, Sighting{"node_cpu", map[string]string{"instance": "node-3:9100"}, at(-10 * time.Hour)})
	f("the disk", 1, Sighting{"node_filesystem", host, at(-3 * time.Hour)})
	f("another disk", -1, Sighting{"node_filesystem", map[string]string{"instance": "node-2:9100"}, at(-3 * time.Hour)})
	f("the host of the disk", 1, Sighting{"node_load", host, at(-40 * time.Hour)})
	f("that host days later", -1, Sighting{"node_load", host, at(-3 * time.Hour)})

	v := Judge(incidents, now, []Sighting{
		{"node_cpu", host, at(-10 * time.Hour)},
		{"workload_cpu", checkout, at(-9*time.Hour - 30*time.Minute)},
		{"workload_cpu", checkout, at(-9*time.Hour - 50*time.Minute)},
		{"workload_cpu", checkout, at(-time.Hour)},
	})
	if !slices.Equal(v.Found, []int{2, -1, -1}) || !slices.Equal(v.Explained, []int{0, 0, 0, -1}) || v.FalseAlarms != 1 {
		t.Errorf("%+v", v)
	}
}

// TestTables checks what the tables say of each other.
func TestTables(t *testing.T) {
	names := map[string]bool{}
	parts := map[string]bool{}
	for _, w := range workloads {
		parts[w.namespace+"/"+w.name] = true
	}
	for _, n := range nodes {
		parts[n.name] = true
	}
	if len(parts) != len(workloads)+len(nodes) {
		t.Error("two parts of one name")
	}
	for _, s := range services {
		if !parts[s.workload] {
			t.Errorf("service of %s", s.workload)
		}
	}
	live := 0
	for _, in := range Incidents {
		if names[in.Name] || !parts[in.On] || len(in.Finds) == 0 || in.What == "" || in.Lasts <= 0 {
			t.Errorf("incident %+v", in)
		}
		names[in.Name] = true
		if in.Start > 0 {
			live++
		} else if in.Start < -9*day {
			t.Errorf("%s lies in the warm-up of a fit", in.Name)
		}
		if strings.Contains(in.On, "/") == (strings.HasPrefix(in.Finds[0], "node_") || in.Finds[0] == "threats-ssh") {
			t.Errorf("%s: %s finds %s", in.Name, in.Finds[0], in.On)
		}
	}
	if live == 0 {
		t.Error("nothing happens live")
	}
	// What is said of a part of the cluster must exist there: not the log-ins of a
	// workload that has none.
	for i := range Incidents {
		if in := &Incidents[i]; in.logins > 0 && in.On != "shop/login" || in.skip && in.On != "batch/report" {
			t.Errorf("%s on %s", in.Name, in.On)
		}
	}
}
