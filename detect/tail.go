package detect

import "math"

// A tail is one view's record of its own past values: a histogram with
// logarithmic bins whose weight halves every few days. Bins are an eighth of an
// octave wide (about 9 %) from 2⁻² to 2⁷; what lies outside goes to the first or last.
//
// To take two bytes a bin the weights are whole numbers of which unit make one newest
// value. Instead of the weights falling, unit rises; when it or a weight is too large,
// all are halved. A weight is known to ½/unit then.
type tail struct {
	weight [tailBins]uint16
	unit   float32 // what a value adds now; 0 before the first
	total  float32 // sum of weight over unit: values, those of before counting less
	level  float64 // the value exceeded with the wanted probability; > 0
}

const (
	tailBins    = 9 << tailSub
	tailSub     = 3 // log2 of the bins per octave
	tailLow     = 0.25
	tailMantBit = 52 - tailSub

	// The unit of the first value, and the largest there is.
	tailUnit, tailUnitMost = 16, 1024

	// Exceedances are what lies above this quantile. 3 %: a day of minutes gives 43.
	tailFraction = 0.03
	// Below this weight there is nothing to extrapolate from.
	tailMinimum = 30
	// The shape of the tail is shrunk to the prior as if that many exceedances
	// had been seen: with 30 real ones it counts half.
	tailPrior      = 0.15
	tailPriorCount = 30
	// The shape stays between a little heavier than exponential and infinite variance.
	tailShapeMin, tailShapeMax = 0.1, 0.5
)

// bin returns the index of the bin of x ≥ 0. The top bits of an IEEE 754 number
// are its logarithm with a linear mantissa, so no logarithm is taken.
func tailBin(x float64) int {
	k := int(math.Float64bits(x/tailLow)>>tailMantBit) - 1023<<tailSub
	return min(max(k, 0), tailBins-1)
}

// tailEdge returns the lower edge of bin k.
func tailEdge(k int) float64 {
	return tailLow * math.Float64frombits(uint64(k+1023<<tailSub)<<tailMantBit)
}

// tailMiddle holds the middle of every bin.
var tailMiddle = func() (m [tailBins]float64) {
	for k := range m {
		m[k] = (tailEdge(k) + tailEdge(k+1)) / 2
	}
	return m
}()

// add counts x ≥ 0 once.
func (h *tail) add(x float64) {
	if h.unit == 0 {
		h.unit = tailUnit
	}
	k := tailBin(x)
	for {
		if w := uint32(h.weight[k]) + uint32(max(h.unit+0.5, 1)); w <= math.MaxUint16 {
			h.weight[k] = uint16(w)
			break
		}
		h.halve()
	}
	h.total++
}

// halve makes the unit and the weights half as large.
func (h *tail) halve() {
	h.unit /= 2
	for i, w := range h.weight {
		if w > 1 { // rounded up, but a last one does not stay for ever
			h.weight[i] = w>>1 + w&1
		} else {
			h.weight[i] = 0
		}
	}
}

// decay multiplies all weights by f in (0, 1).
func (h *tail) decay(f float64) {
	h.unit /= float32(f)
	h.total *= float32(f)
	if h.unit > tailUnitMost {
		h.halve()
	}
}

// of returns the weight of bin k in values.
func (h *tail) of(k int) float64 { return float64(h.weight[k]) / float64(max(h.unit, 1)) }

// merged returns the weights of h and o together.
func (h *tail) merged(o *tail) tail {
	both := tail{weight: [tailBins]uint16{}, unit: min(max(h.unit, 1), max(o.unit, 1)) / 2, total: h.total + o.total, level: h.level}
	for k := range both.weight {
		both.weight[k] = uint16(min(math.Ceil((h.of(k)+o.of(k))*float64(both.unit)), math.MaxUint16))
	}
	return both
}

// quantile returns the value that is exceeded with probability p a point, in
// (0, 1): a generalised Pareto distribution, fitted by moments to what lies
// above the 97 % quantile, is read at p. ok is false with a weight below 30.
// O(bins). Siffer et al., Anomaly detection in streams with extreme value
// theory, KDD 2017; moments: Hosking and Wallis (1987).
func (h *tail) quantile(p float64) (level float64, ok bool) {
	if h.total < tailMinimum {
		return 0, false
	}
	g := h.pareto(p)
	if g.n == 0 {
		return g.from, true
	}
	return g.from + g.scale/g.shape*(math.Pow(p*float64(h.total)/g.n, -g.shape)-1), true
}

// A pareto is a generalised Pareto distribution of what lies above from: P(X > x)
// = (1 + shape·(x−from)/scale)^(−1/shape).
type pareto struct{ n, from, scale, shape float64 } // n is the weight it rests on

// pareto fits what lies above the 97 % quantile, or the one of p if that is
// lower. The total must be above 0.
func (h *tail) pareto(p float64) pareto {
	unit := float64(max(h.unit, 1))
	want := max(tailFraction, p) * float64(h.total) * unit
	k, above := tailBins-1, 0.0
	for ; k > 0; k-- {
		w := float64(h.weight[k])
		if above+w >= want {
			break
		}
		above += w
	}
	u := tailEdge(k)
	var n, s1, s2 float64
	for j := k; j < tailBins; j++ {
		if h.weight[j] > 0 {
			w := float64(h.weight[j])
			x := tailMiddle[j] - u
			n += w
			s1 += w * x
			s2 += w * x * x
		}
	}
	n, s1, s2 = n/unit, s1/unit, s2/unit
	if n == 0 {
		return pareto{n: 0, from: u, scale: 1, shape: tailShapeMin}
	}
	mean := s1 / n
	variance := max(s2/n-mean*mean, 1e-12)
	shape := 0.5 * (1 - mean*mean/variance)
	shape = (shape*n + tailPrior*tailPriorCount) / (n + tailPriorCount)
	shape = min(max(shape, tailShapeMin), tailShapeMax)
	return pareto{n: n, from: u, scale: mean * (1 - shape), shape: shape}
}
