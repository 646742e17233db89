package forecast

import (
	"fmt"
	"math"

	"github.com/upid/upid/collector/series"
)

// prepare checks dst and sets every field of it that does not depend on the
// values of y; bounds are NaN until a model gives some. It panics if Point, Lower
// and Upper differ in length.
func prepare(dst *series.Forecast, model string, y series.Series) error {
	if len(dst.Lower) != len(dst.Point) || len(dst.Upper) != len(dst.Point) {
		panic("forecast: slice length mismatch")
	}
	if !(dst.Level > 0 && dst.Level < 1) {
		return fmt.Errorf("level is %g, want between 0 and 1", dst.Level)
	}
	nan := math.NaN()
	dst.Start, dst.Step = y.End(), y.Step
	dst.Coverage = nan
	dst.Model = model
	dst.Members = append(dst.Members[:0], series.Member{Name: model, Weight: 1})
	dst.Accuracy = series.Accuracy{MASE: nan, NaiveMASE: nan, Skill: nan, Coverage: nan, Origins: 0}
	dst.Confidence = 0
	dst.Warnings = dst.Warnings[:0]
	for i := range dst.Point {
		dst.Lower[i], dst.Upper[i] = nan, nan
	}
	return nil
}

// gapWarning is the share of gaps from which a forecast carries a warning: at
// 5 % the accuracy on the server traces is the same as without gaps.
const gapWarning = 0.05

// finish turns dst into the unit of the input, clips at zero what cannot be
// negative, and makes lower ≤ point ≤ upper where there are bounds.
func (h *history) finish(dst *series.Forecast) {
	if g := h.gapShare(); g > gapWarning {
		dst.Warnings = append(dst.Warnings, fmt.Errorf("%.0f %% of the history is missing", 100*g))
	}
	for i := range dst.Point {
		p, l, u := h.unscale(dst.Point[i]), dst.Lower[i], dst.Upper[i]
		if h.positive {
			p = max(p, 0)
		}
		dst.Point[i] = p
		if math.IsNaN(l) || math.IsNaN(u) {
			dst.Lower[i], dst.Upper[i] = math.NaN(), math.NaN()
			continue
		}
		l, u = h.unscale(l), h.unscale(u)
		if h.positive {
			l, u = max(l, 0), max(u, 0)
		}
		dst.Lower[i], dst.Upper[i] = min(l, p), max(u, p)
	}
}
