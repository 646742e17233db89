package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Isolation scores how unlike the rest a row is, without being told what is odd
// (Liu, Ting and Zhou, "Isolation forest", ICDM 2008):
//
//	s(x) = 2^(−E[h(x)]/c(n))
//
// h is how many random cuts it takes to have x alone. A missing feature is followed to
// both sides, by how many rows went there, so members may come and go. What is returned is
// s/Boundary: 1 is the score that 1 % of the rows of the tail exceed.
type Isolation struct {
	Roots     integers  `json:"roots"`
	Feature   integers  `json:"feature"` // −1 is a leaf
	Threshold floats    `json:"threshold"`
	Right     integers  `json:"right"`
	Share     floats    `json:"share"` // of the rows that went left
	Depth     floats    `json:"depth"` // of a leaf, with c of the rows in it
	Sample    int       `json:"sample"`
	Boundary  float64   `json:"boundary"`
	Typical   []float64 `json:"typical"` // medians of the features, which contributions are against
	Known     []bool    `json:"known"`   // whether a feature was ever there
}

// sample is how many rows a tree sees; Liu et al. found more to be of no use.
const sample = 256

// leastAnomalyRows is how many rows an Isolation is trained on at least.
const leastAnomalyRows = 100

// mostIsolated is how many trees of a sample fit into a model, each as large as it can be.
func mostIsolated(sample int) int {
	const (
		names = 1 << 20   // bytes for all that is no tree
		node  = 2*4 + 3*8 // bytes of a node: Feature, Right, Threshold, Share, Depth
		root  = 4         // and of a tree
	)
	nodes := 2*sample - 1 // each cut leaves rows on both sides
	return min(maxNodes/nodes, (MaxModel-names)/((node*nodes+root)*4/3+1))
}

// trainIsolation fits an Isolation to d; an epoch is a tree. A target of 0 and 1, if
// there is one, is used to judge only.
func trainIsolation(d Data, c Config) (*Isolation, Report, error) {
	labels := d.Target
	d.Target = nil
	p, err := d.split()
	if err != nil {
		return nil, Report{}, err
	}
	m := &Isolation{Sample: min(sample, len(p.train))}
	if most := mostIsolated(m.Sample); c.Epochs > most {
		return nil, Report{}, fmt.Errorf("%w: %d epochs, want at most %d: each is a tree, and a model must fit into %d MiB", ErrInput, c.Epochs, most, MaxModel>>20)
	}
	for _, col := range d.Columns {
		v, known := middleOf(col, p.train)
		m.Typical, m.Known = append(m.Typical, v), append(m.Known, known)
	}
	r := c.generator(3)
	g := &isolator{m: m, d: d, r: r}
	order := slices.Clone(p.train)
	sums := make([]float64, len(p.tail))
	x := make([]float64, len(d.Columns))
	for epoch := 1; epoch <= c.Epochs; epoch++ {
		for i := range m.Sample { // the first part of a shuffle
			k := i + r.IntN(len(order)-i)
			order[i], order[k] = order[k], order[i]
		}
		m.Roots = append(m.Roots, len(m.Feature))
		g.node(slices.Clone(order[:m.Sample]), 0)
		moved := 0.0
		for k, i := range p.tail {
			d.row(x, i)
			h := m.path(m.Roots[epoch-1], x)
			if epoch > 1 {
				moved += math.Abs((sums[k]+h)/float64(epoch) - sums[k]/float64(epoch-1))
			} else {
				moved += h
			}
			sums[k] += h
		}
		if err := c.tell(epoch, moved/float64(len(p.tail))); err != nil {
			return nil, Report{}, err
		}
	}
	m.Boundary = 1
	scores := m.scores(d, p.tail)
	slices.Sort(scores)
	m.Boundary = scores[min(int(math.Ceil((1-anomalyShare)*float64(len(scores)+1)))-1, len(scores)-1)]
	report := Report{Train: len(p.train), Tail: len(p.tail), Test: len(p.test), Epochs: c.Epochs}
	m.measure(d, labels, p.test, &report)
	return m, report, nil
}

// middleOf returns the median of what is there.
func middleOf(c []float64, rows []int) (float64, bool) {
	var v []float64
	for _, i := range rows {
		if !math.IsNaN(c[i]) {
			v = append(v, c[i])
		}
	}
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return v[len(v)/2], true
}

// isolator grows the trees of an Isolation.
type isolator struct {
	m *Isolation
	d Data
	r *rand.Rand
}

