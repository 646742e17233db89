package history

import (
	"context"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// Where one series has no value and others do, its values may come late: they are
// written to the server by something that lags, say. To ask again for all such gaps
// would be to ask for everything again. So each fit asks for one grid point, where
// the most such gaps meet that were not looked into yet; if there is something now,
// the stretch is asked for again and its files are written anew. A gap is looked
// into until it is a day old, and all this within a tenth of what is new.

// overhead is how many samples may be fetched for each new one.
const overhead = 1.1

// hole is a stretch where one series has no value though it began before.
type hole struct{ from, to int } // grid points of a window, inclusive

// holes calls f for the holes of s in w.
func holes(s series.Series, w span, step int64, f func(hole)) {
	part := s.Slice(w.from, w.to+1)
	first := int((max(s.Start, w.from) - w.from) / step)
	last := int(w.points(step)) - 1
	open := -1
	for i, v := range part.Values {
		switch {
		case math.IsNaN(v) && open < 0:
			open = first + i
		case !math.IsNaN(v) && open >= 0:
			f(hole{open, first + i - 1})
			open = -1
		}
	}
	if end := first + len(part.Values); s.Start <= w.to && open < 0 && end <= last {
		open = end
	}
	if open >= 0 {
		f(hole{open, last})
	}
}

// doubtful returns the oldest of the grid times in w that most speak for a look: by
// the sum over the holes there of 100^-n, where n is how often a hole was looked
// into, so that thousand series that ended hide one that is late from two looks.
// ok is false if there is no hole where another series has a value.
func doubtful(ss []series.Series, w span, step int64, looked []int64) (at int64, ok bool) {
	n := int(w.points(step))
	weight, there := make([]float64, n+1), make([]bool, n)
	for _, s := range ss {
		holes(s, w, step, func(h hole) {
			k := 1.0
			for _, t := range looked {
				if i := int((t - w.from) / step); t >= w.from && i >= h.from && i <= h.to {
					k /= 100
				}
			}
			weight[h.from] += k
			weight[h.to+1] -= k
		})
		part := s.Slice(w.from, w.to+1)
		for i, v := range part.Values {
			if !math.IsNaN(v) {
				there[int((max(s.Start, w.from)-w.from)/step)+i] = true
			}
		}
	}
	sum, best := 0.0, 1e-9 // the sums of differences may be that far from 0
	for i := range n {
		sum += weight[i]
		if there[i] && sum > best {
			at, best, ok = w.from+int64(i)*step, sum, true
		}
	}
	return at, ok
}

// late looks into one doubtful hole of the answer d to want, and reports whether
// there was something in it: then what was answered is out of date.
func (l *log) late(ctx context.Context, want span, d series.Data) bool {
	l.mu.Lock()
	w := span{max(want.from, ceilTo(l.newest()-late, l.step)), min(want.to, l.newest())}
	l.looked = slices.DeleteFunc(l.looked, func(t int64) bool { return t < w.from })
	looked := slices.Clone(l.looked)
	room := overhead*l.fresh - l.fetched
	l.mu.Unlock()
	if w.to < w.from || room < float64(len(d.Series)) {
		return false
	}
	at, ok := doubtful(d.Series, w, l.step, looked)
	if !ok {
		return false
	}
	now, err := l.fetch(ctx, span{at, at})
	if err != nil || now.Partial { // the answer stands without it
		return false
	}
	l.mu.Lock()
	l.looked = append(l.looked, at)
	l.mu.Unlock()
	stretch, found := arrived(d.Series, now.Series, w, at, l.step)
	if !found {
		return false
	}
	room -= float64(len(now.Series))
	if most := int64(room / float64(max(len(d.Series), len(now.Series)))); stretch.points(l.step) > most {
		l.lags.Do(func() {
			l.s.log.Warn("values come after they were asked for, more than can be asked for again: set query_offset of the signal above their delay",
				"query", l.expr, "points", stretch.points(l.step))
		})
		if most < 1 {
			return false
		}
		stretch.to = stretch.from + (most-1)*l.step
	}
	answer, err := l.fetch(ctx, stretch)
	if err != nil || answer.Partial {
		return false
	}
	return l.s.wrote(l.rewrite(newBlock(stretch, l.step, answer.Series)))
}

// arrived returns the stretch of the holes of known that have a value in now, the
// answer for the grid time at.
func arrived(known, now []series.Series, w span, at, step int64) (stretch span, found bool) {
	index := indexOf(known)
	i := int((at - w.from) / step)
	for _, n := range now {
		if len(n.Values) != 1 || math.IsNaN(n.Values[0]) {
			continue
		}
		part := hole{0, int(w.points(step)) - 1} // nothing at all was known of it
		if k := index.find(known, n.Labels); k >= 0 && known[k].Start <= at {
			part = hole{1, 0}
			holes(known[k], w, step, func(h hole) {
				if i >= h.from && i <= h.to {
					part = h
				}
			})
		} else if k >= 0 {
			part.to = int((known[k].Start-w.from)/step) - 1
		}
		if part.to < part.from {
			continue
		}
		s := span{w.from + int64(part.from)*step, w.from + int64(part.to)*step}
		if !found {
			stretch = s
		}
		stretch, found = span{min(stretch.from, s.from), max(stretch.to, s.to)}, true
	}
	return stretch, found
}

// rewrite puts the values of b in place of those on record, and beside them.
func (l *log) rewrite(b *block) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	if l.open != nil && l.open.from <= b.to && b.from <= l.open.to {
		l.open = l.open.with(b)
	}
	l.mu.Unlock()
	for _, g := range segments {
		if g.from > b.to || b.from > g.to {
			continue
		}
		again, err := l.mended(g, b)
		if err != nil {
			return err
		}
		if again != nil {
			l.add(again)
		}
	}
	return nil
}

