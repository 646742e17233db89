package forecast

import "slices"

// ARRidge is an autoregression on recent and seasonal lags, fitted by ridge
// regression with exponentially fading weights and iterated over the horizon:
//
//	y[t] = β₀ + Σ_l β_l·y[t−l] + ε,  ŷ[T+h] by putting ŷ for unknown y
//
// The lags are 1, 2, 3, 4, 6 and 12 points, one to six days, a week, and one
// point to either side of the day and the week; with Long every point of the
// first day (24 at most) and the neighbours of two and three days and of six,
// seven and eight days. Lags that leave fewer than three rows per coefficient are
// left out. λ is 0.001 (0.003 with Long) of the mean square of the lags; the
// weights fall to 0.22 over the history. With Log it works on the logarithm, where
// multiplicative seasons are linear, if no value is negative. Forecasts stay
// within half the range around what was seen. Without Log equivariant to scale
// and shift. Prefer HourOfDayMedian on series of spikes. Time O(n·p² + h·p) with
// p = 18 (44 with Long); rolling origins share the pass and add p³/6 each.
type ARRidge struct {
	Log  bool `yaml:"log"`
	Long bool `yaml:"long"`
}

func newARRidge(decode func(any) error) (Forecaster, error) {
	p := ARRidge{Log: true, Long: false}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Log {
		return single("ar_ridge", logged{p}), nil
	}
	return single("ar_ridge", p), nil
}

// appendLags appends the lags for a history of n points in rising order.
func (p ARRidge) appendLags(lags []int, n int, g grid) []int {
	m, w := g.season, g.long
	if p.Long {
		for l := 1; l <= min(m, maxShortLags); l++ {
			lags = append(lags, l)
		}
		lags = append(lags, m-1, m, m+1, m+2, 2*m-1, 2*m, 2*m+1, 3*m-1, 3*m, 3*m+1, 4*m, 5*m)
		if w > 0 {
			lags = append(lags, w-m-1, w-m, w-m+1, w-2, w-1, w, w+1, w+2, w+m)
		}
	} else {
		lags = append(lags, 1, 2, 3, 4, 6, 12)
		if m > 1 {
			lags = append(lags, m-1, m, m+1, 2*m, 3*m, 4*m, 5*m, 6*m)
		}
		if w > 0 {
			lags = append(lags, w-1, w, w+1)
		}
	}
	slices.Sort(lags)
	lags = slices.Compact(lags)
	room := n - 3*len(lags) - m
	fits := lags[:0]
	for _, l := range lags {
		if l > 0 && l < room {
			fits = append(fits, l)
		}
	}
	if len(fits) >= 3 {
		return fits
	}
	fits = fits[:0]
	for _, l := range [...]int{1, 2, m, m + 1} {
		if l < n-12 && !slices.Contains(fits, l) {
			fits = append(fits, l)
		}
	}
	slices.Sort(fits)
	return fits
}

// lagRoom is enough for two lists of lags, so that the second does not allocate.
const lagRoom = 128

// maxShortLags bounds the lags of the first day on fine grids, where more would
// cost O(n·p²) and say little.
const maxShortLags = 24

func (p ARRidge) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	// Ends with the same lags share one pass over the history.
	for first := 0; first < len(ends); {
		s.lags = p.appendLags(slices.Grow(s.lags[:0], lagRoom), ends[first], g)
		count := len(s.lags)
		last := first
		for last+1 < len(ends) {
			next := p.appendLags(s.lags[count:], ends[last+1], g)
			if !slices.Equal(next, s.lags[:count]) {
				break
			}
			last++
		}
		p.shared(dst[first:last+1], y, ends[first:last+1], s.lags[:count], g, s)
		first = last + 1
	}
}

// shared projects from ends that use the same lags.
func (p ARRidge) shared(dst [][]float64, y []float64, ends []int, lags []int, g grid, s *Scratch) {
	if len(lags) == 0 {
		repeat{long: false}.project(dst, y, ends, g, s)
		return
	}
	m := s.mark()
	defer s.release(m)
	lambda := 1e-3
	if p.Long {
		lambda = 3e-3
	}
	longest := lags[len(lags)-1]
	r := newRidge(len(lags)+1, s)
	n := ends[len(ends)-1]
	centre := mean(y[:ends[0]])
	low, high := bounds(y[:ends[0]])
	grow := 1 / recency(n)
	w := 1.0
	t := longest
	for i, end := range ends {
		for ; t < end; t++ {
			r.x[0] = 1
			for j, l := range lags {
				r.x[j+1] = y[t-l] - centre
			}
			r.add(y[t]-centre, w)
			w *= grow
			low, high = min(low, y[t]), max(high, y[t])
		}
		p.iterate(dst[i], y[:end], lags, r.solve(lambda), centre, low, high, s)
	}
}

// iterate forecasts dst step by step with coefficients beta.
func (p ARRidge) iterate(dst, y []float64, lags []int, beta []float64, centre, low, high float64, s *Scratch) {
	m := s.mark()
	defer s.release(m)
	longest := lags[len(lags)-1]
	z := s.floats(longest + len(dst))
	copy(z, y[len(y)-longest:])
	slack := (high - low) / 2
	for k := range dst {
		v := beta[0]
		at := longest + k
		for j, l := range lags {
			v += beta[j+1] * (z[at-l] - centre)
		}
		v = min(max(v+centre, low-slack), high+slack)
		z[at], dst[k] = v, v
	}
}

func bounds(y []float64) (low, high float64) {
	low, high = y[0], y[0]
	for _, v := range y {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}
