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
	Cause     string   `json:"cause"`  // request, or why it began by itself: first, schedule, drift, demotion
	Step      string   `json:"step"`   // extract, features, split, train, gate, save
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

	Interrupted = "interrupted" // the process ended under it; of the pipeline only
)

// The steps of a training, in order.
const (
	StepExtract  = "extract"
	StepFeatures = "features"
	StepSplit    = "split"
	StepTrain    = "train"
	StepGate     = "gate"
	StepSave     = "save"
)

// The causes of a training.
const (
	CauseRequest  = "request"
	CauseFirst    = "first"
	CauseSchedule = "schedule"
	CauseDrift    = "drift"
	CauseDemotion = "demotion"
)

// order says how a training goes about beside what is trained.
type order struct {
	cause string
	force bool // the gate does not matter
	trial bool // beside an active version it goes into the shadow, to be judged live
	step  func(step, detail string, v *Version)
	ended func(run Run, v *Version, err error)
}

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
func (r *runs) start(j Journal, t Training, o order, rows func(context.Context, func(step string)) (*Rows, error)) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return Run{}, errEnding
	case r.ended != nil:
		return *r.all[len(r.all)-1], errBusy
	}
	began := r.now()
	run := &Run{ID: fmt.Sprintf("%s-%d", t.ModelType, began.UnixMilli()), ModelType: t.ModelType, State: Running, Cause: o.cause, Epochs: t.Epochs, StartedAt: unix(began), Result: []Target{}}
	if n := len(r.all); n > 0 && r.all[n-1].ID == run.ID {
		run.ID += "-2"
	}
	r.all = append(r.all, run)
	r.all = r.all[max(0, len(r.all)-keptRuns):]
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan struct{})
	tell := o.step
	o.step = func(step, detail string, v *Version) {
		r.mu.Lock()
		run.Step = step
		r.mu.Unlock()
		if tell != nil {
			tell(step, detail, v)
		}
	}
	underway := false
	t.Progress = func(target string, done, targets int, e learn.Epoch) {
		if !underway {
			underway = true
			o.step(StepTrain, "", nil)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		run.Target, run.Done, run.Targets, run.Epoch, run.HeldOut = target, done, targets, e.Epoch, finite(e.HeldOut)
	}
	go r.train(ctx, run, j, t, o, rows, r.ended)
	return *run, nil
}

// busy reports whether a training runs.
func (r *runs) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended != nil
}

// running returns the training that runs, if one does.
func (r *runs) running() (Run, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		return Run{}, false
	}
	return *r.all[len(r.all)-1], true
}

func (r *runs) train(ctx context.Context, run *Run, j Journal, t Training, o order, rows func(context.Context, func(string)) (*Rows, error), ended chan struct{}) {
	lowPriority()
	v, err := r.trained(ctx, j, t, o, rows)
	r.mu.Lock()
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
	done := *run
	r.mu.Unlock()
	if o.ended != nil {
		o.ended(done, v, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel()
	r.ended = nil
	close(ended)
}

var errRefused = errors.New("nothing beats the naive prediction on the held-out rows; force=true saves it all the same")

// trained trains and saves. A panic is an error of this training alone.
func (r *runs) trained(ctx context.Context, j Journal, t Training, o order, rows func(context.Context, func(string)) (*Rows, error)) (v *Version, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("internal error: %v", p)
		}
	}()
	o.step(StepExtract, "from "+t.Source, nil)
	if t.Rows, err = rows(ctx, func(step string) { o.step(step, "", nil) }); err != nil {
		return nil, err
	}
	if err := j.Note(audit.TrainStart, t.ModelType, audit.OK, fmt.Sprintf("%d rows of %s, cause %s", t.Rows.N, t.Source, o.cause)); err != nil {
		return nil, fmt.Errorf("nothing is trained, because it cannot be written down: %w", err)
	}
	o.step(StepSplit, fmt.Sprintf("%d rows by time: three fifths to learn from, one to calibrate on, one to judge on", t.Rows.N), nil)
	if v, err = Train(ctx, t); err != nil {
		return nil, errors.Join(err, j.Note(audit.TrainEnd, t.ModelType, audit.Failed, err.Error()))
	}
	o.step(StepGate, v.Gate(), v)
	if !v.Passed() && !o.force {
		return v, errors.Join(errRefused, j.Note(audit.Gate, t.ModelType, audit.Refused, v.Gate()))
	}
	v.Forced = !v.Passed()
	o.step(StepSave, "", v)
	_, err = r.registry.keep(ctx, j, v, t.Rows, o.trial)
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
