package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/upid/upid/collector/series"
)

// One of three Alertmanagers is down: the others get every alert on time.
func TestFault_C1(t *testing.T) {
	inBubble(t, 3, Options{}, func(b *bench) {
		b.ams[1].set(func(am *fakeAM) { am.down = true })
		start := now()
		b.write(result("a", open("f1", start)))
		for _, i := range []int{0, 2} {
			wantFiring(t, b.ams[i].get("a"), start, 4*time.Minute)
		}
		sleep(10 * time.Minute)
		for _, i := range []int{0, 2} {
			if got := len(b.ams[i].all()); got != 11 { // the first and ten re-sends
				t.Errorf("Alertmanager %d got %d posts, want 11", i, got)
			}
			wantFiring(t, b.ams[i].get("a"), start, 4*time.Minute)
			b.wantMetric(0, "upid_notifications_errors_total", "http://"+b.ams[i].addr)
			b.wantMetric(11, "upid_notifications_sent_total", "http://"+b.ams[i].addr)
		}
		if v, _ := b.metric("upid_notifications_errors_total", "http://am1:9093"); v < 10 {
			t.Errorf("%v errors of the one that is down, want at least 10", v)
		}
		b.wantMetric(3, "upid_notifications_alertmanagers_discovered")
		if _, ok := b.metric("upid_notifications_last_success_timestamp_seconds", "http://am1:9093"); ok {
			t.Error("last success of an Alertmanager that never answered")
		}
		if n := strings.Count(b.logs.String(), "alerts not posted"); n != 1 {
			t.Errorf("the failure is logged %d times, want once:\n%s", n, b.logs)
		}
		b.ams[1].set(func(am *fakeAM) { am.down = false })
		sleep(70 * time.Second)
		if b.ams[1].get("a") == nil {
			t.Error("the one that is back has no alert after 70 s")
		}
		if !strings.Contains(b.logs.String(), "alertmanager reached again") {
			t.Errorf("recovery is not logged:\n%s", b.logs)
		}
	})
}

// All are down for six hours: what still fires arrives within the re-send delay
// plus a timeout, what was resolved long ago is not heard of, and nothing piles
// up.
func TestFault_C2(t *testing.T) {
	inBubble(t, 2, Options{}, func(b *bench) {
		for _, am := range b.ams {
			am.set(func(am *fakeAM) { am.down = true })
		}
		start := now()
		var rs []series.Result
		for i := range 40 {
			rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), start)))
		}
		b.write(rs...)
		sleep(time.Hour)
		rs[0].Findings[0].End = now()
		b.write(rs...)
		for range 5 * 60 { // minutes
			sleep(time.Minute)
			b.write(rs[1:]...)
			if n, _ := b.metric("upid_notifications_queue_length", "http://am0:9093"); n > 41 {
				t.Fatalf("%v alerts are queued", n)
			}
		}
		for _, am := range b.ams {
			am.set(func(am *fakeAM) { am.down = false })
		}
		sleep(70 * time.Second)
		for i, am := range b.ams {
			if am.len() != 39 || am.get("0") != nil {
				t.Errorf("Alertmanager %d has %d alerts, want the 39 that fire", i, am.len())
			}
			a := am.get("7")
			if a == nil || !ends(a).After(time.Now().Add(2*time.Minute)) || starts(a).UnixMilli() != start {
				t.Errorf("alert after the outage: %+v", a)
			}
			for _, r := range dropReasons {
				b.wantMetric(0, "upid_notifications_dropped_total", "http://"+am.addr, r)
			}
		}
	})
}

