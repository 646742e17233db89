package models

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/audit"

	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/rules/recommend"
)

// service serves over an empty data directory and a made-up Prometheus.
func service(t *testing.T) (*Service, func(method, path, body string, to any) int) {
	t.Helper()
	began := time.Now()
	now := func() time.Time { return until.Add(time.Since(began)) } // what can be learned does not depend on the day
	s := NewService(ServiceOptions{Registry: NewRegistry(t.TempDir(), nil), Trail: audit.New(filepath.Join(t.TempDir(), audit.FileName)), Querier: driven(12), Build: "test", Now: now, Location: time.UTC})
	t.Cleanup(s.runs.close)
	mux := http.NewServeMux()
	for _, r := range s.Routes() {
		for _, m := range r.Methods {
			mux.HandleFunc(m+" "+r.Path, r.Serve)
		}
	}
	return s, func(method, path, body string, to any) int {
		t.Helper()
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
		var e struct {
			Status, Error string
			Data          json.RawMessage
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, rec.Body)
		}
		if text, ok := to.(*string); ok {
			*text = e.Error
		} else if to != nil {
			if err := json.Unmarshal(e.Data, to); err != nil {
				t.Fatalf("%s %s: %v: %s", method, path, err, rec.Body)
			}
		}
		return rec.Code
	}
}

// rowsJSON are n rows whose target is near a and can be learned.
func rowsJSON(n int) string {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []string
	for range n {
		a, b := 10+r.Float64(), r.NormFloat64()
		rows = append(rows, fmt.Sprintf(`{"a":%v,"b":%v,"target":%v}`, a, b, a+b*b+0.1*r.NormFloat64()))
	}
	return "[" + strings.Join(rows, ",") + "]"
}

