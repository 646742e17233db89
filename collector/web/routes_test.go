package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/upid/upid/collector"
)

// TestRoles walks the table: every route, method and kind of caller.
func TestRoles(t *testing.T) {
	type caller struct {
		name, remote, host, site string
		lifecycle                bool
		changes                  bool // may use operator and admin routes
	}
	callers := []caller{
		{"local", "127.0.0.1:4711", "localhost:9877", "", true, true},
		{"local over IPv6", "[::1]:4711", "[::1]:9877", "", true, true},
		{"local, mapped", "[::ffff:127.0.0.1]:4711", "127.0.0.1", "none", true, true},
		{"local, closed", "127.0.0.1:4711", "localhost:9877", "", false, false},
		{"remote", "192.0.2.1:4711", "localhost:9877", "", true, false},
		{"no address", "@", "localhost:9877", "", true, false},
		{"another site", "127.0.0.1:4711", "localhost:9877", "cross-site", true, false},
		{"a neighbouring site", "127.0.0.1:4711", "localhost:9877", "same-site", true, false},
		{"a name bound to us", "127.0.0.1:4711", "evil.example:9877", "same-origin", true, false},
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW"}
	for _, c := range callers {
		s := server(t, Options{EnableLifecycle: c.lifecycle})
		s.up.Store(true)
		h := s.Handler()
		if len(s.Routes()) != 6 {
			t.Fatalf("%d routes, want 6", len(s.Routes()))
		}
		for _, rt := range s.Routes() {
			for _, method := range methods {
				path := strings.TrimSuffix(rt.Path, "{$}")
				req := httptest.NewRequest("GET", path, nil)
				req.Method, req.RemoteAddr, req.Host = method, c.remote, c.host
				if c.site != "" {
					req.Header.Set("Sec-Fetch-Site", c.site)
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, req)

				want, allow := http.StatusMethodNotAllowed, "GET, HEAD"
				reads := rt.Methods[0] == "GET" && (method == "GET" || method == "HEAD")
				if rt.Methods[0] == "POST" {
					allow = "POST"
				}
				switch {
				case reads:
					want = http.StatusOK
				case rt.Methods[0] == "POST" && method == "POST" && c.changes:
					want = http.StatusOK
				case rt.Methods[0] == "POST" && method == "POST":
					want = http.StatusForbidden
				}
				if rec.Code != want {
					t.Errorf("%s: %s %s: %d, want %d", c.name, method, path, rec.Code, want)
				}
				if got := rec.Header().Get("Allow"); (want == http.StatusMethodNotAllowed) != (got == allow) {
					t.Errorf("%s: %s %s: Allow %q", c.name, method, path, got)
				}
				if rec.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") {
					t.Errorf("%s %s: headers %v", method, path, rec.Header())
				}
			}
			if (rt.Role == Operator || rt.Role == Admin) != (rt.Methods[0] == "POST") {
				t.Errorf("%s: role %s for %v", rt.Path, rt.Role, rt.Methods)
			}
		}
	}
	s := server(t, Options{EnableLifecycle: true})
	req := httptest.NewRequest("GET", "/", nil)
	if why := s.refuse("", req); why == "" {
		t.Error("a route without a role is open")
	}
}

func TestPaths(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := server(t, Options{Registerer: reg}).Handler()
	odd := []string{
		"/nothing", "/metrics/", "//metrics", "/-/../metrics", "/./metrics", "/%2e%2e/metrics", "/-/%2e%2e/metrics", "/debug/pprof/", "/api/v1/status",
		"/METRICS", "/metrics%00", "/-/", "/favicon.ico",
	}
	for _, p := range odd {
		req := httptest.NewRequest("GET", "/", nil)
		u, err := url.Parse("http://x" + p) // as it is, unlike a reference that is resolved
		if err != nil {
			t.Fatal(err)
		}
		req.URL = u
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", p, rec.Code)
		}
	}
	if got := testutil.ToFloat64(collector.NewCounterVec(reg, "upid_http_requests_total").WithLabelValues("not_found", "404", "GET")); got != float64(len(odd)) {
		t.Errorf("%v counted, want %d", got, len(odd))
	}
}

func TestLanding(t *testing.T) {
	s := server(t, Options{Version: `1.2.3<script>`})
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	body := rec.Body.String()
	for _, want := range []string{
		"<title>upid</title>", "version 1.2.3&lt;script&gt;", `<a href="/metrics">`, `<a href="/-/healthy">`, `<a href="/-/ready">`, `lang="en"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	for _, not := range []string{"<script", "/-/quit", "/-/reload", "http:", "https:", "ZgotmplZ"} {
		if strings.Contains(body, not) {
			t.Errorf("%s in\n%s", not, body)
		}
	}
	// The hash in the policy is that of what stands between the tags.
	_, css, _ := strings.Cut(body, "<style>")
	css, _, _ = strings.Cut(css, "</style>")
	if css != style {
		t.Errorf("the style was changed on its way:\n%s", css)
	}
	if p := rec.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("policy %s", p)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "text/html; charset=utf-8" {
		t.Errorf("type %s", ct)
	}
}

func TestPanic(t *testing.T) {
	reg := prometheus.NewRegistry()
	value := any("boom")
	s := server(t, Options{Registerer: reg, Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) })})
	h := s.Handler()
	for range 6 { // more than there are places for scrapes
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "boom") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if got := testutil.ToFloat64(s.metrics.panics.WithLabelValues("web")); got != 6 {
		t.Errorf("%v panics counted", got)
	}
	if got := testutil.ToFloat64(s.metrics.requests.WithLabelValues("metrics", "500", "GET")); got != 6 {
		t.Errorf("%v requests counted", got)
	}
	value = http.ErrAbortHandler
	defer func() {
		if recover() != http.ErrAbortHandler { //nolint:errorlint // the very value must come through
			t.Error("ErrAbortHandler was swallowed")
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
}

func TestUnwrap(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &recorder{ResponseWriter: rec, first: func() {}}
	if err := http.NewResponseController(w).Flush(); err != nil || !rec.Flushed {
		t.Errorf("flush through the recorder: %v", err)
	}
}

// Gauge is not that of the Prometheus client.
type Gauge struct {
	Mine int `json:"mine"`
}

// TestOpenAPINames: structs of one name in two packages are two schemas.
func TestOpenAPINames(t *testing.T) {
	s := schemas{map[string]any{}, map[string]reflect.Type{}}
	first, second := s.schemaOf(reflect.TypeFor[Gauge]()), s.schemaOf(reflect.TypeFor[dto.Gauge]())
	again := s.schemaOf(reflect.TypeFor[[]Gauge]())["items"]
	if first["$ref"] != "#/components/schemas/Gauge" || second["$ref"] == first["$ref"] || !reflect.DeepEqual(again, first) {
		t.Errorf("%v, %v and %v", first, second, again)
	}
}
