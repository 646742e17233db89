package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

// TestPerformanceLive: what a sidecar measured is shown beside what was held out, and by
// horizon; without a sidecar it says that nothing is judged.
func TestPerformanceLive(t *testing.T) {
	examples(t)
	upid(t, "", "train resource_prediction --training-data data.json --epochs 40").want(t, exitOK, "saved as")
	o := upid(t, "", "performance resource_prediction")
	o.want(t, exitOK)
	for _, text := range []string{"No sidecar runs on this data directory", "Drift of the rows judged on (PSI", "trained 20", "1,560 rows of data.json"} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("without a sidecar it lacks %q:\n%s", text, o.stdout)
		}
	}

	number := func(v float64) *float64 { return &v }
	service := models.NewService(models.ServiceOptions{
		Registry: models.NewRegistry("data", nil), Now: time.Now,
		Signals: func(typ string) []models.SignalLive {
			if typ != features.ResourcePrediction {
				return nil
			}
			return []models.SignalLive{
				{Signal: "checkout_cpu", Stage: "active", Horizon: "1h", Forecasts: 240, MASE: number(0.41), Skill: number(0.52), Coverage: number(0.91)},
				{Signal: "checkout_cpu", Stage: "active", Horizon: "7d", Forecasts: 12},
				{Signal: "queue", Stage: "active", Horizon: "1d", Forecasts: 30, Skill: number(0), Demoted: "worse than the seasonal naive forecast"},
			}
		},
	})
	mux := http.NewServeMux()
	for _, r := range service.Routes() {
		mux.HandleFunc(r.Path, r.Serve)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	o = upid(t, "", "performance resource_prediction --address "+server.URL)
	o.want(t, exitOK)
	for _, text := range []string{"v1 *", "No version was judged live yet", "published forecasts", "checkout_cpu  active", "0.520", "queue is demoted: worse than", "SKILL is against the naive prediction of the same rows; MASE", "Figures come with 20 judged forecasts."} {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("with a sidecar it lacks %q:\n%s", text, o.stdout)
		}
	}
	o = upid(t, "", "performance resource_prediction -o json --address "+server.URL)
	o.want(t, exitOK)
	var ps []models.Performance
	if err := json.Unmarshal([]byte(o.stdout), &ps); err != nil || len(ps) != 1 || len(ps[0].Versions) != 1 || len(ps[0].Signals) != 3 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	r := ps[0].Versions[0].Targets[0].Report
	if len(r.Drift) != 12 || len(r.Calibration) != 6 || len(r.Tried) != 2 || r.Metrics["residual_drift"] == 0 {
		t.Errorf("%+v", r)
	}
	// A type of which nothing is trained has the live figures of its signals.
	if err := os.RemoveAll("data/models"); err != nil {
		t.Fatal(err)
	}
	o = upid(t, "", "performance resource_prediction --address "+server.URL)
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "no version is trained") || !strings.Contains(o.stdout, "checkout_cpu") {
		t.Errorf("%s", o.stdout)
	}
	upid(t, "", "performance cost_optimization --address "+server.URL).want(t, exitFailure, "no such model version")
	upid(t, "", "performance resource_prediction --address http://127.0.0.1:1").want(t, exitUnreachable, "no sidecar answers")
	upid(t, "", "performance resource_prediction --address nonsense").want(t, exitUsage, "--address")
}

// TestLiveTables: what a version did on what came.
func TestLiveTables(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	var out strings.Builder
	e := &env{stdout: &out, stderr: &out, loc: time.UTC}
	err := liveTables(e, models.Performance{Signals: []models.SignalLive{}, Live: &models.Judged{
		At: 1.79e9, Drift: "v3: the interval held 60 %",
		Live: []models.Live{
			{Version: "v3", Stage: "active", Target: "cpu", Rows: 500, Times: 40, Skill: number(0.2), MASE: number(0.8), SMAPE: number(12), Coverage: number(0.91), Bias: number(-0.1), Residual: number(1.05), Verdict: models.Better},
			{Version: "v3", Stage: "active", Target: "memory", Verdict: models.Open, Demoted: "worse than the naive prediction on what came"},
		},
		Features: []models.Drift{{Feature: "cpu_usage_30d_avg", PSI: 0.61}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2026-09-21", "0.200", "better", "demoted", "memory of v3 is demoted: worse than", "Drift of v3: the interval", "since the active version was trained (PSI, above 0.25 is another population): cpu_usage_30d_avg 0.610", "train again on a longer or newer history"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("it lacks %q:\n%s", text, &out)
		}
	}
}
