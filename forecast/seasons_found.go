package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// leastStrength is the share of variance from which a season is one. Of noise, 28
// days of hours leave less than 0.01 in 99 of 100 cases.
const leastStrength = 0.05

// seasons returns the seasons of y among the parts of a day that are a whole number of
// points, a day and a week, with their strength, the longest first. The strength of a
// season is the share of the variance of y without the mean of the day around each point
// (for the week: of the week) that the means by phase explain, in excess of chance:
//
//	strength = 1 − (1 − R²)·(n − 1)/(n − m)
//
// less what a shorter season explains. A part of the day other than the hour counts if it
// explains 0.9 of what the day does, half a day 0.7: whatever happens once a day has a
// shadow of half its size in half a day. Nothing that strength below 0.05 has is named, and
// nothing that recurs finds to be chance. O(n) for each part of the day.
func seasons(y []float64, g grid) []series.Seasonality {
	x := withoutMeans(y, g.season)
	var out []series.Seasonality
	add := func(points int, strength float64) {
		length := time.Duration(int64(points)*g.step) * time.Millisecond
		out = append([]series.Seasonality{{Length: length, Strength: strength}}, out...)
	}
	shorter, of := 0.0, 1 // explained by a season of that many points
	if per := g.perHour(); per > 1 {
		if v := strengthOf(x, per); v >= leastStrength && recurs(x, 1, per) {
			shorter, of = v, per
			add(per, v)
		}
	}
	day := strengthOf(x, g.season)
	for m := max(2, g.perHour()+1); m < g.season; m++ {
		share := 0.9
		if 2*m == g.season {
			share = 0.7
		}
		if g.season%m != 0 || m%of != 0 {
			continue
		}
		if v := strengthOf(x, m); v-shorter >= leastStrength && v > share*day && recurs(x, of, m) {
			add(m, v-shorter)
			shorter, of = v, m
			break
		}
	}
	if day-shorter >= leastStrength && recurs(x, of, g.season) {
		add(g.season, day-shorter)
	}
	if len(y) >= 2*g.long {
		week := withoutMeans(y, g.long)
		more := strengthOf(week, g.long) - strengthOf(week, g.season)
		if more >= leastStrength && recurs(week, g.season, g.long) {
			add(g.long, more)
		}
	}
	return out
}

// leastRecurrence is how many standard deviations above chance a season has to be: of noise, with
// whatever memory, less than one history in fifty has one.
const leastRecurrence = 4

// recurs reports whether the means of x by phase of m points differ by more than chance
// after those of a season of `of` points, which divides m, are taken out. x is first made to forget, w[t] = x[t] −
// ρ·x[t−1] with ρ its first autocorrelation without the season: what wanders looks like a
// season of any length. Then the ratio F of the variances between and within the phases
// is, for noise, 1 with variance 2/(m − of) + 2/(n − m); it has to exceed 1 by
// leastRecurrence standard deviations.
func recurs(x []float64, of, m int) bool {
	return recurrence(forget(withoutPhases(x, of), m), of, m) >= leastRecurrence
}

// recurrence returns by how many standard deviations F exceeds 1; 0 where there are less than two seasons.
func recurrence(w []float64, of, m int) float64 {
	explained, total, n := byPhase(w, m)
	between, within := float64(m-of), n-float64(m)
	if n < float64(2*m) || !(total > explained) || between < 1 {
		if n >= float64(2*m) && total > 0 {
			return math.Inf(1) // nothing but the season
		}
		return 0
	}
	f := explained / between / ((total - explained) / within)
	return (f - 1) / math.Sqrt(2/between+2/within)
}

// withoutPhases returns x less its means by phase of m points; x itself for one.
func withoutPhases(x []float64, m int) []float64 {
	if m < 2 {
		return x
	}
	sums, counts := make([]float64, m), make([]float64, m)
	for t, v := range x {
		if finite(v) {
			sums[t%m] += v
			counts[t%m]++
		}
	}
	out := make([]float64, len(x))
	for t, v := range x {
		out[t] = v - sums[t%m]/counts[t%m]
	}
	return out
}

