package history

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// block is a stretch of the grid in memory, on its way to a segment. A slice of
// its series stays valid while it grows at its end.
type block struct {
	span
	step   int64
	series []series.Series
	index  labelIndex // of series; nil until it grows
}

func newBlock(s span, step int64, ss []series.Series) *block {
	return &block{span: s, step: step, series: ss, index: nil}
}

// grow appends what was answered for the stretch after the block, ss, a copy of it.
func (b *block) grow(to int64, ss []series.Series) {
	if b.index == nil {
		b.index = indexOf(b.series)
	}
	for _, s := range ss {
		if empty(s.Values) {
			continue
		}
		own := b.find(s)
		for gap := (s.Start - own.End()) / b.step; gap > 0; gap-- {
			own.Values = append(own.Values, math.NaN())
		}
		own.Values = append(own.Values, s.Values...)
	}
	b.to = to
}

// find returns the block's series with the labels of s, which it may add.
func (b *block) find(s series.Series) *series.Series {
	if i := b.index.find(b.series, s.Labels); i >= 0 {
		return &b.series[i]
	}
	h := s.Labels.Hash()
	b.index[h] = append(b.index[h], len(b.series))
	b.series = append(b.series, series.Series{Labels: s.Labels, Start: s.Start, Step: s.Step, Values: nil})
	return &b.series[len(b.series)-1]
}

func empty(vs []float64) bool {
	return !slices.ContainsFunc(vs, func(v float64) bool { return !math.IsNaN(v) })
}

// A stretch in which no series has a value may be data that come late, when a
// remote writer was cut off, say. It is asked for again by every fit until it is
// a day old, if it is long enough or at the end of a block.
const (
	late         = 24 * 60 * 60 * 1000 // a point that old is final
	lateShortest = 5 * 60 * 1000       // and 5 grid points
	latePerBlock = 2                   // the longest ones of a block; the others are final
)

// known returns the parts of the block that will not be asked for again: all of
// it but stretches without a value after final.
func (b *block) known(final int64) []span {
	there := b.presence()
	n := int64(len(there))
	shortest := max(5, lateShortest/b.step)
	var gaps []span
	for i := int64(0); i < n; {
		j := i + 1
		for j < n && there[j] == there[i] {
			j++
		}
		from := max(i, (final-b.from)/b.step+1)
		if final < b.from {
			from = i
		}
		if !there[i] && from < j && (j == n || j-i >= shortest) {
			gaps = append(gaps, span{b.from + from*b.step, b.from + (j-1)*b.step})
		}
		i = j
	}
	var late spans
	for _, g := range longest(gaps, latePerBlock) {
		late = late.add(g, b.step)
	}
	return late.missing(b.span, b.step)
}

// presence says for every grid point of the block whether some series has a value.
func (b *block) presence() []bool {
	there := make([]bool, b.points(b.step))
	for _, s := range b.series {
		part := s.Slice(b.from, b.to+1)
		first := (part.Start - b.from) / b.step
		for i, v := range part.Values {
			if !math.IsNaN(v) {
				there[first+int64(i)] = true
			}
		}
	}
	return there
}

// last returns the grid time of the newest value of the block, 0 if it has none.
func (b *block) last() int64 {
	last := int64(0)
	for _, s := range b.series {
		part := s.Slice(b.from, b.to+1)
		for i := len(part.Values) - 1; i >= 0 && part.At(i) > last; i-- {
			if !math.IsNaN(part.Values[i]) {
				last = part.At(i)
			}
		}
	}
	return last
}

// values returns how many values the block has within the spans.
func (b *block) values(in []span) int {
	n := 0
	for _, s := range b.series {
		for _, p := range in {
			for _, v := range s.Slice(p.from, p.to+1).Values {
				if !math.IsNaN(v) {
					n++
				}
			}
		}
	}
	return n
}

// labelIndex finds series by their labels.
type labelIndex map[uint64][]int

func indexOf(ss []series.Series) labelIndex {
	x := make(labelIndex, len(ss))
	for i, s := range ss {
		h := s.Labels.Hash()
		x[h] = append(x[h], i)
	}
	return x
}

// find returns the place of a series in ss, of which x is the index, or -1.
func (x labelIndex) find(ss []series.Series, ls labels.Labels) int {
	for _, i := range x[ls.Hash()] {
		if labels.Equal(ss[i].Labels, ls) {
			return i
		}
	}
	return -1
}
