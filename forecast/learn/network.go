package learn

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Network is a small neural network with one hidden layer:
//
//	f_q(x) = out_q · tanh(in · u(x))
//
// u has for each feature its standardised value (of sign(v)·log(1 + |v|/scale), 0 where
// it is missing) and 1 where it is missing, and a constant 1; the hidden layer has a constant
// as well. Weights are by row.
type Network struct {
	Scale  []float64 `json:"scale"` // of the logarithm, by feature
	Mean   []float64 `json:"mean"`
	Spread []float64 `json:"spread"`
	Hidden int       `json:"hidden"`
	In     floats    `json:"in"`  // [hidden][2·features + 1]
	Out    floats    `json:"out"` // [quantile][hidden + 1]
}

// How networks are trained, chosen as for trees.
const (
	hidden    = 16
	mostBatch = 256   // rows of a step; fewer where there are few rows, so that there are steps enough
	leastStep = 40    // steps of an epoch, where there are rows for them
	stepSize  = 0.003 // of Adam
	decay     = 1e-5  // of the weights, each step
	spreadCap = 4.0   // of a standardised value
)

func (n *Network) inputs() int { return 2*len(n.Mean) + 1 }

// encode fills u for x.
func (n *Network) encode(u, x []float64) {
	k := len(n.Mean)
	for j, v := range x {
		u[j], u[k+j] = 0, 1
		if !math.IsNaN(v) {
			z := (squash(v, n.Scale[j]) - n.Mean[j]) / n.Spread[j]
			u[j], u[k+j] = min(max(z, -spreadCap), spreadCap), 0
		}
	}
	u[2*k] = 1
}

func squash(v, scale float64) float64 {
	return math.Copysign(math.Log1p(math.Abs(v)/scale), v)
}

// at fills dst with the outputs for x. It allocates the two layers.
func (n *Network) at(dst, x []float64) {
	u := make([]float64, n.inputs())
	n.encode(u, x)
	n.forward(dst, u)
}

func (n *Network) forward(dst, u []float64) {
	w := n.inputs()
	for q := range dst {
		dst[q] = n.Out[q*(n.Hidden+1)+n.Hidden]
	}
	for k := range n.Hidden {
		sum := 0.0
		for i, v := range n.In[k*w : (k+1)*w] {
			sum += v * u[i]
		}
		a := math.Tanh(sum)
		for q := range dst {
			dst[q] += n.Out[q*(n.Hidden+1)+k] * a
		}
	}
}

// contribute adds to dst the change of the median when a feature goes from its mean
// to its value, shared so that the sum is the whole change. It returns the median at the
// means.
func (n *Network) contribute(dst, x []float64) (mean float64) {
	k := len(n.Mean)
	u := make([]float64, n.inputs())
	n.encode(u, x)
	base := make([]float64, n.inputs())
	base[2*k] = 1
	out := make([]float64, len(n.Out)/(n.Hidden+1))
	n.forward(out, u)
	whole := out[middle]
	n.forward(out, base)
	mean = out[middle]
	parts, sum := make([]float64, k), 0.0
	for j := range k {
		v, m := u[j], u[k+j]
		u[j], u[k+j] = 0, 0
		n.forward(out, u)
		u[j], u[k+j] = v, m
		parts[j] = whole - out[middle]
		sum += math.Abs(parts[j])
	}
	rest := whole - mean
	for _, p := range parts {
		rest -= p
	}
	for j, p := range parts {
		if sum > 0 {
			p += rest * math.Abs(p) / sum
		}
		dst[j] += p
	}
	return mean
}

// trainer fits a Network to the pinball losses of all quantiles at once by Adam (Kingma
// and Ba, "Adam: a method for stochastic optimization", ICLR 2015) on matrix products
// of gonum. An epoch is one pass over the rows.
type trainer struct {
	p              problem
	n              Network
	u, tail        []float64 // encoded rows
	order          []int
	step           int
	in, out        adam
	kept           []Network
	x, a, da, o, e blas64.General
}

// adam is the state of one block of weights.
type adam struct{ gradient, m, v []float64 }

func newAdam(n int) adam { return adam{make([]float64, n), make([]float64, n), make([]float64, n)} }

// update moves w against the gradient.
func (s *adam) update(w []float64, t int) {
	const b1, b2 = 0.9, 0.999
	c1, c2 := 1-math.Pow(b1, float64(t)), 1-math.Pow(b2, float64(t))
	for i, g := range s.gradient {
		s.m[i] = b1*s.m[i] + (1-b1)*g
		s.v[i] = b2*s.v[i] + (1-b2)*g*g
		w[i] -= stepSize * (s.m[i]/c1/(math.Sqrt(s.v[i]/c2)+1e-8) + decay*w[i])
	}
}

