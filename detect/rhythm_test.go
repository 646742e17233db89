package detect

import (
	"math/rand/v2"
	"testing"

	"github.com/upid/upid/collector/series"
)

// regular returns a rhythm of at least ten events about so many steps apart, give or take a
// share, and the time of the newest.
func regular(rng *rand.Rand, period, jitter, step float64) (r rhythm, at int64) {
	at = t0
	for n := 10 + rng.IntN(30); n > 0 || r.limit(step) == 0 || r.broken > 0; n-- {
		d := period * (1 + jitter*(2*rng.Float64()-1))
		r.learn(at, d, step)
		at += int64(d)
	}
	return r, at
}

// One event that is late, or so late that it takes the place of the next, is one break: the
// rhythm is as it was, and what is due after it and does not come is late.
func TestRhythmOutlivesOneLateEvent(t *testing.T) {
	rng := rand.New(rand.NewPCG(67, 1))
	const step = float64(5 * minuteMS)
	for i := range 2000 {
		period := step * (12 + 500*rng.Float64())
		r, at := regular(rng, period, 0.04*rng.Float64(), step)
		limit := r.limit(step)
		// By more than what passes, and less than a whole period.
		by := limit - r.high + (r.high - r.low) + step
		by += (period - by - step) * rng.Float64()
		long := float64(1+i%2)*period + by
		r.learn(at, long, step)
		at += int64(long)
		r.learn(at, period-by, step)
		at += int64(period - by)
		if got := r.limit(step); got != limit {
			t.Fatalf("case %d: limit %v after one late by %v of %v, want %v", i, got, by/period, period, limit)
		}
		r.learn(at, period, step)
		at += int64(period)
		if got := r.score(at+int64(2*period), at, step); got < 1 && !r.pauses(at) {
			t.Errorf("case %d: one that does not come scores %v", i, got)
		}
	}
}

// A break is no pause once the next day has none: the next break at its time of day is late again.
func TestRhythmPause(t *testing.T) {
	const step, period = float64(5 * minuteMS), 4 * hourMS
	var r rhythm
	at := t0
	run := func(n int, time int64) {
		for range n {
			r.learn(at, float64(time), step)
			at += time
		}
	}
	late := func() bool { return r.score(at+3*period/2, at, step) >= 1 }
	run(12, period)
	if !late() {
		t.Fatal("not late at first")
	}
	run(1, 2*period)
	run(4, period)
	if late() {
		t.Error("late at the time of day of a pause")
	}
	run(1, period)
	if !late() {
		t.Error("not late an event after it")
	}
	run(5, period)
	if !late() {
		t.Error("not late though the day before had no pause there")
	}
}

// What is late again and again is another rhythm, and two odd times that are no multiple of
// the usual together end it too.
func TestRhythmEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(68, 1))
	const step = float64(5 * minuteMS)
	for i := range 2000 {
		period := step * (24 + 500*rng.Float64())
		by := period * (0.3 + 0.4*rng.Float64())
		odd := map[string][]float64{
			"late again":     {period + by, period - by, period + by},
			"long and short": {2 * period, period / 2},
			"short and long": {period - by, period + by},
			"short twice":    {period / 3, period / 3},
			"long twice":     {period + by, period + by},
		}
		for name, times := range odd {
			r, at := regular(rng, period, 0.02*rng.Float64(), step)
			for _, d := range times {
				r.learn(at, d, step)
				at += int64(d)
			}
			if got := r.limit(step); got != 0 {
				t.Errorf("case %d, %s: limit %v of %v", i, name, got, period)
			}
		}
	}
}

// A nightly job hangs for three hours once: that is one finding, and the night it does not
// run, three later, another.
func TestMissedJobAfterHungOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(69, 1))
	const hung, missed = 17, 20
	last, next := 0, 40
	y := fill(23*day5, func(i int) float64 {
		if i == next {
			if i/day5 != missed {
				last = i
			}
			day := i/day5 + 1
			if next = day*day5 + 38 + rng.IntN(5); day == hung {
				next += 36
			}
		}
		return float64(300 * (i - last))
	})
	all, at := found(t, y, 12*day5)
	due := missed*day5 + 40
	if len(all) != 2 || at[0]/day5 != hung || at[1] < due || at[1] > due+24 || all[1].Score.Why.View != series.ViewLate {
		t.Errorf("findings %+v at %v, want one on day %d and one within two hours of %d", all, at, hung, due)
	}
}

// A job of workdays is known after two weeks: weekends are in order, a workday without it is not, nor is the
// same one a week later, and the weekends after that still are.
func TestRhythmWorkdays(t *testing.T) {
	const step = float64(5 * minuteMS)
	var r rhythm
	last, missed := int64(0), []int{}
	for day := range 8 * 7 {
		at := t0 + int64(day)*dayMS
		if day%7 > 4 || day == 30 || day == 37 { // a weekend; the same workday twice
			continue
		}
		if last > 0 {
			if r.score(at-int64(step), last, step) >= 1 {
				missed = append(missed, day)
			}
			r.learn(last, float64(at-last), step)
		}
		last = at
	}
	if len(missed) != 2 || missed[0] != 31 || missed[1] != 38 {
		t.Errorf("late before the runs of days %v, want 31 and 38", missed)
	}
}
