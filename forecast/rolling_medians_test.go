package forecast

import (
	"math/rand/v2"
	"testing"
)

// Medians from windows that move are those of each end alone, to the bit, wherever ends lie.
func TestRollingMediansAreThoseOfEachEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(91, 92))
	y := make([]float64, 700)
	for i := range y {
		y[i] = float64(rng.IntN(50)) / 7 // ties
	}
	const m = 24
	for _, ends := range [][]int{{700}, {10, 20, 700}, {100, 124, 196, 700}, {76, 148, 220, 292, 700}, {300, 310, 320}, {24, 48, 72, 95}, {25, 49, 697}} {
		for _, k := range []int{1, 3, 7, 28} {
			var s, other Scratch
			got, want := make([][]float64, len(ends)), make([]float64, 50)
			for i := range got {
				got[i] = make([]float64, 7+43*(i%2))
			}
			rollingMedians(got, y, ends, m, k, &s)
			for i, row := range got {
				phaseMedians(want[:len(row)], y[:ends[i]], m, k, &other)
				for h, v := range row {
					if v != want[h] {
						t.Fatalf("ends %v, %d seasons, end %d, step %d: %v, want %v", ends, k, i, h, v, want[h])
					}
				}
			}
		}
	}
}
