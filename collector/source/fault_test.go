package source

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of these tests are the rows of the fault matrix, group A: the
// upstream. Time is virtual.

const (
	t0     = 1767225600000 // 2026-01-01
	minute = 60_000
)

func TestFault_A1_refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		dials := 0
		p, err := newPrometheus(Options{URL: "http://user:canary@prom.example", Registerer: reg}, func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = p.Query(t.Context(), "up", t0, t0, minute)
		e := failure(t, err, ReasonConnect)
		contains(t, err, `query "up": query_range http://prom.example: dial tcp: connection refused (attempt 4)`)
		if !e.Unreachable() || e.Status != 0 {
			t.Errorf("error %+v", e)
		}
		u := &upstream{Prometheus: p, reg: reg}
		if dials != 4 || u.metric(t, "upid_upstream_requests_total") != 4 || u.metric(t, "upid_upstream_request_failures_total", "reason=connect", "endpoint=query_range") != 4 {
			t.Errorf("%d dials, %v requests, %v failures, want 4", dials, u.metric(t, "upid_upstream_requests_total"), u.metric(t, "upid_upstream_request_failures_total"))
		}
		if u.metric(t, "upid_upstream_up") != 0 {
			t.Error("upid_upstream_up is not 0")
		}
		// Full jitter: at most 0.5 + 1 + 2 s.
		if d := time.Since(begin); d > 3500*time.Millisecond {
			t.Errorf("waited %s", d)
		}
	})
}

// TestFault_A4 also covers a resolver that fails.
func TestFault_A4_dns(t *testing.T) {
	p, err := newPrometheus(Options{URL: "http://prom.example", Attempts: 1}, func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "prom.example", IsNotFound: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Instant(t.Context(), "up", t0)
	failure(t, err, ReasonDNS)
	contains(t, err, "lookup prom.example: no such host")
}

func TestFault_A5_connectHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := newPrometheus(Options{URL: "http://prom.example", Attempts: 1}, func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = p.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonConnect)
		if d := time.Since(begin); d != connectTimeout {
			t.Errorf("gave up after %s, want %s", d, connectTimeout)
		}
	})
}

