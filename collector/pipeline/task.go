// Package pipeline runs tasks on slots of an aligned grid: it queries, hands
// the series to a Unit and the results to the sinks. It owns the schedule, the
// work queue and nothing else; models, alerts and exposition live elsewhere.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/upid/upid/collector/series"
)

// Input is what a Unit gets for one pass: the answers of its queries over the grid
// times Start, Start + Step, …, End. A series may begin later and end earlier than
// the range; what it does not cover is a gap. End < Start means that nothing is
// new and the Unit is only asked what there is to be said.
type Input struct {
	Start, End int64 // Unix milliseconds
	Series     series.Set
	Results    map[string][]series.Result // of the tasks named in After: their newest, unless they expired; nil: none yet, not even that there is nothing
}

// Unit is a signal, a threat model or a recommender. It does no I/O and reads
// no clock.
//
// Step and the function that Fit returns are never called at the same time. Fit
// may run beside Step, so it must not change what Step uses: it learns into
// fresh state, and the function it returns swaps that in.
type Unit interface {
	// Fit learns from the data of a fit slot. It returns when ctx is done.
	Fit(ctx context.Context, slot int64, in Input) (commit func(), err error)
	// Step takes the grid points after Position, each exactly once, and says what
	// is to be said about every series. The results belong to the caller.
	Step(ctx context.Context, slot int64, in Input) ([]series.Result, error)
	// Position returns the grid time of the newest point that was taken in, 0
	// before the first commit. A commit may move it back.
	Position() int64
}

// Gradual is a Unit that learns from history in pieces, in order of time: all of it at once
// would not fit into memory. Its Fit is not called. Score passes come in pieces too, and what all but
// the last of them say is dropped.
type Gradual interface {
	Unit
	// Begin starts a fit beside what the unit does.
	Begin(slot int64) Learner
}

// Learner is a fit under way.
type Learner interface {
	// Learn takes the next piece. In the last one are the inputs of Task.Newest.
	Learn(ctx context.Context, in Input) error
	// Commit makes what was learned the state of the unit. It is called once, never beside Step.
	Commit()
}

// Task is a Unit with what it reads and when it runs.
type Task struct {
	Name     string
	Queries  map[string]string // input name → PromQL
	Newest   map[string]string // the same of a Gradual, asked only at the end of a pass
	Piece    time.Duration     // of a Gradual: the most that is asked for at once, a multiple of Step
	After    []string          // tasks whose results join the Input
	Every    time.Duration     // cadence of the score pass, a multiple of Step
	FitEvery time.Duration     // cadence of the fit pass
	Step     time.Duration     // grid of the data
	Offset   time.Duration     // how long a grid point takes to be complete
	History  time.Duration     // how far back a fit looks
	Key      string            // a reload keeps a task running whose Name and Key are unchanged
	Unit     Unit
}

func (t *Task) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("task %q: "+format, append([]any{t.Name}, args...)...))
	}
	if t.Name == "" {
		bad("no name")
	}
	if len(t.Queries) == 0 {
		bad("no queries")
	}
	if t.Unit == nil {
		bad("no unit")
	}
	if t.Step < time.Millisecond || t.Step%time.Millisecond != 0 {
		bad("step: %v, want whole milliseconds", t.Step)
	} else if t.Every < t.Step || t.Every%t.Step != 0 {
		bad("every: %v, want a multiple of step %v", t.Every, t.Step)
	}
	if t.FitEvery < t.Every {
		bad("fit every: %v, want at least %v", t.FitEvery, t.Every)
	}
	if t.History < t.Step {
		bad("history: %v, want at least one step", t.History)
	}
	if _, ok := t.Unit.(Gradual); ok != (t.Piece > 0) || len(t.Newest) > 0 && !ok {
		bad("piece: %v, %d inputs of the newest point: want both of a unit that learns in pieces, and of no other", t.Piece, len(t.Newest))
	} else if t.Step > 0 && t.Piece%t.Step != 0 {
		bad("piece: %v, want a multiple of step %v", t.Piece, t.Step)
	}
	if t.Offset < 0 {
		bad("offset: %v, want at least 0", t.Offset)
	}
	return errors.Join(errs...)
}

