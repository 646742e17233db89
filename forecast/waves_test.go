package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A regression whose waves are summed by phase has the coefficients of one that is given every
// row in full, after every solution: 1e-9, both solve the same well conditioned equations.
func TestWaveSumsAreRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 82))
	for _, c := range [...]struct{ season, k, p int }{{24, 10, 18}, {24, 1, 1}, {10, 3, 4}, {7, 2, 5}, {288, 4, 3}} {
		var s Scratch
		waves := newWaveSums(c.k, c.season, c.p, 0.7, &s)
		short := newWavyRidge(c.p, waves, &s)
		long := newRidge(c.p+2*c.k, &s)
		w := 1.0
		for i := range 900 {
			short.x[0], long.x[0] = 1, 1
			for j := 1; j < c.p; j++ {
				short.x[j] = rng.NormFloat64()
				long.x[j] = short.x[j]
			}
			y := rng.NormFloat64()
			for j := range c.k {
				sin, cos := math.Sincos(2 * math.Pi * float64(i*(j+1)) / float64(c.season))
				long.x[c.p+2*j], long.x[c.p+2*j+1] = 0.7*sin, 0.7*cos
				y += sin
			}
			short.waves.add(short.x, y, w, i)
			short.add(y, w)
			long.add(y, w)
			w *= 1.002
			if i != 599 && i != 899 {
				continue
			}
			want, got := long.solve(1e-3), short.solve(1e-3)
			for j, v := range want {
				closeTo(t, got[j], v, 1e-9)
			}
			phases := make([]float64, min(5, c.season))
			short.waves.onPhases(phases, got[c.p:], i+1)
			for h, v := range phases {
				sum := 0.0
				for j := range c.k {
					sin, cos := math.Sincos(2 * math.Pi * float64((i+1+h)*(j+1)) / float64(c.season))
					sum += 0.7 * (sin*want[c.p+2*j] + cos*want[c.p+2*j+1])
				}
				closeTo(t, v, sum, 1e-9)
			}
		}
	}
}

// The recursion without a level is the one of the definition.
func TestSmoothingIsItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(83, 84))
	for _, n := range []int{10, 90, 400, 672} {
		y := make([]float64, n)
		for i := range y {
			y[i] = 3 + math.Sin(float64(i)/4) + 0.3*rng.NormFloat64() + float64(i)/200
		}
		var s Scratch
		f := newSmoothing(y, gridOf(hour), &s)
		q := []float64{-1, -0.5, 0.3, 0.8}
		got := f.run(q, y)
		alpha, delta, omega, phi := decodeSmoothing(q)
		level, last, want := f.level0, 0.0, 0.0
		day, week := append([]float64(nil), f.day0...), append([]float64(nil), f.week0...)
		for i, v := range y {
			e := v - level - day[i%len(day)]
			if len(week) > 0 {
				e -= week[i%len(week)]
			}
			eps := e - phi*last
			last = e
			if i >= len(day) {
				want += eps * eps
			}
			level += alpha * eps
			day[i%len(day)] += delta * eps
			if len(week) > 0 {
				week[i%len(week)] += omega * eps
			}
		}
		closeTo(t, got, want, 1e-9*math.Max(want, 1))
		closeTo(t, f.level, level, 1e-9)
		closeTo(t, f.err, last, 1e-9)
		for j := range day {
			closeTo(t, f.day[j], day[j], 1e-9)
		}
		for j := range week {
			closeTo(t, f.week[j], week[j], 1e-9)
		}
	}
}
