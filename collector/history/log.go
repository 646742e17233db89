package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/store"
)

const (
	// openPoints is how many grid points of score passes are held in memory before
	// they become a segment.
	openPoints = 64
	// openMost is how many are held while they cannot be written. Beyond it they
	// are forgotten, and asked for again by the next fit.
	openMost = 4 * openPoints
	// piece is how many grid points are asked for and stored at a time. It is what
	// the source asks for in one request.
	piece = 10_000
	// maxQueries bounds into how many missing stretches a query is taken apart. If
	// there are more, the nearest are asked for in one, with what lies between.
	maxQueries = 64
	// crowded is how many segments a day may have before they become one.
	crowded = 12
)

// log is the history of one query.
type log struct {
	s         *Source
	dir, name string
	expr      string
	step      int64

	write sync.Mutex // held while files are written or removed

	mu        sync.Mutex // guards what follows
	retention int64
	segments  []*segment // by time
	open      *block     // what score passes brought; nil = nothing
	seen      spans      // what was ever taken in by this process or is in a file
	asked     int64      // newest grid time of the newest query
	fetched   float64    // samples
	fresh     float64    // samples of fetched that are the first of their grid point
	looked    []int64    // grid times at which values were looked for that come late
	lags      sync.Once  // it was said that they do
}

// openLog lists the segments that are there.
func openLog(s *Source, name, expr string, step, retention int64) *log {
	l := &log{s: s, dir: filepath.Join(s.dir, name), name: name, expr: expr, step: step, retention: retention}
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.lost(l, err, true)
	}
	for _, e := range entries {
		if from, to, ok := parseName(e.Name()); ok && from%step == 0 && to%step == 0 {
			l.segments = append(l.segments, &segment{filepath.Join(l.dir, e.Name()), from, to, s.keys})
			l.asked = max(l.asked, to)
		}
	}
	s.clock.found(l.asked)
	l.sort()
	l.contained()
	for _, g := range l.segments {
		l.seen = l.seen.add(span{g.from, g.to}, step)
	}
	return l
}

func (l *log) sort() {
	slices.SortFunc(l.segments, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to))
	})
}

// contained removes segments that lie in the one before: a compaction was killed
// after it had written the large one.
func (l *log) contained() {
	var kept []*segment
	for _, g := range l.segments {
		if n := len(kept); n > 0 && g.to <= kept[n-1].to {
			_ = os.Remove(g.path) // or it is met again
			continue
		}
		kept = append(kept, g)
	}
	l.segments = kept
}

// newest returns how far time has gone on: to the newest value anybody saw, and not
// beyond what is asked for. The caller holds l.mu.
func (l *log) newest() int64 { return min(l.s.clock.now(), l.asked) }

// covered returns what need not be asked for. The caller holds l.mu.
func (l *log) covered() spans {
	var out spans
	for _, g := range l.segments {
		out = out.add(span{g.from, g.to}, l.step)
	}
	if l.open != nil {
		for _, s := range l.open.known(l.newest() - late) {
			out = out.add(s, l.step)
		}
	}
	return out
}

// query answers from files and memory and asks for what is missing.
func (l *log) query(ctx context.Context, want span) (series.Data, error) {
	const attempts = 4 // each but one loses all that cannot be read
	var first *series.Data
	for range attempts {
		l.mu.Lock()
		l.asked = want.to
		missing := l.covered().missing(want, l.step)
		l.mu.Unlock()
		known := spans(missing).missing(want, l.step)
		if len(missing) == 1 && missing[0] == want && want.points(l.step) <= openPoints {
			d, err := l.fetch(ctx, want)
			if err == nil && !d.Partial {
				l.take(newBlock(want, l.step, d.Series))
			}
			return d, err
		}
		d, again, err := l.answer(ctx, want, known, nearest(missing, maxQueries))
		switch {
		case again:
		case err != nil:
			return d, err
		case first != nil:
			d.Warnings, d.Infos, d.Ignored, d.Dropped = first.Warnings, first.Infos, first.Ignored, first.Dropped
			return d, nil
		case want.points(l.step) <= openPoints || !l.late(ctx, want, d):
			return d, nil
		default:
			first = &d
		}
	}
	return l.fetch(ctx, want)
}

