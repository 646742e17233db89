package main

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/views"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9]*m")

// seen is the picture of the fake sidecar at an address that does not change.
func seen(t *testing.T, rows int) *picture {
	t.Helper()
	f := newFakeSidecar(t)
	p := &picture{base: "http://monitor:9877", every: 10 * time.Second, loc: time.UTC}
	if err := p.ask(context.Background(), (&sidecarFlags{Address: f.URL}).client(&env{}), rows); err != nil {
		t.Fatal(err)
	}
	return p
}

// Each size has its picture, and none leaves the screen.
func TestDashboardFrame(t *testing.T) {
	for name, size := range map[string][2]int{"80x24": {80, 24}, "160x50": {160, 50}, "40x12": {40, 12}} {
		p := seen(t, size[1])
		lines := p.frame(output.Style{}, size[0], size[1])
		golden(t, "dashboard."+name, strings.Join(lines, "\n")+"\n")
	}
	p := seen(t, 24)
	p.anomalies[0].Labels["x"] = "\x1b[2J\r\n\u009b"
	p.status.Upstream = upstreamStatus{URL: "x", State: "failing", Error: "a\x1b[Hb\nc"}
	p.base, p.status.Version = "http://\x1b]0;title\a", "1\r\n2"
	for width := 1; width < 170; width += 7 {
		for height := 1; height < 60; height += 4 {
			lines := p.frame(output.Style{Colour: true}, width, height)
			if len(lines) > height {
				t.Fatalf("%d lines on %d", len(lines), height)
			}
			for _, l := range lines {
				text := escapes.ReplaceAllString(l, "")
				if n := utf8.RuneCountInString(text); n > width {
					t.Fatalf("%d columns on %d: %q", n, width, text)
				}
				if strings.ContainsAny(text, "\x1b\r\n\a\u009b") {
					t.Fatalf("the terminal obeys %q", text)
				}
			}
		}
	}
}

// Where there is no terminal the picture is printed once, whole.
func TestDashboardPlain(t *testing.T) {
	f := newFakeSidecar(t)
	for _, words := range []string{"dashboard", "ml-enhancement dashboard", "dashboard show"} {
		o := upid(t, "", words+" --refresh-interval 5 --address "+f.URL)
		o.want(t, exitOK)
		if strings.Contains(o.stdout, "th…") || strings.Contains(o.stdout, "…t") {
			t.Errorf("cut, though there is no terminal:\n%s", o.stdout)
		}
		golden(t, "dashboard.plain", strings.ReplaceAll(o.stdout, f.URL, "http://127.0.0.1:12345"))
	}
}

// What a picture says of what is wrong.
func TestDashboardNotices(t *testing.T) {
	p := seen(t, 24)
	p.signals, p.status.Alertmanagers = nil, nil
	f := func(want ...string) {
		t.Helper()
		text := strings.Join(p.frame(output.Style{}, 160, 50), "\n")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in\n%s", w, text)
			}
		}
	}
	f("prometheus ok  no alertmanager  queue 3/1,000  memory 48 MiB  up 1d2h", "0 SIGNALS")
	for _, name := range []string{"cpu", "capacity", "costs", "sizing", "recommendations", "threats-ssh", "threats-workloads", "threats-of-mine"} {
		p.signals = append(p.signals, views.SignalStatus{Name: name, State: "active"})
	}
	f("2 SIGNALS, 6 TASKS  STATE")
	p.signals = nil
	since := float64(apiNoon)/1000 - 60
	p.status.Upstream = upstreamStatus{State: "failing", Since: &since, Error: "connection refused"}
	f("prometheus failing since 11:59:00  connection refused")
	p.status.Upstream.State = "not asked yet"
	f("prometheus not asked yet")
	p.status.ReloadOK = false
	f("the newest configuration is refused, the one before is in use")
	p.status.Alertmanagers = []amStatus{{State: "nothing posted yet"}}
	f("1 alertmanager, nothing posted yet")
	p.status.Alertmanagers = []amStatus{{State: "ok"}, {State: "ok"}}
	f("2 alertmanagers ok")
	waits := map[string]views.PassStatus{"fit": {Error: "no data"}}
	spent := 3.0
	p.signals = []views.SignalStatus{{Name: "a", State: "active", Budget: "1/week", BudgetSpent: &spent}, {Name: "b", State: "active"}}
	f("1 signal raised more alerts than budgeted  a 300 % of 1/week")
	p.signals = []views.SignalStatus{{Name: "a", State: "waiting", Passes: waits}, {Name: "b", State: "waiting", Passes: waits}}
	f("2 signals wait for data  their queries have no series yet: a, b")
	if text := strings.Join(p.frame(output.Style{}, 160, 50), "\n"); strings.Contains(text, "a failing") {
		t.Errorf("to wait is no failure:\n%s", text)
	}
}

