//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/testserver"
)

// A level is no forecast of a wave of ten minutes that is nearly the same every day: the last
// day is.
const demoteConfig = `
prometheus: {url: %s}
signals:
  - name: wave
    query: wave
    step: 5s
    history: 25h
    forecast: {model: median, horizons: [1m, 70s, 80s, 90s, 100s, 110s, 2m, 130s, 140s, 150s, 160s, 170s], every: 1m}
    detect: {enabled: false}
`

func tenMinutes(at int64) float64 {
	return 100 + 50*math.Sin(2*math.Pi*float64(at)/600) + rand.New(rand.NewPCG(uint64(at), 1)).NormFloat64()
}

// TestBrokenModelIsDemotedLive: on a real Prometheus a model that is no good is demoted
// within 20 judged forecasts, which metrics and the API say, and naive stands in.
func TestBrokenModelIsDemotedLive(t *testing.T) {
	if os.Getenv("UPID_SOAK") == "" {
		t.Skip("waits three minutes for forecasts to come true: make soak runs it, or UPID_SOAK=1")
	}
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "wave %v\n", tenMinutes(time.Now().Unix()))
	}))
	t.Cleanup(target.Close)
	var history bytes.Buffer
	history.WriteString("# TYPE wave gauge\n")
	now := time.Now().Unix()
	for at := now - 25*3600; at < now; at += 5 {
		fmt.Fprintf(&history, "wave{job=\"w\",instance=\"one\"} %v %d\n", tenMinutes(at), at)
	}
	history.WriteString("# EOF\n")
	prom := testserver.Prometheus(t, testserver.Options{OpenMetrics: &history, ScrapeConfigs: scrapeConfigs(scrapeJob{job: "w", url: target.URL, instance: "one"})})
	dir, addr := t.TempDir(), freeAddr(t)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), fmt.Appendf(nil, demoteConfig, prom.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	startProcess(t, dir, "start", "--interval", "5", "--web.listen-address", addr, "--shutdown.delay", "100ms")
	metricBecomes(t, addr, "upid_ready 1")
	eventually(t, 2*time.Minute, "the first fit", func() error {
		if v := counter(t, addr, `upid_model_demoted{signal="wave"}`); v != "0" {
			return fmt.Errorf("upid_model_demoted is %q", v)
		}
		return nil
	})
	eventually(t, 4*time.Minute, "the model is demoted", func() error {
		if v := counter(t, addr, `upid_model_demoted{signal="wave"}`); v != "1" {
			return fmt.Errorf("upid_model_demoted is %q", v)
		}
		return nil
	})
	judged := 0.0
	_, page, err := getText("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "upid_model_judged_forecasts{") && strings.Contains(line, `stage="shadow"`) {
			n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			judged += n
		}
	}
	if judged < 12 || judged > 20 {
		t.Errorf("demoted after %v judged forecasts, want 12 to 20", judged)
	}
	metricBecomes(t, addr, `upid_model_info{model_type="resource_prediction",version="`+build().Version+`",stage="active",state="degraded"} 1`)
	if _, body, err := getText("http://" + addr + "/api/v1/signals"); err != nil || !strings.Contains(body, "worse than the seasonal naive forecast") {
		t.Errorf("%v: %s", err, body)
	}
	eventually(t, 90*time.Second, "naive forecasts", func() error {
		_, body, err := getText("http://" + addr + "/api/v1/predictions?model_type=resource_prediction")
		if err == nil && !strings.Contains(body, `"model":"seasonal_naive"`) && !strings.Contains(body, `"model": "seasonal_naive"`) {
			err = fmt.Errorf("%.300s", body)
		}
		return err
	})
}