// A finding is resolved while the Alertmanager is away for less than 15 minutes:
// the resolution arrives.
func TestFault_C4(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		f := open("f1", now())
		b.write(result("a", f))
		b.ams[0].set(func(am *fakeAM) { am.down = true })
		sleep(time.Minute)
		end := now()
		b.write(result("a", resolvedAt(f, end)))
		sleep(10 * time.Minute)
		b.write(result("a"))
		b.ams[0].set(func(am *fakeAM) { am.down = false })
		sleep(70 * time.Second)
		if a := b.ams[0].get("a"); ends(a).UnixMilli() != end || starts(a).UnixMilli() != f.Start {
			t.Errorf("from %v to %v, want to %v", starts(a), ends(a), time.UnixMilli(end))
		}
	})
}

// One accepts requests and hangs: only its own queue waits.
func TestFault_C5(t *testing.T) {
	inBubble(t, 2, Options{}, func(b *bench) {
		b.ams[0].set(func(am *fakeAM) { am.hang = true })
		start := now()
		b.write(result("a", open("f1", start)))
		wantFiring(t, b.ams[1].get("a"), start, 4*time.Minute)
		b.write(result("a", open("f1", start)), result("b", open("f2", start)))
		wantFiring(t, b.ams[1].get("b"), start, 4*time.Minute)
		b.wantMetric(1, "upid_notifications_queue_length", "http://am0:9093")
		b.wantMetric(0, "upid_notifications_queue_length", "http://am1:9093")
		sleep(11 * time.Second)
		if st := b.n.Status(); !st[0].Failing() || !strings.Contains(st[0].LastError, "deadline exceeded") || st[1].Failing() {
			t.Errorf("status %+v", st)
		}
		b.ams[0].set(func(am *fakeAM) { am.hang = false })
		sleep(time.Minute)
		if b.ams[0].len() != 2 {
			t.Errorf("%d alerts after it answers again, want 2", b.ams[0].len())
		}
	})
}

// 400 after the good part of a batch was stored: the bad alert is found, named
// and left alone for a while; the good ones are confirmed; no loop.
func TestFault_C6(t *testing.T) {
	inBubble(t, 1, Options{MaxActivePerSignal: -1}, func(b *bench) {
		am := b.ams[0]
		am.set(func(am *fakeAM) { am.bad = func(a *models.PostableAlert) bool { return a.Labels["pod"] == "37" } })
		var rs []series.Result
		for i := range 64 {
			rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), now())))
		}
		b.write(rs...)
		if am.len() != 63 {
			t.Errorf("%d alerts stored, want 63", am.len())
		}
		if n := len(am.all()); n != 13 { // 1 + 2·log2(64)
			t.Errorf("%d posts to find one bad alert in 64, want 13", n)
		}
		b.wantMetric(1, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
		b.wantMetric(1, "upid_notifications_errors_total", "http://am0:9093")
		b.wantMetric(64, "upid_notifications_sent_total", "http://am0:9093")
		if l := b.logs.String(); !strings.Contains(l, "alert refused") || !strings.Contains(l, `pod=\"37\"`) || !strings.Contains(l, "bad alert") {
			t.Errorf("the bad alert is not named: %s", l)
		}
		am.forget()
		sleep(4 * time.Minute)
		if n := len(am.all()); n != 4 {
			t.Errorf("%d posts in 4 min, want one per re-send", n)
		}
		b.wantMetric(5, "upid_notifications_dropped_total", "http://am0:9093", dropRejected)
		// It may have been mended there.
		am.set(func(am *fakeAM) { am.bad = nil })
		sleep(2 * time.Minute)
		if am.len() != 64 {
			t.Errorf("%d alerts stored, want 64", am.len())
		}
	})
}

