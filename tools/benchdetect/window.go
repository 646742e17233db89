package main

import (
	"math"
	"slices"
	"sort"
)

// A rolling window of numbers by time: seconds of length, mean and deviation.
type rolling struct {
	length    float64
	times     []float64
	values    []float64
	from      int
	sum, sqrs float64
	shift     float64 // the first value: keeps the squares small
}

func (r *rolling) push(t, v float64) {
	if len(r.values) == 0 {
		r.shift = v
	}
	r.times, r.values = append(r.times, t), append(r.values, v)
	v -= r.shift
	r.sum += v
	r.sqrs += v * v
	r.expire(t)
}

// expire leaves what is younger than length at t.
func (r *rolling) expire(t float64) {
	for r.from < len(r.times) && r.times[r.from] <= t-r.length {
		v := r.values[r.from] - r.shift
		r.sum -= v
		r.sqrs -= v * v
		r.from++
	}
}

func (r *rolling) n() int { return len(r.values) - r.from }

// moments returns mean and standard deviation, NaN of nothing.
func (r *rolling) moments() (mean, sd float64) {
	n := float64(r.n())
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	m := r.sum / n
	return m + r.shift, math.Sqrt(max(0, r.sqrs/n-m*m))
}

// ordered is the same with its values in order.
type ordered struct {
	length float64
	times  []float64
	values []float64
	from   int
	sorted []float64
}

func (o *ordered) push(t, v float64) {
	o.times, o.values = append(o.times, t), append(o.values, v)
	i := sort.SearchFloat64s(o.sorted, v)
	o.sorted = slices.Insert(o.sorted, i, v)
	o.expire(t)
}

func (o *ordered) expire(t float64) {
	for o.from < len(o.times) && o.times[o.from] <= t-o.length {
		i := sort.SearchFloat64s(o.sorted, o.values[o.from])
		o.sorted = slices.Delete(o.sorted, i, i+1)
		o.from++
	}
}

func (o *ordered) n() int { return len(o.sorted) }

// median returns NaN of nothing.
func (o *ordered) median() float64 {
	n := len(o.sorted)
	if n == 0 {
		return math.NaN()
	}
	return (o.sorted[(n-1)/2] + o.sorted[n/2]) / 2
}

// mad returns the median distance from m: the least width around m that holds half
// of the values, by bisection over the distances on both sides.
func (o *ordered) mad(m float64) float64 {
	n := len(o.sorted)
	if n == 0 {
		return math.NaN()
	}
	// The k nearest to m are a run of the sorted values; its beginning is searched.
	k := n/2 + 1
	i := sort.Search(n-k, func(i int) bool { return m-o.sorted[i] <= o.sorted[i+k]-m })
	return max(math.Abs(m-o.sorted[i]), math.Abs(o.sorted[i+k-1]-m))
}
