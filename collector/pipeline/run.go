package pipeline

import (
	"context"
	"errors"
	"fmt"
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
	in, err := p.input(ctx, e, end-e.History.Milliseconds()+e.Step.Milliseconds(), end)
	if err != nil {
		return err
	}
	defer p.stage("fit")()
	commit, err := e.Unit.Fit(ctx, slot, in)
	if err != nil {
		return fmt.Errorf("fit: %w", err)
	}
	e.unit.Lock()
	defer e.unit.Unlock()
	commit()
	e.kept.fitSlot, e.kept.fitted, e.kept.torn = fitSlot, true, false
	return nil
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
	in, err := p.input(ctx, e, from+e.Step.Milliseconds(), end)
	if err != nil {
		return err
	}
	done := p.stage("score")
	rs, err := p.step(ctx, e, from, slot, in)
	done()
	if err != nil {
		return fmt.Errorf("score: %w", err)
	}
	defer p.stage("write")()
	return p.write(ctx, e, slot, rs)
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
// Its grid points are asked for again by the next pass.
func (p *Pipeline) input(ctx context.Context, e *entry, start, end int64) (Input, error) {
	defer p.stage("query")()
	in := Input{Start: start, End: end, Series: series.Set{}, Results: p.joined(e)}
	if end < start {
		return in, nil
	}
	for _, name := range e.inputs() {
		d, err := p.source.Query(ctx, e.Queries[name], start, end, e.Step.Milliseconds())
		if err != nil {
			return Input{}, err // the source names the query
		}
		p.m.ignored(e.Name, d)
		if d.Partial {
			return Input{}, failure{"partial", fmt.Errorf("query %q: the answer is incomplete: %s", e.Queries[name], strings.Join(d.Warnings, "; "))}
		}
		in.Series[name] = d
	}
	return in, nil
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
// the others.
func (p *Pipeline) write(ctx context.Context, e *entry, slot int64, rs []series.Result) error {
	e.results.Lock()
	defer e.results.Unlock()
	if e.removed {
		return nil
	}
	e.newest, e.slot = rs, slot
	var errs []error
	for _, s := range p.sinks {
		if err := s.Write(ctx, e.Name, slot, rs); err != nil {
			errs = append(errs, failure{"sink", fmt.Errorf("write results: %w", err)})
		}
	}
	return errors.Join(errs...)
}

// stage times one stage of a pass: defer p.stage("query")().
func (p *Pipeline) stage(name string) func() {
	start := time.Now()
	return func() { p.m.stage.WithLabelValues(name).Observe(time.Since(start).Seconds()) }
}
