package main

import (
	"log/slog"
	"maps"
	"math"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/source"
)

// live runs the tasks of a configuration as the sidecar does, on a Prometheus API
// that has samples by metric name, five minutes apart from monday on: a fit at
// point fitAt, then a score pass for every later point.
func live(t *testing.T, yaml string, samples map[string][]float64, fitAt int, sink pipeline.Sink) {
	t.Helper()
	const step = 300_000
	eng, err := engine.Open(engine.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(); err != nil {
			t.Error(err)
		}
	})
	points := 0
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		b := eng.Batch(t.Context())
		ref := uint64(0)
		points = max(points, len(samples[name]))
		for i, v := range samples[name] {
			if math.IsNaN(v) {
				continue
			}
			if ref, err = b.Append(ref, labels.FromStrings("__name__", name, "job", "shop"), monday*1000+step*int64(i), v); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(eng.Handler())
	t.Cleanup(server.Close)
	src, err := source.New(source.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	cfg, err := config.Parse("test", []byte(yaml), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	ts, _, err := tasks(cfg, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.New(pipeline.Options{Source: src, Sinks: []pipeline.Sink{sink}, Registerer: prometheus.NewPedanticRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(ts, nil); err != nil {
		t.Fatal(err)
	}
	for _, task := range ts {
		slot := func(i int) int64 { return monday*1000 + step*int64(i) + task.Offset.Milliseconds() }
		if err := p.RunSlot(t.Context(), task.Name, pipeline.Fit, slot(fitAt)); err != nil {
			t.Fatal(err)
		}
		for i := fitAt + 1; i < points; i++ {
			if err := p.RunSlot(t.Context(), task.Name, pipeline.Score, slot(i)); err != nil {
				t.Fatalf("%s, point %d: %v", task.Name, i, err)
			}
		}
	}
}
