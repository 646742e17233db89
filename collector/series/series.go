// Package series is upid's vocabulary: what a source answers, what a model
// says about it, and what the sinks receive. It is a leaf: it imports the
// standard library and prometheus/model/labels only.
//
// All times are Unix milliseconds, all durations in struct fields that take
// part in arithmetic with them are milliseconds too. A NaN is a gap: nothing is
// known there. Zero is a value.
package series

import "github.com/prometheus/prometheus/model/labels"

// Series is one time series on its own regular grid: Values[i] was observed at
// Start + i·Step. Thousands of series may start at different times.
type Series struct {
	Labels      labels.Labels
	Start, Step int64     // milliseconds; Step > 0
	Values      []float64 // NaN = gap
}

// At returns the time of point i in Unix milliseconds. It does not check that i
// is inside the series, so At(len(s.Values)) is the first time after it.
func (s Series) At(i int) int64 { return s.Start + int64(i)*s.Step }

// End returns the time just after the last point, that is Start + n·Step.
func (s Series) End() int64 { return s.At(len(s.Values)) }

// Index returns the index of the point at time t. ok is false if t is not on
// the grid or outside the series.
func (s Series) Index(t int64) (i int, ok bool) {
	d := t - s.Start
	if s.Step <= 0 || d < 0 || d%s.Step != 0 || d/s.Step >= int64(len(s.Values)) {
		return 0, false
	}
	return int(d / s.Step), true
}

// Slice returns the part of s with from ≤ time < to. It shares Values with s.
func (s Series) Slice(from, to int64) Series {
	i := clampIndex(ceilDiv(from-s.Start, s.Step), len(s.Values))
	j := max(clampIndex(ceilDiv(to-s.Start, s.Step), len(s.Values)), i)
	return Series{Labels: s.Labels, Start: s.At(i), Step: s.Step, Values: s.Values[i:j]}
}

func ceilDiv(a, b int64) int64 {
	if a <= 0 {
		return 0
	}
	return (a + b - 1) / b
}

func clampIndex(i int64, n int) int {
	return int(min(i, int64(n)))
}

// Data is what a source answered to one query.
type Data struct {
	Series []Series // in the order of the answer, joined over chunks by full label set
	// Partial means that the answer is incomplete (a store was down, a limit
	// cut it). Nothing may be trained on it and nothing resolved by it.
	Partial  bool
	Warnings []string // why it is partial, or what was left out
	Infos    []string // remarks on the expression; the data are whole
	// What was left out, by reason; nil when nothing was.
	Dropped map[string]int // whole series: limit, invalid, duplicate, label_length, utf8
	Ignored map[string]int // single samples: nan, inf, duplicate, out_of_order, histogram
}

// Set holds the series of a task's queries by input name: "value", or
// "failures" and "attempts", or "cpu", "memory" and "requests".
type Set map[string]Data
