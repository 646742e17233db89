package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// Automatic says how versions of a model type come about by themselves.
type Automatic struct {
	Every    time.Duration // between trainings
	OnDrift  bool          // also when the active version drifts or is demoted
	File     string        // rows are read from it; "": they are made from the server
	Lookback time.Duration // how far back rows from the server go
	Step     time.Duration // between rows, and between times at which versions are judged; whole hours
	Share    float64       // of the rows that a canary answers for
}

// Timing of the pipeline.
const (
	roundEvery   = 5 * time.Second
	triggerEvery = 24 * time.Hour      // at most, drift and demotions begin a training
	retryAfter   = time.Hour           // a training that failed, such as for want of the server
	refusedAfter = 24 * time.Hour      // one that was refused
	judgeRetry   = 10 * time.Minute    // a judgement that failed
	canaryFor    = 24 * time.Hour      // a canary answers at least before it is active
	trialFor     = 60 * 24 * time.Hour // a version that is not decided on makes room for the next
	interrupted  = 3                   // trainings in a row that ended with the process
	keepVersions = 10                  // newest ones in no stage that are kept of those the pipeline made
)

// serverLimits bound what a server learns from: 256 MiB of cells, and as much of hourly
// means while rows are made.
var serverLimits = Limits{Rows: learn.MaxRows, Cells: 1 << 25}

// pipelineSource is the source of what the pipeline does, in the audit trail and in the
// records of versions.
const (
	pipelineActor  = "upid"
	pipelineSource = "sidecar"
)

// lifecycle takes the versions of each type from training to use: extract, features, split,
// train, gate, shadow, canary, active; and judges those in use live, whether they were made
// here or by hand. It is one task, which trains one version at a time.
type lifecycle struct {
	s    *Service
	file *store.Records // nil: nothing is kept and nothing goes by itself
	log  *slog.Logger
	wake chan struct{} // buffered by one: the plans changed

	epochs    int    // of trainings
	algorithm string // of models of numbers

	mu       sync.Mutex
	plans    map[string]Automatic
	progress map[string]*Progress
	judged   map[string]judgement
	said     map[string][]Said
	unsaved  bool
	idle     bool // the progress cannot be read: nothing goes by itself
}

// judgement remembers what was judged last.
type judgement struct {
	stages  store.Stages
	slot    int64
	retryAt time.Time
}

func newLifecycle(s *Service) *lifecycle {
	return &lifecycle{
		s: s, file: s.o.Progress, log: s.o.Logger, wake: make(chan struct{}, 1), plans: map[string]Automatic{}, progress: map[string]*Progress{},
		judged: map[string]judgement{}, said: map[string][]Said{}, epochs: learn.DefaultEpochs, algorithm: learn.DefaultAlgorithm,
	}
}

// Automate says which types are trained by themselves from now on, and how.
func (s *Service) Automate(plans map[string]Automatic) {
	l := s.life
	l.mu.Lock()
	l.plans = plans
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run goes round until ctx is done.
func (l *lifecycle) run(ctx context.Context) {
	lowPriority()
	l.load()
	t := time.NewTicker(roundEvery)
	defer t.Stop()
	for {
		l.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-l.wake:
		}
	}
}

// load reads the progress and takes up what was interrupted.
func (l *lifecycle) load() {
	all, err := ReadProgress(l.file)
	switch {
	case err == nil:
	case errors.Is(err, store.ErrDamaged):
		l.log.Warn("progress of trainings is lost in part: what runs by itself begins anew", "err", err)
	default: // of another upid, or sealed with another key: it is left alone
		l.log.Error("nothing is trained or judged by itself: its progress cannot be read", "err", err)
		l.mu.Lock()
		l.idle = true
		l.mu.Unlock()
		return
	}
	l.mu.Lock()
	l.progress = all
	l.mu.Unlock()
	for _, typ := range features.Types {
		l.resume(typ)
	}
}

