package capacity

import (
	"math"
	"math/rand/v2"

	"github.com/upid/upid/collector/series"
)

// grown is a usage, hour by hour, with a future.
type grown struct {
	kind string
	all  []float64
	now  int // hours of history
}

// growth makes usages that grow in one of the ways disks and quotas do. Level, slope,
// noise and seasons are drawn; 28 days are history and 112 to come.
func growth(kind string, rng *rand.Rand) grown {
	const now, n = 28 * 24, 140 * 24
	out := grown{kind: kind, all: make([]float64, n), now: now}
	perDay := math.Exp(rng.NormFloat64()*0.7) * 1.0 // GB a day
	level := 20 + 60*rng.Float64()
	season := perDay * (0.2 + rng.Float64())
	noise := perDay * 0.3 * rng.Float64()
	wobble := 1.0
	tooth, depth := 12+rng.IntN(5*24), perDay*(1+6*rng.Float64())
	for i := range out.all {
		h := float64(i)
		rate := perDay / 24
		switch kind {
		case "line": // and independent noise
		case "walk": // with drift
			rate += perDay / math.Sqrt(24) * rng.NormFloat64()
		case "business": // five days of seven, in the day
			if d := i / 24 % 7; d >= 5 {
				rate *= 0.2
			} else {
				rate *= 1.32
			}
			rate *= 1 + math.Sin(2*math.Pi*h/24)
		case "changing": // the rate wanders, a tenth a day
			if i%24 == 0 {
				wobble *= math.Exp(0.08*rng.NormFloat64() - 0.0032)
			}
			rate *= wobble
		case "bursts": // batches of a day's worth, at random
			rate = 0
			if rng.Float64() < 1.0/24 {
				rate = perDay * rng.ExpFloat64()
			}
		}
		level += rate
		v := level + noise*rng.NormFloat64()
		switch kind {
		case "teeth": // emptied to a base that grows
			v += depth * float64(i%tooth) / float64(tooth)
		case "line":
			v += season * math.Sin(2*math.Pi*h/24)
		}
		out.all[i] = max(v, 0)
	}
	return out
}

var growths = []string{"line", "walk", "business", "changing", "bursts", "teeth"}

func of(values []float64) series.Series {
	return series.Series{Start: 0, Step: 3600_000, Values: values}
}

// crossing returns the hours after now at which g first reaches limit, +Inf if never.
func (g grown) crossing(limit float64) float64 {
	for i, v := range g.all[g.now:] {
		if v >= limit {
			return float64(i + 1)
		}
	}
	return math.Inf(1)
}

// sawtooth makes a stationary usage that is filled and emptied: log rotation,
// compaction, garbage collection, with irregular teeth.
func sawtooth(rng *rand.Rand, days int) []float64 {
	base := 10 + 30*rng.Float64()
	depth := 10 + 40*rng.Float64()
	period := math.Exp(math.Log(2) + rng.Float64()*math.Log(12*24/2)) // 2 h to 12 d
	jitter := 0.3 * rng.Float64()
	noise := depth * 0.03 * rng.Float64()
	season := depth * 0.2 * rng.Float64()
	out := make([]float64, days*24)
	v, until := rng.Float64()*depth, period*(1+jitter*rng.NormFloat64())
	for i := range out {
		v += depth / period * max(0.2, 1+0.5*rng.NormFloat64())
		if until--; until <= 0 {
			v, until = depth*0.05*rng.Float64(), period*max(0.3, 1+jitter*rng.NormFloat64())
		}
		out[i] = base + v + noise*rng.NormFloat64() + season*math.Sin(2*math.Pi*float64(i)/24)
	}
	return out
}

// predictLinear is PromQL's predict_linear over the last window hours: the hours until
// the line of least squares reaches limit, +Inf if it does not.
func predictLinear(v []float64, window int, limit float64) float64 {
	v = v[max(0, len(v)-window):]
	n := float64(len(v))
	var sx, sy, sxx, sxy float64
	for i, y := range v {
		x := float64(i) - n + 1
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	at := (sy - slope*sx) / n
	if !(slope > 0) {
		return math.Inf(1)
	}
	return max(0, (limit-at)/slope)
}
