package notify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

func TestLifeOfAnAlert(t *testing.T) {
	inBubble(t, 1, Options{ExternalLabels: map[string]string{"region": "eu", "pod": "not taken"}}, func(b *bench) {
		am := b.ams[0]
		b.wantMetric(0, "upid_alerts", "cpu", stateFiring)
		b.wantMetric(0, "upid_alerts", "cpu", stateSuppressed)
		start := now() - 3*60_000
		f := open("f1", start)
		b.write(result("a", f), result("b"))
		a := am.get("a")
		wantFiring(t, a, start, 4*time.Minute)
		want := `{alertname="UpidAnomaly", pod="a", region="eu", severity="warning", signal="cpu", type="spike"}`
		if got := labels.FromMap(a.Labels).String(); got != want {
			t.Errorf("labels %s, want %s", got, want)
		}
		if got := string(a.GeneratorURL); got != "http://p/graph?g0.expr=up&g0.tab=0" {
			t.Errorf("generator URL %s", got)
		}
		if a.Annotations["family"] != "resource_spike" || !strings.Contains(a.Annotations["description"], "the value was 2 cores") {
			t.Errorf("annotations %v", a.Annotations)
		}
		b.wantMetric(1, "upid_alerts", "cpu", stateFiring)

		// Another value is no news; it waits for the re-send.
		sleep(30 * time.Second)
		f.Score.Observed, f.Peak = 3, 3
		b.write(result("a", f))
		if n := len(am.all()); n != 1 {
			t.Errorf("%d posts, want 1", n)
		}
		sleep(30 * time.Second)
		wantFiring(t, am.get("a"), start, 4*time.Minute)
		if got := am.get("a").Annotations["score"]; got != "3" {
			t.Errorf("score %s after the re-send, want 3", got)
		}
		// That data stopped or that it looks different is posted at once.
		f.Stale = true
		b.write(result("a", f))
		f.Stale, f.Reclassified = false, series.TypeLevelShift
		b.write(result("a", f))
		if n := len(am.all()); n != 4 || am.get("a").Annotations["reclassified"] != "level_shift" || am.get("a").Annotations["stale"] != "" {
			t.Errorf("%d posts, annotations %v", n, am.get("a").Annotations)
		}

		// Resolved: posted at once and again for 15 minutes, also when the
		// results do not list it any more.
		sleep(10 * time.Second)
		end := now() - 5000
		b.write(result("a", resolvedAt(f, end)))
		check := func() {
			t.Helper()
			if a := am.get("a"); ends(a).UnixMilli() != end || starts(a).UnixMilli() != start {
				t.Errorf("from %v to %v, want to %v", starts(a), ends(a), time.UnixMilli(end))
			}
		}
		check()
		b.wantMetric(0, "upid_alerts", "cpu", stateFiring)
		am.forget()
		sleep(time.Minute)
		b.write(result("a"))
		sleep(30 * time.Minute)
		if n := len(am.all()); n != 15 {
			t.Errorf("%d posts of the resolution, want 15", n)
		}
		check()
	})
}

func TestSeverityRises(t *testing.T) {
	inBubble(t, 1, Options{BatchSize: 1}, func(b *bench) {
		am := b.ams[0]
		f := open("f1", now())
		b.write(result("a", f))
		am.forget()
		sleep(10 * time.Second)
		rise := now()
		f.Severity = series.SeverityCritical
		b.write(result("a", f))
		posts := am.all()
		if len(posts) != 1 || len(posts[0].alerts) != 2 {
			t.Fatalf("%d posts, want one with both alerts", len(posts))
		}
		old, risen := posts[0].alerts[0], posts[0].alerts[1]
		if old.Labels["severity"] != "warning" || ends(old).UnixMilli() != rise {
			t.Errorf("old: %v until %v, want warning until %v", old.Labels, ends(old), time.UnixMilli(rise))
		}
		if risen.Labels["severity"] != "critical" {
			t.Errorf("new: %v", risen.Labels)
		}
		wantFiring(t, risen, f.Start, 4*time.Minute)
		b.wantMetric(1, "upid_alerts", "cpu", stateFiring)

		// The end concerns the alert as it was last posted.
		sleep(time.Minute)
		b.write(result("a", resolvedAt(f, now())))
		if a := am.get("a", "severity", "critical"); ends(a).After(time.Now()) {
			t.Errorf("critical ends %v, want now", ends(a))
		}
		// A new finding fires where the old one was resolved a moment ago.
		sleep(time.Minute)
		g := open("f2", now())
		b.write(result("a", resolvedAt(f, now()-60_000), g))
		wantFiring(t, am.get("a", "severity", "warning"), g.Start, 4*time.Minute)
		sleep(50 * time.Second) // to the moment of a re-send
		wantFiring(t, am.get("a", "severity", "warning"), g.Start, 4*time.Minute)
	})
}

