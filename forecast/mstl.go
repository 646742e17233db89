package forecast

import "math"

// MSTL splits the history into a daily season, a weekly one, a trend and a rest by
// repeated local regression (STL), repeats the last day and the last week of the
// seasons, and continues what is left by DampedETS:
//
//	y = d + w + trend + rest,  ŷ[T+h] = d[T+h−m·⌈h/m⌉] + w[T+h−7m·⌈h/7m⌉] + ets(y − d − w)[T+h]
//
// The seasonal windows are 11 days and 15 weeks, the trend's 1.5·m/(1 − 1.5/window)
// points, tricube weights, two passes over the seasons, two inner passes each, no
// robustness pass, the seasons smoothed at every point: the seasons are those of R's stl, and of mstl of its
// package forecast, to 1e-6. A season that was not seen twice is left out. With Log it works on
// the logarithm if no value is negative. It is what many forecasters do by default, kept for
// comparison: on the server traces it loses to repeating yesterday. Equivariant to
// scale and shift, without Log. Time O(n·m).
//
// Cleveland, Cleveland, McRae and Terpenning, "STL", Journal of Official Statistics
// 6(1), 1990; Bandara, Hyndman and Bergmeir, "MSTL", arXiv 2107.13462, 2021.
type MSTL struct {
	Log bool `yaml:"log"`
}

func newMSTL(decode func(any) error) (Forecaster, error) {
	p := MSTL{Log: false}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Log {
		return single("mstl", logged{p}), nil
	}
	return single("mstl", p), nil
}

func (p MSTL) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	for i, end := range ends {
		mk := s.mark()
		p.one(dst[i], y[:end], g, s)
		s.release(mk)
	}
}

func (MSTL) one(dst, y []float64, g grid, s *Scratch) {
	n := len(y)
	periods := [...]int{g.season, g.long}
	var seasons [len(periods)][]float64
	left := s.floats(n)
	copy(left, y)
	for pass := range 2 {
		for j, m := range periods {
			if m < 2 || n < 2*m+2 {
				continue
			}
			if pass == 0 {
				seasons[j] = s.floats(n)
			}
			for t := range left {
				left[t] += seasons[j][t]
			}
			stl(seasons[j], left, m, 11+4*j, s)
			for t := range left {
				left[t] -= seasons[j][t]
			}
		}
	}
	DampedETS{}.project([][]float64{dst}, left, []int{n}, grid{season: 1, long: 0, step: g.step}, s)
	for j, m := range periods {
		if seasons[j] == nil {
			continue
		}
		for h := range dst {
			dst[h] += seasons[j][n-m+h%m]
		}
	}
}

// stl sets season to the seasonal part of y with period m, smoothed over window
// cycles.
func stl(season, y []float64, m, window int, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	n := len(y)
	trendWindow := int(math.Ceil(1.5*float64(m)/(1-1.5/float64(window)))) | 1
	trend, cycle, low := s.floats(n), s.floats(n+2*m), s.floats(n+2*m)
	sub, smooth := s.floats(n/m+1), s.floats(n/m+3)
	for range 2 {
		for phase := range m {
			k := 0
			for t := phase; t < n; t += m {
				sub[k] = y[t] - trend[t]
				k++
			}
			// One cycle before and one after, for the moving averages.
			for j := range k + 2 {
				smooth[j] = local(sub[:k], float64(j-1), window, 0)
				cycle[phase+j*m] = smooth[j]
			}
		}
		length := movingMean(low, cycle, m)
		length = movingMean(low, low[:length], m)
		length = movingMean(low, low[:length], 3)
		loess(trend, low[:length], m|1) // trend holds the low pass for a moment
		for t := range season {
			season[t] = cycle[t+m] - trend[t]
		}
		for t := range low[:n] {
			low[t] = y[t] - season[t]
		}
		loess(trend, low[:n], trendWindow)
	}
}

// movingMean sets dst to the means of w neighbours of x and returns how many there
// are. dst may be x.
func movingMean(dst, x []float64, w int) int {
	sum := 0.0
	for _, v := range x[:w] {
		sum += v
	}
	count := len(x) - w + 1
	for i := range count {
		first := x[i]
		next := 0.0
		if i+w < len(x) {
			next = x[i+w]
		}
		dst[i] = sum / float64(w)
		sum += next - first
	}
	return count
}

// loess smooths x with lines over w points into dst, at every tenth of the window
// and in between on straight lines.
func loess(dst, x []float64, w int) {
	n := len(dst)
	jump := max(1, (w+9)/10)
	from, at := 0, local(x, 0, w, 1)
	for from < n-1 {
		to := min(from+jump, n-1)
		next := local(x, float64(to), w, 1)
		for t := from; t <= to; t++ {
			f := float64(t-from) / float64(to-from)
			dst[t] = at*(1-f) + next*f
		}
		from, at = to, next
	}
	if n == 1 {
		dst[0] = at
	}
}

// local returns the weighted mean (degree 0) or line (degree 1) through the w
// values of x nearest to position p, at p.
func local(x []float64, p float64, w, degree int) float64 {
	n := len(x)
	from, to := 0, n
	if w < n {
		from = min(max(int(math.Round(p))-w/2, 0), n-w)
		to = from + w
	}
	reach := max(p-float64(from), float64(to-1)-p)
	if w > n {
		reach += float64((w - n) / 2) // whole points, as in the authors' program
	}
	reach = max(reach, 0.5)
	var s0, s1, s2, t0, t1 float64
	for i := from; i < to; i++ {
		d := float64(i) - p
		u := math.Abs(d) / reach
		if u > 0.999 {
			continue
		}
		u = 1 - u*u*u
		weight := u * u * u
		s0 += weight
		t0 += weight * x[i]
		if degree > 0 {
			s1 += weight * d
			s2 += weight * d * d
			t1 += weight * d * x[i]
		}
	}
	if s0 == 0 {
		return x[min(max(int(p), 0), n-1)]
	}
	if det := s0*s2 - s1*s1; degree > 0 && det > 1e-9*s0*s2 {
		return (s2*t0 - s1*t1) / det
	}
	return t0 / s0
}
