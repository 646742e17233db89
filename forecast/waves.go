package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// waveSums are regressors that depend on nothing but the phase t mod season: sine and cosine of
// the harmonics of a day. What the normal equations need of them follows from sums over the other
// regressors x and the target y by phase,
//
//	Σ_t w[t]·u(t)·x[t]ᵀ = Σ_p u(p)·(Σ_{t≡p} w[t]·x[t])ᵀ
//
// so that a row costs the length of x, not that of x and u squared, and a solution the
// square for every phase.
type waveSums struct {
	columns int
	season  int
	u       []float64 // by phase, columns each; rows of zeros make phases a multiple of batch
	sums    []float64 // by phase: Σ w·x, Σ w·y, Σ w
	width   int       // of a row of sums
	scaled  [][]float64
}

// newWaveSums returns k harmonics of a season in the given unit beside p other regressors.
func newWaveSums(k, season, p int, unit float64, s *Scratch) waveSums {
	phases := (season + batch - 1) / batch * batch
	f := waveSums{
		columns: 2 * k, season: season, u: s.floats(2 * k * phases), sums: s.floats((p + 2) * phases), width: p + 2,
		scaled: s.table(batch),
	}
	for phase := range season {
		for j := range k {
			// The phase is reduced first, so that equal angles give equal values.
			sin, cos := math.Sincos(2 * math.Pi * float64(phase*(j+1)%season) / float64(season))
			at := 2 * (phase*k + j)
			f.u[at], f.u[at+1] = unit*sin, unit*cos
		}
	}
	for i := range f.scaled {
		f.scaled[i] = s.floats(p + f.columns)
	}
	return f
}

// add takes regressors x with target y and weight w at time t.
func (f *waveSums) add(x []float64, y, w float64, t int) {
	row := f.sums[t%f.season*f.width:][:f.width]
	for j, v := range x {
		row[j] += w * v
	}
	row[len(x)] += w * y
	row[len(x)+1] += w
}

// addTo writes the rows of the waves, from row p on, into a, and their products with the target
// into b, which are zero or hold what an earlier solution left there. O(season·columns·(p + columns)).
func (f *waveSums) addTo(a num.Symmetric, b []float64, p int) {
	if f.columns == 0 {
		return
	}
	clear(a.Data[num.Packed(p):])
	clear(b[p:])
	for from := 0; from < f.season; from += batch {
		for i := range batch {
			u, sums := f.u[(from+i)*f.columns:][:f.columns], f.sums[(from+i)*f.width:][:f.width]
			copy(f.scaled[i], sums[:p])
			y, w := sums[p], sums[p+1]
			for c, v := range u {
				f.scaled[i][p+c] = w * v
				b[p+c] += y * v
			}
		}
		e0, e1, e2, e3 := f.scaled[0], f.scaled[1], f.scaled[2], f.scaled[3]
		u0, u1 := f.u[from*f.columns:][:f.columns], f.u[(from+1)*f.columns:][:f.columns]
		u2, u3 := f.u[(from+2)*f.columns:][:f.columns], f.u[(from+3)*f.columns:][:f.columns]
		row := a.Data[num.Packed(p):]
		for c := range f.columns {
			v0, v1, v2, v3 := u0[c], u1[c], u2[c], u3[c]
			r := row[: p+c+1 : p+c+1]
			y0, y1, y2, y3 := e0[:len(r)], e1[:len(r)], e2[:len(r)], e3[:len(r)]
			for j := range r {
				r[j] += v0*y0[j] + v1*y1[j] + (v2*y2[j] + v3*y3[j])
			}
			row = row[len(r):]
		}
	}
}

// onPhases writes what coefficients say of the phases from time t on into dst, one season at most.
func (f *waveSums) onPhases(dst, coefficients []float64, t int) {
	for i := range dst {
		sum := 0.0
		for c, v := range f.u[(t+i)%f.season*f.columns:][:f.columns] {
			sum += v * coefficients[c]
		}
		dst[i] = sum
	}
}
