// Package notify posts the alerts of findings to Alertmanagers.
//
// It has Prometheus' semantics: every Alertmanager gets every alert over a
// bounded queue of its own; firing alerts are posted when they change and again
// every ResendDelay, each time valid for four intervals; a resolution is posted
// again for 15 minutes. The re-send loop is the guarantee of delivery, as an
// Alertmanager that restarts has forgotten its alerts. Stopping resolves
// nothing: what fires goes on firing until a successor posts it again or it
// lapses.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/config"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// AlertmanagerConfig is one Alertmanager. Members of a cluster are listed one by
// one: they share silences and notifications, not alerts, so a load balancer
// before them loses alerts.
type AlertmanagerConfig struct {
	URL  string // http or https, with the path prefix if there is one
	HTTP config.HTTPClientConfig

	address string // of URL's host, if that has several
}

// Options configure a Notifier. Zero values take the defaults named.
type Options struct {
	Alertmanagers      []AlertmanagerConfig
	ResendDelay        time.Duration     // 1 m
	Timeout            time.Duration     // of one post; 10 s
	DrainTimeout       time.Duration     // to empty the queues at the end; 5 s
	QueueCapacity      int               // alerts per Alertmanager; 10,000
	BatchSize          int               // alerts per post; 64
	MaxActivePerSignal int               // alerts posted one by one per signal; 50, negative is no limit
	Watchdog           bool              // post an alert that always fires
	ExternalLabels     map[string]string // added where an alert has none of that name
	Dial               config.DialContextFunc
	Lookup             func(ctx context.Context, host string) ([]string, error) // addresses; nil is net.DefaultResolver
	Registerer         prometheus.Registerer                                    // required
	Logger             *slog.Logger                                             // nil discards
	Now                func() time.Time                                         // nil is time.Now
}

// AlertmanagerStatus is how an Alertmanager is doing.
type AlertmanagerStatus struct {
	URL           string
	QueueLength   int
	LastSuccess   time.Time // zero: none yet
	LastError     string    // of the newest failure, also when later posts succeeded
	LastErrorTime time.Time
	Escaping      bool // it is too old for UTF-8 label names

	failing class // of the newest post, "" if it succeeded
}

// Failing reports whether the newest post failed.
func (s AlertmanagerStatus) Failing() bool { return s.failing != "" }

// Notifier is a pipeline.Sink that posts alerts. Its methods are safe for
// concurrent use.
type Notifier struct {
	opts    Options
	m       *metrics
	log     *slog.Logger
	started time.Time

	mu         sync.Mutex
	signals    map[string]rules.SignalInfo
	tasks      map[string]*taskState
	senders    []*sender // in the order of the configuration
	configured []AlertmanagerConfig
	addresses  map[string][]string // by host; replaced, never changed
	running    bool
	closed     bool
	wg         sync.WaitGroup
	wake       chan struct{} // buffered by one: there may be other names
}

// watchdogRef is the alert that always fires; no task has an empty name.
var watchdogRef = ref{"", rules.AlertWatchdog}

