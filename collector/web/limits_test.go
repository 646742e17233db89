package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/upid/upid/collector"
)

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
	if d := time.Since(begin); d > 10*time.Second { // waiting for them would take the 60 s of writeTimeout
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
		if d := time.Since(begin); d > 3*time.Second { // waiting for them would take the 5 s of readHeaderTimeout
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
