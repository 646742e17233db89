package capacity

import (
	"math"
	"math/rand/v2"
	"slices"
)

// paths is how many are drawn.
const paths = 400

// reach returns the seconds from now until each path reaches limit, ascending, +Inf
// for those that do not as far ahead as the history carries. used is the newest
// value: where it is above the level, the level of the paths begins there.
func (t trend) reach(limit, used float64) []float64 {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:forbidigo // seeded: the same paths each time
	steps := int(math.Ceil(t.far * float64(t.n)))
	out := make([]float64, paths)
	wander := slopeDrift * t.slope / math.Sqrt(float64(t.n)) // deviation of the slope a step
	for p := range out {
		z := rng.NormFloat64()
		slope := t.slope + z*student(t.n)*t.slopeSE
		level := max(t.level+rng.NormFloat64()*math.Sqrt(t.levelVar), used-2*math.Sqrt(t.r))
		out[p] = math.Inf(1)
		before := max(level, used)
		for i := range steps {
			slope += wander * rng.NormFloat64()
			level += slope + math.Sqrt(t.q)*rng.NormFloat64()
			peak := level + math.Sqrt(t.r)*rng.NormFloat64()
			if peak >= limit {
				part := 1.0
				if peak > before {
					part = min(max((limit-before)/(peak-before), 0), 1)
				}
				out[p] = (float64(i) + part) * t.size * 3600
				break
			}
			before = max(before, peak)
		}
	}
	slices.Sort(out)
	return out
}

// quantile returns the p-quantile of ascending times, NaN if it is not reached.
func quantile(times []float64, p float64) float64 {
	v := times[int(p*float64(len(times)-1))]
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// share returns the share of ascending times up to limit.
func share(times []float64, limit float64) float64 {
	n, _ := slices.BinarySearchFunc(times, limit, func(a, b float64) int {
		if a <= b {
			return -1
		}
		return 1
	})
	return float64(n) / float64(len(times))
}
