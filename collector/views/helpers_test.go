package views

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/rules"
)

var nan = math.NaN()

// noon is 2023-11-13T12:00:00Z.
const (
	noon   int64 = 1_699_876_800_000
	minute int64 = 60_000
	hour         = 60 * minute
)

// configured returns a signal of the given type.
func configured(name, typ, unit string) Signal {
	return Signal{
		SignalInfo: rules.SignalInfo{
			Name: name, Type: typ, Unit: unit, Query: "sum by (pod) (rate(x_total[5m]))", Every: time.Minute,
			PrometheusURL: "http://localhost:9090", RunbookURL: "", Muted: false,
		},
		Step: time.Minute, FitEvery: 6 * time.Hour, History: 28 * 24 * time.Hour,
		Horizons: []time.Duration{time.Hour, 24 * time.Hour}, Level: 0.9, Budget: "1/week",
	}
}

// forecast is one of a day in hours that rises by 1 an hour from level, with a
// confidence.
func forecast(level, confidence float64) *series.Forecast {
	f := &series.Forecast{
		Band:  series.Band{Start: noon, Step: hour, Point: nil, Lower: nil, Upper: nil, Level: 0.9, Coverage: 0.875},
		Model: "auto", Members: []series.Member{{Name: "hour_of_day_median_7d", Weight: 0.75}, {Name: "naive", Weight: 0.25}, {Name: "drift", Weight: 0}},
		Accuracy:   series.Accuracy{MASE: 0.5, NaiveMASE: 1, Skill: 0.5, Coverage: 0.875, Origins: 4},
		Confidence: confidence, Warnings: nil,
	}
	for i := range 30 {
		y := level + float64(i)
		f.Point, f.Lower, f.Upper = append(f.Point, y), append(f.Lower, y-2), append(f.Upper, y+2)
	}
	return f
}

// result is one about pod with the forecast f, if there is one, and a score.
func result(pod string, slot int64, f *series.Forecast) series.Result {
	r := series.Result{
		Signal: "cpu", SourceName: "", Labels: labels.FromStrings("namespace", "shop", "pod", pod), Slot: slot, Time: slot - minute, Observed: 10.5,
		Forecast: f, Horizons: nil,
		Score:    &series.Score{Observed: 10.5, Expected: 10, Lower: 8, Upper: 12, Value: 0.25, Confidence: 0.7, Type: ""},
		Findings: nil, Past: nil, BudgetSpent: 0.25, Warnings: nil,
	}
	if f != nil {
		r.Horizons = []series.Horizon{
			{Horizon: time.Hour, Value: f.Point[1], Lower: f.Lower[1], Upper: f.Upper[1], Peak: f.Point[1]},
			{Horizon: 24 * time.Hour, Value: f.Point[24], Lower: nan, Upper: math.Inf(1), Peak: f.Point[24]},
		}
	}
	return r
}

// finding is one of a type that began at start and, unless end is 0, ended.
func finding(id, typ string, start, end int64) series.Finding {
	return series.Finding{
		ID: id, Family: "", Type: typ, Reclassified: "", Severity: series.SeverityWarning, Start: start, End: end, Peak: 2.5, Confidence: 0.75,
		Score: series.Score{Observed: 25, Expected: 10, Lower: 8, Upper: 12, Value: 1.5, Confidence: 0.75, Type: typ}, Stale: false,
		Worst:   series.Score{Observed: 30, Expected: 10, Lower: 8, Upper: 12, Value: 2.5, Confidence: 0.75, Type: typ},
		WorstAt: start,
	}
}

func write(t testing.TB, v *Views, name string, slot int64, rs ...series.Result) {
	t.Helper()
	if err := v.Write(context.Background(), name, slot, rs); err != nil {
		t.Fatal(err)
	}
}

