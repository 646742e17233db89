package cluster

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"
)

// A source gives the random numbers of one part, afresh for every minute: what a
// fault does in one minute changes no number of another minute or part, so that the
// cluster with faults and the one without differ by the faults alone.
type source struct {
	key uint64
	pcg *rand.PCG
	rng *rand.Rand
}

func newSource(seed uint64, part string) *source {
	h := fnv.New64a()
	h.Write([]byte(part))                                                           // never fails
	s := &source{key: mix(seed ^ mix(h.Sum64())), pcg: rand.NewPCG(0, 0), rng: nil} //nolint:forbidigo // seeded by at
	s.rng = rand.New(s.pcg)                                                         //nolint:forbidigo // of that seed
	return s
}

// at returns the random numbers of one minute.
func (s *source) at(minute int) *rand.Rand {
	s.pcg.Seed(s.key, mix(uint64(minute)+0x9e3779b97f4a7c15))
	return s.rng
}

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// A wander is first-order autoregressive noise with standard deviation sd that
// forgets over the time tau.
type wander struct{ phi, sd, x float64 }

func newWander(sd float64, tau time.Duration) wander {
	return wander{phi: math.Exp(-float64(time.Minute) / float64(tau)), sd: sd, x: 0}
}

// next moves on by a minute.
func (w *wander) next(rng *rand.Rand) float64 {
	w.x = w.phi*w.x + math.Sqrt(1-w.phi*w.phi)*w.sd*rng.NormFloat64()
	return w.x
}

// count returns how many events with that mean happen: Poisson's law by inversion,
// from 60 on its normal limit. It takes one random number whatever the mean.
func count(mean float64, rng *rand.Rand) float64 {
	u := rng.Float64()
	if !(mean > 0) {
		return 0
	}
	if mean > 60 {
		z := math.Sqrt2 * math.Erfinv(2*min(max(u, 1e-12), 1-1e-12)-1)
		return math.Max(0, math.Round(mean+math.Sqrt(mean)*z))
	}
	k, p := 0.0, math.Exp(-mean)
	for sum := p; u > sum && k < 1000; sum += p {
		k++
		p *= mean / k
	}
	return k
}

// between returns a number between a and b whose logarithm is uniform.
func between(a, b float64, rng *rand.Rand) float64 {
	return a * math.Exp(rng.Float64()*math.Log(b/a))
}
