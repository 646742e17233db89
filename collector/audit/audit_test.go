package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 28, 12, 0, 0, 123e6, time.UTC)

func event(i int) Event {
	return Event{
		Time: at.Add(time.Duration(i) * time.Minute), Actor: "alice", Source: "cli", Action: Promote,
		Object: fmt.Sprintf("resource_prediction/%d", i), Outcome: OK, Request: "r1", Detail: "better by 3 % on 120 slots",
	}
}

func trail(t *testing.T, n int) (*Log, Head) {
	t.Helper()
	l := New(filepath.Join(t.TempDir(), "data", FileName))
	var head Head
	for i := range n {
		var err error
		if head, err = l.Append(event(i)); err != nil {
			t.Fatal(err)
		}
	}
	return l, head
}

func verify(l *Log) (events []Event, head Head, err error) {
	head, err = Verify(l.Path(), func(_ Head, e Event) error {
		events = append(events, e)
		return nil
	})
	return events, head, err
}

func TestTrail(t *testing.T) {
	l, want := trail(t, 5)
	events, head, err := verify(l)
	if err != nil || head != want || head.Sequence != 5 || len(events) != 5 {
		t.Fatalf("%d events, head %v, want %v: %v", len(events), head, want, err)
	}
	for i, e := range events {
		if e != event(i) {
			t.Errorf("event %d: %+v, want %+v", i, e, event(i))
		}
	}
	if info, err := os.Stat(l.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(l.Path())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the directory %v, %v", info.Mode(), err)
	}
}

func TestTextsAreCleanedAndCut(t *testing.T) {
	l, _ := trail(t, 0)
	e := event(0)
	e.Actor, e.Detail = "a\xffb\n{\"x\"}<&", strings.Repeat("ü", MaxText)
	if _, err := l.Append(e); err != nil {
		t.Fatal(err)
	}
	events, _, err := verify(l)
	if err != nil {
		t.Fatal(err)
	}
	if got := events[0].Actor; got != "a\uFFFDb\n{\"x\"}<&" {
		t.Errorf("actor %q", got)
	}
	if got := events[0].Detail; len(got) > MaxText || !strings.HasSuffix(got, "ü…") {
		t.Errorf("detail of %d bytes: …%q", len(got), got[len(got)-10:])
	}
	if b, err := os.ReadFile(l.Path()); err != nil || bytes.Count(b, []byte("\n")) != 1 {
		t.Errorf("a text broke its line: %q, %v", b, err)
	}
}

