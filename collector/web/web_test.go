package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server returns a Server with every option that o leaves out.
func server(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Metrics == nil {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "up 1") })
	}
	if o.Reload == nil {
		o.Reload = func() error { return nil }
	}
	if o.Quit == nil {
		o.Quit = func() {}
	}
	if len(o.ListenAddresses) == 0 {
		o.ListenAddresses = []string{"127.0.0.1:0"}
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs s until the test ends or stop is called, and returns its address.
func start(t *testing.T, s *Server) (addr string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	for !s.up.Load() {
		time.Sleep(time.Millisecond)
	}
	return s.Addrs()[0].String(), stop
}

// client keeps no connections, so that none is left when a test ends.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func fetch(t *testing.T, method, url string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

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

func TestProbes(t *testing.T) {
	ready, healthy := atomic.Bool{}, atomic.Pointer[error]{}
	reg := prometheus.NewRegistry()
	s := server(t, Options{
		Registerer: reg,
		Ready: func() (bool, string) {
			if !ready.Load() {
				return false, "state is being read"
			}
			return true, "ready\nupstream prometheus: connection refused"
		},
		Healthy: func() error {
			if e := healthy.Load(); e != nil {
				return *e
			}
			return nil
		},
		ShutdownDelay: 300 * time.Millisecond,
	})
	isReady := func() float64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "upid_ready" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		t.Fatal("no upid_ready")
		return 0
	}
	f := func(url string, code int, body string) {
		t.Helper()
		gotCode, gotBody, _ := fetch(t, "GET", url)
		if gotCode != code || strings.TrimSpace(gotBody) != body {
			t.Errorf("%s: %d %q, want %d %q", url, gotCode, gotBody, code, body)
		}
	}
	ready.Store(true)
	if isReady() != 0 {
		t.Error("ready before it listens")
	}
	addr, stop := start(t, s)
	base := "http://" + addr
	f(base+"/-/ready", 200, "ready\nupstream prometheus: connection refused")
	f(base+"/-/healthy", 200, "healthy")
	if isReady() != 1 {
		t.Error("upid_ready is not 1")
	}
	ready.Store(false)
	f(base+"/-/ready", 503, "state is being read")
	ready.Store(true)
	dead := errors.New("the scheduler last went round 5m ago")
	healthy.Store(&dead)
	f(base+"/-/healthy", 503, "not healthy: the scheduler last went round 5m ago")

	// While draining: still serving, not ready.
	var wg sync.WaitGroup
	wg.Go(stop)
	for s.up.Load() {
		time.Sleep(time.Millisecond)
	}
	f(base+"/-/ready", 503, "not ready: starting or shutting down")
	f(base+"/metrics", 200, "up 1")
	if isReady() != 0 {
		t.Error("upid_ready is not 0 while draining")
	}
	wg.Wait()
	if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		t.Error("still listening after the end")
	}
}

func TestLifecycle(t *testing.T) {
	reloadErr := errors.New("config.yaml:3: unknown key")
	quit := make(chan struct{})
	s := server(t, Options{EnableLifecycle: true, Reload: func() error { return reloadErr }, Quit: func() { close(quit) }})
	addr, _ := start(t, s)
	if code, body, _ := fetch(t, "POST", "http://"+addr+"/-/reload"); code != 500 || !strings.Contains(body, "config.yaml:3: unknown key") {
		t.Errorf("reload: %d %s", code, body)
	}
	reloadErr = nil
	if code, body, _ := fetch(t, "POST", "http://"+addr+"/-/reload"); code != 200 || body != "configuration reloaded\n" {
		t.Errorf("reload: %d %s", code, body)
	}
	if code, _, _ := fetch(t, "POST", "http://"+addr+"/-/quit"); code != 200 {
		t.Errorf("quit: %d", code)
	}
	<-quit
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

// TestScrapeLimit has 50 scrapers come at once while answers take long to
// prepare: 4 are served, the others told to come back.
func TestScrapeLimit(t *testing.T) {
	enter, leave := make(chan struct{}, 50), make(chan struct{})
	s := server(t, Options{Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		enter <- struct{}{}
		<-leave
		fmt.Fprintln(w, "up 1")
	})})
	addr, _ := start(t, s)
	codes := make(chan int, 50)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			code, _, h := fetch(t, "GET", "http://"+addr+"/metrics")
			if code == 503 && h.Get("Retry-After") != "1" {
				t.Error("503 without Retry-After")
			}
			codes <- code
		})
	}
	for range 4 {
		<-enter
	}
	for range 46 {
		if code := <-codes; code != 503 {
			t.Errorf("a scrape too many: %d", code)
		}
	}
	close(leave)
	for range 4 {
		if code := <-codes; code != 200 {
			t.Errorf("a scrape among the four: %d", code)
		}
	}
	wg.Wait()
	if code, _, _ := fetch(t, "GET", "http://"+addr+"/metrics"); code != 200 {
		t.Errorf("afterwards: %d", code)
	}
}

