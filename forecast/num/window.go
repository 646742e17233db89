package num

// Window is a multiset of values in ascending order, for medians of windows that
// move on by a few values: the cost is a search and a shift a value, not a selection
// among all.
type Window []float64

// Insert adds v, which is not NaN. O(n).
func (w *Window) Insert(v float64) {
	x := append(*w, v)
	i := len(x) - 1
	for ; i > 0 && v < x[i-1]; i-- {
		x[i] = x[i-1]
	}
	x[i] = v
	*w = x
}

// Remove takes out one value that equals v and reports whether there was one. O(n).
func (w *Window) Remove(v float64) bool {
	x := *w
	lo, hi := 0, len(x)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); x[mid] < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(x) || x[lo] != v {
		return false
	}
	*w = append(x[:lo], x[lo+1:]...)
	return true
}

// Median returns the middle value of w, or the mean of the two middle ones; it panics if w is
// empty. O(1).
func (w Window) Median() float64 {
	n := len(w)
	if n%2 == 1 {
		return w[n/2]
	}
	return w[n/2-1]/2 + w[n/2]/2
}
