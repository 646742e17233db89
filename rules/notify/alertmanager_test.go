//go:build unix

package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	apialert "github.com/prometheus/alertmanager/api/v2/client/alert"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/rules"
)

// The tests of this file post to real Alertmanagers. A re-send of half a second
// makes minutes seconds.
const fastResend = 500 * time.Millisecond

// real is a running Notifier that posts to servers.
type real struct {
	t    *testing.T
	n    *Notifier
	reg  *prometheus.Registry
	stop func()
}

func against(t *testing.T, servers []*testserver.Server, o Options) *real {
	t.Helper()
	for _, s := range servers {
		o.Alertmanagers = append(o.Alertmanagers, AlertmanagerConfig{URL: s.URL})
	}
	if o.ResendDelay == 0 {
		o.ResendDelay = fastResend
	}
	r := &real{t: t, reg: prometheus.NewRegistry()}
	o.Registerer, o.Logger = r.reg, slog.New(slog.NewTextHandler(t.Output(), nil))
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpu", Unit: "cores", Query: `up{a="b"}`, PrometheusURL: "http://prometheus:9090"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	r.n, r.stop = n, sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

func (r *real) write(rs ...series.Result) {
	r.t.Helper()
	if err := r.n.Write(r.t.Context(), "cpu", now(), rs); err != nil {
		r.t.Fatal(err)
	}
}

// alerts returns what an Alertmanager shows as active, by the pod label.
func alerts(t *testing.T, s *testserver.Server) map[string]*models.GettableAlert {
	t.Helper()
	u, err := parseURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(u, config.HTTPClientConfig{}, (&net.Dialer{}).DialContext, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	got, err := c.api.GetAlerts(apialert.NewGetAlertsParamsWithTimeout(5 * time.Second).WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*models.GettableAlert{}
	for _, a := range got.Payload {
		out[a.Labels["pod"]] = a
	}
	return out
}

// eventually waits until ok, at most for limit.
func eventually(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// One of three clustered Alertmanagers is killed: the others have the alert, one
// notification comes, and the one that returns has the alert again.
func TestFault_C1_Alertmanager(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	ams := testserver.AlertmanagerCluster(t, 3, testserver.AlertmanagerOptions{
		Webhook: hook.URL, ExtraFlags: []string{"--cluster.peer-timeout=1s"},
	})
	r := against(t, ams, Options{})
	start := now() - 60_000
	r.write(result("a", open("f1", start)))
	for i, s := range ams {
		eventually(t, fmt.Sprintf("alert at %d", i), 5*time.Second, func() bool { return alerts(t, s)["a"] != nil })
	}
	ams[1].Kill()
	time.Sleep(3 * fastResend)
	for _, i := range []int{0, 2} {
		if alerts(t, ams[i])["a"] == nil {
			t.Errorf("no alert at %d after another was killed", i)
		}
	}
	ams[1].Start()
	eventually(t, "alert at the one that is back", 5*time.Second, func() bool { return alerts(t, ams[1])["a"] != nil })
	eventually(t, "notification", 60*time.Second, func() bool { return hook.count("firing", "a") > 0 })
	time.Sleep(4 * time.Second) // the third waits 2 s
	if n := hook.count("firing", "a"); n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
}

// Alertmanager restarts and has forgotten its alerts.
func TestFault_C3(t *testing.T) {
	t.Parallel()
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	r := against(t, []*testserver.Server{am}, Options{ResendDelay: 2 * time.Second})
	start := now() - 3600_000
	r.write(result("a", open("f1", start)))
	eventually(t, "alert", 5*time.Second, func() bool { return alerts(t, am)["a"] != nil })
	am.Kill()
	am.Start()
	begin := time.Now()
	eventually(t, "alert after the restart", 5*time.Second, func() bool { return alerts(t, am)["a"] != nil })
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("back after %v, want one re-send of 2 s", d)
	}
	a := alerts(t, am)["a"]
	if got := time.Time(*a.StartsAt).UnixMilli(); got != start {
		t.Errorf("startsAt %v, want %v", got, start)
	}
	if a.Labels["severity"] != "warning" || a.Labels["type"] != "spike" || a.Labels["signal"] != "cpu" || a.Labels["alertname"] != "UpidAnomaly" {
		t.Errorf("labels %v", a.Labels)
	}
	if want := "http://prometheus:9090/graph?g0.expr=up%7Ba%3D%22b%22%7D&g0.tab=0"; string(a.GeneratorURL) != want {
		t.Errorf("generator URL %s, want %s", a.GeneratorURL, want)
	}
}

// A batch with an alert that Alertmanager refuses. Ours are valid, so the bad
// one is smuggled in behind the validation.
func TestFault_C6_Alertmanager(t *testing.T) {
	t.Parallel()
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	r := against(t, []*testserver.Server{am}, Options{ResendDelay: time.Hour, MaxActivePerSignal: -1})
	var rs []series.Result
	for i := range 20 {
		rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), now()-1000)))
	}
	r.write(rs...)
	eventually(t, "20 alerts", 5*time.Second, func() bool { return len(alerts(t, am)) == 20 })

	r.n.mu.Lock()
	state := r.n.tasks["cpu"]
	key := state.alerts[alertKey("13")].key
	bad := *state.alerts[key]
	bad.labels = labels.FromStrings("pod", "") // an empty value is no label: none is left
	state.alerts[key] = &bad
	r.n.mu.Unlock()
	am.Kill() // forgets
	am.Start()
	r.n.resend()
	eventually(t, "19 alerts", 5*time.Second, func() bool { return len(alerts(t, am)) >= 19 })
	b := &bench{t: t, reg: r.reg}
	eventually(t, "the bad one is dropped", 5*time.Second, func() bool {
		v, _ := b.metric("upid_notifications_dropped_total", am.URL, dropRejected)
		return v == 1
	})
	got := alerts(t, am)
	if len(got) != 19 || got["13"] != nil {
		t.Errorf("%d alerts", len(got))
	}
	if st := r.n.Status()[0]; st.LastError == "" || st.QueueLength != 0 {
		t.Errorf("status %+v", st)
	}
}

