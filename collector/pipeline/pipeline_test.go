package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSource answers every grid point with its minute of the day.
type fakeSource struct {
	mu      sync.Mutex
	queries []string // "expr start end"
	answer  func(expr string, start, end, step int64) (series.Data, error)
	delay   time.Duration
}

func (f *fakeSource) Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error) {
	f.mu.Lock()
	f.queries = append(f.queries, fmt.Sprintf("%s %d %d", expr, start, end))
	answer, delay := f.answer, f.delay
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-ctx.Done():
			return series.Data{}, ctx.Err()
		case <-time.After(delay):
		}
	}
	if answer != nil {
		return answer(expr, start, end, step)
	}
	return minutes(start, end, step), nil
}

func (f *fakeSource) set(answer func(string, int64, int64, int64) (series.Data, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func minutes(start, end, step int64) series.Data {
	s := series.Series{Start: start, Step: step}
	for t := start; t <= end; t += step {
		s.Values = append(s.Values, float64(t/60000%1440))
	}
	return series.Data{Series: []series.Series{s}}
}

// fakeUnit records the grid points it took in.
type fakeUnit struct {
	pos     atomic.Int64
	mu      sync.Mutex
	taken   []int64
	fits    []int64
	steps   []int64
	joined  int
	stepErr error
	fitErr  error
	slowFit time.Duration
	slow    time.Duration
	inside  atomic.Int32
	panics  bool
}

func (u *fakeUnit) Position() int64 { return u.pos.Load() }

func (u *fakeUnit) Fit(ctx context.Context, slot int64, in Input) (func(), error) {
	if u.slowFit > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(u.slowFit):
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fitErr != nil {
		return nil, u.fitErr
	}
	s := in.Series["value"].Series[0]
	return func() {
		if u.inside.Add(1) != 1 {
			panic("commit beside Step")
		}
		defer u.inside.Add(-1)
		u.fits = append(u.fits, slot)
		u.pos.Store(s.End() - s.Step)
	}, nil
}

func (u *fakeUnit) Step(ctx context.Context, slot int64, in Input) ([]series.Result, error) {
	if u.inside.Add(1) != 1 {
		panic("two passes in one unit")
	}
	defer u.inside.Add(-1)
	if u.slow > 0 {
		time.Sleep(u.slow)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.panics {
		panic("model broke")
	}
	if u.stepErr != nil {
		return nil, u.stepErr
	}
	u.steps = append(u.steps, slot)
	if in.End < in.Start {
		return []series.Result{{Signal: "x", Slot: slot}}, nil
	}
	s := in.Series["value"].Series[0]
	for i := range s.Values {
		u.taken = append(u.taken, s.At(i))
	}
	u.pos.Store(s.End() - s.Step)
	u.joined = len(in.Results["other"])
	return []series.Result{{Signal: "x", Slot: slot}}, nil
}

// fakeSink records what it was told.
type fakeSink struct {
	mu      sync.Mutex
	written map[string][]int64
	events  []string
	err     error
}

func (s *fakeSink) Write(_ context.Context, task string, slot int64, rs []series.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written == nil {
		s.written = map[string][]int64{}
	}
	s.written[task] = append(s.written[task], slot)
	return s.err
}
func (s *fakeSink) Expire(task string) { s.event("expire " + task) }
func (s *fakeSink) Drop(task string)   { s.event("drop " + task) }
func (s *fakeSink) event(e string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *fakeSink) count(event string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if e == event {
			n++
		}
	}
	return n
}

func (s *fakeSink) slots(task string) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.written[task])
}

type rig struct {
	*Pipeline
	src  *fakeSource
	sink *fakeSink
	reg  *prometheus.Registry
}