// wait waits for the end of a run.
func wait(t *testing.T, ask func(string, string, string, any) int, id string) Run {
	t.Helper()
	for range 3000 {
		var run Run
		if code := ask("GET", "/api/v1/training/"+id, "", &run); code != http.StatusOK {
			t.Fatalf("%s: %d", id, code)
		}
		if run.State != Running {
			return run
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it never ends")
	return Run{}
}

func TestServiceTrainsAndPredicts(t *testing.T) {
	s, ask := service(t)
	var run Run
	if code := ask("POST", "/api/v1/models/cost_optimization/train?epochs=40", rowsJSON(500), &run); code != http.StatusAccepted || run.ID == "" || run.State != Running {
		t.Fatalf("%d, %+v", code, run)
	}
	run = wait(t, ask, run.ID)
	if run.State != Saved || run.Version != "v1" || len(run.Result) != 1 || run.EndedAt == nil || run.Epoch == 0 || run.HeldOut == nil {
		t.Fatalf("%+v", run)
	}
	var ps []Prediction
	body := `{"model_type":"cost_optimization","features":[{"b":0,"a":10.5},{"a":10.5,"b":2}]}`
	if code := ask("POST", "/api/v1/predict", body, &ps); code != http.StatusOK || len(ps) != 2 || !(*ps[1].Value > *ps[0].Value+1) {
		t.Errorf("%d, %+v", code, ps)
	}
	// From the server, without a body.
	if code := ask("POST", "/api/v1/models/resource_prediction/train?epochs=60", "", &run); code != http.StatusAccepted {
		t.Fatalf("%d", code)
	}
	if run = wait(t, ask, run.ID); run.State != Saved || len(run.Result) != 4 {
		t.Errorf("%+v", run)
	}
	// With advice on scaling, once a row.
	body = `{"model_type":"resource_prediction","policy":"cost","features":[{"features":{"cpu_usage_24h_avg":1},"container":{` + sized + `, ` + history(14, 0.2, 5e8) + `}},{"cpu_usage_24h_avg":1}]}`
	if code := ask("POST", "/api/v1/predict", body, &ps); code != http.StatusOK || len(ps) != 8 {
		t.Fatalf("%d, %+v", code, ps)
	}
	for i, p := range ps {
		if (p.Scaling != nil) != (i%4 == 0) {
			t.Errorf("prediction %d: advice %+v", i, p.Scaling)
		}
	}
	if r := ps[0].Scaling; r.State != "open" || !(r.Recommended["cpu_request_cores"] < 1) || ps[4].Scaling.State != "blocked" {
		t.Errorf("%+v and %+v", r, ps[4].Scaling)
	}
	// What is known of a container that is named was sized by the configured policy, and is no answer for another.
	kept := recommend.New(recommend.RightSize, recommend.Target{Kind: "Deployment", Name: "cart", Container: "app"}, "")
	kept.State = recommend.StateKept
	s.o.Known = func(id string) (json.RawMessage, bool) {
		b, err := json.Marshal(kept)
		return b, err == nil && id == kept.ID
	}
	for policy, want := range map[string]recommend.State{"": recommend.StateKept, "safe": recommend.StateBlocked} {
		s.SizeBy("cost")
		body = fmt.Sprintf(`{"model_type":"resource_prediction","policy":%q,"features":{"features":{"cpu_usage_24h_avg":1},"container":{"kind":"Deployment","workload":"cart","name":"app"}}}`, policy)
		if code := ask("POST", "/api/v1/predict", body, &ps); code != http.StatusOK || ps[0].Scaling.State != want {
			t.Errorf("policy %q: %d, %+v, want %s", policy, code, ps[0].Scaling, want)
		}
	}
	var refused string
	if code := ask("POST", "/api/v1/predict", `{"model_type":"resource_prediction","policy":"brave","features":{"cpu_usage_24h_avg":1}}`, &refused); code != http.StatusBadRequest || !strings.Contains(refused, "brave") {
		t.Errorf("%d %s", code, refused)
	}
	var records []Record
	if code := ask("GET", "/api/v1/models", "", &records); code != http.StatusOK || len(records) != 2 {
		t.Errorf("%d, %d records", code, len(records))
	}
	var perf []Performance
	if code := ask("GET", "/api/v1/performance?model_type=cost_optimization", "", &perf); code != http.StatusOK || len(perf) != 1 || len(perf[0].Versions) != 1 || perf[0].Versions[0].State != Active {
		t.Errorf("%d, %+v", code, perf)
	}
}

// TestServiceOneTraining: a second training is refused while one runs; it can be
// cancelled, and leaves nothing.
func TestServiceOneTraining(t *testing.T) {
	s, ask := service(t)
	var run, same Run
	if code := ask("POST", "/api/v1/models/cost_optimization/train?epochs=10000&algorithm=network", rowsJSON(5000), &run); code != http.StatusAccepted {
		t.Fatalf("%d", code)
	}
	var why string
	if code := ask("POST", "/api/v1/models/cost_optimization/train", rowsJSON(200), &why); code != http.StatusConflict || !strings.Contains(why, run.ID) {
		t.Errorf("%d: %s", code, why)
	}
	if code := ask("POST", "/api/v1/training/"+run.ID+"/cancel", "", &same); code != http.StatusOK || same.State != Cancelled || same.ID != run.ID {
		t.Errorf("%d: %+v", code, same)
	}
	if code := ask("POST", "/api/v1/training/"+run.ID+"/cancel", "", &why); code != http.StatusConflict {
		t.Errorf("cancelled twice: %d", code)
	}
	if records, err := s.o.Registry.Records(features.CostOptimization); err != nil || len(records) != 0 {
		t.Errorf("%d versions, %v", len(records), err)
	}
	s.runs.close()
	if code := ask("POST", "/api/v1/models/cost_optimization/train", rowsJSON(200), &why); code != http.StatusServiceUnavailable {
		t.Errorf("while it stops: %d", code)
	}
}

// wide are n fields of a row.
func wide(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"f%d":1`, i)
	}
	return strings.Join(fields, ",")
}

func TestServiceRefuses(t *testing.T) {
	_, ask := service(t)
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"POST", "/api/v1/predict", "", 400, "the body"},
		{"POST", "/api/v1/predict", `{"model_type":"none","features":{"a":1}}`, 400, "want one of resource_prediction"},
		{"POST", "/api/v1/predict", `{"model_type":"cost_optimization","features":{"a":1}}`, 404, "no such model version"},
		{"POST", "/api/v1/predict", `{"model_type":"cost_optimization","features":{"a":1e999}}`, 400, "finite"},
		{"POST", "/api/v1/predict", `{"model_type":"cost_optimization","colour":1}`, 400, "colour"},
		{"POST", "/api/v1/predict", `{"model_type":"cost_optimization","features":[{"a":1}` + strings.Repeat(",{}", 1000) + `]}`, 400, "more than 1000 rows"},
		{"POST", "/api/v1/predict", `{"model_type":"cost_optimization","features":[{` + wide(512) + `}` + strings.Repeat(",{}", 999) + `]}`, 400, "more than 100000 cells"},
		{"POST", "/api/v1/predict?a=1", `{}`, 400, "want none"},
		{"GET", "/api/v1/models?model_type=none", "", 400, "model_type"},
		{"GET", "/api/v1/models?zzz=1", "", 400, "want one of model_type"},
		{"POST", "/api/v1/models/none/train", "", 404, "want one of"},
		{"POST", "/api/v1/models/security_threat/train", "", 400, "labelled"},
		{"POST", "/api/v1/models/cost_optimization/train?epochs=0&seed=x&force=perhaps&algorithm=magic", "", 400, "force"},
		{"GET", "/api/v1/training/none", "", 404, "no such training"},
		{"POST", "/api/v1/training/none/cancel", "", 404, "no such training"},
	} {
		var why string
		if code := ask(c.method, c.path, c.body, &why); code != c.code || !strings.Contains(why, c.says) {
			t.Errorf("%s %s %s: %d %q, want %d %q", c.method, c.path, c.body, code, why, c.code, c.says)
		}
	}
	var run Run
	for body, want := range map[string]struct{ state, says string }{
		`[{"a":1,"target":1}]`: {Failed, "Give more rows"},
		`no rows`:              {Failed, "there is no row"},
		`[{` + wide(512) + `}` + strings.Repeat(",{}", 10_000) + `]`: {Failed, "more than 4194304 cells"},
	} {
		if code := ask("POST", "/api/v1/models/cost_optimization/train", body, &run); code != http.StatusAccepted {
			t.Fatalf("%d", code)
		}
		if run = wait(t, ask, run.ID); run.State != want.state || !strings.Contains(run.Error, want.says) {
			t.Errorf("%s: %+v", body, run)
		}
	}
}

// BenchmarkPredict is the goal of a prediction in the server within 1 ms, reading and
// writing JSON included.
func BenchmarkPredict(b *testing.B) {
	registry := NewRegistry(b.TempDir(), nil)
	rows, err := Extract(b.Context(), cluster(20), Extraction{
		ModelType: features.ResourcePrediction, From: until.AddDate(0, 0, -60).UnixMilli(), To: until.UnixMilli(), Every: 12 * time.Hour, Location: time.UTC,
	})
	if err != nil {
		b.Fatal(err)
	}
	v, err := Train(b.Context(), Training{ModelType: features.ResourcePrediction, Rows: rows, Epochs: 100, Horizon: -1, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	put(b, registry, v)
	s := NewService(ServiceOptions{Registry: registry, Trail: audit.New(filepath.Join(b.TempDir(), audit.FileName)), Now: time.Now, Location: time.UTC})
	var serve http.HandlerFunc
	for _, r := range s.Routes() {
		if r.Name == "api_predict" {
			serve = r.Serve
		}
	}
	body := `{"model_type":"resource_prediction","features":{`
	for j, f := range rows.Features {
		if j > 0 {
			body += ","
		}
		body += fmt.Sprintf("%q:1.5", f)
	}
	body += "}}"
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		serve(rec, httptest.NewRequest("POST", "/api/v1/predict", strings.NewReader(body)))
		if rec.Code != http.StatusOK {
			b.Fatal(rec.Body)
		}
	}
}
