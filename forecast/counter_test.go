package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What is refused as a counter, and what is not although it rises.
func TestCounter(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	// total adds up a rate with a daily season, and starts again at the given times.
	total := func(resets ...int) func(i int) float64 {
		sum := 0.0
		return func(i int) float64 {
			for _, r := range resets {
				if i == r {
					sum = 0
				}
			}
			sum += daily(i) * (0.5 + rng.Float64())
			return sum
		}
	}
	f := func(what string, n int, value func(i int) float64, counter, rising bool) {
		t.Helper()
		y := hourly(n, value)
		if got := Counter(y); got != counter {
			t.Errorf("%s: counter %v, want %v", what, got, counter)
		}
		if got := Rising(y); got != rising {
			t.Errorf("%s: rising %v, want %v", what, got, rising)
		}
	}
	f("counter of one process", 672, total(), false, true)
	f("one restart", 672, total(300), true, true)
	f("restarts", 672, total(100, 230, 500, 610), true, true)
	gaps := total(300)
	f("with gaps", 672, func(i int) float64 { v := gaps(i); return pick(i%7 == 3 || i > 290 && i < 310, math.NaN(), v) }, true, true)
	sum := 0.0
	f("idle at night", 672, func(i int) float64 {
		if i == 300 {
			sum = 0
		}
		sum += pick(i%24 >= 15, 0, 1+rng.Float64())
		return sum
	}, true, true)

	f("disk that fills", 672, func(i int) float64 { return 4e10 + 1e7*float64(i) + 1e6*rng.Float64() }, false, true)
	f("disk that is cleaned up", 672, func(i int) float64 { return 4e10 + 1e8*float64(i%200) + 1e7*rng.Float64() }, false, false)
	f("disk that is emptied to a tenth", 672, func(i int) float64 { return 3e9 + 1e8*float64(i%200) + 1e7*rng.Float64() }, false, false)
	f("certificate", 672, func(i int) float64 { return 90*86400 - 3600*float64(i) }, false, false)
	f("age of the newest backup", 672, func(i int) float64 { return 3600 * float64(1+i%24) }, false, true)
	f("uptime with restarts", 672, func(i int) float64 { return 3600 * float64(1+pickInt(i >= 300, i-300, i)) }, false, true)
	f("spent since midnight", 672, func(i int) float64 { return math.Pow(float64(1+i%24), 1.7) * 3 }, false, true)
	f("wave", 672, func(i int) float64 { return daily(i) + rng.NormFloat64() }, false, false)
	f("queue that drains to nothing", 672, func(i int) float64 { return float64(i%12) * (1 + rng.Float64()) }, false, false)
	f("constant", 672, constant, false, false)
	f("zero", 672, func(int) float64 { return 0 }, false, false)
	f("negative", 672, func(i int) float64 { return float64(i%100) - 50 }, false, false)
	f("nothing", 0, constant, false, false)
	f("only gaps", 50, func(int) float64 { return math.NaN() }, false, false)
	f("huge", 672, func(i int) float64 { return pick(i%2 == 0, math.MaxFloat64, -math.MaxFloat64) }, false, false)
}

func pickInt(ok bool, a, b int) int {
	if ok {
		return a
	}
	return b
}
