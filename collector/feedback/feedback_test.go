package feedback

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
)

const hour = 3600_000

func window(t *testing.T, w Window) Window {
	t.Helper()
	w, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindowsOf(t *testing.T) {
	ws := Windows{
		window(t, Window{From: 5 * hour, To: 6 * hour, Signal: "cpu", Source: FromCLI}),
		window(t, Window{From: 1 * hour, To: 2 * hour, Match: `{namespace="shop",pod=~"web-.*"}`, Source: FromCLI}),
		window(t, Window{From: 8 * hour, To: 9 * hour, Source: FromCLI}),
	}
	for _, c := range []struct {
		signal string
		ls     labels.Labels
		want   []Span
	}{
		{"cpu", labels.FromStrings("namespace", "shop", "pod", "web-1"), []Span{{hour, 2 * hour}, {5 * hour, 6 * hour}, {8 * hour, 9 * hour}}},
		{"memory", labels.FromStrings("namespace", "shop", "pod", "db-1"), []Span{{8 * hour, 9 * hour}}},
		{"", labels.FromStrings("namespace", "shop", "pod", "web-1"), []Span{{hour, 2 * hour}, {8 * hour, 9 * hour}}},
	} {
		if got := ws.Of(c.signal, c.ls); !slices.Equal(got, c.want) {
			t.Errorf("%s%s: %v, want %v", c.signal, c.ls, got, c.want)
		}
	}
	if s := []Span{{hour, 2 * hour}}; !In(s, hour) || In(s, 2*hour) || In(s, hour-1) {
		t.Error("a span is not [from, to)")
	}
	for _, bad := range []Window{{From: 2, To: 2}, {From: 1, To: 2, Match: "{"}, {From: 1, To: 2, Note: strings.Repeat("x", 2000)}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := Open(dir, nil)
	if ws, err := f.Load(); err != nil || len(ws) != 0 {
		t.Fatalf("%v, %v", ws, err)
	}
	w := window(t, Window{From: 1, To: 2, Match: `{a="b"}`, Note: "why", By: "me", Source: FromCLI})
	add := func(ws Windows) (Windows, error) { out, _ := ws.With(w); return out, nil }
	for range 2 { // the same twice is once
		if err := f.Change(add); err != nil {
			t.Fatal(err)
		}
	}
	ws, err := Open(dir, nil).Load()
	if err != nil || len(ws) != 1 || ws[0].ID != w.ID || ws[0].Note != "why" || len(ws.Of("x", labels.FromStrings("a", "b"))) != 1 {
		t.Errorf("%v, %+v", err, ws)
	}
	stop := errors.New("stop")
	if err := f.Change(func(Windows) (Windows, error) { return nil, stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	if ws, _ := f.Load(); len(ws) != 1 {
		t.Errorf("a change that failed left %d windows", len(ws))
	}
	info, err := os.Stat(f.records.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(f.records.Path(), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v", err)
	}
}

func matcher(t *testing.T, kind labels.MatchType, name, value string) *labels.Matcher {
	t.Helper()
	m, err := labels.NewMatcher(kind, name, value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSilenceWindow(t *testing.T) {
	shop := matcher(t, labels.MatchEqual, "namespace", "shop")
	name := matcher(t, labels.MatchEqual, "alertname", "UpidAnomaly")
	cpu := matcher(t, labels.MatchEqual, "signal", "cpu")
	for _, c := range []struct {
		comment       string
		ms            []*labels.Matcher
		ok            bool
		signal, match string
		says          string
	}{
		{"deploy", []*labels.Matcher{shop}, false, "", "", ""},
		{"failover test, upid:exclude", []*labels.Matcher{name, shop, cpu}, true, "cpu", `{namespace="shop"}`, ""},
		{"UPID:EXCLUDE", []*labels.Matcher{shop}, true, "", `{namespace="shop"}`, ""},
		{"not upid:excluded", []*labels.Matcher{shop}, false, "", "", ""},
		{"by matcher", []*labels.Matcher{cpu, matcher(t, labels.MatchRegexp, "upid_training", "exclude|")}, true, "cpu", "", ""},
		{"upid:exclude", []*labels.Matcher{name}, true, "", "", "all would be left out"},
		{"upid:exclude", []*labels.Matcher{matcher(t, labels.MatchRegexp, "signal", "cpu|memory")}, true, "", "", "understood"},
		{"upid:exclude", []*labels.Matcher{matcher(t, labels.MatchNotEqual, "pod", "a\"b")}, true, "", `{pod!="a\"b"}`, ""},
	} {
		w, ok, err := Silence{ID: "s1", Comment: c.comment, From: hour, To: 2 * hour, Matchers: c.ms}.Window()
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", c.comment, err, c.says)
			}
			continue
		}
		if err != nil || ok != c.ok || w.Signal != c.signal || w.Match != c.match {
			t.Errorf("%s: %v, %v, %+v", c.comment, ok, err, w)
		}
	}
}

// TestBook: a silence is taken in once, follows when it is extended, outlives Alertmanager's
// memory of it, and is in the trail; what another process writes is known after a look.
func TestBook(t *testing.T) {
	dir := t.TempDir()
	trail := filepath.Join(dir, audit.FileName)
	file := Open(dir, nil)
	b, err := NewBook(file, audit.New(trail), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	shop := labels.FromStrings("namespace", "shop")
	s := Silence{ID: "s1", Comment: "upid:exclude", By: "ann", From: hour, To: 2 * hour, Matchers: []*labels.Matcher{matcher(t, labels.MatchEqual, "namespace", "shop")}}
	silences := []Silence{s}
	ask := func(context.Context) ([]Silence, error) { return silences, nil }
	for range 3 {
		b.look(t.Context(), ask)
	}
	if got := b.Of("cpu", shop); !slices.Equal(got, []Span{{hour, 2 * hour}}) {
		t.Errorf("%v", got)
	}
	silences[0].To = 3 * hour
	b.look(t.Context(), ask)
	silences = nil
	b.look(t.Context(), ask)
	if got := b.Of("cpu", shop); !slices.Equal(got, []Span{{hour, 3 * hour}}) {
		t.Errorf("extended, then forgotten by Alertmanager: %v", got)
	}
	if err := Open(dir, nil).Change(func(ws Windows) (Windows, error) {
		out, _ := ws.With(window(t, Window{From: 9 * hour, To: 10 * hour, Source: FromCLI}))
		return out, nil
	}); err != nil {
		t.Fatal(err)
	}
	b.look(t.Context(), nil)
	if got := b.Of("cpu", labels.EmptyLabels()); len(got) != 1 {
		t.Errorf("%v", got)
	}
	var events []audit.Event
	if _, err := audit.Verify(trail, func(_ audit.Head, e audit.Event) error { events = append(events, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].Action != audit.Feedback || events[0].Actor != "ann" || !strings.Contains(events[1].Detail, "silence s1: all signals{namespace=\"shop\"}") {
		t.Errorf("%+v", events)
	}
}
