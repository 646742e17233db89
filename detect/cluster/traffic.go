package cluster

import (
	"math"
	"math/rand/v2"
	"time"
)

// A calendar knows the days of the cluster.
type calendar struct {
	weekend  []bool
	monthEnd []bool // the last day of a month, or the first
	first    []bool
}

func newCalendar(start time.Time, days int) calendar {
	c := calendar{}
	for d := range days + 1 {
		at := start.AddDate(0, 0, d)
		c.weekend = append(c.weekend, at.Weekday() == time.Saturday || at.Weekday() == time.Sunday)
		c.first = append(c.first, at.Day() == 1)
		c.monthEnd = append(c.monthEnd, at.Day() == 1 || at.AddDate(0, 0, 1).Day() == 1)
	}
	return c
}

// A rhythm is how many people come through the day and the week.
type rhythm struct {
	office   bool    // people at work; else at home: a noon peak and a higher one in the evening
	shift    float64 // hours that the day begins later
	night    float64 // share that is left at night
	weekend  float64 // factor
	monthEnd float64 // factor on the last and first day of a month
}

// draw makes each cluster another one: another town, another trade.
func (r rhythm) draw(rng *rand.Rand) rhythm {
	r.shift += 3*rng.Float64() - 1.5
	r.night *= 0.7 + 0.6*rng.Float64()
	r.weekend *= 0.85 + 0.3*rng.Float64()
	return r
}

// at returns the demand in a minute, about 1 in a busy hour of a weekday.
func (r rhythm) at(minute int, c *calendar) float64 {
	day := minute / dayMinutes
	h := float64(minute%dayMinutes)/60 - r.shift
	v := 0.0
	weekend := c.weekend[day]
	switch {
	case r.office:
		v = plateau(h, 8, 18) * (1 - 0.18*bell(h, 12.5, 0.7)) // lunch
	case weekend:
		v = 0.75*bell(h, 14, 4) + 0.7*bell(h, 20.5, 2.8)
	default:
		v = 0.5*bell(h, 12.5, 3) + 0.85*bell(h, 20, 2.6)
	}
	if weekend {
		v *= r.weekend
	}
	if c.monthEnd[day] && r.monthEnd > 0 {
		v *= r.monthEnd
	}
	return r.night + (1-r.night)*v
}

// bell is a Gaussian around an hour of the day, across midnight too.
func bell(h, centre, width float64) float64 {
	d := math.Mod(math.Abs(h-centre), 24)
	d = min(d, 24-d)
	return math.Exp(-d * d / (2 * width * width))
}

// plateau rises from 0 to 1 around the hour from and falls again around to.
func plateau(h, from, to float64) float64 {
	h = math.Mod(h+24, 24)
	rise := func(x float64) float64 { return 1 / (1 + math.Exp(-2*x)) }
	return rise(h-from) * rise(to-h)
}