func TestLongIntervalAndClocks(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		b.n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpu", Every: time.Hour}})
		start := now()
		b.write(result("a", open("f1", start)))
		wantFiring(t, b.ams[0].get("a"), start, 4*time.Hour)
		// A grid ahead of our clock: no start after now, no end after now or
		// before the start.
		f := open("f2", now()+3600_000)
		b.write(result("b", f))
		if a := b.ams[0].get("b"); starts(a).After(time.Now()) {
			t.Errorf("starts in the future: %v", starts(a))
		}
		b.write(result("b", resolvedAt(f, now()+7200_000)))
		if a := b.ams[0].get("b"); !ends(a).Equal(time.Now()) || starts(a).After(ends(a)) {
			t.Errorf("from %v to %v at %v", starts(a), ends(a), time.Now())
		}
	})
}

// The upstream or the pipeline stops: alerts go on, with a note, and nothing is
// resolved.
func TestStaleTask(t *testing.T) {
	f := func(expire bool, after time.Duration) {
		t.Helper()
		inBubble(t, 1, Options{}, func(b *bench) {
			am := b.ams[0]
			slot := now()
			b.write(result("a", open("f1", slot)))
			if expire {
				b.n.Expire("cpu")
				b.n.Expire("unknown")
			}
			sleep(after)
			note := "No data since " + time.UnixMilli(slot).UTC().Format(time.RFC3339) + ": neither confirmed nor resolved."
			if got := am.get("a").Annotations; got["stale"] != note || !strings.HasSuffix(got["description"], note) {
				t.Errorf("annotations %v", got)
			}
			sleep(6 * time.Hour)
			wantFiring(t, am.get("a"), slot, 4*time.Minute)
			// Same labels, so the same alert.
			if am.len() != 1 {
				t.Errorf("%d alerts, want 1", am.len())
			}
			b.write(result("a", open("f1", slot)))
			sleep(time.Minute)
			if got := am.get("a").Annotations["stale"]; got != "" {
				t.Errorf("stale after new results: %s", got)
			}
		})
	}
	f(true, time.Minute)
	f(false, 4*time.Minute)
}

// What is removed is not posted any more, not even from the queue, and lapses.
func TestRemoved(t *testing.T) {
	f := func(name string, remove func(b *bench)) {
		t.Helper()
		inBubble(t, 1, Options{}, func(b *bench) {
			am := b.ams[0]
			b.write(result("a", open("f1", now())))
			am.set(func(am *fakeAM) { am.down = true })
			b.write(result("a", open("f1", now())), result("b", open("f2", now())))
			remove(b)
			am.set(func(am *fakeAM) { am.down, am.posts = false, nil })
			sleep(10 * time.Minute)
			if n := len(am.all()); n != 0 {
				t.Errorf("%s: %d posts after it", name, n)
			}
			if a := am.get("a"); ends(a).After(time.Now()) {
				t.Errorf("%s: the alert does not lapse: %v", name, ends(a))
			}
		})
	}
	gone := func(b *bench) {
		b.t.Helper()
		if err := b.n.Write(b.t.Context(), "cpu", now(), nil); err == nil || err.Error() != `alerts of "cpu": no such signal` {
			b.t.Errorf("late write: %v", err)
		}
		if _, ok := b.metric("upid_alerts", "cpu", stateFiring); ok {
			b.t.Error("upid_alerts is still there")
		}
	}
	f("dropped", func(b *bench) { b.n.Drop("cpu"); gone(b) })
	f("signal removed", func(b *bench) { b.n.SetSignals(nil); gone(b) })
	f("muted", func(b *bench) {
		b.n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpu", Muted: true}})
		b.write(result("a", open("f1", now())))
	})
	f("renamed", func(b *bench) {
		b.n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpus"}})
		b.wantMetric(0, "upid_alerts", "cpus", stateFiring)
	})
	// A finding that its task no longer lists is not resolved: it may be back.
	f("unlisted", func(b *bench) { b.write() })
	inBubble(t, 1, Options{}, func(b *bench) {
		start := now()
		b.write(result("a", open("f1", start)))
		sleep(90 * time.Second)
		b.write()
		b.write()
		if n := strings.Count(b.logs.String(), "alerts lapse"); n != 1 {
			t.Errorf("said %d times that it lapses:\n%s", n, b.logs)
		}
		sleep(90 * time.Second)
		b.write(result("a", open("f1", start)))
		wantFiring(t, b.ams[0].get("a"), start, 4*time.Minute)
		for _, p := range b.ams[0].all() {
			if !ends(p.alerts[0]).After(p.at) {
				t.Errorf("resolved at %v", p.at)
			}
		}
	})
}

