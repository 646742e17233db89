package num

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func closeTo(t *testing.T, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Fatalf("got %v, want %v within %v", got, want, tol)
	}
}

func TestSelectAgreesWithSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 60; n++ {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(rng.IntN(12)) // many ties
		}
		sorted := slices.Clone(x)
		slices.Sort(sorted)
		for k := range n {
			y := slices.Clone(x)
			if got := Select(y, k); got != sorted[k] {
				t.Fatalf("Select(%v, %d) = %v, want %v", x, k, got, sorted[k])
			}
			if y[k] != sorted[k] {
				t.Fatalf("x[%d] = %v after Select, want %v", k, y[k], sorted[k])
			}
		}
	}
}

func TestQuantile(t *testing.T) {
	f := func(x []float64, p, want float64) {
		t.Helper()
		closeTo(t, Quantile(slices.Clone(x), p), want, 1e-12)
	}
	f(nil, 0.5, math.NaN())
	f([]float64{3}, 0.9, 3)
	// R 4.2: quantile(c(1, 2, 4, 8), 0.3, type = 7) is 1.9: position 0.9 between 1 and 2.
	f([]float64{8, 1, 4, 2}, 0.3, 1.9)
	f([]float64{8, 1, 4, 2}, 0, 1)
	f([]float64{8, 1, 4, 2}, 1, 8)
	f([]float64{8, 1, 4, 2}, -1, 1)
	f([]float64{8, 1, 4, 2}, 7, 8)
}

func TestMedian(t *testing.T) {
	f := func(x []float64, want float64) {
		t.Helper()
		closeTo(t, Median(slices.Clone(x)), want, 1e-12)
	}
	f(nil, math.NaN())
	f([]float64{5}, 5)
	f([]float64{5, 1}, 3)
	f([]float64{9, 1, 5}, 5)
	f([]float64{1e308, 1.5e308}, 1.25e308) // the sum would overflow
	long := make([]float64, 31)
	for i := range long {
		long[i] = float64((i * 7) % 31) // a permutation of 0 … 30
	}
	f(long, 15)
	f(long[:30], Quantile(slices.Clone(long[:30]), 0.5))
}

func TestNormalQuantile(t *testing.T) {
	// R 4.2: qnorm(c(0.5, 0.95, 0.975)).
	closeTo(t, NormalQuantile(0.5), 0, 1e-15)
	closeTo(t, NormalQuantile(0.95), 1.6448536269514722, 1e-12)
	closeTo(t, NormalQuantile(0.975), 1.959963984540054, 1e-12)
	closeTo(t, NormalQuantile(2), math.NaN(), 0)
}

// TestSolveAgainstGonum compares with mat.Cholesky on random positive definite
// systems; both are backward stable, so they agree to rounding times condition.
func TestSolveAgainstGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 5, 18, 44} {
		a := Symmetric{N: n, Data: make([]float64, Packed(n))}
		dense := mat.NewSymDense(n, nil)
		x, b := make([]float64, n), make([]float64, n)
		for range 3 * n {
			for j := range x {
				x[j] = rng.NormFloat64()
			}
			a.AddOuter(0.5, x)
			dense.SymRankOne(dense, 0.5, mat.NewVecDense(n, x))
		}
		for j := range b {
			b[j] = rng.NormFloat64()
		}
		var chol mat.Cholesky
		if !chol.Factorize(dense) {
			t.Fatal("not positive definite")
		}
		var want mat.VecDense
		if err := chol.SolveVecTo(&want, mat.NewVecDense(n, slices.Clone(b))); err != nil {
			t.Fatal(err)
		}
		a.Solve(b)
		for j, v := range b {
			closeTo(t, v, want.AtVec(j), 1e-9)
		}
	}
}

// Four rows at once are four rows.
func TestAddOuters(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 7, 38} {
		at, one := Symmetric{N: n, Data: make([]float64, Packed(n))}, Symmetric{N: n, Data: make([]float64, Packed(n))}
		w, x := []float64{1, 0.5, 2, 3}, make([][]float64, 4)
		for k := range x {
			x[k] = make([]float64, n)
			for j := range x[k] {
				x[k][j] = rng.NormFloat64()
			}
			one.AddOuter(w[k], x[k])
		}
		at.AddOuters(w, x)
		for i, v := range at.Data {
			closeTo(t, v, one.Data[i], 1e-12)
		}
	}
}

