package num

import "math"

// Simplex minimises f over a few parameters by the method of Nelder and Mead
// ("A simplex method for function minimization", Computer Journal 7(4), 1965):
// reflection 1, expansion 2, contraction ½, shrinkage ½. x is the start and
// becomes the best point found; the other corners of the first simplex lie step
// away along each axis. It stops after iters iterations, or when the values at
// the corners differ by less than 1e-6 of the best. NaN counts as +∞. work has at
// least SimplexWork(len(x)) elements, else it panics. It returns f at x.
//
// It exists beside gonum's optimize.NelderMead because it runs twice for every
// series: without allocation, status or convergence settings.
func Simplex(f func([]float64) float64, x []float64, step float64, iters int, work []float64) float64 {
	n := len(x)
	if len(work) < SimplexWork(n) {
		panic("num: work too short")
	}
	value := func(x []float64) float64 {
		if v := f(x); !math.IsNaN(v) {
			return v
		}
		return math.Inf(1)
	}
	corner := func(i int) []float64 { return work[i*n : (i+1)*n] }
	values, rest := work[n*(n+1):n*(n+1)+n+1], work[n*(n+1)+n+1:]
	centre, reflected, tried := rest[:n], rest[n:2*n], rest[2*n:3*n]
	for i := range n + 1 {
		copy(corner(i), x)
		if i > 0 {
			corner(i)[i-1] += step
		}
		values[i] = value(corner(i))
	}
	for range iters {
		sortCorners(work, values, n)
		if math.Abs(values[n]-values[0]) < 1e-6*math.Abs(values[0]) || values[n] == values[0] {
			break
		}
		worst := corner(n)
		for k := range centre {
			sum := 0.0
			for i := range n {
				sum += corner(i)[k]
			}
			centre[k] = sum / float64(n)
			reflected[k] = 2*centre[k] - worst[k]
		}
		atReflected := value(reflected)
		switch {
		case atReflected < values[0]:
			for k := range tried {
				tried[k] = 3*centre[k] - 2*worst[k]
			}
			if v := value(tried); v < atReflected {
				copy(worst, tried)
				values[n] = v
				continue
			}
			copy(worst, reflected)
			values[n] = atReflected
		case atReflected < values[n-1]:
			copy(worst, reflected)
			values[n] = atReflected
		default:
			if atReflected < values[n] {
				copy(worst, reflected)
				values[n] = atReflected
			}
			for k := range tried {
				tried[k] = (centre[k] + worst[k]) / 2
			}
			if v := value(tried); v < values[n] {
				copy(worst, tried)
				values[n] = v
				continue
			}
			for i := 1; i <= n; i++ {
				c := corner(i)
				for k := range c {
					c[k] = (c[k] + corner(0)[k]) / 2
				}
				values[i] = value(c)
			}
		}
	}
	sortCorners(work, values, n)
	copy(x, corner(0))
	return values[0]
}

// SimplexWork returns the working memory Simplex needs for n parameters.
func SimplexWork(n int) int { return n*(n+1) + n + 1 + 3*n }

// sortCorners orders the n+1 corners by value, best first.
func sortCorners(corners, values []float64, n int) {
	for i := 1; i <= n; i++ {
		for j := i; j > 0 && values[j] < values[j-1]; j-- {
			values[j], values[j-1] = values[j-1], values[j]
			for k := range n {
				a, b := j*n+k, (j-1)*n+k
				corners[a], corners[b] = corners[b], corners[a]
			}
		}
	}
}
