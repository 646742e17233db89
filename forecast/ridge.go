package forecast

import (
	"math"

	"github.com/upid/upid/forecast/num"
)

// ridge gathers the normal equations of a weighted ridge regression
//
//	min Σ w[t]·(y[t] − xᵀβ)² + λ·s·Σ_{j>0} β[j]²
//
// where s is the mean diagonal element of Σ w·x·xᵀ over j > 0, so that λ has no
// unit, and x[0] = 1 carries the intercept, which is not penalised. Rows may be
// added after a solution was taken: rolling origins share one pass. Hoerl and
// Kennard, Technometrics 12(1), 1970.
type ridge struct {
	xx   num.Symmetric
	xy   []float64
	work num.Symmetric
	beta []float64
	x    []float64 // the row being filled; it starts as zeros or an older row
	rows [][]float64
	w    [batch]float64
	held int // rows not yet in xx

	waves waveSums // columns after those of x; none where empty
}

// batch is how many rows are added to the equations at a time.
const batch = 4

func newRidge(p int, s *Scratch) ridge { return newWavyRidge(p, waveSums{}, s) }

// newWavyRidge returns a ridge whose rows go on after their p elements with those of waves.
func newWavyRidge(p int, waves waveSums, s *Scratch) ridge {
	n := p + waves.columns
	r := ridge{
		xx:   num.Symmetric{N: p, Data: s.floats(num.Packed(p))},
		xy:   s.floats(p),
		work: num.Symmetric{N: n, Data: s.floats(num.Packed(n))},
		beta: s.floats(n),
		x:    nil, rows: s.table(batch), w: [batch]float64{}, held: 0,
		waves: waves,
	}
	for i := range r.rows {
		r.rows[i] = s.floats(p)
	}
	r.x = r.rows[0]
	return r
}

// add takes r.x with target y and weight w.
func (r *ridge) add(y, w float64) {
	r.w[r.held] = w
	r.held++
	wy := w * y
	xy := r.xy[:len(r.x)]
	for j, v := range r.x {
		xy[j] += wy * v
	}
	if r.held == batch {
		r.xx.AddOuters(r.w[:], r.rows)
		r.held = 0
	}
	r.x = r.rows[r.held]
}

// solve returns β for the rows added so far. The slice is valid until the next
// call.
func (r *ridge) solve(lambda float64) []float64 {
	for i, w := range r.w[:r.held] {
		r.xx.AddOuter(w, r.rows[i])
	}
	r.held = 0
	r.x = r.rows[0]
	copy(r.work.Data, r.xx.Data)
	copy(r.beta, r.xy)
	r.waves.addTo(r.work, r.beta, len(r.xy))
	p := r.work.N
	trace := 0.0
	for j := 1; j < p; j++ {
		trace += r.work.Data[num.Packed(j)+j]
	}
	if p > 1 {
		trace /= float64(p - 1)
	}
	for j := 1; j < p; j++ {
		r.work.Data[num.Packed(j)+j] += lambda * trace
	}
	r.work.Solve(r.beta)
	return r.beta
}

// predict returns xᵀβ.
func (r *ridge) predict(beta []float64) float64 {
	sum := 0.0
	for j, v := range r.x {
		sum += v * beta[j]
	}
	return sum
}

// recency returns the decay per point of the regression weights: with 1.5 time
// constants over n points the oldest weighs 0.22 of the newest, and the older
// half of the history counts for 0.32 of the total.
func recency(n int) float64 { return math.Exp(-1.5 / float64(n)) }
