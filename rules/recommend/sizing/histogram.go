package sizing

import (
	"math"
	"slices"
)

// Buckets of values are 3 % wide: bucket i > 0 holds [least·growth^(i−1), least·growth^i),
// bucket 0 what is below, the last one what is above. A quantile within a bucket is
// interpolated, so its error is about 1 %.
const (
	growth  = 1.03
	least   = 1e-4 // cores
	buckets = 625  // up to 10,000 cores
)

var logGrowth = math.Log(growth)

// bucket returns the bucket of v, which is not NaN.
func bucket(v float64) int {
	if v < least {
		return 0
	}
	return int(min(1+math.Log(v/least)/logGrowth, buckets-1)) // +Inf is no int
}

// edge returns the lower edge of bucket i, 0 for the first.
func edge(i int) float64 {
	if i <= 0 {
		return 0
	}
	return least * math.Exp(float64(i-1)*logGrowth)
}

// day is the distribution of one day: sparse counts in ascending order of buckets, and
// what is exact about it.
type day struct {
	counts []count
	n      int     // samples
	most   float64 // highest value; 0 without samples
}

type count struct {
	bucket uint16
	n      uint16 // saturates
}

// dense is a distribution under way, and scratch for mixing days.
type dense struct {
	w     [buckets]float64
	total float64
	most  float64
}

func (d *dense) add(v, w float64) {
	d.w[bucket(v)] += w
	d.total += w
	d.most = max(d.most, v)
}

func (d *dense) reset() { *d = dense{} }

// mix adds a day with weight w for each sample.
func (d *dense) mix(x *day, w float64) {
	for _, c := range x.counts {
		d.w[c.bucket] += w * float64(c.n)
	}
	d.total += w * float64(x.n)
	d.most = max(d.most, x.most)
}

// sparse returns what d holds, of weights that are counts.
func (d *dense) sparse() day {
	n := 0
	for _, w := range d.w {
		if w > 0 {
			n++
		}
	}
	out := day{counts: make([]count, 0, n), n: int(d.total), most: d.most}
	for i, w := range d.w {
		if w > 0 {
			out.counts = append(out.counts, count{uint16(i), uint16(min(w, math.MaxUint16))})
		}
	}
	return out
}

// quantiles stores in dst the quantiles qs, ascending and in [0, 1], with linear interpolation
// within buckets; 1 is the highest value seen. NaN if d is empty. O(buckets).
func (d *dense) quantiles(dst, qs []float64) {
	if d.total <= 0 {
		for k := range dst {
			dst[k] = math.NaN()
		}
		return
	}
	below, i := 0.0, 0
	for k, q := range qs {
		want := q * d.total
		for i < buckets-1 && below+d.w[i] < want {
			below += d.w[i]
			i++
		}
		v := d.most
		if d.w[i] > 0 && i < buckets-1 {
			lo, hi := edge(i), edge(i+1)
			v = lo + (hi-lo)*(want-below)/d.w[i]
		}
		dst[k] = min(v, d.most)
	}
}

// above returns the share of the samples of x above v, in [0, 1], with linear interpolation
// within the bucket of v; 0 without samples. O(log buckets + those above).
func (x *day) above(v float64) float64 {
	if x.n == 0 || v >= x.most {
		return 0
	}
	b := bucket(v)
	i, found := slices.BinarySearchFunc(x.counts, b, func(c count, b int) int { return int(c.bucket) - b })
	n := 0.0
	if found {
		lo, hi := edge(b), min(edge(b+1), x.most)
		if b == buckets-1 {
			hi = x.most
		}
		if hi > lo {
			n += float64(x.counts[i].n) * min(max((hi-v)/(hi-lo), 0), 1)
		}
		i++
	}
	for _, c := range x.counts[i:] {
		n += float64(c.n)
	}
	return min(n/float64(x.n), 1)
}
