package engine

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask sends one request and returns its status and body.
func ask(t *testing.T, e *Engine, method, path string, form url.Values) (int, string) {
	t.Helper()
	var r *http.Request
	if method == http.MethodPost {
		r = httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r = httptest.NewRequestWithContext(t.Context(), method, path+"?"+form.Encode(), nil)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	body := w.Body.String()
	if strings.HasPrefix(path, "/api/v1/") && w.Code != 404 && w.Code != 405 {
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: type %q", path, got)
		}
		if !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON: %s", path, body)
		}
	}
	return w.Code, strings.TrimSpace(body)
}

// form makes form values of name=value pairs.
func form(t *testing.T, s string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAPI has the answers of Prometheus 3.15 to the same requests.
func TestAPI(t *testing.T) {
	e := filled(t, 60, Options{})
	e.now = func() time.Time { return time.UnixMilli(start + 30*minute) }
	const at = "1699999980" // start + 0: a whole minute
	f := func(path, params string, code int, want string) {
		t.Helper()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got, body := ask(t, e, method, "/api/v1/"+path, form(t, params))
			if got != code || !strings.Contains(body, want) {
				t.Errorf("%s %s %s: %d %s\nwant %d %s", method, path, params, got, body, code, want)
			}
		}
	}
	f("query", "query=load&time="+at, 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"load","host":"a","name":"gr\"ün"},"value":[1699999980,"10"]}]}}`)
	f("query", "query=requests_total", 200, `"value":[1700001780,"900"]`)
	f("query", "query=1e-7", 200, `{"resultType":"scalar","result":[1700001780,"1e-07"]}`)
	f("query", "query=1e300*-1e300&time=-1.5", 200, `[-1.500,"-Inf"]`)
	f("query", "query=0/0&time=1.25", 200, `[1.250,"NaN"]`)
	f("query", "query=%22a%5C%22b%22&time=2023-11-14T22:13:00Z", 200, `{"resultType":"string","result":[1699999980,"a\"b"]}`)
	f("query", "query=load[2m]&time=1700000040", 200, `"values":[[1699999980,"10"],[1700000040,"10.142857142857142"]]`)
	f("query", "query={__name__=~%22.%2B%22}&limit=1", 200, `"warnings":["results truncated due to limit"]`)
	f("query", "query=rate(load[5m])", 200, `"infos":["PromQL info: metric might not be a counter`)
	f("query_range", "query=load&start="+at+"&end=1700000100&step=60", 200, `{"resultType":"matrix","result":[{"metric":{"__name__":"load","host":"a","name":"gr\"ün"},"values":[[1699999980,"10"],[1700000040,"10.142857142857142"],[1700000100,"10.285714285714286"]]}]}}`)
	f("query_range", "query=load&start="+at+"&end=1700000100&step=1m&limit=1&lookback_delta=1s", 200, `"matrix"`)
	f("query_range", "query={__name__=~%22.%2B%22}&start="+at+"&end=1700000100&step=1m&limit=1", 200, `truncated`)
	f("query_range", "query=no_such_metric&start=0&end=1&step=1", 200, `"result":[]`)
	f("query_range", "query=up&start=0&end=11000&step=1", 200, `success`)
	f("query_range", "query=up&start=0&end=11001&step=1", 400, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}`)

	f("query", "query=sum(", 400, `"errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: `)
	f("query", "query=up&time=noon", 400, `invalid parameter \"time\": cannot parse \"noon\" to a valid timestamp`)
	f("query", "query=up&time=NaN", 400, `bad_data`)
	f("query", "query=up&time=1e300", 400, `bad_data`)
	f("query", "query=up&timeout=soon", 400, `invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration`)
	f("query", "query=up&lookback_delta=x", 400, `bad_data`)
	f("query", "query=up&limit=-1", 400, `limit must be non-negative`)
	f("query", "query=up&limit=x", 400, `bad_data`)
	f("query", "", 400, `bad_data`)
	f("query_range", "query=up&end=1&step=1", 400, `invalid parameter \"start\": cannot parse \"\" to a valid timestamp`)
	f("query_range", "query=up&start=1&step=1", 400, `invalid parameter \"end\"`)
	f("query_range", "query=up&start=0&end=1&step=0", 400, `zero or negative query resolution step widths are not accepted. Try a positive integer`)
	f("query_range", "query=up&start=0&end=1&step=1e300", 400, `It overflows int64`)
	f("query_range", "query=up&start=0&end=1", 400, `invalid parameter \"step\"`)
	f("query_range", "query=up&start=2&end=1&step=1", 400, `end timestamp must not be before start time`)
	f("query_range", "query=up&start=0&end=1&step=1&limit=x", 400, `bad_data`)
	f("query_range", "query=up&start=0&end=1&step=1&timeout=x", 400, `bad_data`)
	f("query_range", "query=((&start=0&end=1&step=1", 400, `parse error`)
	f("query", "query=load%2Bon()load%2Bon()(load%20or%20requests_total)", 422, `"errorType":"execution"`)
	f("query", "query=load&timeout=0", 503, `"errorType":"timeout"`)

	f("labels", "", 200, `{"status":"success","data":["__name__","code","host","name"]}`)
	f("labels", "match[]=load&limit=2", 200, `"data":["__name__","host"],"warnings":["results truncated due to limit"]`)
	f("labels", "start=9e9&end=9.1e9", 200, `"data":[]`)
	f("labels", "limit=x", 400, `bad_data`)
	f("labels", "start=x", 400, `bad_data`)
	f("labels", "end=x", 400, `bad_data`)
	f("labels", "match[]=%7B%7D", 400, `match[] must contain at least one non-empty matcher`)
	f("label/__name__/values", "", 200, `"data":["load","requests_total"]`)
	f("label/code/values", "match[]=load", 200, `"data":[]`)
	f("label/code/values", "match[]=load&match[]=requests_total", 200, `"data":["200"]`)
	f("label/U__gr_fc_n/values", "", 200, `"data":[]`)
	f("label/%ff/values", "", 400, `invalid label name`)
	f("series", "match[]=requests_total", 200, `"data":[{"__name__":"requests_total","code":"200"}]`)
	f("series", "match[]=load&match[]=requests_total&limit=1", 200, `"warnings":["results truncated due to limit"]`)
	f("series", "", 400, `no match[] parameter provided`)
	f("series", "match[]=(", 400, `bad_data`)
	f("series", "match[]=up&limit=x", 400, `bad_data`)
	f("series", "match[]=up&end=x", 400, `bad_data`)
	f("metadata", "", 200, `"data":{}`)
	f("rules", "", 200, `"data":{"groups":[]}`)
	f("query_exemplars", "", 200, `"data":[]`)
	f("status/buildinfo", "", 200, `"version":"3.15.0"`)
}

