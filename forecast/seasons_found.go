package forecast

import (
	"math"
	"time"

	"github.com/upid/upid/collector/series"
)

// leastStrength is the share of variance from which a season is one. Of noise, 28
// days of hours leave less than 0.01 in 99 of 100 cases.
const leastStrength = 0.05

// seasons returns the seasons of y among the hour, half a day, a day and a week, with
// their strength, the longest first. The strength of a season is the share of the
// variance of y without its daily mean (for the week: without its weekly mean)
// that the means by phase explain, in excess of chance:
//
//	strength = 1 − (1 − R²)·(n − 1)/(n − m)
//
// less what a shorter season explains; half a day counts if it explains 0.7 of what
// the day does. Nothing that
// strength below 0.05 has is named. O(n).
func seasons(y []float64, g grid) []series.Seasonality {
	// Days and weeks are named when they add to what is inside them.
	x := withoutMeans(y, g.season)
	var out []series.Seasonality
	add := func(points int, strength float64) {
		if strength >= leastStrength {
			length := time.Duration(int64(points)*g.step) * time.Millisecond
			out = append([]series.Seasonality{{Length: length, Strength: strength}}, out...)
		}
	}
	shorter := 0.0
	if per := g.perHour(); per > 1 {
		shorter = strengthOf(x, per)
		add(per, shorter)
	}
	day := strengthOf(x, g.season)
	if g.season%2 == 0 && g.season > 2 {
		// Whatever happens once a day has a shadow of half its size in half a day.
		if half := strengthOf(x, g.season/2); half-shorter >= leastStrength && half > 0.7*day {
			add(g.season/2, half-shorter)
			shorter = half
		}
	}
	add(g.season, max(0, day-shorter))
	if len(y) >= 2*g.long {
		week := withoutMeans(y, g.long)
		add(g.long, max(0, strengthOf(week, g.long)-max(0, strengthOf(week, g.season))))
	}
	return out
}

// withoutMeans returns y less the mean of every block of m points, counted back from
// the end; what is left over at the beginning is dropped.
func withoutMeans(y []float64, m int) []float64 {
	blocks := len(y) / m
	x := make([]float64, blocks*m)
	from := len(y) - len(x)
	for b := range blocks {
		part := y[from+b*m : from+(b+1)*m]
		sum, count := 0.0, 0.0
		for _, v := range part {
			if finite(v) {
				sum += v
				count++
			}
		}
		for i, v := range part {
			x[b*m+i] = v - sum/count
		}
	}
	return x
}

// strengthOf returns the adjusted share of the variance of x that means by phase
// explain, 0 if there is no variance or less than two seasons.
func strengthOf(x []float64, m int) float64 {
	sums, counts := make([]float64, m), make([]float64, m)
	total, n := 0.0, 0.0
	for t, v := range x {
		if finite(v) {
			sums[t%m] += v
			counts[t%m]++
			total += v * v
			n++
		}
	}
	if n < float64(2*m) || !(total > 0) || math.IsInf(total, 1) {
		return 0
	}
	explained := 0.0
	for p, s := range sums {
		if counts[p] > 0 {
			explained += s * s / counts[p]
		}
	}
	return max(0, 1-(1-explained/total)*(n-1)/(n-float64(m)))
}
