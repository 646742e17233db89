package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/series"
)

// staleAfter is how many score intervals results are shown without a newer one:
// a missed slot or two is a hiccup, the third says that nothing is known.
const staleAfter = 3

// MaxSleep is the longest the scheduler sleeps, so that it notices a clock that
// jumped or a process that was stopped and continued.
const MaxSleep = 5 * time.Second

// A task without any fit waits at most impatience score intervals for the next
// try, and not more than patience unless one interval is longer: its series may
// have appeared by then.
const (
	impatience = 10
	patience   = 10 * time.Minute
)

// A task that panics parkAfter times within parkWithin is not run for parkFor: it
// would do so again and again, at the cost of the others.
const (
	parkAfter  = 3
	parkWithin = 10 * time.Minute
	parkFor    = time.Hour
)

// refusedFor is how long a task rests whose credentials were refused: someone has to
// mend them, and servers lock out who tries too often.
const refusedFor = time.Minute

// Options say what a Pipeline works with.
type Options struct {
	Source        Source
	Sinks         []Sink
	Workers       int    // passes at once, at least 2: one stays free for scoring; default 4
	QueueCapacity int    // default 1,000; raised to the number of tasks
	Keeper        Keeper // nil: state ends with the process
	// SaveEvery is how old a snapshot gets while points are taken in; default 5
	// minutes. What came after it is asked for again after a restart.
	SaveEvery  time.Duration
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Pipeline schedules and runs tasks.
type Pipeline struct {
	source    Source
	sinks     []Sink
	keeper    Keeper
	log       *slog.Logger
	m         *metrics
	queue     *queue
	work      int
	saveEvery time.Duration
	wake      chan struct{} // buffered by one: the tasks changed
	beat      atomic.Int64  // when the scheduler last went round

	mu      sync.Mutex // guards what follows and the schedule inside entries
	tasks   map[string]*entry
	unsaved bool     // the newest snapshot could not be saved
	waiting []string // tasks that were said to wait for data, and had none since
	gone    bool     // it was said that the source cannot be reached
}

// entry is a task that is scheduled. Locks are taken in the order Pipeline.mu,
// unit, results.
type entry struct {
	Task
	ctx    context.Context // ends when the task is removed
	cancel context.CancelFunc

	// Guarded by Pipeline.mu.
	due     map[Pass]int64 // when each pass is next looked at
	running map[Pass]bool
	fails   int         // fits that failed in a row
	panics  []time.Time // the newest
	parked  time.Time   // until when it is not run

	unit sync.Mutex // held while Step, a commit or a snapshot runs
	kept kept

	results sync.Mutex // guards what follows, and is held while sinks are called
	removed bool
	newest  []series.Result
	slot    int64 // of newest; 0 = none or expired
	passes  map[Pass]PassStatus
}

// New returns a Pipeline without tasks.
func New(o Options) (*Pipeline, error) {
	if o.Source == nil || o.Registerer == nil || o.Logger == nil {
		return nil, errors.New("pipeline: Source, Registerer and Logger are required")
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Workers < 2 {
		return nil, fmt.Errorf("pipeline: %d workers, want at least 2", o.Workers)
	}
	if o.QueueCapacity <= 0 {
		o.QueueCapacity = 1000
	}
	if o.SaveEvery <= 0 {
		o.SaveEvery = 5 * time.Minute
	}
	p := &Pipeline{
		source: o.Source, sinks: o.Sinks, keeper: o.Keeper, saveEvery: o.SaveEvery, log: o.Logger, work: o.Workers,
		queue: newQueue(o.QueueCapacity, o.Workers-1),
		wake:  make(chan struct{}, 1),
		tasks: map[string]*entry{},
	}
	p.m = newMetrics(o.Registerer, p.queue)
	return p, nil
}

// Apply makes tasks the set of running tasks. A task whose Name and Key are
// unchanged keeps running with its state; others are stopped and started afresh,
// from what is kept of them if there is a Keeper. On error nothing changes. Calls
// must not overlap.
//
// switched, which may be nil, is called once the stopped tasks will write nothing
// more and before the new ones can: what sinks are told about tasks belongs there.
// It must not call the Pipeline.
func (p *Pipeline) Apply(tasks []Task, switched func()) error {
	if err := Check(tasks); err != nil {
		return err
	}
	next := make(map[string]*entry, len(tasks))
	p.mu.Lock()
	for _, t := range tasks {
		if old := p.tasks[t.Name]; old != nil && old.Key == t.Key {
			next[t.Name] = old
		}
	}
	p.mu.Unlock()
	p.prune(tasks)
	missing := 0
	for _, t := range tasks {
		if next[t.Name] != nil {
			continue
		}
		now := time.Now().UnixMilli()
		e := &entry{
			Task: t, running: map[Pass]bool{}, passes: map[Pass]PassStatus{},
			due: map[Pass]int64{Fit: t.Slot(Fit, now), Score: t.Slot(Score, now) + t.Every.Milliseconds()},
		}
		e.ctx, e.cancel = context.WithCancel(context.Background())
		if !p.restore(e, now) {
			missing++
		}
		next[t.Name] = e
	}
	if missing > 0 { // one line: at the first start it is all of them
		p.log.Info("no state on disk, it is built from history", "signals", missing)
	}
	p.mu.Lock()
	for name, old := range p.tasks {
		if next[name] != old {
			p.retire(old, next[name] != nil)
		}
	}
	if switched != nil {
		switched()
	}
	p.tasks = next
	p.queue.grow(len(tasks))
	for _, e := range next {
		p.m.add(&e.Task)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// retire stops a task. What a replaced one said is not known any more, but may
// still be true: its alerts are its successor's. The caller holds p.mu.
func (p *Pipeline) retire(e *entry, replaced bool) {
	e.cancel()
	p.queue.remove(e)
	e.results.Lock()
	defer e.results.Unlock()
	e.removed = true
	if replaced {
		for _, s := range p.sinks {
			s.Expire(e.Name)
		}
		return
	}
	for _, s := range p.sinks {
		s.Drop(e.Name)
	}
	p.m.remove(e.Name)
}

// Run schedules passes until ctx is done, then waits for the running ones to
// return.
func (p *Pipeline) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range p.work {
		wg.Go(func() {
			for {
				j, ok := p.queue.pop()
				if !ok {
					return
				}
				p.runJob(ctx, j)
				p.queue.done(j)
			}
		})
	}
	endKeeping := p.keeping(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			p.queue.close()
			wg.Wait()
			endKeeping()
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(p.schedule(time.Now()))
	}
}

// schedule queues every pass that is due, expires old results and returns how
// long to sleep.
func (p *Pipeline) schedule(now time.Time) time.Duration {
	p.m.heartbeat.SetToCurrentTime()
	p.beat.Store(now.UnixMilli())
	ms := now.UnixMilli()
	sleep := MaxSleep
	p.mu.Lock()
	var jobs []job
	for _, e := range p.tasks {
		for _, pass := range []Pass{Fit, Score} {
			every := e.every(pass).Milliseconds()
			if e.due[pass]-ms > every { // the clock was set back
				e.due[pass] = e.Slot(pass, ms) + every
			}
			if due := e.due[pass]; due <= ms {
				// After a pause only the newest slot is run; the passes in between
				// are skipped, their grid points are not.
				slot := e.Slot(pass, ms)
				e.due[pass] = slot + every
				p.m.skip(e.Name, "overrun", max(0, (slot-due)/every))
				switch {
				case now.Before(e.parked):
					p.m.skip(e.Name, "parked", 1)
					e.due[pass] = min(e.due[pass], e.parked.UnixMilli())
				case e.running[pass]:
					p.m.skip(e.Name, "overrun", 1)
				case pass == Fit || e.Unit.Position() > 0: // nothing is scored before the first fit
					jobs = append(jobs, job{e, pass, slot})
				}
			}
			sleep = min(sleep, time.Duration(e.due[pass]-ms)*time.Millisecond)
		}
		p.expire(e, ms)
	}
	p.sayWaiting()
	p.mu.Unlock()
	for _, j := range jobs {
		p.push(j)
	}
	return max(sleep, time.Millisecond)
}

func (p *Pipeline) push(j job) {
	switch gone, why := p.queue.push(j); why {
	case "superseded":
		p.m.skip(gone.task.Name, "overrun", 1)
	case "queue_full":
		p.m.dropped.WithLabelValues(why).Inc()
		p.log.Warn("work queue full, fit dropped", "signal", gone.task.Name)
		p.retryFit(gone.task, nil)
	}
}

// expire tells the sinks, once, that the newest results became too old.
func (p *Pipeline) expire(e *entry, now int64) {
	e.results.Lock()
	defer e.results.Unlock()
	if e.slot == 0 || now-e.slot <= staleAfter*e.Every.Milliseconds() {
		return
	}
	e.newest, e.slot = nil, 0
	p.log.Warn("results expired", "signal", e.Name, "max_age", staleAfter*e.Every)
	for _, s := range p.sinks {
		s.Expire(e.Name)
	}
}

// Heartbeat returns when the scheduler last went round.
func (p *Pipeline) Heartbeat() time.Time { return time.UnixMilli(p.beat.Load()) }

// runJob runs one job at the boundary where errors end: here they are counted
// and logged, and panics recovered.
func (p *Pipeline) runJob(ctx context.Context, j job) {
	e := j.task
	now := time.Now().UnixMilli()
	p.mu.Lock()
	late := j.pass == Score && now >= j.slot+e.Every.Milliseconds()
	busy := e.running[j.pass]
	parked := time.UnixMilli(now).Before(e.parked)
	if !late && !busy && !parked {
		e.running[j.pass] = true
	}
	p.mu.Unlock()
	if parked {
		p.m.skip(e.Name, "parked", 1)
		return
	}
	if late || busy {
		p.m.skip(e.Name, "overrun", 1)
		return
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(parent, e.every(j.pass))
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()

	start := time.Now()
	err := p.run(ctx, e, j.pass, j.slot)
	took := time.Since(start)

	p.mu.Lock()
	e.running[j.pass] = false
	switch {
	case err == nil:
	case reason(err) == "panic":
		p.panicked(e, time.Now())
	case reason(err) == "auth":
		e.parked = time.Now().Add(refusedFor)
	}
	p.mu.Unlock()
	if e.ctx.Err() != nil || parent.Err() != nil && err != nil {
		return // removed or stopped while it ran: nobody waits for the outcome
	}
	p.m.finish(e.Name, j.pass, took, err, time.Now())
	if j.pass == Fit {
		p.fitDone(e, err)
	}
	p.logOutcome(e, j, took, err)
}

// fitDone lets a score pass catch up from the fit slot at once, or plans another
// try.
func (p *Pipeline) fitDone(e *entry, err error) {
	if err != nil {
		p.retryFit(e, err)
		return
	}
	p.mu.Lock()
	e.fails = 0
	busy := e.running[Score]
	p.mu.Unlock()
	if !busy {
		p.push(job{e, Score, e.Slot(Score, time.Now().UnixMilli())})
	}
}

// retryFit plans another fit after Every, doubled with each failure up to
// FitEvery (or a few minutes before the first), for the newest fit slot at that
// time. A server that is not there is asked again without growing patience: it
// costs nothing, and what it knows is wanted as soon as it is back.
func (p *Pipeline) retryFit(e *entry, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := min(e.Every<<min(e.fails, 16), e.FitEvery)
	if e.Unit.Position() == 0 {
		wait = min(wait, impatience*e.Every, max(e.Every, patience))
	}
	if err != nil && absent[reason(err)] {
		wait = e.Every
	} else {
		e.fails++
	}
	e.due[Fit] = min(e.due[Fit], time.Now().Add(wait).UnixMilli())
}

// absent are the reasons that mean that no server answered.
var absent = map[string]bool{"dns": true, "connect": true, "reset": true, "tls": true, "proxy": true}
