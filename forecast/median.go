package forecast

import "fmt"

// Median forecasts one level for the whole horizon, the median of the last
// window:
//
//	ŷ[T+h] = median{ y[T−w+1] … y[T] }
//
// with w = Window, or the whole history where it is shorter. It is the member
// that survives spikes and carries no season. Equivariant to scale and shift.
// Prefer the seasonal naive forecast wherever there is a season. Time O(w).
type Median struct {
	Window Season `yaml:"window"` // points or a duration; zero is one season
}

func newMedian(decode func(any) error) (Forecaster, error) {
	var p Median
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Window.Points < 0 || p.Window.Length < 0 {
		return nil, fmt.Errorf("window is %d points, %s, want at least 0", p.Window.Points, p.Window.Length)
	}
	return single("median", p), nil
}

func (p Median) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	w := p.Window.points(g.step)
	for i, end := range ends {
		level(dst[i], y[:end], w, s)
	}
}
