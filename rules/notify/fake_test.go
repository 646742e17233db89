package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

var _ pipeline.Sink = (*Notifier)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a set of HTTP servers that talk over pipes in memory, so that time
// in a synctest bubble does not wait for a kernel.
type network struct {
	mu      sync.Mutex
	servers map[string]*fakeAM
}

func (n *network) dial(_ context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	am := n.servers[addr]
	n.mu.Unlock()
	if am == nil || am.isDown() {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	select {
	case am.conns <- server:
		return client, nil
	case <-am.closed:
		return nil, errors.New("connection refused")
	}
}

// post is one request as an Alertmanager saw it.
type post struct {
	at     time.Time
	alerts models.PostableAlerts
	header http.Header
}

// fakeAM is an Alertmanager of few words. Like the real one it stores the good
// alerts of a batch and answers 400 if there is a bad one.
type fakeAM struct {
	addr   string
	conns  chan net.Conn
	closed chan struct{}

	mu     sync.Mutex
	down   bool                             // refuses connections
	hang   bool                             // accepts requests and does not answer
	delay  time.Duration                    // before each answer
	code   int                              // answered to every request, 0 is 200
	header http.Header                      // of the answer
	body   string                           // of an answer with code
	ahead  time.Duration                    // of its clock
	bad    func(*models.PostableAlert) bool // refused alerts
	posts  []post                           // all of them, also refused
	stored map[string]*models.PostableAlert // by label set
}

func (am *fakeAM) isDown() bool              { am.mu.Lock(); defer am.mu.Unlock(); return am.down }
func (am *fakeAM) set(f func(am *fakeAM))    { am.mu.Lock(); defer am.mu.Unlock(); f(am) }
func (am *fakeAM) Accept() (net.Conn, error) { return am.accept() }
func (am *fakeAM) Addr() net.Addr            { return &net.IPAddr{} }

func (am *fakeAM) Close() error {
	select {
	case <-am.closed:
	default:
		close(am.closed)
	}
	return nil
}

func (am *fakeAM) accept() (net.Conn, error) {
	select {
	case c := <-am.conns:
		return c, nil
	case <-am.closed:
		return nil, net.ErrClosed
	}
}

func (am *fakeAM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var alerts models.PostableAlerts
	if err := json.NewDecoder(r.Body).Decode(&alerts); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	am.mu.Lock()
	am.posts = append(am.posts, post{time.Now(), alerts, r.Header})
	hang, delay, code, body := am.hang, am.delay, am.code, am.body
	var errs []string
	if !hang && code == 0 {
		for _, a := range alerts {
			if am.bad != nil && am.bad(a) {
				errs = append(errs, "bad alert")
				continue
			}
			am.stored[labels.FromMap(a.Labels).String()] = a
		}
	}
	maps.Copy(w.Header(), am.header)
	w.Header().Set("Date", time.Now().Add(am.ahead).UTC().Format(http.TimeFormat))
	am.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	time.Sleep(delay)
	switch {
	case code != 0:
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	case len(errs) > 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(strings.Join(errs, "; "))
	}
}

// all returns the requests so far.
func (am *fakeAM) all() []post { am.mu.Lock(); defer am.mu.Unlock(); return slices.Clone(am.posts) }

// forget forgets the requests so far.
func (am *fakeAM) forget() { am.set(func(am *fakeAM) { am.posts = nil }) }

// get returns the newest stored state of the alert whose pod label is pod and
// which has all other label pairs given.
func (am *fakeAM) get(pod string, pairs ...string) *models.PostableAlert {
	am.mu.Lock()
	defer am.mu.Unlock()
	for _, a := range am.stored {
		ok := a.Labels["pod"] == pod
		for i := 0; i < len(pairs); i += 2 {
			ok = ok && a.Labels[pairs[i]] == pairs[i+1]
		}
		if ok {
			return a
		}
	}
	return nil
}

func (am *fakeAM) len() int { am.mu.Lock(); defer am.mu.Unlock(); return len(am.stored) }

// bench is a Notifier among fake Alertmanagers, in a synctest bubble.
type bench struct {
	t    *testing.T
	net  *network
	ams  []*fakeAM
	n    *Notifier
	reg  *prometheus.Registry
	logs *logs
	stop func() // ends Run and waits
}

type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.Write(p) }

func (l *logs) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