// answer fetches what is missing and puts it together with what is known. again
// says that some of that turned out to be lost.
func (l *log) answer(ctx context.Context, want span, known, missing []span) (d series.Data, again bool, err error) {
	said := series.Data{Ignored: map[string]int{}, Dropped: map[string]int{}}
	var extra []*block                           // could not be written
	for _, m := range slices.Backward(missing) { // the newest says how far time has gone on
		for _, p := range m.cut(piece, l.step) {
			d, err := l.fetch(ctx, p)
			if err != nil || d.Partial {
				return d, false, err
			}
			note(&said, d)
			b := newBlock(p, l.step, d.Series)
			l.mu.Lock()
			kept := b.known(l.newest() - late)
			l.mu.Unlock()
			if l.take(b) {
				known = append(known, kept...)
			} else {
				extra = append(extra, b)
			}
		}
	}
	d, err = l.read(ctx, want, known, extra)
	if errors.Is(err, errForgotten) {
		return d, true, nil
	}
	if lost, ok := errors.AsType[lostError](err); ok {
		l.lose(lost)
		return d, true, nil
	}
	d.Warnings = append(said.Warnings, d.Warnings...)
	d.Infos, d.Ignored, d.Dropped = said.Infos, said.Ignored, said.Dropped
	return d, false, err
}

// note adds what an answer said beside its data.
func note(said *series.Data, d series.Data) {
	said.Warnings = append(said.Warnings, d.Warnings...)
	said.Infos = append(said.Infos, d.Infos...)
	for why, n := range d.Ignored {
		said.Ignored[why] += n
	}
	for why, n := range d.Dropped {
		said.Dropped[why] = max(said.Dropped[why], n)
	}
}

func (l *log) fetch(ctx context.Context, s span) (series.Data, error) {
	d, err := l.s.source.Query(ctx, l.expr, s.from, s.to, l.step)
	if err == nil {
		b := newBlock(s, l.step, d.Series)
		n := float64(b.values([]span{s}))
		l.s.m.fetched.Add(n)
		l.s.clock.saw(b.last())
		l.mu.Lock()
		l.fetched += n
		l.mu.Unlock()
	}
	return d, err
}

// take stores what was fetched. Few points that go on where the open block ends
// wait there; the rest is written at once. It returns false if that failed.
func (l *log) take(b *block) bool {
	l.mu.Lock()
	fresh := l.seen.missing(b.span, l.step)
	n := float64(b.values(fresh))
	l.s.m.fresh.Add(n)
	l.fresh += n
	l.seen = l.seen.add(b.span, l.step)
	if b.points(l.step) > openPoints || b.from <= l.end() {
		l.mu.Unlock()
		l.write.Lock()
		defer l.write.Unlock()
		return l.s.wrote(l.store(b))
	}
	var apart *block // time went on without it
	if l.open != nil && b.from != l.open.to+l.step {
		apart, l.open = l.open, nil
	}
	if l.open == nil || l.open.points(l.step) >= openMost {
		l.open = newBlock(span{b.from, b.from - l.step}, l.step, nil)
	}
	l.open.grow(b.to, b.series)
	full := l.open.points(l.step) >= openPoints
	l.mu.Unlock()
	if apart != nil {
		l.write.Lock()
		defer l.write.Unlock()
		l.s.wrote(l.store(apart))
	}
	if full {
		l.s.poke()
	}
	return true
}

// end returns the newest grid time there is something for. The caller holds l.mu.
func (l *log) end() int64 {
	if l.open != nil {
		return l.open.to
	}
	if n := len(l.segments); n > 0 {
		return l.segments[n-1].to
	}
	return 0
}

