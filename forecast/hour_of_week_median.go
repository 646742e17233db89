package forecast

import "fmt"

// HourOfWeekMedian forecasts every phase of the week by the median of that phase
// over the last weeks:
//
//	ŷ[T+h] = median{ y[T+h−m·j] : j = ⌈h/m⌉ … ⌈h/m⌉+W−1 },  m = one week
//
// With fewer than three weeks of history, or on a grid without a day and a week,
// it is HourOfDayMedian over 14 days: the median of two values is their mean and
// no longer robust. Equivariant to scale and shift. Time O(n + W·m).
type HourOfWeekMedian struct {
	Weeks int `yaml:"weeks"` // looked back, at least 3
}

func newHourOfWeekMedian(decode func(any) error) (Forecaster, error) {
	p := HourOfWeekMedian{Weeks: 8}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Weeks < minWeeks {
		return nil, fmt.Errorf("weeks is %d, want at least %d", p.Weeks, minWeeks)
	}
	return single("hour_of_week_median", p), nil
}

const minWeeks = 3

func (p HourOfWeekMedian) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	short := 0
	for short < len(ends) && (g.long == 0 || ends[short] < minWeeks*g.long) {
		short++
	}
	rollingMedians(dst[:short], y, ends[:short], g.season, 14, s)
	rollingMedians(dst[short:], y, ends[short:], g.long, p.Weeks, s)
}
