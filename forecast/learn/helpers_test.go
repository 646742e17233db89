package learn

import (
	"math"
	"math/rand/v2"
	"testing"
)

// made is n rows of k features; the target is what f says of the row and noise.
func made(n, k int, seed uint64, f func(x []float64, r *rand.Rand) float64) Data {
	r := rand.New(rand.NewPCG(seed, 99))
	d := Data{}
	for j := range k {
		d.Features = append(d.Features, string(rune('a'+j%26))+string(rune('a'+j/26)))
		d.Columns = append(d.Columns, make([]float64, n))
	}
	x := make([]float64, k)
	for i := range n {
		for j := range x {
			x[j] = r.NormFloat64()
			d.Columns[j][i] = x[j]
		}
		d.Target = append(d.Target, f(x, r))
	}
	return d
}

// bent is not linear, and has noise of spread 0.3.
func bent(x []float64, r *rand.Rand) float64 {
	return 2*math.Sin(2*x[0]) + x[1]*x[1] + 0.3*r.NormFloat64()
}

// machines is like the future of machines of all sizes: the target is near feature 0,
// and goes back towards feature 1.
func machines(n int, seed uint64) Data {
	d := made(n, 6, seed, func([]float64, *rand.Rand) float64 { return 0 })
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range n {
		size := math.Exp(3 * d.Columns[2][i])
		week := size * math.Exp(0.3*r.NormFloat64())
		now := week * math.Exp(0.6*r.NormFloat64())
		d.Columns[0][i], d.Columns[1][i] = now, week
		d.Target[i] = math.Sqrt(now*week) * math.Exp(0.1*r.NormFloat64())
	}
	return d
}

func config() Config {
	return Config{Epochs: 100, Algorithm: DefaultAlgorithm, Level: DefaultLevel, Seed: 1}
}

func train(t *testing.T, kind Kind, d Data, c Config) *Model {
	t.Helper()
	m, err := Train(kind, d, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func predict(t *testing.T, m *Model, x []float64) Output {
	t.Helper()
	o, err := m.At(x, true)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
