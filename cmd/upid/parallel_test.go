package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 3, 1000} {
		next := 0
		err := inOrder(t.Context(), n, func(_ context.Context, worker, i int) (int, error) {
			if i%100 == 0 {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
			}
			return i * i, nil
		}, func(i, v int) error {
			if i != next || v != i*i {
				t.Fatalf("got %d: %d, want %d: %d", i, v, next, next*next)
			}
			next++
			return nil
		})
		if err != nil || next != n {
			t.Errorf("n %d: %d emitted, %v", n, next, err)
		}
	}
}

func TestInOrder_errors(t *testing.T) {
	bad := errors.New("bad series")
	f := func(name string, work func(ctx context.Context, worker, i int) (int, error), emit func(i, v int) error, want string) {
		t.Helper()
		err := inOrder(t.Context(), 100, work, emit)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	ok := func(i, v int) error { return nil }
	f("work fails", func(_ context.Context, _, i int) (int, error) {
		if i == 50 {
			return 0, bad
		}
		return i, nil
	}, ok, "bad series")
	f("work panics", func(_ context.Context, _, i int) (int, error) {
		return []int{1, 2, 3}[i], nil
	}, ok, "internal error: runtime error: index out of range")
	f("emit fails", func(_ context.Context, _, i int) (int, error) { return i, nil }, func(i, v int) error {
		if i == 7 {
			return bad
		}
		return nil
	}, "bad series")
}

func TestInOrder_cancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := inOrder(ctx, 1000, func(ctx context.Context, _, i int) (int, error) {
		if i == 20 {
			cancel()
		}
		return i, nil
	}, func(i, v int) error {
		if i > 100 {
			t.Errorf("%d emitted after the end", i)
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

func TestNotes(t *testing.T) {
	var b strings.Builder
	e := &env{stderr: &b}
	var n notes
	n.add("a", "too short")
	n.add("b", "constant")
	n.add("c", "too short")
	n.add("d", "gaps")
	n.add("e", "gaps")
	n.add("f", "gaps")
	n.print(e)
	want := `upid: warning: series a and one more: too short
upid: warning: series b: constant
upid: warning: series d and 2 more: gaps
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	for i := range 30 {
		n.add("x", strings.Repeat("y", i+1))
	}
	n.print(e)
	if !strings.HasSuffix(b.String(), "upid: warning: 13 more warnings of other kinds not shown\n") {
		t.Errorf("got\n%s", b.String())
	}
}
