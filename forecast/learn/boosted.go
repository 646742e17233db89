package learn

import "math/rand/v2"

// boosted is a booster for each quantile, in step.
type boosted struct {
	boosters []*booster
	tail     *bins
	f        [][]float64 // of the tail
	kept     []int       // trees
}

func newBoosted(p problem) learner {
	b := newBins(p.d, p.train)
	tail := b.with(p.d, p.tail)
	b.mask(maskShare, p.r)
	l := &boosted{tail: tail, kept: make([]int, len(p.quantiles))}
	for q, level := range p.quantiles {
		o := newBooster(pinball{level}, b, p.y, rand.New(rand.NewPCG(p.r.Uint64(), uint64(q))))
		l.boosters = append(l.boosters, o)
		f := make([]float64, tail.n)
		for i := range f {
			f[i] = o.trees.Base
		}
		l.f = append(l.f, f)
	}
	return l
}

func (l *boosted) epoch() [][]float64 {
	for q, o := range l.boosters {
		o.grow()
		root := o.trees.Roots[len(o.trees.Roots)-1]
		for i := range l.f[q] {
			l.f[q][i] += o.trees.leafOf(root, l.tail.code[i*l.tail.width:(i+1)*l.tail.width], o.b.edges)
		}
	}
	return l.f
}

func (l *boosted) best(q int) { l.kept[q] = len(l.boosters[q].trees.Roots) }

func (l *boosted) done() fitted {
	var f quantileTrees
	for q, o := range l.boosters {
		o.trees.cut(l.kept[q])
		o.trees.round()
		f = append(f, o.trees)
	}
	return &f
}

// quantileTrees are boosted trees for each quantile.
type quantileTrees []Trees

func (f quantileTrees) at(dst, x []float64) {
	for q := range f {
		dst[q] = f[q].at(x)
	}
}

func (f quantileTrees) contribute(dst, x []float64) (mean float64) {
	return f[middle].contribute(dst, x)
}

func (f quantileTrees) valid(width int) error {
	if len(f) != 3 {
		return errForm
	}
	for q := range f {
		if err := f[q].valid(width); err != nil {
			return err
		}
	}
	return nil
}
