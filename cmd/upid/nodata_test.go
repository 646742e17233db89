//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A preset whose exporter is not there is an ordinary thing: it says so once a
// signal, waits longer and longer, and neither readiness nor what the shipped
// rules look at has anything to complain about.
func TestSignalsWithoutMetricsAreQuiet(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "nowhere") {
			asked.Add(1)
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	}))
	defer s.Close()
	addr, stop := startSidecar(t, "--interval", "1", "--config", writeFile(t, "prometheus: {url: "+s.URL+`}
presets: [node, workloads]
signals: [{name: absent, query: sum(nowhere), step: 1s, history: 1h}]
`))
	metricBecomes(t, addr, `upid_signal_run_failures_total{pass="fit",reason="no_data",signal="workload_cost"} 1`)
	time.Sleep(6 * time.Second)
	status, body, err := getText("http://" + addr + "/-/ready")
	if err != nil || status != http.StatusOK || !strings.Contains(body, "signal workload_cpu: waiting for data\n") {
		t.Errorf("/-/ready: %d %v\n%s", status, err, body)
	}
	_, page, err := getText("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	// UpidSignalStale and UpidUpstreamFailing look at these.
	for _, bad := range []string{"upid_signal_last_success_timestamp_seconds{", `upid_upstream_up{upstream="prometheus"} 0`} {
		if strings.Contains(page, bad) {
			t.Errorf("/metrics has %s", bad)
		}
	}
	if !strings.Contains(page, "upid_ready 1") {
		t.Error("not ready")
	}
	code, log := stop()
	if code != exitOK {
		t.Errorf("exit %d", code)
	}
	if n := strings.Count(log, "signals wait for data"); n != 1 || strings.Contains(log, "signal=absent") {
		t.Errorf("%d lines about signals without data, want 1 for all:\n%s", n, log)
	}
	for _, signal := range []string{"absent", "node_cpu", "workload_cpu", "workload_cost"} {
		if n := strings.Count(log, signal); n != 1 {
			t.Errorf("%s is named %d times, want once", signal, n)
		}
	}
	if strings.Contains(log, "level=ERROR") {
		t.Errorf("an error:\n%s", log)
	}
	// At the beginning and after 1, 2 and 4 s, each time for the aligned slot and
	// for now: not once a second.
	if n := asked.Load(); n > 8 {
		t.Errorf("asked %d times in 6 s for what is not there", n)
	}
}
