package sizing

import (
	"math"
	"testing"
)

// TestPast counts, from the sizes of each midnight and the usage of the day after, how they did.
func TestPast(t *testing.T) {
	p, err := PolicyNamed("balanced")
	if err != nil {
		t.Fatal(err)
	}
	const days, odd = 28, 24
	usage := func(d, i int) (float64, float64) {
		cpu, memory := 0.5+0.3*math.Sin(2*math.Pi*float64(i)/288), float64(400<<20)
		if d%3 == 2 && i < 30 {
			cpu = 40 // far above what is set, a tenth of the day
		}
		if d == odd && i == 100 {
			memory = 4 << 30
		}
		return cpu, memory
	}
	s := New(p, 300)
	sizes := simulate(t, s, days, usage)
	above, weight, exceeded := 0.0, 0.0, 0.0
	for d := 1; d < days; d++ {
		set := sizes[d-1]
		if math.IsNaN(set.CPU) {
			continue
		}
		n, over := 0.0, false
		for i := range 288 {
			cpu, memory := usage(d, i)
			if cpu > set.CPU {
				n++
			}
			over = over || memory > set.Memory
		}
		above, weight = 0.95*above+n/288, 0.95*weight+1
		if over && d >= days-6 {
			exceeded++
		}
	}
	got := s.Past()
	if math.Abs(got.Weeks-weight/7) > 1e-9 || math.Abs(got.Above-above/weight) > 0.01 || got.Above < 0.01 {
		t.Errorf("%+v, want CPU above %.3f in %.2f weeks", got, above/weight, weight/7)
	}
	if exceeded != 1 || got.Exceeded != exceeded || math.Abs(got.MemoryWeeks-6.0/7) > 1e-9 {
		t.Errorf("%+v, want %.0f days in 6/7 weeks", got, exceeded)
	}
	if got := New(p, 300).Past(); got.Weeks != 0 || got.Above == got.Above || got.MemoryWeeks != 0 || got.Exceeded != 0 {
		t.Errorf("%+v of nothing", got)
	}
}
