package capacity

import (
	"math"
	"math/rand/v2"
)

const mib = 1 << 20

// pod makes the memory of a pod with a limit of 1 GiB, every 5 minutes: a base, a
// day and a week, garbage collected in teeth, noise that wanders, bursts, restarts after which
// it warms up, and steps as of new versions. leakFrom is the hour from which it leaks 12 MB/h,
// or -1. It ends where it reaches the limit.
func pod(rng *rand.Rand, hours, leakFrom int, rough float64) []float64 {
	base := (200 + 300*rng.Float64()) * mib
	season := base * 0.25 * rough * rng.Float64()
	weekly := base * 0.1 * rng.Float64()
	phase := rng.Float64() * 24
	sigma := (4 + 26*rough*rng.Float64()) * mib
	phi := math.Exp(-5.0 / (10 + 600*rough*rng.Float64())) // correlated over 10 min to 10 h
	tooth := base * 0.4 * rough * rng.Float64()
	period := math.Exp(math.Log(0.2) + rng.Float64()*math.Log(12/0.2)) // hours
	warm := base * 0.4 * rough * rng.Float64()
	tau := 0.5 + 8*rng.Float64() // hours
	restarts := rng.Float64() < 0.5
	steps := rng.Float64() < 0.3
	n := hours * 12
	out := make([]float64, 0, n)
	x, fill, since, level, leaked := 0.0, rng.Float64(), 100.0, 0.0, 0.0
	for i := range n {
		h := float64(i) / 12
		x = phi*x + math.Sqrt(1-phi*phi)*sigma*rng.NormFloat64()
		fill += 1 / (12 * period) * (0.5 + rng.Float64())
		if fill >= 1 {
			fill = 0.1 * rng.Float64()
		}
		since += 1.0 / 12
		if restarts && leakFrom < 0 && rng.Float64() < 1.0/(12*60) {
			since = 0
		}
		if steps && leakFrom < 0 && rng.Float64() < 1.0/(12*80) {
			level += base * 0.15 * rng.NormFloat64()
			level = min(max(level, -base*0.3), base*0.5)
		}
		if leakFrom >= 0 && h >= float64(leakFrom) {
			leaked += 12e6 / 12
		}
		v := base + level + season*math.Sin(2*math.Pi*(h+phase)/24) + weekly*math.Sin(2*math.Pi*h/168) + tooth*fill + x + leaked
		v -= warm * math.Exp(-since/tau)
		if rng.Float64() < 0.002 {
			v += base * 0.5 * rng.Float64()
		}
		v = max(v, 0.05*base)
		if v >= 1<<30 {
			if leakFrom >= 0 {
				return out
			}
			v = 1<<30 - 1
		}
		out = append(out, v)
	}
	return out
}
