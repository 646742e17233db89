package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// checks stands in for the packages that know PromQL, budgets and models.
var checks = Checks{
	Expr: func(s string) error {
		if strings.Count(s, "(") != strings.Count(s, ")") {
			return errors.New("1:33: parse error: unclosed left parenthesis")
		}
		if s == "http_requests_total" {
			return errors.New("http_requests_total looks like a counter")
		}
		return nil
	},
	Budget: func(s string) error {
		if !strings.Contains(s, "/") {
			return fmt.Errorf("%q is no budget", s)
		}
		return nil
	},
	Forecasters: []string{"auto", "seasonal_naive"},
	Detectors:   []string{"stream"},
	Transforms:  []string{"none", "sqrt"},
	Family: func(signalType, _ string) Family {
		if signalType == "behavior" {
			return Family{Direction: "up", Transform: "sqrt", MinDeviation: 0.25, MinRelative: 0.5, Severity: "info"}
		}
		return Family{Direction: "both", Transform: "none", MinDeviation: 0, MinRelative: 0, Severity: "warning"}
	},
	Kinds:       []string{"right_size", "memory_leak"},
	Inputs:      []string{"disk_used", "disk_size"},
	EventKinds:  []string{"holiday", "event", "exclude"},
	ThreatNames: []string{"p", "q"},
	ThreatFile:  func(name string) ([]byte, bool) { return []byte(goodThreatPreset), name == "p" || name == "q" },
	Threats:     testThreatChecks,
	Weekday: func(s string) error {
		if !strings.HasSuffix(s, "day") {
			return fmt.Errorf("%q is no day of the week", s)
		}
		return nil
	},
	Dates: func(s string) error {
		if !strings.ContainsAny(s, "-") {
			return fmt.Errorf("dates %q: no day", s)
		}
		return nil
	},
	Presets: []string{"small"},
	Preset: func(name string) ([]byte, bool) {
		switch name {
		case "small":
			return []byte("signals: [{name: small_up, query: sum(up)}]"), true
		case "broken":
			return []byte("signals: [{name: broken, query: sum(up), stp: 1m}]"), true
		}
		return nil, false
	},
}

