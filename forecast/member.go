package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// A member makes point forecasts from several ends of one history at once, so
// that rolling origins share their work. It is safe for concurrent use.
type member interface {
	// project fills dst[i] with a forecast of what follows y[:ends[i]], from
	// nothing but y[:ends[i]] (and, where the type says so, settings that do not
	// depend on single values). ends ascend and are at least 1; y is finite and
	// not changed. Every length of history gives finite values.
	project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch)
}

// named is a member under the name that Forecast.Members shows.
type named struct {
	name string
	member
}

// repeat is the seasonal naive point forecast as a member.
type repeat struct{ long bool } // the long season instead of the short

func (m repeat) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	season := g.season
	if m.long && g.long > 0 {
		season = g.long
	}
	fixedSeason(season).project(dst, y, ends, g, s)
}

// level fills dst with the median of the last w values of y, or of all.
func level(dst, y []float64, w int, s *Scratch) {
	m := s.mark()
	defer s.release(m)
	buf := s.floats(min(w, len(y)))
	copy(buf, y[len(y)-len(buf):])
	v := num.Median(buf)
	for i := range dst {
		dst[i] = v
	}
}

// logged makes a member work on z = log(y + c) with c = ⅕ of the mean, the same
// c for all ends, and takes the exponential back:
//
//	ŷ = exp(ẑ) − c
//
// Multiplicative seasons become additive and spikes lose their leverage. The
// shift keeps zeros finite: a value of zero lies log 6 ≈ 1.8 below the mean. For
// histories without negative values and with a positive mean only.
type logged struct{ member }

func (m logged) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	l := s.logs
	if !l.of(y) {
		l = takeLogs(y, s)
	}
	m.member.project(dst, l.z, ends, g, s)
	for _, row := range dst {
		for k, v := range row {
			row[k] = math.Exp(v) - l.shift
		}
	}
}

// logs is what logged makes of y, taken once for all members.
type logs struct {
	y, z  []float64
	shift float64
}

func takeLogs(y []float64, s *Scratch) logs {
	l := logs{y: y, z: s.floats(len(y)), shift: logShift * mean(y)}
	for i, v := range y {
		l.z[i] = math.Log(v + l.shift)
	}
	return l
}

// of reports whether l was taken of this very slice.
func (l logs) of(y []float64) bool { return len(l.y) == len(y) && len(y) > 0 && &l.y[0] == &y[0] }

const logShift = 0.2

// differenced makes a member work on z[t] = y[t] − y[t−m], m one season, and adds
// what it forecasts to the season before:
//
//	ŷ[T+h] = ẑ[T+h] + y[T+h−m], with ŷ for unknown y
//
// A level that moved stays moved, and the season needs no coefficients. A history
// with less than two seasons after the first is repeated instead.
type differenced[M member] struct{ member M } // generic, so that nothing is boxed

func (m differenced[M]) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	mk := s.mark()
	defer s.release(mk)
	lag, first := g.season, 0
	for first < len(ends) && ends[first] < 3*lag {
		first++
	}
	repeat{long: false}.project(dst[:first], y, ends[:first], g, s)
	if first == len(ends) {
		return
	}
	z := s.floats(len(y) - lag)
	for t := range z {
		z[t] = y[t+lag] - y[t]
	}
	shifted := s.integers(len(ends) - first)
	for i := range shifted {
		shifted[i] = ends[first+i] - lag
	}
	m.member.project(dst[first:], z, shifted, g, s)
	for i, end := range ends[first:] {
		row := dst[first+i]
		for k := range row {
			if k < lag {
				row[k] += y[end-lag+k]
			} else {
				row[k] += row[k-lag]
			}
		}
	}
}

// clipped keeps the forecasts of a member inside [low, high] and replaces what
// is not a number by the median of the history.
type clipped struct {
	member
	low, high float64
}

func (m clipped) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	m.member.project(dst, y, ends, g, s)
	for i, row := range dst {
		for k, v := range row {
			if math.IsNaN(v) {
				level(row, y[:ends[i]], ends[i], s)
				break
			}
			row[k] = min(max(v, m.low), m.high)
		}
	}
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
