package web

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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

// TestOpenListener: who took an address early keeps it.
func TestOpenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := start(t, server(t, Options{Listeners: []net.Listener{l}, ListenAddresses: []string{"taken:0"}}))
	if addr != l.Addr().String() {
		t.Errorf("it listens on %s, was given %s", addr, l.Addr())
	}
	if code, body, _ := fetch(t, "GET", "http://"+addr+"/metrics"); code != http.StatusOK || body != "up 1\n" {
		t.Errorf("%d %q", code, body)
	}
	stop()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after the end: %v", err)
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
