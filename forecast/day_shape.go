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
	m := g.season
	for first := 0; first < len(ends); {
		if ends[first] < m {
			level(dst[first], y[:ends[first]], ends[first], s)
			first++
			continue
		}
		last := first + 1
		for last < len(ends) && (ends[last]-ends[first])%m == 0 {
			last++
		}
		p.shared(dst[first:last], y, ends[first:last], m, s)
		first = last
	}
}

// shared projects from ends that lie whole days apart, after the first of them, so that they share the levels of days.
func (p DayShape) shared(dst [][]float64, y []float64, ends []int, m int, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	oldest, newest := ends[0]-min(p.Days, ends[0]/m)*m, ends[len(ends)-1]
	around, levels, day := s.floats(newest-oldest), s.floats((newest-oldest)/m), s.floats(m)
	for j := range levels {
		part := y[oldest+j*m:][:m]
		copy(day, part)
		levels[j] = num.Median(day)
		for i, v := range part {
			around[j*m+i] = v - levels[j]
		}
	}
	shifted := s.integers(len(ends))
	for i, end := range ends {
		shifted[i] = end - oldest
	}
	rollingMedians(dst, around, shifted, m, p.Days, s)
	buf := s.floats(min(p.Recent, p.Days, len(levels)))
	for i, row := range dst {
		until := shifted[i] / m
		base := num.Median(buf[:copy(buf, levels[max(0, until-len(buf)):until])])
		for h := range row {
			row[h] += base
		}
	}
}
