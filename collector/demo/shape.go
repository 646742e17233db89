package demo

import (
	"math"
	"math/rand/v2"
	"time"
)

// shape is how demand goes through the day and the week.
type shape int

const (
	flat    shape = iota
	office        // weekdays from 8 to 18
	evening       // a noon peak, a higher one at 20, more on weekends
)

// at returns the demand at time t without noise, about 1 in a busy hour.
func (s shape) at(t time.Time) float64 {
	h := float64(t.Hour()) + float64(t.Minute())/60
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	switch s {
	case office:
		v := 0.08 + 0.92*plateau(h, 8, 18)
		if weekend {
			v = 0.08 + 0.25*plateau(h, 9, 20)
		}
		return v
	case evening:
		v := 0.18 + 0.45*bell(h, 12.5, 3) + 0.75*bell(h, 20, 2.6)
		if weekend {
			v = 0.2 + 0.75*bell(h, 14, 4) + 0.65*bell(h, 20.5, 2.8)
		}
		return v
	case flat:
	}
	return 1
}

// bell is a Gaussian around an hour of the day, across midnight too.
func bell(h, centre, width float64) float64 {
	d := math.Abs(h - centre)
	d = min(d, 24-d)
	return math.Exp(-d * d / (2 * width * width))
}

// plateau rises from 0 to 1 around the hour from and falls again around to.
func plateau(h, from, to float64) float64 {
	step := func(x float64) float64 { return 1 / (1 + math.Exp(-2*x)) }
	return step(h-from) * step(to-h)
}

// wander is first-order autoregressive noise with standard deviation sd that
// forgets over the time tau.
type wander struct {
	phi, sd, x float64
}

func newWander(sd float64, tau time.Duration, rng *rand.Rand) wander {
	return wander{phi: math.Exp(-float64(Interval) / float64(tau)), sd: sd, x: sd * rng.NormFloat64()}
}

// next moves on by one interval. Innovations stay within three standard
// deviations: what is beyond is an incident, and those are in the table.
func (w *wander) next(rng *rand.Rand) float64 {
	z := min(max(rng.NormFloat64(), -3), 3)
	w.x = w.phi*w.x + math.Sqrt(1-w.phi*w.phi)*w.sd*z
	return w.x
}

// count returns how many of events with mean n happen: normal for many, and
// Poisson's own law for few.
func count(n float64, rng *rand.Rand) float64 {
	if n <= 0 {
		return 0
	}
	if n > 30 {
		return math.Max(0, math.Round(n+math.Sqrt(n)*rng.NormFloat64()))
	}
	k, p, limit := 0.0, 1.0, math.Exp(-n)
	for {
		p *= rng.Float64()
		if p <= limit {
			return k
		}
		k++
	}
}
