package forecast

import "math"

// A gate turns what the rolling origins showed about the members into their weights,
// one set for every block of the horizon:
//
//	weight[j, d] ∝ exp(Σ_f c[j, f]·x[j, d, f])
//
// The inputs x are listed at gateWidth. The coefficients c were learned once, on
// windows of many series (see TestTrainGate), by gradient descent on the absolute
// error of the trimmed mean that uses the weights; they are constants of the
// program, and nothing is learned from one user's series for another's. What they
// know beyond "the error so far" is how far such an error can be believed: the
// error of a smooth model on four origins says more about next week than that of a
// repeated day, less of it when the history is short, and so on.
//
// Montero-Manso, Athanasopoulos, Hyndman and Talagala, "FFORMA: Feature-based
// forecast model averaging", International Journal of Forecasting 36(1), 2020, weigh
// by features of the series with boosted trees; here the features are the
// backtest errors, and the map is linear.
type gate struct {
	pool []string // names of the members, in the order of the rows
	c    [][gateWidth]float64
}

// The inputs of a gate for member j and block d of the horizon. An error is the mean
// absolute one on the rolling origins; ratios are logarithms, softened by 2 % of the
// mean error of all members, 0 where there is nothing to compare.
const (
	gateOne     = iota // 1
	gateError          // error of j to that of the best member
	gateNewest         // the same on the newest origin
	gateBlock          // the same on block d, shrunk to all blocks
	gateHorizon        // d/6
	gateNovelty        // distance of j from the yardstick now to that on the origins
	gateShort          // gateError · (1 − weeks of history/4)
	gateHistory        // 1 − weeks of history/4
	gateDay            // error of the level to that of the yardstick: is there a day?
	gateWeek           // error of a week ago to that of a day ago: is there a week?
	gateOld            // error of four weeks to that of one: does it wander?
	gateMove           // error of the last day's level to that of the last week's
	gateNoise          // error of a day ago to that of the yardstick: is it noisy?
	gateFit            // best error to the mean difference of neighbouring days
	gateMoved          // gateNovelty of the last day's level, first block
	gateWidth
)

// The members of auto that the inputs refer to.
type gateRoles struct{ yardstick, levelDay, levelWeek, old, dayAgo, weekAgo int }

const (
	gateBlocks = 7    // blocks of the horizon with weights of their own
	gateTrim   = 0.12 // half the share of weight around the median that is averaged
	gateClamp  = 2.0  // of the ratios of series
)

// roles finds the members the inputs refer to. It panics if one is missing.
func (g *gate) roles() gateRoles {
	at := func(name string) int {
		for i, n := range g.pool {
			if n == name {
				return i
			}
		}
		panic("forecast: the gate has no member " + name)
	}
	return gateRoles{
		yardstick: at("hour_of_day_median_7d"), levelDay: at("median_1d"), levelWeek: at("median_7d"),
		old: at("hour_of_day_median_28d"), dayAgo: at("seasonal_naive_1d"), weekAgo: at("seasonal_naive_7d"),
	}
}

// weights returns the weights of the members for each block of the horizon, up to
// gateBlocks. r has at least one origin and the members of the gate.
func (g *gate) weights(r *rolling, s *Scratch) [][]float64 {
	x := g.inputs(r, s)
	w := s.table(len(x))
	for d := range w {
		w[d] = s.floats(len(r.members))
		g.softmax(w[d], x[d])
	}
	return w
}

func (g *gate) softmax(w, x []float64) {
	top := math.Inf(-1)
	for j := range w {
		sum := 0.0
		for f, v := range x[j*gateWidth : (j+1)*gateWidth] {
			sum += g.c[j][f] * v
		}
		w[j] = sum
		top = max(top, sum)
	}
	total := 0.0
	for j, v := range w {
		w[j] = math.Exp(v - top)
		total += w[j]
	}
	for j := range w {
		w[j] /= total
	}
}

