package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/rules"
)

// apiNoon is when the sidecar of fakeAPI stands still: 2023-11-13T12:00:00Z.
const apiNoon int64 = 1_699_876_800_000

// fakeSidecar answers as a sidecar does that has run for a while: the real views
// and routes over results that were made up. A test may change its status.
type fakeSidecar struct {
	*httptest.Server
	views  *views.Views
	status runtimeStatus
}

func newFakeSidecar(t *testing.T) *fakeSidecar {
	t.Helper()
	f := &fakeSidecar{status: runtimeStatus{
		Version: "1.2.3", StartTime: float64(apiNoon)/1000 - 93784, Now: float64(apiNoon) / 1000, GoMaxProcs: 2, Goroutines: 25, HeapBytes: 48 << 20,
		Configuration: "config.yaml", ReloadOK: true, Heartbeat: float64(apiNoon)/1000 - 1, Queue: queueStatus{Length: 3, Capacity: 1000},
		Upstream:      upstreamStatus{URL: "http://localhost:9090", State: "ok"},
		Alertmanagers: []amStatus{{URL: "http://localhost:9093", State: "ok"}, {URL: "http://localhost:9094", State: "failing", Error: "connection refused"}},
	}}
	f.views = fakeViews()
	mux := http.NewServeMux()
	for _, r := range f.views.Routes() {
		mux.HandleFunc(r.Path, r.Serve)
	}
	mux.HandleFunc("/api/v1/status/runtime", func(w http.ResponseWriter, _ *http.Request) { web.Answer(w, f.status, web.Page{}) })
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// fakeSignal describes one of its signals.
func fakeSignal(name, typ, unit string) views.Signal {
	return views.Signal{
		SignalInfo: rules.SignalInfo{Name: name, Type: typ, Unit: unit, Query: name, Every: time.Minute},
		Step:       time.Minute, FitEvery: 6 * time.Hour, History: 28 * 24 * time.Hour,
		Horizons: []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}, Level: 0.9, Budget: "1/week",
	}
}

// fakeResult is about one series around a level with a daily wave.
func fakeResult(slot int64, level, confidence, score float64, ls ...string) series.Result {
	wave := func(t int64) float64 {
		return level * (1 + 0.4*math.Sin(2*math.Pi*float64(t)/(24*3600*1000)))
	}
	f := &series.Forecast{
		Band:  series.Band{Start: apiNoon, Step: 3_600_000, Level: 0.9, Coverage: 0.9},
		Model: "auto", Members: []series.Member{{Name: "hour_of_day_median_7d", Weight: 0.6}, {Name: "naive", Weight: 0.4}},
		Accuracy: series.Accuracy{MASE: 0.7, NaiveMASE: 1, Skill: 0.3, Coverage: 0.91, Origins: 4}, Confidence: confidence,
	}
	for i := range int64(190) {
		y := wave(apiNoon + i*3_600_000)
		f.Point, f.Lower, f.Upper = append(f.Point, y), append(f.Lower, 0.8*y), append(f.Upper, 1.25*y)
	}
	r := series.Result{
		Signal: "", SourceName: "", Labels: labels.FromStrings(ls...), Slot: slot, Time: slot - 60_000, Observed: wave(slot) * (1 + score/2),
		Forecast: f, Horizons: nil,
		Score:    &series.Score{Observed: wave(slot) * (1 + score/2), Expected: wave(slot), Lower: 0.8 * level, Upper: 1.2 * level, Value: score, Confidence: confidence, Type: ""},
		Findings: nil, Past: nil, BudgetSpent: 0.1, Warnings: nil,
	}
	for i, h := range []int{1, 24, 168} {
		r.Horizons = append(r.Horizons, series.Horizon{
			Horizon: time.Duration(h) * time.Hour, Value: f.Point[h], Lower: f.Lower[h], Upper: f.Upper[h], Peak: 1.4 * level,
		})
		if i == 2 && confidence < 0.4 { // too little is known for a bound
			r.Horizons[i].Lower, r.Horizons[i].Upper = math.NaN(), math.NaN()
		}
	}
	return r
}

