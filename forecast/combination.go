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
	if len(c.pool) > 1 {
		h.leaveIncidents(s)
	}
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
