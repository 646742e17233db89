package views

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/upid/upid/collector/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGoldenObjects shows each object whole, as a program gets it.
func TestGoldenObjects(t *testing.T) {
	base := serve(t, full())
	f := func(name, path string) {
		t.Helper()
		_, a := list(t, base, path, "id")
		golden(t, name, first(t, a.Data))
	}
	f("prediction.json", "/api/v1/predictions?signal=cpu&horizon=1h&label=pod%3Dweb-1")
	f("score.json", "/api/v1/predictions?model_type=anomaly_detection&label=pod%3Dweb-1")
	f("anomaly.json", "/api/v1/anomalies?state=open")
	code, a := ask(t, base, "/api/v1/signals/cpu")
	if code != http.StatusOK {
		t.Fatalf("%d %+v", code, a)
	}
	golden(t, "signal.json", a.Data)
}

// TestContractFields holds the names that DESIGN fixes: they may not go.
func TestContractFields(t *testing.T) {
	base := serve(t, full())
	f := func(path, fields string) {
		t.Helper()
		_, a := list(t, base, path, "id")
		var object map[string]any
		if err := json.Unmarshal(first(t, a.Data), &object); err != nil {
			t.Fatal(err)
		}
		for name := range strings.SplitSeq(fields, ", ") {
			if _, ok := object[name]; !ok {
				t.Errorf("%s: no %s in %v", path, name, object)
			}
		}
	}
	f("/api/v1/predictions", "id, model_type, signal, labels, slot, horizon, value, lower, upper, unit, confidence, confidence_level, model, model_version, features_used")
	f("/api/v1/anomalies", "id, family, type, severity, confidence, confidence_level, started_at, observed, expected, lower, upper, score, labels, related, description, first_action")
}

func TestPredictionsRoute(t *testing.T) {
	base := serve(t, full())
	f := func(query, field, want string, total, next int) {
		t.Helper()
		got, a := list(t, base, "/api/v1/predictions"+query, field)
		if got != want || a.Total != total || a.Next != next {
			t.Errorf("%s: %q, total %d, next %d; want %q, %d, %d", query, got, a.Total, a.Next, want, total, next)
		}
	}
	f("", "signal", "cpu cpu cpu cpu spend spend", 6, 0)
	f("?limit=4", "horizon", "1h 1d 1h 1d", 6, 4)
	f("?limit=4&offset=4", "signal", "spend spend", 6, 0)
	f("?offset=100", "signal", "", 6, 0)
	f("?model_type=cost_optimization", "signal", "spend spend", 2, 0)
	f("?model_type=resource_prediction", "signal", "cpu cpu cpu cpu", 4, 0)
	f("?model_type=security_threat", "signal", "", 0, 0)
	f("?model_type=anomaly_detection", "score", "0.25 0.25", 2, 0)
	f("?model_type=anomaly_detection&horizon=0s", "horizon", "0s 0s", 2, 0)
	f("?model_type=anomaly_detection&horizon=1h", "horizon", "", 0, 0)
	f("?model_type=anomaly_detection&confidence=very_high", "signal", "", 0, 0)
	// A level is the least that is wanted.
	f("?confidence=low&horizon=1h", "confidence_level", "high medium very_high", 3, 0)
	f("?confidence=high&horizon=1h", "confidence_level", "high very_high", 2, 0)
	f("?confidence=very_high&horizon=1h", "confidence_level", "very_high", 1, 0)
	f("?signal=cpu&horizon=24h", "horizon", "1d 1d", 2, 0)
	f("?signal=cpu&horizon=7d", "horizon", "", 0, 0)
	f("?signal=nothing", "signal", "", 0, 0)
	f("?label=pod=web-2&horizon=1h", "value", "21", 1, 0)
	f("?label=pod=web-1&label=namespace=shop&horizon=1h", "value", "11 101", 2, 0)
	f("?label=source_name=node_cost", "value", "", 0, 0) // it tells nothing apart
	f("?label=absent=", "signal", "cpu cpu cpu cpu spend spend", 6, 0)
	f("?past=false&signal=spend", "signal", "spend spend", 2, 0)
}

