package output

import (
	"math"
	"strings"
)

var bars = []rune("▁▂▃▄▅▆▇█")

// flat is the relative range below which a series is drawn as constant: it is rounding.
const flat = 1e-9

// Spark draws y in width columns on the scale low to high: every column is the
// mean of the points that fall into it, a blank where all of them are NaN.
// Fewer points than columns take one column each.
func Spark(y []float64, width int, low, high float64) string {
	n := min(len(y), width)
	var b strings.Builder
	for c := range n {
		sum, count := 0.0, 0.0
		for _, v := range y[c*len(y)/n : (c+1)*len(y)/n] {
			if !math.IsNaN(v) {
				count++
				sum += (v - sum) / count
			}
		}
		switch {
		case count == 0:
			b.WriteRune(' ')
		case high-low <= flat*max(math.Abs(high), math.Abs(low)):
			b.WriteRune(bars[len(bars)/2-1]) // constant: a line in the middle
		default:
			i := int((sum - low) / (high - low) * float64(len(bars)))
			b.WriteRune(bars[max(0, min(i, len(bars)-1))])
		}
	}
	return b.String()
}

// Extent returns the least and greatest number in ys, NaN if there is none.
func Extent(ys ...[]float64) (low, high float64) {
	low, high = math.NaN(), math.NaN()
	for _, y := range ys {
		for _, v := range y {
			if math.IsNaN(v) {
				continue
			}
			if !(low <= v) {
				low = v
			}
			if !(high >= v) {
				high = v
			}
		}
	}
	return low, high
}