// Answers that someone has to act on: shown, counted, tried again once per
// re-send delay.
func TestFault_C7(t *testing.T) {
	f := func(code int, body, want string) {
		t.Helper()
		inBubble(t, 1, Options{}, func(b *bench) {
			am := b.ams[0]
			am.set(func(am *fakeAM) { am.code, am.body = code, body })
			b.write(result("a", open("f1", now())))
			if st := b.n.Status()[0]; !st.Failing() || st.LastError != want || st.QueueLength != 1 {
				t.Errorf("status %+v, want error %q", st, want)
			}
			sleep(5*time.Minute + time.Second)
			if n := len(am.all()); n != 6 {
				t.Errorf("%d posts in 5 min of status %d, want 6", n, code)
			}
			b.wantMetric(6, "upid_notifications_errors_total", "http://am0:9093")
			am.set(func(am *fakeAM) { am.code = 0 })
			sleep(time.Minute)
			if st := b.n.Status()[0]; am.get("a") == nil || st.Failing() || st.QueueLength != 0 || !strings.Contains(b.logs.String(), "misconfigured") {
				t.Errorf("after repair: status %+v, logs %s", st, b.logs)
			}
		})
	}
	f(http.StatusUnauthorized, "", "status 401 Unauthorized")
	f(http.StatusForbidden, "no\n entry", "status 403 Forbidden: no entry")
	f(http.StatusNotFound, "404 page not found", "status 404 Not Found: 404 page not found (is the URL missing a path prefix?)")
	f(http.StatusRequestEntityTooLarge, strings.Repeat("x", 400), "status 413 Request Entity Too Large: "+strings.Repeat("x", 300)+"…")
	f(http.StatusUnsupportedMediaType, "", "status 415 Unsupported Media Type")
	f(http.StatusFound, "", "status 302 Found (redirects are not followed)")
}

// A busy or broken server: backoff from a second on up to the re-send delay, or
// as long as it asks for, within limits.
func TestFault_C8(t *testing.T) {
	seconds := func(b *bench, begin time.Time) (out []int) {
		for _, p := range b.ams[0].all() {
			out = append(out, int(p.at.Sub(begin).Seconds()))
		}
		return out
	}
	for _, code := range []int{500, 502, 503, 429} {
		inBubble(t, 1, Options{}, func(b *bench) {
			begin := time.Now()
			b.ams[0].set(func(am *fakeAM) { am.code = code })
			b.write(result("a", open("f1", now())))
			sleep(4 * time.Minute)
			want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183}
			if got := seconds(b, begin); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("status %d: posts at %v s, want %v", code, got, want)
			}
			b.ams[0].set(func(am *fakeAM) { am.code = 0 })
			sleep(time.Minute)
			if b.ams[0].get("a") == nil {
				t.Error("not delivered after recovery")
			}
		})
	}
	f := func(after string, want ...int) {
		t.Helper()
		inBubble(t, 1, Options{}, func(b *bench) {
			begin := time.Now()
			b.ams[0].set(func(am *fakeAM) { am.code, am.header = 429, http.Header{"Retry-After": {after}} })
			b.write(result("a", open("f1", now())))
			sleep(4 * time.Minute)
			got := seconds(b, begin)
			if fmt.Sprint(got[:len(want)]) != fmt.Sprint(want) {
				t.Errorf("Retry-After %s: posts at %v s, want %v first", after, got, want)
			}
		})
	}
	f("30", 0, 30, 60, 90)
	f("100000", 0, 120, 240) // twice the re-send delay: alerts posted before have not lapsed
	f("soon", 0, 1, 3)
	inBubble(t, 1, Options{}, func(b *bench) {
		begin := time.Now()
		date := begin.Add(45 * time.Second).UTC().Format(http.TimeFormat)
		b.ams[0].set(func(am *fakeAM) { am.code, am.header = 503, http.Header{"Retry-After": {date}} })
		b.write(result("a", open("f1", now())))
		sleep(46 * time.Second)
		if got := seconds(b, begin); fmt.Sprint(got) != "[0 45]" {
			t.Errorf("Retry-After as a date: posts at %v s, want 0 and 45", got)
		}
	})
}

