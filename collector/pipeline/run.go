package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
)

// failure is an error with a reason from the closed list of
// upid_signal_run_failures_total.
type failure struct {
	reason string
	err    error
}

func (f failure) Error() string         { return f.err.Error() }
func (f failure) Unwrap() error         { return f.err }
func (f failure) FailureReason() string { return f.reason }

// reason returns why a pass failed, as a label value.
func reason(err error) string {
	var r interface{ FailureReason() string }
	switch {
	case errors.As(err, &r):
		return r.FailureReason()
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "unit"
}

// noData is the reason of a unit that has nothing to learn from.
const noData = "no_data"

// RunSlot makes one pass of the named task, now and here: it queries, runs the
// unit and writes the results. The scheduler makes the same pass.
func (p *Pipeline) RunSlot(ctx context.Context, task string, pass Pass, slot int64) error {
	p.mu.Lock()
	e := p.tasks[task]
	p.mu.Unlock()
	if e == nil {
		return fmt.Errorf("no task %q", task)
	}
	return p.run(ctx, e, pass, slot)
}

func (p *Pipeline) run(ctx context.Context, e *entry, pass Pass, slot int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p.m.panics.WithLabelValues("unit").Inc()
			p.log.Error("panic recovered", "signal", e.Name, "pass", string(pass), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = failure{"panic", fmt.Errorf("%s %s: panic: %v", pass, e.Name, r)}
		}
	}()
	if pass == Fit {
		return p.fit(ctx, e, slot)
	}
	err = p.score(ctx, e, slot)
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	if also := p.speak(e.ctx, e); also != nil {
		return errors.Join(err, also)
	}
	return err
}

// fit learns from the history before the fit slot. If there was none yet and the
// task has never been fitted, what came since then has to do: replicas agree from
// their first common fit slot on, and until then something is better than nothing.
func (p *Pipeline) fit(ctx context.Context, e *entry, slot int64) error {
	err := p.fitAt(ctx, e, slot, slot)
	if err != nil && reason(err) == noData && e.Unit.Position() == 0 {
		return p.fitAt(ctx, e, slot, e.Slot(Score, time.Now().UnixMilli()))
	}
	return err
}

// fitAt makes the fit of a slot from the history before another.
func (p *Pipeline) fitAt(ctx context.Context, e *entry, fitSlot, slot int64) error {
	end := e.complete(slot)
	commit, err := p.learn(ctx, e, slot, end-e.History.Milliseconds()+e.Step.Milliseconds(), end)
	if err != nil {
		return err
	}
	e.unit.Lock()
	defer e.unit.Unlock()
	commit()
	e.kept.fitSlot, e.kept.fitted, e.kept.torn = fitSlot, true, false
	return nil
}

// learn asks for the history from start to end and lets the unit learn from it.
func (p *Pipeline) learn(ctx context.Context, e *entry, slot, start, end int64) (commit func(), err error) {
	unit, gradual := e.Unit.(Gradual)
	if !gradual {
		in, err := p.input(ctx, e, start, end, true)
		if err != nil {
			return nil, err
		}
		defer p.stage("fit")()
		if commit, err = e.Unit.Fit(ctx, slot, in); err != nil {
			return nil, fmt.Errorf("fit: %w", err)
		}
		return commit, nil
	}
	l := unit.Begin(slot)
	if whole := floor(start-1, e.Piece.Milliseconds()) + e.Piece.Milliseconds(); whole <= end {
		start = whole // half a piece at the beginning is no use
	}
	pieces := e.pieces(start, end)
	for i, piece := range pieces {
		in, err := p.input(ctx, e, piece[0], piece[1], i == len(pieces)-1)
		if err != nil {
			return nil, err
		}
		done := p.stage("fit")
		err = l.Learn(ctx, in)
		done()
		if err != nil {
			return nil, fmt.Errorf("fit: %w", err)
		}
	}
	return l.Commit, nil
}

func (p *Pipeline) score(ctx context.Context, e *entry, slot int64) error {
	end := e.complete(slot)
	from := e.Unit.Position()
	if from == 0 {
		return failure{"unfitted", errors.New("score: nothing was fitted yet")}
	}
	if end-from > e.History.Milliseconds() {
		p.retryFit(e, nil)
		return failure{"unfitted", fmt.Errorf("score: the newest point taken in is %v old, a new fit is due", time.Duration(end-from)*time.Millisecond)}
	}
	var rs []series.Result
	pieces := e.pieces(from+e.Step.Milliseconds(), end)
	for i, piece := range pieces {
		in, err := p.input(ctx, e, piece[0], piece[1], i == len(pieces)-1)
		if err != nil {
			return err
		}
		done := p.stage("score")
		rs, err = p.step(ctx, e, piece[0]-e.Step.Milliseconds(), slot, in)
		done()
		if err != nil {
			return fmt.Errorf("score: %w", err)
		}
	}
	defer p.stage("write")()
	first, err := p.write(ctx, e, slot, rs)
	if first {
		p.follow(e.Name)
	}
	return err
}