// TestDashboardLoses an answer: what was known stays, with the time of the loss.
func TestDashboardLoses(t *testing.T) {
	p := seen(t, 24)
	lost := &exitError{code: exitUnreachable, err: &notReachableError{"http://x", errors.New("connection refused")}}
	at := time.UnixMilli(apiNoon + 5000)
	p.take(picture{}, lost, at)
	p.take(picture{}, lost, at.Add(time.Minute)) // it is lost since the first time
	text := strings.Join(p.frame(output.Style{}, 120, 24), "\n")
	if !strings.Contains(text, "sidecar not reachable since 12:00:05; below is what it said last  connection refused") || !strings.Contains(text, "checkout_cpu") {
		t.Errorf("\n%s", text)
	}
	p.take(picture{}, errors.New("http://x: 4 answers are being made already"), at)
	if text := strings.Join(p.frame(output.Style{}, 120, 24), "\n"); !strings.Contains(text, "being made already") || strings.Contains(text, "not reachable") {
		t.Errorf("\n%s", text)
	}
	p.take(*seen(t, 24), nil, at)
	if p.problem != nil || !p.lost.IsZero() {
		t.Error("it came back, and is said to be lost")
	}
}

// A picture is taken whole or not at all.
func TestDashboardAsksInWhole(t *testing.T) {
	f := newFakeSidecar(t)
	cl := (&sidecarFlags{Address: f.URL}).client(&env{})
	p := &picture{}
	if err := p.ask(context.Background(), cl, 24); err != nil {
		t.Fatal(err)
	}
	if len(p.predictions) != 21 || p.expected != 24 { // 6 of each signal at most
		t.Errorf("%d of %d predictions", len(p.predictions), p.expected)
	}
	handler := f.Config.Handler
	for _, path := range []string{"/api/v1/status/runtime", "/api/v1/signals", "/api/v1/anomalies", "/api/v1/predictions"} {
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				http.Error(w, "no", http.StatusInternalServerError)
				return
			}
			handler.ServeHTTP(w, r)
		})
		f.status.Version = path
		if err := p.ask(context.Background(), cl, 24); err == nil || p.status.Version == path {
			t.Errorf("without %s: %v, version %s", path, err, p.status.Version)
		}
	}
}

func TestLayout(t *testing.T) {
	cols := []column{{"NAME", false, 0, true}, {"N", true, 1, false}, {"EMPTY", false, 2, false}}
	rows := [][]piece{{{"a-very-long-name-of-a-series", nil}, {"1", nil}, {"", nil}}, {{"b", nil}, {"1234", nil}, {"", nil}}}
	f := func(width int, want ...string) {
		t.Helper()
		got := layout(width, func(s string) string { return s }, cols, rows)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("width %d:\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f(80, "NAME                             N  EMPTY", "a-very-long-name-of-a-series     1", "b                             1234")
	f(26, "NAME              N  EMPTY", "a-very…series     1", "b              1234")
	f(20, "NAME               N", "a-very-…series     1", "b               1234")
	f(13, "NAME", "a-very…series", "b")
	f(5, "NAME", "a-…es", "b")
}

func TestShare(t *testing.T) {
	f := func(room int, wants []int, want ...int) {
		t.Helper()
		got := share(room, wants)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("share(%d, %v) = %v, want %v", room, wants, got, want)
				return
			}
		}
	}
	f(10, []int{2, 20, 20}, 2, 4, 4)
	f(100, []int{2, 3, 4}, 2, 3, 4)
	f(2, []int{5, 5, 5}, 1, 1, 0)
	f(-3, []int{5}, 0)
	f(5, nil)
}

func TestIntervalText(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	f := func(lower, upper *float64, unit, want string) {
		t.Helper()
		if got := interval(lower, upper, unit); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(v(1), v(2), "cores", "1 … 2 cores")
	f(v(0.5), v(2), "seconds", "500 ms … 2 s")
	f(v(1), nil, "cores", "1 cores … -")
	f(nil, v(2), "", "- … 2")
	f(nil, nil, "cores", "-")
	f(v(1e6), v(2e6), "", "1 … 2 M")
	if got := trust(nil, "low"); got != "-" {
		t.Errorf("trust %q", got)
	}
	if got := (naming{common: map[string]string{"a": "b"}}).of(map[string]string{"a": "b"}); got != "all" {
		t.Errorf("a series with nothing of its own is %q", got)
	}
	if got := lasted(&views.Anomaly{StartedAt: 60, Stale: true}, time.UTC); got != "open since 1970-01-01T00:01:00Z, no data now" {
		t.Errorf("lasted %q", got)
	}
}
