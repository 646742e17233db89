package forecast

import (
	"fmt"
	"math"
	"slices"
)

// ARRidge is an autoregression on recent and seasonal lags, fitted by ridge
// regression with exponentially fading weights and iterated over the horizon:
//
//	y[t] = β₀ + Σ_l β_l·y[t−l] + Σ_k (a_k·sin 2πkt/m + b_k·cos 2πkt/m) + ε
//	ŷ[T+h] by putting ŷ for unknown y
//
// The lags are 1, 2, 3, 4, 6 and 12 points, one to six days, a week, and one
// point to either side of the day and the week; with Long every point of the
// first day (24 at most) and the neighbours of two and three days and of six,
// seven and eight days. Lags that leave fewer than three rows per coefficient are
// left out. λ is 0.001 (0.003 with Long or Difference) of the mean square of the lags; the
// weights fall to 0.22 over the history. Harmonics waves of the day, k = 1 … K,
// keep the shape of the day alive where the iteration forgets it. With Difference it works on
// y[t] − y[t−m], m one day, without β₀, and adds the day before again. With Log it works on the logarithm, where
// multiplicative seasons are linear, if no value is negative. Forecasts stay
// within half the range around what was seen. Without Log equivariant to scale
// and shift. Prefer HourOfDayMedian on series of spikes. Time O(n·p² + h·p) with
// p = 18 (44 with Long); rolling origins share the pass and add p³/6 each.
type ARRidge struct {
	Log        bool `yaml:"log"`
	Long       bool `yaml:"long"`
	Harmonics  int  `yaml:"harmonics"`  // at least 0; fewer than half a day's points are used
	Difference bool `yaml:"difference"` // from one day before
}

func newARRidge(decode func(any) error) (Forecaster, error) {
	p := ARRidge{Log: true, Long: false, Harmonics: 0, Difference: false}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Harmonics < 0 {
		return nil, fmt.Errorf("harmonics is %d, want at least 0", p.Harmonics)
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
	room := n - 3*(len(lags)+2*p.harmonics(g)) - m
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
	if p.Difference {
		differenced[arRows]{arRows{p}}.project(dst, y, ends, g, s)
		return
	}
	arRows{p}.project(dst, y, ends, g, s)
}

// arRows is the regression itself, of y or of its differences.
type arRows struct{ ARRidge }

func (p arRows) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
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
func (p arRows) shared(dst [][]float64, y []float64, ends []int, lags []int, g grid, s *Scratch) {
	if len(lags) == 0 {
		repeat{long: false}.project(dst, y, ends, g, s)
		return
	}
	mk := s.mark()
	defer s.release(mk)
	lambda, constant, centre := 1e-3, 1.0, mean(y[:ends[0]])
	if p.Difference {
		constant, centre = 0, 0
	}
	if p.Long || p.Difference {
		lambda = 3e-3
	}
	longest := lags[len(lags)-1]
	waves := p.waves(y[:ends[0]], longest, len(lags), g, s)
	f := arFit{lags: lags, constant: constant, centre: centre, low: 0, high: 0}
	r := newWavyRidge(1+len(lags), waves, s)
	f.low, f.high = bounds(y[:ends[0]])
	centred := s.floats(ends[len(ends)-1])
	for t, v := range y[:len(centred)] {
		centred[t] = v - centre
	}
	grow := 1 / recency(len(centred))
	w := 1.0
	t := longest
	for i, end := range ends {
		for _, v := range y[ends[max(i-1, 0)]:end] {
			f.low, f.high = min(f.low, v), max(f.high, v)
		}
		for ; t < end; t++ {
			f.fill(r.x, centred, t)
			if waves.columns > 0 {
				r.waves.add(r.x, centred[t], w, t)
			}
			r.add(centred[t], w)
			w *= grow
		}
		f.iterate(dst[i], centred[:end], r.solve(lambda), &r.waves, s)
	}
}

// harmonics returns how many waves the day has room for.
func (p ARRidge) harmonics(g grid) int { return max(0, min(p.Harmonics, (g.season-1)/2)) }

// waves returns the harmonics of the day in the unit of y; none if there are rows for less than
// three to a coefficient.
func (p ARRidge) waves(y []float64, longest, lags int, g grid, s *Scratch) waveSums {
	k := p.harmonics(g)
	if k < 1 || len(y)-longest < 3*(1+lags+2*k) {
		return waveSums{}
	}
	sum, centre := 0.0, mean(y)
	for _, v := range y {
		sum += (v - centre) * (v - centre)
	}
	return newWaveSums(k, g.season, 1+lags, math.Sqrt(sum/float64(len(y))), s)
}

// arFit is what a fit and its iteration share.
type arFit struct {
	lags      []int
	constant  float64 // 1, or 0 for a regression through the origin
	centre    float64
	low, high float64 // what was seen
}

// fill writes the regressors for time t into x, but for those of waves.
func (f *arFit) fill(x, centred []float64, t int) {
	x[0] = f.constant
	lagged := x[1 : 1+len(f.lags)]
	for j, l := range f.lags {
		lagged[j] = centred[t-l]
	}
}

// iterate forecasts dst step by step with coefficients beta.
func (f *arFit) iterate(dst, centred, beta []float64, waves *waveSums, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	n, longest := len(centred), f.lags[len(f.lags)-1]
	z := s.floats(longest + len(dst))
	copy(z, centred[n-longest:])
	slack := (f.high - f.low) / 2
	low, high := f.low-slack-f.centre, f.high+slack-f.centre
	constant, onLags := f.constant*beta[0], beta[1:1+len(f.lags)]
	wave := s.floats(max(1, min(waves.season, len(dst))))
	if waves.columns > 0 {
		waves.onPhases(wave, beta[1+len(f.lags):], n)
	}
	phase := 0
	for k := range dst {
		v := constant + wave[phase] + lagged(z[:longest+k], f.lags, onLags)
		if phase++; phase == len(wave) {
			phase = 0
		}
		v = within(v, low, high)
		z[longest+k], dst[k] = v, v+f.centre
	}
}

// lagged returns Σ_j b[j]·z[n − lags[j]], n the length of z, in four sums, so that none waits for the
// one before.
func lagged(z []float64, lags []int, b []float64) float64 {
	b = b[:len(lags)]
	s0, s1, s2, s3 := 0.0, 0.0, 0.0, 0.0
	n, j := len(z), len(lags)
	for ; j >= 4; j -= 4 {
		s0 += b[j-1] * z[n-lags[j-1]]
		s1 += b[j-2] * z[n-lags[j-2]]
		s2 += b[j-3] * z[n-lags[j-3]]
		s3 += b[j-4] * z[n-lags[j-4]]
	}
	for ; j > 0; j-- {
		s0 += b[j-1] * z[n-lags[j-1]]
	}
	return (s1 + s2) + (s3 + s0)
}

func bounds(y []float64) (low, high float64) {
	low, high = y[0], y[0]
	for _, v := range y {
		if v < low {
			low = v
		} else if v > high {
			high = v
		}
	}
	return low, high
}

// within returns v, or the limit it is beyond. NaN stays.
func within(v, low, high float64) float64 {
	if v < low {
		return low
	} else if v > high {
		return high
	}
	return v
}
