package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
)

// metrics are the self metrics of this package.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	dropped  *prometheus.CounterVec
	panics   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	return metrics{
		requests: collector.NewCounterVec(reg, "upid_http_requests_total"),
		duration: collector.NewHistogramVec(reg, "upid_http_request_duration_seconds"),
		dropped:  collector.NewCounterVec(reg, "upid_http_connections_dropped_total"),
		panics:   collector.NewCounterVec(reg, "upid_panics_recovered_total"),
	}
}

// start makes the counters of a route exist before its first request.
func (m metrics) start(r Route) {
	m.requests.WithLabelValues(r.Name, strconv.Itoa(http.StatusOK), r.Methods[0])
	m.duration.WithLabelValues(r.Name)
	m.panics.WithLabelValues("web")
}

// outer is around everything: it bounds the body, marks the connection as busy,
// survives a panic and refuses paths that mean another one.
func (s *Server) outer(next http.Handler) http.Handler {
	odd := s.count("not_found", http.HandlerFunc(notFound))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.conns.busy(r.Context())()
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http itself compares so
				panic(v) // net/http's own way to cut a connection
			}
			s.metrics.panics.WithLabelValues("web").Inc()
			s.opts.Logger.Error("panic in an HTTP handler", "path", r.URL.Path, "err", fmt.Sprint(v), "stack", string(debug.Stack()))
			http.Error(w, "internal error", http.StatusInternalServerError)
		}()
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		if r.URL.Path != "/" && path.Clean(r.URL.Path) != r.URL.Path {
			odd.ServeHTTP(w, r) // a mux would redirect; nobody has to ask this way
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard lets through what the method and the role of r allow.
func (s *Server) guard(rt Route) http.Handler {
	allow := slices.Clone(rt.Methods)
	if slices.Contains(allow, http.MethodGet) {
		allow = append(allow, http.MethodHead)
	}
	return s.count(rt.Name, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(allow, r.Method) {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if why := s.refuse(rt.Role, r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		rt.Serve(w, r)
	}))
}

// refuse returns why the request may not use a route of that role, or "".
// Without users, whoever can reach us may read; changes are for this machine.
func (s *Server) refuse(role Role, r *http.Request) string {
	switch role {
	case Anyone, Scraper, Viewer:
		return ""
	case Operator, Admin:
		switch {
		case !s.opts.EnableLifecycle:
			return "closed: start with --web.enable-lifecycle to open it"
		case !loopback(r.RemoteAddr):
			return "open to this machine only"
		case !slices.Contains([]string{"", "same-origin", "none"}, r.Header.Get("Sec-Fetch-Site")), !literal(r.Host), !sameOrigin(r):
			return "not from a web page of another site"
		}
		return ""
	}
	return "nobody has the role " + strconv.Quote(string(role))
}

// sameOrigin reports whether a request comes from no web page, or from one of
// ours. Browsers that do not send Sec-Fetch-Site send Origin with a POST.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host // "null" has no host
}

// loopback reports whether addr, host:port, is on this machine.
func loopback(addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// literal reports whether a Host header is localhost or an IP address. A name
// that somebody else's DNS server makes point here looks like the same origin to
// a browser.
func literal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil
}

// limitScrapes lets MaxScrapes requests prepare their answers at once; further
// ones are told to come back. A place is free again with the first byte written:
// reading slowly costs the reader only.
func (s *Server) limitScrapes(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.scrapes <- struct{}{}:
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, fmt.Sprintf("%d scrapes are being prepared already", cap(s.scrapes)), http.StatusServiceUnavailable)
			return
		}
		free := sync.OnceFunc(func() { <-s.scrapes })
		defer free()
		next.ServeHTTP(&recorder{ResponseWriter: w, first: free}, r)
	}
}

// count counts and times the requests to next under the name of its handler.
func (s *Server) count(name string, next http.Handler) http.Handler {
	duration := s.metrics.duration.WithLabelValues(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w, first: func() {}}
		done := false
		defer func() {
			if rec.code == 0 {
				rec.code = http.StatusOK
			}
			if !done {
				rec.code = http.StatusInternalServerError // a panic is on its way out
			}
			s.metrics.requests.WithLabelValues(name, strconv.Itoa(rec.code), method(r)).Inc()
			duration.Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(rec, r)
		done = true
	})
}

// method returns the method as a label: anybody can invent one.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// recorder remembers the status and tells of the first byte.
type recorder struct {
	http.ResponseWriter
	code  int
	first func()
}

func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
		r.first()
	}
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
		r.first()
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