func TestAPIOther(t *testing.T) {
	e := open(t, Options{})
	for path, want := range map[string]int{"/": 200, "/-/healthy": 200, "/-/ready": 200, "/api/v1/admin/tsdb/snapshot": 404, "/x": 404} {
		if got, _ := ask(t, e, http.MethodGet, path, nil); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got, _ := ask(t, e, http.MethodDelete, "/api/v1/series", nil); got != 405 {
		t.Errorf("DELETE: %d", got)
	}
	if got, body := ask(t, e, http.MethodPost, "/api/v1/query", url.Values{"query": {strings.Repeat("x", maxForm)}}); got != 400 || !strings.Contains(body, "larger than 1 MiB") {
		t.Errorf("2 MiB: %d %s", got, body)
	}
	if got, body := ask(t, e, http.MethodGet, "/api/v1/query?query=%zz&x", nil); got != 400 || !strings.Contains(body, "bad_data") {
		t.Errorf("bad escape: %d %s", got, body)
	}
}

// TestCanceled has a client that went away, and storage that was closed.
func TestCanceled(t *testing.T) {
	e := filled(t, 10, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for path, want := range map[string]string{
		"/api/v1/query?query=load":              "canceled",
		"/api/v1/label/code/values":             "success", // too quick to notice
		"/api/v1/series?match[]=requests_total": "c",
	} {
		w := httptest.NewRecorder()
		e.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, c := range []struct {
		err  error
		want string
	}{{context.Canceled, "canceled"}, {context.DeadlineExceeded, "timeout"}, {badParam("x", context.Canceled), "bad_data"}, {http.ErrBodyNotAllowed, "execution"}} {
		if got := classify(c.err); got.typ != c.want {
			t.Errorf("%v is %s, want %s", c.err, got.typ, c.want)
		}
	}
}
