package judge

import (
	"math"
	"math/rand/v2"
	"testing"
)

const halfDay = 12 * 60 * minute

// losses of two models at n times of rows each, where A loses gain more on average and
// what happens reaches over so many times.
func losses(rng *rand.Rand, n, rows, reach int, gain float64) []Loss {
	noise := make([]float64, n+reach)
	for i := range noise {
		noise[i] = rng.NormFloat64()
	}
	var out []Loss
	for i := range n {
		common := 0.0
		for k := range reach {
			common += noise[i+k] / math.Sqrt(float64(reach))
		}
		for range rows {
			base := 2 + rng.Float64()
			out = append(out, Loss{At: int64(i) * halfDay, A: base + gain + 0.5*common + 0.2*rng.NormFloat64(), B: base})
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestCompare(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	if p := Compare(losses(rng, 60, 5, 1, 0.4), 0); p.Verdict != Better || p.Rows != 300 || p.Times != 60 || p.Least != LeastPaired || !(p.T > 3) || !(p.P < 0.01) {
		t.Errorf("B is better: %+v", p)
	}
	if p := Compare(losses(rng, 60, 5, 1, -0.4), 0); p.Verdict != Worse || !(p.T < -3) || !(p.P < 0.01) || !(p.B > p.A) {
		t.Errorf("B is worse: %+v", p)
	}
	// Few times, however many rows, are no verdict.
	if p := Compare(losses(rng, LeastPaired-1, 1000, 1, 2), 0); p.Verdict != Open || !math.IsNaN(p.P) || p.Times != LeastPaired-1 {
		t.Errorf("few times: %+v", p)
	}
	// Targets a week ahead, twice a day, reach over 14 times: four such stretches.
	if p := Compare(losses(rng, 55, 2, 14, 2), 14*halfDay); p.Verdict != Open || p.Least != 56 {
		t.Errorf("three stretches: %+v", p)
	}
	same := []Loss{}
	for i := range 30 {
		same = append(same, Loss{At: int64(i), A: 1, B: 1}, Loss{At: int64(i), A: math.NaN(), B: 1})
	}
	if p := Compare(same, 0); p.Verdict != Open || p.P != 0.5 || p.Rows != 30 {
		t.Errorf("the same: %+v", p)
	}
	for i := range same {
		same[i].A = 2
	}
	if p := Compare(same, 0); p.Verdict != Better || p.P != 0 {
		t.Errorf("better everywhere by the same: %+v", p)
	}
	if p := Compare(nil, 0); p.Verdict != Open || p.Rows != 0 {
		t.Errorf("nothing: %+v", p)
	}
}

// TestCompareIsSeldomWrong: of equal models one in eight at most is called better or
// worse, also where what happens reaches over fourteen times.
func TestCompareIsSeldomWrong(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, reach := range []int{1, 5, 14} {
		const n = 1000
		wrong := 0
		for range n {
			if Compare(losses(rng, 120, 1, reach, 0), int64(reach)*halfDay).Verdict != Open {
				wrong++
			}
		}
		// 4 % by the level; Bartlett weights see part of what hangs together.
		if limit := map[int]int{1: n / 16, 5: n / 8, 14: n / 8}[reach]; wrong > limit {
			t.Errorf("over %d times: %d of %d are called different, want at most %d", reach, wrong, n, limit)
		}
		t.Logf("over %d times: %d of %d", reach, wrong, n)
	}
}
