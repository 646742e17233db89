package forecast

// Drift continues the straight line from the first to the last value:
//
//	ŷ[T+h] = y[T] + h·(y[T] − y[1])/(T − 1)
//
// It is what a random walk with a constant step expects. Two values decide, so
// prefer Theta if the values are noisy, and anything with a season where there is one. One
// value is repeated. Equivariant to scale and shift. Time O(h).
//
// Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., §5.2.
type Drift struct{}

func newDrift(decode func(any) error) (Forecaster, error) {
	var p Drift
	if err := decode(&p); err != nil {
		return nil, err
	}
	return single("drift", p), nil
}

func (Drift) project(dst [][]float64, y []float64, ends []int, _ grid, _ *Scratch) {
	for i, end := range ends {
		last, slope := y[end-1], 0.0
		if end > 1 {
			slope = (last - y[0]) / float64(end-1)
		}
		for h := range dst[i] {
			dst[i][h] = last + slope*float64(h+1)
		}
	}
}
