package detect

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Residuals that follow the level, its root, or nothing are each known for what they are.
func TestLeverage(t *testing.T) {
	for power := range powers {
		rnd := rand.New(rand.NewPCG(3, uint64(power)))
		var v leverage
		for i := range 20_000 {
			level := 100.0
			if i/1000%2 == 1 {
				level = 40
			}
			grown := math.Pow(level/70, float64(power)/2)
			v.learn(3*math.Abs(rnd.NormFloat64())*grown, level, 70, max(0.001, 1/float64(i+1)))
		}
		if int(v.best) != power {
			t.Errorf("power %d/2 taken for %d/2", power, v.best)
		}
		want := math.Pow(100.0/70, float64(power)/2)
		if got := v.at(100, 70); math.Abs(got-want) > 0.01 {
			t.Errorf("power %d/2: factor %g, want %g", power, got, want)
		}
	}
}

// A series of zeros and spikes has no level that its residuals could follow, nor has one around 0.
func TestLeverageWithoutLevel(t *testing.T) {
	v := leverage{mean: [powers]float32{1, 1, 1}, cost: [powers]float32{}, best: 2}
	if v.at(4, 2) != 1 || v.at(-40, 20) != 1 || v.at(40, -20) != 1 || v.at(math.NaN(), 20) != 1 {
		t.Error("a series without a level is scaled")
	}
	if v.at(1000, 20) != leverMost || v.at(1e-9, 20) != 1.0/leverMost {
		t.Error("the factor is not bounded")
	}
}
