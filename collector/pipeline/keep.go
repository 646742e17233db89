package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
)

// Stateful is a Unit whose state outlives the process.
type Stateful interface {
	// Snapshot writes the state as it is. It is called neither beside Step nor
	// beside a commit, and is quick: both wait for it.
	Snapshot(w io.Writer) error
	// Restore reads to the end what Snapshot wrote and takes it for the unit's
	// state. On error the state is what it was.
	Restore(r io.Reader) error
}

// Keeper keeps snapshots. It is safe for concurrent use. What it loads is whole
// and of the same key, or there is an error.
type Keeper interface {
	Save(task, key string, write func(io.Writer) error) error
	Load(task, key string, read func(io.Reader) error) error
	// Prune may remove what is kept of other tasks than these.
	Prune(keep []string) error
}

const (
	// saveAgain is when a failed one is tried again at the latest.
	saveAgain = 30 * time.Second
	// saveShare bounds the time spent saving: one part in so many.
	saveShare = 100
	// saveGrace is how long the last snapshots may take at the end.
	saveGrace = 4 * time.Second
)

// kept is what a snapshot of an entry is about. It is guarded by entry.unit.
type kept struct {
	fitSlot int64     // of the newest commit
	stepped bool      // points were taken in since the newest snapshot
	fitted  bool      // a commit was: not to be waited with
	torn    bool      // a Step was broken off: nothing to keep until the next commit
	silent  bool      // restored, and nothing was said of it yet
	next    time.Time // earliest time of a snapshot after steps
	again   time.Time // earliest time of any, after a failure
}

// restore gives a new entry the state that was kept of it, so that it goes on
// where that ends: a score pass is due at once, and a fit when the next would
// have been. It returns false if nothing is kept.
func (p *Pipeline) restore(e *entry, now int64) (there bool) {
	unit, ok := e.Unit.(Stateful)
	if !ok || p.keeper == nil {
		return true
	}
	start := time.Now()
	var slot [8]byte
	err := p.keeper.Load(e.Name, e.Key, func(r io.Reader) error {
		if _, err := io.ReadFull(r, slot[:]); err != nil {
			return err
		}
		return unit.Restore(r)
	})
	if err != nil {
		p.m.rebuilds.WithLabelValues("checkpoint", reason(err)).Inc()
		if reason(err) == "missing" {
			return false
		}
		p.log.Warn("state cannot be used and is built from history", "signal", e.Name, "reason", reason(err), "err", err)
		return true
	}
	p.m.loads.Inc()
	e.kept.fitSlot = int64(binary.LittleEndian.Uint64(slot[:]))
	if e.Unit.Position() == 0 {
		return true
	}
	e.kept.silent = true
	e.due[Score] = e.Slot(Score, now)
	if newest := e.Slot(Fit, now); e.kept.fitSlot >= newest {
		e.due[Fit] = newest + e.FitEvery.Milliseconds()
	}
	p.log.Info("state restored", "signal", e.Name, "until", time.UnixMilli(e.Unit.Position()).UTC().Format(time.RFC3339), "took", time.Since(start).Round(time.Millisecond))
	return true
}

// speak says what a restored state says, if no pass has done so. Where the newest
// points cannot be had, what was known before the restart still is: an alert that
// fired is posted on, as stale.
func (p *Pipeline) speak(ctx context.Context, e *entry) error {
	in := Input{Series: series.Set{}, Results: p.joined(e)}
	e.unit.Lock()
	at := e.Unit.Position()
	if !e.kept.silent || e.kept.torn || at == 0 {
		e.unit.Unlock()
		return nil
	}
	e.kept.silent = false
	slot := e.Slot(Score, at+(e.Offset+e.Step).Milliseconds()-1)
	in.Start, in.End = at+e.Step.Milliseconds(), at
	rs, err := e.Unit.Step(ctx, slot, in)
	e.unit.Unlock()
	if err != nil {
		return fmt.Errorf("score: restored state: %w", err)
	}
	p.log.Warn("no data since the restart, what was known before it goes on", "signal", e.Name, "until", time.UnixMilli(at).UTC().Format(time.RFC3339))
	_, err = p.write(ctx, e, slot, rs)
	p.expire(e, time.Now().UnixMilli())
	return err
}

