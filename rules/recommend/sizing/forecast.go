package sizing

import (
	"math"
	"slices"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

const (
	historyHours = window * 24
	aheadHours   = 7 * 24
	leastHours   = 48 // of history for a forecast
	hourSeconds  = 3600
)

// hourly are the means of the last 28 days by hour, and the hour under way.
type hourly struct {
	means []float32 // oldest first, contiguous; NaN: no sample
	hour  int64     // Unix hour of the one under way
	sum   float64
	n     int
}

// add takes in a sample; times do not go back.
func (h *hourly) add(t int64, v float64) {
	hour := t / hourSeconds
	if h.n == 0 && h.means == nil {
		h.hour = hour
	}
	for gap := min(hour-h.hour, historyHours); gap > 0; gap-- {
		m := float32(math.NaN())
		if h.n > 0 {
			m = float32(h.sum / float64(h.n))
		}
		if len(h.means) == historyHours {
			copy(h.means, h.means[1:])
			h.means = h.means[:historyHours-1]
		}
		h.means = append(h.means, m)
		h.sum, h.n = 0, 0
	}
	h.hour = hour
	h.sum += v
	h.n++
}

// Scratch is working memory that many Sizers share, one at a time. It holds no state.
type Scratch struct {
	model   forecast.Forecaster // nil: no forecast
	mix     dense
	bases   [bases]float64
	y       []float64
	sorted  []float64
	dst     series.Forecast
	working forecast.Scratch
}

// NewScratch returns working memory that forecasts with the model; nil: not at all.
func NewScratch(model forecast.Forecaster) *Scratch {
	c := &Scratch{model: model}
	c.dst.Level = 0.8
	c.dst.Point, c.dst.Lower, c.dst.Upper = make([]float64, aheadHours), make([]float64, aheadHours), make([]float64, aheadHours)
	return c
}

// forecast appends to dst the quantiles of the next seven days:
//
//	quantile of the hourly forecast · quantile of past samples / quantile of past hourly means
//
// so that a forecast which repeats the past gives the quantiles of the past. past are
// those of the samples. NaN if there is no forecast or less than two days of history.
func (c *Scratch) forecast(dst, past []float64, h *hourly) []float64 {
	for range quantiles {
		dst = append(dst, math.NaN())
	}
	if c.model == nil || len(h.means) < leastHours {
		return dst
	}
	c.y, c.sorted = c.y[:0], c.sorted[:0]
	for _, m := range h.means {
		c.y = append(c.y, float64(m))
		if m == m {
			c.sorted = append(c.sorted, float64(m))
		}
	}
	y := series.Series{Start: (h.hour - int64(len(h.means))) * hourSeconds * 1000, Step: hourSeconds * 1000, Values: c.y}
	if err := c.model.Forecast(&c.dst, y, forecast.Calendar{}, &c.working); err != nil {
		return dst
	}
	slices.Sort(c.sorted)
	slices.Sort(c.dst.Point) // NaN first
	if len(c.sorted) == 0 || c.dst.Point[0] != c.dst.Point[0] {
		return dst
	}
	for k, q := range quantiles {
		if mean := at(c.sorted, q); mean > 0 {
			dst[k] = max(at(c.dst.Point, q), 0) * past[k] / mean
		}
	}
	return dst
}

// at returns the q-quantile of sorted, which is not empty, with linear interpolation.
func at(sorted []float64, q float64) float64 {
	r := q * float64(len(sorted)-1)
	i := int(r)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (r-float64(i))*(sorted[i+1]-sorted[i])
}

// Model is the forecaster whose arm runs along, a name in forecast.Models: 0.25 ms for four
// weeks of hours.
const Model = "ar_ridge"