func newRig(t *testing.T, workers int) *rig {
	t.Helper()
	r := &rig{src: &fakeSource{}, sink: &fakeSink{}, reg: prometheus.NewPedanticRegistry()}
	p, err := New(Options{
		Source: r.src, Sinks: []Sink{r.sink}, Workers: workers, Registerer: r.reg,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Pipeline = p
	return r
}

func task(name string, u Unit) Task {
	return Task{
		Name: name, Queries: map[string]string{"value": name + "_expr"}, Every: time.Minute, FitEvery: 6 * time.Hour,
		Step: time.Minute, Offset: 30 * time.Second, History: 24 * time.Hour, Key: "1", Unit: u,
	}
}

// run runs the pipeline for d of virtual time.
func (r *rig) run(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_ = r.Run(ctx)
}

func TestVirtualDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 4)
		var units []*fakeUnit
		var tasks []Task
		for i := range 5 {
			u := &fakeUnit{slow: 100 * time.Millisecond, slowFit: 150 * time.Second}
			units = append(units, u)
			tasks = append(tasks, task(fmt.Sprintf("sig%d", i), u))
		}
		r.src.delay = 50 * time.Millisecond
		if err := r.Apply(tasks, nil); err != nil {
			t.Fatal(err)
		}
		r.run(24 * time.Hour)
		for i, u := range units {
			name := tasks[i].Name
			// Fits at the start and every 6 h after; five if the day begins on the grid.
			if len(u.fits) < 4 || len(u.fits) > 5 {
				t.Errorf("%s: %d fits, want 4 or 5", name, len(u.fits))
			}
			// A commit moves the position back to the fit slot: what follows is taken
			// again by the new state. Between commits every point comes exactly once.
			again := 0
			for k := 1; k < len(u.taken); k++ {
				switch d := u.taken[k] - u.taken[k-1]; {
				case d == 60000:
				case d <= 0:
					again++
				default:
					t.Fatalf("%s: points missing between %d and %d", name, u.taken[k-1], u.taken[k])
				}
			}
			if again > len(u.fits)-1 {
				t.Errorf("%s: went back %d times with %d fits", name, again, len(u.fits))
			}
			if n := len(u.steps); n < 1430 || n > 1445 {
				t.Errorf("%s: %d score passes in a day, want about 1,437", name, n)
			}
			for _, s := range u.steps {
				if got := tasks[i].Slot(Score, s); got != s {
					t.Fatalf("%s: slot %d is not on the grid", name, s)
				}
			}
		}
		if n, err := testutil.GatherAndCount(r.reg, "upid_signal_run_failures_total"); err != nil || n != 0 {
			t.Errorf("%d failures, %v", n, err)
		}
	})
}

func TestSlotsSpread(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	seen := map[int64]bool{}
	for i := range 50 {
		tk := task(fmt.Sprintf("sig%d", i), nil)
		s := tk.Slot(Score, now)
		if s > now || now-s >= 60000 {
			t.Fatalf("slot %d is not within a minute before %d", s, now)
		}
		seen[s] = true
	}
	if len(seen) < 40 {
		t.Errorf("50 signals share %d offsets, want them spread", len(seen))
	}
}

func TestPartialAnswerIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		partial := false
		r.src.set(func(_ string, s, e, st int64) (series.Data, error) {
			d := minutes(s, e, st)
			if partial {
				d.Partial, d.Warnings = true, []string{"store gone"}
			}
			return d, nil
		})
		ctx := context.Background()
		now := time.Now().UnixMilli()
		if err := r.RunSlot(ctx, "a", Fit, now); err != nil {
			t.Fatal(err)
		}
		partial = true
		before := u.Position()
		err := r.RunSlot(ctx, "a", Score, now+120000)
		if err == nil || reason(err) != "partial" || !strings.Contains(err.Error(), "store gone") {
			t.Fatalf("err = %v", err)
		}
		if u.Position() != before || len(u.taken) != 0 {
			t.Error("points of a partial answer were taken in")
		}
		partial = false
		if err := r.RunSlot(ctx, "a", Score, now+180000); err != nil {
			t.Fatal(err)
		}
		if len(u.taken) != 3 {
			t.Errorf("%d points after the gap, want all 3", len(u.taken))
		}
	})
}

func TestResultsExpireAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		down := errors.New("connection refused")
		start := time.Now()
		r.src.set(func(_ string, s, e, st int64) (series.Data, error) {
			if at := time.Since(start); at > 10*time.Minute && at < 70*time.Minute {
				return series.Data{}, down
			}
			return minutes(s, e, st), nil
		})
		r.run(9 * time.Minute)
		if r.sink.count("expire a") != 0 {
			t.Fatal("expired while fresh")
		}
		if st := r.Status()[0]; st.Slot == 0 || !st.Fitted || st.Passes[Fit].Err+st.Passes[Score].Err != "" {
			t.Fatalf("status %+v", st)
		}
		r2 := newPipelineLike(r)
		r2.run(6 * time.Minute) // now 15 min in: 5 min of outage
		if n := r.sink.count("expire a"); n != 1 {
			t.Fatalf("expired %d times, want once", n)
		}
		if st := r2.Status()[0]; st.Slot != 0 || !strings.Contains(st.Passes[Score].Err, "refused") {
			t.Fatalf("status %+v", st)
		}
	})
}

// newPipelineLike gives a stopped rig's tasks a pipeline that runs again: a
// closed queue stays closed.
func newPipelineLike(r *rig) *rig {
	n := *r
	n.reg = prometheus.NewPedanticRegistry()
	n.Pipeline, _ = New(Options{Source: r.src, Sinks: []Sink{r.sink}, Workers: 2, Registerer: n.reg, Logger: slog.New(slog.DiscardHandler)})
	n.tasks = r.tasks
	return &n
}

// TestUnreachableIsSaidOnce has two tasks and a source that is gone twice; an error of
// one task alone is told for that task.
func TestUnreachableIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		said := &bytes.Buffer{}
		r.log = slog.New(slog.NewTextHandler(said, nil))
		if err := r.Apply([]Task{task("a", &fakeUnit{}), task("b", &fakeUnit{})}, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.src.set(func(expr string, s, e, st int64) (series.Data, error) {
			switch at := time.Since(start); {
			case at < 5*time.Minute, at > 20*time.Minute && at < 25*time.Minute:
				return series.Data{}, failure{"connect", errors.New("refused")}
			case at > 40*time.Minute && at < 45*time.Minute && expr == "a_expr":
				return series.Data{}, failure{"bad_query", errors.New("no such function")}
			}
			return minutes(s, e, st), nil
		})
		r.run(time.Hour)
		for text, want := range map[string]int{
			"cannot be reached": 2, "answers again": 2, "pass failed": 1, "pass recovered": 1,
		} {
			if got := strings.Count(said.String(), text); got != want {
				t.Errorf("%q was said %d times, want %d:\n%s", text, got, want, said)
			}
		}
	})
}

// TestRecoveryIsSaidOfWhatWasSaid: a task that waited for its first data did not fail, so
// that it does not recover; one that lost them did.
func TestRecoveryIsSaidOfWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		said := &bytes.Buffer{}
		r.log = slog.New(slog.NewTextHandler(said, nil))
		if err := r.Apply([]Task{task("a", &fakeUnit{})}, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		count := func(want map[string]int) {
			t.Helper()
			for text, n := range want {
				if got := strings.Count(said.String(), text); got != n {
					t.Errorf("%q was said %d times, want %d:\n%s", text, got, n, said)
				}
			}
		}
		r.src.set(func(_ string, s, e, st int64) (series.Data, error) {
			switch at := time.Since(start); {
			case at < 5*time.Minute, at > 60*time.Minute && at < 65*time.Minute:
				return series.Data{}, failure{noData, errors.New("no data")}
			}
			if len(said.String()) > 0 && time.Since(start) < 60*time.Minute {
				count(map[string]int{"signals wait for data": 1, `"no data"`: 0, "failed": 0, "recovered": 0})
			}
			return minutes(s, e, st), nil
		})
		r.run(90 * time.Minute)
		count(map[string]int{"signals wait for data": 1, `msg="no data"`: 1, "pass recovered": 1})
	})
}

