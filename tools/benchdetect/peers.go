package main

import "math"

// peer is another detector, at its own defaults. It sees the points one by one.
type peer struct {
	name string
	new  func(step float64) scorer
}

// scorer returns the score of the newest point, 1 at its threshold, NaN while it
// says nothing.
type scorer func(t, v float64) float64

// peers are those that are run beside us. held is how long, in seconds, the
// threshold must be passed before an alert: the "for" of a Prometheus rule.
var peers = []struct {
	peer
	held float64
}{
	{peer{"z-score, 1 week", zscore}, 0},
	{peer{"MAD, 1 day", madScore}, 0},
	{peer{"Grafana adaptive", adaptive}, 300},
	{peer{"Grafana robust", robust}, 300},
	{peer{"Holt-Winters band", holtWinters}, 0},
	{peer{"Netdata k-means", netdata}, 0},
}

// watch runs a peer over a series.
func watch(s scorer, held float64, times, values []float64, step float64) output {
	o := output{times: times, score: make([]float64, len(times)), flag: make([]bool, len(times))}
	since := math.NaN()
	for i, t := range times {
		v := s(t, values[i])
		o.score[i] = v
		switch {
		case !(v > 1):
			since = math.NaN()
		case math.IsNaN(since) || i > 0 && t-times[i-1] > 3*step: // pending begins again
			since = t
		}
		o.flag[i] = t-since >= held
	}
	return o
}

// zscore is 3 standard deviations from the mean of a week.
func zscore(float64) scorer {
	w := rolling{length: 7 * 86400}
	return func(t, v float64) float64 {
		m, sd := w.moments()
		n := w.n()
		w.push(t, v)
		if n < 60 {
			return math.NaN()
		}
		return math.Abs(v-m) / max(sd, 1e-9*math.Abs(m)+1e-300) / 3
	}
}

// madScore is 3 of the scaled median absolute deviation from the median of a day.
func madScore(float64) scorer {
	w := ordered{length: 86400}
	return func(t, v float64) float64 {
		m := w.median()
		d := 1.4826 * w.mad(m)
		n := w.n()
		w.push(t, v)
		if n < 20 {
			return math.NaN()
		}
		return math.Abs(v-m) / max(d, 1e-9*math.Abs(m)+1e-300) / 3
	}
}

// hourOf is the rules' window of an hour, widened to twelve points of a coarse
// series: the rules as they are would say nothing there.
func hourOf(step float64) float64 { return max(3600, 12*step) }

// adaptive follows rules/adaptive.yml of grafana/promql-anomaly-detection at 738e34ee:
// the mean of the last hour, plus or minus the widest of half of it, twice the
// filtered deviation of 26 hours, and the bands of a day and a week ago. Values of 0
// and less are left out, as there.
func adaptive(step float64) scorer {
	hour := hourOf(step)
	day, week := max(23.5*3600, 86400-hour/2), max(167.5*3600, 7*86400-hour/2)
	now, filtered := rolling{length: hour}, rolling{length: 26 * 3600}
	old := [2]rolling{{length: hour}, {length: hour}}
	back := [2]float64{day, week}
	var times, values []float64
	next := [2]int{}
	return func(t, v float64) float64 {
		if v > 0 {
			now.push(t, v)
			times, values = append(times, t), append(values, v)
		}
		now.expire(t)
		mid, sd := now.moments()
		if sd > mid*0.5 {
			filtered.push(t, sd)
		}
		filtered.expire(t)
		lower, upper := mid*0.5, mid*1.5
		if st, _ := filtered.moments(); !math.IsNaN(st) {
			lower, upper = min(lower, mid-2*st), max(upper, mid+2*st)
		}
		for i := range old {
			at := t - back[i]
			for next[i] < len(times) && times[next[i]] <= at {
				old[i].push(times[next[i]], values[next[i]])
				next[i]++
			}
			old[i].expire(at)
			if m, s := old[i].moments(); !math.IsNaN(m) {
				lower, upper = min(lower, m-2*s), max(upper, m+2*s)
			}
		}
		if !(v > 0) {
			return math.NaN()
		}
		return beyond(v, mid, max(lower, 0), upper)
	}
}

// beyond returns how far v is from mid, in distances of the bound on its side.
func beyond(v, mid, lower, upper float64) float64 {
	if v >= mid {
		return (v - mid) / max(upper-mid, 1e-300)
	}
	if lower <= 0 { // clamped: nothing is below
		return math.NaN()
	}
	return (mid - v) / max(mid-lower, 1e-300)
}

// robust follows rules/robust.yml of the same: the median of the last hour against
// the median of a day plus or minus the widest of half of it, two median deviations,
// and the bands of a day and a week ago.
func robust(step float64) scorer {
	hour := hourOf(step)
	level, long, dev := ordered{length: hour}, ordered{length: 86400}, ordered{length: 86400}
	var season [2]struct{ m, d ordered }
	for i := range season {
		season[i].m.length, season[i].d.length = hour, hour
	}
	back := [2]float64{max(23.75*3600, 86400-hour/4), max(167.75*3600, 7*86400-hour/4)}
	var times, values []float64
	next := [2]int{}
	return func(t, v float64) float64 {
		if v > 0 {
			level.push(t, v)
			long.push(t, v)
			dev.push(t, math.Abs(v-long.median()))
			times, values = append(times, t), append(values, v)
		}
		level.expire(t)
		long.expire(t)
		dev.expire(t)
		mid := long.median()
		lower, upper := mid*0.5, mid*1.5
		if d := dev.median(); !math.IsNaN(d) {
			lower, upper = min(lower, mid-2*d), max(upper, mid+2*d)
		}
		for i := range season {
			at := t - back[i]
			s := &season[i]
			for next[i] < len(times) && times[next[i]] <= at {
				s.m.push(times[next[i]], values[next[i]])
				s.d.push(times[next[i]], math.Abs(values[next[i]]-s.m.median()))
				next[i]++
			}
			s.m.expire(at)
			s.d.expire(at)
			if m, d := s.m.median(), s.d.median(); !math.IsNaN(m) && !math.IsNaN(d) {
				lower, upper = min(lower, m-2*d), max(upper, m+2*d)
			}
		}
		now := level.median()
		if math.IsNaN(now) {
			return math.NaN()
		}
		return beyond(now, mid, max(lower, 0), upper)
	}
}

// holtWinters is additive exponential smoothing with a season of a day and a band of
// three standard errors.
func holtWinters(step float64) scorer {
	const alpha, beta, gamma = 0.2, 0.002, 0.1
	season := make([]float64, max(1, int(86400/step)))
	seen := make([]bool, len(season))
	gain := 1 - math.Exp2(-step/86400)
	var level, trend, squares float64
	n := 0
	return func(t, v float64) float64 {
		k := int(math.Mod(t, 86400)/step) % len(season)
		if n == 0 {
			level = v
		}
		if !seen[k] {
			seen[k], season[k] = true, v-level
		}
		expected := level + trend + season[k]
		e := v - expected
		se := math.Sqrt(squares)
		old := level
		level += trend + alpha*e
		trend += beta * (level - old - trend)
		season[k] += gamma * (v - level - season[k])
		n++
		squares += max(gain, 1/float64(n)) * (e*e - squares)
		if n <= len(season)+60 {
			return math.NaN()
		}
		return math.Abs(e) / max(se, 1e-9*math.Abs(v)+1e-300) / 3
	}
}
