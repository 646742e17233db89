package forecast

import (
	"math"
	"slices"
)

// rolling holds the forecasts of all members from all origins. The last end is
// that of the history: its forecasts are the ones asked for.
type rolling struct {
	h       *history
	ends    []int         // ascending
	members [][][]float64 // [member][end][step]
	point   [][]float64   // [end][step], of the combination
	move    move          // the end of h, if it is like nothing before
	trim    float64       // half the share of weight around the median that point averages

	fine  *history  // the history h holds the means of; h itself where there is none
	per   int       // points of fine to one of h
	shape []float64 // of fine around its means, by phase of the day; nil: none
	head  *rolling  // of the first hour of fine; nil: none
}

// at returns the forecast for step k of fine after the end.
func (r *rolling) at(k int) float64 {
	v := r.point[len(r.ends)-1][k/r.per]
	if len(r.shape) > 0 {
		v += r.shape[(len(r.h.y)*r.per+k)%len(r.shape)]
	}
	if r.head == nil {
		return v
	}
	// What the head says, and for an hour after it ever less of how it ended.
	head := r.head.point[len(r.head.ends)-1]
	switch n := len(head); {
	case k < n:
		return head[k]
	case k < 2*n:
		end := r.point[len(r.ends)-1][(n-1)/r.per] + r.shape[(len(r.h.y)*r.per+n-1)%len(r.shape)]
		v += (head[n-1] - end) * float64(2*n-1-k) / float64(n)
	}
	return v
}

// residuals calls f with what step k of h, counted from origin i, held beyond its
// forecast, for every point of fine that was observed.
func (r *rolling) residuals(i int, f func(k int, e float64)) {
	end := r.ends[i]
	if r.per == 1 {
		for k, v := range r.point[i] {
			if r.h.observed[end+k] {
				f(k, r.h.y[end+k]-v)
			}
		}
		return
	}
	offset := len(r.fine.y) - len(r.h.y)*r.per
	for k, v := range r.point[i] {
		for j := range r.per {
			t := (end+k)*r.per + j
			if r.fine.observed[offset+t] {
				f(k, r.fine.y[offset+t]-v-r.shape[t%len(r.shape)])
			}
		}
	}
}

// roll projects every member from every origin and from the end of h.
func roll(members []named, h *history, horizon, folds int, s *Scratch) rolling {
	n := len(h.y)
	var short int
	s.ends, short = origins(s.ends[:0], n, horizon, h.grid.block(), folds)
	s.ends = append(onObserved(s.ends, h), n)
	r := rolling{
		h: h, ends: s.ends, members: s.tables(len(members)), point: s.table(len(s.ends)), move: move{}, trim: 0,
		fine: h, per: 1, shape: nil, head: nil,
	}
	for i := range r.point {
		r.point[i] = s.floats(r.steps(i, short, horizon))
	}
	s.logs = logs{}
	if slices.ContainsFunc(members, func(m named) bool { _, is := m.member.(logged); return is }) {
		s.logs = takeLogs(h.y, s)
	}
	slack := h.max - h.min
	low := h.min - slack
	if h.positive {
		low = 0
	}
	for j, m := range members {
		if s.stopped() != nil {
			break // of no use to anybody
		}
		rows := s.table(len(s.ends))
		for i := range rows {
			rows[i] = s.floats(len(r.point[i]))
		}
		clipped{m.member, low, h.max + slack}.project(rows, h.y, r.ends, h.grid, s)
		r.members[j] = rows
	}
	return r
}

// onObserved moves every end back to just after an observed point, by up to a block,
// or drops it: a gap is filled from both sides, so that an end inside one would see
// what comes after it.
func onObserved(ends []int, h *history) []int {
	kept := ends[:0]
	for _, end := range ends {
		least := max(1, end-h.grid.block())
		for end > least && !h.observed[end-1] {
			end--
		}
		if h.observed[end-1] && (len(kept) == 0 || end > kept[len(kept)-1]) {
			kept = append(kept, end)
		}
	}
	return kept
}

func (r *rolling) steps(i, short, horizon int) int {
	if i == len(r.ends)-1 {
		return horizon
	}
	return short
}

// origins appends the lengths of the histories of up to k rolling origins in
// rising order and returns the horizon they are tested at. The horizon is the one
// asked for where 10 blocks of history remain before it, else as many whole
// blocks as leave 4 to learn from, at least one. Origins lie half a horizon apart
// (a block apart where the horizon is two blocks or less, a quarter where it is half
// a block or less), so that tests overlap by half and levels from different days
// are met.
func origins(ends []int, n, horizon, block, k int) ([]int, int) {
	if n < youngBlocks*block && (horizon > block/2 || n < (minTrainBlocks+1)*block) {
		return youngOrigins(ends, n, horizon, block)
	}
	if n < horizon+trainBlocks*block {
		horizon = min(horizon, max(block, (n-minTrainBlocks*block)/2/block*block))
	}
	apart := max(block, horizon/2/block*block)
	least := fewOrigins
	switch {
	case horizon <= block/2: // few residuals an origin: more of them, all round the day
		least = max(shortFolds, shortResiduals/max(1, horizon))
		apart, k = max(horizon, block/4), max(k, least)
	case horizon <= 2*block:
		apart = block
	}
	train := max(minTrainBlocks*block, min(trainBlocks*block, n-horizon-(least-1)*apart))
	for i := k - 1; i >= 0; i-- {
		if end := n - horizon - i*apart; end >= train {
			ends = append(ends, end)
		}
	}
	return ends, horizon
}

const (
	trainBlocks    = 10 // days before the first origin, where there are enough
	minTrainBlocks = 4
	shortFolds     = 14
	shortResiduals = 28 // of short horizons, so that a level of 0.95 has a bound
	fewOrigins     = 3  // fewer say little: rather learn from less than 10 days
)

// originFading is the weight of an origin relative to the next newer one: of
// seven origins the newest carries 24 %, the oldest 7 %. It is worth 0.7 % of OWA
// on M4 hourly and nothing on the server traces; 0.67 is worse than 1.
const originFading = 0.82

// error returns the mean absolute error of rows over the observed values of all
// origins, weighted by originFading; +∞ if nothing was observed.
func (r *rolling) error(rows [][]float64) float64 {
	sum, total, w := 0.0, 0.0, 1.0
	for i := len(r.ends) - 2; i >= 0; i-- {
		end := r.ends[i]
		for k, v := range rows[i] {
			if r.h.observed[end+k] {
				sum += w * math.Abs(r.h.y[end+k]-v)
				total += w
			}
		}
		w *= originFading
	}
	if total == 0 {
		return math.Inf(1)
	}
	return sum / total
}
