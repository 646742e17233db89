package learn

import (
	"math/rand/v2"
)

// How trees are grown. Chosen on the open machines of the forecast data, rows of
// other machines; twice or half of each changes the held-out error by less than 1 %.
const (
	treeDepth    = 4
	learningRate = 0.1
	minLeaf      = 20.0
	leastGain    = 1e-9
	ridge        = 1.0  // added to the curvature of each side of a split
	rowShare     = 0.7  // of the rows of each tree
	columnShare  = 0.8  // of the features of each tree
	maskShare    = 0.02 // of the cells made missing while learning
)

// booster fits trees to the gradients of a loss, one tree an epoch (Friedman, "Greedy
// function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001;
// histograms of binned features as in Ke et al., "LightGBM", NeurIPS 2017).
// Memory: a byte a cell, 40 a row. Time: rows · features · depth an epoch.
type booster struct {
	loss  loss
	trees Trees
	b     *bins
	y, f  []float64 // of the rows of b
	g, h  []float64
	r     *rand.Rand
	gain  []float64 // by feature, the sum over all splits

	index, spare []int // rows of the tree under way, by node
	out          []int // rows left out of it
	columns      []int
	residuals    []float64
	free         [][]sums // histograms to be used again
}

// sums of one bin.
type sums struct{ g, h, n float64 }

func newBooster(l loss, b *bins, y []float64, r *rand.Rand) *booster {
	n := b.n
	o := &booster{loss: l, b: b, y: y, r: r, gain: make([]float64, b.width), f: make([]float64, n), g: make([]float64, n), h: make([]float64, n), spare: make([]int, n), residuals: make([]float64, 0, n)}
	o.trees.Base = l.start(y)
	for i := range o.f {
		o.f[i] = o.trees.Base
	}
	return o
}

// grow adds one tree.
func (o *booster) grow() {
	o.index, o.out = o.index[:0], o.out[:0]
	for i := range o.f {
		o.g[i], o.h[i] = o.loss.gradient(o.y[i], o.f[i])
		if o.r.Float64() < rowShare {
			o.index = append(o.index, i)
		} else {
			o.out = append(o.out, i)
		}
	}
	o.columns = o.columns[:0]
	for j := range o.b.width {
		if len(o.b.edges[j]) > 0 && o.r.Float64() < columnShare {
			o.columns = append(o.columns, j)
		}
	}
	root := len(o.trees.Feature)
	o.trees.Roots = append(o.trees.Roots, root)
	hist := o.histogram(o.index)
	o.node(o.index, hist, treeDepth)
	for _, i := range o.out {
		o.f[i] += o.trees.leafOf(root, o.b.code[i*o.b.width:(i+1)*o.b.width], o.b.edges)
	}
}

const stride = maxBins + 1

// histogram returns the sums of the rows by feature and bin.
func (o *booster) histogram(rows []int) []sums {
	var hist []sums
	if k := len(o.free); k > 0 {
		hist, o.free = o.free[k-1], o.free[:k-1]
		clear(hist)
	} else {
		hist = make([]sums, o.b.width*stride)
	}
	for _, i := range rows {
		g, h := o.g[i], o.h[i]
		code := o.b.code[i*o.b.width : (i+1)*o.b.width]
		for _, j := range o.columns {
			s := &hist[j*stride+int(code[j])]
			s.g += g
			s.h += h
			s.n++
		}
	}
	return hist
}

// split is the best found of a node.
type splitPoint struct {
	gain    float64
	feature int
	bin     int // the highest on the left
	missing int // 1: left
}

