package detect

import (
	"slices"
	"testing"
)

func TestGaps(t *testing.T) {
	f := func(prev, at, step int64, want ...int64) {
		t.Helper()
		if got := slices.Collect(Gaps(prev, at, step)); !slices.Equal(got, want) {
			t.Errorf("between %d and %d by %d: %v, want %v", prev, at, step, got, want)
		}
	}
	f(0, 60, 60)
	f(0, 120, 60, 60)
	f(0, 240, 60, 60, 120, 180)
	f(0, 89, 60)      // late by less than half a step
	f(0, 90, 60, 60)  // by half a step
	f(0, 149, 60, 60) // round(2.48) − 1 = 1
	f(0, 151, 60, 60, 120)
	f(0, 30, 60)
	f(-120, 60, 60, -60, 0)
	f(60, 60, 60)
	f(120, 60, 60)
	f(0, 120, 0)
	for g := range Gaps(0, 1<<60, 60) { // may be left early
		if g == 600 {
			break
		}
	}
}
