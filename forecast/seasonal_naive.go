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
func (p SeasonalNaive) Forecast(dst *series.Forecast, y series.Series, c Calendar, s *Scratch) error {
	s.reset()
	h := &s.history
	if err := h.clean(y, 1, s); err != nil {
		return fmt.Errorf("seasonal_naive: %w", err)
	}
	h.mask(c.masked)
	if err := prepare(dst, "seasonal_naive", y); err != nil {
		return fmt.Errorf("seasonal_naive: %w", err)
	}
	m := p.Season.points(y.Step)
	if len(h.y) < m {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("%d points, want one season of %d: the last value is repeated", len(h.y), m))
		m = 1
	}
	s.naive = fixedSeason(m) // a number above 255 in an interface would be allocated
	r := roll([]named{{"seasonal_naive", &s.naive}}, h, h.silent+len(dst.Point), singleFolds, s)
	if err := s.stopped(); err != nil {
		return fmt.Errorf("seasonal_naive: %w", err)
	}
	r.point = r.members[0]
	copy(dst.Point, r.point[len(r.ends)-1][h.silent:])
	band, seen := h.seasonalDeviation(m)
	if seen >= minDifferences {
		band *= num.NormalQuantile((1 + dst.Level) / 2)
	} else {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("no interval: %d seasonal differences seen, want %d", seen, minDifferences))
		band = math.NaN()
	}
	for i, v := range dst.Point {
		width := band * math.Sqrt(float64(1+(h.silent+i)/m))
		dst.Lower[i], dst.Upper[i] = v-width, v+width
	}
	r.measure(dst, r.within(band, m), s)
	r.trust(dst, s)
	h.finish(dst)
	return nil
}

// seasonalDeviation returns the root mean square of y[t] − y[t−m] over observed
// pairs and their number.
func (h *history) seasonalDeviation(m int) (sigma float64, pairs int) {
	sum := 0.0
	for t := m; t < len(h.y); t++ {
		if h.observed[t] && h.observed[t-m] {
			d := h.y[t] - h.y[t-m]
			sum += d * d
			pairs++
		}
	}
	return math.Sqrt(sum / float64(pairs)), pairs
}

// within returns the share of held-out values that lie within band·√⌈h/m⌉ of the
// forecast; NaN if there are none or band is NaN.
func (r *rolling) within(band float64, m int) float64 {
	inside, count := 0.0, 0.0
	for i, end := range r.ends[:len(r.ends)-1] {
		for k, v := range r.point[i] {
			if !r.h.observed[end+k] || math.IsNaN(band) {
				continue
			}
			count++
			if math.Abs(r.h.y[end+k]-v) <= band*math.Sqrt(float64(1+k/m)) {
				inside++
			}
		}
	}
	return inside / count
}

// fixedSeason is the seasonal naive point forecast with a season of that many
// points, or the last value where the history is shorter.
type fixedSeason int

func (m fixedSeason) project(dst [][]float64, y []float64, ends []int, _ grid, _ *Scratch) {
	for i, end := range ends {
		season := int(m)
		if end < season {
			season = 1
		}
		repeatSeason(dst[i], y[:end], season)
	}
}

// repeatSeason fills dst with the last m values of y, over and over.
func repeatSeason(dst, y []float64, m int) {
	last := y[len(y)-m:]
	for i := range dst {
		dst[i] = last[i%m]
	}
}
