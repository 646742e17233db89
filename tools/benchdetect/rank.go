package main

import (
	"math"
	"slices"
	"sort"
)

// rank returns the area under the precision-recall curve of the scores, and its
// volume over buffers of up to 100 points around the labels: both as
// detect_metrics.py has them. NaN without a label in the judged time.
//
// Paparrizos et al., Volume under the surface, VLDB 2022.
func rank(o output, labels []span, m meta) (vus, auc float64) {
	scores, label := onGrid(o, labels, m)
	if !slices.Contains(label, true) {
		return math.NaN(), math.NaN()
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return volume(scores, label, order), area(scores, label, order)
}

// onGrid puts scores and labels on the grid of the judged time; a time without a row
// carries the score of the row before.
func onGrid(o output, labels []span, m meta) (scores []float64, label []bool) {
	from, to := max(o.times[0], m.Warm), o.times[len(o.times)-1]
	k := 0
	for i := 0; ; i++ {
		t := from + float64(i)*m.Step
		if t >= to+1 {
			return scores, label
		}
		for k < len(o.times) && o.times[k] <= t {
			k++
		}
		v := 0.0
		if k > 0 && !math.IsNaN(o.score[k-1]) {
			v = min(max(o.score[k-1], -1e30), 1e30)
		}
		scores = append(scores, v)
		label = append(label, slices.ContainsFunc(labels, func(e span) bool { return t > e[0]-m.Step/2 && t < e[1]+m.Step/2 }))
	}
}

// area is the average precision, ties taken together.
func area(scores []float64, label []bool, order []int) float64 {
	positives := 0.0
	for _, y := range label {
		if y {
			positives++
		}
	}
	sum, hits, before := 0.0, 0.0, 0.0
	for i, k := range order {
		if label[k] {
			hits++
		}
		if i+1 < len(order) && scores[order[i+1]] == scores[k] {
			continue
		}
		sum += (hits - before) / positives * hits / float64(i+1)
		before = hits
	}
	return sum
}

const (
	vusBuffer     = 100
	vusSlices     = 11
	vusThresholds = 250
)

func volume(scores []float64, label []bool, order []int) float64 {
	n := len(scores)
	var runs [][2]int
	for i, y := range label {
		switch {
		case y && i > 0 && label[i-1]:
			runs[len(runs)-1][1] = i
		case y:
			runs = append(runs, [2]int{i, i})
		}
	}
	// Thresholds at even ranks, each with all its ties.
	var at []int
	for j := range vusThresholds {
		i := int(float64(j) * float64(n-1) / (vusThresholds - 1))
		v := scores[order[i]]
		last := sort.Search(n, func(k int) bool { return scores[order[k]] < v }) - 1
		if len(at) == 0 || at[len(at)-1] < last {
			at = append(at, last)
		}
	}
	core := 0.0
	for _, y := range label {
		if y {
			core++
		}
	}
	total := 0.0
	weight := make([]float64, n)
	for slice := range vusSlices {
		total += surface(scores, label, order, runs, at, slice*vusBuffer/(vusSlices-1), core, weight)
	}
	return total / vusSlices
}

// surface is the area with a buffer of l points, half on each side of a label.
func surface(scores []float64, label []bool, order []int, runs [][2]int, at []int, l int, core float64, weight []float64) float64 {
	n := len(scores)
	for i, y := range label {
		weight[i] = 0
		if y {
			weight[i] = 1
		}
	}
	half := l / 2
	var wide [][2]int
	for _, r := range runs {
		a, b := max(0, r[0]-half), min(n-1, r[1]+half)
		for i := a; i < r[0]; i++ {
			weight[i] = min(1, weight[i]+math.Sqrt(1-float64(r[0]-i)/float64(l)))
		}
		for i := r[1] + 1; i <= b; i++ {
			weight[i] = min(1, weight[i]+math.Sqrt(1-float64(i-r[1])/float64(l)))
		}
		if k := len(wide); k > 0 && a <= wide[k-1][1] {
			wide[k-1][1] = max(wide[k-1][1], b)
		} else {
			wide = append(wide, [2]int{a, b})
		}
	}
	highest := make([]float64, len(wide))
	for i, r := range wide {
		highest[i] = slices.Max(scores[r[0] : r[1]+1])
	}
	slices.Sort(highest)
	sum, before := 0.0, 0.0
	tp, hits, k := 0.0, 0.0, 0
	for _, last := range at {
		for ; k <= last; k++ {
			tp += weight[order[k]]
			if label[order[k]] {
				hits++
			}
		}
		v := scores[order[last]]
		exist := float64(len(highest)-sort.SearchFloat64s(highest, v)) / float64(len(highest))
		recall := min(tp/(core+(tp-hits)/2), 1) * exist
		sum += (recall - before) * tp / float64(last+1)
		before = recall
	}
	return sum
}