// resume takes up a training that ended with the process: a version that was saved is put
// into its stage, else the training begins anew.
func (l *lifecycle) resume(typ string) {
	p := l.of(typ)
	if !p.under() {
		return
	}
	if p.Step == StepSave && p.Trained != nil {
		if v := l.saved(typ, *p.Trained); v != nil {
			j := l.journal()
			why, err := l.s.o.Registry.place(context.Background(), j, v, nil, true)
			if err == nil {
				l.log.Info("a version that was saved before a restart is taken into use", "model_type", typ, "version", v.Version, "stage", v.State)
				l.update(typ, func(p *Progress) {
					p.Step, p.Version, p.Reason, p.Interrupted, p.Demoted = Saved, v.Version, why, 0, false
					p.EndedAt = finite(unix(l.s.o.Now()))
					p.note(l.s.o.Now(), v.State, why)
				})
				return
			}
			l.log.Error("a version that was saved before a restart is in no stage", "model_type", typ, "version", v.Version, "err", err)
		}
	}
	l.log.Warn("a training was interrupted and begins anew", "model_type", typ, "step", p.Step)
	l.update(typ, func(p *Progress) {
		p.Interrupted++
		p.Reason = "interrupted at step " + p.Step + " by the end of the process"
		p.Step, p.EndedAt = Interrupted, finite(unix(l.s.o.Now()))
		p.note(l.s.o.Now(), Interrupted, p.Reason)
	})
}

// saved returns the version of a type that was created then and is in no stage.
func (l *lifecycle) saved(typ string, created float64) *Version {
	records, _ := l.s.o.Registry.Records(typ) // those that can be read
	for _, r := range records {
		if r.CreatedAt == created && r.State == Trained {
			if v, err := l.s.o.Registry.Get(typ, r.Version); err == nil {
				return v
			}
		}
	}
	return nil
}

func (l *lifecycle) journal() Journal {
	return Journal{Trail: l.s.o.Trail, Actor: pipelineActor, Source: pipelineSource}
}

// of returns the progress of a type.
func (l *lifecycle) of(typ string) Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.progress[typ]; p != nil {
		return p.clone()
	}
	return Progress{ModelType: typ, Steps: []Step{}}
}

// update changes the progress of a type and writes it down. What cannot be written is
// logged once and holds until the end of the process.
func (l *lifecycle) update(typ string, change func(*Progress)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.progress[typ]
	if p == nil {
		p = &Progress{ModelType: typ, Steps: []Step{}}
		l.progress[typ] = p
	}
	change(p)
	if l.file == nil {
		return
	}
	err := writeProgress(l.file, l.progress)
	if err != nil && !l.unsaved {
		l.log.Error("progress of trainings cannot be written: a restart does not know of it", "err", err)
	}
	l.unsaved = err != nil
}

// round looks at every type once.
func (l *lifecycle) round(ctx context.Context) {
	l.heedCancel(ctx)
	for _, typ := range features.Types {
		if ctx.Err() != nil {
			return
		}
		l.look(ctx, typ)
	}
	l.s.publish()
}

// look does what is due of a type. A panic is that type's alone.
func (l *lifecycle) look(ctx context.Context, typ string) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("panic in the pipeline of a model type", "model_type", typ, "panic", fmt.Sprint(p))
			l.s.panicked()
		}
	}()
	if l.s.runs.busy() {
		return
	}
	l.mu.Lock()
	plan, planned := l.plans[typ]
	idle := l.idle
	l.mu.Unlock()
	if idle {
		return
	}
	if !planned {
		plan = Automatic{Lookback: 60 * 24 * time.Hour, Step: 12 * time.Hour}
	}
	l.judge(ctx, typ, plan)
	if !planned || ctx.Err() != nil {
		return
	}
	l.decide(typ, plan)
	l.begin(ctx, typ, plan)
}

// retain deletes old versions that the pipeline made and that are in no stage, nor would be
// rolled back to.
func (l *lifecycle) retain(typ string) {
	records, err := l.s.o.Registry.Records(typ)
	if err != nil {
		return // not while something is wrong
	}
	stages, err := l.s.o.Registry.Stages(typ)
	if err != nil {
		return
	}
	made := l.of(typ).Made
	back := stages.Before[max(0, len(stages.Before)-3):]
	var old []string
	for _, r := range records {
		if r.State == Trained && slices.Contains(made, r.Version) && !slices.Contains(back, r.Version) {
			old = append(old, r.Version)
		}
	}
	for _, name := range old[:max(0, len(old)-keepVersions)] {
		err := l.journal().Do(audit.Delete, typ+"/"+name, fmt.Sprintf("%d newer ones are kept", keepVersions), func() error { return l.s.o.Registry.Delete(typ, name) })
		if err != nil {
			l.log.Warn("an old version stays", "model_type", typ, "version", name, "err", err)
		}
	}
}
