package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/accuracy"
)

// cron is noise around 10 that a job lifts by 40 for a sixth of every period.
func cron(step, period time.Duration, n int, seed uint64) series.Series {
	r := rand.New(rand.NewPCG(seed, 1))
	y := series.Series{Start: 0, Step: step.Milliseconds(), Values: make([]float64, n)}
	m := int(period / step)
	for i := range y.Values {
		y.Values[i] = 10 + 2*r.NormFloat64() + pick(i%m < max(1, m/6), 40.0, 0)
	}
	return y
}

// A job that ran eight times or more in the first two days is forecast, with the spikes where they will be.
func TestYoungSeason(t *testing.T) {
	auto := mustNew(t, "auto")
	f := func(step, period time.Duration, hours int) {
		t.Helper()
		perDay := int(24 * time.Hour / step)
		n := int(time.Duration(hours) * time.Hour / step)
		y := cron(step, period, n+perDay, 1)
		future := y.Values[n:]
		y.Values = y.Values[:n]
		dst := forecastOf(t, auto, y, perDay, 0.9)
		e, inside := 0.0, 0.0
		for k, v := range future {
			e += math.Abs(v-dst.Point[k]) / float64(perDay)
			if dst.Lower[k] <= v && v <= dst.Upper[k] {
				inside += 1 / float64(perDay)
			}
		}
		// The noise alone has a mean magnitude of 1.6; a level without spikes is 6.7 higher.
		if e > 2.5 {
			t.Errorf("step %s, every %s, %d h: mean error %.2f", step, period, hours, e)
		}
		if inside < 0.8 && hours != 25 { // too short for an interval
			t.Errorf("step %s, every %s, %d h: coverage %.2f", step, period, hours, inside)
		}
	}
	f(5*time.Minute, time.Hour, 30)
	f(5*time.Minute, 30*time.Minute, 20)
	f(5*time.Minute, 30*time.Minute, 25)
	f(5*time.Minute, 4*time.Hour, 40)
	f(time.Minute, 15*time.Minute, 22)
	f(time.Hour, 3*time.Hour, 47)
	f(5*time.Minute, time.Hour, 50)
	f(5*time.Minute, 30*time.Minute, 70)
}

// Of noise, whether it forgets or wanders, hardly any history has a season.
func TestYoungNoise(t *testing.T) {
	const runs = 200
	for _, memory := range []float64{0, 0.9, 1} {
		found := 0
		for seed := range uint64(runs) {
			r := rand.New(rand.NewPCG(seed, 9))
			v := 0.0
			y := hourly(400, func(int) float64 {
				v = memory*v + r.NormFloat64()
				return 100 + v
			})
			y.Step = minutes5
			var s Scratch
			var h history
			if err := h.clean(y, 1, &s); err != nil {
				t.Fatal(err)
			}
			if h.youngGrid(&s).season > 1 {
				found++
			}
		}
		if found > runs/40 {
			t.Errorf("with a memory of %v %d of %d histories have a season", memory, found, runs)
		}
	}
}

// From a day on tomorrow is like today, and from 40 hours on there is an interval at 0.9: on parts of the
// server traces and of M4 the day ahead is never worse than repeated, with coverage above 0.8.
func TestYoungHistories(t *testing.T) {
	auto, naive := mustNew(t, "auto"), mustNew(t, "seasonal_naive")
	all := append(tasks(t, "tasks_server7d.csv.gz", 4), tasks(t, "tasks_m4h.csv.gz", 4)...)
	var s Scratch
	f := func(hours int, most float64) {
		t.Helper()
		logs, n, covered, bounded := 0.0, 0.0, 0.0, 0.0
		for _, x := range all {
			y := x.y
			y.Values = y.Values[len(y.Values)-hours:]
			dst, base := sized(24, 0.9), sized(24, 0.9)
			if auto.Forecast(dst, y, Calendar{}, &s) != nil || naive.Forecast(base, y, Calendar{}, &s) != nil {
				continue // nothing was observed in these hours
			}
			scale := accuracy.SeasonalScale(x.y.Values, 24)
			logs += math.Log((accuracy.MASE(x.future[:24], dst.Point, scale) + 0.05) / (accuracy.MASE(x.future[:24], base.Point, scale) + 0.05))
			n++
			if c := accuracy.Coverage(x.future[:24], dst.Lower, dst.Upper); !math.IsNaN(c) {
				covered += c
				bounded++
			}
		}
		rel, coverage := math.Exp(logs/n), covered/bounded
		t.Logf("%d hours: error a day ahead %.3f of that of repeating it; bounds for %.0f of %.0f, coverage %.3f", hours, rel, bounded, n, coverage)
		if rel > most {
			t.Errorf("%d hours: error %.3f of that of repeating the day, want at most %v", hours, rel, most)
		}
		if hours >= 40 && (bounded < 0.95*n || coverage < 0.8) {
			t.Errorf("%d hours: bounds for %.0f of %.0f, coverage %.3f", hours, bounded, n, coverage)
		}
	}
	f(30, 1.01)
	f(40, 0.99)
	f(48, 1.01)
	f(72, 0.95)
	f(119, 0.93)
}
