package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/upid/upid/collector/series"
)

// statefulUnit keeps its position.
type statefulUnit struct{ fakeUnit }

func (u *statefulUnit) Snapshot(w io.Writer) error {
	if u.inside.Add(1) != 1 {
		panic("snapshot beside Step")
	}
	defer u.inside.Add(-1)
	return binary.Write(w, binary.LittleEndian, u.pos.Load())
}

func (u *statefulUnit) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil || len(b) != 8 {
		return errors.New("not a state")
	}
	u.pos.Store(int64(binary.LittleEndian.Uint64(b)))
	return nil
}

// memoryKeeper keeps snapshots in memory.
type memoryKeeper struct {
	mu     sync.Mutex
	states map[string][]byte // by task and key
	saves  int
	err    error
	kept   []string
	hang   chan struct{}
}

func (k *memoryKeeper) Save(task, key string, write func(io.Writer) error) error {
	if k.hang != nil {
		<-k.hang
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	k.states[task+" "+key] = b.Bytes()
	k.saves++
	return nil
}

func (k *memoryKeeper) Load(task, key string, read func(io.Reader) error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	b, ok := k.states[task+" "+key]
	if !ok {
		return failure{"missing", fs.ErrNotExist}
	}
	return read(bytes.NewReader(b))
}

func (k *memoryKeeper) Prune(keep []string) error {
	k.kept = keep
	return k.err
}

func (k *memoryKeeper) set(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// keeping returns a rig with a keeper, and what it logs.
func keeping(t *testing.T, k Keeper) (*rig, *bytes.Buffer) {
	t.Helper()
	r := &rig{src: &fakeSource{}, sink: &fakeSink{}, reg: prometheus.NewPedanticRegistry()}
	said := &bytes.Buffer{}
	p, err := New(Options{Source: r.src, Sinks: []Sink{r.sink}, Workers: 2, Registerer: r.reg, Keeper: k, Logger: slog.New(slog.NewTextHandler(said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	r.Pipeline = p
	return r, said
}

// TestRestart goes on where the process before ended: no fit, no point twice, none
// left out.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}}
		first := &statefulUnit{}
		r, said := keeping(t, k)
		if err := r.Apply([]Task{task("a", first)}, nil); err != nil {
			t.Fatal(err)
		}
		if n := testutil.ToFloat64(r.m.rebuilds.WithLabelValues("checkpoint", "missing")); n != 1 || !strings.Contains(said.String(), "no state on disk, it is built from history") {
			t.Errorf("%v rebuilds counted\n%s", n, said)
		}
		r.run(63 * time.Minute)
		// Every five minutes, after the fit and at the end.
		if k.saves < 12 || k.saves > 17 || int(testutil.ToFloat64(r.m.saves)) != k.saves {
			t.Errorf("%d saves in 63 minutes", k.saves)
		}
		time.Sleep(7 * time.Minute)
		second := &statefulUnit{}
		r, said = keeping(t, k)
		tk := task("a", second)
		if err := r.Apply([]Task{tk}, nil); err != nil {
			t.Fatal(err)
		}
		if second.Position() != first.Position() || testutil.ToFloat64(r.m.loads) != 1 || !strings.Contains(said.String(), "state restored") {
			t.Fatalf("restored to %d, want %d\n%s", second.Position(), first.Position(), said)
		}
		start := time.Now()
		r.run(3 * time.Second)
		if len(second.taken) == 0 || second.taken[0] != first.taken[len(first.taken)-1]+60000 {
			t.Errorf("after the restart %v, before it up to %d", second.taken, first.taken[len(first.taken)-1])
		}
		if len(second.fits) != 0 {
			t.Errorf("fitted again at %v", second.fits)
		}
		r2 := newPipelineLike(r)
		r2.run(6 * time.Hour)
		if len(second.fits) != 1 || second.fits[0] <= start.UnixMilli() || tk.Slot(Fit, second.fits[0]) != second.fits[0] {
			t.Errorf("fits %v, want the one that was due", second.fits)
		}
	})
}

// TestRestartAfterLong fits at once when a fit slot has passed meanwhile.
func TestRestartAfterLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}}
		r, _ := keeping(t, k)
		if err := r.Apply([]Task{task("a", &statefulUnit{})}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(time.Minute)
		time.Sleep(7 * time.Hour)
		u := &statefulUnit{}
		r, _ = keeping(t, k)
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(10 * time.Second)
		if len(u.fits) != 1 || len(u.taken) == 0 {
			t.Errorf("fits %v, %d points", u.fits, len(u.taken))
		}
	})
}

