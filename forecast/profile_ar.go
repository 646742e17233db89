package forecast

import "fmt"

// ProfileAR lets the deviation from the usual day die away:
//
//	ŷ[T+h] = p[T+h] + d̂[T+h],  d[t] = y[t] − p[t],  p = HourOfDayMedian over D days
//	d[t] = β₁·d[t−1] + β₂·d[t−2] + β₃·d[t−3] + β₄·d[t−m] + ε
//
// with m one day and D = Days or as many as there are, fitted by ridge regression
// (λ 0.001 of the mean square) on those days and iterated over the horizon, inside
// what was seen of d. There is no constant, so that it ends in the profile. With fewer than two days it is the median of everything, with
// fewer than ten only the lags 1 and m are used. Equivariant to scale and shift, without Log. Time O(n).
//
// It is the regression with autoregressive errors of Hyndman and Athanasopoulos,
// Forecasting: Principles and Practice, 3rd ed., ch. 10, with medians for the
// regression. Prefer HourOfDayMedian if consecutive errors have nothing in common.
type ProfileAR struct {
	Days int  `yaml:"days"` // of the profile, at least 2
	Log  bool `yaml:"log"`  // on the logarithm, if no value is negative
}

func newProfileAR(decode func(any) error) (Forecaster, error) {
	p := ProfileAR{Days: 7, Log: true}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Days < 2 {
		return nil, fmt.Errorf("days is %d, want at least 2", p.Days)
	}
	if p.Log {
		return single("profile_ar", logged{p}), nil
	}
	return single("profile_ar", p), nil
}

func (p ProfileAR) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	m := g.season
	profile := s.floats(m)
	longest := 0
	for _, row := range dst {
		longest = max(longest, len(row))
	}
	d := s.floats(min(p.Days*m, len(y)) + longest)
	for i, end := range ends {
		days := min(p.Days, end/m)
		if days < 2 {
			level(dst[i], y[:end], end, s)
			continue
		}
		n := days * m
		phaseMedians(profile, y[:end], m, p.Days, s)
		for t := range n {
			d[t] = y[end-n+t] - profile[t%m]
		}
		p.decay(dst[i], d, n, m, s)
		for k := range dst[i] {
			dst[i][k] += profile[k%m]
		}
	}
}

// decay fits the regression to the first n values of d, continues them over the
// horizon, in d and in dst.
func (p ProfileAR) decay(dst, d []float64, n, m int, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	all := [...]int{1, 2, 3, m}
	lags := all[:]
	switch {
	case m <= 3:
		lags = all[:1]
	case n < 10*m:
		all[1] = m
		lags = all[:2]
	}
	longest := lags[len(lags)-1]
	r := newRidge(len(lags)+1, s)
	for t := longest; t < n; t++ {
		for j, l := range lags {
			r.x[j+1] = d[t-l]
		}
		r.add(d[t], 1)
	}
	beta := r.solve(1e-3)
	low, high := bounds(d[:n])
	for k := range dst {
		v := 0.0
		for j, l := range lags {
			v += beta[j+1] * d[n+k-l]
		}
		v = min(max(v, low), high)
		d[n+k], dst[k] = v, v
	}
}