// TestWaitingIsSaidOnce: a task that waits is named once, whatever else begins to wait and
// whatever its server does meanwhile.
func TestWaitingIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		said := &bytes.Buffer{}
		r.log = slog.New(slog.NewTextHandler(said, nil))
		tasks := []Task{task("a", &fakeUnit{}), task("b", &fakeUnit{})}
		if err := r.Apply(tasks, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.src.set(func(string, int64, int64, int64) (series.Data, error) {
			if at := time.Since(start); at > 20*time.Minute && at < 30*time.Minute {
				return series.Data{}, failure{"connection", errors.New("connection refused")}
			}
			return series.Data{}, failure{noData, errors.New("no data")}
		})
		time.AfterFunc(40*time.Minute, func() {
			if err := r.Apply(append(tasks, task("c", &fakeUnit{})), nil); err != nil {
				t.Error(err)
			}
		})
		r.run(90 * time.Minute)
		var lines []string
		for line := range strings.Lines(said.String()) {
			if _, names, ok := strings.Cut(line, "names="); ok && strings.Contains(line, "signals wait for data") {
				lines = append(lines, strings.TrimSpace(names))
			}
		}
		if want := []string{"a,b", "c"}; !slices.Equal(lines, want) {
			t.Errorf("said to wait: %q, want %q:\n%s", lines, want, said)
		}
	})
}

func TestOutageCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.src.set(func(_ string, s, e, st int64) (series.Data, error) {
			if at := time.Since(start); at > 10*time.Minute && at < 70*time.Minute {
				return series.Data{}, errors.New("down")
			}
			return minutes(s, e, st), nil
		})
		r.run(90 * time.Minute)
		for k := 1; k < len(u.taken); k++ {
			if d := u.taken[k] - u.taken[k-1]; d > 60000 {
				t.Fatalf("points missing: %d ms between two", d)
			}
		}
		if n := testutil.ToFloat64(r.m.failures.WithLabelValues("a", "score", "unit")); n < 55 || n > 62 {
			t.Errorf("%v failures counted in an hour, want about 60", n)
		}
	})
}

func TestSlowPassIsSkippedNotPiledUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 4)
		slow := &fakeUnit{slow: 150 * time.Second}
		quick := &fakeUnit{}
		if err := r.Apply([]Task{task("slow", slow), task("quick", quick)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(time.Hour)
		if n := len(slow.steps); n < 15 || n > 25 {
			t.Errorf("slow task ran %d times in an hour, want about 20", n)
		}
		if n := testutil.ToFloat64(r.m.skipped.WithLabelValues("slow", "overrun")); n < 30 {
			t.Errorf("%v slots counted as skipped, want at least 30", n)
		}
		if n := len(quick.steps); n < 57 {
			t.Errorf("quick task ran %d times, want it undisturbed", n)
		}
	})
}

func TestPanicIsRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		bad, good := &fakeUnit{panics: true}, &fakeUnit{}
		if err := r.Apply([]Task{task("bad", bad), task("good", good)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(10 * time.Minute)
		if n := testutil.ToFloat64(r.m.panics.WithLabelValues("unit")); n != parkAfter {
			t.Errorf("%v panics counted", n)
		}
		if n := testutil.ToFloat64(r.m.skipped.WithLabelValues("bad", "parked")); n < 4 || n > 8 {
			t.Errorf("%v slots skipped of the parked task", n)
		}
		if len(good.steps) < 9 {
			t.Errorf("the other task ran %d times", len(good.steps))
		}
		if st := r.Status()[0]; !strings.Contains(st.Passes[Score].Err, "model broke") {
			t.Errorf("status %+v", st)
		}
	})
}

// TestParkedTaskIsTriedAgain after an hour, fits included, and goes on if it does
// not panic any more.
func TestParkedTaskIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{panics: true}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		count := func() float64 { return testutil.ToFloat64(r.m.panics.WithLabelValues("unit")) }
		time.Sleep(60 * time.Minute)
		if n := count(); n != parkAfter {
			t.Errorf("%v panics within an hour", n)
		}
		time.Sleep(10 * time.Minute)
		if n := count(); n != 2*parkAfter { // parked again
			t.Errorf("%v panics when it is tried again", n)
		}
		u.mu.Lock()
		u.panics = false
		u.mu.Unlock()
		time.Sleep(70 * time.Minute)
		synctest.Wait()
		if n := len(r.sink.slots("a")); n < 5 || count() != 2*parkAfter {
			t.Errorf("%d results, %v panics after it was mended", n, count())
		}
		cancel()
		<-done
	})
}

