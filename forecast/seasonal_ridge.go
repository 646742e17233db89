package forecast

import "slices"

// SeasonalRidge regresses the value directly, for every season d of the horizon
// on its own, on what was seen at the same phase and on two levels:
//
//	ŷ[t] = β₀ + Σ_{j=d…d+3} β_j·y[t−j·m] + Σ_{j=0…2} γ_j·y[t−(⌈d·m/w⌉+j)·w]
//	          + δ₁·(mean of the last day known at t−d·m) + δ₂·(mean of the last week known)
//
// with m a day and w a week in points. Nothing is iterated, so errors do not
// compound over a week. Fitted by ridge (λ 0.03 of the mean square) with weights
// that fall to 0.22 over the history. Lags that leave fewer than 5 days of rows
// are left out; a day of the horizon without any lag repeats the last day.
// Without Log equivariant to scale and shift. Time O(d·n·p²), p ≤ 10.
//
// Direct against iterated: Marcellino, Stock and Watson, Journal of Econometrics
// 135, 2006.
type SeasonalRidge struct {
	Log bool `yaml:"log"`
}

func newSeasonalRidge(decode func(any) error) (Forecaster, error) {
	p := SeasonalRidge{Log: true}
	if err := decode(&p); err != nil {
		return nil, err
	}
	if p.Log {
		return single("seasonal_ridge", logged{p}), nil
	}
	return single("seasonal_ridge", p), nil
}

func (p SeasonalRidge) project(dst [][]float64, y []float64, ends []int, g grid, s *Scratch) {
	if g.season == 1 {
		g.season = g.block() // no season: the horizon is still cut into blocks
	}
	m := s.mark()
	defer s.release(m)
	sums := s.floats(len(y) + 1) // sums[i] = Σ y[:i] − i·centre
	centre := mean(y[:ends[0]])
	for i, v := range y {
		sums[i+1] = sums[i] + v - centre
	}
	longest := 0
	for _, row := range dst {
		longest = max(longest, len(row))
	}
	for d := 1; (d-1)*g.season < longest; d++ {
		for first := 0; first < len(ends); {
			s.lags = appendDirectLags(slices.Grow(s.lags[:0], lagRoom), d, ends[first], g)
			count := len(s.lags)
			last := first
			for last+1 < len(ends) && slices.Equal(appendDirectLags(s.lags[count:], d, ends[last+1], g), s.lags[:count]) {
				last++
			}
			q := direct{y: y, sums: sums, centre: centre, lags: s.lags[:count], d: d, g: g}
			q.project(dst[first:last+1], ends[first:last+1], s)
			first = last + 1
		}
	}
}

// appendDirectLags appends the lags for season d of the horizon and n points.
func appendDirectLags(lags []int, d, n int, g grid) []int {
	m, w := g.season, g.long
	room := n - 6*m
	for j := d; j <= d+3; j++ {
		if j*m < room {
			lags = append(lags, j*m)
		}
	}
	if w > 0 {
		first := (d*m + w - 1) / w * w
		for l := first; l <= first+2*w; l += w {
			if l < room && !slices.Contains(lags, l) {
				lags = append(lags, l)
			}
		}
	}
	return lags
}

// direct is the regression for season d of the horizon.
type direct struct {
	y, sums []float64
	centre  float64
	lags    []int
	d       int
	g       grid
}

// fill writes the regressors for target time t into x; only values before end are
// looked at, and none after t − d·m.
func (q *direct) fill(x []float64, t, end int) {
	x[0] = 1
	for j, l := range q.lags {
		x[j+1] = q.y[t-l] - q.centre
	}
	known := min(t-q.d*q.g.season+1, end)
	p := len(x)
	x[p-2] = q.level(known, q.g.season)
	x[p-1] = q.level(known, max(q.g.long, 7*q.g.season))
}

// level returns the mean of the w centred values before known, or of as many as
// there are.
func (q *direct) level(known, w int) float64 {
	from := max(0, known-w)
	return (q.sums[known] - q.sums[from]) / float64(max(1, known-from))
}

func (q *direct) project(dst [][]float64, ends []int, s *Scratch) {
	m := q.g.season
	from := (q.d - 1) * m
	if len(q.lags) == 0 {
		for i, end := range ends {
			season := min(m, end)
			for k := from; k < min(len(dst[i]), q.d*m); k++ {
				dst[i][k] = q.y[end-season+k%season]
			}
		}
		return
	}
	mk := s.mark()
	defer s.release(mk)
	r := newRidge(len(q.lags)+3, s)
	grow := 1 / recency(ends[len(ends)-1])
	w := 1.0
	t := max(slices.Max(q.lags), (q.d+1)*m)
	for i, end := range ends {
		if len(dst[i]) <= from {
			continue
		}
		for ; t < end; t++ {
			q.fill(r.x, t, end)
			r.add(q.y[t]-q.centre, w)
			w *= grow
		}
		beta := r.solve(3e-2)
		for k := from; k < min(len(dst[i]), q.d*m); k++ {
			q.fill(r.x, end+k, end)
			dst[i][k] = r.predict(beta) + q.centre
		}
	}
}
