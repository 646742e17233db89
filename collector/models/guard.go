package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
)

// A stored version is data that came from a disk or from somebody else: whoever asks one,
// for predictions or to compare it, does so through the guard. It is decoded under limits of
// bytes, values and depth (learn.Decode), does arithmetic only (forecast/learn imports
// neither network nor files nor clock), in a goroutine of its own, with a deadline, a bound
// on what an answer may take, and one answer at a time. What fails costs the one who asked an
// error, and nobody else anything. After parkAfter failures within parkWithin it is parked:
// not asked again for parkFor, also by other processes and after a restart.
//
// What an answer takes is a function of the sizes of the version, so it is known before.
const (
	parkAfter  = 3
	parkWithin = 10 * time.Minute
	parkFor    = time.Hour
)

// Limits of an answer. Trained models take some 40 µs and 1 KiB a row and target.
const (
	answerBase   = time.Second      // of the deadline
	answerPerRow = time.Millisecond // and for each row and target
	maxRowBytes  = 256 << 10        // of an answer, a row
	maxAnswer    = 1 << 30          // bytes of an answer
)

// The reasons why a version failed, a closed list.
const (
	FailedPanic    = "panic"
	FailedDeadline = "deadline"
	FailedMemory   = "memory"
)

var failureReasons = []string{FailedPanic, FailedDeadline, FailedMemory}

// ErrFailed says that a version failed when it was asked; ErrParked that it did so again and
// again and is not asked for a while.
var (
	ErrFailed = errors.New("the model failed")
	ErrParked = errors.New("it is not asked")
)

// failure is an ErrFailed with its reason.
type failure struct {
	reason string
	err    error
}

func (f *failure) Error() string         { return fmt.Sprintf("%v (%s): %v", ErrFailed, f.reason, f.err) }
func (f *failure) Unwrap() []error       { return []error{ErrFailed, f.err} }
func (f *failure) FailureReason() string { return f.reason }

// Watch is where failures of versions are told. Fields that are not set are not used.
type Watch struct {
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// guard is what stands between a version and whoever asks it. It is safe for concurrent use.
type guard struct {
	store *store.Versions
	now   func() time.Time

	base, perRow     time.Duration
	rowBytes, answer int64

	mu      sync.Mutex
	watch   Watch
	journal Journal                // without a Trail nothing is written
	failed  *prometheus.CounterVec // model_type, reason; nil without a Registerer
	panics  prometheus.Counter     // nil without a Registerer

	turns   map[string]chan struct{}  // by type/name: one answer at a time
	known   map[string]store.Failures // by type/name, as last read or written
	unsaved map[string]store.Failures // those that the disk did not take
}

func newGuard(s *store.Versions) *guard {
	return &guard{
		store: s, now: time.Now, base: answerBase, perRow: answerPerRow, rowBytes: maxRowBytes, answer: maxAnswer,
		turns: map[string]chan struct{}{}, known: map[string]store.Failures{}, unsaved: map[string]store.Failures{},
	}
}

// Watch says where failures of versions are told from now on.
func (r *Registry) Watch(w Watch) {
	g := r.guard
	g.mu.Lock()
	g.watch = w
	if w.Registerer != nil {
		g.failed = collector.NewCounterVec(w.Registerer, "upid_model_failures_total")
		for _, typ := range features.Types {
			for _, reason := range failureReasons {
				g.failed.WithLabelValues(typ, reason)
			}
		}
		g.panics = collector.NewCounterVec(w.Registerer, "upid_panics_recovered_total").WithLabelValues("model")
		collector.NewGaugeFunc(w.Registerer, "upid_models_parked", g.parked)
	}
	g.mu.Unlock()
	if w.Registerer == nil {
		return
	}
	for _, typ := range features.Types { // those that were parked before this process began
		all, err := g.store.Failures(typ)
		if err != nil && w.Logger != nil {
			w.Logger.Warn("failures of models cannot be read", "model_type", typ, "err", err)
		}
		g.mu.Lock()
		for name, f := range all {
			g.known[typ+"/"+name] = f
		}
		g.mu.Unlock()
	}
}

// parked is how many versions are parked now, as far as this process knows.
func (g *guard) parked() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, now := 0.0, g.now().UnixMilli()
	for _, f := range g.known {
		if now < f.Until {
			n++
		}
	}
	return n
}