// inputs returns the inputs by block, those of all members in one row.
func (g *gate) inputs(r *rolling, s *Scratch) [][]float64 {
	roles := g.roles()
	block := r.h.grid.block()
	last := len(r.ends) - 1
	n := len(r.members)
	rows := s.table(min(gateBlocks, (len(r.point[last])+block-1)/block))
	for d := range rows {
		rows[d] = s.floats(n * gateWidth)
	}
	mk := s.mark()
	defer s.release(mk)
	e := r.errorsByBlock(s)
	soft := 1e-9 + 0.02*mean(e.all)
	ratio := func(a, b float64) float64 { return math.Log((a + soft) / (b + soft)) }
	clamped := func(a, b float64) float64 { return min(max(ratio(a, b), -gateClamp), gateClamp) }
	best, bestNewest := minimum(e.all), minimum(e.newest)
	short := 1 - min(1, float64(len(r.h.y))/float64(28*block))
	scale := r.seasonalScale(r.h.grid.season)
	if math.IsNaN(scale) {
		scale = 0
	}
	var common [gateWidth]float64
	common[gateOne], common[gateHistory] = 1, short
	common[gateDay] = clamped(e.all[roles.levelWeek], e.all[roles.yardstick])
	common[gateWeek] = clamped(e.all[roles.weekAgo], e.all[roles.dayAgo])
	common[gateOld] = clamped(e.all[roles.old], e.all[roles.yardstick])
	common[gateMove] = clamped(e.all[roles.levelDay], e.all[roles.levelWeek])
	common[gateNoise] = clamped(e.all[roles.dayAgo], e.all[roles.yardstick])
	common[gateFit] = min(max(math.Log((best+1e-6)/(scale+1e-6)), -3), 3)
	distance := s.floats(n)
	for j := range distance {
		distance[j] = r.distance(j, roles.yardstick)
	}
	novelty := func(j, d int) float64 {
		if j == roles.yardstick {
			return 0
		}
		from := d * block
		now := r.apart(j, roles.yardstick, last, from, min(from+block, len(r.point[last])))
		return clamped(now, distance[j])
	}
	common[gateMoved] = novelty(roles.levelDay, 0)
	byBlock := s.floats(n)
	for d, row := range rows {
		dd := min(d, len(e.weight)-1)
		for j := range byBlock {
			prior := float64(block)
			byBlock[j] = (e.block[j][dd] + prior*e.all[j]) / (e.weight[dd] + prior)
		}
		bestHere := minimum(byBlock)
		for j := range n {
			x := row[j*gateWidth : (j+1)*gateWidth]
			copy(x, common[:])
			x[gateError] = ratio(e.all[j], best)
			x[gateNewest] = ratio(e.newest[j], bestNewest)
			x[gateBlock] = ratio(byBlock[j], bestHere)
			x[gateHorizon] = float64(d) / 6
			x[gateNovelty] = novelty(j, d)
			x[gateShort] = x[gateError] * short
		}
	}
	return rows
}

// memberErrors are the absolute errors of every member on the rolling origins, with
// the newest origin weighing most.
type memberErrors struct {
	all, newest []float64   // means, by member
	block       [][]float64 // sums by member and block of the horizon
	weight      []float64   // of the sums, by block
}

func (r *rolling) errorsByBlock(s *Scratch) memberErrors {
	block := r.h.grid.block()
	n, last := len(r.members), len(r.ends)-1
	blocks := (len(r.point[0]) + block - 1) / block
	e := memberErrors{all: s.floats(n), newest: s.floats(n), block: s.table(n), weight: s.floats(blocks)}
	for j, rows := range r.members {
		e.block[j] = s.floats(blocks)
		w, total := 1.0, 0.0
		for i := last - 1; i >= 0; i-- {
			end := r.ends[i]
			sum, count := 0.0, 0.0
			for k, v := range rows[i] {
				if !r.h.observed[end+k] {
					continue
				}
				a := math.Abs(r.h.y[end+k] - v)
				sum += a
				count++
				e.block[j][k/block] += w * a
				if j == 0 {
					e.weight[k/block] += w
				}
			}
			e.all[j] += w * sum
			total += w * count
			if i == last-1 && count > 0 {
				e.newest[j] = sum / count
			}
			w *= originFading
		}
		if total > 0 {
			e.all[j] /= total
		}
	}
	return e
}

// apart returns the mean distance of members a and b from end i, at steps from to
// before to.
func (r *rolling) apart(a, b, i, from, to int) float64 {
	sum := 0.0
	rowB := r.members[b][i][from:to]
	for k, v := range r.members[a][i][from:to] {
		sum += math.Abs(v - rowB[k])
	}
	return sum / float64(to-from)
}

// distance returns the mean of apart over all origins.
func (r *rolling) distance(a, b int) float64 {
	sum, last := 0.0, len(r.ends)-1
	for i := range last {
		sum += r.apart(a, b, i, 0, len(r.point[i]))
	}
	return sum / float64(last)
}

func minimum(v []float64) float64 {
	low := math.Inf(1)
	for _, x := range v {
		low = min(low, x)
	}
	return low
}
