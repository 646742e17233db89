package detect

import "math"

// A scale tracks how far values usually lie from the expectation: the mean
// absolute residual, overall and by hour of the day.
type scale struct {
	all  float64
	hour [24]float32 // 0 until that hour was seen
}

const (
	// An hour may be at most that much calmer than the whole day, so that one
	// silent hour does not make its first twitch an alert.
	calmestHour = 0.3
	// Residuals below that share of the level, or of the range of usual values,
	// are taken for rounding.
	resolution = 1e-9
	// The least scale of all; only a series of zeros gets there.
	tiny = 1e-300
)

// at returns the scale for an hour of the day: the geometric mean of the hour's
// and the overall scale, never below floor.
func (s *scale) at(hour int, floor float64) float64 {
	v := s.all
	if h := float64(s.hour[hour]); h > 0 {
		v = math.Sqrt(max(h, calmestHour*s.all)) * math.Sqrt(s.all)
	}
	return max(v, floor)
}

// floor returns the least scale there can be around level in a series of which
// the usual values span width. It is > 0. Residuals of that size say nothing of
// the next one.
func floor(level, width float64) float64 {
	return max(resolution*math.Abs(level), resolution*width, tiny)
}

// learn takes an absolute residual with weight g overall and gh in its hour.
func (s *scale) learn(abs float64, hour int, g, gh float64) {
	s.all += g * (abs - s.all)
	if s.hour[hour] == 0 {
		s.hour[hour] = single(abs)
		return
	}
	h := float64(s.hour[hour])
	s.hour[hour] = single(h + gh*(abs-h))
}
