package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a network of one server, made of net.Pipe, which virtual time
// (testing/synctest) understands.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, s := net.Pipe()
	select {
	case m.conns <- s:
		return c, nil
	case <-m.done:
		return nil, errors.New("the server is gone")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

// upstream is a fake API and the source that asks it.
type upstream struct {
	*Prometheus
	reg  *prometheus.Registry
	mu   sync.Mutex
	asks []map[string]string // the forms of all requests
}

// fake returns a source whose server, in memory, is h.
func fake(t *testing.T, o Options, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{reg: prometheus.NewRegistry()}
	net := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Errorf("form: %v", err)
		}
		ask := map[string]string{}
		for k := range r.Form {
			ask[k] = r.Form.Get(k)
		}
		u.mu.Lock()
		u.asks = append(u.asks, ask)
		u.mu.Unlock()
		h(w, r)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(net); err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
	}()
	if o.URL == "" {
		o.URL = "http://user:canary@prom.example/prefix"
	}
	o.Registerer = u.reg
	p, err := newPrometheus(o, net.dial)
	if err != nil {
		t.Fatal(err)
	}
	u.Prometheus = p
	t.Cleanup(func() {
		p.Close()
		srv.Close()
		<-served
	})
	return u
}

func (u *upstream) requests() []map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]map[string]string(nil), u.asks...)
}

// metric returns the value of the metric called name with the given label
// values (name=value), summed up.
func (u *upstream) metric(t *testing.T, name string, with ...string) float64 {
	t.Helper()
	families, err := u.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			is := map[string]bool{}
			for _, l := range m.GetLabel() {
				is[l.GetName()+"="+l.GetValue()] = true
			}
			if !slices.ContainsFunc(with, func(w string) bool { return !is[w] }) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

// fakeSeries is one series of a fake upstream.
type fakeSeries struct {
	metric string                              // JSON object
	at     func(ms int64) (v float64, ok bool) // ok is false where there is no sample
}

// always has value v everywhere.
func always(metric string, v float64) fakeSeries {
	return fakeSeries{metric, func(int64) (float64, bool) { return v, true }}
}

// writeRange answers a range query as Prometheus does. extra is put into the
// envelope.
func writeRange(w io.Writer, r *http.Request, extra string, all ...fakeSeries) {
	ms := func(key string) int64 {
		v, err := strconv.ParseFloat(r.Form.Get(key), 64)
		if err != nil {
			panic(err) // of the test: net/http logs it
		}
		return int64(v*1000 + 0.5)
	}
	var b bytes.Buffer
	b.WriteString(`{"status":"success",` + extra + `"data":{"resultType":"matrix","result":[`)
	comma := ""
	for _, s := range all {
		var values []string
		for t := ms("start"); t <= ms("end"); t += ms("step") {
			if v, ok := s.at(t); ok {
				values = append(values, fmt.Sprintf(`[%s,"%s"]`, seconds(t), strconv.FormatFloat(v, 'f', -1, 64)))
			}
		}
		if len(values) > 0 {
			fmt.Fprintf(&b, `%s{"metric":%s,"values":[%s]}`, comma, s.metric, strings.Join(values, ","))
			comma = ","
		}
	}
	b.WriteString(`]}}`)
	if hw, ok := w.(http.ResponseWriter); ok {
		hw.Header().Set("Content-Type", "application/json")
	}
	w.Write(b.Bytes()) //nolint:errcheck // the client may have gone on purpose
}

// failure returns err as an *Error of the wanted reason.
func failure(t *testing.T, err error, reason string) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Reason != reason || e.FailureReason() != reason {
		t.Fatalf("error %v, want reason %s", err, reason)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Fatalf("the error shows the password: %v", err)
	}
	return e
}

func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("error %v, want it to contain %q", err, p)
		}
	}
}