func TestWrongEventsAreRefused(t *testing.T) {
	l, head := trail(t, 1)
	for name, spoil := range map[string]func(*Event){
		"action":  func(e *Event) { e.Action = "delete everything" },
		"outcome": func(e *Event) { e.Outcome = "" },
		"actor":   func(e *Event) { e.Actor = "" },
		"object":  func(e *Event) { e.Object = "" },
		"source":  func(e *Event) { e.Source = "" },
	} {
		e := event(1)
		spoil(&e)
		if _, err := l.Append(e); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, now, err := verify(l); err != nil || now != head {
		t.Errorf("a refused event left a line: %v, %v", now, err)
	}
}

// TestChangesAreFound flips every bit of a trail, cuts it at every length, and
// removes, repeats and exchanges lines.
func TestChangesAreFound(t *testing.T) {
	l, head := trail(t, 3)
	whole, err := os.ReadFile(l.Path())
	if err != nil {
		t.Fatal(err)
	}
	read := func(b []byte) (Head, error) {
		return Read(bytes.NewReader(b), func(Head, Event) error { return nil })
	}
	if got, err := read(whole); err != nil || got != head {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range whole {
		for bit := range 8 {
			b := bytes.Clone(whole)
			b[i] ^= 1 << bit
			if _, err := read(b); !errors.Is(err, ErrBroken) {
				t.Fatalf("bit %d of byte %d (%q): %v", bit, i, whole[i], err)
			}
		}
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))[:3]
	for n := range whole {
		got, err := read(whole[:n])
		atLine := n == 0 || whole[n-1] == '\n'
		if atLine && (err != nil || got == head) { // only its head tells
			t.Fatalf("cut after a line, to %d bytes: %v, %v", n, got, err)
		}
		if !atLine && !errors.Is(err, ErrBroken) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for name, order := range map[string][]int{
		"removed": {0, 2}, "the first removed": {1, 2}, "repeated": {0, 1, 1, 2}, "exchanged": {1, 0, 2},
	} {
		var b []byte
		for _, i := range order {
			b = append(b, lines[i]...)
		}
		if _, err := read(b); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A whole trail of another hand begins at the same zeros: its head differs.
	other, _ := trail(t, 3)
	forged, err := os.ReadFile(other.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(bytes.ReplaceAll(forged, []byte("alice"), []byte("mallo"))); !errors.Is(err, ErrBroken) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestCutByACrash: a line of which only a part was written is dropped by the next
// event, which says so.
func TestCutByACrash(t *testing.T) {
	for _, left := range []int{1, 40, 150} {
		l, _ := trail(t, 3)
		whole, err := os.ReadFile(l.Path())
		if err != nil {
			t.Fatal(err)
		}
		second := bytes.IndexByte(whole, '\n') + 1 + bytes.IndexByte(whole[bytes.IndexByte(whole, '\n')+1:], '\n') + 1
		if err := os.Truncate(l.Path(), int64(second+left)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := verify(l); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("before: %v", err)
		}
		if _, err := l.Append(event(9)); err != nil {
			t.Fatal(err)
		}
		events, _, err := verify(l)
		if err != nil || len(events) != 4 || events[2].Action != Repair || events[3] != event(9) {
			t.Fatalf("%+v, %v", events, err)
		}
		if want := fmt.Sprintf("a last line of %d bytes", left); !strings.Contains(events[2].Detail, want) {
			t.Errorf("detail %q, want %q", events[2].Detail, want)
		}
	}
}

func TestBrokenTrailIsNotContinued(t *testing.T) {
	l, _ := trail(t, 2)
	b, err := os.ReadFile(l.Path())
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-20] ^= 1
	if err := os.WriteFile(l.Path(), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(event(3)); !errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	if now, err := os.ReadFile(l.Path()); err != nil || !bytes.Equal(now, b) {
		t.Errorf("it was written to: %v", err)
	}
}

func TestOnlyOurFile(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"symbolic link": func(path string) error { return os.Symlink("/dev/null", path) },
		"regular file":  func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"chmod 600": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666))
		},
	} {
		l := New(filepath.Join(t.TempDir(), FileName))
		if err := put(l.Path()); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(event(0)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := verify(New(filepath.Join(t.TempDir(), FileName))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

// TestManyWriters: an offline command and the sidecar write one trail.
func TestManyWriters(t *testing.T) {
	const writers, each = 4, 20
	path := filepath.Join(t.TempDir(), FileName)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			l := New(path)
			for i := range each {
				if _, err := l.Append(event(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	head, err := Verify(path, func(Head, Event) error { return nil })
	if err != nil || head.Sequence != writers*each {
		t.Errorf("%v, %v", head, err)
	}
}

func FuzzRead(f *testing.F) {
	head := start
	var b []byte
	for i := range 2 {
		line, h, err := next(head, event(i))
		if err != nil {
			f.Fatal(err)
		}
		head = h
		b = append(append(b, line...), '\n')
	}
	f.Add(b)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"seq":1,"seq":2}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		head := start
		got, err := Read(bytes.NewReader(b), func(_ Head, e Event) error {
			line, h, err := next(head, e)
			head, again = h, append(append(again, line...), '\n')
			return err
		})
		if err != nil {
			if !errors.Is(err, ErrBroken) && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return
		}
		if got != head || !bytes.Equal(again, b) {
			t.Errorf("what was read writes %q, head %v; want %q, %v", again, head, b, got)
		}
	})
}
