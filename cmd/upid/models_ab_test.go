//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/forecast/features"
)

const abConfig = `
prometheus: {url: %s}
signals: [{name: up, query: sum(up), forecast: {enabled: false}}]
models:
  resource_prediction: {every: 365d, source: file, file: rich.csv, lookback: 45d, canary_share: 0.25}
  anomaly_detection: {step: 1h, lookback: 20d}
`

const abWorkloads = 6

// abCPU is the mean use of a workload in an hour, counted from the beginning of the test so
// that it is the same on every day: a wave of two weeks, so that a week later it is on the other
// side of its mean.
func abCPU(w int, hour int64) float64 {
	noise := rand.New(rand.NewPCG(uint64(w), uint64(hour)+1<<40)).NormFloat64()
	return 2 + float64(w) + math.Sin(2*math.Pi*(float64(hour)/24/14+float64(w)/abWorkloads)) + 0.05*noise
}

// abPast answers as the server would have, long before what it keeps.
type abPast struct{ now time.Time }

func (p abPast) Query(_ context.Context, expr string, from, to, step int64) (series.Data, error) {
	var d series.Data
	if expr != features.Bases["cpu"].PromQL {
		return d, nil
	}
	for w := range abWorkloads {
		y := series.Series{Labels: labels.FromStrings("namespace", "shop", "workload", "w"+strconv.Itoa(w)), Start: from, Step: step}
		for t := from; t <= to; t += step {
			y.Values = append(y.Values, abCPU(w, (t-p.now.UnixMilli())/3_600_000))
		}
		d.Series = append(d.Series, y)
	}
	return d, nil
}

