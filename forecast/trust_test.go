package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestReach: up to 28 days and the length of the history, or up to a quarter of it,
// nothing is taken off, and up to 7 days never.
func TestReach(t *testing.T) {
	const day = 24 * time.Hour
	f := func(horizon, span time.Duration, want float64) {
		t.Helper()
		if got := reach(horizon, span); math.Abs(got-want) > 1e-12 {
			t.Errorf("reach(%v, %v) = %v, want %v", horizon, span, got, want)
		}
	}
	f(time.Hour, day, 1)
	f(7*day, day, 1)
	f(28*day, 7*day, 0.25)
	f(28*day, 14*day, 0.5)
	f(14*day, 14*day, 1)
	f(28*day, 28*day, 1)
	f(56*day, 28*day, 0.5)
	f(400*day, 28*day, 0.07)
	f(400*day, 5*365*day, 1)
}

// The next hour rests on the newest days, but a long history is a long history: its confidence is not that of a week,
// nor, where a week is more points than are looked at, that of hours.
func TestConfidenceOfNextHour(t *testing.T) {
	auto := mustNew(t, "auto")
	for _, step := range []int64{15_000, minutes5} {
		confidence := func(days int64) float64 {
			rng := rand.New(rand.NewPCG(41, 42))
			n := int(days * dayMillis / step)
			y := hourly(n, func(i int) float64 {
				return 100 + 50*math.Sin(2*math.Pi*float64(i-n)*float64(step)/float64(dayMillis)) + 9*rng.Float64()
			})
			y.Step = step
			return forecastOf(t, auto, y, int(hour/step), 0.9).Confidence
		}
		three, month := confidence(3), confidence(28)
		if month < 2*three || month < 0.5 {
			t.Errorf("step %s: %.2f from 28 days, %.2f from three", millis(step), month, three)
		}
	}
}

// What is asked farther ahead than there is history deserves less than the next week does, and that is said.
func TestConfidenceBeyondHistory(t *testing.T) {
	auto := mustNew(t, "auto")
	rng := rand.New(rand.NewPCG(43, 44))
	y := hourly(14*24, func(i int) float64 {
		return 100 + 50*math.Sin(2*math.Pi*float64(i)/24) + 9*rng.Float64()
	})
	week, month := forecastOf(t, auto, y, 7*24, 0.9), forecastOf(t, auto, y, 28*24, 0.9)
	if month.Confidence > 0.6*week.Confidence || week.Confidence < 0.5 {
		t.Errorf("confidence %.2f of a week, %.2f of four", week.Confidence, month.Confidence)
	}
	if said := slices.Contains(month.Warnings, errBeyond); !said || slices.Contains(week.Warnings, errBeyond) {
		t.Errorf("warnings of four weeks: %v; of one: %v", month.Warnings, week.Warnings)
	}
}
