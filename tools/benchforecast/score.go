package main

import (
	"math"
	"slices"

	"github.com/upid/upid/forecast/accuracy"
)

// scored holds the measures of one task. They are those of the M4 competition, with
// a day of 24 points as the season; forecasts and bounds of a history that is never
// negative are clipped at 0, those of peers too.
type scored struct {
	kind            string
	days            float64 // of history
	mase, smape     float64
	n2mase, n2smape float64            // of Naive2
	naive           map[string]float64 // MASE by name
	coverage, msis  float64
}

const day = 24

func score(t task, f forecast, level float64) scored {
	scale := accuracy.SeasonalScale(t.y, day)
	y := filled(t.y)
	h := len(t.future)
	point, lower, upper := f.point, f.lower, f.upper
	if slices.Min(y) >= 0 {
		point, lower, upper = clip(point), clip(lower), clip(upper)
	}
	n2 := naive2(y, h)
	mase := func(p []float64) float64 { return accuracy.MASE(t.future, p, scale) }
	return scored{
		kind: t.kind, days: float64(len(t.y)) * float64(t.step) / 86400,
		mase: mase(point), smape: accuracy.SMAPE(t.future, point),
		n2mase: mase(n2), n2smape: accuracy.SMAPE(t.future, n2),
		naive: map[string]float64{
			"seasonal naive 1 d": mase(repeated(y, h, day)), "seasonal naive 7 d": mase(repeated(y, h, 7*day)),
			"hour-of-day median 7 d": mase(phaseMedian(y, h, 7)),
		},
		coverage: accuracy.Coverage(t.future, lower, upper), msis: accuracy.MSIS(t.future, lower, upper, level, scale),
	}
}

func clip(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Max(x, 0)
	}
	return out
}

// filled returns y with gaps filled by the last value, leading ones by the first.
func filled(y []float64) []float64 {
	out := make([]float64, len(y))
	last := 0.0
	for _, v := range y {
		if !math.IsNaN(v) {
			last = v
			break
		}
	}
	for i, v := range y {
		if !math.IsNaN(v) {
			last = v
		}
		out[i] = last
	}
	return out
}

func repeated(y []float64, h, m int) []float64 {
	if len(y) < m {
		m = 1
	}
	out := make([]float64, h)
	for i := range out {
		out[i] = y[len(y)-m+i%m]
	}
	return out
}

func phaseMedian(y []float64, h, days int) []float64 {
	days = min(days, len(y)/day)
	out := make([]float64, h)
	buf := make([]float64, days)
	for i := range out {
		for j := range buf {
			buf[j] = y[len(y)-(j+1)*day+i%day]
		}
		slices.Sort(buf)
		out[i] = (buf[(days-1)/2] + buf[days/2]) / 2
	}
	return out
}

// naive2 is the last value of the classically adjusted series times its seasonal
// index, where the season passes the test of the M4 competition; else the last value.
func naive2(y []float64, h int) []float64 {
	n := len(y)
	mu := 0.0
	for _, v := range y {
		mu += v / float64(n)
	}
	c0 := 0.0
	for _, v := range y {
		c0 += (v - mu) * (v - mu)
	}
	acf := make([]float64, day)
	squares := 0.0
	for k := range acf {
		for i := k + 1; i < n; i++ {
			acf[k] += (y[i] - mu) * (y[i-k-1] - mu)
		}
		if c0 > 0 {
			acf[k] /= c0
		}
		if k < day-1 {
			squares += acf[k] * acf[k]
		}
	}
	seasonal := math.Abs(acf[day-1]) > 1.645*math.Sqrt((1+2*squares)/float64(n))
	if !seasonal || slices.Min(y) <= 0 {
		return repeated(y, h, 1)
	}
	index, count := make([]float64, day), make([]float64, day)
	for i := day / 2; i < n-day/2; i++ {
		sum := (y[i-day/2] + y[i+day/2]) / 2
		for _, v := range y[i-day/2+1 : i+day/2] {
			sum += v
		}
		index[i%day] += y[i] * day / sum
		count[i%day]++
	}
	total := 0.0
	for k := range index {
		index[k] /= count[k]
		total += index[k] / day
	}
	out := make([]float64, h)
	for k := range out {
		out[k] = y[n-1] / (index[(n-1)%day] / total) * index[(n+k)%day] / total
	}
	return out
}

// summary holds the figures of a set of tasks.
type summary struct {
	n                             int
	mase, median, smape, owa      float64
	rel                           float64            // of (MASE + 0.05) to that of a week ago, geometric mean
	naive                         map[string]float64 // rel of the naive ones
	coverage, msis, coverageShort float64
	short                         int // tasks with less than 10 days of history
}

const week = "seasonal naive 7 d"

func summarize(all []scored) summary {
	s := summary{n: len(all), naive: map[string]float64{}}
	var mase, smape, n2mase, n2smape, coverage, msis, short accuracy.Mean
	logs := map[string]*accuracy.Mean{"": {}}
	var sorted []float64
	for _, r := range all {
		mase.Add(r.mase)
		smape.Add(r.smape)
		n2mase.Add(r.n2mase)
		n2smape.Add(r.n2smape)
		coverage.Add(r.coverage)
		msis.Add(r.msis)
		if r.days < 10 {
			short.Add(r.coverage)
			s.short++
		}
		sorted = append(sorted, r.mase)
		relative := func(m float64) float64 { return math.Log((m + .05) / (r.naive[week] + .05)) }
		logs[""].Add(relative(r.mase))
		for name, m := range r.naive {
			if logs[name] == nil {
				logs[name] = &accuracy.Mean{}
			}
			logs[name].Add(relative(m))
		}
	}
	slices.Sort(sorted)
	s.mase, s.smape, s.coverage, s.msis, s.coverageShort = mase.Value(), smape.Value(), coverage.Value(), msis.Value(), short.Value()
	s.median = sorted[len(sorted)/2]
	s.owa = (s.smape/n2smape.Value() + s.mase/n2mase.Value()) / 2
	for name, l := range logs {
		s.naive[name] = math.Exp(l.Value())
	}
	s.rel = s.naive[""]
	delete(s.naive, "")
	return s
}
