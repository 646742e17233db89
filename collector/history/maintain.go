package history

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// maintain writes the open block if it is full, or force says so, removes what is
// older than the retention and makes one segment of those of a day. did says that
// there was something to write.
func (l *log) maintain(force bool) (did bool, err error) {
	l.write.Lock()
	defer l.write.Unlock()
	did, err = l.flush(force)
	if err == nil {
		err = l.expire()
	}
	if err == nil {
		err = l.compact()
	}
	return did, err
}

// flush writes the open block.
func (l *log) flush(force bool) (did bool, err error) {
	l.mu.Lock()
	open := l.open
	if open == nil || !force && open.points(l.step) < openPoints {
		l.mu.Unlock()
		return false, nil
	}
	b := newBlock(open.span, l.step, slices.Clone(open.series))
	l.mu.Unlock()
	if err := l.store(b); err != nil {
		return true, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != open {
		return true, nil
	}
	rest := open.span
	rest.from = b.to + l.step
	l.open = nil
	if rest.from <= rest.to { // it grew meanwhile
		l.open = newBlock(span{rest.from, rest.from - l.step}, l.step, nil)
		tail := slices.Clone(open.series)
		for i := range tail {
			tail[i] = tail[i].Slice(rest.from, rest.to+1)
		}
		l.open.grow(rest.to, tail)
	}
	return true, nil
}

// spare is how much longer than the longest history segments are kept: they are
// removed whole, and a fit looks back from its slot.
const spare = 24 * 60 * 60 * 1000

func (l *log) expire() error {
	l.mu.Lock()
	oldest := l.newest() - l.retention - spare
	var gone []*segment
	for len(l.segments) > 0 && l.segments[0].to < oldest {
		gone = append(gone, l.segments[0])
		l.segments = l.segments[1:]
	}
	l.mu.Unlock()
	return remove(gone)
}

func remove(gone []*segment) error {
	for _, g := range gone {
		if err := os.Remove(g.path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

// compact makes one segment of those that follow one another, or overlap, within a
// day that is over, or crowded. An unreadable one is left to the query that needs it.
func (l *log) compact() error {
	l.mu.Lock()
	segments, today := slices.Clone(l.segments), l.asked
	l.mu.Unlock()
	for i := 0; i < len(segments); {
		j, to := i+1, segments[i].to
		for j < len(segments) && segments[j].from <= to+l.step && day(segments[j].to) == day(segments[i].from) {
			to = max(to, segments[j].to)
			j++
		}
		run := segments[i:j]
		i = j
		if len(run) < 2 || day(run[0].from) == day(today) && len(run) < crowded {
			continue
		}
		g, err := l.merge(run, to)
		if err != nil {
			return err
		}
		if g == nil {
			continue
		}
		l.add(g, run...)
		// One that had the others in it has given its name to the new one.
		gone := slices.DeleteFunc(slices.Clone(run), func(o *segment) bool { return o.path == g.path })
		if err := remove(gone); err != nil {
			return err
		}
	}
	return nil
}

func day(t int64) int64 { return floorDiv(t, 24*60*60*1000) }

// merge writes one segment up to to with the columns of several; nil if one cannot
// be read. Where they overlap the later one counts.
func (l *log) merge(run []*segment, to int64) (*segment, error) {
	type part struct {
		r *reader
		c column
	}
	type merged struct {
		labels labels.Labels
		parts  []part
	}
	byHash := map[uint64][]*merged{}
	var all []*merged
	overlap := false
	for i, g := range run {
		overlap = overlap || i > 0 && g.from <= run[i-1].to
		r, err := g.open(l.step)
		if err != nil {
			return nil, nil //nolint:nilerr // see above
		}
		defer r.close()
		for _, c := range r.columns {
			h := c.labels.Hash()
			k := slices.IndexFunc(byHash[h], func(m *merged) bool { return labels.Equal(m.labels, c.labels) })
			if k < 0 {
				k = len(byHash[h])
				m := &merged{labels: c.labels}
				byHash[h], all = append(byHash[h], m), append(all, m)
			}
			byHash[h][k].parts = append(byHash[h][k].parts, part{r, c})
		}
	}
	unreadable := false
	var buf []byte
	whole := span{run[0].from, to}
	g, err := writeSegment(l.dir, l.s.keys, l.step, whole.from, whole.to, func(yield func(labels.Labels, []byte) error) error {
		for _, m := range all {
			buf = buf[:0]
			for _, p := range m.parts {
				b, err := p.r.read(p.c)
				if err != nil {
					unreadable = true
					return err
				}
				buf = append(buf, b...)
			}
			if overlap {
				y, err := unpack(m.labels, buf, whole, l.step)
				if err != nil {
					unreadable = true
					return err
				}
				buf = pack(y)
			}
			if err := yield(m.labels, buf); err != nil {
				return err
			}
		}
		return nil
	})
	if unreadable {
		return nil, nil
	}
	return g, err
}

// unused removes the directories of queries that are not asked any more and have
// not been written to for a day.
func (s *Source) unused(wanted map[string]bool) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || wanted[e.Name()] || len(e.Name()) != nameLength || s.now().Sub(info.ModTime()) < keepUnused {
			continue
		}
		_ = os.RemoveAll(filepath.Join(s.dir, e.Name())) // or at the next start
	}
}