// inBubble runs f with a running Notifier that posts to ams Alertmanagers and
// knows the signal "cpu" with a cadence of a minute.
func inBubble(t *testing.T, ams int, o Options, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, net: &network{servers: map[string]*fakeAM{}}, reg: prometheus.NewRegistry(), logs: &logs{}}
		for range ams {
			o.Alertmanagers = append(o.Alertmanagers, AlertmanagerConfig{URL: "http://" + b.addAM().addr})
		}
		o.Registerer, o.Dial = b.reg, b.net.dial
		o.Logger = slog.New(slog.NewTextHandler(b.logs, nil))
		if o.Lookup == nil {
			o.Lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
		}
		n, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		b.n = n
		n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpu", Type: "resource", Unit: "cores", Every: time.Minute, Query: "up", PrometheusURL: "http://p"}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		b.stop = func() { cancel(); <-done }
		f(b)
		b.stop()
		for _, am := range b.ams {
			am.Close()
		}
		time.Sleep(time.Minute) // answers that were under way
	})
}

func (b *bench) addAM() *fakeAM {
	am := &fakeAM{
		addr: fmt.Sprintf("am%d:9093", len(b.ams)), conns: make(chan net.Conn), closed: make(chan struct{}),
		stored: map[string]*models.PostableAlert{},
	}
	b.net.mu.Lock()
	b.net.servers[am.addr] = am
	b.net.mu.Unlock()
	b.ams = append(b.ams, am)
	srv := &http.Server{Handler: am}
	go func() {
		_ = srv.Serve(am)
		_ = srv.Close()
	}()
	return am
}

// write writes results for the slot that is now and waits until every Notifier
// goroutine has nothing more to do at once.
func (b *bench) write(rs ...series.Result) {
	b.t.Helper()
	if err := b.n.Write(b.t.Context(), "cpu", now(), rs); err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

// sleep lets virtual time pass, and what is due then happen.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func now() int64 { return time.Now().UnixMilli() }

// metric returns the value of a metric of one sample with these label values; ok
// is false if there is none. It is what a scrape would see.
func (b *bench) metric(name string, values ...string) (v float64, ok bool) {
	b.t.Helper()
	fams, err := b.reg.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range fams {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			got := []string{}
			for _, l := range m.GetLabel() {
				got = append(got, l.GetValue())
			}
			if slices.Equal(got, values) || len(got)+len(values) == 0 {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount()), true
			}
		}
	}
	return 0, false
}

func (b *bench) wantMetric(want float64, name string, values ...string) {
	b.t.Helper()
	got, ok := b.metric(name, values...)
	if !ok || got != want {
		b.t.Errorf("%s%v is %v (exists: %t), want %v", name, values, got, ok, want)
	}
}

// open is a finding that opened at start.
func open(id string, start int64) series.Finding {
	return series.Finding{
		ID: id, Family: "resource_spike", Type: series.TypeSpike, Severity: series.SeverityWarning, Start: start, Peak: 2, Confidence: 0.5,
		Score: series.Score{Observed: 2, Expected: 1, Lower: 0.5, Upper: 1.5, Value: 2, Confidence: 0.5, Type: series.TypeSpike},
		Worst: series.Score{Observed: 2, Expected: 1, Lower: 0.5, Upper: 1.5, Value: 2, Confidence: 0.5, Type: series.TypeSpike}, WorstAt: start,
	}
}

func resolvedAt(f series.Finding, end int64) series.Finding { f.End = end; return f }

// result is the result of the series {pod=pod}.
func result(pod string, fs ...series.Finding) series.Result {
	return series.Result{Signal: "cpu", Labels: labels.FromStrings("pod", pod), Slot: now(), Time: now(), Observed: 2, Findings: fs}
}

func starts(a *models.PostableAlert) time.Time { return time.Time(a.StartsAt) }
func ends(a *models.PostableAlert) time.Time   { return time.Time(a.EndsAt) }

// wantFiring checks that a stored alert was posted as firing at now and for
// lifetime from then on.
func wantFiring(t *testing.T, a *models.PostableAlert, start int64, lifetime time.Duration) {
	t.Helper()
	if a == nil {
		t.Fatal("no alert")
	}
	if starts(a).UnixMilli() != start {
		t.Errorf("startsAt %v, want %v", starts(a), time.UnixMilli(start).UTC())
	}
	if want := time.Now().Add(lifetime); !ends(a).Equal(want) {
		t.Errorf("endsAt %v, want %v", ends(a), want.UTC())
	}
}
