package detect

import "math"

// A shape compares the last eight standardised residuals with how such runs
// usually look: their Mahalanobis norm √(xᵀC⁻¹x / 8) under a discounted
// covariance C. Residuals that are each in order but do not belong together
// stand out. It is an online relative of Sub-PCA.
type shape struct {
	x     [lags]float32     // newest first
	cov   [triangle]float32 // lower triangle of C, by rows
	white [triangle]float32 // that of the inverse of the Cholesky factor of C + ridge, some points old
}

const (
	lags     = 8
	triangle = lags * (lags + 1) / 2
	// Residuals beyond that many scales count as that.
	shapeClip = 30
	// Added to the diagonal: that share of its mean, which keeps the factor real,
	// and a tenth of a scale squared, which keeps a calm stretch from collapsing it.
	shapeRidge, shapeFloor = 1e-3, 0.01
)

func newShape() shape {
	var s shape
	for i := range lags {
		s.cov[cell(i, i)], s.white[cell(i, i)] = 1, 1
	}
	return s
}

// cell returns the index of row i and column j ≤ i in a triangle.
func cell(i, j int) int { return i*(i+1)/2 + j }

// push puts the newest standardised residual in.
func (s *shape) push(z float64) {
	copy(s.x[1:], s.x[:lags-1])
	s.x[0] = float32(min(max(z, -shapeClip), shapeClip))
}

// norm returns the Mahalanobis norm of the last residuals: 36 multiplications.
func (s *shape) norm() float64 {
	sum := 0.0
	w := s.white[:]
	for i := range lags {
		y := 0.0
		for j, a := range w[:i+1] {
			y += float64(a) * float64(s.x[j])
		}
		w = w[i+1:]
		sum += y * y
	}
	return math.Sqrt(sum / lags)
}

// A summary of the residuals in x.
type summary struct {
	newest, largest float64 // the greatest |residual| of the newest four, and of all
	extreme         float64 // the residual that is largest, with its sign: what a run of values is odd by; the newest may be on its way back
	mean            float64 // of |residual|, each counted as a burst does
	turns           int     // pairs of neighbours with different signs
}

func (s *shape) summary() summary {
	var m summary
	for i, x := range s.x {
		v := float64(x)
		a := math.Abs(v)
		if a > m.largest {
			m.largest, m.extreme = a, v
		}
		if i == recentPoints-1 {
			m.newest = m.largest
		}
		m.mean += min(a, burstClip)
		if i > 0 && x*s.x[i-1] < 0 {
			m.turns++
		}
	}
	m.mean /= lags
	return m
}

// learn moves the covariance towards the newest run, shrunk by the factor f,
// with gain g.
func (s *shape) learn(f, g float64) {
	f *= f
	k := 0
	for i := range lags {
		x := g * f * float64(s.x[i])
		for j := range i + 1 {
			c := float64(s.cov[k])
			s.cov[k] = float32(c + x*float64(s.x[j]) - g*c)
			k++
		}
	}
}

// factor brings white up to date. A covariance that is not positive definite
// leaves it as it was.
func (s *shape) factor() {
	trace := 0.0
	for i := range lags {
		trace += float64(s.cov[cell(i, i)])
	}
	ridge := shapeRidge*trace/lags + shapeFloor
	var l, w [lags][lags]float64
	for i := range lags {
		for j := range i + 1 {
			v := float64(s.cov[cell(i, j)])
			if i == j {
				v += ridge
			}
			for k := range j {
				v -= l[i][k] * l[j][k]
			}
			if i != j {
				l[i][j] = v / l[j][j]
				continue
			}
			if v <= 0 {
				return
			}
			l[i][i] = math.Sqrt(v)
		}
	}
	for i := range lags { // L·W = 1, by forward substitution
		w[i][i] = 1 / l[i][i]
		for j := range i {
			v := 0.0
			for k := j; k < i; k++ {
				v -= l[i][k] * w[k][j]
			}
			w[i][j] = v * w[i][i]
		}
	}
	for i := range lags {
		for j := range i + 1 {
			s.white[cell(i, j)] = float32(w[i][j])
		}
	}
}
