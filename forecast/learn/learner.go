package learn

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// problem is what a learner is given: rows to fit, and the tail.
type problem struct {
	d           Data
	train, tail []int
	y           []float64 // of train, transformed
	quantiles   []float64 // ascending; the middle one is ½
	r           *rand.Rand
}

// learner fits quantiles epoch by epoch.
type learner interface {
	// epoch goes on by one and returns the predictions for the tail: [quantile][row].
	epoch() [][]float64
	// best keeps, for a quantile, the state of the newest epoch.
	best(quantile int)
	// done returns what was kept.
	done() Fitted
}

// Fitted is a fitted learner; one of its fields is set. Both predict the quantiles of
// the transformed target.
type Fitted struct {
	Trees   []Trees  `json:"trees,omitempty"` // by quantile
	Network *Network `json:"network,omitempty"`
}

// at fills dst with the quantiles for x.
func (f *Fitted) at(dst, x []float64) {
	if f.Network != nil {
		f.Network.at(dst, x)
		return
	}
	for q := range f.Trees {
		dst[q] = f.Trees[q].at(x)
	}
}

// middle is the index of the median among the quantiles.
const middle = 1

// contribute adds to dst what each feature contributes to the median for x.
func (f *Fitted) contribute(dst, x []float64) (mean float64) {
	if f.Network != nil {
		return f.Network.contribute(dst, x)
	}
	return f.Trees[middle].contribute(dst, x)
}

// learners are the algorithms of a regressor by name.
var learners = map[string]func(problem) learner{
	"trees":   newBoosted,
	"network": newNetwork,
}

// Algorithms lists the algorithms of a regressor.
func Algorithms() []string { return slices.Sorted(maps.Keys(learners)) }

func newLearner(name string, p problem) (learner, error) {
	make, ok := learners[name]
	if !ok {
		return nil, fmt.Errorf("%w: algorithm %q, want one of %s", ErrInput, name, strings.Join(Algorithms(), ", "))
	}
	return make(p), nil
}

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

func (l *boosted) done() Fitted {
	var f Fitted
	for q, o := range l.boosters {
		o.trees.cut(l.kept[q])
		o.trees.round()
		f.Trees = append(f.Trees, o.trees)
	}
	return f
}
