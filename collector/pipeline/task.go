// Package pipeline runs tasks on slots of an aligned grid: it queries, hands
// the series to a Unit and the results to the sinks. It owns the schedule, the
// work queue and nothing else; models, alerts and exposition live elsewhere.
package pipeline

import (
	"context"
	"time"

	"github.com/upid/upid/collector/series"
)

// Input is what a Unit gets for one pass.
type Input struct {
	Series  series.Set
	Results map[string][]series.Result // of the tasks named in After: their newest, not older than 3 × their Every
}

// Unit is a signal, a threat model or a recommender. It does no I/O and reads
// no clock. The pipeline never calls two methods of one Unit at once.
type Unit interface {
	// Fit learns from history that ends at slot.
	Fit(ctx context.Context, slot int64, in Input) error
	// Step takes the newest grid points, each exactly once, and says what is to
	// be said about every series. The results belong to the caller.
	Step(ctx context.Context, slot int64, in Input) ([]series.Result, error)
}

// Task is a Unit with what it needs to know and when.
type Task struct {
	Name     string
	Queries  map[string]string // input name → PromQL
	After    []string          // tasks whose results join the Input
	Every    time.Duration     // cadence of the score pass, a multiple of Step
	FitEvery time.Duration     // cadence of the fit pass
	Step     time.Duration     // grid of the data
	Offset   time.Duration     // how long a grid point may take to be complete
	History  time.Duration     // how far back a fit looks
	Key      string            // equal Key = equal task: a reload keeps it running
	Unit     Unit
}

// Source answers queries. It is safe for concurrent use and returns when ctx is
// done.
type Source interface {
	// Query evaluates expr at start, start+step, …, up to and including end
	// (Unix milliseconds). The answer belongs to the caller.
	Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error)
}

// Sink takes all results of one task and slot. Writing a later slot replaces
// the earlier. Drop forgets a task that was removed or whose results are too
// old. It must not block for long and must not keep or change rs after it
// returns unless it copies.
type Sink interface {
	Write(ctx context.Context, task string, slot int64, rs []series.Result) error
	Drop(task string)
}