// A reload changes the list: the one that is gone gets what is queued and then
// nothing, a new one gets everything at once, the rest is not disturbed.
func TestFault_C15(t *testing.T) {
	inBubble(t, 2, Options{}, func(b *bench) {
		urls := func(ams ...*fakeAM) (out []AlertmanagerConfig) {
			for _, am := range ams {
				out = append(out, AlertmanagerConfig{URL: "http://" + am.addr + "/"})
			}
			return out
		}
		start := now()
		b.ams[0].set(func(am *fakeAM) { am.delay = 3 * time.Second })
		b.write(result("a", open("f1", start)))
		b.write(result("a", open("f1", start)), result("b", open("f2", start)))
		third := b.addAM()
		if err := b.n.Apply(urls(b.ams[1], third)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if third.len() != 2 {
			t.Errorf("the new one has %d alerts, want 2", third.len())
		}
		b.wantMetric(1, "upid_notifications_queue_length", "http://am0:9093") // still draining
		sleep(10 * time.Second)
		if b.ams[0].len() != 2 {
			t.Errorf("the removed one has %d alerts, want 2: its queue was not drained", b.ams[0].len())
		}
		if _, ok := b.metric("upid_notifications_queue_length", "http://am0:9093"); ok {
			t.Error("metrics of the removed one are still there")
		}
		b.wantMetric(2, "upid_notifications_alertmanagers_discovered")
		b.ams[0].forget()
		sleep(4*time.Minute + 50*time.Second) // to the moment of a re-send
		if n := len(b.ams[0].all()); n != 0 {
			t.Errorf("%d posts to the removed one", n)
		}
		wantFiring(t, third.get("b"), start, 4*time.Minute)

		// Another configuration of the same address takes over without a gap.
		cfg := urls(b.ams[1], third)
		cfg[1].HTTP.BearerToken = "t0ken"
		third.set(func(am *fakeAM) { am.posts, am.hang = nil, true })
		b.write(result("c", open("f3", start)))
		third.set(func(am *fakeAM) { am.hang = false })
		if err := b.n.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a := third.get("c"); a == nil {
			t.Error("no alert after the change of configuration")
		}
		posts := third.all()
		if got := posts[len(posts)-1].header.Get("Authorization"); got != "Bearer t0ken" {
			t.Errorf("Authorization %q", got)
		}
		if v, ok := b.metric("upid_notifications_queue_capacity", "http://"+third.addr); !ok || v != 10000 {
			t.Error("metrics of the changed one are gone")
		}
		b.wantMetric(0, "upid_notifications_dropped_total", "http://"+third.addr, dropShutdown)

		// A bad list changes nothing.
		for _, bad := range [][]AlertmanagerConfig{
			{{URL: "ftp://x"}},
			append(urls(third), urls(third)...),
		} {
			if err := b.n.Apply(bad); err == nil {
				t.Errorf("%v was taken", bad)
			}
		}
		if st := b.n.Status(); len(st) != 2 || st[1].URL != "http://"+third.addr {
			t.Errorf("status %+v", st)
		}
		if strings.Contains(b.logs.String(), "t0ken") {
			t.Error("the token is in the log")
		}
		b.stop()
		if err := b.n.Apply(nil); err == nil {
			t.Error("Apply after the end")
		}
		if err := b.n.Run(t.Context()); err == nil {
			t.Error("Run after the end")
		}
	})
}

// The end comes with a full queue: it is drained as long as allowed, the rest is
// counted and logged.
func TestFault_C16(t *testing.T) {
	inBubble(t, 2, Options{BatchSize: 2, MaxActivePerSignal: -1, DrainTimeout: 5500 * time.Millisecond}, func(b *bench) {
		b.ams[0].set(func(am *fakeAM) { am.delay = time.Second })
		b.ams[1].set(func(am *fakeAM) { am.down = true })
		var rs []series.Result
		for i := range 20 {
			rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), now())))
		}
		b.write(rs...)
		begin := time.Now()
		b.stop()
		if d := time.Since(begin); d != 5500*time.Millisecond {
			t.Errorf("ended after %v, want 5.5 s", d)
		}
		// Batches at 0, 1, … 5 s; the sixth is cut off: the server has it, we
		// do not know.
		b.wantMetric(10, "upid_notifications_dropped_total", "http://am0:9093", dropShutdown)
		b.wantMetric(20, "upid_notifications_dropped_total", "http://am1:9093", dropShutdown)
		if l := b.logs.String(); strings.Count(l, "alerts not posted before the end") != 2 || !strings.Contains(l, "dropped=10") {
			t.Errorf("log: %s", l)
		}
	})
}

