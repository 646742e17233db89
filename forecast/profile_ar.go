package forecast

import (
	"fmt"

	"github.com/upid/upid/forecast/num"
)

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
	profiles := s.table(len(ends))
	for i := range profiles {
		profiles[i] = s.floats(m)
	}
	rollingMedians(profiles, y, ends, m, p.Days, s)
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
		profile := profiles[i]
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
	longest, count := lags[len(lags)-1], len(lags)
	a, beta := num.Symmetric{N: count, Data: s.floats(num.Packed(count))}, s.floats(count)
	lag := func(l int) []float64 { return d[longest-l : n-l] }
	trace := 0.0
	for i, l := range lags {
		row := a.Data[num.Packed(i):]
		for j, k := range lags[:i+1] {
			row[j] = num.Dot(lag(l), lag(k))
		}
		trace += row[i] / float64(count)
		beta[i] = num.Dot(lag(0), lag(l))
	}
	for i := range lags {
		a.Data[num.Packed(i)+i] += 1e-3 * trace
	}
	a.Solve(beta)
	low, high := bounds(d[:n])
	for k := range dst {
		v := within(lagged(d[:n+k], lags, beta), low, high)
		d[n+k], dst[k] = v, v
	}
}