func TestSolveSingular(t *testing.T) {
	// x = (1, 1) only: the sum of the solution is determined, its difference not.
	a := Symmetric{N: 2, Data: make([]float64, 3)}
	a.AddOuter(1, []float64{1, 1})
	b := []float64{2, 2}
	a.Solve(b)
	closeTo(t, b[0]+b[1], 2, 1e-6)
	zero := Symmetric{N: 2, Data: make([]float64, 3)}
	b = []float64{0, 0}
	zero.Solve(b)
	closeTo(t, b[0], 0, 0)
}

func TestLengthsPanic(t *testing.T) {
	f := func(name string, call func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s did not panic", name)
			}
		}()
		call()
	}
	a := Symmetric{N: 2, Data: make([]float64, 3)}
	f("AddOuter", func() { a.AddOuter(1, []float64{1}) })
	f("AddOuters", func() { a.AddOuters(make([]float64, 3), make([][]float64, 4)) })
	f("AddOuters", func() { a.AddOuters(make([]float64, 4), make([][]float64, 4)) })
	f("Solve", func() { a.Solve([]float64{1}) })
	f("Simplex", func() { Simplex(func([]float64) float64 { return 0 }, []float64{1}, 1, 1, nil) })
}

func TestSimplex(t *testing.T) {
	// Rosenbrock's valley has its minimum 0 at (1, 1). Rosenbrock, Computer Journal 3, 1960.
	rosenbrock := func(x []float64) float64 {
		a, b := 1-x[0], x[1]-x[0]*x[0]
		return a*a + 100*b*b
	}
	x := []float64{-1.2, 1}
	got := Simplex(rosenbrock, x, 0.5, 400, make([]float64, SimplexWork(2)))
	closeTo(t, got, 0, 1e-8)
	closeTo(t, x[0], 1, 1e-3)
	closeTo(t, x[1], 1, 1e-3)

	// Where the function is not a number is as bad as can be.
	hole := func(x []float64) float64 { return math.Sqrt(x[0]) + 1/x[0] } // minimum at 2^(2/3)
	x = []float64{3}
	Simplex(hole, x, -5, 200, make([]float64, SimplexWork(1)))
	closeTo(t, x[0], math.Pow(2, 2.0/3), 1e-2)

	// A flat function stops at once and stays.
	calls := 0
	x = []float64{7, 7}
	Simplex(func([]float64) float64 { calls++; return 4 }, x, 1, 100, make([]float64, SimplexWork(2)))
	if calls != 3 {
		t.Fatalf("%d evaluations of a flat function, want the 3 corners", calls)
	}

	// |x|+|y| with corners makes the simplex shrink.
	x = []float64{3, -2}
	got = Simplex(func(x []float64) float64 { return math.Max(math.Abs(x[0]), math.Abs(x[1])) }, x, 1, 300, make([]float64, SimplexWork(2)))
	if got > 1 {
		t.Fatalf("got %v, want below 1", got)
	}
}

func BenchmarkSolve(b *testing.B) {
	const n = 18
	a := Symmetric{N: n, Data: make([]float64, Packed(n))}
	dense := mat.NewSymDense(n, nil)
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float64, n)
	for range 3 * n {
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		a.AddOuter(1, x)
		dense.SymRankOne(dense, 1, mat.NewVecDense(n, x))
	}
	work := Symmetric{N: n, Data: make([]float64, Packed(n))}
	rhs := make([]float64, n)
	b.Run("packed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			copy(work.Data, a.Data)
			copy(rhs, x)
			work.Solve(rhs)
		}
	})
	b.Run("gonum", func(b *testing.B) {
		b.ReportAllocs()
		var chol mat.Cholesky
		dst := mat.NewVecDense(n, rhs)
		for b.Loop() {
			chol.Factorize(dense)
			if err := chol.SolveVecTo(dst, mat.NewVecDense(n, x)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The medians of a window that moves are those of its values.
func TestWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	x := make([]float64, 200)
	for i := range x {
		x[i] = float64(rng.IntN(40)) // many ties
	}
	const width = 9
	var w Window
	for i, v := range x {
		w.Insert(v)
		if i >= width && !w.Remove(x[i-width]) {
			t.Fatalf("%v is not in %v", x[i-width], w)
		}
		if !slices.IsSorted(w) {
			t.Fatalf("%v is not sorted", w)
		}
		closeTo(t, w.Median(), Median(slices.Clone(x[max(0, i-width+1):i+1])), 0)
	}
	if w.Remove(-1) || w.Remove(99) || len(w) != width {
		t.Errorf("removed what is not there: %v", w)
	}
}
