package forecast

// Theta is simple exponential smoothing with half the slope of the whole history, on
// the history without its mean day:
//
//	l[t] = l[t−1] + α·(y[t] − l[t−1])
//	ŷ[T+h] = l[T] + ½·b·(h − 1 + 1/α − (1−α)ᵀ/α), plus the mean day
//
// with b the least-squares slope of y on t, and α of 0.02, 0.05, 0.1, 0.2, … 0.9, 0.98 the one with
// the least Σ (y[t] − l[t−1])²; l starts as the first value. Equivariant to scale and
// shift. Prefer HourOfDayMedian on series that do not trend. Time O(n) for each α.
//
// Assimakopoulos and Nikolopoulos, "The theta model", International Journal of
// Forecasting 16(4), 2000, in the form of Hyndman and Billah, "Unmasking the Theta
// method", IJF 19(2), 2003.
type Theta struct{}

func newTheta(decode func(any) error) (Forecaster, error) {
	var p Theta
	if err := decode(&p); err != nil {
		return nil, err
	}
	return single("theta", p), nil
}

var thetaAlphas = [...]float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98}

func (Theta) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	for i, end := range ends {
		mk := s.mark()
		a := adjust(y[:end], g, s)
		theta(dst[i], a.y)
		a.restore(dst[i])
		s.release(mk)
	}
}

// theta continues y, which has no season.
func theta(dst, y []float64) {
	alpha, level, best := 0.0, 0.0, 0.0
	for i, a := range thetaAlphas {
		l, sum := y[0], 0.0
		for _, v := range y[1:] {
			e := v - l
			sum += e * e
			l += a * e
		}
		if i == 0 || sum < best {
			alpha, level, best = a, l, sum
		}
	}
	half := slope(y) / 2
	fading := 1.0 // (1−α)ᵀ
	for range y {
		fading *= 1 - alpha
	}
	for h := range dst {
		dst[h] = level + half*(float64(h)+(1-fading)/alpha)
	}
}

// slope returns the least-squares slope of y on its index, 0 for one value. O(n).
func slope(y []float64) float64 {
	n := float64(len(y))
	if n < 2 {
		return 0
	}
	centre := (n - 1) / 2
	sum := 0.0
	for t, v := range y {
		sum += (float64(t) - centre) * v
	}
	return sum * 12 / (n * (n*n - 1))
}