// forget returns x[t] − ρ·x[t−1], ρ from x without its means by phase of m points; NaN
// where one of them is missing.
func forget(x []float64, m int) []float64 {
	rest := withoutPhases(x, m)
	cross, square := 0.0, 0.0
	for t := 1; t < len(rest); t++ {
		if a, b := rest[t-1], rest[t]; finite(a) && finite(b) {
			cross += a * b
			square += a * a
		}
	}
	rho := 0.0
	if square > 0 {
		rho = min(max(cross/square, -0.99), 0.99)
	}
	w := make([]float64, len(x))
	for t := range w {
		w[t] = math.NaN()
		if t > 0 {
			w[t] = x[t] - rho*x[t-1]
		}
	}
	return w
}

// withoutMeans returns y less the mean of the m points around each (of m + 1 with the
// outer two halved where m is even, so that a season of m points leaves nothing in it);
// at the ends, where there are not so many, less the line through the nearest such means. Gaps stay and
// count for nothing. Values are first divided by the largest magnitude, so that sums
// stay finite. With fewer than m + 2 points nothing is left.
func withoutMeans(y []float64, m int) []float64 {
	n, half := len(y), m/2
	largest := 0.0
	for _, v := range y {
		if finite(v) {
			largest = max(largest, math.Abs(v))
		}
	}
	if n < 2*half+3 || !(largest > 0) {
		return nil
	}
	// sums[i] and counts[i] are those of the first i points.
	sums, counts := make([]float64, n+1), make([]float64, n+1)
	x := make([]float64, n)
	for i, v := range y {
		x[i] = v / largest
		sums[i+1], counts[i+1] = sums[i], counts[i]
		if finite(v) {
			sums[i+1] += x[i]
			counts[i+1]++
		}
	}
	levels := make([]float64, n)
	level := func(i int) float64 {
		from, to := i-half, i+half+1 // m odd: exactly m points
		sum, count := sums[to]-sums[from], counts[to]-counts[from]
		if m%2 == 0 {
			for _, edge := range [2]int{from, to - 1} {
				if finite(y[edge]) {
					sum -= x[edge] / 2
					count -= 0.5
				}
			}
		}
		return sum / count // NaN where nothing was observed
	}
	for i := half; i < n-half; i++ {
		levels[i] = level(i)
	}
	first, last := half, n-half-1
	reach := min(m, last-first)
	ahead := (levels[first+reach] - levels[first]) / float64(reach)
	behind := (levels[last] - levels[last-reach]) / float64(reach)
	for i := range half {
		levels[i] = levels[first] - ahead*float64(first-i)
		levels[n-1-i] = levels[last] + behind*float64(n-1-i-last)
	}
	for i := range x {
		x[i] -= levels[i]
	}
	return x
}

// strengthOf returns the adjusted share of the variance of x that means by phase
// explain, 0 if there is no variance or less than two seasons.
func strengthOf(x []float64, m int) float64 {
	explained, total, n := byPhase(x, m)
	if n < float64(2*m) || !(total > 0) || math.IsInf(total, 1) {
		return 0
	}
	return max(0, 1-(1-explained/total)*(n-1)/(n-float64(m)))
}

// byPhase returns the sum of squares of the n finite values of x, and what of it means by phase of m points
// explain.
func byPhase(x []float64, m int) (explained, total, n float64) {
	sums, counts := make([]float64, m), make([]float64, m)
	for t, v := range x {
		if finite(v) {
			sums[t%m] += v
			counts[t%m]++
			total += v * v
			n++
		}
	}
	for p, s := range sums {
		if counts[p] > 0 {
			explained += s * s / counts[p]
		}
	}
	return explained, total, n
}
