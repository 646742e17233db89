package threat

import (
	"math"
	"time"
)

// A profile is the expected count of a slot by hour of the day, workdays apart
// from weekends (UTC unless a location is given):
//
//	μ(hour) = (n·mean(hour) + m·mean) / (n + m)
//
// with m the slots in an hour, or as many as 20 events take if that is more: an hour
// seen once is half itself and half the mean of all, and where events are rare all
// hours are alike, because three events at night are no habit. Means
// forget: an hour counts at most its last ten days, all together fourteen.
type profile struct {
	mean    [48]float32
	n       [48]float32
	all     float64
	allN    float64
	perHour float64
	loc     *time.Location
}

func makeProfile(step time.Duration, loc *time.Location) profile {
	return profile{mean: [48]float32{}, n: [48]float32{}, all: 0, allN: 0, perHour: max(float64(time.Hour)/float64(step), 1), loc: loc}
}

// hourOf returns the cell of time t.
func (p *profile) hourOf(t int64) int {
	if p.loc == nil || p.loc == time.UTC { // the usual case without a calendar
		d := t / day
		i := int(t % day / hour)
		if w := (d + 4) % 7; w == 0 || w == 6 { // 1970-01-01 was a Thursday
			i += 24
		}
		return i
	}
	at := time.UnixMilli(t).In(p.loc)
	i := at.Hour()
	if w := at.Weekday(); w == time.Saturday || w == time.Sunday {
		i += 24
	}
	return i
}

// at returns the expected count of the slot at t, at least that of one event in all
// that was seen so far and a week.
func (p *profile) at(t int64) float64 {
	h := p.hourOf(t)
	n := float64(p.n[h])
	floor := 1 / (p.allN + 168*p.perHour)
	all := max(p.all, floor)
	m := max(p.perHour, 20/all)
	return max((n*float64(p.mean[h])+m*all)/(n+m), floor)
}

// learn takes in n > 0 slots around t with x events in each of them on average.
func (p *profile) learn(t int64, x, n float64) {
	h := p.hourOf(t)
	p.n[h] = float32(min(float64(p.n[h])+n, 10*p.perHour))
	p.mean[h] += (float32(x) - p.mean[h]) * float32(min(n/float64(p.n[h]), 1))
	p.allN = min(p.allN+n, 14*24*p.perHour)
	p.all += (x - p.all) * min(n/p.allN, 1)
}

// A dispersion estimates the size k of a negative binomial from sums x and their
// expectations m, by moments: k = Σm² / Σ((x−m)² − m), forgetting with a half-life of
// 14 days.
//
//	k      variance of a mean of 10
//	∞      10 (Poisson)
//	10     20
//	1      110
//	0.1    1,010
type dispersion struct{ num, den float64 }

const (
	minSize = 0.1 // sparse series: most slots empty, then many at once
	maxSize = 200
)

// learn takes in a sum over span milliseconds.
func (d *dispersion) learn(x, m float64, span int64) {
	f := keep(span, 14*day)
	d.num = d.num*f + (x-m)*(x-m) - m
	d.den = d.den*f + m*m
}

// size returns k, between minSize and maxSize. Before anything was learned it is 1; that
// start weighs as much as one window of the mean m.
func (d *dispersion) size(m float64) float64 {
	prior := m * m
	num := d.num + prior
	if !(num > 0) {
		return maxSize
	}
	return finite(min(max((d.den+prior)/num, minSize), maxSize))
}

// clip bounds a count before it is learned, so that an attack does not become
// ordinary: at four standard deviations and three events above the mean.
func clip(x, mu, k float64) float64 {
	return min(x, mu+4*math.Sqrt(mu+mu*mu/k)+3)
}
