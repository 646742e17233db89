package num

import "math"

// Symmetric is the lower triangle of a symmetric matrix of order N, row by row:
// element (i, j) with j ≤ i is Data[i(i+1)/2 + j].
//
// It exists beside gonum's mat.SymDense because a forecast solves dozens of
// systems of order 10 to 50 in memory that it reuses: mat.Cholesky allocates its
// factor and calls through BLAS, which at these orders costs more than the
// arithmetic (BenchmarkSolve).
type Symmetric struct {
	N    int
	Data []float64
}

// Packed returns the number of elements of a Symmetric of order n.
func Packed(n int) int { return n * (n + 1) / 2 }

// AddOuter adds w·x·xᵀ to a. x has length N, else it panics. O(N²).
func (a Symmetric) AddOuter(w float64, x []float64) {
	if len(x) != a.N {
		panic("num: slice length mismatch")
	}
	row := a.Data
	for i, v := range x {
		v *= w
		r := row[: i+1 : i+1]
		xs := x[:len(r)]
		for j := range r {
			r[j] += v * xs[j]
		}
		row = row[i+1:]
	}
}

// AddOuters adds w[k]·x[k]·x[k]ᵀ for four rows to a, in little more than half the time
// of four calls of AddOuter: each element of a is read and written once. Every row has length N and
// there are four of both, else it panics. O(N²).
func (a Symmetric) AddOuters(w []float64, x [][]float64) {
	if len(w) != 4 || len(x) != 4 {
		panic("num: slice length mismatch")
	}
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	if len(x0) != a.N || len(x1) != a.N || len(x2) != a.N || len(x3) != a.N {
		panic("num: slice length mismatch")
	}
	row := a.Data
	for i := range x0 {
		v0, v1, v2, v3 := w[0]*x0[i], w[1]*x1[i], w[2]*x2[i], w[3]*x3[i]
		r := row[: i+1 : i+1]
		y0, y1, y2, y3 := x0[:len(r)], x1[:len(r)], x2[:len(r)], x3[:len(r)]
		for j := range r {
			r[j] += v0*y0[j] + v1*y1[j] + (v2*y2[j] + v3*y3[j])
		}
		row = row[i+1:]
	}
}

// Solve solves A·x = b in place: b becomes x, and a its Cholesky factor. A must
// be positive semi-definite; a pivot that is not above 1e-14 of the largest
// diagonal element is raised to it, which sends the direction it belongs to
// towards zero. b has length N, else it panics. O(N³/6). Golub and Van Loan,
// Matrix Computations, 4th ed., §4.2.
func (a Symmetric) Solve(b []float64) {
	n := a.N
	if len(b) != n {
		panic("num: slice length mismatch")
	}
	floor := 0.0
	for i := range n {
		floor = max(floor, a.Data[Packed(i)+i])
	}
	floor = max(floor*1e-14, math.SmallestNonzeroFloat64)
	for i := range n {
		ri := a.Data[Packed(i) : Packed(i)+i+1]
		for j := range i {
			rj := a.Data[Packed(j) : Packed(j)+j+1]
			ri[j] = (ri[j] - Dot(ri[:j], rj[:j])) / rj[j]
		}
		sum := ri[i] - Dot(ri[:i], ri[:i])
		ri[i] = math.Sqrt(max(sum, floor))
	}
	for i := range n {
		ri := a.Data[Packed(i) : Packed(i)+i+1]
		b[i] = (b[i] - Dot(ri[:i], b[:i])) / ri[i]
	}
	for i := n - 1; i >= 0; i-- {
		b[i] /= a.Data[Packed(i)+i]
		for k, v := range a.Data[Packed(i) : Packed(i)+i] {
			b[k] -= v * b[i]
		}
	}
}

// Dot returns Σ a[k]·b[k] in four sums, so that none waits for the one before. b is as long as a,
// or longer, else it panics.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	s0, s1, s2, s3 := 0.0, 0.0, 0.0, 0.0
	k := 0
	for ; k+4 <= len(a); k += 4 {
		s0 += a[k] * b[k]
		s1 += a[k+1] * b[k+1]
		s2 += a[k+2] * b[k+2]
		s3 += a[k+3] * b[k+3]
	}
	for ; k < len(a); k++ {
		s0 += a[k] * b[k]
	}
	return (s0 + s1) + (s2 + s3)
}
