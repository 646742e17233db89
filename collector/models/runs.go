package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/forecast/learn"
)

// Run is one training in a server.
type Run struct {
	ID        string   `json:"run_id"`
	ModelType string   `json:"model_type"`
	State     string   `json:"state"`
	Target    string   `json:"target"` // under way
	Done      int      `json:"targets_done"`
	Targets   int      `json:"targets"`
	Epoch     int      `json:"epoch"`
	Epochs    int      `json:"epochs"`
	HeldOut   *float64 `json:"held_out_error"`
	StartedAt float64  `json:"started_at"`
	EndedAt   *float64 `json:"ended_at"` // null while it runs
	Version   string   `json:"version"`  // that was saved
	Stage     string   `json:"stage"`    // that it is in: active, or shadow beside another one
	Error     string   `json:"error"`
	Result    []Target `json:"result"` // by target, once trained
}

// States of a run.
const (
	Running   = "running"
	Saved     = "saved"
	Refused   = "refused" // trained, and the gate did not let it pass
	Failed    = "failed"
	Cancelled = "cancelled"
)

// keptRuns is how many ended runs are remembered.
const keptRuns = 20

var (
	errBusy    = errors.New("a training is running")
	errNoRun   = errors.New("no such training; those before a restart are forgotten")
	errEnding  = errors.New("the server is stopping")
	errNotLive = errors.New("it has ended")
)

// runs is the trainings of a server: one at a time. It is safe for concurrent use.
type runs struct {
	registry *Registry
	now      func() time.Time

	mu     sync.Mutex
	all    []*Run // newest last
	cancel context.CancelFunc
	ended  chan struct{} // of the one that runs; nil: none does
	closed bool
}

// start begins a training; rows makes what is learned from. It returns at once.
func (r *runs) start(j Journal, t Training, force bool, rows func(context.Context) (*Rows, error)) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return Run{}, errEnding
	case r.ended != nil:
		return *r.all[len(r.all)-1], errBusy
	}
	began := r.now()
	run := &Run{ID: fmt.Sprintf("%s-%d", t.ModelType, began.UnixMilli()), ModelType: t.ModelType, State: Running, Epochs: t.Epochs, StartedAt: unix(began), Result: []Target{}}
	if n := len(r.all); n > 0 && r.all[n-1].ID == run.ID {
		run.ID += "-2"
	}
	r.all = append(r.all, run)
	r.all = r.all[max(0, len(r.all)-keptRuns):]
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan struct{})
	t.Progress = func(target string, done, targets int, e learn.Epoch) {
		r.mu.Lock()
		defer r.mu.Unlock()
		run.Target, run.Done, run.Targets, run.Epoch, run.HeldOut = target, done, targets, e.Epoch, finite(e.HeldOut)
	}
	go r.train(ctx, run, j, t, force, rows, r.ended)
	return *run, nil
}

func (r *runs) train(ctx context.Context, run *Run, j Journal, t Training, force bool, rows func(context.Context) (*Rows, error), ended chan struct{}) {
	v, err := r.trained(ctx, j, t, force, rows)
	r.mu.Lock()
	defer r.mu.Unlock()
	run.EndedAt = finite(unix(r.now()))
	if v != nil {
		run.Result, run.Done = v.Targets, len(v.Targets)
	}
	switch {
	case errors.Is(err, context.Canceled):
		run.State = Cancelled
	case errors.Is(err, errRefused):
		run.State, run.Error = Refused, err.Error()
	case err != nil:
		run.State, run.Error = Failed, err.Error()
		if a := Advice(err); a != "" {
			run.Error += ". " + a
		}
	default:
		run.State, run.Version, run.Stage = Saved, v.Version, v.State
	}
	r.cancel()
	r.ended = nil
	close(ended)
}

var errRefused = errors.New("nothing beats the naive prediction on the held-out rows; force=true saves it all the same")

// trained trains and saves. A panic is an error of this training alone.
func (r *runs) trained(ctx context.Context, j Journal, t Training, force bool, rows func(context.Context) (*Rows, error)) (v *Version, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("internal error: %v", p)
		}
	}()
	if t.Rows, err = rows(ctx); err != nil {
		return nil, err
	}
	if err := j.Note(audit.TrainStart, t.ModelType, audit.OK, fmt.Sprintf("%d rows of %s", t.Rows.N, t.Source)); err != nil {
		return nil, fmt.Errorf("nothing is trained, because it cannot be written down: %w", err)
	}
	if v, err = Train(ctx, t); err != nil {
		return nil, errors.Join(err, j.Note(audit.TrainEnd, t.ModelType, audit.Failed, err.Error()))
	}
	if !v.Passed() && !force {
		return v, errors.Join(errRefused, j.Note(audit.Gate, t.ModelType, audit.Refused, v.Gate()))
	}
	v.Forced = !v.Passed()
	_, err = r.registry.Keep(j, v, t.Rows)
	return v, err
}

// get returns a run by its id.
func (r *runs) get(id string) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.all, func(run *Run) bool { return run.ID == id })
	if i < 0 {
		return Run{}, errNoRun
	}
	return *r.all[i], nil
}

// stop cancels a run and waits until it has ended, which takes an epoch.
func (r *runs) stop(ctx context.Context, id string) (Run, error) {
	run, err := r.get(id)
	if err != nil {
		return run, err
	}
	r.mu.Lock()
	ended := r.ended
	if run.State != Running || ended == nil || r.all[len(r.all)-1].ID != id {
		r.mu.Unlock()
		return run, errNotLive
	}
	r.cancel()
	r.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return r.get(id)
}

// close lets nothing begin any more and cancels what runs.
func (r *runs) close() {
	r.mu.Lock()
	r.closed = true
	ended := r.ended
	if ended != nil {
		r.cancel()
	}
	r.mu.Unlock()
	if ended != nil {
		<-ended
	}
}
