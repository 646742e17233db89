package forecast

import "github.com/upid/upid/forecast/num"

// WeekProfile adds the shape of the week to a recent level:
//
//	ŷ[T+h] = L + median{ y[T+h−w·j] − l[j] : j = 1 … J },  w = one week
//
// where l[j] is the mean of the j-th last week, J the number of whole weeks, and
// L = Σ 0.35^(j−1)·l[j] / Σ 0.35^(j−1): the last week carries 65 %. With fewer
// than three weeks the median is a mean with weights 0.75^(j−1); with fewer than
// two the season is a day. Equivariant to scale and shift. Prefer
// HourOfWeekMedian when single weeks are disturbed. Time O(n).
type WeekProfile struct{}

func newWeekProfile(decode func(any) error) (Forecaster, error) {
	var p WeekProfile
	if err := decode(&p); err != nil {
		return nil, err
	}
	return single("week_profile", p), nil
}

func (WeekProfile) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	for i, end := range ends {
		m := g.long
		if m == 0 || end < 2*m {
			m = g.season
		}
		profile(dst[i], y[:end], m, s)
	}
}

// The fading of older seasons, per season.
const (
	levelFading = 0.35 // level: weights 65 %, 23 %, 8 %, …
	shapeFading = 0.75 // shape, where a median is not to be had
)

// profile forecasts with one season of m points.
func profile(dst, y []float64, m int, s *Scratch) {
	n := len(y)
	seasons := n / m
	if seasons == 0 {
		level(dst, y, n, s)
		return
	}
	mk := s.mark()
	defer s.release(mk)
	levels, buf := s.floats(seasons), s.floats(seasons)
	sum, total, w := 0.0, 0.0, 1.0
	for j := range levels {
		levels[j] = mean(y[n-(j+1)*m : n-j*m])
		sum += w * levels[j]
		total += w
		w *= levelFading
	}
	base := sum / total
	for h := range dst {
		if h >= m {
			dst[h] = dst[h-m]
			continue
		}
		sum, total, w = 0, 0, 1
		for j := range buf {
			buf[j] = y[n-(j+1)*m+h] - levels[j]
			sum += w * buf[j]
			total += w
			w *= shapeFading
		}
		if seasons >= minWeeks {
			dst[h] = base + num.Median(buf)
		} else {
			dst[h] = base + sum/total
		}
	}
}
