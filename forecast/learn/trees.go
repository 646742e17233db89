package learn

import "math"

// Trees is a sum of decision trees:
//
//	f(x) = Base + Σ_k leaf_k(x)
//
// All nodes are in one list, each tree in preorder: the left child of node i is
// i + 1, the right one Right[i]. A missing value goes where Missing says. Value of a leaf
// is what it adds; of an inner node the mean of what its rows get, by which a
// prediction is taken apart (see contribute).
type Trees struct {
	Base      float64  `json:"base"`
	Roots     integers `json:"roots"`
	Feature   integers `json:"feature"` // −1 is a leaf
	Threshold floats   `json:"threshold"`
	Right     integers `json:"right"`
	Missing   integers `json:"missing"` // 1: a missing value goes left
	Value     floats   `json:"value"`
}

// at returns f(x). Cost: the depth of each tree.
func (t *Trees) at(x []float64) float64 {
	sum := t.Base
	for _, i := range t.Roots {
		for t.Feature[i] >= 0 {
			i = t.next(i, x)
		}
		sum += t.Value[i]
	}
	return sum
}

func (t *Trees) next(i int, x []float64) int {
	v := x[t.Feature[i]]
	if v <= t.Threshold[i] || math.IsNaN(v) && t.Missing[i] == 1 {
		return i + 1
	}
	return t.Right[i]
}

// contribute adds to dst[j] what feature j contributes to f(x): along the path of
// each tree, the change of the mean at the splits on j (Saabas). f(x) = the returned
// mean + Σ dst.
func (t *Trees) contribute(dst, x []float64) (mean float64) {
	mean = t.Base
	for _, i := range t.Roots {
		mean += t.Value[i]
		for t.Feature[i] >= 0 {
			k := t.next(i, x)
			dst[t.Feature[i]] += t.Value[k] - t.Value[i]
			i = k
		}
	}
	return mean
}

// cut drops all trees after the first n.
func (t *Trees) cut(n int) {
	if n >= len(t.Roots) {
		return
	}
	end := t.Roots[n]
	t.Roots = t.Roots[:n]
	t.Feature, t.Threshold, t.Right, t.Missing, t.Value = t.Feature[:end], t.Threshold[:end], t.Right[:end], t.Missing[:end], t.Value[:end]
}

// round keeps the digits of values that a single-precision number has, so that a
// stored model is small. Thresholds are kept whole: rows are told apart by them.
func (t *Trees) round() {
	for i, v := range t.Value {
		t.Value[i] = float64(float32(v))
	}
}
