package forecast

import (
	"fmt"

	"github.com/upid/upid/forecast/num"
)

// DayShape adds the usual shape of a day to the level of the newest days:
//
//	ŷ[T+h] = median{ L[1] … L[R] } + median{ y[T+h−m·j] − L[j] : j = 1 … D }
//
// with m one day, L[j] the median of the j-th last day, D = Days and R = Recent,
// each or as many as there are. The shape rests on weeks, the level on days, so a
// series that moved keeps its shape at the new level. Shorter than a day, it is the
// median of everything. Equivariant to scale and shift, without Log. Time O(n).
//
// The two medians are one step of the median polish of Tukey, Exploratory Data
// Analysis, 1977, ch. 11. Prefer HourOfDayMedian if the level only wanders.
type DayShape struct {
	Days   int  `yaml:"days"`   // of the shape, at least 1
	Recent int  `yaml:"recent"` // days of the level, at least 1
	Log    bool `yaml:"log"`    // on the logarithm, if no value is negative
}

func newDayShape(decode func(any) error) (Forecaster, error) {
	p := DayShape{Days: 28, Recent: 1, Log: false}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Days < 1 || p.Recent < 1 {
		return nil, fmt.Errorf("days is %d, recent %d, want at least 1", p.Days, p.Recent)
	}
	if p.Log {
		return single("day_shape", logged{p}), nil
	}
	return single("day_shape", p), nil
}

func (p DayShape) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	m := g.season
	levels, buf, day := s.floats(p.Days), s.floats(max(p.Days, p.Recent)), s.floats(m)
	for i, end := range ends {
		days := min(p.Days, end/m)
		if days < 1 {
			level(dst[i], y[:end], end, s)
			continue
		}
		for j := range days {
			copy(day, y[end-(j+1)*m:end-j*m])
			levels[j] = num.Median(day)
		}
		base := num.Median(buf[:copy(buf, levels[:min(days, p.Recent)])])
		for h := range dst[i] {
			if h >= m {
				dst[i][h] = dst[i][h-m]
				continue
			}
			for j, l := range levels[:days] {
				buf[j] = y[end-(j+1)*m+h] - l
			}
			dst[i][h] = base + num.Median(buf[:days])
		}
	}
}
