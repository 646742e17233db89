package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// HoltWinters is exponential smoothing with a daily and a weekly additive season
// and first-order autocorrelated errors, without trend:
//
//	e[t] = y[t] − l[t−1] − d[t−m] − w[t−7m],  ε[t] = e[t] − φ·e[t−1]
//	l[t] = l[t−1] + α·ε[t],  d[t] = d[t−m] + δ·ε[t],  w[t] = w[t−7m] + ω·ε[t]
//	ŷ[T+h] = l[T] + d[·] + w[·] + φʰ·e[T]
//
// The seasons start from the first two weeks (four days, and no weekly season,
// where there are fewer), the week shrunk by how alike the two are. α, δ, ω ∈ (0, 0.5–0.6)
// and φ ∈ (0, 0.99) minimise Σ ε² after the first day, by Simplex: on the history
// of the first rolling origin, which serves all origins, and from there again on
// the whole history for the final forecast. With Log it works on the logarithm if
// no value is negative. Without Log equivariant to scale and shift. Time O(n) for
// each of about 250 evaluations.
//
// J. W. Taylor, "Short-term electricity demand forecasting using double seasonal
// exponential smoothing", Journal of the Operational Research Society 54, 2003.
type HoltWinters struct {
	Log bool `yaml:"log"`
}

func newHoltWinters(decode func(any) error) (Forecaster, error) {
	p := HoltWinters{Log: true}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Log {
		return single("holt_winters", logged{p}), nil
	}
	return single("holt_winters", p), nil
}

// The search in logistic coordinates starts at α 0.02, δ = ω 0.07, φ 0.72, a slow
// level under steady seasons; most series end near it.
var holtWintersStart = [4]float64{-3, -2, -2, 1}

const (
	coldIterations = 60 // from holtWintersStart
	warmIterations = 25 // from the parameters of a shorter history
)

func (p HoltWinters) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	m := s.mark()
	defer s.release(m)
	q := s.floats(4)
	copy(q, holtWintersStart[:])
	iterations := coldIterations
	for first := 0; first < len(ends); {
		f := newSmoothing(y[:ends[first]], g, s)
		last := first
		for last+1 < len(ends) && (ends[last+1] >= 2*g.long) == (ends[first] >= 2*g.long) {
			last++
		}
		f.fit(q, y[:ends[first]], iterations, s)
		iterations = warmIterations
		for i := first; i <= last; i++ {
			if i == len(ends)-1 && i > first {
				f = newSmoothing(y[:ends[i]], g, s)
				f.fit(q, y[:ends[i]], warmIterations, s)
			}
			f.run(q, y[:ends[i]])
			f.forecast(dst[i], q)
		}
		first = last + 1
	}
}

// smoothing is the state of the filter and where it starts from.
type smoothing struct {
	level0     float64
	day0, day  []float64
	week0      []float64 // empty without a weekly season
	week       []float64
	level, err float64
	n          int // points seen
}

// newSmoothing takes the starting values from the beginning of y.
func newSmoothing(y []float64, g grid, s *Scratch) smoothing {
	m, w, n := g.season, g.long, len(y)
	if n < 2*w {
		w = 0
	}
	span := min(n, 4*m)
	if w > 0 {
		span = 2 * w
	}
	f := smoothing{
		level0: mean(y[:span]), day0: s.floats(m), day: s.floats(m), week0: s.floats(w), week: s.floats(w),
		level: 0, err: 0, n: 0,
	}
	for j := range min(m, span) {
		sum, count := 0.0, 0.0
		for t := j; t < span; t += m {
			sum += y[t] - f.level0
			count++
		}
		f.day0[j] = sum / count
	}
	if w > 0 {
		startWeek(f.week0, f.day0, y)
	}
	return f
}

// startWeek sets week to what two weeks of y have in common beside the season
// day: the mean of the deviations of both weeks, shrunk by the reliability of a
// mean of two measurements, 2r/(1+r) with r their correlation (Spearman, Brown,
// 1910), and nothing if r ≤ 0. A level that wanders looks like a week once, not
// twice.
func startWeek(week, day, y []float64) {
	w, m := len(week), len(day)
	first, second := mean(y[:w]), mean(y[w:2*w])
	xx, xy, yy := 0.0, 0.0, 0.0
	for j := range week {
		a, b := y[j]-first-day[j%m], y[j+w]-second-day[j%m]
		xx, xy, yy = xx+a*a, xy+a*b, yy+b*b
		week[j] = (a + b) / 2
	}
	reliability := 0.0
	if xy > 0 {
		r := xy / math.Sqrt(xx*yy)
		reliability = 2 * r / (1 + r)
	}
	for j := range week {
		week[j] *= reliability
	}
}

// fit improves the parameters q on y.
func (f *smoothing) fit(q, y []float64, iterations int, s *Scratch) {
	m := s.mark()
	defer s.release(m)
	num.Simplex(func(q []float64) float64 { return f.run(q, y) }, q, 1, iterations, s.floats(num.SimplexWork(len(q))))
}

// run filters y from the start and returns Σ ε² after the first season. With
// x[t] = y[t] − d[t−m] − w[t−7m] the level drops out of the recursion,
//
//	e[t] = x[t] − x[t−1] + (1 − α)·e[t−1] + α·φ·e[t−2]
//
// which leaves one product and one sum that wait for the step before. It goes in
// stretches that end where a season does, so that no index is checked.
func (f *smoothing) run(q, y []float64) float64 {
	alpha, delta, omega, phi := decodeSmoothing(q)
	copy(f.day, f.day0)
	copy(f.week, f.week0)
	keep, carry := 1-alpha, alpha*phi
	before, e, older, sum := f.level0, 0.0, 0.0, 0.0 // x[t−1], e[t−1], e[t−2]
	m, w := len(f.day), len(f.week)
	for t, j, k := 0, 0, 0; t < len(y); {
		n := min(m-j, len(y)-t)
		part, day := y[t:t+n], f.day[j:j+n]
		squares := 0.0
		if w == 0 {
			for i, v := range part {
				x := v - day[i]
				e, older = (x-before+carry*older)+keep*e, e
				before = x
				eps := e - phi*older
				squares += eps * eps
				day[i] += delta * eps
			}
		} else {
			n = min(n, w-k)
			part, day = part[:n], day[:n]
			week := f.week[k : k+n]
			for i, v := range part {
				x := v - day[i] - week[i]
				e, older = (x-before+carry*older)+keep*e, e
				before = x
				eps := e - phi*older
				squares += eps * eps
				day[i] += delta * eps
				week[i] += omega * eps
			}
			if k += n; k == w {
				k = 0
			}
		}
		if t >= m {
			sum += squares
		}
		t += n
		if j += n; j == m {
			j = 0
		}
	}
	f.level, f.err, f.n = before-e+alpha*(e-phi*older), e, len(y)
	return sum
}

// forecast continues the state reached by run.
func (f *smoothing) forecast(dst, q []float64) {
	_, _, _, phi := decodeSmoothing(q)
	e := f.err
	for h := range dst {
		e *= phi
		v := f.level + f.day[(f.n+h)%len(f.day)] + e
		if w := len(f.week); w > 0 {
			v += f.week[(f.n+h)%w]
		}
		dst[h] = v
	}
}

func decodeSmoothing(q []float64) (alpha, delta, omega, phi float64) {
	return 0.5 * logistic(q[0]), 0.6 * logistic(q[1]), 0.6 * logistic(q[2]), 0.99 * logistic(q[3])
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
