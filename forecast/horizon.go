package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// Stamp says which moment a value of a band stands for.
type Stamp int

// The moments a value can stand for.
const (
	Instant    Stamp = iota // the value at its timestamp
	BucketMean              // the mean over [timestamp, timestamp + step), as Resample makes it
)

// At reads f off at now + horizon (now in Unix milliseconds). Value, Lower and
// Upper are interpolated linearly in time between the moments the values stand
// for: the timestamps (Instant) or the middles of the buckets (BucketMean).
// Within one step before the first moment and half a step after the last the
// nearest value stands; further out everything is NaN. Peak is the highest Point
// whose moment lies in (now, now + horizon], and at least Value; NaN if neither
// is known. O(horizon / step).
func At(f *series.Forecast, now int64, horizon time.Duration, stamp Stamp) series.Horizon {
	out := series.Horizon{Horizon: horizon, Value: math.NaN(), Lower: math.NaN(), Upper: math.NaN(), Peak: math.NaN()}
	n := len(f.Point)
	if n == 0 || f.Step <= 0 || horizon <= 0 {
		return out
	}
	first := float64(f.Start)
	if stamp == BucketMean {
		first += float64(f.Step) / 2
	}
	step := float64(f.Step)
	target := float64(now) + float64(horizon)/float64(time.Millisecond)
	x := (target - first) / step // position in points
	if x >= -1 && x <= float64(n-1)+0.5 {
		x = min(max(x, 0), float64(n-1))
		out.Value = interpolate(f.Point, x)
		out.Lower = interpolate(f.Lower, x)
		out.Upper = interpolate(f.Upper, x)
	}
	out.Peak = out.Value
	from := max(0, int(math.Floor((float64(now)-first)/step))+1)
	to := min(n-1, int(math.Floor((target-first)/step)))
	for i := from; i <= to; i++ {
		if v := f.Point[i]; !math.IsNaN(v) && (math.IsNaN(out.Peak) || v > out.Peak) {
			out.Peak = v
		}
	}
	return out
}

// interpolate returns v at the fractional index x in [0, len(v)-1].
func interpolate(v []float64, x float64) float64 {
	i := int(x)
	if w := x - float64(i); w > 0 {
		return v[i] + w*(v[i+1]-v[i])
	}
	return v[i]
}
