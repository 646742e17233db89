package collector

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// line is an input series with its labels rendered, kept from write to write.
type line struct {
	signal, source string
	labels         labels.Labels // immutable, so keeping it keeps no part of a result
	plain          form
	named          form   // with source_name; empty until needed
	reason         string // why it cannot be exported; empty if it can
	next           *line  // another one of the same hash
	pass           uint64 // the last arrange that saw it
}

func (l *line) is(r *series.Result) bool {
	return l.signal == r.Signal && l.source == r.SourceName && labels.Equal(l.labels, r.Labels)
}

// candidate is a result that can be exported, by its position in the write.
type candidate struct {
	pos  int
	line *line
	form
}

// task is what the collector knows about one task.
type task struct {
	mu         sync.Mutex // one write at a time; taken before Collector.mu
	name       string
	pass       uint64
	lines      map[uint64]*line // by hash of the labels
	at         []*line          // by position in the last write
	candidates []candidate      // in order of their labels
	signals    []string         // in order
	refused    map[[2]string]int

	// Guarded by Collector.mu; plan, leaving and owned are written only by the
	// holder of mu, who may read them without it.
	plan                  []candidate // the admitted candidates
	leaving               []string    // series that are still on /metrics, but no longer in plan
	owned                 []string    // the signals this task speaks for, in order
	truncated, duplicates int
	dropped               bool
	segment               *segment
	size                  [forms]int // bytes of the last segment
}

// matches reports whether rs has the same series in the same order as the last
// write, as it nearly always has.
func (t *task) matches(rs []series.Result) bool {
	if t.at == nil || len(rs) != len(t.at) {
		return false
	}
	for i := range rs {
		if !t.at[i].is(&rs[i]) {
			return false
		}
	}
	return true
}

// arrange finds or makes the line of every result and puts those that can be
// exported in order of their labels.
func (t *task) arrange(rs []series.Result) {
	t.pass++
	t.at = make([]*line, len(rs))
	t.candidates = make([]candidate, 0, len(rs))
	t.signals = t.signals[:0:0]
	t.refused = map[[2]string]int{}
	for i := range rs {
		l := t.line(&rs[i])
		t.at[i] = l
		if signal := strings.ToValidUTF8(l.signal, "\uFFFD"); !slices.Contains(t.signals, signal) {
			t.signals = append(t.signals, signal)
		}
		if l.reason != "" {
			t.refused[[2]string{strings.ToValidUTF8(l.signal, "\uFFFD"), l.reason}]++
			continue
		}
		t.candidates = append(t.candidates, candidate{i, l, l.plain})
	}
	slices.Sort(t.signals)
	t.forget()
	t.sort()
	if t.nameSources() {
		t.sort()
	}
}

// line returns the line of r, a new one if need be.
func (t *task) line(r *series.Result) *line {
	h := r.Labels.Hash()
	for l := t.lines[h]; l != nil; l = l.next {
		if l.is(r) {
			l.pass = t.pass
			return l
		}
	}
	l := &line{signal: r.Signal, source: r.SourceName, labels: r.Labels, next: t.lines[h], pass: t.pass}
	l.plain, l.reason = formOf(r.Signal, "", r.Labels)
	t.lines[h] = l
	return l
}

// forget removes the lines that the newest write did not have.
func (t *task) forget() {
	for h, l := range t.lines {
		var kept *line
		for l != nil {
			next := l.next
			if l.pass == t.pass {
				l.next = kept
				kept = l
			}
			l = next
		}
		if kept == nil {
			delete(t.lines, h)
		} else {
			t.lines[h] = kept
		}
	}
}

func (t *task) sort() {
	slices.SortFunc(t.candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.legacy, b.legacy), cmp.Compare(a.utf8, b.utf8),
			cmp.Compare(a.line.source, b.line.source), cmp.Compare(a.pos, b.pos))
	})
}

// nameSources adds source_name to series that differ in nothing else, and
// reports whether there were any.
func (t *task) nameSources() bool {
	found := false
	for i, j := 0, 0; i < len(t.candidates); i = j {
		differ := false
		for j = i; j < len(t.candidates) && t.candidates[j].legacy == t.candidates[i].legacy; j++ {
			differ = differ || t.candidates[j].line.source != t.candidates[i].line.source
		}
		if !differ {
			continue
		}
		for k := i; k < j; k++ {
			l := t.candidates[k].line
			if l.source == "" {
				continue
			}
			if l.named == (form{}) {
				var reason string
				if l.named, reason = formOf(l.signal, l.source, l.labels); reason != "" {
					l.named = l.plain // a name that cannot stand there leaves a duplicate, which is counted
				}
			}
			t.candidates[k].form = l.named
		}
		found = true
	}
	return found
}

// owner says which task a series belongs to.
type owner struct {
	task *task
	pass uint64
}

// admit decides which candidates of t are exported: those that already were,
// then new ones in order while there is room. What leaves keeps its place until
// t is published, so that no other task can show it at the same time. It reports
// false if t was dropped meanwhile.
func (c *Collector) admit(t *task) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.dropped {
		return false
	}
	c.pass++
	for _, k := range t.candidates {
		if o, ok := c.owners[k.legacy]; ok && o.task == t {
			c.owners[k.legacy] = owner{t, c.pass}
		}
	}
	t.leaving = t.leaving[:0]
	for _, k := range t.plan {
		if c.owners[k.legacy].pass != c.pass {
			t.leaving = append(t.leaving, k.legacy)
		}
	}
	plan := make([]candidate, 0, len(t.candidates))
	t.truncated, t.duplicates = 0, 0
	for i, k := range t.candidates {
		o, taken := c.owners[k.legacy]
		switch {
		case i > 0 && t.candidates[i-1].legacy == k.legacy, taken && o.task != t:
			t.duplicates++
			continue
		case !taken && len(c.owners)-len(t.leaving) >= c.opts.MaxSeries:
			t.truncated++
			continue
		}
		c.owners[k.legacy] = owner{t, c.pass}
		plan = append(plan, k)
	}
	t.plan = plan
	for _, s := range t.signals {
		switch o := c.signals[s]; o {
		case nil:
			c.signals[s] = t
			t.owned = append(t.owned, s)
		case t:
		default:
			t.duplicates++
		}
	}
	slices.Sort(t.owned)
	return true
}