// TestRefusedCredentials: a task of any cadence tries once a minute, and catches up
// when they are taken.
func TestRefusedCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		tk := task("a", u)
		tk.Step, tk.Every = time.Second, time.Second
		if err := r.Apply([]Task{tk}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		time.Sleep(time.Minute)
		r.src.set(func(string, int64, int64, int64) (series.Data, error) {
			return series.Data{}, failure{"auth", errors.New("401")}
		})
		synctest.Wait()
		asked := func() int {
			r.src.mu.Lock()
			defer r.src.mu.Unlock()
			return len(r.src.queries)
		}
		before := asked()
		time.Sleep(10 * time.Minute)
		if n := asked() - before; n < 9 || n > 12 {
			t.Errorf("%d queries in ten minutes, want one a minute", n)
		}
		r.src.set(nil)
		time.Sleep(62 * time.Second)
		synctest.Wait()
		for i := 1; i < len(u.taken); i++ {
			if u.taken[i] != u.taken[i-1]+1000 {
				t.Fatalf("after %d comes %d", u.taken[i-1], u.taken[i])
			}
		}
		if age := time.Now().UnixMilli() - u.taken[len(u.taken)-1]; age > tk.Offset.Milliseconds()+3000 {
			t.Errorf("the newest point taken in is %d ms old", age)
		}
		cancel()
		<-done
	})
}

// TestRarePanics: fewer than three within ten minutes park nothing.
func TestRarePanics(t *testing.T) {
	p := &Pipeline{log: slog.New(slog.DiscardHandler)}
	e, now := &entry{}, time.Unix(0, 0)
	for range 20 {
		p.panicked(e, now)
		now = now.Add(6 * time.Minute)
	}
	if !e.parked.IsZero() {
		t.Errorf("parked until %v", e.parked)
	}
	p.panicked(e, now.Add(-2*time.Minute))
	if want := now.Add(-2*time.Minute + parkFor); !e.parked.Equal(want) {
		t.Errorf("parked until %v, want %v", e.parked, want)
	}
}

func TestFailedFitIsRetriedSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{fitErr: errors.New("no data")}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
		defer cancel()
		go func() {
			time.Sleep(5 * time.Minute)
			u.mu.Lock()
			u.fitErr = nil
			u.mu.Unlock()
		}()
		_ = r.Run(ctx)
		if len(u.fits) == 0 || len(u.steps) < 100 {
			t.Fatalf("%d fits, %d score passes after the cause was gone", len(u.fits), len(u.steps))
		}
		tk := task("a", nil)
		if got := tk.Slot(Fit, u.fits[0]); got != u.fits[0] {
			t.Errorf("the retried fit is for %d, not for a slot of the grid", u.fits[0])
		}
	})
}

func TestAbsentServerIsAskedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.src.set(func(_ string, s, e, st int64) (series.Data, error) {
			if time.Since(start) < 3*time.Hour {
				return series.Data{}, failure{"connect", errors.New("refused")}
			}
			return minutes(s, e, st), nil
		})
		r.run(3*time.Hour + 90*time.Second)
		if len(u.fits) != 1 || len(u.steps) == 0 {
			t.Errorf("%d fits, %d score passes 90 s after the server came", len(u.fits), len(u.steps))
		}
	})
}

func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		a, b, c := &fakeUnit{}, &fakeUnit{}, &fakeUnit{}
		if err := r.Apply([]Task{task("a", a), task("b", b)}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = r.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		ran := len(a.steps)

		same, changed := task("a", &fakeUnit{}), task("b", c)
		changed.Key = "2"
		// Between the last result of the old task and the first of the new one.
		switched, before := 0, len(r.sink.slots("b"))
		if err := r.Apply([]Task{same, changed}, func() {
			switched++
			if r.sink.count("expire b") != 1 || r.sink.count("expire a") != 0 || len(r.sink.slots("b")) != before {
				t.Error("switched: what b said is still shown, or what a said is not")
			}
			if !r.tasks["b"].removed {
				t.Error("switched: the old task may still write")
			}
		}); err != nil {
			t.Fatal(err)
		}
		if switched != 1 {
			t.Errorf("switched was called %d times", switched)
		}
		if err := r.Apply([]Task{same, {Name: "bad"}}, func() { t.Error("a bad set was switched to") }); err == nil {
			t.Fatal("a bad set was applied")
		}
		stopped := len(b.steps)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(a.steps) <= ran || len(a.fits) != 1 {
			t.Errorf("unchanged task: %d passes then %d, %d fits; want it to go on as it was", ran, len(a.steps), len(a.fits))
		}
		if len(b.steps) != stopped || len(c.steps) == 0 {
			t.Errorf("changed task: old unit ran %d more times, new one %d times", len(b.steps)-stopped, len(c.steps))
		}
		if r.sink.count("drop b") != 0 {
			t.Error("a changed task was dropped from the sinks")
		}
		if err := r.Apply([]Task{changed}, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n := len(r.sink.slots("a"))
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if r.sink.count("drop a") != 1 || len(r.sink.slots("a")) != n {
			t.Error("a removed task was not dropped, or wrote on")
		}
		if got := testutil.CollectAndCount(r.m.runs, "upid_signal_runs_total"); got != 2 {
			t.Errorf("%d run counters left, want those of one task", got)
		}
		cancel()
		<-done
	})
}

func TestAfterJoinsResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		other, cost := &fakeUnit{}, &fakeUnit{}
		dep := task("cost", cost)
		dep.After = []string{"other"}
		if err := r.Apply([]Task{dep, task("other", other)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(10 * time.Minute)
		if cost.joined != 1 {
			t.Errorf("%d joined results, want 1", cost.joined)
		}
	})
}

func TestSinkErrorDoesNotKeepOthersFromResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		bad := &fakeSink{err: errors.New("disk full")}
		r.sinks = []Sink{bad, r.sink}
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		r.run(3 * time.Minute)
		if len(r.sink.slots("a")) == 0 {
			t.Error("nothing reached the sink behind the broken one")
		}
		if n := testutil.ToFloat64(r.m.failures.WithLabelValues("a", "score", "sink")); n == 0 {
			t.Error("the sink's errors were not counted")
		}
	})
}

func TestSetBackClockDoesNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		u := &fakeUnit{}
		if err := r.Apply([]Task{task("a", u)}, nil); err != nil {
			t.Fatal(err)
		}
		e := r.tasks["a"]
		r.schedule(time.Now().Add(time.Hour)) // the clock ran an hour ahead
		r.schedule(time.Now())
		if wait := e.due[Score] - time.Now().UnixMilli(); wait > 60000 {
			t.Errorf("next score pass in %d ms, want at most a minute", wait)
		}
	})
}

func TestCheck(t *testing.T) {
	ok := task("a", &fakeUnit{})
	f := func(want string, change func(*Task)) {
		t.Helper()
		tk := ok
		change(&tk)
		err := Check([]Task{tk, task("b", &fakeUnit{})})
		if want == "" && err == nil {
			return
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("", func(*Task) {})
	f("no name", func(k *Task) { k.Name = "" })
	f("used twice", func(k *Task) { k.Name = "b" })
	f("no queries", func(k *Task) { k.Queries = nil })
	f("no unit", func(k *Task) { k.Unit = nil })
	f("whole milliseconds", func(k *Task) { k.Step = time.Microsecond })
	f("multiple of step", func(k *Task) { k.Every = 90 * time.Second })
	f("fit every", func(k *Task) { k.FitEvery = time.Second })
	f("history", func(k *Task) { k.History = 0 })
	f("offset", func(k *Task) { k.Offset = -1 })
	f(`no task "z"`, func(k *Task) { k.After = []string{"z"} })
	f("cycle", func(k *Task) { k.After = []string{"a"} })
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no options accepted")
	}
	if _, err := New(Options{Source: &fakeSource{}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Workers: 1}); err == nil {
		t.Error("one worker accepted")
	}
	r := newRig(t, 2)
	if err := r.RunSlot(context.Background(), "nobody", Score, 0); err == nil {
		t.Error("an unknown task ran")
	}
}

func TestReasons(t *testing.T) {
	f := func(want string, err error) {
		t.Helper()
		if got := reason(err); got != want {
			t.Errorf("reason(%v) = %q, want %q", err, got, want)
		}
	}
	f("deadline", fmt.Errorf("x: %w", context.DeadlineExceeded))
	f("canceled", fmt.Errorf("x: %w", context.Canceled))
	f("partial", fmt.Errorf("x: %w", failure{"partial", errors.New("y")}))
	f("unit", errors.New("z"))
}
