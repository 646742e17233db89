// Package history keeps what a Prometheus answered in files, so that a fit asks
// only for what is missing. It stands in front of a source and answers as that
// would. What is on disk is a cache: whatever is damaged or gone is asked for
// again, and while nothing can be written all goes on from memory.
package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/store"
)

// Upstream is who is asked for what is missing. It is safe for concurrent use.
type Upstream interface {
	// Query evaluates expr at start, start+step, …, end. The answer is not changed
	// by anyone.
	Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error)
}

// Options say what a Source works with.
type Options struct {
	Dir        string      // the data directory
	Keys       *store.Keys // seal its files; nil: they are plain
	Upstream   Upstream
	MaxSeries  int   // of one answer, as the upstream has it; 0 is no limit
	MaxSamples int64 // grid points of one answer; 0 is no limit
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Query is one that history is kept of.
type Query struct {
	Expr    string
	Step    time.Duration
	Offset  time.Duration // how long after its time a point is asked for
	History time.Duration // how far back it is asked for
}

// Source answers queries from files and an upstream. It is safe for concurrent
// use.
type Source struct {
	dir        string
	keys       *store.Keys
	source     Upstream
	maxSeries  int
	maxSamples int64
	log        *slog.Logger
	m          *metrics
	now        func() time.Time
	clock      *clock
	wake       chan struct{} // buffered by one: there is something to write

	mu      sync.Mutex // guards what follows
	logs    map[asked]*log
	trouble trouble // with writing
}

// asked is what a query is looked up by.
type asked struct {
	expr string
	step int64
}

// Dir is where the files are in the data directory.
const Dir = "history"

const (
	// keepUnused is how long the files of a query that is not configured any more
	// are kept.
	keepUnused = 24 * time.Hour
	nameLength = 32 // of the directory of a query
	// every is how often files are looked after, and how soon a disk that was full
	// is tried again.
	every = 30 * time.Second
)

// New returns a Source that keeps no history yet: see Configure.
func New(o Options) (*Source, error) {
	if o.Dir == "" || o.Upstream == nil || o.Registerer == nil || o.Logger == nil {
		return nil, errors.New("history: Dir, Upstream, Registerer and Logger are required")
	}
	s := &Source{
		dir: filepath.Join(o.Dir, Dir), keys: o.Keys, source: o.Upstream, maxSeries: o.MaxSeries, maxSamples: o.MaxSamples,
		log: o.Logger, m: newMetrics(o.Registerer), now: time.Now, wake: make(chan struct{}, 1), logs: map[asked]*log{},
	}
	s.clock = newClock(o.Logger, func() time.Time { return s.now() })
	return s, nil
}

// Configure says which queries history is kept of. scope names whatever else the
// answers depend on: the server, and its tenant. Files belong to one scope, query,
// step and offset; those of others are removed when nobody has used them for a
// day. Calls must not overlap.
func (s *Source) Configure(scope string, queries []Query) {
	wanted := map[asked]Query{}
	for _, q := range queries {
		k := asked{q.Expr, q.Step.Milliseconds()}
		if old, ok := wanted[k]; ok { // two signals share one history
			q.Offset, q.History = min(q.Offset, old.Offset), max(q.History, old.History)
		}
		wanted[k] = q
	}
	s.mu.Lock()
	old := s.logs
	s.mu.Unlock()
	next, names := make(map[asked]*log, len(wanted)), map[string]bool{}
	for k, q := range wanted {
		name := s.name(scope, q)
		names[name] = true
		if l := old[k]; l != nil && l.name == name {
			l.mu.Lock()
			l.retention = q.History.Milliseconds()
			l.mu.Unlock()
			next[k] = l
			continue
		}
		next[k] = openLog(s, name, q.Expr, k.step, q.History.Milliseconds())
	}
	s.mu.Lock()
	s.logs = next
	s.mu.Unlock()
	s.unused(names)
}

// name returns the directory of a query: a hash of all that its answers depend on.
func (s *Source) name(scope string, q Query) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%d", scope, q.Expr, q.Step.Milliseconds(), q.Offset.Milliseconds(), s.maxSeries))
	return hex.EncodeToString(sum[:])[:nameLength]
}

// Query implements pipeline.Source.
func (s *Source) Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error) {
	s.mu.Lock()
	l := s.logs[asked{expr, step}]
	s.mu.Unlock()
	if l == nil || end < start || start%step != 0 || end%step != 0 {
		return s.source.Query(ctx, expr, start, end, step)
	}
	return l.query(ctx, span{start, end})
}

// Run looks after the files until ctx is done, then writes what is in memory.
func (s *Source) Run(ctx context.Context) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.maintain(true)
			return nil
		case <-s.wake:
		case <-t.C:
		}
		s.maintain(false)
	}
}

func (s *Source) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Source) maintain(force bool) {
	s.clock.check()
	s.mu.Lock()
	force = force || s.trouble.failing // something small will do to see whether it works again
	logs := slices.Collect(maps.Values(s.logs))
	s.mu.Unlock()
	for _, l := range logs {
		did, err := l.maintain(force)
		if (did || err != nil) && !s.wrote(err) {
			return // the others would fail as well
		}
	}
}

// wrote counts a failure to write, and says once that it failed and once that it
// works again. It returns whether it worked.
func (s *Source) wrote(err error) bool {
	s.mu.Lock()
	failed, mended := s.trouble.note(err != nil, s.now())
	s.mu.Unlock()
	if err != nil {
		s.m.failures.WithLabelValues(store.Reason(err)).Inc()
	}
	switch {
	case failed:
		s.log.Error("history cannot be written, upid goes on without", "err", err)
	case mended:
		s.log.Info("history is written again")
	}
	return err == nil
}

// trouble is whether writing fails, as it is told. A disk that is almost full takes
// small files and refuses large ones, many times a second: after a failure soon
// after it was said to be over, it is over when none came for a while.
type trouble struct {
	failing bool      // said, and not yet that it is over
	again   bool      // it came back soon
	last    time.Time // the newest failure
	over    time.Time // when it was said to be over
}

// calm is how long no failure must come.
const calm = time.Minute

// note takes the outcome of an attempt to write. It returns whether now is the time
// to say that writing fails, or works again.
func (t *trouble) note(bad bool, now time.Time) (failed, mended bool) {
	switch {
	case bad:
		t.last = now
		if t.failing {
			return false, false
		}
		t.failing, t.again = true, !t.over.IsZero() && now.Sub(t.over) < calm
		return true, false
	case t.failing && (!t.again || now.Sub(t.last) >= calm):
		t.failing, t.over = false, now
		return false, true
	}
	return false, false
}

// lost counts a segment that has to be asked for again, and logs it if say.
func (s *Source) lost(l *log, err error, say bool) {
	s.m.rebuilds.WithLabelValues("history", store.Reason(err)).Inc()
	if !say {
		return
	}
	s.log.Warn("history lost, it is asked for again", "query", strings.ToValidUTF8(l.expr, ""), "err", err)
}

// metrics count what was asked for, and what was not kept.
type metrics struct {
	fetched, fresh     prometheus.Counter
	rebuilds, failures *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		fetched:  collector.NewCounterVec(reg, "upid_history_samples_fetched_total").WithLabelValues(),
		fresh:    collector.NewCounterVec(reg, "upid_history_samples_new_total").WithLabelValues(),
		rebuilds: collector.NewCounterVec(reg, "upid_state_rebuilds_total"),
		failures: collector.NewCounterVec(reg, "upid_history_write_failures_total"),
	}
	m.rebuilds.WithLabelValues("history", "damaged")
	m.failures.WithLabelValues("disk_full")
	return m
}
