package source

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// Reasons for leaving out single samples.
const (
	ignoreNaN        = "nan"
	ignoreInf        = "inf"
	ignoreDuplicate  = "duplicate"
	ignoreOutOfOrder = "out_of_order" // put where it belongs, but counted
	ignoreHistogram  = "histogram"    // native histograms beside numbers
)

var errTooManyCells = errors.New("the result is too large")

// chunk receives the answer to one request: cells first … first+len(scratch)−1
// of the grid of the query.
type chunk struct {
	start, step int64 // time of the chunk's first cell, distance of cells
	first       int   // its cell number in the query
	scratch     []float64
	lo, hi      int // cells of scratch in use by the current series
	prev        int // cell of the point before, −1 at the start of a series
	admitted    *admission
	ignored     map[string]int
	dropped     map[string]int
}

func newChunk(start, step int64, first, n, maxSeries int) *chunk {
	c := &chunk{
		start: start, step: step, first: first, scratch: make([]float64, n),
		lo: n, hi: 0, prev: -1,
		admitted: newAdmission(maxSeries),
		ignored:  map[string]int{}, dropped: map[string]int{},
	}
	for i := range c.scratch {
		c.scratch[i] = math.NaN()
	}
	return c
}

// point implements matrix.
func (c *chunk) point(ms int64, v float64) error {
	i := c.prev + 1 // nearly always
	if d := ms - c.start; i >= len(c.scratch) || d != int64(i)*c.step {
		if d < 0 || d%c.step != 0 || d/c.step >= int64(len(c.scratch)) {
			return fmt.Errorf("a sample at %s s is not on the grid that was asked for (start %s s, step %s s): does a proxy change the range?",
				seconds(ms), seconds(c.start), seconds(c.step))
		}
		i = int(d / c.step)
	}
	if i <= c.prev {
		if i == c.prev || !math.IsNaN(c.scratch[i]) {
			c.ignored[ignoreDuplicate]++
		} else {
			c.ignored[ignoreOutOfOrder]++
		}
	}
	c.prev = max(c.prev, i)
	switch {
	case math.IsNaN(v):
		c.ignored[ignoreNaN]++
	case math.IsInf(v, 0):
		c.ignored[ignoreInf]++
		v = math.NaN()
	}
	c.scratch[i] = v
	c.lo, c.hi = min(c.lo, i), max(c.hi, i+1)
	return nil
}

// series implements matrix.
func (c *chunk) series(ls labels.Labels, reason string) error {
	used := c.scratch[min(c.lo, c.hi):c.hi]
	if reason == "" && len(used) > 0 {
		hash := ls.Hash()
		if c.admitted.find(hash, ls) != nil {
			reason = dropDuplicate
		} else {
			e := &entry{ls: ls, hash: hash, start: c.first + c.lo}
			if c.admitted.add(e) {
				e.values = slices.Clone(used)
			}
		}
	}
	if reason != "" {
		c.dropped[reason]++
	}
	for i := range used {
		used[i] = math.NaN()
	}
	c.lo, c.hi, c.prev = len(c.scratch), 0, -1
	return nil
}

// join collects the chunks of a query, which come in ascending order.
type join struct {
	start, step int64
	n           int // cells of the query
	maxCells    int64
	admitted    *admission
	histograms  int64 // series with native histograms
	data        series.Data
}

func newJoin(start, step int64, n, maxSeries int, maxCells int64) *join {
	return &join{
		start: start, step: step, n: n, maxCells: maxCells,
		admitted: newAdmission(maxSeries),
		data:     series.Data{Ignored: map[string]int{}, Dropped: map[string]int{}},
	}
}

// add appends one chunk. It takes over the chunk's values.
func (j *join) add(c *chunk) error {
	for _, e := range c.admitted.ordered() {
		old := j.admitted.find(e.hash, e.ls)
		if old == nil {
			j.admitted.add(e)
			continue
		}
		for gap := e.start - (old.start + len(old.values)); gap > 0; gap-- {
			old.values = append(old.values, math.NaN())
		}
		old.values = append(old.values, e.values...)
	}
	for h := range c.admitted.refused {
		j.admitted.refuse(h)
	}
	j.admitted.more += c.admitted.more
	for why, n := range c.ignored {
		j.data.Ignored[why] += n
	}
	for why, n := range c.dropped {
		// A series left out of every chunk is one series.
		j.data.Dropped[why] = max(j.data.Dropped[why], n)
	}
	cells := int64(0)
	for _, e := range j.admitted.all {
		cells += int64(len(e.values))
	}
	if j.maxCells > 0 && cells > j.maxCells {
		return errTooManyCells
	}
	return nil
}

// finish returns the data: every series from its first sample, or the last
// cell if all its samples are gaps, to the end of the query.
//
// Native histograms are an error if there is nothing else, for then the
// expression is at fault; beside numbers they are left out and counted.
func (j *join) finish() (series.Data, error) {
	es := j.admitted.ordered()
	if j.histograms > 0 {
		if len(es) == 0 {
			return series.Data{}, errHistogram
		}
		j.data.Ignored[ignoreHistogram] = int(j.histograms)
		j.data.Warnings = append(j.data.Warnings, fmt.Sprintf("%d series have native histograms, which are left out", j.histograms))
	}
	total := int64(0)
	for _, e := range es {
		for len(e.values) > 0 && math.IsNaN(e.values[0]) {
			e.values = e.values[1:]
			e.start++
		}
		if len(e.values) == 0 {
			e.start = j.n - 1
		}
		total += int64(j.n - e.start)
	}
	if j.maxCells > 0 && total > j.maxCells {
		return series.Data{}, errTooManyCells
	}
	j.data.Series = make([]series.Series, len(es))
	for i, e := range es {
		e.values = slices.Grow(e.values, j.n-e.start-len(e.values))
		for e.start+len(e.values) < j.n {
			e.values = append(e.values, math.NaN())
		}
		j.data.Series[i] = series.Series{
			Labels: e.ls, Start: j.start + int64(e.start)*j.step, Step: j.step, Values: e.values,
		}
	}
	if n := j.admitted.left(); n > 0 {
		j.data.Dropped[dropLimit] = n
		j.data.Warnings = append(j.data.Warnings, fmt.Sprintf("%d series left out: more than the limit of %d", n, j.admitted.max))
	}
	if len(j.data.Dropped) == 0 {
		j.data.Dropped = nil
	}
	if len(j.data.Ignored) == 0 {
		j.data.Ignored = nil
	}
	return j.data, nil
}
