package forecast

import (
	"fmt"
	"math"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/num"
)

// SeasonalNaive repeats the last full season:
//
//	ŷ[T+h] = y[T+h−m·k],  k = ⌈h/m⌉
//
// with m = Season in points. Its interval is normal with standard error σ·√k,
// where σ is the root mean square of the observed seasonal differences
// y[t] − y[t−m]; a history without negative values has no negative bound. Gaps
// are interpolated, and count neither in σ nor in the accuracy. With fewer than
// ten seasonal differences there is no bound, only a warning. Time O(n + h).
//
// Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed.,
// §5.2 and §5.5.
type SeasonalNaive struct {
	Season Season `yaml:"season"` // points or a duration; zero is a day
}

func newSeasonalNaive(decode func(any) error) (Forecaster, error) {
	var p SeasonalNaive
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Season.Points < 0 || p.Season.Length < 0 {
		return nil, fmt.Errorf("season is %d points, %s, want at least 0", p.Season.Points, p.Season.Length)
	}
	return p, nil
}

// minDifferences is the number of seasonal differences below which no standard
// error is given: with 10 it is off by a factor of 1.25 in one case of three.
const minDifferences = 10

// Forecast returns ErrShort, wrapped, if nothing is observed. A history shorter
// than one season repeats its last value, with a warning.
func (p SeasonalNaive) Forecast(dst *series.Forecast, y series.Series, _ Calendar, s *Scratch) error {
	s.reset()
	var h history
	if err := h.clean(y, 1, s); err != nil {
		return fmt.Errorf("seasonal_naive: %w", err)
	}
	if err := prepare(dst, "seasonal_naive", y); err != nil {
		return fmt.Errorf("seasonal_naive: %w", err)
	}
	m := p.Season.points(y.Step)
	if len(h.y) < m {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("%d points, want one season of %d: the last value is repeated", len(h.y), m))
		m = 1
	}
	repeatSeason(dst.Point, h.y, m)
	squares, count := 0.0, 0.0
	for t := m; t < len(h.y); t++ {
		if h.observed[t] && h.observed[t-m] {
			d := h.y[t] - h.y[t-m]
			count++
			squares += d*d/count - squares/count
		}
	}
	band := math.NaN()
	if count >= minDifferences {
		band = math.Sqrt(squares) * num.NormalQuantile((1+dst.Level)/2)
	} else {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("%.0f seasonal differences seen, want %d for a bound", count, minDifferences))
	}
	for i, v := range dst.Point {
		width := band * math.Sqrt(float64(1+i/m))
		dst.Lower[i], dst.Upper[i] = v-width, v+width
	}
	h.finish(dst)
	return nil
}

// repeatSeason fills dst with the last m values of y, over and over.
func repeatSeason(dst, y []float64, m int) {
	last := y[len(y)-m:]
	for i := range dst {
		dst[i] = last[i%m]
	}
}