// keep saves what has changed until ctx is done, and once more when the last pass
// has ended.
func (p *Pipeline) keep(ctx context.Context, ended <-chan struct{}) {
	tick := time.NewTicker(min(p.saveEvery, MaxSleep))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			for _, e := range p.entries() {
				e.unit.Lock()
				due := e.kept.fitted && now.After(e.kept.again) || e.kept.stepped && now.After(e.kept.next)
				e.unit.Unlock()
				if due && ctx.Err() == nil {
					p.save(e)
				}
			}
		}
	}
	<-ended
	for _, e := range p.entries() {
		p.save(e)
	}
}

// keeping starts to keep state. The function it returns, which is called after
// the last pass, returns when all is saved, or could not be in time: a disk that
// hangs does not hold up the end of the process.
func (p *Pipeline) keeping(ctx context.Context) (end func()) {
	if p.keeper == nil {
		return func() {}
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		p.keep(ctx, ended)
	}()
	return func() {
		close(ended)
		select {
		case <-done:
		case <-time.After(saveGrace):
			p.log.Warn("not all state was saved in time")
		}
	}
}

func (p *Pipeline) entries() []*entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	es := slices.Collect(maps.Values(p.tasks))
	slices.SortFunc(es, func(a, b *entry) int { return strings.Compare(a.Name, b.Name) })
	return es
}

// save keeps a snapshot of e if there is something new. The state is copied while
// Step and commits wait, and written while they do not.
func (p *Pipeline) save(e *entry) {
	unit, ok := e.Unit.(Stateful)
	if !ok || e.ctx.Err() != nil {
		return
	}
	start := time.Now()
	e.unit.Lock()
	was := e.kept
	if !was.stepped && !was.fitted || was.torn || e.Unit.Position() == 0 {
		e.unit.Unlock()
		return
	}
	var b pages
	_, err := b.Write(binary.LittleEndian.AppendUint64(nil, uint64(was.fitSlot)))
	if err == nil {
		err = unit.Snapshot(&b)
	}
	e.kept.stepped, e.kept.fitted = false, false
	e.unit.Unlock()
	if err == nil {
		err = p.keeper.Save(e.Name, e.Key, b.writeTo)
	}
	took := time.Since(start)
	e.unit.Lock()
	e.kept.next = time.Now().Add(max(p.saveEvery, saveShare*took))
	if err != nil {
		e.kept.stepped = e.kept.stepped || was.stepped
		e.kept.fitted = e.kept.fitted || was.fitted
		e.kept.again = time.Now().Add(min(saveAgain, p.saveEvery))
		e.kept.next = e.kept.again
	}
	e.unit.Unlock()
	p.saved(e, took, err)
}

// saved counts a snapshot. That it failed is said once, and once that it works
// again.
func (p *Pipeline) saved(e *entry, took time.Duration, err error) {
	p.mu.Lock()
	was := p.unsaved
	p.unsaved = err != nil
	p.mu.Unlock()
	if err != nil {
		p.m.saveFailures.WithLabelValues(reason(err)).Inc()
		if !was {
			p.log.Error("state cannot be saved, upid goes on from memory", "signal", e.Name, "err", err)
		}
		return
	}
	p.m.saves.Inc()
	p.m.saveDuration.Observe(took.Seconds())
	p.m.lastSave.SetToCurrentTime()
	if was {
		p.log.Info("state is saved again")
	}
}

// prune removes what is kept of tasks that are gone.
func (p *Pipeline) prune(tasks []Task) {
	if p.keeper == nil {
		return
	}
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = t.Name
	}
	if err := p.keeper.Prune(names); err != nil {
		p.log.Warn("old state was not removed", "err", err)
	}
}

// pages is a buffer that grows without copying.
type pages [][]byte

const pageSize = 1 << 20

// Write implements io.Writer. It never fails.
func (p *pages) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		last := len(*p) - 1
		if last < 0 || len((*p)[last]) == cap((*p)[last]) {
			*p = append(*p, make([]byte, 0, pageSize))
			continue
		}
		page := (*p)[last]
		k := min(len(b), cap(page)-len(page))
		(*p)[last] = append(page, b[:k]...)
		b = b[k:]
	}
	return n, nil
}

// writeTo writes what is buffered.
func (p *pages) writeTo(w io.Writer) error {
	for _, page := range *p {
		if _, err := w.Write(page); err != nil {
			return fmt.Errorf("write state: %w", err)
		}
	}
	return nil
}
