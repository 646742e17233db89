package collector

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector/series"
)

// Options configure a Collector.
type Options struct {
	Registry     *prometheus.Registry // private; its metrics follow the results. nil is an empty one
	MaxSeries    int                  // result series exported at most; 0 is 100,000
	ModelVersion string               // version label of upid_model_info, that of the build
	Logger       *slog.Logger         // nil discards
}

// Collector takes results, as a pipeline.Sink, and is the handler of /metrics.
// Results are rendered when they are written; a scrape copies bytes. It is safe
// for concurrent use.
type Collector struct {
	opts     Options
	families []family
	heads    [][]byte // deflated, by family
	duration prometheus.Observer
	dropped  *prometheus.CounterVec
	flaters  sync.Pool // of *flater

	mu      sync.Mutex
	tasks   map[string]*task
	owners  map[string]owner // of exported series, by their legacy labels
	signals map[string]*task // which task speaks for a signal
	free    [][]byte
	pass    uint64

	learned atomic.Pointer[[]ModelState]
}

// ModelState is a line of upid_model_info. Empty texts are left out.
type ModelState struct{ ModelType, Version, Stage, State string }

// SetModels says how the learned models are doing, in the place of what was said before.
// The built-in models of signals are known from their results.
func (c *Collector) SetModels(states []ModelState) { c.learned.Store(&states) }

// New returns a Collector without results.
func New(o Options) *Collector {
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.MaxSeries == 0 {
		o.MaxSeries = 100_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Collector{
		opts:     o,
		families: families(Metrics),
		duration: NewHistogramVec(o.Registry, "upid_export_render_duration_seconds").WithLabelValues(),
		dropped:  NewCounterVec(o.Registry, "upid_series_dropped_total"),
		flaters:  sync.Pool{New: func() any { return newFlater() }},
		tasks:    map[string]*task{},
		owners:   map[string]owner{},
		signals:  map[string]*task{},
	}
	c.heads = c.deflateHeads()
	return c
}

// Write renders the results of a task, which replace its earlier ones at once:
// a scrape sees all of them or none. It keeps nothing of rs but label sets,
// which are immutable. Writes and drops of one task take effect one after
// another; a drop also undoes a write that has not ended.
func (c *Collector) Write(ctx context.Context, task string, slot int64, rs []series.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	t := c.task(task)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.matches(rs) {
		t.arrange(rs)
		for _, s := range t.signals {
			for _, reason := range exportReasons {
				c.dropped.WithLabelValues(s, reason)
			}
		}
		if !c.admit(t) {
			return nil
		}
	} else if t.truncated+t.duplicates > 0 && !c.admit(t) { // room may have been made elsewhere
		return nil
	}
	for k, n := range t.refused {
		c.dropped.WithLabelValues(k[0], k[1]).Add(float64(n))
	}
	c.publish(t, c.render(t, rs))
	c.duration.Observe(time.Since(start).Seconds())
	return nil
}

// task returns the task called name, a new one if need be.
func (c *Collector) task(name string) *task {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tasks[name]
	if t == nil {
		t = &task{name: name, lines: map[uint64]*line{}}
		c.tasks[name] = t
	}
	return t
}

// Drop forgets the results of a task, for instance because they are too old:
// what is not known any more is absent.
func (c *Collector) Drop(task string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tasks[task]
	if t == nil {
		return
	}
	delete(c.tasks, task)
	t.dropped = true
	for _, k := range t.plan {
		delete(c.owners, k.legacy)
	}
	for _, k := range t.leaving {
		delete(c.owners, k)
	}
	for _, s := range t.owned {
		delete(c.signals, s)
	}
	c.release(t.segment)
	t.segment = nil
}

// inOrder returns the tasks by name. The caller holds c.mu.
func (c *Collector) inOrder() []*task {
	ts := make([]*task, 0, len(c.tasks))
	for _, t := range c.tasks {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b *task) int { return strings.Compare(a.name, b.name) })
	return ts
}