func TestMaxActivePerSignal(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		var rs []series.Result
		for i := range 60 {
			f := open(fmt.Sprint("f", i), now())
			f.Peak = float64(i)
			rs = append(rs, result(fmt.Sprint(i), f))
		}
		rs[3].Findings[0].Severity = series.SeverityCritical // hidden
		b.write(rs...)
		b.wantMetric(50, "upid_alerts", "cpu", stateFiring)
		b.wantMetric(10, "upid_alerts", "cpu", stateSuppressed)
		if am.len() != 51 {
			t.Fatalf("%d alerts, want 50 and a summary", am.len())
		}
		for i := range 60 {
			if got := am.get(fmt.Sprint(i)) != nil; got != (i >= 10) { // the strongest
				t.Errorf("pod %d is posted: %t", i, got)
			}
		}
		s := am.get("", "type", typeSummary)
		if s.Labels["severity"] != "critical" || s.Labels["signal"] != "cpu" || s.Labels["alertname"] != "UpidAnomaly" {
			t.Errorf("labels of the summary %v", s.Labels)
		}
		if got := s.Annotations["summary"]; got != "cpu: 10 more anomalies are open than are posted one by one." {
			t.Errorf("summary %q", got)
		}
		if got := s.Annotations["description"]; !strings.HasPrefix(got, "The strongest of them: cpu is unusually high: 2 cores, expected 1 cores {pod=\"9\"}.") || !strings.HasSuffix(got, " And 5 more.") {
			t.Errorf("description %q", got)
		}
		start := now()
		wantFiring(t, s, start, 4*time.Minute)

		// A hidden one grows: what is posted stays.
		sleep(time.Minute)
		rs[0].Findings[0].Peak = 1000
		rs[3].Findings[0].Severity = series.SeverityWarning // never falls
		b.write(rs...)
		if am.len() != 51 || am.get("0") != nil {
			t.Errorf("%d alerts, posted set is not stable", am.len())
		}
		wantFiring(t, am.get("", "type", typeSummary, "severity", "critical"), start, 4*time.Minute)

		// Places become free: the strongest of the hidden move up, the summary ends.
		sleep(time.Minute)
		for i := 59; i >= 50; i-- {
			rs[i].Findings[0].End = now()
		}
		b.write(rs...)
		b.wantMetric(50, "upid_alerts", "cpu", stateFiring)
		b.wantMetric(0, "upid_alerts", "cpu", stateSuppressed)
		if am.get("0") == nil || am.len() != 61 {
			t.Errorf("%d alerts, want all 60 and the summary", am.len())
		}
		if s := am.get("", "type", typeSummary); ends(s).After(time.Now()) {
			t.Errorf("summary ends %v, want now", ends(s))
		}
		// The end of a hidden finding is no news to anyone.
		am.forget()
		b.write(rs...)
		if n := len(am.all()); n != 0 {
			t.Errorf("%d posts without news", n)
		}
	})
}

