package source

import (
	"compress/gzip"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/common/config"
)

func TestFault_A16_timeoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				status(503, "application/json", `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`)(w, r)
				return
			}
			writeRange(w, r, "", always(`{}`, 1))
		})
		if _, err := u.Query(t.Context(), "up", t0, t0+99*minute, minute); err != nil {
			t.Fatal(err)
		}
		asks := u.requests()
		if len(asks) != 3 || asks[1]["end"] != seconds(t0+49*minute) || asks[2]["start"] != seconds(t0+50*minute) {
			t.Errorf("requests %v, want the range in halves after the first", asks)
		}
		if got := u.metric(t, "upid_upstream_request_failures_total", "reason=timeout"); got != 1 {
			t.Errorf("%v failures with reason timeout", got)
		}
	})
}

func TestFault_A16_startingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		u := fake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				status(503, "text/plain", "Service Unavailable")(w, r)
				return
			}
			writeRange(w, r, "", always(`{}`, 1))
		})
		if _, err := u.Query(t.Context(), "up", t0, t0+99*minute, minute); err != nil {
			t.Fatal(err)
		}
		if asks := u.requests(); len(asks) != 2 || asks[1]["end"] != seconds(t0+99*minute) {
			t.Errorf("requests %v, want the same range twice", asks)
		}
	})
}

func TestFault_A24_gzipBomb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{MaxBytes: 1 << 20}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, `{"status":"success","data":{"x":"`) //nolint:errcheck // the client stops
			chunk := strings.Repeat("x", 1<<16)
			for range 1 << 12 { // 256 MiB
				if _, err := io.WriteString(z, chunk); err != nil {
					return
				}
			}
		})
		_, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonTooLarge)
		contains(t, err, "more than 1 MiB")
		if n := len(u.requests()); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestFault_A24_endlessError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := fake(t, Options{Attempts: 1}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, `{"error":"`) //nolint:errcheck // the client stops
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<12)); err != nil {
					return
				}
			}
		})
		_, err := u.Query(t.Context(), "up", t0, t0, minute)
		failure(t, err, ReasonHTTP5xx)
	})
}

func TestFault_A30_redirect(t *testing.T) {
	f := func(follow bool) (*upstream, error) {
		var u *upstream
		var err error
		synctest.Test(t, func(t *testing.T) {
			u = fake(t, Options{FollowRedirects: follow, HTTP: config.HTTPClientConfig{FollowRedirects: true}}, func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "prom.example" {
					http.Redirect(w, r, "http://u:canary@elsewhere.example:9091/login?token=canary", http.StatusTemporaryRedirect)
					return
				}
				writeRange(w, r, "", always(`{}`, 1))
			})
			_, err = u.Query(t.Context(), "up", t0, t0, minute)
		})
		return u, err
	}
	u, err := f(false)
	failure(t, err, ReasonRedirect)
	contains(t, err, "307 Temporary Redirect: redirected to http://elsewhere.example:9091/login, which is not followed")
	if n := len(u.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if _, err := f(true); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// TestFault_A28_tls and A29 use real sockets: crypto/tls and the proxy code of
// net/http are what is tested.
func TestFault_A28_tls(t *testing.T) {
	srv := httptest.NewUnstartedServer(status(200, "application/json", matrixBody("")))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	p, err := New(Options{URL: srv.URL, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Query(t.Context(), "up", t0, t0, minute)
	failure(t, err, ReasonTLS)
	contains(t, err, "x509: certificate signed by unknown authority")

	// http spoken where https was asked for.
	plain := httptest.NewServer(status(200, "application/json", matrixBody("")))
	defer plain.Close()
	q, err := New(Options{URL: strings.Replace(plain.URL, "http:", "https:", 1), Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	_, err = q.Query(t.Context(), "up", t0, t0, minute)
	failure(t, err, ReasonTLS)
}

func TestFault_A29_proxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.HTTPClientConfig{ProxyConfig: config.ProxyConfig{ProxyURL: config.URL{URL: to}}}
	p, err := New(Options{URL: "https://prom.example", Attempts: 1, HTTP: cfg})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Query(t.Context(), "up", t0, t0, minute)
	failure(t, err, ReasonProxy)
	contains(t, err, "Forbidden")
}

func TestFault_E5_secretFileGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(status(200, "application/json", `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`))
	defer srv.Close()
	p, err := New(Options{URL: srv.URL, HTTP: config.HTTPClientConfig{BasicAuth: &config.BasicAuth{Username: "u", PasswordFile: path}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = p.Query(t.Context(), "up", t0, t0, minute)
	failure(t, err, ReasonAuth)
	contains(t, err, path)
}
