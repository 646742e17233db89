package forecast

import "github.com/upid/upid/forecast/num"

// DampedETS is exponential smoothing with a damped additive trend on the history
// without its mean day, ETS(A,Ad,N):
//
//	ε[t] = y[t] − l[t−1] − φ·b[t−1]
//	l[t] = l[t−1] + φ·b[t−1] + α·ε[t],  b[t] = φ·b[t−1] + β·ε[t]
//	ŷ[T+h] = l[T] + (φ + φ² + … + φʰ)·b[T], plus the mean day
//
// α ∈ (0, 1), β ∈ (0, α) and φ ∈ (0.8, 0.98) minimise Σ ε² by Simplex; l starts as
// the mean of the first season, b as 0. Rolling origins start the search from the
// parameters of the one before. Equivariant to scale and shift. It carries the last level on, so prefer
// HourOfDayMedian on series of spikes. Time O(n) for each of about 150 evaluations.
//
// Gardner and McKenzie, "Forecasting trends in time series", Management Science
// 31(10), 1985; Hyndman, Koehler, Ord and Snyder, Forecasting with Exponential
// Smoothing, 2008, ch. 2.
type DampedETS struct{}

func newDampedETS(decode func(any) error) (Forecaster, error) {
	var p DampedETS
	if err := decode(&p); err != nil {
		return nil, err
	}
	return single("damped_ets", p), nil
}

func (DampedETS) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	q := s.floats(3)
	q[1], q[2] = -3, 1
	iterations := coldIterations
	for i, end := range ends {
		inner := s.mark()
		a := adjust(y[:end], g, s)
		f := damped{first: mean(a.y[:min(len(a.y), max(4, g.season))])}
		f.fit(q, a.y, iterations, s)
		iterations = warmIterations
		f.forecast(dst[i], q, a.y)
		a.restore(dst[i])
		s.release(inner)
	}
}

// damped is the state of the filter.
type damped struct{ first, level, trend float64 }

func (f *damped) fit(q, y []float64, iterations int, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	num.Simplex(func(q []float64) float64 { return f.run(q, y) }, q, 1, iterations, s.floats(num.SimplexWork(len(q))))
}

// run filters y and returns Σ ε².
func (f *damped) run(q, y []float64) float64 {
	alpha, beta, phi := decodeDamped(q)
	level, trend, sum := f.first, 0.0, 0.0
	for _, v := range y {
		at := level + phi*trend
		e := v - at
		sum += e * e
		level = at + alpha*e
		trend = phi*trend + beta*e
	}
	f.level, f.trend = level, trend
	return sum
}

func (f *damped) forecast(dst, q, y []float64) {
	f.run(q, y)
	_, _, phi := decodeDamped(q)
	sum, power := 0.0, 1.0
	for h := range dst {
		power *= phi
		sum += power
		dst[h] = f.level + sum*f.trend
	}
}

func decodeDamped(q []float64) (alpha, beta, phi float64) {
	alpha = logistic(q[0])
	return alpha, alpha * logistic(q[1]), 0.8 + 0.18*logistic(q[2])
}