// New returns a Notifier that posts nothing before Run.
func New(o Options) (*Notifier, error) {
	if o.Registerer == nil {
		return nil, errors.New("notify: no registerer")
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.ResendDelay, time.Minute)
	def(&o.Timeout, 10*time.Second)
	def(&o.DrainTimeout, 5*time.Second)
	for _, n := range []struct {
		v   *int
		def int
	}{{&o.QueueCapacity, 10000}, {&o.BatchSize, 64}, {&o.MaxActivePerSignal, 50}} {
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	if o.ResendDelay < 0 || o.Timeout < 0 || o.DrainTimeout < 0 || o.QueueCapacity < 0 || o.BatchSize < 0 {
		return nil, errors.New("notify: a delay, timeout or size is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	n := &Notifier{
		opts: o, log: o.Logger, started: o.Now(),
		signals: map[string]rules.SignalInfo{}, tasks: map[string]*taskState{},
		configured: o.Alertmanagers, wake: make(chan struct{}, 1),
	}
	senders, err := n.plan(o.Alertmanagers)
	if err != nil {
		return nil, err
	}
	n.m = newMetrics(o.Registerer)
	n.adopt(senders)
	return n, nil
}

// SetSignals says what is known about each task's signal, by task. A task that
// is missing or muted is dropped, and later results of it are refused.
func (n *Notifier) SetSignals(signals map[string]rules.SignalInfo) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for task := range n.signals {
		if s, ok := signals[task]; !ok || s.Muted || s.Name != n.signals[task].Name {
			n.drop(task)
		}
	}
	n.signals = maps.Clone(signals)
	for task, info := range n.signals {
		if info.Muted {
			continue
		}
		if t := n.tasks[task]; t != nil {
			t.info = info
			continue
		}
		n.tasks[task] = &taskState{info: info}
		n.m.setAlerts(info.Name, 0, 0)
	}
}

// Write takes in the results of a task: what opened, changed or was resolved is
// queued at once, the rest waits for the re-send.
func (n *Notifier) Write(ctx context.Context, task string, slot int64, rs []series.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	info, ok := n.signals[task]
	if !ok {
		return fmt.Errorf("alerts of %q: no such signal", task)
	}
	if info.Muted {
		return nil
	}
	t := n.tasks[task]
	changes, omitted, vanished := t.update(n.opts.Now(), slot, rs, n.opts.MaxActivePerSignal, n.opts.ExternalLabels, n.others(task))
	n.leftOut(info.Name, omitted)
	if vanished > 0 {
		n.log.Info("alerts lapse: their series are gone, or learning again did not confirm them", "signal", info.Name, "alerts", vanished)
	}
	groups := make([][]ref, len(changes))
	for i, c := range changes {
		for _, key := range c {
			groups[i] = append(groups[i], ref{task, key})
		}
	}
	for _, s := range n.senders {
		s.push(groups...)
	}
	n.m.setAlerts(info.Name, t.firing(), t.suppressed)
	return nil
}

// leftOut counts and logs findings that cannot be posted. The caller holds n.mu.
func (n *Notifier) leftOut(signal string, omitted []omission) {
	if len(omitted) == 0 {
		return
	}
	for _, o := range omitted {
		for _, s := range n.senders {
			s.m.dropped.WithLabelValues(o.reason).Inc()
		}
	}
	// One line: the same fault often concerns many series.
	n.log.Warn("alerts left out", "signal", signal, "alerts", len(omitted), "reason", omitted[0].reason, "err", omitted[0].err)
}

// Expire says that the results of a task are too old. That resolves nothing: its
// alerts are posted on, with a note that they are stale, until results come
// again or the task is dropped.
func (n *Notifier) Expire(task string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.tasks[task]; t != nil {
		t.expired = true
	}
}

// Drop forgets a task that was removed from the configuration. Its alerts are
// not posted any more and lapse at the end they were last posted with.
func (n *Notifier) Drop(task string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drop(task)
	delete(n.signals, task)
}

func (n *Notifier) drop(task string) {
	if t := n.tasks[task]; t != nil {
		n.m.removeAlerts(t.info.Name)
		delete(n.tasks, task)
	}
}

// Run posts alerts until ctx is done, then drains the queues for at most
// DrainTimeout. What is written later is not posted, so the pipeline ends first.
func (n *Notifier) Run(ctx context.Context) error {
	n.mu.Lock()
	if n.running || n.closed {
		n.mu.Unlock()
		return errors.New("notify: run twice")
	}
	n.running = true
	for _, s := range n.senders {
		n.wg.Go(s.run)
	}
	n.mu.Unlock()
	n.resend()
	resolving, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan struct{})
	go func() { defer close(ended); n.resolving(resolving) }()
	ticker := time.NewTicker(n.opts.ResendDelay)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			n.resend()
		case <-ctx.Done():
			<-ended
			n.mu.Lock()
			n.running, n.closed = false, true
			for _, s := range n.senders {
				s.end()
			}
			n.mu.Unlock()
			n.wg.Wait()
			return nil
		}
	}
}

// resend queues every alert there is.
func (n *Notifier) resend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	groups := n.all()
	for _, s := range n.senders {
		s.push(groups...)
	}
}

// all returns every alert by itself in a fixed order, the watchdog last: a queue
// that is too small drops from its head. The caller holds n.mu.
func (n *Notifier) all() [][]ref {
	now := n.opts.Now()
	var groups [][]ref
	for _, task := range slices.Sorted(maps.Keys(n.tasks)) {
		t := n.tasks[task]
		t.prune(now)
		for _, key := range slices.Sorted(maps.Keys(t.alerts)) {
			groups = append(groups, []ref{{task, key}})
		}
	}
	if n.opts.Watchdog {
		groups = append(groups, []ref{watchdogRef})
	}
	return groups
}

// lookup returns the alerts of a batch as they are now, without those that are
// gone.
func (n *Notifier) lookup(batch []item, now time.Time) []pending {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]pending, 0, len(batch))
	for _, i := range batch {
		if i.ref == watchdogRef {
			w := &alert{labels: rules.WatchdogLabels(), annotations: rules.WatchdogAnnotations(), startsAt: n.started}
			w.labels = withExternal(w.labels, n.opts.ExternalLabels)
			out = append(out, pending{i, w.postable(now, lifetimes*n.opts.ResendDelay)})
			continue
		}
		t := n.tasks[i.task]
		if t == nil || t.alerts[i.key] == nil {
			continue
		}
		a := t.alerts[i.key]
		p := a.postable(now, lifetimes*max(t.info.Every, n.opts.ResendDelay))
		if a.firing() && a.annotations["stale"] == "" && t.stale(now) {
			note := rules.StaleNote(t.slot)
			p.Annotations = maps.Clone(a.annotations)
			p.Annotations["stale"] = note
			p.Annotations["description"] += " " + note
		}
		out = append(out, pending{i, p})
	}
	return out
}

// lifetimes is for how many intervals a posted alert is valid. With 4, three
// re-sends may be lost, or a restart may take three intervals, before
// Alertmanager calls it resolved.
const lifetimes = 4

// Status returns how each Alertmanager is doing, in the order of the
// configuration.
func (n *Notifier) Status() []AlertmanagerStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]AlertmanagerStatus, len(n.senders))
	for i, s := range n.senders {
		out[i] = s.state()
	}
	return out
}