// follow lets the tasks that join the results of a task speak at once: nothing was known of it before.
func (p *Pipeline) follow(name string) {
	var jobs []job
	p.mu.Lock()
	for _, e := range p.tasks {
		if slices.Contains(e.After, name) && e.Unit.Position() > 0 && !e.running[Score] {
			jobs = append(jobs, job{e, Score, e.Slot(Score, time.Now().UnixMilli())})
		}
	}
	p.mu.Unlock()
	for _, j := range jobs {
		p.push(j)
	}
}

// errMoved says that a commit changed the unit's position while the points for a
// score pass were on their way. The pass after the commit takes them.
var errMoved = errors.New("a fit was taken in meanwhile")

func (p *Pipeline) step(ctx context.Context, e *entry, from, slot int64, in Input) ([]series.Result, error) {
	e.unit.Lock()
	defer e.unit.Unlock()
	if e.Unit.Position() != from {
		return nil, failure{"moved", errMoved}
	}
	e.kept.stepped, e.kept.torn = e.kept.stepped || in.End >= in.Start, true
	rs, err := e.Unit.Step(ctx, slot, in)
	e.kept.torn = err != nil // some series may have taken the points in
	e.kept.silent = e.kept.silent && err != nil
	return rs, err
}

// input queries every input of the task. A partial answer fails the pass:
// nothing is trained on it, and no score, alert or resolution follows from it.
// Its grid points are asked for again by the next pass. Task.Newest is asked only if
// last, and if something is new.
func (p *Pipeline) input(ctx context.Context, e *entry, start, end int64, last bool) (Input, error) {
	defer p.stage("query")()
	in := Input{Start: start, End: end, Series: series.Set{}, Results: p.joined(e)}
	if end < start {
		return in, nil
	}
	if err := p.ask(ctx, e, e.Queries, start, end, in.Series); err != nil {
		return Input{}, err
	}
	if last {
		if err := p.ask(ctx, e, e.Newest, end, end, in.Series); err != nil {
			return Input{}, err
		}
	}
	return in, nil
}

// ask puts the answer of each of queries into set, in the order of their names.
func (p *Pipeline) ask(ctx context.Context, e *entry, queries map[string]string, start, end int64, set series.Set) error {
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		d, err := p.source.Query(ctx, queries[name], start, end, e.Step.Milliseconds())
		if err != nil {
			return err // the source names the query
		}
		p.m.ignored(e.Name, d)
		if d.Partial {
			return failure{"partial", fmt.Errorf("query %q: the answer is incomplete: %s", queries[name], strings.Join(d.Warnings, "; "))}
		}
		set[name] = d
	}
	return nil
}

// joined returns the newest results of the tasks named in After.
func (p *Pipeline) joined(e *entry) map[string][]series.Result {
	if len(e.After) == 0 {
		return nil
	}
	p.mu.Lock()
	deps := make(map[string]*entry, len(e.After))
	for _, name := range e.After {
		if d := p.tasks[name]; d != nil {
			deps[name] = d
		}
	}
	p.mu.Unlock()
	out := make(map[string][]series.Result, len(deps))
	for name, d := range deps {
		d.results.Lock()
		out[name] = slices.Clone(d.newest)
		d.results.Unlock()
	}
	return out
}

// write hands the results to every sink; one that fails does not keep them from
// the others. It reports whether none were known before.
func (p *Pipeline) write(ctx context.Context, e *entry, slot int64, rs []series.Result) (first bool, err error) {
	e.results.Lock()
	defer e.results.Unlock()
	if e.removed {
		return false, nil
	}
	first = e.slot == 0
	e.newest, e.slot = rs, slot
	var errs []error
	for _, s := range p.sinks {
		if err := s.Write(ctx, e.Name, slot, rs); err != nil {
			errs = append(errs, failure{"sink", fmt.Errorf("write results: %w", err)})
		}
	}
	return first, errors.Join(errs...)
}

// stage times one stage of a pass: defer p.stage("query")().
func (p *Pipeline) stage(name string) func() {
	start := time.Now()
	return func() { p.m.stage.WithLabelValues(name).Observe(time.Since(start).Seconds()) }
}