// Ten thousand anomalies at once: neither people nor Alertmanager drown.
func TestFault_C14(t *testing.T) {
	f := func(maxActive, wantAlerts, wantPosts int) {
		t.Helper()
		inBubble(t, 1, Options{MaxActivePerSignal: maxActive}, func(b *bench) {
			var rs []series.Result
			for i := range 10_000 {
				rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), now())))
			}
			b.write(rs...)
			posts := b.ams[0].all()
			if b.ams[0].len() != wantAlerts || len(posts) != wantPosts {
				t.Errorf("%d alerts in %d posts, want %d in %d", b.ams[0].len(), len(posts), wantAlerts, wantPosts)
			}
			for _, p := range posts {
				if len(p.alerts) > 64 {
					t.Fatalf("%d alerts in a batch", len(p.alerts))
				}
			}
		})
	}
	f(0, 51, 1)
	f(-1, 10_000, 157) // 10,000 / 64, rounded up
}

// After a restart the results list findings that ended a short while ago, posted
// perhaps by the process before.
func TestResolvedBeforeStart(t *testing.T) {
	inBubble(t, 1, Options{MaxActivePerSignal: 2}, func(b *bench) {
		old := now() - 3600_000
		var rs []series.Result
		for i := range 4 {
			f := resolvedAt(open(fmt.Sprint("f", i), old), now()-5*60_000)
			f.Peak = float64(i)
			rs = append(rs, result(fmt.Sprint(i), f))
		}
		rs[3].Findings[0].End = now() - 16*60_000
		b.write(rs...)
		if b.ams[0].len() != 2 || b.ams[0].get("1") == nil || b.ams[0].get("2") == nil {
			t.Errorf("%d resolutions, want the two strongest of the last 15 min", b.ams[0].len())
		}
		if a := b.ams[0].get("2"); ends(a).UnixMilli() != now()-5*60_000 {
			t.Errorf("ends %v", ends(a))
		}
	})
}

func TestCollisions(t *testing.T) {
	inBubble(t, 2, Options{}, func(b *bench) {
		am := b.ams[0]
		named := func(name, id string, fs ...series.Finding) series.Result {
			r := result(id, fs...)
			r.SourceName = name
			return r
		}
		b.write(
			// Differ in the metric name only; one of them is well.
			named("x", "a", open("f1", now())), named("y", "a"),
			named("x", "b", open("f2", now())), named("x", "c"),
			// Two findings of the same series and type: the first posted stays.
			result("d", open("f4", now()), open("f3", now()-1000)),
			// Not a label set.
			result("bad\xff", open("f5", now())),
			// Without an ID.
			result("e", open("", now())),
		)
		if am.get("a", "source_name", "x") == nil {
			t.Error("no source_name where series collide")
		}
		if got := am.get("b").Labels["source_name"]; got != "" {
			t.Errorf("source_name %q where none collide", got)
		}
		if got := starts(am.get("d")).UnixMilli(); got != now()-1000 {
			t.Errorf("the later of two equal alerts was posted")
		}
		if am.get("e") == nil {
			t.Error("no alert of a finding without an ID")
		}
		for range 3 { // counted once each
			b.write(result("d", open("f4", now()), open("f3", now()-1000)), result("bad\xff", open("f5", now())))
		}
		for _, am := range b.ams {
			b.wantMetric(1, "upid_notifications_dropped_total", "http://"+am.addr, dropDuplicate)
			b.wantMetric(1, "upid_notifications_dropped_total", "http://"+am.addr, dropInvalid)
		}
		if l := b.logs.String(); strings.Count(l, "alerts left out") != 1 || !strings.Contains(l, "alerts=2 reason=invalid") {
			t.Errorf("log %s", l)
		}
	})
}

func TestWatchdog(t *testing.T) {
	inBubble(t, 1, Options{Watchdog: true, ExternalLabels: map[string]string{"region": "eu"}}, func(b *bench) {
		start := now()
		for range 10 {
			sleep(time.Minute)
			a := b.ams[0].get("", "alertname", "UpidWatchdog", "region", "eu", "severity", "info")
			wantFiring(t, a, start, 4*time.Minute)
		}
		if n := len(b.ams[0].all()); n != 11 {
			t.Errorf("%d posts, want 11", n)
		}
	})
}