func TestFault_A6_bodyStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{Attempts: 1}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"status":"success","data":{`) //nolint:errcheck // the client gives up
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		begin := time.Now()
		d, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonTimeout)
		contains(t, err, "the answer stopped arriving")
		if waited := time.Since(begin); waited != idleTimeout {
			t.Errorf("gave up after %s, want %s", waited, idleTimeout)
		}
		if len(d.Series) != 0 {
			t.Errorf("%d series of a broken answer", len(d.Series))
		}
	})
}

// A slow body that keeps arriving is no fault.
func TestFault_A6_slowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := matrixBody(`{"metric":{},"values":[[1767225600,"1"]]}`)
		u := fake(t, Options{Attempts: 1, Timeout: time.Hour}, func(w http.ResponseWriter, _ *http.Request) {
			for i := range body {
				io.WriteString(w, body[i:i+1]) //nolint:errcheck // seen by the client
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Second)
			}
		})
		if _, err := u.Query(t.Context(), "up", t0, t0, minute); err != nil {
			t.Error(err)
		}
	})
}

func TestFault_A6_wholeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{Attempts: 1, Timeout: 10 * time.Second}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		_, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonTimeout)
		contains(t, err, "no whole answer after 10s")
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("gave up after %s, want 10 s", d)
		}
		if got := u.requests()[0]["timeout"]; got != "9.000" {
			t.Errorf("timeout=%s, want 9.000", got)
		}
	})
}

// hijack answers with raw bytes and closes the connection.
func hijack(w http.ResponseWriter, raw string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, raw) //nolint:errcheck // broken on purpose
}

func TestFault_A7_reset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if n++; n < 3 {
				hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"+`{"status":"success",`)
				return
			}
			writeRange(w, r, "", always(`{"a":"b"}`, 1))
		})
		d, err := u.Query(t.Context(), "up", t0, t0, minute)
		if err != nil || len(d.Series) != 1 || n != 3 {
			t.Errorf("%d series after %d requests, %v", len(d.Series), n, err)
		}
		if got := u.metric(t, "upid_upstream_request_failures_total", "reason=reset"); got != 2 {
			t.Errorf("%v failures with reason reset, want 2", got)
		}
		if u.metric(t, "upid_upstream_up") != 1 {
			t.Error("upid_upstream_up is not 1")
		}
	})
}

func TestFault_A8_truncated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := matrixBody(`{"metric":{"a":"b"},"values":[[1767225600,"1"],[1767225660,"2"]]}`)
		cut := 0
		u := fake(t, Options{Attempts: 2}, func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"+body[:cut])
		})
		for cut = 1; cut < len(body); cut++ {
			d, err := u.Query(t.Context(), "up", t0, t0+minute, minute)
			failure(t, err, ReasonDecode)
			if len(d.Series) != 0 {
				t.Fatalf("%d series of %d bytes of %d", len(d.Series), cut, len(body))
			}
		}
		if n := len(u.requests()); n != 2*(len(body)-1) {
			t.Errorf("%d requests, want two for each cut", n)
		}
		if d, err := u.Query(t.Context(), "up", t0, t0+minute, minute); err != nil || len(d.Series) != 1 {
			t.Errorf("whole: %d series, %v", len(d.Series), err)
		}
	})
}

func TestFault_A9_html(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<html><title>Sign in</title>"+strings.Repeat("x", 200)) //nolint:errcheck // seen by the client
		})
		_, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonDecode)
		contains(t, err, "not JSON but text/html; charset=utf-8", `"<html><title>Sign in</title>xxx`, `xxx"…`)
		if n := len(u.requests()); n != 1 {
			t.Errorf("%d requests, want 1: a login page does not go away", n)
		}
	})
}

// status answers with a status, a content type and a body.
func status(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		io.WriteString(w, body) //nolint:errcheck // seen by the client
	}
}

// TestFault_status covers the rows that are one answer and one error.
func TestFault_status(t *testing.T) {
	const js = "application/json"
	f := func(row string, h http.HandlerFunc, reason string, requests int, parts ...string) {
		t.Helper()
		t.Run(row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := fake(t, Options{}, h)
				_, err := u.Query(t.Context(), "up", t0, t0, minute)
				failure(t, err, reason)
				contains(t, err, parts...)
				if n := len(u.requests()); n != requests {
					t.Errorf("%d requests, want %d", n, requests)
				}
				if got := u.metric(t, "upid_upstream_request_failures_total", "reason="+reason); got != float64(requests) {
					t.Errorf("%v failures counted, want %d", got, requests)
				}
			})
		})
	}
	f("A10 error in 200", status(200, js, `{"status":"error","errorType":"bad_data","error":"boom"}`), ReasonBadQuery, 1, "bad_data: boom")
	f("A10 no status", status(200, js, `{"a":1}`), ReasonDecode, 1, "not a Prometheus API", `{\"a\":1}`)
	f("A11", status(400, js, `{"status":"error","errorType":"bad_data","error":"1:2: parse error"}`), ReasonBadQuery, 1, "bad_data: 1:2: parse error")
	f("A11 without JSON", status(400, "text/plain", "Bad Request"), ReasonHTTP4xx, 1, "400 Bad Request", `"Bad Request"`)
	f("A12 401", status(401, "text/plain", "who?"), ReasonAuth, 1, "401 Unauthorized: check the credentials", `"who?"`)
	f("A12 403", status(403, "text/plain", ""), ReasonAuth, 1, "403 Forbidden", "(empty)")
	f("A13", status(404, "text/plain", "404 page not found"), ReasonHTTP4xx, 1, "is the URL missing a path prefix?", "404 page not found")
	f("A14 many-to-many", status(422, js, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`), ReasonBadQuery, 1, "many-to-many")
	f("A17", status(500, "text/plain", "boom"), ReasonHTTP5xx, 4, "500 Internal Server Error", "(attempt 4)")
	f("A17 502", status(502, "text/html", "<html>bad gateway"), ReasonHTTP5xx, 4, "502 Bad Gateway")
	f("A17 internal", status(500, js, `{"status":"error","errorType":"internal","error":"disk"}`), ReasonHTTP5xx, 4, "internal: disk")
	f("A17 unavailable", status(503, js, `{"status":"error","errorType":"unavailable","error":"starting"}`), ReasonHTTP5xx, 4, "starting")
	f("A17 no words", status(500, "", ""), ReasonHTTP5xx, 4, "500 Internal Server Error")
	f("unknown error type", status(422, js, `{"status":"error","errorType":"odd","error":"x"}`), ReasonHTTP4xx, 1, "odd: x")
	f("too large", status(413, js, `{"status":"error","errorType":"too_large","error":"x"}`), ReasonTooLarge, 1, "too_large: x")
	f("A29 proxy wants credentials", status(407, "text/plain", ""), ReasonProxy, 1, "407")
	f("string", status(200, js, `{"status":"success","data":{"resultType":"string","result":[1,"two"]}}`), ReasonBadQuery, 1, "the result is a string")
	f("broken JSON", status(200, js, `{"status":"success","data":[}`), ReasonDecode, 1, "byte 28")
	f("encoding", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		io.WriteString(w, "x") //nolint:errcheck // seen by the client
	}, ReasonDecode, 1, `content encoding "br"`)
	f("not gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, strings.Repeat("x", 100)) //nolint:errcheck // seen by the client
	}, ReasonDecode, 1, "gzip: invalid header")
	f("B5 native histograms", status(200, js, matrixBody(`{"metric":{"a":"b"},"histograms":[[1767225600,{"count":"1"}]]}`)), ReasonBadQuery, 1, "use histogram_quantile(")
}

func TestFault_A14_tooManySamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The upstream can do 30 points at once: 100 → 50 → 25.
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			var start, end int
			fmt.Sscan(r.Form.Get("start"), &start) //nolint:errcheck // checked by the result
			fmt.Sscan(r.Form.Get("end"), &end)     //nolint:errcheck // checked by the result
			if (end-start)/60+1 > 30 {
				status(422, "application/json", `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}`)(w, r)
				return
			}
			writeRange(w, r, "", always(`{"a":"b"}`, 1))
		})
		d, err := u.Query(t.Context(), "up", t0, t0+99*minute, minute)
		if err != nil || len(d.Series) != 1 || len(d.Series[0].Values) != 100 {
			t.Fatalf("%+v, %v", d, err)
		}
		for i, v := range d.Series[0].Values {
			if v != 1 {
				t.Errorf("point %d is %v", i, v)
			}
		}
		if n := len(u.requests()); n != 2+4 { // 100, 50, then four times 25
			t.Errorf("%d requests, want 6", n)
		}
	})
}

func TestFault_A14_neverFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, status(422, "application/json", `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}`))
		_, err := u.Query(t.Context(), "up", t0, t0+9999*minute, minute)
		e := failure(t, err, ReasonTooLarge)
		if e.Unreachable() || u.metric(t, "upid_upstream_up") != 1 {
			t.Error("the upstream answers, but counts as unreachable")
		}
		if n := len(u.requests()); n != 1+halvings {
			t.Errorf("%d requests, want %d", n, 1+halvings)
		}
	})
}

func TestFault_A15_retryAfter(t *testing.T) {
	f := func(value func() string, wantLow, wantHigh time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			n := 0
			u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if n++; n == 1 {
					w.Header().Set("Retry-After", value())
					w.WriteHeader(429)
					return
				}
				writeRange(w, r, "", always(`{}`, 1))
			})
			begin := time.Now()
			if _, err := u.Query(t.Context(), "up", t0, t0, minute); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begin); d < wantLow || d > wantHigh {
				t.Errorf("Retry-After %q: waited %s, want %s to %s", value(), d, wantLow, wantHigh)
			}
			if got := u.metric(t, "upid_upstream_request_failures_total", "reason=http_429"); got != 1 {
				t.Errorf("%v failures with reason http_429", got)
			}
		})
	}
	f(func() string { return "7" }, 7*time.Second, 7500*time.Millisecond)
	f(func() string { return time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat) }, 19*time.Second, 20500*time.Millisecond)
	f(func() string { return "86400" }, 5*time.Minute, 5*time.Minute+500*time.Millisecond)
	f(func() string { return "-5" }, 0, 500*time.Millisecond)
	f(func() string { return "soon" }, 0, 500*time.Millisecond)
}

// A wait that cannot end in time is not begun.
func TestFault_A15_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(429)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := u.Query(ctx, "up", t0, t0, minute)
		if e := failure(t, err, ReasonHTTP429); e.RetryAfter != time.Minute || e.Status != 429 {
			t.Errorf("error %+v", e)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("waited %s", d)
		}
	})
}