// node appends the subtree of rows and returns the mean of what they get. It takes
// hist over.
func (o *booster) node(rows []int, hist []sums, depth int) (mean float64) {
	t := &o.trees
	at := len(t.Feature)
	t.Feature, t.Threshold = append(t.Feature, -1), append(t.Threshold, 0)
	t.Right, t.Missing, t.Value = append(t.Right, 0), append(t.Missing, 0), append(t.Value, 0)
	best := splitPoint{gain: leastGain}
	if depth > 0 && float64(len(rows)) >= 2*minLeaf {
		best = o.best(hist, len(rows))
	}
	if best.gain <= leastGain {
		o.free = append(o.free, hist)
		return o.leaf(at, rows)
	}
	o.gain[best.feature] += best.gain
	left := o.partition(rows, best)
	t.Feature[at], t.Missing[at] = best.feature, best.missing
	t.Threshold[at] = o.b.edges[best.feature][best.bin-1]
	// The smaller side is counted, the other is the rest.
	a, b := rows[:left], rows[left:]
	var ha, hb []sums
	if len(a) <= len(b) {
		ha = o.histogram(a)
		hb = subtract(hist, ha)
	} else {
		hb = o.histogram(b)
		ha = subtract(hist, hb)
	}
	va := o.node(a, ha, depth-1)
	t.Right[at] = len(t.Feature)
	vb := o.node(b, hb, depth-1)
	mean = (va*float64(len(a)) + vb*float64(len(b))) / float64(len(rows))
	t.Value[at] = mean
	return mean
}

func subtract(whole, part []sums) []sums {
	for i := range whole {
		whole[i].g -= part[i].g
		whole[i].h -= part[i].h
		whole[i].n -= part[i].n
	}
	return whole
}

// best returns the split with the largest gain
//
//	G_l²/(H_l + λ) + G_r²/(H_r + λ) − G²/(H + λ)
//
// with what is missing on either side.
func (o *booster) best(hist []sums, n int) splitPoint {
	best := splitPoint{gain: leastGain}
	for _, j := range o.columns {
		bin := hist[j*stride : (j+1)*stride]
		var all sums
		for _, s := range bin {
			all.g += s.g
			all.h += s.h
		}
		parent := score(all.g, all.h)
		missing := bin[0]
		for side := range 2 {
			var l sums
			if side == 1 {
				if missing.n == 0 {
					break
				}
				l = missing
			}
			for k := 1; k <= len(o.b.edges[j]); k++ {
				l.g += bin[k].g
				l.h += bin[k].h
				l.n += bin[k].n
				if l.n < minLeaf || float64(n)-l.n < minLeaf {
					continue
				}
				gain := score(l.g, l.h) + score(all.g-l.g, all.h-l.h) - parent
				if gain > best.gain {
					best = splitPoint{gain, j, k, side}
				}
			}
		}
	}
	if best.gain > leastGain && hist[best.feature*stride].n == 0 {
		// Nothing was missing: the heavier side is the better guess.
		l := 0.0
		for k := 1; k <= best.bin; k++ {
			l += hist[best.feature*stride+k].n
		}
		if 2*l >= float64(n) {
			best.missing = 1
		}
	}
	return best
}

func score(g, h float64) float64 { return g * g / (h + ridge) }

// partition puts the rows of the left side first, in order, and returns how many.
func (o *booster) partition(rows []int, s splitPoint) int {
	l, r := 0, 0
	for _, i := range rows {
		code := int(o.b.code[i*o.b.width+s.feature])
		if code > 0 && code <= s.bin || code == 0 && s.missing == 1 {
			rows[l] = i
			l++
		} else {
			o.spare[r] = i
			r++
		}
	}
	copy(rows[l:], o.spare[:r])
	return l
}

// leaf sets the value of node at and moves its rows by it.
func (o *booster) leaf(at int, rows []int) float64 {
	o.residuals = o.residuals[:0]
	g, h := 0.0, 0.0
	for _, i := range rows {
		o.residuals = append(o.residuals, o.y[i]-o.f[i])
		g += o.g[i]
		h += o.h[i]
	}
	v := 0.0
	if len(rows) > 0 {
		v = learningRate * o.loss.leaf(o.residuals, g, h)
	}
	o.trees.Value[at] = v
	for _, i := range rows {
		o.f[i] += v
	}
	return v
}

// leafOf returns the leaf value of the tree at root for a row of bin codes.
func (t *Trees) leafOf(root int, code []uint8, edges [][]float64) float64 {
	i := root
	for t.Feature[i] >= 0 {
		c := int(code[t.Feature[i]])
		left := c == 0 && t.Missing[i] == 1
		if c > 0 {
			e := edges[t.Feature[i]]
			left = c-1 < len(e) && e[c-1] <= t.Threshold[i]
		}
		if left {
			i++
		} else {
			i = t.Right[i]
		}
	}
	return t.Value[i]
}