// Alertmanager before 0.27 refuses names that are not ASCII: they are escaped,
// tried again once, and from then on at the first try.
func TestFault_C9(t *testing.T) {
	inBubble(t, 2, Options{}, func(b *bench) {
		am, modern := b.ams[0], b.ams[1]
		am.set(func(am *fakeAM) { am.bad = hasUTF8Names })
		r := result("a", open("f1", now()))
		r.Labels = labels.FromStrings("pod", "a", "größe", "1", "gr.öße", "2", "gr__e", "3", "a:b", "4")
		b.write(r, result("b", open("f2", now())))
		if n := len(am.all()); n != 2 || am.len() != 2 {
			t.Errorf("%d posts, %d alerts", n, am.len())
		}
		// gr.öße sorts before größe.
		want := `{a_b="4", alertname="UpidAnomaly", gr__e="3", gr___e="2", gr__e_="1", pod="a", severity="warning", signal="cpu", type="spike"}`
		if got := labels.FromMap(am.get("a").Labels); labels.Compare(got, mustParse(t, want)) != 0 {
			t.Errorf("labels %s, want %s", got, want)
		}
		if modern.get("a", "größe", "1", "a:b", "4") == nil {
			t.Error("escaped where it need not be")
		}
		sleep(time.Minute)
		if n := len(am.all()); n != 3 {
			t.Errorf("%d posts, want one more: the refusal is not remembered", n)
		}
		if st := b.n.Status(); !st[0].Escaping || st[1].Escaping {
			t.Errorf("status %+v", st)
		}
		b.wantMetric(0, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
	})
	// Escaping does not help: no change of habit.
	inBubble(t, 1, Options{}, func(b *bench) {
		b.ams[0].set(func(am *fakeAM) { am.code = 422 })
		r := result("a", open("f1", now()))
		r.Labels = labels.FromStrings("größe", "1")
		b.write(r)
		b.wantMetric(1, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
		if n := len(b.ams[0].all()); n != 2 || b.n.Status()[0].Escaping {
			t.Errorf("%d posts, status %+v", n, b.n.Status())
		}
	})
	// The server breaks between the two tries.
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		am.set(func(am *fakeAM) { am.bad = hasUTF8Names; am.delay = time.Second })
		r := result("a", open("f1", now()))
		r.Labels = labels.FromStrings("größe", "1")
		b.write(r)
		am.set(func(am *fakeAM) { am.code = 503 })
		sleep(2500 * time.Millisecond) // answers at 1 s and 2 s, the next try at 3 s
		b.wantMetric(1, "upid_notifications_queue_length", "http://am0:9093")
		b.wantMetric(0, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
	})
}

func mustParse(t *testing.T, s string) labels.Labels {
	t.Helper()
	m := map[string]string{}
	for p := range strings.SplitSeq(strings.Trim(s, "{}"), ", ") {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			t.Fatalf("no label: %s", p)
		}
		m[name] = strings.Trim(value, `"`)
	}
	return labels.FromMap(m)
}

// A batch breaks half way through the search for the bad alert: only what is not
// known to be delivered is posted again.
func TestSearchInterrupted(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		am.set(func(am *fakeAM) { am.code = 400; am.delay = time.Second })
		b.write(result("a", open("f1", now())), result("b", open("f2", now())))
		am.set(func(am *fakeAM) { am.code = 500 })
		sleep(2 * time.Second)
		am.set(func(am *fakeAM) { am.code = 0 })
		sleep(5 * time.Second)
		if am.len() != 2 {
			t.Errorf("%d alerts, want 2", am.len())
		}
		b.wantMetric(0, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
	})
}