// store writes what is known of b, one segment for each day, and removes those
// that lie in it: what the server says now is what counts. The caller holds l.write.
func (l *log) store(b *block) error {
	l.mu.Lock()
	final := l.newest() - late
	l.mu.Unlock()
	for _, k := range b.known(final) {
		for _, d := range k.days(l.step) {
			g, err := writeSegment(l.dir, l.s.keys, l.step, d.from, d.to, seriesColumns(b.series, d.from, d.to))
			if err != nil {
				return err
			}
			l.mu.Lock()
			var within []*segment
			for _, o := range l.segments {
				if o.from >= g.from && o.to <= g.to && o.path != g.path {
					within = append(within, o)
				}
			}
			l.mu.Unlock()
			l.add(g, within...)
			if err := remove(within); err != nil {
				return err
			}
		}
	}
	return nil
}

// add takes in a new segment instead of those it was made of, in one step: a query
// sees either.
func (l *log) add(g *segment, of ...*segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = slices.DeleteFunc(l.segments, func(o *segment) bool { return o.path == g.path || slices.Contains(of, o) })
	l.segments = append(l.segments, g)
	l.sort()
}

// lostError says which segments cannot be used, and why.
type lostError map[*segment]error

func (e lostError) Error() string { return fmt.Sprintf("%d segments lost", len(e)) }

// errForgotten says that what was known when a query began is not there any more:
// another query found a segment damaged, or points were forgotten that cannot be
// written.
var errForgotten = errors.New("known points are gone")

// read puts an answer together from files, memory and extra. known must still be
// there: a stretch without points would look like a gap in the data.
func (l *log) read(ctx context.Context, want span, known []span, extra []*block) (series.Data, error) {
	l.mu.Lock()
	have := l.covered()
	for _, k := range known {
		if len(have.missing(k, l.step)) > 0 {
			l.mu.Unlock()
			return series.Data{}, errForgotten
		}
	}
	segments := slices.Clone(l.segments)
	blocks := slices.Clone(extra)
	if l.open != nil {
		blocks = append(blocks, newBlock(l.open.span, l.step, slices.Clone(l.open.series)))
	}
	l.mu.Unlock()
	a := newAssembly(want, l.step, l.s.maxSeries, l.s.maxSamples)
	lost := lostError{}
	for _, g := range segments {
		if g.to < want.from || g.from > want.to {
			continue
		}
		if err := ctx.Err(); err != nil {
			return series.Data{}, err
		}
		if err := a.segment(g); isTooLarge(err) {
			return series.Data{}, err
		} else if err != nil {
			lost[g] = err // look for others
		}
	}
	if len(lost) > 0 {
		return series.Data{}, lost
	}
	for _, b := range blocks {
		if err := a.block(b); err != nil {
			return series.Data{}, err
		}
	}
	return a.data()
}

// lose forgets segments that cannot be read, and puts away what is damaged. One
// that a compaction has just removed is no loss.
func (l *log) lose(lost lostError) {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	var gone []*segment
	l.segments = slices.DeleteFunc(l.segments, func(g *segment) bool {
		if lost[g] == nil {
			return false
		}
		gone = append(gone, g)
		return true
	})
	l.mu.Unlock()
	for i, g := range gone {
		l.s.lost(l, lost[g], i == 0)
		switch err := lost[g]; {
		case errors.Is(err, store.ErrPlain): // what is asked for again is sealed
			_ = os.Remove(g.path) // or it is met again
		case errors.Is(err, store.ErrSchema): // what is asked for again does not write over it
			if err := store.SetAside(g.path, err); err != nil {
				l.s.log.Warn("history of another version is written over", "err", err)
			}
		case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrExposed):
			if err := store.Quarantine(l.s.dir, g.path, l.name+"-"+filepath.Base(g.path)); err != nil {
				_ = os.Remove(g.path) // out of the way, or it is written over
			}
		}
	}
}
