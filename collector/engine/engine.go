// Package engine is a Prometheus within the process: its storage, its PromQL
// engine and its HTTP query API, without scraping, rules and configuration. It
// is the only home of promql and tsdb.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Options say where the samples are kept and what a query may cost. Zero fields
// take the default in brackets, which are those of Prometheus unless it says so.
type Options struct {
	Dir         string        // of the storage; created if it is not there
	Timeout     time.Duration // of one query [2m]
	Concurrency int           // queries at once; others wait [20]
	MaxSamples  int           // loaded by one query [10,000,000, a fifth of Prometheus': 16 B each]
	Lookback    time.Duration // how old a sample may be [5m]
	Logger      *slog.Logger  // [none]
}

// Engine stores samples and answers queries. It is safe for concurrent use.
type Engine struct {
	o      Options
	db     *tsdb.DB
	promql *promql.Engine
	parser parser.Parser
	now    func() time.Time
}

// headRange is the stretch of time after which samples would be written to blocks.
// Everything stays in the head: it is read at once, and a store of this kind does
// not live that long.
const headRange = 100 * 24 * time.Hour

// Open opens the storage in o.Dir. There is no write-ahead log: what was stored
// is gone with the process.
func Open(o Options) (*Engine, error) {
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Concurrency == 0 {
		o.Concurrency = 20
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = 10_000_000
	}
	if o.Lookback == 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout < 0 || o.Concurrency < 0 || o.MaxSamples < 0 || o.Lookback < 0 {
		return nil, errors.New("a negative limit")
	}
	db := tsdb.DefaultOptions()
	db.WALSegmentSize = -1
	db.RetentionDuration = 0
	db.MinBlockDuration = headRange.Milliseconds()
	db.MaxBlockDuration = headRange.Milliseconds()
	db.NoLockfile = true
	store, err := tsdb.Open(o.Dir, o.Logger, nil, db, nil)
	if err != nil {
		return nil, fmt.Errorf("open storage: %w", err)
	}
	p := parser.NewParser(parser.Options{})
	return &Engine{
		o: o, db: store, parser: p, now: time.Now,
		promql: promql.NewEngine(promql.EngineOpts{
			Logger: o.Logger, MaxSamples: o.MaxSamples, Timeout: o.Timeout, LookbackDelta: o.Lookback,
			ActiveQueryTracker: make(tickets, o.Concurrency), EnableAtModifier: true, EnableNegativeOffset: true, Parser: p,
			NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		}),
	}, nil
}

// Close closes the storage. No query and no batch may be under way.
func (e *Engine) Close() error {
	if err := e.promql.Close(); err != nil {
		return err
	}
	if err := e.db.Close(); err != nil {
		return fmt.Errorf("close storage: %w", err)
	}
	return nil
}

// Series returns how many series have samples.
func (e *Engine) Series() int { return int(e.db.Head().NumSeries()) }

// Batch begins a transaction: what is appended is seen once it is committed. A
// batch belongs to one goroutine.
func (e *Engine) Batch(ctx context.Context) *Batch {
	return &Batch{app: e.db.AppenderV2(ctx)}
}

// Batch takes samples of many series.
type Batch struct {
	app storage.AppenderV2
	n   int
}

// Append adds the value of the series ls at time t (Unix milliseconds), which is
// later than all before. ref is 0, or what the last Append of that series
// returned, which spares the search for it. A StaleNaN (prometheus/model/value)
// ends the series. ls is kept.
func (b *Batch) Append(ref uint64, ls labels.Labels, t int64, v float64) (uint64, error) {
	r, err := b.app.Append(storage.SeriesRef(ref), ls, 0, t, v, nil, nil, storage.AppendV2Options{})
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", ls, err)
	}
	b.n++
	return uint64(r), nil
}

// Len returns the number of samples taken so far.
func (b *Batch) Len() int { return b.n }

// Commit stores what was appended.
func (b *Batch) Commit() error {
	if err := b.app.Commit(); err != nil {
		return fmt.Errorf("store samples: %w", err)
	}
	return nil
}

// Rollback forgets what was appended.
func (b *Batch) Rollback() error { return b.app.Rollback() }

// tickets bounds the queries under way; it implements promql.QueryTracker.
type tickets chan struct{}

func (t tickets) GetMaxConcurrent() int { return cap(t) }

func (t tickets) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case t <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (t tickets) Delete(int) { <-t }

func (t tickets) Close() error { return nil }