func TestSecretStaysSecret(t *testing.T) {
	inBubble(t, 0, Options{}, func(b *bench) {
		am := b.addAM()
		am.set(func(am *fakeAM) { am.code = 401 })
		err := b.n.Apply([]AlertmanagerConfig{{
			URL:  "http://" + am.addr + "/prefix",
			HTTP: config.HTTPClientConfig{BasicAuth: &config.BasicAuth{Username: "u", Password: "hunter2"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		b.write(result("a", open("f1", now())))
		p := am.all()[0]
		if u, pw, ok := (&http.Request{Header: p.header}).BasicAuth(); !ok || u != "u" || pw != "hunter2" || p.header.Get("User-Agent") != "upid" {
			t.Errorf("header %v", p.header)
		}
		if s := fmt.Sprintf("%s %+v", b.logs, b.n.Status()); strings.Contains(s, "hunter2") {
			t.Errorf("the password is told: %s", s)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	f := func(want string, o Options) {
		t.Helper()
		if o.QueueCapacity != -2 {
			o.Registerer = prometheus.NewRegistry()
		}
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	am := func(urls ...string) (o Options) {
		for _, u := range urls {
			o.Alertmanagers = append(o.Alertmanagers, AlertmanagerConfig{URL: u})
		}
		return o
	}
	f("no registerer", Options{QueueCapacity: -2})
	f("negative", Options{Timeout: -1})
	f(`scheme is "ftp", want http or https`, am("ftp://x"))
	f("no host", am("http://"))
	f("want basic_auth instead", am("http://u:hunter2@x"))
	f("invalid port", am("http://u:hunter2@x:port"))
	f("a query or a fragment", am("http://x?y"))
	f("listed twice", am("http://x", "http://x/"))
	f("at most one of", Options{Alertmanagers: []AlertmanagerConfig{{URL: "http://x", HTTP: config.HTTPClientConfig{
		BearerToken: "hunter2", BasicAuth: &config.BasicAuth{Username: "u", Password: "hunter2"},
	}}}})
	f("unable to use specified CA", Options{Alertmanagers: []AlertmanagerConfig{{URL: "http://x", HTTP: config.HTTPClientConfig{
		TLSConfig: config.TLSConfig{CA: "none"},
	}}}})
}

// Before Run, and changed before Run: nothing is posted, nothing is left behind.
func TestBeforeRun(t *testing.T) {
	reg := prometheus.NewRegistry()
	n, err := New(Options{Registerer: reg, Alertmanagers: []AlertmanagerConfig{{URL: "http://a"}}})
	if err != nil {
		t.Fatal(err)
	}
	n.SetSignals(map[string]rules.SignalInfo{"cpu": {Name: "cpu"}})
	if err := n.Write(t.Context(), "cpu", now(), []series.Result{result("a", open("f1", now()))}); err != nil {
		t.Fatal(err)
	}
	if got := n.Status()[0]; got.QueueLength != 1 || got.URL != "http://a" {
		t.Errorf("status %+v", got)
	}
	if err := n.Apply([]AlertmanagerConfig{{URL: "http://b"}}); err != nil {
		t.Fatal(err)
	}
	if got := n.Status()[0]; got.QueueLength != 1 || got.URL != "http://b" {
		t.Errorf("status %+v", got)
	}
	b := &bench{t: t, reg: reg}
	if _, ok := b.metric("upid_notifications_queue_length", "http://a"); ok {
		t.Error("metrics of the replaced Alertmanager are still there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Write(ctx, "cpu", now(), nil); err == nil {
		t.Error("Write with a cancelled context")
	}
}

// Writes, expiries, reloads and scrapes at the same time, for the race detector.
func TestConcurrent(t *testing.T) {
	inBubble(t, 2, Options{Watchdog: true, ResendDelay: time.Second}, func(b *bench) {
		signals := map[string]rules.SignalInfo{"cpu": {Name: "cpu"}}
		for i := range 4 {
			task := fmt.Sprint("t", i)
			signals[task] = rules.SignalInfo{Name: task, Every: time.Second}
		}
		b.n.SetSignals(signals)
		done := make(chan struct{})
		for i := range 4 {
			go func() {
				for k := range 50 {
					f := open("f", now())
					if k%3 == 2 {
						f.End = now()
					}
					if err := b.n.Write(t.Context(), fmt.Sprint("t", i), now(), []series.Result{result("a", f)}); err != nil {
						t.Error(err)
					}
					time.Sleep(100 * time.Millisecond)
				}
				done <- struct{}{}
			}()
		}
		for i := range 20 {
			b.n.Expire("t1")
			b.n.Status()
			if _, err := b.reg.Gather(); err != nil {
				t.Error(err)
			}
			if err := b.n.Apply([]AlertmanagerConfig{{URL: "http://" + b.ams[i%2].addr}}); err != nil {
				t.Error(err)
			}
			time.Sleep(150 * time.Millisecond)
		}
		for range 4 {
			<-done
		}
		synctest.Wait()
		if b.ams[1].get("a", "signal", "t3") == nil {
			t.Error("no alert of t3")
		}
	})
}
