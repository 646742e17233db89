package forecast

import (
	"fmt"
	"math"

	"github.com/upid/upid/collector/series"
)

// history is a series made ready for models: gap-free, finite, and scaled by a
// power of two so that its mean magnitude is about 1. Scaling by a power of two
// is exact, so that models never meet an overflow and results do not depend on
// the unit.
type history struct {
	y        []float64 // gaps interpolated
	observed []bool    // whether y[i] was observed
	marked   []bool    // whether an event was taken out of y[i]; nil: none
	present  int       // number of observed points
	silent   int       // gaps after the last observed point, which y does not hold
	older    int       // points before y that newest cut off
	grid     grid
	exponent int     // y = input · 2^−exponent
	min, max float64 // of y
	positive bool    // no observed value is negative
}

// gapShare returns the share of points that are gaps, from the first observed point.
func (h *history) gapShare() float64 {
	return 1 - float64(h.present)/float64(len(h.y)+h.silent)
}

// mask makes the points marked, of the series that h was read from, count for nothing but
// the models' view of the past. They are no gaps: what is usual was put there.
func (h *history) mask(marked []bool) {
	if marked == nil {
		return
	}
	first := len(marked) - h.silent - len(h.y)
	h.marked = marked[first : first+len(h.y)]
	for i, is := range h.marked {
		h.observed[i] = h.observed[i] && !is
	}
}

// newest cuts h down to its last n points.
func (h *history) newest(n int) {
	from := max(0, len(h.y)-n)
	h.older += from
	h.y, h.observed = h.y[from:], h.observed[from:]
	if h.marked != nil {
		h.marked = h.marked[from:]
	}
	h.present = 0
	for i, is := range h.observed {
		if is || h.marked != nil && h.marked[i] {
			h.present++
		}
	}
}

// clean reads y into h, with memory from s. Gaps (NaN, ±Inf) between observed
// points are filled by linear interpolation; gaps at the beginning are left out, and
// those at the end too, so that they are forecast and not made up. It returns ErrShort, wrapped, if fewer than want points are
// observed. O(n).
func (h *history) clean(y series.Series, want int, s *Scratch) error {
	if y.Step <= 0 {
		return fmt.Errorf("step is %d ms, want more than 0", y.Step)
	}
	values := y.Values
	first, last := 0, len(values)
	for first < last && !finite(values[first]) {
		first++
	}
	for last > first && !finite(values[last-1]) {
		last--
	}
	silent := len(values) - last
	values = values[first:last]
	n := len(values)
	*h = history{
		y: s.floats(n), observed: s.flags(n), present: 0, silent: silent, older: 0, grid: gridOf(y.Step),
		exponent: 0, min: math.Inf(1), max: math.Inf(-1), positive: true,
	}
	magnitude := 0.0
	for i, v := range values {
		if !finite(v) {
			continue
		}
		h.observed[i] = true
		h.present++
		k := float64(h.present)
		magnitude += math.Abs(v)/k - magnitude/k
		h.positive = h.positive && v >= 0
	}
	if h.present < want {
		return fmt.Errorf("%d observed points, want at least %d: %w", h.present, want, ErrShort)
	}
	if magnitude > 0 {
		_, h.exponent = math.Frexp(magnitude)
	}
	last = -1
	for i, v := range values {
		if !h.observed[i] {
			continue
		}
		v = math.Ldexp(v, -h.exponent)
		h.y[i] = v
		h.min, h.max = min(h.min, v), max(h.max, v)
		fill(h.y, last, i)
		last = i
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// fill writes the values strictly between the observed indices a and b on a straight
// line; a = −1 stands for none.
func fill(y []float64, a, b int) {
	for i := a + 1; i < b && a >= 0; i++ {
		w := float64(i-a) / float64(b-a)
		y[i] = y[a]*(1-w) + y[b]*w
	}
}

// unscale turns a model's value back into the unit of the input.
func (h *history) unscale(v float64) float64 {
	v = math.Ldexp(v, h.exponent)
	return min(max(v, -math.MaxFloat64), math.MaxFloat64)
}
