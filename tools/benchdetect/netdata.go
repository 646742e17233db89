package main

import "math"

// Netdata's detector, made again from its documentation: k-means with two centres
// over vectors of the last six differences of means of three; a model is trained on
// six hours every three, eighteen are kept, and all must find a point farther away
// than 99 % of the range seen in training. A model has at least 60 points: with
// coarse steps its hours are longer.
//
// https://learn.netdata.cloud/docs/ml-ai/ml-configuration
const (
	kmLags, kmSmooth, kmModels, kmRounds, kmLeast = 6, 3, 18, 10, 60
	kmThreshold                                   = 0.99
)

type vector [kmLags]float64

type kmeans struct {
	centre    [2]vector
	low, high float64 // distances in training
}

func distance(a, b *vector) float64 {
	s := 0.0
	for i := range a {
		s += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(s)
}

// away is the mean distance from both centres.
func (k *kmeans) away(x *vector) float64 {
	return (distance(x, &k.centre[0]) + distance(x, &k.centre[1])) / 2
}

// score is where x lies in the range of training, 0 to 1 and beyond.
func (k *kmeans) score(x *vector) float64 {
	if k.high <= k.low {
		return 0
	}
	return (k.away(x) - k.low) / (k.high - k.low)
}

func train(xs []vector) kmeans {
	var k kmeans
	// The first centres are the least and the largest vector.
	size := func(v *vector) float64 { return distance(v, &vector{}) }
	lo, hi := 0, 0
	for i := range xs {
		if size(&xs[i]) < size(&xs[lo]) {
			lo = i
		}
		if size(&xs[i]) > size(&xs[hi]) {
			hi = i
		}
	}
	k.centre = [2]vector{xs[lo], xs[hi]}
	for range kmRounds {
		var sum [2]vector
		var n [2]float64
		for i := range xs {
			c := 0
			if distance(&xs[i], &k.centre[1]) < distance(&xs[i], &k.centre[0]) {
				c = 1
			}
			n[c]++
			for j := range xs[i] {
				sum[c][j] += xs[i][j]
			}
		}
		for c := range sum {
			if n[c] > 0 {
				for j := range sum[c] {
					k.centre[c][j] = sum[c][j] / n[c]
				}
			}
		}
	}
	k.low, k.high = math.Inf(1), 0
	for i := range xs {
		d := k.away(&xs[i])
		k.low, k.high = min(k.low, d), max(k.high, d)
	}
	return k
}

func netdata(step float64) scorer {
	points := max(kmLeast, int(6*3600/step))
	var values, diffs, smooth []float64 // newest last
	var x vector
	var past []vector
	var models []kmeans
	since := 0
	tail := func(s []float64, v float64, n int) []float64 {
		s = append(s, v)
		if len(s) > n {
			s = s[1:]
		}
		return s
	}
	return func(_, v float64) float64 {
		values = tail(values, v, 2)
		if len(values) < 2 {
			return math.NaN()
		}
		diffs = tail(diffs, values[1]-values[0], kmSmooth)
		smooth = tail(smooth, mean(diffs), kmLags)
		if len(smooth) < kmLags {
			return math.NaN()
		}
		copy(x[:], smooth)
		score := math.Inf(1)
		for i := len(models) - 1; i >= 0; i-- {
			score = min(score, models[i].score(&x))
			if score < 0 {
				break
			}
		}
		past = append(past, x)
		if since++; since >= points/2 && len(past) >= points {
			models = append(models, train(past[len(past)-points:]))
			if len(models) > kmModels {
				models = models[1:]
			}
			past = append([]vector(nil), past[len(past)-points:]...)
			since = 0
		}
		if math.IsInf(score, 1) {
			return math.NaN()
		}
		return score / kmThreshold
	}
}
