package main

import "math"

// nabProfile is a cost matrix of the Numenta Anomaly Benchmark.
type nabProfile struct {
	name            string
	wrong, overlook float64 // weight of a false positive row, of a missed window
}

var nabProfiles = [...]nabProfile{{"standard", 0.11, 1}, {"low FP", 0.22, 1}, {"low FN", 0.11, 2}}

// sigmoid is NAB's: near 1 at the left edge of a window (-1), 0 at its right edge,
// -1 far behind it.
func sigmoid(x float64) float64 {
	if x >= 3 {
		return -1
	}
	return 2/(1+math.Exp(5*x)) - 1
}

// nabRaw returns NAB's raw score of the detected rows of one file, and how many
// windows count. A window is worth 1 at its left edge and pays for its earliest
// detection, less for a later one; every detected row outside costs, more the farther
// it is behind the last window. The first 15 %, of 5,000 rows at most, is probation.
//
// Lavin and Ahmad, Evaluating real-time anomaly detection algorithms, ICMLA 2015.
func nabRaw(times []float64, found []bool, windows []span, p nabProfile) (score float64, n int) {
	probation := min(math.Floor(0.15*float64(len(times))), 0.15*5000)
	row := func(t float64) int { // the row at t, or the first after it
		for i := range times {
			if times[i] >= t {
				return i
			}
		}
		return len(times) - 1
	}
	next, right, width := 0, -1, 0.0 // of the window behind
	for i := 0; i < len(times); i++ {
		if next < len(windows) && times[i] >= windows[next][0] {
			a, b := i, row(windows[next][1])
			next++
			best, counts := -p.overlook, false
			for ; i <= b; i++ {
				if float64(i) < probation {
					continue
				}
				counts = true
				if found[i] {
					best = max(best, sigmoid(-float64(b-i+1)/float64(b-a+1))/sigmoid(-1))
				}
			}
			i--
			if counts {
				score += best
				n++
			}
			right, width = b, float64(b-a+1)
			continue
		}
		if !found[i] || float64(i) < probation {
			continue
		}
		behind := 3.0
		if right >= 0 {
			behind = float64(i-right) / (width - 1)
		}
		score += p.wrong * sigmoid(behind)
	}
	return score, n
}

// nabScore normalises raw scores: 0 is a detector that says nothing, 100 a perfect one.
func nabScore(raw float64, windows int, p nabProfile) float64 {
	null := -p.overlook * float64(windows)
	return 100 * (raw - null) / (float64(windows) - null)
}
