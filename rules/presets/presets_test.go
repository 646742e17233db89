//go:build unix

package presets_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"gopkg.in/yaml.v3"

	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/rules/presets"
)

// signal is what these tests need of a preset's signals.
type signal struct {
	Name, Type, Query, Unit string
	Detect                  struct {
		Direction    string
		MinDeviation float64 `yaml:"min_deviation"`
	}
}

func preset(t *testing.T, name string) []signal {
	t.Helper()
	b, ok := presets.Get(name)
	if !ok {
		t.Fatalf("no preset %s", name)
	}
	var file struct{ Signals []signal }
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file.Signals
}

func TestNames(t *testing.T) {
	if got := presets.Names(); !slices.Equal(got, []string{"node", "prometheus", "workloads"}) {
		t.Errorf("%v", got)
	}
	if _, ok := presets.Get("none"); ok {
		t.Error("a preset that is not there")
	}
}

// TestSignalsSayWhatTheyAre wants each shipped signal whole: nobody reads an
// alert in an unknown unit, and a constant series needs a least deviation.
func TestSignalsSayWhatTheyAre(t *testing.T) {
	for _, name := range presets.Names() {
		for _, s := range preset(t, name) {
			if s.Type == "" || s.Unit == "" || s.Detect.Direction == "" || !(s.Detect.MinDeviation > 0) {
				t.Errorf("%s: %s has type %q, unit %q, direction %q, min_deviation %v", name, s.Name, s.Type, s.Unit, s.Detect.Direction, s.Detect.MinDeviation)
			}
			if !strings.HasPrefix(s.Name, strings.TrimSuffix(name, "loads")) {
				t.Errorf("%s: %s does not begin with the name of the preset", name, s.Name)
			}
		}
	}
}

// history is a back-fill of the 40 minutes before end, a sample each 15 s. Point
// i is i·15 s after its beginning.
type history struct {
	bytes.Buffer
	end time.Time
}

const (
	points = 161
	every  = 15 // seconds
)