// Past predictions are those that a newer fit superseded, as they were last said.
func TestPastPredictionsRoute(t *testing.T) {
	v := full()
	base := serve(t, v)
	f := func(query, field, want string, total, next int) {
		t.Helper()
		got, a := list(t, base, "/api/v1/predictions"+query, field)
		if got != want || a.Total != total || a.Next != next {
			t.Errorf("%s: %q, total %d, next %d; want %q, %d, %d", query, got, a.Total, a.Next, want, total, next)
		}
	}
	f("?past=true", "signal", "", 0, 0) // each fit is the first of its series
	again := result("web-1", noon+minute, v.tasks["spend"].results[0].Forecast)
	again.Score = nil
	write(t, v, "spend", noon+minute, again)
	f("?past=true", "signal", "", 0, 0) // and is that still

	write(t, v, "cpu", noon+2*minute, result("web-1", noon+2*minute, forecast(50, 0.7)), result("web-2", noon+2*minute, forecast(60, 0.5)))
	again = result("web-1", noon+3*minute, forecast(200, 0.9))
	write(t, v, "spend", noon+3*minute, again)
	f("?past=true", "signal", "spend spend cpu cpu cpu cpu", 6, 0)
	f("?past=true", "value", "124 101 44 21 34 11", 6, 0)
	f("?past=true&model_type=resource_prediction&limit=1", "signal", "cpu", 4, 1)
	f("?past=true&signal=cpu&horizon=1d&confidence=high", "value", "34", 1, 0)
	f("?past=true&signal=cpu&label=pod=web-2", "signal", "cpu cpu", 2, 0)
	f("?signal=cpu", "value", "51 74 61 84", 4, 0)
	if page, _ := v.Predictions(PredictionFilter{Signal: "spend", Past: true}); page[0].Slot != float64(noon+minute)/1000 {
		t.Errorf("slot %v, want that it was last said in", page[0].Slot)
	}

	// What is too old to be shown is not superseded until there is something newer.
	v.Expire("spend")
	f("?signal=spend", "value", "", 0, 0)
	f("?past=true&signal=spend", "value", "124 101", 2, 0)
	write(t, v, "spend", noon+4*minute, result("web-1", noon+4*minute, forecast(300, 0.9)))
	f("?past=true&signal=spend", "value", "224 201 124 101", 4, 0)
	// Nothing takes the place of a series that is gone.
	write(t, v, "spend", noon+5*minute, result("web-9", noon+5*minute, forecast(400, 0.9)))
	f("?past=true&signal=spend", "value", "224 201 124 101", 4, 0)
}

func TestAnomaliesRoute(t *testing.T) {
	base := serve(t, full())
	f := func(query, want string, total, next int) {
		t.Helper()
		got, a := list(t, base, "/api/v1/anomalies"+query, "id")
		if got != want || a.Total != total || a.Next != next {
			t.Errorf("%s: %q, total %d, next %d; want %q, %d, %d", query, got, a.Total, a.Next, want, total, next)
		}
	}
	f("", "f1 f2 f3", 3, 0)
	f("?limit=1", "f1", 3, 1)
	f("?limit=2&offset=1", "f2 f3", 3, 0)
	f("?state=open", "f1", 1, 0)
	f("?state=ended", "f2 f3", 2, 0)
	f("?type=drop", "f3", 1, 0)
	f("?family=system_failure", "f2", 1, 0)
	f("?family=resource_spike", "f1 f3", 2, 0)
	f("?severity=critical", "", 0, 0)
	f("?signal=cpu&severity=warning", "f1 f2 f3", 3, 0)
	f("?signal=spend", "", 0, 0)
	f("?label=pod=web-2", "f2 f3", 2, 0)
	f("?since=2023-11-13T11:00:00Z", "f1 f2", 2, 0)
	f("?since=1699876740", "f1 f2", 2, 0) // f2 ended just then
	f("?since=1699876740.5", "f1", 1, 0)
}

// What happened at about the same time to series with a label in common may have
// one cause.
func TestRelated(t *testing.T) {
	base := serve(t, full())
	got, _ := list(t, base, "/api/v1/anomalies", "related")
	if want := "[f2] [f1] []"; got != want {
		t.Errorf("related %s, want %s", got, want)
	}
}

func TestSignalsRoute(t *testing.T) {
	base := serve(t, full())
	f := func(path, field, want string, total, next int) {
		t.Helper()
		got, a := list(t, base, path, field)
		if got != want || a.Total != total || a.Next != next {
			t.Errorf("%s: %q, total %d, next %d; want %q, %d, %d", path, got, a.Total, a.Next, want, total, next)
		}
	}
	f("/api/v1/signals", "name", "cpu learning spend stale", 4, 0)
	f("/api/v1/signals", "state", "active learning failing stale", 4, 0)
	f("/api/v1/signals", "alerts", "true false true true", 4, 0)
	f("/api/v1/signals?limit=1&offset=2", "name", "spend", 4, 3)
	f("/api/v1/signals?offset=9", "name", "", 4, 0)
	f("/api/v1/signals/cpu/series", "observed", "12.5 10.5", 2, 0)
	f("/api/v1/signals/cpu/series?label=pod=web-1", "path", "[10.5 11.5 12.5]", 1, 0)
	f("/api/v1/signals/cpu/series?limit=1", "observed", "12.5", 2, 1)
	f("/api/v1/signals/learning/series", "observed", "", 0, 0)
	// A series without a score: its newest point, and nothing that was expected.
	f("/api/v1/signals/spend/series", "observed", "10.5", 1, 0)
	f("/api/v1/signals/spend/series", "path", "[10.5]", 1, 0)
	for _, unknown := range []string{"value", "lower", "upper", "confidence", "score"} {
		f("/api/v1/signals/spend/series", unknown, "<nil>", 1, 0)
	}
	f("/api/v1/signals/spend/series", "model", "", 1, 0)
	f("/api/v1/predictions?model_type=anomaly_detection&signal=spend", "observed", "", 0, 0)
}

