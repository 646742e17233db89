package forecast

import (
	"math"
	"testing"
)

func TestLimit(t *testing.T) {
	y := fourWeeks(0.001, func(i int) float64 { return 0.53 + 0.016*math.Max(0, float64(i-645)) })
	free, cut := autoForecast(t, y, 168, 0.9), autoForecast(t, y, 168, 0.9)
	Limit(cut, y, 1)
	above := false
	for k := range cut.Point {
		if cut.Lower[k] > cut.Point[k] || cut.Point[k] > cut.Upper[k] || cut.Upper[k] > 1 {
			t.Fatalf("%d h ahead: %g in [%g, %g]", k+1, cut.Point[k], cut.Lower[k], cut.Upper[k])
		}
		if cut.Point[k] != math.Min(free.Point[k], 1) {
			t.Fatalf("%d h ahead: %g instead of %g", k+1, cut.Point[k], free.Point[k])
		}
		above = above || free.Point[k] > 1
	}
	if !above {
		t.Fatal("nothing was there to cut")
	}

	// A limit that was exceeded is none.
	Limit(cut, y, 0.6)
	if cut.Point[0] <= 0.6 || !warned(cut, "above the limit of 0.6") {
		t.Errorf("%g, %v", cut.Point[0], cut.Warnings)
	}

	// No bound stays no bound, and +∞ is a gap, not a value.
	y.Values[3] = math.Inf(1)
	cut.Upper[0] = math.NaN()
	Limit(cut, y, 0.99)
	if !math.IsNaN(cut.Upper[0]) || cut.Point[0] > 0.99 {
		t.Errorf("%g up to %g", cut.Point[0], cut.Upper[0])
	}
}
