package forecast

import (
	"fmt"
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
)

// combination is a Forecaster made of members: rolling origins measure them,
// their weighted median, or a trimmed mean around it, is the forecast, and its
// residuals on the origins make the interval. With one member it is that member with a measured
// interval.
type combination struct {
	model  string
	pool   []named      // for histories without negative values
	signed []named      // for all others
	folds  int          // rolling origins wanted
	gate   *gate        // weighs the members of the pool; nil: their inverse errors do
	power  float64      // of the inverse errors
	short  *combination // for the next hour on a grid finer than that; nil: none
}

func newCombination(model string, pool []named, folds int) combination {
	c := combination{model: model, pool: pool, signed: nil, folds: folds, gate: nil, power: 2, short: nil}
	for _, m := range pool {
		if l, ok := m.member.(logged); ok {
			m.member = l.member
		}
		c.signed = append(c.signed, m)
	}
	return c
}

func single(model string, m member) combination {
	return newCombination(model, []named{{model, m}}, singleFolds)
}

// members returns those that fit h. A logarithm needs values that are not
// negative, and one that is positive; else its model works without.
func (c combination) members(h *history) []named {
	if h.positive && h.max > 0 {
		return c.pool
	}
	return c.signed
}

// singleFolds is the number of rolling origins of one model alone; 4 with a
// horizon of 7 days reach back 16 days before the last week.
const singleFolds = 4

// Forecast implements Forecaster. It returns ErrShort, wrapped, if nothing is
// observed.
func (c combination) Forecast(dst *series.Forecast, y series.Series, calendar Calendar, s *Scratch) error {
	s.reset()
	h := &s.history
	if err := h.clean(y, 1, s); err != nil {
		return fmt.Errorf("%s: %w", c.model, err)
	}
	h.mask(calendar.masked)
	if err := prepare(dst, c.model, y); err != nil {
		return fmt.Errorf("%s: %w", c.model, err)
	}
	if unseen := h.grid.season; len(c.pool) > 1 && len(h.y) < 2*unseen {
		dst.Warnings = append(dst.Warnings, h.young(s))
	}
	if c.short != nil && h.hours() && h.silent+len(dst.Point) <= h.grid.perHour() {
		c = *c.short
		c.model = dst.Model
		h.hourly()
	}
	r, weights := c.forecast(h, h.silent+len(dst.Point), s)
	if err := s.stopped(); err != nil {
		return fmt.Errorf("%s: %w", c.model, err)
	}
	for k := range dst.Point {
		dst.Point[k] = r.at(h.silent + k)
	}
	listMembers(dst, c.members(h), weights, r.h.grid.block(), (h.silent+len(dst.Point)+r.per-1)/r.per)
	r.bound(dst, s)
	r.boundHead(dst, s)
	r.trust(dst, s)
	h.finish(dst)
	return nil
}

// forecast projects, weighs and combines the members: at the points of h, or, where
// they are finer than an hour and there is a combination for that, at hourly means with what
// these do not hold put back.
func (c combination) forecast(h *history, horizon int, s *Scratch) (rolling, [][]float64) {
	per := 1
	at := h
	if c.short != nil && h.fine() {
		per = h.grid.perHour()
		s.coarse = h.means(per, s)
		at = &s.coarse
	}
	r := roll(c.members(h), at, (horizon+per-1)/per, c.folds, s)
	if s.stopped() != nil {
		return r, nil
	}
	weights := c.weigh(&r, s)
	r.combine(weights, s)
	if c.short != nil && c.gate != nil {
		r.follow(s)
	}
	if per > 1 {
		r.fine, r.per = h, per
		r.findShape(s)
		c.findHead(&r, s)
	}
	return r, weights
}

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