func newNetwork(p problem) learner {
	k := len(p.d.Columns)
	t := &trainer{p: p, n: Network{Hidden: hidden}, kept: make([]Network, len(p.quantiles))}
	for _, c := range p.d.Columns {
		s, m, d := moments(c, p.train)
		t.n.Scale, t.n.Mean, t.n.Spread = append(t.n.Scale, s), append(t.n.Mean, m), append(t.n.Spread, d)
	}
	w, q := t.n.inputs(), len(p.quantiles)
	t.n.In, t.n.Out = make([]float64, hidden*w), make([]float64, q*(hidden+1))
	for i := range t.n.In {
		t.n.In[i] = p.r.NormFloat64() / math.Sqrt(float64(k)+1)
	}
	for i := range t.n.Out {
		t.n.Out[i] = 0.1 * p.r.NormFloat64() / math.Sqrt(hidden)
	}
	for j, level := range p.quantiles {
		t.n.Out[j*(hidden+1)+hidden] = pinball{level}.start(p.y)
	}
	t.in, t.out = newAdam(len(t.n.In)), newAdam(len(t.n.Out))
	t.u, t.tail = t.encode(p.train), t.encode(p.tail)
	for i := range p.train { // as for trees: learn what to do without
		for j := range k {
			if p.r.Float64() < maskShare {
				t.u[i*w+j], t.u[i*w+k+j] = 0, 1
			}
		}
	}
	t.order = make([]int, len(p.train))
	for i := range t.order {
		t.order[i] = i
	}
	batch := min(max(32, len(p.train)/leastStep), mostBatch)
	general := func(cols int) blas64.General {
		return blas64.General{Rows: batch, Cols: cols, Stride: cols, Data: make([]float64, batch*cols)}
	}
	t.x, t.a, t.da, t.o, t.e = general(w), general(hidden+1), general(hidden+1), general(q), general(q)
	return t
}

// moments returns the scale of the logarithm (the mean magnitude), and mean and
// spread of the logarithms.
func moments(c []float64, rows []int) (scale, mean, spread float64) {
	n, abs := 0.0, 0.0
	for _, i := range rows {
		if v := c[i]; !math.IsNaN(v) {
			n++
			abs += math.Abs(v)
		}
	}
	if n == 0 || abs == 0 {
		return 1, 0, 1
	}
	scale = logShift * abs / n
	sum, squares := 0.0, 0.0
	for _, i := range rows {
		if v := c[i]; !math.IsNaN(v) {
			z := squash(v, scale)
			sum += z
			squares += z * z
		}
	}
	mean = sum / n
	spread = math.Sqrt(max(squares/n-mean*mean, 0))
	if spread < 1e-9 {
		spread = 1
	}
	return scale, mean, spread
}

func (t *trainer) encode(rows []int) []float64 {
	w := t.n.inputs()
	u, x := make([]float64, len(rows)*w), make([]float64, len(t.n.Mean))
	for k, i := range rows {
		t.p.d.row(x, i)
		t.n.encode(u[k*w:(k+1)*w], x)
	}
	return u
}

func (t *trainer) epoch() [][]float64 {
	rand.New(rand.NewPCG(t.p.r.Uint64(), 0)).Shuffle(len(t.order), func(i, j int) {
		t.order[i], t.order[j] = t.order[j], t.order[i]
	})
	for from, batch := 0, t.x.Rows; from < len(t.order); from += batch {
		t.learn(t.order[from:min(from+batch, len(t.order))])
	}
	w, q := t.n.inputs(), len(t.p.quantiles)
	out, row := make([][]float64, q), make([]float64, q)
	for i := range t.p.tail {
		t.n.forward(row, t.tail[i*w:(i+1)*w])
		for j, v := range row {
			out[j] = append(out[j], v)
		}
	}
	return out
}

// learn takes one step on some rows.
func (t *trainer) learn(rows []int) {
	t.step++
	w, q, n := t.n.inputs(), len(t.p.quantiles), len(rows)
	for k, i := range rows {
		copy(t.x.Data[k*w:(k+1)*w], t.u[i*w:(i+1)*w])
	}
	x, a, da, o, e := t.x, t.a, t.da, t.o, t.e
	x.Rows, a.Rows, da.Rows, o.Rows, e.Rows = n, n, n, n, n
	in := blas64.General{Rows: hidden, Cols: w, Stride: w, Data: t.n.In}
	out := blas64.General{Rows: q, Cols: hidden + 1, Stride: hidden + 1, Data: t.n.Out}
	h, dh := a, da
	h.Cols, dh.Cols = hidden, hidden
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, x, in, 0, h)
	for k := range n {
		row := a.Data[k*a.Stride : (k+1)*a.Stride]
		for j := range hidden {
			row[j] = math.Tanh(row[j])
		}
		row[hidden] = 1
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, a, out, 0, o)
	for k, i := range rows {
		for j, level := range t.p.quantiles {
			g, _ := pinball{level}.gradient(t.p.y[i], o.Data[k*q+j])
			e.Data[k*q+j] = g / float64(n)
		}
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, e, a, 0, blas64.General{Rows: q, Cols: hidden + 1, Stride: hidden + 1, Data: t.out.gradient})
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, e, out, 0, da)
	for k := range n {
		for j := range hidden {
			v := a.Data[k*a.Stride+j]
			da.Data[k*da.Stride+j] *= 1 - v*v
		}
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, dh, x, 0, blas64.General{Rows: hidden, Cols: w, Stride: w, Data: t.in.gradient})
	t.in.update(t.n.In, t.step)
	t.out.update(t.n.Out, t.step)
}

// best keeps the whole network at the best epoch of the median; the other quantiles
// go with it.
func (t *trainer) best(quantile int) {
	if quantile != middle {
		return
	}
	n := t.n
	n.In, n.Out = slices.Clone(n.In), slices.Clone(n.Out)
	t.kept[0] = n
}

func (t *trainer) done() fitted { return &t.kept[0] }

func (n *Network) valid(width int) error {
	if len(n.Mean) != width || len(n.Scale) != width || len(n.Spread) != width || n.Hidden < 1 || n.Hidden > 1024 {
		return errForm
	}
	if len(n.In) != n.Hidden*n.inputs() || len(n.Out) != 3*(n.Hidden+1) {
		return errForm
	}
	for j := range width {
		if !(n.Scale[j] > 0) || !(n.Spread[j] > 0) {
			return errForm
		}
	}
	return nil
}