func alertKey(pod string) string {
	return labels.FromStrings("alertname", "UpidAnomaly", "pod", pod, "severity", "warning", "signal", "cpu", "type", "spike").String()
}

// UTF-8 label names, at whatever version there is: the alert arrives, under its
// own names from 0.27 on, escaped before.
func TestFault_C9_Alertmanager(t *testing.T) {
	t.Parallel()
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	r := against(t, []*testserver.Server{am}, Options{})
	odd := result("a", open("f1", now()-1000))
	odd.Labels = labels.FromStrings("pod", "a", "größe", "ü")
	r.write(odd, result("b", open("f2", now()-1000)))
	eventually(t, "both alerts", 5*time.Second, func() bool { return len(alerts(t, am)) == 2 })
	a := alerts(t, am)["a"]
	escaped := r.n.Status()[0].Escaping
	if got := a.Labels["gr__e"] == "ü"; got != escaped {
		t.Errorf("labels %v, escaping %t", a.Labels, escaped)
	}
	if got := a.Labels["größe"] == "ü"; got == escaped {
		t.Errorf("labels %v, escaping %t", a.Labels, escaped)
	}
	b := &bench{t: t, reg: r.reg}
	b.wantMetric(0, "upid_notifications_dropped_total", am.URL, dropRejected)
}

// The process dies while an alert fires and another one takes over: the alert
// neither ends nor starts anew; then it is resolved.
func TestFault_C10(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{Webhook: hook.URL})
	start := now() - 3600_000
	first := against(t, []*testserver.Server{am}, Options{ResendDelay: 2 * time.Second})
	first.write(result("a", open("f1", start)))
	eventually(t, "notification", 10*time.Second, func() bool { return hook.count("firing", "a") == 1 })
	before := alerts(t, am)["a"]
	first.stop()

	time.Sleep(6 * time.Second) // three of the four intervals that the alert is valid for
	if alerts(t, am)["a"] == nil {
		t.Fatal("the alert ended before its end")
	}
	second := against(t, []*testserver.Server{am}, Options{ResendDelay: 2 * time.Second})
	second.write(result("a", open("f1", start)))
	time.Sleep(3 * time.Second) // the end that the first process set is over
	after := alerts(t, am)["a"]
	if after == nil {
		t.Fatal("the alert is gone after the restart")
	}
	if *after.Fingerprint != *before.Fingerprint || time.Time(*after.StartsAt).UnixMilli() != start {
		t.Errorf("another alert: %s from %v", *after.Fingerprint, *after.StartsAt)
	}
	if n := hook.count("resolved", "a"); n != 0 {
		t.Errorf("%d false resolutions", n)
	}
	second.write(result("a", resolvedAt(open("f1", start), now()-1000)))
	eventually(t, "resolution", 10*time.Second, func() bool { return hook.count("resolved", "a") == 1 })
	if alerts(t, am)["a"] != nil {
		t.Error("resolved, but active")
	}
	if n := hook.count("firing", "a"); n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
}

