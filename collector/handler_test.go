package collector

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
)

func TestNegotiation(t *testing.T) {
	c := New(Options{})
	write(t, c, "s", result("s", labels.FromStrings("k8s.pod", "p"), 1))
	const (
		text = "text/plain; version=0.0.4; charset=utf-8; escaping="
		om   = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping="
		om0  = "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping="
	)
	f := func(accept, want string) {
		t.Helper()
		body, h := get(t, c, "", "Accept", accept)
		if got := h.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %q, want %q", accept, got, want)
		}
		if got := strings.HasSuffix(body, "\n# EOF\n"); got != strings.HasPrefix(want, "application") {
			t.Errorf("Accept %q: ends with # EOF: %v", accept, got)
		}
		label := `k8s_pod="p"`
		if strings.HasSuffix(want, "allow-utf-8") {
			label = `"k8s.pod"="p"`
		}
		if !strings.Contains(body, `upid_observed_value{signal="s",`+label+"} 1\n") {
			t.Errorf("Accept %q: no %s", accept, label)
		}
		samples(t, body, want)
	}
	f("", text+"underscores")
	f("*/*", text+"underscores")
	f("text/html", text+"underscores")
	f("text/plain", text+"underscores")
	f("application/openmetrics-text", om0+"underscores")
	f("application/openmetrics-text;version=1.0.0", om+"underscores")
	f("text/plain;version=0.0.4;escaping=allow-utf-8", text+"allow-utf-8")
	f("application/openmetrics-text;version=1.0.0;escaping=values", om+"underscores")
	f("application/openmetrics-text;version=1.0.0;escaping=dots", om+"underscores")
	// Prometheus 2.42.
	f("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", om+"underscores")
	// Prometheus 3 with native histograms: protobuf is not offered.
	f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"+
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2", om+"allow-utf-8")
	f("text/plain;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1", text+"underscores")
}

func TestGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZip": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false,
		"br": false, "gzip;q=x": false, "identity,gzip": true, "*": false,
	} {
		if got := acceptsGzip(http.Header{"Accept-Encoding": {header}}); got != want {
			t.Errorf("Accept-Encoding %q: %v", header, got)
		}
	}
	c := full(t, Options{Registry: NewRegistry(Build{"v", "r", "b"})})
	for _, query := range []string{"", predictions, "?collect[]=self"} {
		for _, accept := range []string{classic, openMetrics + allowUTF8} {
			body, h := get(t, c, query, "Accept", accept, "Accept-Encoding", "gzip")
			if h.Get("Content-Encoding") != "gzip" {
				t.Errorf("%s: not zipped", query)
			}
			if len(samples(t, body, h.Get("Content-Type"))) == 0 {
				t.Errorf("%s: empty", query)
			}
		}
	}
}

func TestCollect(t *testing.T) {
	c := full(t, Options{Registry: NewRegistry(Build{"v", "r", "b"})})
	const result, self, export = "upid_anomaly_score{", "go_goroutines ", "upid_export_series "
	f := func(query string, results, selves bool) {
		t.Helper()
		body, _ := get(t, c, query)
		if strings.Contains(body, result) != results || strings.Contains(body, self) != selves || strings.Contains(body, export) != selves {
			t.Errorf("%q: not the right parts", query)
		}
	}
	f("", true, true)
	f("?collect[]=predictions", true, false)
	f("?collect[]=self", false, true)
	f("?collect[]=self&collect[]=predictions", true, true)

	rec := httptest.NewRecorder()
	c.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics?collect[]=none", nil))
	if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `"predictions" or "self"`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// broken is a collector that cannot say what it wants to.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(ch chan<- *prometheus.Desc) { ch <- b.desc }
func (b broken) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(b.desc, errors.New("broken on purpose"))
}

func TestOneBrokenSelfMetric(t *testing.T) {
	reg := NewRegistry(Build{"v", "r", "b"})
	reg.MustRegister(broken{prometheus.NewDesc("upid_broken", "Broken.", nil, nil)})
	var log bytes.Buffer
	c := full(t, Options{Registry: reg, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	body, _ := get(t, c, "")
	if !strings.Contains(body, "upid_build_info{") || !strings.Contains(body, "upid_anomaly_score{") {
		t.Error("one broken metric took others with it")
	}
	if !strings.Contains(log.String(), "broken on purpose") {
		t.Errorf("not logged: %s", log.String())
	}
}

// gone is a client that went away.
type gone struct {
	http.ResponseWriter
	writes int
}

func (g *gone) Write([]byte) (int, error) { g.writes++; return 0, errors.New("broken pipe") }

func TestClientGone(t *testing.T) {
	c := full(t, Options{})
	g := &gone{ResponseWriter: httptest.NewRecorder()}
	c.ServeHTTP(g, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if g.writes != 1 {
		t.Errorf("%d writes to a client that has gone", g.writes)
	}
	if refs := c.tasks["cpu"].segment.refs; refs != 1 {
		t.Errorf("%d references left, want that of the task", refs)
	}
}

func TestBuffersAreUsedAgain(t *testing.T) {
	c := New(Options{})
	rs := load(500)
	write(t, c, "cpu", rs...)
	s := c.acquire() // a slow scraper
	before := string(s.segments[0].in(utf8Names).b)
	for range 5 {
		for i := range rs {
			rs[i].Observed++
		}
		write(t, c, "cpu", rs...)
	}
	if got := string(s.segments[0].in(utf8Names).b); got != before {
		t.Error("bytes changed under a reader")
	}
	if len(c.free) > maxFree {
		t.Errorf("%d free buffers", len(c.free))
	}
	c.done(s)
	if n := testing.AllocsPerRun(10, func() { write(t, c, "cpu", rs...) }); n > 50 { // some a write, none a series
		t.Errorf("%v allocations per write of 500 series", n)
	}
	for i := range 10 {
		c.recycle(make([]byte, 0, i+1))
	}
	if len(c.free) > maxFree {
		t.Errorf("%d free buffers", len(c.free))
	}
}

// FuzzRequest has strangers ask for the page in every way.
func FuzzRequest(f *testing.F) {
	f.Add("text/plain;q=0.5,*/*", "gzip;q=0.1, br", "collect[]=self")
	f.Add("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", "", "collect[]=predictions&collect[]=self")
	f.Add(";;,,;q=;escaping=", ";q=,gzip;;", "%zz&collect[]")
	c := full(f, Options{})
	f.Fuzz(func(t *testing.T, accept, encoding, query string) {
		req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		req.Header.Set("Accept", accept)
		req.Header.Set("Accept-Encoding", encoding)
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		c.ServeHTTP(rec, req)
		if rec.Code == http.StatusBadRequest {
			return
		}
		if rec.Code != http.StatusOK {
			t.Fatalf("status %d", rec.Code)
		}
		if strings.HasPrefix(req.URL.RawQuery, "collect[]=self") || rec.Header().Get("Content-Encoding") == "gzip" {
			return
		}
		if len(samples(t, rec.Body.String(), rec.Header().Get("Content-Type"))) == 0 {
			t.Fatal("an empty page")
		}
	})
}
