package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// After its half-life half of a score is left, of a high one half of 1, and what comes
// meanwhile counts if it is more.
func TestTrail(t *testing.T) {
	for _, c := range []struct {
		step  time.Duration
		first float64
		after int
		want  float64
	}{
		{time.Minute, 40, 10, 0.5},
		{time.Minute, 0.8, 10, 0.4},
		{time.Minute, 1, 20, 0.25},
		{5 * time.Minute, 3, 6, 0.5}, // half an hour
		{time.Hour, 3, 3, 0.5},       // three points at least
		{15 * time.Second, 3, 10, 0.5},
	} {
		r := newTrail(float64(c.step.Milliseconds()))
		if got := r.fade(c.first); got != c.first {
			t.Errorf("%v: the first score %v became %v", c.step, c.first, got)
		}
		got := 0.0
		for range c.after {
			got = r.fade(0.1)
		}
		if math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v after %d points, want %v", c.step, got, c.after, c.want)
		}
		if got := r.fade(0.9); got != 0.9 {
			t.Errorf("%v: a score of 0.9 became %v", c.step, got)
		}
	}
}

// A trail raises scores, none of them to 1, and changes no finding.
func TestTrailOpensNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 0))
	y := daily(4*1440, 52)
	for range 40 {
		y[1500+rng.IntN(len(y)-1500)] += 400 * rng.NormFloat64()
	}
	for i := 3000; i < 3040; i++ {
		y[i] = math.NaN()
	}
	with, without := mustNew(t, options()).(*stream), mustNew(t, options()).(*stream)
	without.trail.keep = 0
	r := rules.Default(time.Minute, series.SeverityWarning)
	var a, b rules.Alert
	raised, found := 0, 0
	for i, v := range y {
		at := t0 + int64(i)*minuteMS
		got, plain := with.Step(at, v), without.Step(at, v)
		switch {
		case got.Value < plain.Value:
			t.Fatalf("point %d: score %v, less than %v", i, got.Value, plain.Value)
		case got.Value != plain.Value && got.Value >= 1, got.Type != plain.Type, got.Why != plain.Why:
			t.Fatalf("point %d: %+v, without a trail %+v", i, got, plain)
		case got.Value > plain.Value:
			raised++
		}
		was := a.Active()
		a, b = r.Next(a, got, at), r.Next(b, plain, at)
		if a.Active() != b.Active() {
			t.Fatalf("point %d: a finding is open: %v, without a trail %v", i, a.Active(), b.Active())
		}
		if a.Active() && !was {
			found++
		}
	}
	if raised < 100 || found < 3 {
		t.Errorf("%d scores were raised and %d findings opened: nothing is shown", raised, found)
	}
}