// Our clock is ten minutes slow or fast: by its own clock the Alertmanager would
// see a past end at once, or one that does not come.
func TestFault_C17(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		hook := newWebhook(t)
		am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{Webhook: hook.URL})
		r := against(t, []*testserver.Server{am}, Options{ResendDelay: 2 * time.Second, Now: func() time.Time { return time.Now().Add(off) }})
		begin := time.Now().Add(-3 * time.Second).Truncate(time.Second)
		f := open("f1", begin.Add(off).UnixMilli())
		r.write(result("a", f))
		eventually(t, "notification", 10*time.Second, func() bool { return hook.count("firing", "a") == 1 })
		time.Sleep(5 * time.Second)
		a := alerts(t, am)["a"]
		if n := hook.count("resolved", "a"); a == nil || n != 0 {
			t.Fatalf("off by %v: active %v, %d resolutions", off, a, n)
		}
		if got := time.Time(*a.StartsAt).Sub(begin); off < 0 && got.Abs() > 3*time.Second { // else a start ten minutes ahead was heard of first
			t.Errorf("off by %v: the alert began %v after it did", off, got)
		}
		if left := time.Until(time.Time(*a.EndsAt)); left < 2*time.Second || left > 10*time.Second {
			t.Errorf("off by %v: valid for another %v", off, left)
		}
		r.write(result("a", resolvedAt(f, time.Now().Add(off).UnixMilli()-1000)))
		eventually(t, "resolution", 10*time.Second, func() bool { return hook.count("resolved", "a") == 1 })
	}
}

// The process is gone for good: the alert ends by itself, and so does the
// watchdog, which is what a dead-man service waits for.
func TestFault_C11(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{Webhook: hook.URL})
	r := against(t, []*testserver.Server{am}, Options{Watchdog: true})
	r.write(result("a", open("f1", now()-1000)))
	eventually(t, "notifications", 10*time.Second, func() bool { return hook.count("firing", "a") == 1 && hook.count("firing", "") == 1 })
	r.stop()
	eventually(t, "end of both", 10*time.Second, func() bool { return hook.count("resolved", "a") == 1 && hook.count("resolved", "") == 1 })
}

// Two replicas that agree, and a cluster of two: one notification.
func TestFault_C12(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	// A member waits for those before it, here a second, whether they notify: that
	// is to be short against the group interval, as it is by default (15 s, 5 min).
	ams := testserver.AlertmanagerCluster(t, 2, testserver.AlertmanagerOptions{
		Config: fmt.Sprintf(`route: {receiver: hook, group_by: ['...'], group_wait: 1s, group_interval: 4s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, hook.URL),
		ExtraFlags: []string{"--cluster.peer-timeout=1s"},
	})
	start := now() - 1000
	var replicas []*real
	for range 2 {
		r := against(t, ams, Options{})
		r.write(result("a", open("f1", start)))
		replicas = append(replicas, r)
	}
	eventually(t, "notification", 60*time.Second, func() bool { return hook.count("firing", "a") > 0 })
	time.Sleep(6 * time.Second)
	for _, r := range replicas {
		r.write(result("a", resolvedAt(open("f1", start), now()-500)))
	}
	eventually(t, "resolution", 60*time.Second, func() bool { return hook.count("resolved", "a") > 0 })
	time.Sleep(6 * time.Second)
	if f, e := hook.count("firing", "a"), hook.count("resolved", "a"); f != 1 || e != 1 {
		t.Errorf("%d firing and %d resolved notifications, want one each", f, e)
	}
}

// The severity rises: the old alert ends and the new one begins, in one go.
func TestSeverityRises_Alertmanager(t *testing.T) {
	t.Parallel()
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})
	r := against(t, []*testserver.Server{am}, Options{})
	f := open("f1", now()-1000)
	r.write(result("a", f))
	eventually(t, "alert", 5*time.Second, func() bool { return alerts(t, am)["a"] != nil })
	f.Severity = series.SeverityCritical
	r.write(result("a", f))
	eventually(t, "critical", 5*time.Second, func() bool {
		// Alertmanager stores a batch alert by alert: the old one may be gone before
		// the new one is there.
		a := alerts(t, am)["a"]
		return a != nil && a.Labels["severity"] == "critical"
	})
	if n := len(alerts(t, am)); n != 1 {
		t.Errorf("%d alerts, want the critical one only", n)
	}
}

// webhook collects notifications.
type webhook struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[[2]string]int // status and pod
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{seen: map[[2]string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct {
			Alerts []struct {
				Status string
				Labels map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, a := range n.Alerts {
			w.seen[[2]string{a.Status, a.Labels["pod"]}]++
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) count(status, pod string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[[2]string{status, pod}]
}
