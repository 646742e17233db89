package capacity

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// bill makes the spend of a namespace by hours: a level that wanders a little from day to day, a
// week, a day, noise, and in some growth.
func bill(rng *rand.Rand, days int) []float64 {
	level := 1 + 9*rng.Float64()
	weekend := 1 - 0.5*rng.Float64()
	growth := 0.0
	if rng.IntN(2) == 0 {
		growth = level * 0.01 * rng.Float64()
	}
	wander := level * 0.02 * rng.Float64()
	out := make([]float64, days*24)
	for i := range out {
		if i%24 == 0 {
			level += growth + wander*rng.NormFloat64()
		}
		v := level * (1 + 0.3*math.Sin(2*math.Pi*float64(i)/24))
		if i/24%7 >= 5 {
			v *= weekend
		}
		out[i] = max(0, v*(1+0.05*rng.NormFloat64()))
	}
	return out
}

// TestSpendCoverage: of 400 bills the 90 % interval of the next week and month holds 85 to 97 %, within 1.5 points
// of chance.
func TestSpendCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(606, 1))
	for _, ahead := range []int{7, 20} {
		inside, err := 0, 0.0
		for range 400 {
			v := bill(rng, 28+ahead)
			s, ok := SpendOf(of(v[:28*24]))
			if !ok {
				t.Fatal("no spend")
			}
			sum := 0.0
			for _, x := range v[28*24:] {
				sum += x
			}
			value, lower, upper := s.Over(time.Duration(ahead)*day, 0.9)
			if lower <= sum && sum <= upper {
				inside++
			}
			err += math.Abs(value-sum) / sum / 400
		}
		t.Logf("%d days: coverage %.3f, error %.3f", ahead, float64(inside)/400, err)
		if c := float64(inside) / 400; c < 0.85 || c > 0.98 {
			t.Errorf("%d days: coverage %.3f, want 0.9", ahead, c)
		}
	}
}

func TestSpendExact(t *testing.T) {
	// 5 an hour on weekdays and 2 at weekends, four weeks from a Monday.
	v := make([]float64, 28*24)
	for i := range v {
		v[i] = 5
		if i/24%7 >= 5 {
			v[i] = 2
		}
	}
	s, ok := SpendOf(of(v))
	if !ok {
		t.Fatal("no spend")
	}
	value, lower, upper := s.Over(7*day, 0.9)
	if want := (5*5 + 2*2) * 24.0; math.Abs(value-want) > 1e-6 || lower > want || upper < want {
		t.Errorf("a week is %v (%v to %v), want %v", value, lower, upper, want)
	}
	if value, _, _ = s.Over(12*time.Hour, 0.9); math.Abs(value-60) > 1e-6 { // half a Monday
		t.Errorf("half a day is %v, want 60", value)
	}
	if math.Abs(s.Expected-48) > 1e-6 { // the newest day is a Sunday
		t.Errorf("Sunday is %v, want 48", s.Expected)
	}
	if _, ok := SpendOf(of(v[:50])); ok {
		t.Error("two days are too few")
	}
	if _, ok := SpendOf(series.Series{Start: 0, Step: 3600_000, Values: nil}); ok {
		t.Error("nothing is too little")
	}
}
