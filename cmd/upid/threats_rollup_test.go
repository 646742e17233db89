package main

import (
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/source"
)

// counterServer serves counters by an engine, five minutes apart from monday on; points is how
// many the longest has.
func counterServer(t *testing.T, counters map[string][]float64) (src *source.Prometheus, points int) {
	t.Helper()
	eng, err := engine.Open(engine.Options{Dir: filepath.Join(t.TempDir(), "tsdb"), Timeout: time.Minute, MaxSamples: 50_000_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = eng.Close() })
	for text, values := range counters {
		ls, err := parser.NewParser(parser.Options{}).ParseMetric(text)
		if err != nil {
			t.Fatal(err)
		}
		b, ref := eng.Batch(t.Context()), uint64(0)
		points = max(points, len(values))
		for i, v := range values {
			if ref, err = b.Append(ref, ls, monday*1000+300_000*int64(i), v); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(eng.Handler())
	t.Cleanup(server.Close)
	if src, err = source.New(source.Options{URL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src, points
}

// playThreats runs the tasks of threat detectors as the sidecar does over counters: one fit of
// each, then score passes up to the last point, with a trained model if there is one. It
// returns /metrics.
func playThreats(t *testing.T, counters map[string][]float64, fitAt int, trained *models.Judge) string {
	t.Helper()
	src, points := counterServer(t, counters)
	cfg, err := config.Parse("test", []byte("threats: {history: 1d}\n"), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := newLabelPolicy(&cfg.Privacy)
	if err != nil {
		t.Fatal(err)
	}
	at := func(i int) int64 { return monday*1000 + 300_000*int64(i) + threatOffset.Milliseconds() }
	found, _, err := resolveThreats(t.Context(), src.Query, &cfg.Threats, policy, time.UnixMilli(at(points-1)))
	if err != nil {
		t.Fatal(err)
	}
	ts, signals, err := threatTasks(cfg, found, trained, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pipeline.Check(ts); err != nil {
		t.Fatal(err)
	}
	metrics := collector.New(collector.Options{Registry: prometheus.NewPedanticRegistry()})
	p, err := pipeline.New(pipeline.Options{Source: src, Sinks: []pipeline.Sink{metrics}, Registerer: prometheus.NewPedanticRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(ts, nil); err != nil {
		t.Fatal(err)
	}
	for _, task := range ts { // what comes after others stands after them
		if signals[task.Name].Name != task.Name {
			t.Errorf("nothing is known of the signal %s", task.Name)
		}
		if err := p.RunSlot(t.Context(), task.Name, pipeline.Fit, at(fitAt)); err != nil {
			t.Fatal(err)
		}
		for i := fitAt + 1; i < points; i++ {
			if err := p.RunSlot(t.Context(), task.Name, pipeline.Score, at(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// flat is n points of v.
func flat(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// TestThreats_rollUp wants the risk of a pod to be that of its workload, by what
// kube-state-metrics says owns it, and of its namespace.
func TestThreats_rollUp(t *testing.T) {
	const n = 300
	hit := flat(n, 1)
	for i := n - 2; i < n; i++ {
		hit[i] = 3
	}
	counters := map[string][]float64{
		`falco_events{k8s_ns_name="shop",k8s_pod_name="cart-7d9f8b6c5d-x2k4p",priority="Critical",rule="Drop and execute new binary in container"}`: hit,
		`falco_events{k8s_ns_name="shop",k8s_pod_name="web-7d9f8b6c5d-x2k4p",priority="Notice",rule="Contact K8S API Server From Container"}`:       flat(n, 1),
		`kube_pod_owner{namespace="shop",pod="cart-7d9f8b6c5d-x2k4p",owner_kind="ReplicaSet",owner_name="cart-7d9f8b6c5d"}`:                         flat(n, 1),
		`kube_replicaset_owner{namespace="shop",replicaset="cart-7d9f8b6c5d",owner_kind="Deployment",owner_name="shopping-cart"}`:                   flat(n, 1),
		`up{job="kube-state-metrics"}`: flat(n, 1),
	}
	metrics := playThreats(t, counters, n-5, nil)
	risk := map[string]string{}
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, "upid_threat_risk_score{")
		if !ok {
			continue
		}
		ls, value, _ := strings.Cut(rest, "} ")
		risk[ls] = strings.TrimSpace(value)
	}
	pod := risk[`signal="threats-falcosidekick",entity="shop/cart-7d9f8b6c5d-x2k4p",entity_type="pod",k8s_ns_name="shop",k8s_pod_name="cart-7d9f8b6c5d-x2k4p",threat="unusual_behavior",technique=""`]
	if pod == "" {
		t.Fatalf("no risk of the pod:\n%s", metrics)
	}
	for _, want := range []string{
		`signal="threats-workloads",entity="shop/shopping-cart",entity_type="workload",namespace="shop",workload="shopping-cart",threat="unusual_behavior",technique=""`,
		`signal="threats-workloads",entity="shop",entity_type="namespace",namespace="shop",threat="unusual_behavior",technique=""`,
	} {
		if risk[want] != pod {
			t.Errorf("%s: %q, want %s of the pod\n%v", want, risk[want], pod, risk)
		}
	}
	if len(risk) != 3 {
		t.Errorf("%d risks, want 3: %v", len(risk), risk)
	}
	// Without kube-state-metrics the name of the pod says it.
	for _, ls := range []string{
		`kube_pod_owner{namespace="shop",pod="cart-7d9f8b6c5d-x2k4p",owner_kind="ReplicaSet",owner_name="cart-7d9f8b6c5d"}`,
		`kube_replicaset_owner{namespace="shop",replicaset="cart-7d9f8b6c5d",owner_kind="Deployment",owner_name="shopping-cart"}`,
	} {
		delete(counters, ls)
	}
	if metrics := playThreats(t, counters, n-5, nil); !strings.Contains(metrics, `entity="shop/cart",entity_type="workload"`) {
		t.Errorf("by name:\n%s", metrics)
	}
	// No pods, no task.
	if metrics := playThreats(t, map[string][]float64{`ssh_auth_events_total{host="a",result="failed"}`: flat(n, 1)}, n-5, nil); strings.Contains(metrics, rollUpSignal) {
		t.Errorf("of hosts:\n%s", metrics)
	}
}

// TestThreats_having wants a metric whose name says little to be taken for Dex's by what else
// it has, on a server and in files.
func TestThreats_having(t *testing.T) {
	const n = 300
	for handler, want := range map[string]bool{"/auth/{connector}/login": true, "/auth/{connector}": true, "/auth/login": false, "/api/v1/query": false} {
		ls := `request_duration_seconds_count{code="401",handler="` + handler + `",method="POST",instance="dex:5558",job="dex"}`
		src, _ := counterServer(t, map[string][]float64{ls: flat(n, 5)})
		found, _, err := resolveThreats(t.Context(), src.Query, &config.Threats{Presets: []string{"dex"}}, nil, time.UnixMilli(monday*1000+300_000*(n-1)))
		if err != nil || (len(found) == 1) != want {
			t.Errorf("%s on a server: %v, %v, want %v", handler, found, err, want)
		}
		m, err := parser.NewParser(parser.Options{}).ParseMetric(ls)
		if err != nil {
			t.Fatal(err)
		}
		i, have := resolve(threatPreset(t, "dex"), []source.FileSeries{{Labels: m}})
		if (i == 0) != want || have != want {
			t.Errorf("%s in a file: %d, %v", handler, i, have)
		}
	}
}