// with returns a copy of b with the values of o within b.
func (b *block) with(o *block) *block {
	out := newBlock(b.span, b.step, slices.Clone(b.series))
	index := indexOf(b.series)
	for _, s := range o.series {
		part := s.Slice(max(b.from, o.from), min(b.to, o.to)+1)
		if empty(part.Values) {
			continue
		}
		if i := index.find(b.series, s.Labels); i >= 0 {
			out.series[i] = over(out.series[i], part)
		} else {
			out.series = append(out.series, over(series.Series{Labels: s.Labels, Start: part.Start, Step: b.step, Values: nil}, part))
		}
	}
	return out
}

// over returns a copy of s with the values of part instead of its own.
func over(s, part series.Series) series.Series {
	from := min(s.Start, part.Start)
	values := make([]float64, max(s.End(), part.End())/s.Step-from/s.Step)
	for i := range values {
		values[i] = math.NaN()
	}
	copy(values[(s.Start-from)/s.Step:], s.Values)
	for i, v := range part.Values {
		if !math.IsNaN(v) {
			values[(part.At(i)-from)/s.Step] = v
		}
	}
	return series.Series{Labels: s.Labels, Start: from, Step: s.Step, Values: values}
}

// mended writes a segment anew with the values of b; nil if it cannot be read, which
// is left to the query that needs it.
func (l *log) mended(g *segment, b *block) (*segment, error) {
	r, err := g.open(l.step)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	defer r.close()
	stretch := span{max(g.from, b.from), min(g.to, b.to)}
	index, used := indexOf(b.series), make([]bool, len(b.series))
	unreadable := false
	again, err := writeSegment(l.dir, l.s.keys, l.step, g.from, g.to, func(yield func(labels.Labels, []byte) error) error {
		for _, c := range r.columns {
			packed, err := r.read(c)
			if err != nil {
				unreadable = true
				return err
			}
			if i := index.find(b.series, c.labels); i >= 0 {
				used[i] = true
				y, err := unpack(c.labels, packed, span{g.from, g.to}, l.step)
				if err != nil {
					unreadable = true
					return err
				}
				packed = pack(over(y, b.series[i].Slice(stretch.from, stretch.to+1)))
			}
			if err := yield(c.labels, packed); err != nil {
				return err
			}
		}
		for i, s := range b.series {
			if used[i] {
				continue
			}
			if err := yield(s.Labels, pack(s.Slice(stretch.from, stretch.to+1))); err != nil {
				return err
			}
		}
		return nil
	})
	if unreadable {
		return nil, nil
	}
	return again, err
}

// unpack returns the series over w that a column holds; of two values at one time
// the later in it counts.
func unpack(ls labels.Labels, column []byte, w span, step int64) (series.Series, error) {
	y := series.Series{Labels: ls, Start: w.from, Step: step, Values: make([]float64, w.points(step))}
	for k := range y.Values {
		y.Values[k] = math.NaN()
	}
	return y, decode(column, func(t int64, v float64) {
		if t >= w.from && t <= w.to {
			y.Values[(t-w.from)/step] = v
		}
	})
}

// pack returns the column of s.
func pack(s series.Series) []byte {
	var e encoder
	for i, v := range s.Values {
		e.add(s.At(i), v)
	}
	return e.bytes()
}

// ceilTo returns the lowest multiple of step that is not below t.
func ceilTo(t, step int64) int64 { return floorDiv(t+step-1, step) * step }