func (h *history) add(series string, value func(i int) float64) {
	for i := range points {
		if v := value(i); !math.IsNaN(v) {
			fmt.Fprintf(h, "%s %v %d\n", series, v, h.end.Unix()-int64(points-1-i)*every)
		}
	}
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

// counter rises by rate a second from a start far from zero.
func counter(rate float64) func(int) float64 {
	return func(i int) float64 { return 1e6 + rate*every*float64(i) }
}

// between returns f at the points from, from + 1, …, to - 1, and nothing elsewhere.
func between(from, to int, f func(int) float64) func(int) float64 {
	return func(i int) float64 {
		if i < from || i >= to {
			return math.NaN()
		}
		return f(i)
	}
}

// resetting is a counter whose process starts again at point at.
func resetting(rate float64, at int) func(int) float64 {
	return func(i int) float64 {
		if i >= at {
			return rate * every * float64(i-at)
		}
		return counter(rate)(i)
	}
}

// answer asks the server for expr over the last 30 minutes, a step a minute, and
// returns each series by its labels.
func answer(t *testing.T, server, expr string, end time.Time) map[string][]float64 {
	t.Helper()
	resp, err := http.PostForm(server+"/api/v1/query_range", url.Values{ //nolint:noctx // a test on loopback
		"query": {expr}, "step": {"60"},
		"start": {strconv.FormatInt(end.Unix()-1800, 10)}, "end": {strconv.FormatInt(end.Unix(), 10)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Status, Error string
		Warnings      []string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if r.Status != "success" || len(r.Warnings) > 0 {
		t.Fatalf("%s: %s %v", expr, r.Error, r.Warnings)
	}
	out := map[string][]float64{}
	for _, x := range r.Data.Result {
		delete(x.Metric, model.MetricNameLabel)
		var vs []float64
		for _, v := range x.Values {
			f, err := strconv.ParseFloat(v[1].(string), 64)
			if err != nil {
				t.Fatal(err)
			}
			vs = append(vs, f)
		}
		out[labels.FromMap(x.Metric).String()] = vs
	}
	return out
}

// check compares the newest value of each series with what is wanted, and wants
// no other series and nothing above the highest value allowed.
func check(t *testing.T, name string, got map[string][]float64, want map[string]float64) {
	t.Helper()
	for _, ls := range slices.Sorted(maps.Keys(got)) {
		vs := got[ls]
		v, ok := want[ls]
		if !ok {
			t.Errorf("%s: unexpected series %s", name, ls)
			continue
		}
		if newest := vs[len(vs)-1]; math.Abs(newest-v) > 1e-3*max(1e-6, math.Abs(v)) {
			t.Errorf("%s%s = %v, want %v", name, ls, newest, v)
		}
	}
	for ls := range want {
		if got[ls] == nil {
			t.Errorf("%s: no series %s among %v", name, ls, slices.Sorted(maps.Keys(got)))
		}
	}
}

func queries(t *testing.T, name string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, s := range preset(t, name) {
		out[s.Name] = s.Query
	}
	return out
}

// run compares every signal of a preset with what is wanted.
func run(t *testing.T, name string, h *history, want map[string]map[string]float64) (answers map[string]map[string][]float64) {
	t.Helper()
	h.WriteString("# EOF\n")
	s := testserver.Prometheus(t, testserver.Options{OpenMetrics: h})
	answers = map[string]map[string][]float64{}
	for signal, query := range queries(t, name) {
		if want[signal] == nil {
			t.Errorf("%s is not tested", signal)
		}
		answers[signal] = answer(t, s.URL, query, h.end)
		check(t, signal, answers[signal], want[signal])
	}
	return answers
}

func now() time.Time { return time.Now().Truncate(time.Minute) }

// TestNode has one host and one that was switched off 20 minutes ago, with the
// names and labels of node_exporter 1.5.
func TestNode(t *testing.T) {
	h := &history{end: now()}
	const on = `job="node",instance="a:9100"`
	for cpu, idle := range []float64{0.9, 0.5} {
		h.add(fmt.Sprintf(`node_cpu_seconds_total{%s,cpu="%d",mode="idle"}`, on, cpu), resetting(idle, 80))
		h.add(fmt.Sprintf(`node_cpu_seconds_total{%s,cpu="%d",mode="user"}`, on, cpu), counter(1-idle))
	}
	h.add(`node_load5{`+on+`}`, constant(3))
	h.add(`node_memory_MemAvailable_bytes{`+on+`}`, constant(4e9))
	h.add(`node_memory_MemTotal_bytes{`+on+`}`, constant(16e9))
	for _, fs := range []string{"ext4", "tmpfs"} {
		ls := fmt.Sprintf(`{%s,device="/dev/vda",fstype=%q,mountpoint="/%s"}`, on, fs, fs)
		h.add(`node_filesystem_avail_bytes`+ls, constant(20e9))
		h.add(`node_filesystem_size_bytes`+ls, constant(80e9))
		h.add(`node_filesystem_files_free`+ls, constant(900))
		h.add(`node_filesystem_files`+ls, constant(1000))
	}
	// btrfs counts no inodes.
	const btrfs = `{` + on + `,device="/dev/vdb",fstype="btrfs",mountpoint="/b"}`
	h.add(`node_filesystem_avail_bytes`+btrfs, constant(1e9))
	h.add(`node_filesystem_size_bytes`+btrfs, constant(2e9))
	h.add(`node_filesystem_files_free`+btrfs, constant(0))
	h.add(`node_filesystem_files`+btrfs, constant(0))
	for device, rate := range map[string]float64{"eth0": 1000, "eth1": 500, "lo": 7e6, "veth12ab": 8e6, "docker0": 9e6, "br-1f": 9e6} {
		h.add(fmt.Sprintf(`node_network_receive_bytes_total{%s,device=%q}`, on, device), resetting(rate, 100))
		h.add(fmt.Sprintf(`node_network_transmit_bytes_total{%s,device=%q}`, on, device), counter(2*rate))
	}
	h.add(`node_disk_io_time_seconds_total{`+on+`,device="vda"}`, counter(0.1))
	h.add(`node_disk_io_time_seconds_total{`+on+`,device="vdb"}`, counter(0.4))
	h.add(`node_uname_info{`+on+`,nodename="a"}`, constant(1))
	h.add(`up{`+on+`}`, constant(1))
	const off = `job="node",instance="b:9100"`
	h.add(`node_uname_info{`+off+`,nodename="b"}`, between(0, 80, constant(1)))
	h.add(`up{`+off+`}`, func(i int) float64 { return map[bool]float64{true: 1, false: 0}[i < 80] })
	h.add(`up{job="other",instance="c:80"}`, constant(0))

	const host = `{instance="a:9100", job="node"}`
	answers := run(t, "node", h, map[string]map[string]float64{
		"node_up":     {host: 1, `{instance="b:9100", job="node"}`: 0},
		"node_cpu":    {host: 0.3},
		"node_load":   {host: 1.5},
		"node_memory": {host: 0.75},
		"node_filesystem": {
			`{device="/dev/vda", fstype="ext4", instance="a:9100", job="node", mountpoint="/ext4"}`: 0.75,
			`{device="/dev/vdb", fstype="btrfs", instance="a:9100", job="node", mountpoint="/b"}`:   0.5,
		},
		"node_inodes":           {`{device="/dev/vda", fstype="ext4", instance="a:9100", job="node", mountpoint="/ext4"}`: 0.1},
		"node_network_receive":  {host: 1500},
		"node_network_transmit": {host: 3000},
		"node_disk_busy":        {host: 0.4},
	})
	// A counter that starts again is no spike.
	for _, v := range answers["node_network_receive"][host] {
		if v > 1500.01 {
			t.Errorf("received %v bytes/s, there were never more than 1500", v)
		}
	}
	for _, v := range answers["node_cpu"][host] {
		if v < 0.29 || v > 0.36 {
			t.Errorf("CPU %v, it was 0.3 but for the reset", v)
		}
	}
}

// TestPrometheus has the names and labels of Prometheus 2.42.
func TestPrometheus(t *testing.T) {
	h := &history{end: now()}
	const on = `job="prometheus",instance="p:9090"`
	h.add(`up{`+on+`}`, constant(1))
	h.add(`up{job="web",instance="1:80"}`, constant(1))
	h.add(`up{job="web",instance="2:80"}`, constant(0))
	h.add(`prometheus_build_info{`+on+`,version="2.42.0"}`, constant(1))
	h.add(`process_resident_memory_bytes{`+on+`}`, constant(5e8))
	h.add(`process_resident_memory_bytes{job="web",instance="1:80"}`, constant(9e9))
	h.add(`prometheus_tsdb_head_samples_appended_total{`+on+`,type="float"}`, resetting(2000, 120))
	h.add(`prometheus_tsdb_head_samples_appended_total{`+on+`,type="histogram"}`, counter(10))
	h.add(`prometheus_tsdb_head_series{`+on+`}`, constant(12345))
	for handler, n := range map[string]float64{"/api/v1/query": 3, "/api/v1/query_range": 1, "/metrics": 10} {
		h.add(fmt.Sprintf(`prometheus_http_request_duration_seconds_sum{%s,handler=%q}`, on, handler), counter(n*0.05))
		h.add(fmt.Sprintf(`prometheus_http_request_duration_seconds_count{%s,handler=%q}`, on, handler), counter(n))
	}
	h.add(`prometheus_rule_evaluation_failures_total{`+on+`,rule_group="a;g"}`, counter(0.5))
	h.add(`prometheus_rule_evaluation_failures_total{`+on+`,rule_group="b;g"}`, counter(0.25))
	for k, name := range []string{
		"target_scrapes_sample_duplicate_timestamp", "target_scrapes_sample_out_of_order", "target_scrapes_sample_out_of_bounds",
		"target_scrapes_exceeded_sample_limit", "target_scrapes_exceeded_body_size_limit",
		"tsdb_wal_corruptions", "tsdb_wal_truncations_failed", "tsdb_checkpoint_creations_failed",
	} {
		h.add(`prometheus_`+name+`_total{`+on+`}`, counter(float64(int(1)<<k)))
	}
	const server = `{instance="p:9090", job="prometheus"}`
	run(t, "prometheus", h, map[string]map[string]float64{
		"prometheus_targets_up":      {`{job="prometheus"}`: 1, `{job="web"}`: 1},
		"prometheus_ingest":          {server: 2010},
		"prometheus_series":          {server: 12345},
		"prometheus_memory":          {server: 5e8},
		"prometheus_query_latency":   {server: 0.05},
		"prometheus_rule_failures":   {server: 0.75},
		"prometheus_samples_refused": {server: 7},
		"prometheus_scrapes_refused": {server: 24},
		// 40 minutes of an hour have samples, and half an interval is extrapolated.
		"prometheus_wal_failures": {server: 224 * (2400 + 7.5) / 3600},
	})
}
