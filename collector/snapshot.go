package collector

import (
	"sync"

	"github.com/upid/upid/collector/series"
)

// segment is what one write left behind: the samples of one task, family after
// family. It is immutable until its last reference is released, then its
// buffers are used again.
type segment struct {
	refs             int         // guarded by Collector.mu
	text             [forms]text // for legacy and for UTF-8 names
	samples          int
	forecast, scored bool // whether any series has one
	demoted          bool // whether the model of any signal is

	truncated, duplicates int // left out
}

// text is a segment in one form. Family i is b[at[i]:at[i+1]].
type text struct {
	b  []byte
	at []int

	once sync.Once
	z    []byte // deflated, made when first asked for
	zat  []int
}

// The two forms of a segment. The second is empty where it is the same.
const (
	legacyNames = iota
	utf8Names
	forms
)

func (s *segment) in(form int) *text {
	if form == utf8Names && s.text[utf8Names].at != nil {
		return &s.text[utf8Names]
	}
	return &s.text[legacyNames]
}

func (t *text) family(i int) []byte { return t.b[t.at[i]:t.at[i+1]] }

// render writes the exported series among rs as they stand in both forms.
func (c *Collector) render(t *task, rs []series.Result) *segment {
	s := &segment{refs: 1, truncated: t.truncated, duplicates: t.duplicates}
	sums := summarise(t.owned, rs)
	for _, sum := range sums {
		s.forecast = s.forecast || sum.forecast
		s.scored = s.scored || sum.scored
		s.demoted = s.demoted || sum.live != nil && sum.live.Demoted != ""
	}
	differ := false
	for i := range t.plan {
		differ = differ || t.plan[i].legacy != t.plan[i].utf8
	}
	s.samples = c.renderForm(t, rs, sums, legacyNames, &s.text[legacyNames])
	if differ {
		c.renderForm(t, rs, sums, utf8Names, &s.text[utf8Names])
	}
	return s
}

// renderForm fills dst and returns the number of samples.
func (c *Collector) renderForm(t *task, rs []series.Result, sums []summary, form int, dst *text) int {
	w := writer{b: c.buffer(t.size[form])}
	dst.at = make([]int, 0, len(c.families)+1)
	heads := make([]string, len(sums))
	for i := range sums {
		heads[i] = string(appendLabel([]byte{'{'}, "signal", sums[i].signal))
	}
	for i := range c.families {
		f := &c.families[i]
		dst.at = append(dst.at, len(w.b))
		w.name = f.name
		for j := range t.plan {
			if f.each == nil {
				break
			}
			p := &t.plan[j]
			labels := p.legacy
			if form == utf8Names {
				labels = p.utf8
			}
			f.each(&w, labels, &rs[p.pos])
		}
		for j := range sums {
			if f.summed != nil {
				f.summed(&w, heads[j], &sums[j])
			}
		}
	}
	dst.at = append(dst.at, len(w.b))
	dst.b = w.b
	t.size[form] = len(w.b)
	return w.samples
}

// publish makes s the segment of t, unless t was dropped meanwhile, and gives up
// the places of what is not in it any more.
func (c *Collector) publish(t *task, s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.dropped {
		c.release(s)
		return
	}
	for _, k := range t.leaving {
		delete(c.owners, k)
	}
	t.leaving = nil
	c.release(t.segment)
	t.segment = s
}

// snapshot is one consistent state of everything.
type snapshot struct {
	segments              []*segment // by name of the task
	samples               int
	truncated, duplicates int
	forecast, scored      bool
	demoted               bool
}

// acquire returns the current state. The caller gives it back with done.
func (c *Collector) acquire() *snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &snapshot{segments: make([]*segment, 0, len(c.tasks))}
	for _, t := range c.inOrder() {
		if t.segment == nil {
			continue
		}
		t.segment.refs++
		s.segments = append(s.segments, t.segment)
		s.samples += t.segment.samples
		s.truncated += t.segment.truncated
		s.duplicates += t.segment.duplicates
		s.forecast = s.forecast || t.segment.forecast
		s.scored = s.scored || t.segment.scored
		s.demoted = s.demoted || t.segment.demoted
	}
	return s
}

// done gives a snapshot back.
func (c *Collector) done(s *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, seg := range s.segments {
		c.release(seg)
	}
}

// release gives up a reference to s, which may be nil. The caller holds c.mu.
func (c *Collector) release(s *segment) {
	if s == nil {
		return
	}
	if s.refs--; s.refs > 0 {
		return
	}
	for i := range s.text {
		c.recycle(s.text[i].b)
	}
}

// maxFree is how many unused buffers are kept. Tasks write one after the other,
// so the buffer one of them gave up serves the next of its size.
const maxFree = 4

// recycle keeps b for another segment. The caller holds c.mu.
func (c *Collector) recycle(b []byte) {
	if cap(b) == 0 {
		return
	}
	c.free = append(c.free, b[:0])
	if len(c.free) > maxFree {
		c.free = append(c.free[:0], c.free[1:]...) // the oldest
	}
}

// buffer returns an empty buffer for about size bytes: the smallest unused one
// that holds them without wasting more than it holds, or a new one.
func (c *Collector) buffer(size int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := -1
	for i, b := range c.free {
		if cap(b) >= size && cap(b) <= 2*size+4096 && (best < 0 || cap(b) < cap(c.free[best])) {
			best = i
		}
	}
	if best < 0 {
		return make([]byte, 0, size+size/16)
	}
	b := c.free[best]
	c.free = append(c.free[:best], c.free[best+1:]...)
	return b
}
