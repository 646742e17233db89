package sizing

import "math"

// An arm is a rule for the CPU request: a quantile of usage, of the past with a half-life
// or of the forecast of the next seven days, times 1 + margin. All combinations run
// along.
var (
	quantiles = []float64{0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1}
	halfLives = []float64{1, 3, 7, 14} // days: 1 d forgets a week to 1/128, 14 d to 0.7
	margins   = []float64{0, 0.05, 0.1, 0.2, 0.4}
)

const (
	sources = 5 // half-lives, and the forecast
	bases   = sources * 7
	usual   = 3*7 + 2   // the base that is the 95th percentile with a half-life of 14 days
	arms    = bases * 5 // in order of source, quantile, margin

	leastCPU = 0.01 // cores: 10m, the least request
	fade     = 0.95 // a loss counts 0.95 times as much each day later: half after 13.5 d
	tenfold  = 10   // price of an hour above Policy.Ceiling, in prices of one below
	prior    = 1    // what one expects of an arm counts as much as a day of its own losses
)

// loss is what the request r costs when usage is above it for the share v of the time:
//
//	r + price·v + 9·price·max(v − ceiling, 0)
//
// r and price are in cores, v and ceiling in [0, 1].
func loss(r, v, price, ceiling float64) float64 {
	return r + price*v + (tenfold-1)*price*max(v-ceiling, 0)
}

// expected is the share of time that usage is above the q-quantile of its past times
// 1 + margin on the next day, over real traces: 5.9 % for the 95th percentile of two weeks,
// 2.7 % with a margin of 0.1, 0.4 % above the highest value. It stands in for
// an arm's own losses as long as there are few; twice that, as a new container is less
// known than one of two weeks.
func expected(q, margin float64) float64 {
	return 2 * (1.1*(1-q) + 0.004) / (1 + 12*margin)
}

// armLosses are the faded sums of what each arm has cost, and of the days' weights.
type armLosses struct {
	sum    [arms]float32
	weight float64
}

// settle adds the losses of one day: values are what the arms said before it, NaN where
// they said nothing; such an arm costs what the dearest one cost.
func (l *armLosses) settle(values []float32, x *day, price, ceiling float64) {
	if x.n == 0 {
		return
	}
	var cost [arms]float32
	worst := float32(0)
	for a, r := range values {
		cost[a] = float32(math.NaN())
		if r == r {
			cost[a] = float32(loss(float64(r), x.above(float64(r)), price, ceiling))
			worst = max(worst, cost[a])
		}
	}
	l.weight = l.weight*fade + 1
	for a, c := range cost {
		if c != c {
			c = worst
		}
		l.sum[a] = l.sum[a]*fade + c
	}
}

// best returns the arm that is cheapest by its own past losses and what is expected
// of it, ties to the first; −1 if no arm has a value.
func (l *armLosses) best(values []float32, price, ceiling float64) int {
	best, least := -1, math.Inf(1)
	for a, r := range values {
		if r != r {
			continue
		}
		q, m := quantiles[a/len(margins)%len(quantiles)], margins[a%len(margins)]
		c := (float64(l.sum[a]) + prior*loss(float64(r), expected(q, m), price, ceiling)) / (l.weight + prior)
		if c < least {
			best, least = a, c
		}
	}
	return best
}

// armValues stores in values what every arm says: bases are the quantiles by source, NaN
// where a source has none.
func armValues(values []float32, bases []float64) {
	for b, v := range bases {
		for k, m := range margins {
			values[b*len(margins)+k] = float32(max(v*(1+m), leastCPU))
			if math.IsNaN(v) {
				values[b*len(margins)+k] = float32(math.NaN())
			}
		}
	}
}
