package forecast

import (
	"fmt"

	"github.com/upid/upid/forecast/num"
)

// HourOfDayMedian forecasts every phase of the day by the median of that phase
// over the last days:
//
//	ŷ[T+h] = median{ y[T+h−m·j] : j = ⌈h/m⌉ … ⌈h/m⌉+D−1 },  m = one day
//
// with D = Days or as many as there are. On a grid whose step is a day it is the
// median by day of the week over D weeks, and without any season the median of
// the last D points. Equivariant to scale and shift. Shorter than a day, it is
// the median of everything. Time O(n + D·m), for all phases together.
//
// The median of a window is the classical robust level: Tukey, Exploratory Data
// Analysis, 1977, ch. 7. On server traces it beats every single model measured;
// prefer the seasonal naive forecast when the level has just moved.
type HourOfDayMedian struct {
	Days int `yaml:"days"` // seasons looked back, at least 1
}

func newHourOfDayMedian(decode func(any) error) (Forecaster, error) {
	p := HourOfDayMedian{Days: 7}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Days < 1 {
		return nil, fmt.Errorf("days is %d, want at least 1", p.Days)
	}
	return single("hour_of_day_median", p), nil
}

func (p HourOfDayMedian) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	rollingMedians(dst, y, ends, g.season, p.Days, s)
}

// phaseMedians repeats, season by season, the median of each of m phases over
// the last k seasons of y.
func phaseMedians(dst, y []float64, m, k int, s *Scratch) {
	n := len(y)
	k = min(k, n/m)
	if k < 1 {
		level(dst, y, n, s)
		return
	}
	mk := s.mark()
	defer s.release(mk)
	buf := s.floats(k)
	for h := range dst {
		if h >= m {
			dst[h] = dst[h-m]
			continue
		}
		for j := range buf {
			buf[j] = y[n-(j+1)*m+h]
		}
		dst[h] = num.Median(buf)
	}
}

// rollingMedians is phaseMedians from several ends. Ends that lie whole seasons apart
// share a window for each phase, which moves from end to end.
func rollingMedians(dst [][]float64, y []float64, ends []int, m, k int, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	window := num.Window(s.floats(k))
	for first := 0; first < len(ends); {
		last := first + 1
		for last < len(ends) && (ends[last]-ends[first])%m == 0 {
			last++
		}
		if ends[first] < m || last == first+1 {
			phaseMedians(dst[first], y[:ends[first]], m, k, s)
			first++
			continue
		}
		longest := 0
		for _, row := range dst[first:last] {
			longest = max(longest, len(row))
		}
		for h := range min(m, longest) {
			window = window[:0]
			from, to := ends[first]+h, ends[first]+h // the window holds y[from], y[from+m] … y[to−m]
			for i, end := range ends[first:last] {
				oldest := end + h - min(k, end/m)*m
				if i == 0 || oldest >= to {
					window, from, to = window[:0], oldest, oldest
				}
				for ; from < oldest; from += m {
					window.Remove(y[from])
				}
				for ; to < end+h; to += m {
					window.Insert(y[to])
				}
				for step := h; step < len(dst[first+i]); step += m {
					dst[first+i][step] = window.Median()
				}
			}
		}
		first = last
	}
}
