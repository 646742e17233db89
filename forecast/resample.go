package forecast

import (
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// Resample returns y on the coarser grid step (milliseconds). Buckets are
// aligned to Unix time and stamped at their start; a bucket holds the mean of
// the observed points in it, NaN if there are none. ±Inf counts as a gap. A last
// bucket that y does not reach the end of is dropped. The first bucket may be
// covered in part. Equal steps return y itself when it is aligned. A step that is
// finer than that of y, or not positive, is an error. O(n).
func Resample(y series.Series, step int64) (series.Series, error) {
	switch {
	case y.Step <= 0 || step <= 0:
		return series.Series{}, fmt.Errorf("resample from step %d ms to %d ms: want positive steps", y.Step, step)
	case step < y.Step:
		return series.Series{}, fmt.Errorf("resample to %s: finer than the input's step %s", millis(step), millis(y.Step))
	case step == y.Step && floorMod(y.Start, step) == 0:
		return y, nil
	}
	start := y.Start - floorMod(y.Start, step)
	n := max(0, (y.End()-start)/step) // only buckets that end by y.End()
	out := series.Series{Labels: y.Labels, Start: start, Step: step, Values: make([]float64, n)}
	i := 0
	for b := range out.Values {
		end := out.At(b + 1)
		sum, count := 0.0, 0.0
		for ; i < len(y.Values) && y.At(i) < end; i++ {
			if v := y.Values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				count++
				sum += v/count - sum/count // running mean: cannot overflow
			}
		}
		if count == 0 {
			sum = math.NaN()
		}
		out.Values[b] = sum
	}
	return out, nil
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