func fakeViews() *views.Views {
	score := func(err string) map[pipeline.Pass]pipeline.PassStatus {
		return map[pipeline.Pass]pipeline.PassStatus{pipeline.Score: {
			Slot: apiNoon, Ended: time.UnixMilli(apiNoon + 700), Took: 180 * time.Millisecond, Err: err, Reason: "", Next: time.UnixMilli(apiNoon + 60_000),
		}}
	}
	v := views.New(views.Options{Version: "1.2.3", Status: func() []pipeline.Status {
		return []pipeline.Status{
			{Name: "checkout_cpu", Slot: apiNoon, Fitted: true, Passes: score("")},
			{Name: "node_memory", Slot: apiNoon, Fitted: true, Passes: score("")},
			{Name: "queue_depth", Slot: 0, Fitted: false, Passes: nil},
			{Name: "request_latency", Slot: apiNoon, Fitted: true, Passes: score(`query "request_latency": HTTP 503: too many queries`)},
			{Name: "spend", Slot: apiNoon, Fitted: true, Passes: score("")},
		}
	}})
	v.SetSignals(map[string]views.Signal{
		"checkout_cpu": fakeSignal("checkout_cpu", "resource", "cores"), "node_memory": fakeSignal("node_memory", "resource", "bytes"),
		"queue_depth": fakeSignal("queue_depth", "performance", ""), "request_latency": fakeSignal("request_latency", "performance", "seconds"),
		"spend": fakeSignal("spend", "cost", "USD"),
	})
	finding := func(id, typ, severity string, start, end int64, peak float64, r *series.Result) series.Finding {
		return series.Finding{ID: id, Type: typ, Severity: severity, Start: start, End: end, Peak: peak, Confidence: 0.75, Score: *r.Score, Worst: *r.Score, WorstAt: start}
	}
	for i := range int64(24) {
		slot := apiNoon - (23-i)*60_000
		burst := 0.2
		if i > 18 {
			burst = float64(i-18) * 0.8
		}
		latency := fakeResult(slot, 0.045, 0.85, burst, "route", "/pay", "instance", "10.0.0.7:8080")
		hostile := fakeResult(slot, 0.06, 0.3, 0.4, "route", "/\x1b[2J\x1b[Hsearch\u009b31m\u202e", "instance", "10.0.0.7:8080")
		pods := []series.Result{
			fakeResult(slot, 1.5, 0.72, 0.31, "namespace", "shop", "pod", "checkout-6d5f7c9b8-abcde"),
			fakeResult(slot, 1.7, 0.65, 0.12, "namespace", "shop", "pod", "checkout-6d5f7c9b8-fghij"),
			fakeResult(slot, 0.02, 0.35, math.NaN(), "namespace", "shop", "pod", "canary-0"),
		}
		if i == 23 {
			latency.Findings = []series.Finding{finding("1f0c7a9be2d34c55", series.TypeSpike, series.SeverityCritical, apiNoon-4*60_000, 0, 4, &latency)}
			pods[0].Findings = []series.Finding{finding("8b1de0c2a4f6e911", series.TypeLevelShift, series.SeverityWarning, apiNoon-3*60_000, 0, 1.4, &pods[0])}
			pods[2].Past = []series.Finding{finding("02c3d9aa17be4f08", series.TypeDrop, series.SeverityInfo, apiNoon-9*3_600_000, apiNoon-8*3_600_000, 1.2, &pods[1])}
			pods[2].Warnings = []error{errors.New("3 seasons seen, want 10")}
		}
		ctx := context.Background()
		_ = v.Write(ctx, "checkout_cpu", slot, pods)
		_ = v.Write(ctx, "node_memory", slot, []series.Result{
			fakeResult(slot, 5.3e9, 0.81, 0.05, "instance", "web-1:9100"), fakeResult(slot, 9.1e9, 0.55, 0.6, "instance", "web-2:9100"),
		})
		_ = v.Write(ctx, "request_latency", slot, []series.Result{latency, hostile})
		cost := fakeResult(slot, 1234, 0.6, 0, "team", "shop")
		cost.Score = nil
		_ = v.Write(ctx, "spend", slot, []series.Result{cost})
	}
	return v
}

// TestFakeSidecar makes sure that the sidecar the other tests ask has something
// to say.
func TestFakeSidecar(t *testing.T) {
	f := newFakeSidecar(t)
	for path, want := range map[string]int{"predictions": 24, "anomalies": 3, "signals": 5} {
		var got []map[string]any
		cl := (&sidecarFlags{Address: f.URL}).client(&env{})
		if _, total, err := cl.get(context.Background(), path, nil, &got); err != nil || len(got) != want || total != want {
			t.Error(fmt.Sprint(path, ": ", len(got), total, err))
		}
	}
}