// TestRestartWhileDataAreMissing: what was known before the restart is said, once,
// as soon as a pass fails, and expires when it is too old.
func TestRestartWhileDataAreMissing(t *testing.T) {
	f := func(name string, away time.Duration, expired bool, warnings int) {
		synctest.Test(t, func(t *testing.T) {
			k := &memoryKeeper{states: map[string][]byte{}}
			r, _ := keeping(t, k)
			before := &statefulUnit{}
			if err := r.Apply([]Task{task("a", before)}, nil); err != nil {
				t.Fatal(err)
			}
			r.run(10 * time.Minute)
			time.Sleep(away)
			u := &statefulUnit{}
			r, said := keeping(t, k)
			r.src.set(func(string, int64, int64, int64) (series.Data, error) { return series.Data{}, errors.New("down") })
			if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
				t.Fatal(err)
			}
			if n := len(r.sink.slots("a")); n != 0 {
				t.Errorf("%s: said before anybody asked for data", name)
			}
			r.run(10 * time.Second)
			slots := r.sink.slots("a")
			if len(slots) != 1 || u.Position() != before.Position() || len(u.taken) != 0 {
				t.Fatalf("%s: written for slots %v, position %d, %d points", name, slots, u.Position(), len(u.taken))
			}
			if tk := task("a", u); tk.complete(slots[0]) != before.Position() {
				t.Errorf("%s: written for slot %d, which is complete to %d, want %d", name, slots[0], tk.complete(slots[0]), before.Position())
			}
			if got := r.sink.count("expire a") == 1; got != expired {
				t.Errorf("%s: expired is %v", name, got)
			}
			r2 := newPipelineLike(r)
			r2.run(30 * time.Minute)
			if n := len(r.sink.slots("a")); n != 1 || r.sink.count("expire a") != 1 {
				t.Errorf("%s: written %d times, expired %d times", name, n, r.sink.count("expire a"))
			}
			if n := strings.Count(said.String(), "no data since the restart"); n != warnings {
				t.Errorf("%s: said %d times:\n%s", name, n, said)
			}
		})
	}
	f("at once", 0, false, 0) // nothing is new yet
	f("a minute later", time.Minute, false, 1)
	f("an hour later", time.Hour, true, 1)
}

// TestReloadKeepsState: an unchanged task is not touched, a changed one has
// nothing kept under its key, and one that comes back is restored.
func TestReloadKeepsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}}
		r, _ := keeping(t, k)
		a, b := &statefulUnit{}, &statefulUnit{}
		ta, tb := task("a", a), task("b", b)
		if err := r.Apply([]Task{ta, tb}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(10 * time.Minute)
		again, changed := task("a", &statefulUnit{}), task("b", &statefulUnit{})
		changed.Key = "2"
		if err := r.Apply([]Task{again, changed}, nil); err != nil {
			t.Fatal(err)
		}
		if r.tasks["a"].Unit != Unit(a) {
			t.Error("an unchanged task was replaced")
		}
		if changed.Unit.Position() != 0 || testutil.ToFloat64(r.m.loads) != 0 {
			t.Error("a changed task took over what was kept of another")
		}
		back := task("b", &statefulUnit{})
		if err := r.Apply([]Task{back}, nil); err != nil {
			t.Fatal(err)
		}
		if back.Unit.Position() != b.Position() || len(k.kept) != 1 {
			t.Errorf("restored to %d, want %d; kept %v", back.Unit.Position(), b.Position(), k.kept)
		}
		bad := task("c", nil)
		if err := r.Apply([]Task{bad}, nil); err == nil || r.tasks["b"].Unit != back.Unit {
			t.Error("a bad task changed something")
		}
	})
}