// TestSlowReaders has four clients ask for a large page and not read it. They
// must not hold the places of those who do.
func TestSlowReaders(t *testing.T) {
	page := strings.Repeat("up 1\n", 8<<20/5)
	s := server(t, Options{
		Metrics:         http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
		ShutdownTimeout: 50 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	addr := s.Addrs()[0].String()
	for range 4 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if code, body, _ := fetch(t, "GET", "http://"+addr+"/metrics"); code != 200 || len(body) != len(page) {
		t.Errorf("%d, %d bytes", code, len(body))
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("served after %s", d)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "were cut") {
		t.Errorf("requests were open at the end, yet: %v", err)
	}
}

// TestSlowloris fills every place, twice over, with clients that send their
// headers a byte at a time. The scraper is served at once all the same.
func TestSlowloris(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := server(t, Options{MaxConnections: 20, Registerer: reg})
	addr, _ := start(t, s)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 40 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			for i := 0; ; i++ {
				if _, err := c.Write([]byte("GET /metrics HTTP/1.1\r\nX: xxxxxxxxxxxx")[i%10 : i%10+1]); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	for range 10 {
		begin := time.Now()
		if code, body, _ := fetch(t, "GET", "http://"+addr+"/metrics"); code != 200 || body != "up 1\n" {
			t.Errorf("%d %s", code, body)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("served after %s", d)
		}
	}
	s.conns.mu.Lock()
	if n := len(s.conns.open); n > 20 {
		t.Errorf("%d connections, want 20 at most", n)
	}
	s.conns.mu.Unlock()
	close(stop)
	wg.Wait()
	if got := testutil.ToFloat64(collector.NewCounterVec(reg, "upid_http_connections_dropped_total").WithLabelValues("waiting")); got < 20 {
		t.Errorf("%v connections made room, want 20 or more", got)
	}
}

// TestAllBusy has every place taken by a request that is being served.
func TestAllBusy(t *testing.T) {
	reg := prometheus.NewRegistry()
	enter, leave := make(chan struct{}), make(chan struct{})
	s := server(t, Options{MaxConnections: 2, Registerer: reg, Healthy: func() error { enter <- struct{}{}; <-leave; return nil }})
	addr, _ := start(t, s)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if code, _, _ := fetch(t, "GET", "http://"+addr+"/-/healthy"); code != 200 {
				t.Errorf("%d", code)
			}
		})
		<-enter
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the third connection was let in")
	}
	close(leave)
	wg.Wait()
	if got := testutil.ToFloat64(collector.NewCounterVec(reg, "upid_http_connections_dropped_total").WithLabelValues("busy")); got != 1 {
		t.Errorf("%v refused, want 1", got)
	}
}