// node appends the subtree of rows: a random cut between the least and the largest of a
// random feature that has both.
func (g *isolator) node(rows []int, depth int) {
	m := g.m
	at := len(m.Feature)
	m.Feature, m.Threshold, m.Right = append(m.Feature, -1), append(m.Threshold, 0), append(m.Right, 0)
	m.Share, m.Depth = append(m.Share, 0), append(m.Depth, float64(depth)+unsuccessful(len(rows)))
	if len(rows) < 2 || depth >= int(math.Ceil(math.Log2(float64(m.Sample)))) {
		return
	}
	for range len(g.d.Columns) {
		j := g.r.IntN(len(g.d.Columns))
		low, high := math.Inf(1), math.Inf(-1)
		for _, i := range rows {
			if v := g.d.Columns[j][i]; !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
		if !(low < high) {
			continue
		}
		cut := low + g.r.Float64()*(high-low)
		if !(cut < high) {
			cut = low
		}
		var left, right, none []int
		for _, i := range rows {
			switch v := g.d.Columns[j][i]; {
			case math.IsNaN(v):
				none = append(none, i)
			case v <= cut:
				left = append(left, i)
			default:
				right = append(right, i)
			}
		}
		share := float64(len(left)) / float64(len(left)+len(right))
		for _, i := range none { // by chance, as the others went
			if g.r.Float64() < share {
				left = append(left, i)
			} else {
				right = append(right, i)
			}
		}
		m.Feature[at], m.Threshold[at], m.Share[at] = j, cut, share
		g.node(left, depth+1)
		m.Right[at] = len(m.Feature)
		g.node(right, depth+1)
		return
	}
}

// unsuccessful is c(n), the mean depth of a search in a binary tree of n that fails.
func unsuccessful(n int) float64 {
	if n < 2 {
		return 0
	}
	const euler = 0.5772156649015329
	return 2*(math.Log(float64(n-1))+euler) - 2*float64(n-1)/float64(n)
}

// path returns the depth of x in the tree at node i. Where features are missing it goes
// both ways, so at worst through the whole tree.
func (m *Isolation) path(i int, x []float64) float64 {
	for m.Feature[i] >= 0 {
		switch v := x[m.Feature[i]]; {
		case math.IsNaN(v):
			return m.Share[i]*m.path(i+1, x) + (1-m.Share[i])*m.path(m.Right[i], x)
		case v <= m.Threshold[i]:
			i++
		default:
			i = m.Right[i]
		}
	}
	return m.Depth[i]
}

func (m *Isolation) score(x []float64) float64 {
	sum := 0.0
	for _, i := range m.Roots {
		sum += m.path(i, x)
	}
	return math.Exp2(-sum/float64(len(m.Roots))/max(unsuccessful(m.Sample), 1e-9)) / m.Boundary
}

func (m *Isolation) scores(d Data, rows []int) []float64 {
	x, out := make([]float64, len(d.Columns)), make([]float64, len(rows))
	for k, i := range rows {
		d.row(x, i)
		out[k] = m.score(x)
	}
	return out
}

// at scores x. There is no interval. A contribution is how much the score falls when
// the feature has its median.
func (m *Isolation) at(x []float64, why bool) Output {
	o := Output{Value: m.score(x), Lower: math.NaN(), Upper: math.NaN(), Widened: 1}
	known, missing := 0, 0
	for j, v := range x {
		if m.Known[j] {
			known++
			if math.IsNaN(v) {
				missing++
			}
		}
	}
	if missing > 0 {
		o.Widened = float64(known+1) / float64(known+1-missing)
	}
	if !why {
		return o
	}
	o.Contributions = make([]float64, len(x))
	typical := slices.Clone(x)
	for j, v := range x {
		if !math.IsNaN(v) {
			typical[j] = m.Typical[j]
			o.Contributions[j] = o.Value - m.score(typical)
			typical[j] = v
		}
	}
	return o
}

func (m *Isolation) measure(d Data, labels []float64, test []int, r *Report) {
	scores := m.scores(d, test)
	above := 0.0
	for _, s := range scores {
		if s > 1 {
			above++
		}
	}
	share := above / float64(len(test))
	if labels == nil || !slices.ContainsFunc(test, func(i int) bool { return labels[i] == 0 }) {
		r.set("anomalous_share", share)
		return
	}
	var s, y []float64
	var tp, fp, fn, ordinary, alarms float64
	for k, i := range test {
		if l := labels[i]; l == 0 || l == 1 {
			s, y = append(s, scores[k]), append(y, l)
			said := scores[k] > 1
			switch {
			case said && l == 1:
				tp++
			case said:
				fp++
			case l == 1:
				fn++
			}
			if l == 0 {
				ordinary++
				if said {
					alarms++
				}
			}
		}
	}
	r.set("precision", tp/(tp+fp))
	r.set("recall", tp/(tp+fn))
	r.set("f1", 2*tp/(2*tp+fp+fn))
	roc, pr := areas(s, y)
	r.set("roc_auc", roc)
	r.set("pr_auc", pr)
	r.set("anomalous_share", alarms/ordinary)
}