// The queue is full: the oldest go, counted, logged once.
func TestQueueFull(t *testing.T) {
	inBubble(t, 1, Options{QueueCapacity: 5, BatchSize: 1, MaxActivePerSignal: -1}, func(b *bench) {
		b.ams[0].set(func(am *fakeAM) { am.hang = true })
		b.wantMetric(5, "upid_notifications_queue_capacity", "http://am0:9093")
		var rs []series.Result
		for i := range 10 {
			rs = append(rs, result(fmt.Sprint(i), open(fmt.Sprint("f", i), now())))
			b.write(rs...)
		}
		// One is under way, five are queued.
		b.wantMetric(5, "upid_notifications_queue_length", "http://am0:9093")
		b.wantMetric(4, "upid_notifications_dropped_total", "http://am0:9093", dropQueueFull)
		if n := strings.Count(b.logs.String(), "alert queue full"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

// The clock of an Alertmanager is elsewhere: what it said of it is taken at once,
// and its alerts end by its clock.
func TestClockOfAlertmanager(t *testing.T) {
	for _, ahead := range []time.Duration{10 * time.Minute, -10 * time.Minute, time.Second} {
		inBubble(t, 2, Options{}, func(b *bench) {
			other, am := b.ams[0], b.ams[1]
			am.set(func(am *fakeAM) { am.ahead = ahead })
			start := now() - 60_000
			b.write(result("a", open("f1", start)))
			posts, shift := 2, ahead
			if ahead.Abs() < 30*time.Second { // not worth a word
				posts, shift = 1, 0
			}
			if n := len(am.all()); n != posts || len(other.all()) != 1 {
				t.Errorf("ahead by %v: %d posts, %d to the other, want %d and 1", ahead, n, len(other.all()), posts)
			}
			near := func(got time.Time, want time.Duration) bool { return (time.Until(got) - want).Abs() <= time.Second }
			if a := am.get("a"); !near(ends(a), 4*time.Minute+shift) || !near(starts(a), -time.Minute+shift) {
				t.Errorf("ahead by %v: from %v to %v, now is %v", ahead, starts(a), ends(a), time.Now())
			}
			wantFiring(t, other.get("a"), start, 4*time.Minute)
			sleep(10 * time.Second)
			b.write(result("a", resolvedAt(open("f1", start), now()-2000)))
			if a := am.get("a"); !near(ends(a), -2*time.Second+shift) {
				t.Errorf("ahead by %v: resolved at %v, now is %v", ahead, ends(a), time.Now())
			}
			if n := len(am.all()); n != posts+1 {
				t.Errorf("ahead by %v: %d posts, want %d", ahead, n, posts+1)
			}
		})
	}
	// Dates of any kind: a post or two more, and no flood.
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		b.write(result("a", open("f1", now())))
		for i := range 60 {
			am.set(func(am *fakeAM) { am.ahead = time.Duration(i%7) * time.Hour })
			sleep(time.Minute)
		}
		if n := len(am.all()); n > 125 {
			t.Errorf("%d posts in an hour", n)
		}
	})
}

// A name with several addresses is several Alertmanagers, each of which has every
// alert; names are looked up again, and a look-up that fails changes nothing.
func TestFault_C18(t *testing.T) {
	var mu sync.Mutex
	var addrs []string
	var fails error
	asked := 0
	answer := func(err error, as ...string) {
		mu.Lock()
		defer mu.Unlock()
		addrs, fails = as, err
	}
	lookup := func(_ context.Context, host string) ([]string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		if host != "am0" {
			return nil, fmt.Errorf("lookup of %s", host)
		}
		return addrs, fails
	}
	answer(nil, "10.0.0.2", "10.0.0.1", "fd00::1")
	inBubble(t, 1, Options{Lookup: lookup}, func(b *bench) {
		byName, one, two, three := b.ams[0], b.addAM(), b.addAM(), b.addAM()
		b.net.mu.Lock()
		b.net.servers["10.0.0.1:9093"], b.net.servers["10.0.0.2:9093"], b.net.servers["10.0.0.3:9093"] = one, two, three
		b.net.mu.Unlock()
		b.write(result("a", open("f1", now())))
		if one.len() != 1 || two.len() != 1 || three.len() != 0 || byName.len() != 0 {
			t.Errorf("%d, %d, %d alerts, %d by name", one.len(), two.len(), three.len(), byName.len())
		}
		b.wantMetric(2, "upid_notifications_alertmanagers_discovered")
		b.wantMetric(1, "upid_notifications_sent_total", "http://am0:9093 (10.0.0.1)")

		answer(nil, "10.0.0.2", "10.0.0.3") // one is replaced: the new one has all at once
		sleep(31 * time.Second)
		if three.len() != 1 {
			t.Errorf("the new address has %d alerts", three.len())
		}
		if _, ok := b.metric("upid_notifications_sent_total", "http://am0:9093 (10.0.0.1)"); ok {
			t.Error("metrics of the address that is gone are still there")
		}
		one.forget()
		answer(errors.New("the name server is down"))
		b.write(result("a", open("f1", now())), result("b", open("f2", now())))
		sleep(5 * time.Minute)
		if two.len() != 2 || three.len() != 2 || len(one.all()) != 0 {
			t.Errorf("without names: %d and %d alerts, %d posts to the old address", two.len(), three.len(), len(one.all()))
		}

		answer(nil, "10.0.0.3") // one address: as if there were no name
		sleep(31 * time.Second)
		if byName.len() != 2 {
			t.Errorf("%d alerts by name", byName.len())
		}
		if st := b.n.Status(); len(st) != 1 || st[0].URL != "http://am0:9093" {
			t.Errorf("status %+v", st)
		}

		// A reload looks its names up at once; addresses are none.
		answer(nil, "10.0.0.1", "10.0.0.2")
		if err := b.n.Apply([]AlertmanagerConfig{{URL: "http://am0:9093"}, {URL: "http://10.0.0.3:9093"}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var urls []string
		for _, s := range b.n.Status() {
			urls = append(urls, s.URL)
		}
		if got := strings.Join(urls, ", "); got != "http://am0:9093 (10.0.0.1), http://am0:9093 (10.0.0.2), http://10.0.0.3:9093" {
			t.Errorf("posted to %s", got)
		}
		mu.Lock()
		before := asked
		mu.Unlock()
		if err := b.n.Apply([]AlertmanagerConfig{{URL: "http://10.0.0.3:9093"}}); err != nil {
			t.Fatal(err)
		}
		sleep(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if asked != before {
			t.Errorf("%d look-ups of an address", asked-before)
		}
	})
}

func TestOneFamily(t *testing.T) {
	f := func(want string, addrs ...string) {
		t.Helper()
		if got := strings.Join(oneFamily(addrs), " "); got != want {
			t.Errorf("%v: %q, want %q", addrs, got, want)
		}
	}
	f("127.0.0.1", "::1", "127.0.0.1")
	f("10.0.0.1 10.0.0.2", "10.0.0.2", "::ffff:10.0.0.1", "10.0.0.2")
	f("fd00::1 fd00::2", "fd00::2", "fd00::1")
	f("")
	f("", "not an address")
}