// TestBadFiles compares what is said about each bad file with the text beside it.
// UPDATE=1 rewrites the texts.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file, checks)
			if err == nil {
				t.Fatal("accepted")
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "canary") {
				t.Errorf("a secret shows in the error: %s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestMinimal(t *testing.T) {
	c, err := Load("testdata/good/minimal.yaml", checks)
	if err != nil {
		t.Fatal(err)
	}
	if c.Prometheus.URL != DefaultURL || c.Web.ListenAddress != DefaultListen || c.Storage.Path != DefaultStorage || c.Prometheus.HTTP.FollowRedirects {
		t.Errorf("defaults: %+v", c)
	}
	want := Signal{
		Name: "up", Type: "resource", Query: "sum(up)", Step: time.Minute, Offset: 30 * time.Second,
		History: 28 * 24 * time.Hour, Location: time.UTC, Line: 2,
		Forecast: Forecast{Enabled: true, Horizons: DefaultHorizons, Level: 0.9, Model: "auto", Every: 6 * time.Hour},
		Detect:   Detect{Enabled: true, Budget: "1/week", Direction: "both", Transform: "none"},
		Alert:    Alert{Enabled: true, Severity: "warning", Post: true},
	}
	if !reflect.DeepEqual(c.Signals[0], want) {
		t.Errorf("got  %+v\nwant %+v", c.Signals[0], want)
	}
}

// What a type of signals is scored by holds where a signal says nothing else, and
// 0 is something.
func TestFamilyDefaults(t *testing.T) {
	c, err := Parse("x", []byte(`signals:
  - {name: a, type: behavior, query: sum(up)}
  - {name: b, type: behavior, query: sum(up), detect: {direction: down, transform: none, min_deviation: 0, min_relative: 0.1}, alert: {severity: critical}}
  - {name: c, query: sum(up)}
`), checks)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Family{{"up", "sqrt", 0.25, 0.5, "info"}, {"down", "none", 0, 0.1, "critical"}, {"both", "none", 0, 0, "warning"}} {
		s := c.Signals[i]
		if got := (Family{s.Detect.Direction, s.Detect.Transform, s.Detect.MinDeviation, s.Detect.MinRelative, s.Alert.Severity}); got != want {
			t.Errorf("%s: %+v, want %+v", s.Name, got, want)
		}
	}
}

func TestFull(t *testing.T) {
	c, err := Load("testdata/good/full.yaml", checks)
	if err != nil {
		t.Fatal(err)
	}
	if c.Prometheus.URL != "https://prometheus.example:9090/prefix" || c.Prometheus.Concurrency != 4 || c.Prometheus.Timeout != 10*time.Second {
		t.Errorf("prometheus: %s %d %v", c.Prometheus.URL, c.Prometheus.Concurrency, c.Prometheus.Timeout)
	}
	if c.Prometheus.HTTP.BasicAuth == nil || c.Prometheus.HTTP.FollowRedirects || !c.Prometheus.HTTP.EnableHTTP2 {
		t.Errorf("http: %v follow %v http2 %v", c.Prometheus.HTTP.BasicAuth != nil, c.Prometheus.HTTP.FollowRedirects, c.Prometheus.HTTP.EnableHTTP2)
	}
	if got := c.Alertmanager.URLs; !reflect.DeepEqual(got, []string{"http://am-0:9093", "http://am-1:9093"}) || !c.Alertmanager.Watchdog {
		t.Errorf("alertmanager: %v", got)
	}
	if len(c.Signals) != 3 || c.Signals[0].Preset != "small" || c.Signals[0].Line != 0 {
		t.Fatalf("signals: %+v", c.Signals)
	}
	s := c.Signals[1]
	if m := s.Forecast.Max; m == nil || *m != 64 {
		t.Errorf("max %v, want 64", m)
	}
	if b := s.Forecast.Breach; b == nil || b.Above == nil || *b.Above != 48 || b.Below != nil || b.Within != 48*time.Hour {
		t.Errorf("breach %+v, want above 48 within two days", b)
	}
	if (s.Rollouts != Rollouts{Query: "kube_replicaset_created", Grace: 20 * time.Minute}) || (c.Signals[2].Rollouts != Rollouts{}) {
		t.Errorf("rollouts: %+v and %+v", s.Rollouts, c.Signals[2].Rollouts)
	}
	if !reflect.DeepEqual(s.Forecast.Horizons, []time.Duration{10 * time.Minute, time.Hour, 7 * 24 * time.Hour}) {
		t.Errorf("horizons %v, want them ascending", s.Forecast.Horizons)
	}
	if s.Location.String() != "Europe/Berlin" || s.Step != 30*time.Second || s.Every != time.Minute || s.Offset != 15*time.Second || s.Line != 13 {
		t.Errorf("signal: %+v", s)
	}
	// detect: without a value keeps its defaults.
	if q := c.Signals[2]; q.Forecast.Enabled || q.Alert.Enabled || !q.Detect.Enabled || q.Detect.Budget != "1/week" {
		t.Errorf("quiet: %+v", q)
	}
	if c.Hash == [32]byte{} {
		t.Error("no hash")
	}
}

// Calendars reach the signals that name them, and those that name none.
func TestCalendars(t *testing.T) {
	c, err := Load("testdata/good/calendars.yaml", checks)
	if err != nil {
		t.Fatal(err)
	}
	days := Event{Name: "public holidays", Kind: "holiday", Like: "sunday", Dates: []string{"2026-12-25", "12-26", "12-31..01-01"}}
	outage := Event{Name: "outage", Kind: "exclude", Dates: []string{"2026-03-14T09:30..2026-03-14T17:00"}}
	want := map[string][]Event{"small_up": {days}, "everything": {days}, "both": {outage, days}, "none": nil}
	for _, s := range c.Signals {
		if !reflect.DeepEqual(s.Events, want[s.Name]) {
			t.Errorf("%s: %+v, want %+v", s.Name, s.Events, want[s.Name])
		}
	}
	// What is shown says the same again.
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("shown", []byte(text), checks)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, s := range again.Signals {
		if !reflect.DeepEqual(s.Events, want[s.Name]) {
			t.Errorf("%s, shown: %+v, want %+v", s.Name, s.Events, want[s.Name])
		}
	}
}

func TestLoadEvents(t *testing.T) {
	content := []byte("calendars:\n  - name: a\n    all_signals: false\n    events: [{name: x, kind: event, dates: [2026-01-02]}]\n")
	events, err := LoadEvents("a.yaml", content, checks)
	if want := []Event{{Name: "x", Kind: "event", Dates: []string{"2026-01-02"}}}; err != nil || !reflect.DeepEqual(events, want) {
		t.Errorf("%+v, %v; want %+v", events, err, want)
	}
	_, err = LoadEvents("a.yaml", []byte("signals: []\n"), checks)
	if err == nil || err.Error() != "a.yaml:1: calendars: missing; name at least one calendar" {
		t.Errorf("err = %v", err)
	}
	_, err = LoadEvents("a.yaml", []byte("calendars:\n  - name: a\n    events:\n      - {name: x, kind: evnt}\n"), checks)
	want := "a.yaml:4: calendars[0].events[0].kind: \"evnt\", want one of holiday, event, exclude\n" +
		"a.yaml:4: calendars[0].events[0].dates: missing; give days such as 2026-12-24, 12-24, easter+1 or 4th thursday of november"
	if err == nil || err.Error() != want {
		t.Errorf("err = %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	if _, err := Load("testdata/none.yaml", checks); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
}

func TestParseDuration(t *testing.T) {
	f := func(in string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	f("7d", 7*24*time.Hour)
	f("1w", 7*24*time.Hour)
	f("1h30m", 90*time.Minute)
	f("1.5h", 90*time.Minute)
	if _, err := ParseDuration("soon"); err == nil {
		t.Error("soon parsed")
	}
}

func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(glob)
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse("fuzz.yaml", b, checks)
		if (c == nil) == (err == nil) {
			t.Errorf("configuration %v with error %v", c != nil, err)
		}
	})
}

// TestPlaces: what a file says of places is read as far as it can be.
func TestPlaces(t *testing.T) {
	f := func(content, storage, listen string) {
		t.Helper()
		if s, l := Places([]byte(content)); s != storage || l != listen {
			t.Errorf("%q: %q, %q, want %q, %q", content, s, l, storage, listen)
		}
	}
	f("", DefaultStorage, DefaultListen)
	f("storage: {path: /x}\nweb: {listen_address: ':1'}\nsignals: [{stepp: 1}]\nfoo: 1", "/x", ":1")
	f("storage: [\n", DefaultStorage, DefaultListen)
	f("storage: {path: [a]}\nweb: 5\n", DefaultStorage, DefaultListen)
	f("- a\n", DefaultStorage, DefaultListen)
	f("storage: &s {path: y}\nweb: *s\n", "y", DefaultListen)
}

func TestModels(t *testing.T) {
	c, err := Parse("/etc/upid/config.yaml", []byte(`models:
  resource_prediction: {}
  security_threat: {every: 1d, on_drift: false, source: file, file: rows.csv, lookback: 90d, step: 1h, canary_share: 0.25}
`), checks)
	if err != nil {
		t.Fatal(err)
	}
	want := []Model{
		{Type: "resource_prediction", Every: 7 * 24 * time.Hour, OnDrift: true, Lookback: 60 * 24 * time.Hour, Step: 12 * time.Hour, Share: 0.1},
		{Type: "security_threat", Every: 24 * time.Hour, File: "/etc/upid/rows.csv", Lookback: 90 * 24 * time.Hour, Step: time.Hour, Share: 0.25},
	}
	if !reflect.DeepEqual(c.Models, want) {
		t.Errorf("got  %+v\nwant %+v", c.Models, want)
	}
	text, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "file: /etc/upid/rows.csv") || !strings.Contains(text, "canary_share: 0.25") {
		t.Errorf("shown: %s", text)
	}
	if _, err := Parse("x", []byte("models: {resource_prediction: {canary_share: 1}}"), checks); err == nil || !strings.Contains(err.Error(), "canary_share: 1, want a number between 0 and 1") {
		t.Errorf("a canary of all rows: %v", err)
	}
}