// weigh returns the weights of the members by block of the horizon; the last row
// stands for all further blocks. A gate speaks for the grids and horizons it was
// learned on, those with a day and a week and of half a day and more.
func (c combination) weigh(r *rolling, s *Scratch) [][]float64 {
	last := len(r.ends) - 1
	if c.gate != nil && last > 0 && r.h.grid.long > 0 && len(r.point[last]) > r.h.grid.season/2 {
		r.trim = gateTrim
		return c.gate.weights(r, s)
	}
	weights := s.table(1)
	weights[0] = r.weigh(c.power, s)
	return weights
}

// weigh returns the weight of every member: (error/best)^−power, normalised, with
// error as below; equal weights where there is no origin. An exponent of 0 would
// be the plain median (rel168 on the server traces 1 % worse), 400 the best member
// alone (6 % worse); 1.5 to 3 differ by 0.3 %. Of the next hour there are more origins
// and more to choose, so 3 is better than 2 there.
func (r *rolling) weigh(power float64, s *Scratch) []float64 {
	weights := s.floats(len(r.members))
	best := math.Inf(1)
	for j, rows := range r.members {
		weights[j] = r.error(rows)
		best = min(best, weights[j])
	}
	const floor = 1e-9 // y is scaled to a mean magnitude of about 1
	total := 0.0
	for j, e := range weights {
		w := 1.0
		if !math.IsInf(best, 1) {
			ratio := (e + floor) / (best + floor)
			w = math.Pow(ratio, -power)
		}
		weights[j] = w
		total += w
	}
	for j := range weights {
		weights[j] /= total
	}
	return weights
}

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

// combine sets point to the mean of the members between the quantiles ½ − trim and
// ½ + trim of their weights; without trim that is the weighted median, the smallest
// value at which the weights of all members up to it reach one half.
func (r *rolling) combine(weights [][]float64, s *Scratch) {
	m := s.mark()
	defer s.release(m)
	n := len(r.members)
	values, order, rows := s.floats(n), s.integers(n), s.table(n)
	block := r.h.grid.block()
	for i, row := range r.point {
		for j := range order {
			order[j], rows[j] = j, r.members[j][i]
		}
		for k := range row {
			// Insertion sort, from the order of the step before: it is nearly that of this.
			for at, j := range order {
				v := rows[j][k]
				for ; at > 0 && (v < values[at-1] || v == values[at-1] && j < order[at-1]); at-- {
					values[at], order[at] = values[at-1], order[at-1]
				}
				values[at], order[at] = v, j
			}
			row[k] = centre(values, order, weights[min(k/block, len(weights)-1)], r.trim)
		}
	}
}

// centre returns the mean of sorted values between the quantiles ½ − trim and
// ½ + trim of the weights, of which weight[order[i]] belongs to values[i].
func centre(values []float64, order []int, weight []float64, trim float64) float64 {
	const tolerance = 1e-12 // makes ties independent of rounding
	low, high := 0.5-trim-tolerance, 0.5+trim
	before, sum, total := 0.0, 0.0, 0.0
	for i, v := range values {
		after := before + weight[order[i]]
		if after >= low {
			if trim == 0 {
				return v
			}
			from, to := before, after
			if from < low {
				from = low
			}
			if to > high {
				to = high
			}
			if w := to - from; w > 0 {
				sum += w * v
				total += w
			}
			if after >= high {
				break
			}
		}
		before = after
	}
	if total == 0 { // no weights: rounding alone leaves the last
		return values[len(values)-1]
	}
	return sum / total
}

// listMembers fills dst.Members with the weights over the whole horizon, heaviest
// first.
func listMembers(dst *series.Forecast, members []named, weights [][]float64, block, steps int) {
	dst.Members = dst.Members[:0]
	for j, m := range members {
		sum := 0.0
		for d, w := range weights {
			share := min(block, steps-d*block)
			if d == len(weights)-1 {
				share = max(1, steps-d*block)
			}
			sum += w[j] * float64(share)
		}
		dst.Members = append(dst.Members, series.Member{Name: m.name, Weight: sum / float64(max(1, steps))})
	}
	slices.SortStableFunc(dst.Members, func(a, b series.Member) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
}