// TestKeeperFails: everything goes on, it is said once, counted, tried again soon,
// and mended by itself.
func TestKeeperFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}, err: failure{"disk_full", errors.New("no space left")}}
		r, said := keeping(t, k)
		u := &statefulUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Minute, func() { k.set(nil) })
		r.run(11 * time.Minute)
		if len(u.steps) < 10 {
			t.Errorf("%d passes", len(u.steps))
		}
		if n := testutil.ToFloat64(r.m.saveFailures.WithLabelValues("disk_full")); n < 15 || n > 25 {
			t.Errorf("%v failures in 10 minutes, want one each half minute", n)
		}
		if n := strings.Count(said.String(), "state cannot be saved"); n != 1 || !strings.Contains(said.String(), "state is saved again") {
			t.Errorf("said %d times:\n%s", n, said)
		}
		if k.saves == 0 {
			t.Error("nothing was saved after the disk had room")
		}
	})
}

func TestDamagedStateIsRebuilt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, b := range [][]byte{nil, {1, 2, 3}, make([]byte, 12)} {
			k := &memoryKeeper{states: map[string][]byte{"a 1": b}}
			r, _ := keeping(t, k)
			u := &statefulUnit{}
			if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
				t.Fatal(err)
			}
			r.run(2 * time.Minute)
			if len(u.fits) != 1 || len(u.taken) == 0 {
				t.Errorf("%d bytes: fits %v", len(b), u.fits)
			}
		}
	})
}

// TestTornStateIsNotKept: a pass that was broken off leaves a state that is
// neither old nor new.
func TestTornStateIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}}
		r, _ := keeping(t, k)
		u := &statefulUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(3 * time.Minute)
		saves := k.saves
		u.stepErr = context.Canceled
		r2 := newPipelineLike(r)
		r2.keeper = k
		r2.run(30 * time.Minute)
		if k.saves != saves {
			t.Errorf("%d snapshots of a torn state", k.saves-saves)
		}
		u.stepErr = nil
		r3 := newPipelineLike(r)
		r3.keeper = k
		r3.run(7 * time.Minute)
		if k.saves == saves {
			t.Error("nothing was kept after it had recovered")
		}
	})
}

// TestHangingDiskDoesNotHoldUp: neither scoring nor the end of the process.
func TestHangingDiskDoesNotHoldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &memoryKeeper{states: map[string][]byte{}, hang: make(chan struct{})}
		r, said := keeping(t, k)
		u := &statefulUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		time.Sleep(20 * time.Minute)
		u.mu.Lock()
		if len(u.steps) < 19 {
			t.Errorf("%d passes beside a disk that hangs", len(u.steps))
		}
		u.mu.Unlock()
		cancel()
		time.Sleep(2 * saveGrace)
		select {
		case <-done:
		default:
			t.Error("the pipeline does not end")
		}
		if !strings.Contains(said.String(), "not all state was saved in time") {
			t.Errorf("log:\n%s", said)
		}
		close(k.hang)
		<-done
	})
}

func TestPages(t *testing.T) {
	var p pages
	want := bytes.Repeat([]byte("abcdefg"), pageSize/3)
	for b := want; len(b) > 0; {
		n := min(len(b), 100_001)
		_, _ = p.Write(b[:n])
		b = b[n:]
	}
	var got bytes.Buffer
	if err := p.writeTo(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%d bytes, want %d, %v", got.Len(), len(want), err)
	}
	if err := p.writeTo(failingWriter{}); err == nil {
		t.Error("a failing writer was not noticed")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("no") }
