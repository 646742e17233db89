package history

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// assembly puts the answer to a query together from segments and blocks. A limit
// on series takes those with the lowest hash, as the source does, so that the
// same ones are taken from files and from a server.
type assembly struct {
	span
	step      int64
	maxSeries int
	maxCells  int64
	byHash    map[uint64][]*row
	all       []*row
	cells     int64
	pruned    bool
}

// row is one series of an assembly, from its first value to the end.
type row struct {
	labels labels.Labels
	hash   uint64
	start  int64 // grid time of values[0]
	values []float64
}

// tooLarge says that the answer is beyond the limit on samples.
type tooLarge struct{ max int64 }

func (e tooLarge) Error() string {
	return fmt.Sprintf("history: the result is too large: more than %d grid points: take a coarser step, a shorter history, or aggregate", e.max)
}
func (tooLarge) FailureReason() string { return "too_large" }

func newAssembly(s span, step int64, maxSeries int, maxCells int64) *assembly {
	return &assembly{span: s, step: step, maxSeries: maxSeries, maxCells: maxCells, byHash: map[uint64][]*row{}}
}

// set takes in the value v of a series, which c stands for if it is not nil, and
// returns what stands for it.
func (a *assembly) set(c *row, ls labels.Labels, t int64, v float64) *row {
	if t < a.from || t > a.to || math.IsNaN(v) {
		return c
	}
	if c == nil {
		c = a.find(ls, t)
	}
	if t < c.start { // overlapping segments
		more := make([]float64, (c.start-t)/a.step)
		for i := range more {
			more[i] = math.NaN()
		}
		c.values = append(more, c.values...)
		c.start = t
		a.cells += int64(len(more))
	}
	c.values[(t-c.start)/a.step] = v
	return c
}

// find returns the column of a series whose first value is at t.
func (a *assembly) find(ls labels.Labels, t int64) *row {
	h := ls.Hash()
	for _, c := range a.byHash[h] {
		if labels.Equal(c.labels, ls) {
			return c
		}
	}
	c := &row{labels: ls, hash: h, start: t, values: make([]float64, (a.to-t)/a.step+1)}
	for i := range c.values {
		c.values[i] = math.NaN()
	}
	a.byHash[h] = append(a.byHash[h], c)
	a.all = append(a.all, c)
	a.cells += int64(len(c.values))
	return c
}

// fit keeps the assembly within its limits between two series.
func (a *assembly) fit() error {
	if a.maxSeries > 0 && len(a.all) >= 2*a.maxSeries {
		a.prune()
	}
	if a.maxCells > 0 && a.cells > a.maxCells {
		a.prune()
		if a.cells > a.maxCells {
			return tooLarge{a.maxCells}
		}
	}
	return nil
}

// prune leaves out the series beyond the limit. One that comes again later is
// left out again: so many are before it.
func (a *assembly) prune() {
	if a.maxSeries <= 0 || len(a.all) <= a.maxSeries {
		return
	}
	slices.SortFunc(a.all, func(x, y *row) int {
		if c := cmp.Compare(x.hash, y.hash); c != 0 {
			return c
		}
		return labels.Compare(x.labels, y.labels)
	})
	for _, c := range a.all[a.maxSeries:] {
		a.byHash[c.hash] = slices.DeleteFunc(a.byHash[c.hash], func(o *row) bool { return o == c })
		a.cells -= int64(len(c.values))
	}
	clear(a.all[a.maxSeries:])
	a.all, a.pruned = a.all[:a.maxSeries], true
}

// block takes in a block.
func (a *assembly) block(b *block) error {
	for _, s := range b.series {
		part := s.Slice(max(a.from, b.from), min(a.to, b.to)+1)
		var c *row
		for i, v := range part.Values {
			c = a.set(c, s.Labels, part.At(i), v)
		}
		if err := a.fit(); err != nil {
			return err
		}
	}
	return nil
}

// segment takes in a segment.
func (a *assembly) segment(s *segment) error {
	r, err := s.open(a.step)
	if err != nil {
		return err
	}
	defer r.close()
	return a.columns(r)
}

func (a *assembly) columns(r *reader) error {
	for _, col := range r.columns {
		b, err := r.read(col)
		if err != nil {
			return err
		}
		var c *row
		if err := decode(b, func(t int64, v float64) {
			if (t-a.from)%a.step == 0 {
				c = a.set(c, col.labels, t, v)
			}
		}); err != nil {
			return damaged(r.path, "%v", err)
		}
		if err := a.fit(); err != nil {
			return err
		}
	}
	return nil
}

// data returns what was taken in: every series from its first value to the end,
// sorted by labels.
func (a *assembly) data() (series.Data, error) {
	a.prune()
	if err := a.fit(); err != nil {
		return series.Data{}, err
	}
	slices.SortFunc(a.all, func(x, y *row) int { return labels.Compare(x.labels, y.labels) })
	out := make([]series.Series, len(a.all))
	for i, c := range a.all {
		out[i] = series.Series{Labels: c.labels, Start: c.start, Step: a.step, Values: c.values}
	}
	var d series.Data
	d.Series = out
	if a.pruned {
		d.Warnings = append(d.Warnings, fmt.Sprintf("series left out: more than the limit of %d", a.maxSeries))
	}
	return d, nil
}

// isTooLarge tells a limit from a fault of the files.
func isTooLarge(err error) bool {
	_, ok := errors.AsType[tooLarge](err)
	return ok
}