// TestWholePage scrapes a real collector over the network, zipped and plain.
func TestWholePage(t *testing.T) {
	reg := collector.NewRegistry(collector.Build{Version: "1", Revision: "2", Branch: "3"})
	s := server(t, Options{Metrics: collector.New(collector.Options{Registry: reg}), Registerer: reg})
	addr, _ := start(t, s)
	for accept, eof := range map[string]bool{"text/plain": false, "application/openmetrics-text;version=1.0.0": true} {
		for _, encoding := range []string{"gzip", "identity"} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/metrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept", accept)
			req.Header.Set("Accept-Encoding", encoding)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var r io.Reader = resp.Body
			if encoding == "gzip" {
				if r, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			for _, want := range []string{"upid_build_info{", "upid_ready 1", "upid_http_requests_total{", "upid_export_series 0\n"} {
				if !strings.Contains(string(body), want) && !strings.Contains(string(body), want+".0\n") {
					t.Errorf("%s %s: no %s", accept, encoding, want)
				}
			}
			if strings.HasSuffix(string(body), "# EOF\n") != eof {
				t.Errorf("%s: wrong end", accept)
			}
		}
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := server(t, Options{ListenAddresses: []string{"127.0.0.1:0", l.Addr().String()}})
	err = s.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("listen on %q", l.Addr())) || !strings.Contains(err.Error(), "--web.listen-address") {
		t.Errorf("taken address: %v", err)
	}
	if len(s.Addrs()) != 0 {
		t.Error("the first listener was left open")
	}
	s = server(t, Options{ListenAddresses: []string{"127.0.0.1:no"}})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `listen on "127.0.0.1:no"`) {
		t.Errorf("bad address: %v", err)
	}
}

func TestLostListener(t *testing.T) {
	s := server(t, Options{ShutdownDelay: time.Hour})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.listeners[0].Close()
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serve on") {
		t.Errorf("a lost listener: %v", err)
	}
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no metrics handler, no error")
	}
	if _, err := New(Options{Metrics: http.NotFoundHandler(), EnableLifecycle: true}); err == nil {
		t.Error("lifecycle without functions, no error")
	}
	s, err := New(Options{Metrics: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	if s.opts.ListenAddresses[0] != ":9877" || s.opts.MaxConnections != 512 || cap(s.scrapes) != 4 {
		t.Errorf("defaults: %+v", s.opts)
	}
	s.up.Store(true)
	for _, p := range []string{"/-/ready", "/-/healthy"} {
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, httptest.NewRequest("GET", p, nil))
		if rec.Code != 200 {
			t.Errorf("%s without a function: %d", p, rec.Code)
		}
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
		if recover() != http.ErrAbortHandler {
			t.Error("ErrAbortHandler was swallowed")
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
}

// TestLimits checks that large headers are refused and slow ones cut.
func TestLimits(t *testing.T) {
	addr, _ := start(t, server(t, Options{}))
	large, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	var wg sync.WaitGroup
	wg.Go(func() { // the server stops reading half way
		_, _ = fmt.Fprintf(large, "GET /metrics HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", maxHeaderBytes+8192))
	})
	if status, err := bufio.NewReader(large).ReadString('\n'); err != nil || !strings.HasPrefix(status, "HTTP/1.1 431 ") {
		t.Errorf("large header: %q, %v", status, err)
	}
	wg.Wait()
	if testing.Short() {
		t.Skip("waits for a timeout of 5 s")
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	fmt.Fprint(c, "GET /metrics HTTP/1.1\r\n")
	_, _ = io.Copy(io.Discard, c) // until the server hangs up
	if d := time.Since(begin); d < 4*time.Second || d > 8*time.Second {
		t.Errorf("half a header was cut after %s, want 5 s", d)
	}
}

func TestUnwrap(t *testing.T) {
	rec := httptest.NewRecorder()
	w := &recorder{ResponseWriter: rec, first: func() {}}
	if err := http.NewResponseController(w).Flush(); err != nil || !rec.Flushed {
		t.Errorf("flush through the recorder: %v", err)
	}
}

func TestLargeBody(t *testing.T) {
	read := make(chan int64, 1)
	h := server(t, Options{Metrics: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if tooLarge := new(http.MaxBytesError); !errors.As(err, &tooLarge) {
			t.Errorf("read of a large body: %v", err)
		}
		read <- n
	})}).Handler()
	body := strings.NewReader(strings.Repeat("x", 2*maxBodyBytes))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", body))
	if n := <-read; n != maxBodyBytes {
		t.Errorf("%d bytes were let through, want %d", n, maxBodyBytes)
	}
}
