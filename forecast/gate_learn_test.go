package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
)

// learnGate minimises Σ weight·MASE/(MASE of the plain gate + 0.05), which is close
// to the mean logarithm of the error, by Adam (Kingma and Ba, 2015) with a
// cosine schedule and decay towards the plain gate, on the lessons that use accepts.
func learnGate(lessons []*lesson, use func(*lesson) bool) *gate {
	const epochs, batch, rate, decay = 20, 64, 0.02, 0.02
	var chosen []*lesson
	for _, l := range lessons {
		if use(l) && l.base > 0 {
			chosen = append(chosen, l)
		}
	}
	g := plainGate()
	start := plainGate()
	rng := rand.New(rand.NewPCG(7, 7))
	grad, m, v := make([][gateWidth]float64, len(g.c)), make([][gateWidth]float64, len(g.c)), make([][gateWidth]float64, len(g.c))
	step := 0.0
	for epoch := range epochs {
		rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		speed := rate * 0.5 * (1 + math.Cos(math.Pi*float64(epoch)/epochs))
		for from := 0; from < len(chosen); from += batch {
			part := chosen[from:min(from+batch, len(chosen))]
			clear(grad)
			for _, l := range part {
				l.descend(g, grad)
			}
			step++
			for j := range g.c {
				for f := range g.c[j] {
					d := grad[j][f] / float64(len(part))
					m[j][f] = 0.9*m[j][f] + 0.1*d
					v[j][f] = 0.99*v[j][f] + 0.01*d*d
					g.c[j][f] -= speed * (m[j][f]/(1-math.Pow(0.9, step))/(math.Sqrt(v[j][f]/(1-math.Pow(0.99, step)))+1e-6) +
						decay*(g.c[j][f]-start.c[j][f]))
				}
			}
		}
	}
	return g
}

// descend adds the gradient of the loss of l to grad. The trimmed mean is
// ∫ Q(u) du / 2τ over [½ − τ, ½ + τ] with Q the weighted quantile function, so that its
// derivative after the weight of members[i] is the sum of values[r] − values[r+1] over
// those r ≥ i whose cumulated weight lies inside.
func (l *lesson) descend(g *gate, grad [][gateWidth]float64) {
	n := len(g.pool)
	w, byWeight, sum := make([]float64, n), make([]float64, n), make([]float64, n)
	norm := l.weight / (float64(len(l.future)) * (l.base + 0.05))
	for from := 0; from < len(l.future); from += l.block {
		d := min(from/l.block, len(l.x)-1)
		x := l.x[d]
		g.softmax(w, x)
		clear(sum)
		for k := from; k < min(from+l.block, len(l.future)); k++ {
			if math.IsNaN(l.future[k]) {
				continue
			}
			slope := norm
			if centre(l.values[k], l.order[k], w, gateTrim) < l.future[k] {
				slope = -norm
			}
			l.byWeight(byWeight, k, w)
			for j, b := range byWeight {
				sum[j] += slope * b
			}
		}
		dot := 0.0
		for j, v := range sum {
			dot += v * w[j]
		}
		for j, v := range sum {
			logit := w[j] * (v - dot)
			for f, u := range x[j*gateWidth : (j+1)*gateWidth] {
				grad[j][f] += logit * u
			}
		}
	}
}

// byWeight sets dst to the derivatives of the trimmed mean at step k by the weight of
// each member.
func (l *lesson) byWeight(dst []float64, k int, w []float64) {
	values, order := l.values[k], l.order[k]
	at, first, last := 0.0, len(values), -1
	for r, j := range order {
		at += w[j]
		if at > 0.5-gateTrim && at < 0.5+gateTrim && r+1 < len(values) {
			first, last = min(first, r), r
		}
	}
	acc := 0.0
	for r, value := range slices.Backward(values) {
		if r >= first && r <= last {
			acc += (value - values[r+1]) / (2 * gateTrim)
		}
		dst[order[r]] = acc
	}
}
