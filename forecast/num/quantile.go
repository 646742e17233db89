// Package num holds the small numeric tools that forecasters and detectors
// share and that gonum does not offer in place and without allocation.
package num

import "math"

// Select rearranges x so that x[k] is the value it would have if x were sorted,
// no larger value lies before it and no smaller one after, and returns x[k].
// x must hold no NaN; 0 ≤ k < len(x), else it panics. O(n) on average. Hoare's
// FIND with the median of three as pivot, Communications of the ACM 4(7), 1961.
func Select(x []float64, k int) float64 {
	lo, hi := 0, len(x)-1
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if x[mid] < x[lo] {
			x[mid], x[lo] = x[lo], x[mid]
		}
		if x[hi] < x[lo] {
			x[hi], x[lo] = x[lo], x[hi]
		}
		if x[hi] < x[mid] {
			x[hi], x[mid] = x[mid], x[hi]
		}
		pivot := x[mid]
		i, j := lo, hi
		for i <= j {
			for x[i] < pivot {
				i++
			}
			for pivot < x[j] {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return x[k]
		}
	}
	return x[k]
}

// Quantile returns the p-quantile of x by linear interpolation between order
// statistics, at the position p·(n−1): type 7 of Hyndman and Fan, "Sample
// quantiles in statistical packages", American Statistician 50(4), 1996. p is
// clamped to [0, 1]. x is rearranged and must hold no NaN. It returns NaN if x is
// empty. O(n) on average.
func Quantile(x []float64, p float64) float64 {
	n := len(x)
	if n == 0 {
		return math.NaN()
	}
	position := min(max(p, 0), 1) * float64(n-1)
	k := int(position)
	v := Select(x, k)
	if w := position - float64(k); w > 0 {
		next := x[k+1]
		for _, u := range x[k+2:] {
			next = min(next, u)
		}
		v = v*(1-w) + next*w
	}
	return v
}

// Median returns the middle value of x, or the mean of the two middle ones. x is
// rearranged and must hold no NaN. It returns NaN if x is empty. Up to twelve
// values are sorted by insertion, more take O(n) on average.
func Median(x []float64) float64 {
	n := len(x)
	if n == 0 || n > 12 {
		return Quantile(x, 0.5)
	}
	for i := 1; i < n; i++ {
		v := x[i]
		j := i
		for ; j > 0 && v < x[j-1]; j-- {
			x[j] = x[j-1]
		}
		x[j] = v
	}
	if n%2 == 1 {
		return x[n/2]
	}
	return x[n/2-1]/2 + x[n/2]/2
}