// failures returns what is known of a version: by the disk, or by this process where the
// disk did not take it.
func (g *guard) failures(typ, name string) (store.Failures, error) {
	all, err := g.store.Failures(typ)
	if err != nil {
		return store.Failures{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	f, key := all[name], typ+"/"+name
	if mine, there := g.unsaved[key]; there {
		f = mine
	}
	g.known[key] = f
	return f, nil
}

// Parking is why a version is not asked.
type Parking struct {
	Reason string  `json:"reason"` // panic, deadline or memory
	Detail string  `json:"detail"`
	Until  float64 `json:"until"` // Unix seconds: the next try that is allowed
}

// Parked returns why a version is not asked now, nil if it may be.
func (r *Registry) Parked(typ, name string) (*Parking, error) {
	f, err := r.guard.failures(typ, name)
	if err != nil || r.guard.now().UnixMilli() >= f.Until {
		return nil, err
	}
	return &Parking{Reason: f.Reason, Detail: f.Detail, Until: float64(f.Until) / 1000}, nil
}

// Unpark forgets the failures of a version: it may be asked at once.
func (r *Registry) Unpark(typ, name string) error {
	g := r.guard
	err := g.store.ChangeFailures(typ, name, func(store.Failures) store.Failures { return store.Failures{} })
	if err == nil {
		g.mu.Lock()
		delete(g.known, typ+"/"+name)
		delete(g.unsaved, typ+"/"+name)
		g.mu.Unlock()
	}
	return err
}

// unparked returns an ErrParked if a version is parked.
func (r *Registry) unparked(typ, name string) error {
	p, err := r.Parked(typ, name)
	if err == nil && p != nil {
		err = p.refuse(typ, name)
	}
	return err
}

// String says until when and why.
func (p *Parking) String() string {
	return fmt.Sprintf("parked until %s: it failed %d times within %v (%s: %s)", time.UnixMilli(int64(p.Until*1000)).UTC().Format(time.RFC3339), parkAfter, parkWithin, p.Reason, p.Detail)
}

func (p *Parking) refuse(typ, name string) error {
	return fmt.Errorf("%s %s: %w: %v. Put another version to use (upid models rollback %s), or this one all the same (upid models promote %s %s --force)",
		typ, name, ErrParked, p, typ, typ, name)
}

// guarded lets v answer so many rows, of which each takes so many bytes. The error is
// ErrParked if v is not asked, ErrFailed if it failed, the cause of ctx if the caller gave up
// and else that of answer: what is wrong with the rows is not the model's failure.
func guarded[T any](ctx context.Context, r *Registry, v *Version, rows int, rowBytes int64, answer func(context.Context) (T, error)) (T, error) {
	var none T
	g, key := r.guard, v.ModelType+"/"+v.Version
	if rowBytes > g.rowBytes {
		if err := r.unparked(v.ModelType, v.Version); err != nil {
			return none, err
		}
		return none, g.fail(v, FailedMemory, fmt.Errorf("an answer takes %d bytes a row, more than %d", rowBytes, g.rowBytes))
	}
	if most := g.answer / max(rowBytes, 1); int64(rows) > most {
		return none, fmt.Errorf("%w: %d rows of %s at once, want at most %d: an answer takes %d bytes a row", ErrRows, rows, key, most, rowBytes)
	}
	g.mu.Lock()
	turn := g.turns[key]
	if turn == nil {
		turn = make(chan struct{}, 1)
		g.turns[key] = turn
	}
	g.mu.Unlock()
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
	if err := r.unparked(v.ModelType, v.Version); err != nil { // maybe while others had their turns
		<-turn
		return none, err
	}
	limit := g.base + time.Duration(rows*len(v.Models))*g.perRow
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type outcome struct {
		out    T
		err    error
		failed any // what it panicked with
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-turn }() // what runs on past its deadline keeps its turn
		var o outcome
		defer func() { done <- o }()
		defer func() {
			if o.failed = recover(); o.failed != nil {
				g.sayPanic(key, o.failed, debug.Stack())
			}
		}()
		o.out, o.err = answer(within)
	}()
	select {
	case o := <-done:
		switch {
		case o.failed != nil:
			return none, g.fail(v, FailedPanic, fmt.Errorf("%v", o.failed))
		case o.err == nil || within.Err() == nil:
			return o.out, o.err
		}
	case <-within.Done():
	}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	return none, g.fail(v, FailedDeadline, fmt.Errorf("%d rows were not answered in %v", rows, limit))
}

// sayPanic logs and counts a panic.
func (g *guard) sayPanic(key string, p any, stack []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.panics != nil {
		g.panics.Inc()
	}
	if g.watch.Logger != nil {
		g.watch.Logger.Error("a model panicked; please report it", "model", key, "panic", fmt.Sprint(p), "stack", string(stack))
	}
}

// fail takes note of a failure, parks the version if it is one too many, and returns the
// error for the caller.
func (g *guard) fail(v *Version, reason string, why error) error {
	now := g.now()
	key := v.ModelType + "/" + v.Version
	parked := false
	note := func(f store.Failures) store.Failures {
		f.Times = slices.DeleteFunc(slices.Clone(f.Times), func(t int64) bool { return now.UnixMilli()-t > parkWithin.Milliseconds() })
		f.Times = append(f.Times, now.UnixMilli())
		f.Times = f.Times[max(0, len(f.Times)-parkAfter):]
		f.Reason, f.Detail = reason, why.Error()
		if parked = len(f.Times) >= parkAfter; parked {
			f.Until = now.Add(parkFor).UnixMilli()
		}
		return f
	}
	noted := false
	err := g.store.ChangeFailures(v.ModelType, v.Version, func(f store.Failures) store.Failures {
		g.mu.Lock()
		defer g.mu.Unlock()
		if mine, there := g.unsaved[key]; there {
			f = mine
		}
		noted, g.known[key] = true, note(f)
		return g.known[key]
	})
	g.mu.Lock()
	if !noted { // the disk was not even read
		g.known[key] = note(g.known[key])
	}
	if delete(g.unsaved, key); err != nil {
		g.unsaved[key] = g.known[key]
	}
	until, w, failed, j := g.known[key].Until, g.watch, g.failed, g.journal
	g.mu.Unlock()
	if failed != nil {
		failed.WithLabelValues(v.ModelType, reason).Inc()
	}
	if parked && j.Trail != nil {
		detail := fmt.Sprintf("until %s: %d failures within %v, the last: %s: %v", time.UnixMilli(until).UTC().Format(time.RFC3339), parkAfter, parkWithin, reason, why)
		err = errors.Join(err, j.Note(audit.Park, key, audit.OK, detail))
	}
	if w.Logger != nil {
		if parked {
			w.Logger.Error("model parked: it failed again and again", "model", key, "reason", reason, "until", time.UnixMilli(until).UTC().Format(time.RFC3339), "err", why)
		} else {
			w.Logger.Warn("model failed", "model", key, "reason", reason, "err", why)
		}
		if err != nil {
			w.Logger.Error("the failure of a model is known to this process only: it could not be written", "model", key, "err", err)
		}
	}
	told := fmt.Errorf("%s: %w", key, &failure{reason, why})
	if parked {
		told = fmt.Errorf("%w. It is not asked again until %s", told, time.UnixMilli(until).UTC().Format(time.RFC3339))
	}
	return errors.Join(told, err)
}

// door is the guard of who asks a version row by row, too often for a goroutine each: panics
// are recovered, what rows take is summed up against the same deadline, and while the version
// is parked nothing is asked. It is safe for concurrent use.
type door struct {
	g *guard
	v *Version

	mu    sync.Mutex
	until int64 // it is parked, Unix milliseconds
	rows  int   // since took began anew
	took  time.Duration
}

// doorRows is after how many rows a door begins to sum up anew.
const doorRows = 1000

// door returns the door to v, which is closed if v is parked already.
func (g *guard) door(v *Version) *door {
	d := &door{g: g, v: v}
	if f, err := g.failures(v.ModelType, v.Version); err == nil {
		d.until = f.Until
	}
	return d
}

// ask lets answer ask for one row and reports whether it did. Cost: some 0.2 µs.
func (d *door) ask(answer func()) (ok bool) {
	began := d.g.now()
	d.mu.Lock()
	closed := began.UnixMilli() < d.until
	d.mu.Unlock()
	if closed {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			d.g.sayPanic(d.v.ModelType+"/"+d.v.Version, p, debug.Stack())
			d.fail(FailedPanic, fmt.Errorf("%v", p))
			ok = false
		}
	}()
	answer()
	took := d.g.now().Sub(began)
	d.mu.Lock()
	if d.rows >= doorRows {
		d.rows, d.took = 0, 0
	}
	d.rows++
	d.took += took
	rows, sum := d.rows, d.took
	limit := d.g.base + time.Duration(rows*len(d.v.Models))*d.g.perRow
	if sum > limit {
		d.rows, d.took = 0, 0
	}
	d.mu.Unlock()
	if sum > limit {
		d.fail(FailedDeadline, fmt.Errorf("%d rows took %v, more than %v", rows, sum, limit))
		return false
	}
	return true
}

// fail takes note of a failure. Whoever asks does without an answer, so that it is told is
// all there is to do with an error.
func (d *door) fail(reason string, why error) {
	_ = d.g.fail(d.v, reason, why)
	d.g.mu.Lock()
	until := d.g.known[d.v.ModelType+"/"+d.v.Version].Until
	d.g.mu.Unlock()
	d.mu.Lock()
	d.until = until
	d.mu.Unlock()
}
