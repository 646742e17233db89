package main

import (
	"cmp"
	"math"
	"slices"
)

// output is what a detector said of a series: a row a point, and rows for missing
// points where it gives them. Times are Unix seconds; a NaN score is none.
type output struct {
	times []float64
	score []float64
	flag  []bool
}

type span [2]float64

// judged holds the events of one series and what was found of them, see judge.
type judged struct {
	events, hits, wrong    int
	weeks                  float64 // of normal time
	delays                 []float64
	starts                 []float64 // of the alerts after the warm-up
	flaggedNormal, nNormal int
	vus, auc               float64 // NaN if there is nothing to rank
	first, last            float64 // time of the rows
}

// tolerance is the gap, in seconds, below which two alerts, or two events, are one,
// and the distance from an event at which an alert may start.
func tolerance(step float64) float64 { return max(3*step, 600) }

// judge compares the alerts of a detector with the labels: the measures of
// detect_metrics.py, which TestScorerAgrees holds to. An alert is a run of flagged
// rows; it is a hit if it starts within an event, give or take the tolerance, and
// false otherwise.
func judge(o output, labels []span, m meta) judged {
	tol := tolerance(m.Step)
	r := judged{vus: math.NaN(), auc: math.NaN()}
	var runs []span
	open := false
	for i, t := range o.times {
		on := o.flag[i] && t >= m.Warm
		switch {
		case on && open:
			runs[len(runs)-1][1] = t
		case on:
			runs = append(runs, span{t, t})
		}
		open = on
	}
	alerts := merge(runs, tol)
	var events []span
	for _, e := range merge(labels, tol) {
		if e[1] >= m.Warm {
			events = append(events, e)
		}
	}
	hit := make([]bool, len(events))
	for _, a := range alerts {
		r.starts = append(r.starts, a[0])
		real := false
		for i, e := range events {
			if e[0]-tol <= a[0] && a[0] <= e[1]+tol {
				real = true
				if !hit[i] {
					hit[i] = true
					r.hits++
					r.delays = append(r.delays, max(0, a[0]-e[0]))
				}
			}
		}
		if !real {
			r.wrong++
		}
	}
	r.events = len(events)
	first, last := o.times[0], o.times[len(o.times)-1]
	r.first, r.last = first, last
	normal := last - max(first, m.Warm)
	for _, e := range events {
		if e[1] > e[0] {
			normal -= min(e[1], last) - max(e[0], m.Warm)
		}
	}
	r.weeks = max(normal, m.Step) / 604800
	for i, t := range o.times {
		if t < m.Warm || within(t, events, tol) {
			continue
		}
		r.nNormal++
		if o.flag[i] {
			r.flaggedNormal++
		}
	}
	return r
}

func within(t float64, events []span, margin float64) bool {
	return slices.ContainsFunc(events, func(e span) bool { return t >= e[0]-margin && t <= e[1]+margin })
}

// merge joins spans that are no more than gap apart.
func merge(all []span, gap float64) []span {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b span) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var out []span
	for _, s := range sorted {
		if n := len(out); n > 0 && s[0]-out[n-1][1] <= gap {
			out[n-1][1] = max(out[n-1][1], s[1])
		} else {
			out = append(out, s)
		}
	}
	return out
}

// summary holds the figures of a corpus.
type summary struct {
	series, events        int
	precision, recall, f1 float64
	wrong                 float64 // false alarms a series and week
	delay                 float64 // median, minutes; NaN without a hit
	flagged               float64 // percent of normal points
	vus, auc              float64
}

func summarize(all []judged) summary {
	var hits, events, wrong, flagged, normal int
	var weeks float64
	var delays, vus, auc []float64
	for _, r := range all {
		hits, events, wrong, weeks = hits+r.hits, events+r.events, wrong+r.wrong, weeks+r.weeks
		flagged, normal = flagged+r.flaggedNormal, normal+r.nNormal
		delays = append(delays, r.delays...)
		if !math.IsNaN(r.vus) {
			vus, auc = append(vus, r.vus), append(auc, r.auc)
		}
	}
	s := summary{
		series: len(all), events: events, precision: share(hits, hits+wrong), recall: share(hits, events), f1: 0,
		wrong: float64(wrong) / max(weeks, 1e-9), delay: median(delays) / 60,
		flagged: 100 * float64(flagged) / float64(max(1, normal)), vus: mean(vus), auc: mean(auc),
	}
	if s.precision+s.recall > 0 {
		s.f1 = 2 * s.precision * s.recall / (s.precision + s.recall)
	}
	return s
}

// macro is the mean of the figures of several corpora; NaNs are left out.
func macro(all []summary) summary {
	m := summary{}
	over := func(f func(s summary) float64) float64 {
		var x []float64
		for _, s := range all {
			if v := f(s); !math.IsNaN(v) {
				x = append(x, v)
			}
		}
		return mean(x)
	}
	for _, s := range all {
		m.series += s.series
		m.events += s.events
	}
	m.precision = over(func(s summary) float64 { return s.precision })
	m.recall = over(func(s summary) float64 { return s.recall })
	m.f1 = over(func(s summary) float64 { return s.f1 })
	m.wrong = over(func(s summary) float64 { return s.wrong })
	m.delay = over(func(s summary) float64 { return s.delay })
	m.flagged = over(func(s summary) float64 { return s.flagged })
	m.vus = over(func(s summary) float64 { return s.vus })
	m.auc = over(func(s summary) float64 { return s.auc })
	return m
}

func share(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x)) // NaN of nothing
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
