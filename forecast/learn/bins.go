package learn

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// maxBins is how many bins a feature has beside that of what is missing.
const maxBins = 63

// bins are the columns of some rows as bin numbers, for histograms: 0 is missing,
// bin b ≥ 1 holds edges[b−2] < v ≤ edges[b−1].
type bins struct {
	n, width int
	edges    [][]float64 // [feature], ascending; the last bin has no upper edge
	code     []uint8     // [row·width + feature]
}

// newBins finds edges at the quantiles of the rows.
func newBins(d Data, rows []int) *bins {
	b := &bins{n: len(rows), width: len(d.Columns)}
	sorted := make([]float64, 0, len(rows))
	for _, c := range d.Columns {
		sorted = sorted[:0]
		for _, i := range rows {
			if !math.IsNaN(c[i]) {
				sorted = append(sorted, c[i])
			}
		}
		slices.Sort(sorted)
		b.edges = append(b.edges, quantileEdges(sorted))
	}
	b.fill(d, rows)
	return b
}

// quantileEdges returns up to maxBins − 1 values between neighbours of sorted, so
// that the bins hold equally many.
func quantileEdges(sorted []float64) []float64 {
	var edges []float64
	n := len(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= maxBins {
		for k := 1; k < len(distinct); k++ {
			edges = append(edges, between(distinct[k-1], distinct[k]))
		}
		return edges
	}
	for k := 1; k < maxBins; k++ {
		i := k * n / maxBins
		if sorted[i-1] == sorted[i] {
			continue
		}
		e := between(sorted[i-1], sorted[i])
		if len(edges) == 0 || e > edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	return edges
}

// between returns a value with a ≤ value < b, the middle where there is one.
func between(a, b float64) float64 {
	if m := a + (b-a)/2; m >= a && m < b {
		return m
	}
	return a
}

// with returns the bins of other rows, at the same edges.
func (b *bins) with(d Data, rows []int) *bins {
	o := &bins{n: len(rows), width: b.width, edges: b.edges}
	o.fill(d, rows)
	return o
}

func (b *bins) fill(d Data, rows []int) {
	b.code = make([]uint8, b.n*b.width)
	for j, c := range d.Columns {
		for k, i := range rows {
			if v := c[i]; !math.IsNaN(v) {
				b.code[k*b.width+j] = uint8(1 + sort.SearchFloat64s(b.edges[j], v)) //nolint:gosec // at most maxBins
			}
		}
	}
}

// mask makes a share of the cells missing, so that trees learn what to do without
// them though the rows of a training are whole.
func (b *bins) mask(share float64, r *rand.Rand) {
	for i := range b.code {
		if r.Float64() < share {
			b.code[i] = 0
		}
	}
}