// abRows writes rows of the features that keep wants.
func abRows(t *testing.T, path string, now time.Time, keep func(feature string) bool) {
	t.Helper()
	until := now.AddDate(0, 0, -46)
	rows, err := models.Extract(t.Context(), abPast{now}, models.Extraction{
		ModelType: features.ResourcePrediction, From: until.AddDate(0, 0, -110).UnixMilli(), To: until.UnixMilli(), Every: 12 * time.Hour, Location: time.UTC,
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("timestamp")
	for _, name := range rows.Features {
		if keep(name) {
			b.WriteString("," + name)
		}
	}
	b.WriteString(",target_cpu\n")
	for i := range rows.N {
		fmt.Fprint(&b, rows.Times[i]/1000)
		for j, name := range rows.Features {
			if v := rows.Columns[j][i]; keep(name) && math.IsNaN(v) {
				b.WriteString(",")
			} else if keep(name) {
				fmt.Fprintf(&b, ",%g", v)
			}
		}
		fmt.Fprintf(&b, ",%g\n", rows.Values[0][i])
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestABOfModels: on a real Prometheus a type without a version is trained by itself, although
// upid is killed meanwhile; a second version of another is trained, judged live in the shadow,
// made canary by what was found, promoted and rolled back. Metrics, states and the audit trail
// show each step.
func TestABOfModels(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	var history bytes.Buffer
	history.WriteString("# TYPE container_cpu_usage_seconds counter\n")
	now := time.Now().Truncate(time.Hour)
	for w := range abWorkloads {
		total := 0.0
		for at := now.AddDate(0, 0, -58); !at.After(now); at = at.Add(30 * time.Minute) {
			total += 1800 * abCPU(w, (at.Unix()-now.Unix())/3600)
			fmt.Fprintf(&history, "container_cpu_usage_seconds_total{namespace=\"shop\",pod=\"w%d-0\",container=\"app\"} %v %d\n", w, total, at.Unix())
		}
	}
	history.WriteString("# EOF\n")
	prom := testserver.Prometheus(t, testserver.Options{OpenMetrics: &history})
	upidBinary(t) // is built from here
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("config.yaml", fmt.Appendf(nil, abConfig, prom.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	abRows(t, "poor.csv", now, func(f string) bool { return f == "hour_of_day" || f == "day_of_week" })
	abRows(t, "rich.csv", now, func(f string) bool { return !strings.Contains(f, "lag") }) // those of 7 d know the answer
	train := "train resource_prediction --epochs 40 --algorithm trees --training-data "
	upid(t, "", train+"poor.csv --force").want(t, exitOK, "saved as resource_prediction v1; it answers", "")

	addr := freeAddr(t)
	start := func() *process {
		return startProcess(t, dir, "start", "--web.listen-address", addr, "--shutdown.delay", "100ms")
	}
	p := start()
	// What is not there is trained from the server by itself. Killed under way, it begins anew.
	// It takes less than a tenth of a second, so each millisecond is looked at; a step is noted once the next one is told.
	for begun := time.Now(); !strings.Contains(p.log.String(), "msg=training model_type=anomaly_detection step=features"); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatal("no training began")
		}
	}
	p.kill()
	p = start()
	metricBecomes(t, addr, `upid_version_trainings_total{model_type="anomaly_detection",outcome="saved"} 1`)
	metricBecomes(t, addr, `upid_model_info{model_type="anomaly_detection",version="v1",stage="active",state="active"} 1`)
	if !strings.Contains(p.log.String(), "a training was interrupted and begins anew") {
		t.Error("the killed training was not taken up")
	}
	info := func(version, stage string) string {
		return fmt.Sprintf(`upid_model_info{model_type="resource_prediction",version="%s",stage="%s",state="`, version, stage)
	}
	metricBecomes(t, addr, info("v1", "active"))
	metricBecomes(t, addr, `upid_model_info{model_type="cost_optimization",state="untrained"} 1`)
	upid(t, "", "models compare resource_prediction v1 v2").want(t, exitFailure, "no running sidecar has judged both live")

	// Too few times for a verdict on its held-out rows: it goes into the shadow.
	upid(t, "", train+"rich.csv").want(t, exitOK, "saved as resource_prediction v2; v1 still answers", "a verdict takes")
	// There it is better on every time of the last weeks: it becomes the canary.
	var page string
	eventually(t, time.Minute, "v2 is the canary, and judged as such", func() (err error) {
		if _, page, err = getText("http://" + addr + "/metrics"); err == nil && (!strings.Contains(page, info("v2", "canary")+`canary"} 1`) || !strings.Contains(page, `upid_version_skill_ratio{horizon="7d",model_type="resource_prediction",stage="canary"`)) {
			err = errors.New("not on /metrics")
		}
		return err
	})
	if !strings.Contains(p.log.String(), "stage=shadow verdict=better") {
		t.Error("v2 was not compared in the shadow")
	}
	times, needed, loss := 0.0, 0.0, math.NaN()
	predictions := map[string]int{}
	for line := range strings.Lines(page) {
		v, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
		switch {
		case strings.HasPrefix(line, "upid_version_paired_times{"):
			times = v
		case strings.HasPrefix(line, "upid_version_paired_times_needed{"):
			needed = v
		case strings.HasPrefix(line, "upid_version_paired_loss_ratio{"):
			loss = v
		case strings.HasPrefix(line, `upid_version_prediction_value{`):
			predictions[line[strings.Index(line, `stage="`):strings.Index(line, `",target`)]]++
		}
	}
	if !(times >= 60) || !(needed >= 56) || !(loss < 0.5) {
		t.Errorf("v2 beside v1: %v times of %v needed, loss ratio %v", times, needed, loss)
	}
	if predictions[`stage="active`] != abWorkloads || predictions[`stage="canary`]+predictions[`stage="shadow`] != abWorkloads {
		t.Errorf("predictions of the newest time: %v", predictions)
	}
	o := upid(t, "", "models compare resource_prediction v1 v2 -o json")
	o.want(t, exitOK)
	var cs []models.Comparison
	if err := json.Unmarshal([]byte(o.stdout), &cs); err != nil || len(cs) != 1 || cs[0].Verdict != models.Better || float64(cs[0].Times) != times {
		t.Errorf("%v: %s", err, o.stdout)
	}
	o = upid(t, "", "models show resource_prediction")
	o.want(t, exitOK)
	for _, want := range []string{"canary", "Judged live", "v2 (", "beside v1: cpu better", "for 0.25 of the rows, beside v1"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("models show lacks %q:\n%s", want, o.stdout)
		}
	}

	upid(t, "", "models promote resource_prediction v2").want(t, exitOK)
	metricBecomes(t, addr, info("v2", "active"))
	upid(t, "", "models rollback resource_prediction").want(t, exitOK)
	metricBecomes(t, addr, info("v1", "active"))
	o = upid(t, "", "models state resource_prediction -o csv")
	o.want(t, exitOK)
	if !strings.Contains(o.stdout, "resource_prediction,v1,active,") {
		t.Errorf("after the rollback: %s", o.stdout)
	}

	upid(t, "", "models cancel resource_prediction").want(t, exitFailure, "no training of resource_prediction runs")

	var trail []string
	if _, err := audit.Verify(filepath.Join("data", audit.FileName), func(_ audit.Head, e audit.Event) error {
		if !strings.HasPrefix(e.Object, features.ResourcePrediction) {
			return nil
		}
		trail = append(trail, e.Source+" "+e.Action+" "+e.Object+" "+e.Outcome)
		if e.Action == audit.Promote && e.Source == "sidecar" && !strings.Contains(e.Detail, "times (p = ") {
			t.Errorf("the canary was made without saying on how many times: %s", e.Detail)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cli train_start resource_prediction ok", "cli train_end resource_prediction ok", "cli promote resource_prediction/v1 ok",
		"cli train_start resource_prediction ok", "cli train_end resource_prediction ok", "cli promote resource_prediction/v2 ok",
		"sidecar promote resource_prediction/v2 ok", "cli promote resource_prediction/v2 ok", "cli rollback resource_prediction/v2 ok",
	}
	if strings.Join(trail, "\n") != strings.Join(want, "\n") {
		t.Errorf("the trail says\n%s\nwant\n%s", strings.Join(trail, "\n"), strings.Join(want, "\n"))
	}
}