// full returns views of two signals, cpu with a spike that is open and spend
// with cost forecasts, as they are at noon.
func full() *Views {
	v := New(Options{Version: "1.2.3", Status: func() []pipeline.Status {
		return []pipeline.Status{
			{Name: "cpu", Slot: noon, Fitted: true, Passes: map[pipeline.Pass]pipeline.PassStatus{
				pipeline.Score: {Slot: noon, Ended: time.UnixMilli(noon + 1500), Took: 250 * time.Millisecond, Err: "", Reason: "", Next: time.UnixMilli(noon + minute)},
				pipeline.Fit:   {Slot: 0, Ended: time.Time{}, Took: 0, Err: "", Reason: "", Next: time.UnixMilli(noon + hour)},
			}},
			{Name: "gone", Slot: 0, Fitted: false, Passes: nil},
			{Name: "learning", Slot: 0, Fitted: false, Passes: nil},
			{Name: "spend", Slot: 0, Fitted: true, Passes: map[pipeline.Pass]pipeline.PassStatus{
				pipeline.Score: {Slot: noon, Ended: time.UnixMilli(noon), Took: time.Second, Err: "query: HTTP 503", Reason: "server_error", Next: time.Time{}},
			}},
			{Name: "stale", Slot: 0, Fitted: true, Passes: nil},
		}
	}})
	v.SetSignals(map[string]Signal{
		"cpu": configured("cpu", "resource", "cores"), "spend": configured("spend", "cost", "USD"),
		"learning": {SignalInfo: rules.SignalInfo{Name: "learning", Type: "security", Muted: true}, Step: time.Minute},
		"stale":    configured("stale", "resource", ""),
	})
	a, b := forecast(10, 0.7), forecast(20, 0.5)
	for i := range int64(3) {
		slot := noon - (2-i)*minute
		web1, web2 := result("web-1", slot, a), result("web-2", slot, b)
		web1.Observed = 10.5 + float64(i)
		web1.Warnings = []error{errors.New("9 seasons seen, want 10")}
		if i == 2 {
			web1.Findings = []series.Finding{finding("f1", series.TypeSpike, noon-5*minute, 0)}
			web2.Findings = []series.Finding{finding("f2", series.TypeMissing, noon-10*minute, noon-minute)}
			web2.Past = []series.Finding{finding("f3", series.TypeDrop, noon-48*hour, noon-47*hour)}
		}
		_ = v.Write(context.Background(), "cpu", slot, []series.Result{web1, web2})
	}
	cost := result("web-1", noon, forecast(100, 0.9))
	cost.Signal, cost.SourceName, cost.Score = "spend", "node_cost", nil
	_ = v.Write(context.Background(), "spend", noon, []series.Result{cost})
	return v
}

// serve serves v over HTTP as the sidecar does and returns its address.
func serve(t *testing.T, v *Views) string {
	t.Helper()
	s, err := web.New(web.Options{
		ListenAddresses: []string{"127.0.0.1:0"}, Metrics: http.NotFoundHandler(), Routes: v.Routes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Addrs()[0].String()
}

// answer is the envelope.
type answer struct {
	Status, ErrorType, Error string
	Data                     json.RawMessage
	Total, Next              int
}

// ask returns the answer to GET path.
func ask(t *testing.T, base, path string) (int, answer) {
	t.Helper()
	resp, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: type %s", path, ct)
	}
	var a answer
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%s: %v\n%s", path, err, b)
	}
	return resp.StatusCode, a
}

// list asks for a list, which must succeed, and returns the named field of every
// object, and the answer.
func list(t *testing.T, base, path, field string) (string, answer) {
	t.Helper()
	code, a := ask(t, base, path)
	if code != http.StatusOK || a.Status != "success" {
		t.Fatalf("%s: %d %+v", path, code, a)
	}
	var objects []map[string]any
	if err := json.Unmarshal(a.Data, &objects); err != nil || objects == nil {
		t.Fatalf("%s: not a list: %v %s", path, err, a.Data)
	}
	var got []string
	for _, o := range objects {
		got = append(got, fmt.Sprint(o[field]))
	}
	return strings.Join(got, " "), a
}

// golden compares JSON, indented, with testdata/name; UPDATE=1 rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs (UPDATE=1 rewrites it); got\n%s", path, b.String())
	}
}

// first returns the first object of a list.
func first(t *testing.T, data json.RawMessage) []byte {
	t.Helper()
	var objects []json.RawMessage
	if err := json.Unmarshal(data, &objects); err != nil || len(objects) == 0 {
		t.Fatalf("%v in %s", err, data)
	}
	return objects[0]
}