func TestRefusals(t *testing.T) {
	base := serve(t, full())
	f := func(path string, code int, errorType string, says ...string) {
		t.Helper()
		got, a := ask(t, base, path)
		if got != code || a.Status != "error" || a.ErrorType != errorType || a.Data != nil {
			t.Errorf("%s: %d %+v, want %d %s", path, got, a, code, errorType)
		}
		for _, s := range says {
			if !strings.Contains(a.Error, s) {
				t.Errorf("%s: error %q lacks %q", path, a.Error, s)
			}
		}
	}
	bad := func(path string, says ...string) { t.Helper(); f(path, http.StatusBadRequest, "bad_data", says...) }
	bad("/api/v1/predictions?model_type=oracle", `model_type: "oracle", want one of resource_prediction, anomaly_detection, security_threat, cost_optimization`)
	bad("/api/v1/predictions?confidence=some", "want one of low, medium, high, very_high")
	bad("/api/v1/predictions?limit=1001", "limit", "from 1 to 1000")
	bad("/api/v1/predictions?limit=0", "from 1 to 1000")
	bad("/api/v1/predictions?limit=-1")
	bad("/api/v1/predictions?limit=9999999999999999999999")
	bad("/api/v1/predictions?offset=-1", "offset")
	bad("/api/v1/predictions?offset=99999999999")
	bad("/api/v1/predictions?horizon=soon", "horizon")
	bad("/api/v1/predictions?horizon=0", "horizon")
	bad("/api/v1/predictions?label=pod", "label", "name=value")
	bad("/api/v1/predictions?label==x", "label")
	bad("/api/v1/predictions?past=perhaps", "past")
	bad("/api/v1/predictions?past=true&model_type=anomaly_detection", "past")
	bad("/api/v1/predictions?signla=cpu", `unknown parameter "signla"`, "signal")
	bad("/api/v1/predictions?signal=cpu&signal=spend", "given 2 times")
	bad("/api/v1/predictions?a=%zz", "query string")
	bad("/api/v1/predictions?a;b", "query string")
	// Every mistake at once.
	bad("/api/v1/anomalies?state=closed&severity=bad&family=x&type=y&since=yesterday&limit=x", "state", "severity", "family", "type", "since", "limit")
	bad("/api/v1/signals?signal=cpu", "unknown parameter")
	bad("/api/v1/signals/cpu?limit=1", "want none")
	bad("/api/v1/signals/cpu/series?limit=x")
	f("/api/v1/signals/nothing", http.StatusNotFound, "not_found", `no signal "nothing"`)
	f("/api/v1/signals/nothing/series", http.StatusNotFound, "not_found")
	f("/api/v1/signals/gone", http.StatusNotFound, "not_found") // it is being replaced
}

// TestRoutesAreForViewers: nothing here changes anything.
func TestRoutesAreForViewers(t *testing.T) {
	v := full()
	for _, r := range v.Routes() {
		if r.Name == "api_threats_purge" { // but this
			if r.Role != web.Operator || !slices.Equal(r.Methods, []string{http.MethodPost}) {
				t.Errorf("%+v", r)
			}
			continue
		}
		if r.Role != web.Viewer || !slices.Equal(r.Methods, []string{http.MethodGet}) || r.Name == "" {
			t.Errorf("%+v", r)
		}
	}
	resp, err := http.Post(serve(t, v)+"/api/v1/predictions", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// A flood of questions must not take the processors from the scoring.
func TestBusy(t *testing.T) {
	v := full()
	for range maxBusy {
		v.busy <- struct{}{}
	}
	ask := func() int {
		rec := httptest.NewRecorder()
		v.Routes()[0].Serve(rec, httptest.NewRequest(http.MethodGet, "/api/v1/signals", nil))
		if rec.Code == http.StatusServiceUnavailable && rec.Header().Get("Retry-After") != "1" {
			t.Error("503 without Retry-After")
		}
		return rec.Code
	}
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
	<-v.busy
	for range 3 { // the place is given back each time
		if code := ask(); code != http.StatusOK {
			t.Errorf("with a place free: %d", code)
		}
	}
}