// A Pass is one of the two cadences of a task.
type Pass string

// The score pass takes the newest points, the fit pass history.
const (
	Score Pass = "score"
	Fit   Pass = "fit"
)

func (t *Task) every(p Pass) time.Duration {
	if p == Fit {
		return t.FitEvery
	}
	return t.Every
}

// Slot returns the newest slot of the pass at or before now (both Unix
// milliseconds). Slots lie on the grid of multiples of the cadence, shifted by a
// hash of the name, so that tasks spread out and replicas agree:
//
//	slot = k·every + hash(name) mod every
func (t *Task) Slot(p Pass, now int64) int64 {
	every := t.every(p).Milliseconds()
	h := fnv.New64a()
	h.Write([]byte(t.Name)) // never fails
	shift := int64(h.Sum64() % uint64(every))
	return floor(now-shift, every) + shift
}

// complete returns the newest grid time that is complete at slot.
func (t *Task) complete(slot int64) int64 {
	return floor(slot-t.Offset.Milliseconds(), t.Step.Milliseconds())
}

// floor returns the largest multiple of m that is not above x, for m > 0.
func floor(x, m int64) int64 {
	r := x % m
	if r < 0 {
		r += m
	}
	return x - r
}

// Check reports what Apply would refuse: a bad task, a name used twice, an After
// that leads nowhere or round in a circle.
func Check(tasks []Task) error {
	var errs []error
	after := map[string][]string{}
	for i := range tasks {
		errs = append(errs, tasks[i].validate())
		if _, dup := after[tasks[i].Name]; dup {
			errs = append(errs, fmt.Errorf("task %q: the name is used twice", tasks[i].Name))
		}
		after[tasks[i].Name] = tasks[i].After
	}
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		switch state[name] {
		case visiting:
			return fmt.Errorf("task %q: after: a cycle through %v", name, path)
		case done:
			return nil
		}
		state[name] = visiting
		for _, dep := range after[name] {
			if _, ok := after[dep]; !ok {
				return fmt.Errorf("task %q: after: no task %q", name, dep)
			}
			if err := visit(dep, append(path, dep)); err != nil {
				return err
			}
		}
		state[name] = done
		return nil
	}
	for _, t := range tasks {
		if err := visit(t.Name, []string{t.Name}); err != nil {
			errs = append(errs, err)
			break
		}
	}
	return errors.Join(errs...)
}

// pieces returns the pieces of the grid times from start to end, each within one multiple of
// Piece; all at once where there is none, and one without points if nothing is new.
func (t *Task) pieces(start, end int64) [][2]int64 {
	piece, step := t.Piece.Milliseconds(), t.Step.Milliseconds()
	if piece <= 0 || end < start {
		return [][2]int64{{start, end}}
	}
	var out [][2]int64
	for start <= end {
		last := min(end, floor(start, piece)+piece-step)
		out = append(out, [2]int64{start, last})
		start = last + step
	}
	return out
}

// Source answers queries. It is safe for concurrent use and returns when ctx is
// done.
type Source interface {
	// Query evaluates expr at start, start+step, …, up to and including end
	// (Unix milliseconds). The answer belongs to the caller.
	Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error)
}

// Sink takes all results of one task and slot; a later slot replaces the
// earlier. Calls for one task do not overlap. A sink must not block for long and
// must not change rs.
type Sink interface {
	Write(ctx context.Context, task string, slot int64, rs []series.Result) error
	// Expire says that the newest results are too old to be shown, or those of a
	// task that was replaced. Nothing is known about the task for now; what was
	// true may still be.
	Expire(task string)
	// Drop says that the task was removed from the configuration.
	Drop(task string)
}
