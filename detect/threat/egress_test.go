package threat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestEgressFindsATrickle lets 10 kB/s leave for two days beside three bursts of gigabytes a
// day: no sum says so, the floor does.
func TestEgressFindsATrickle(t *testing.T) {
	m, r := NewEgress(Options{}), rand.New(rand.NewPCG(31, 32))
	found, false30 := false, 0
	slots(32, func(at int64) {
		d := int((at - start) / day)
		x := 1e5 * gamma(r, 4, 0.25)
		if h := at % day; h == 9*hour || h == 13*hour || h == 17*hour {
			x += 4e9 * gamma(r, 6, 1.0/6)
		}
		if d >= 30 {
			x += 3e6
		}
		switch e := m.Step(at, x); {
		case e.Evident() && d >= 30:
			found = true
			if e.Observed > 2e9 {
				t.Errorf("the floor of a day is %v", e.Observed)
			}
		case e.Evident():
			false30++
		}
	})
	if !found || false30 > 2 { // slots
		t.Errorf("found %v, %d false in 30 days", found, false30)
	}
}

// TestEgressFindsASchedule sends a gigabyte at three every night from a machine that sends as
// much in many an hour of the day, but not at night.
func TestEgressFindsASchedule(t *testing.T) {
	m, r := NewEgress(Options{}), rand.New(rand.NewPCG(33, 34))
	found, before := int64(0), 0
	slots(36, func(at int64) {
		d, h := (at-start)/day, at%day/hour
		x := 1e6 * gamma(r, 2, 0.5)
		if h >= 8 && h < 20 {
			x = 1.2e8 * gamma(r, 2, 0.5)
		}
		if d >= 30 && h == 3 {
			x += 1e9 / 12
		}
		switch e := m.Step(at, x); {
		case e.Evident() && d >= 30 && found == 0:
			found = d
		case e.Evident() && d < 30:
			before++
		}
	})
	if found != 31 || before > 0 { // the second night says so
		t.Errorf("found on day %d, %d false in 30 days", found, before)
	}
}

// TestScheduleForgets wants two nights in a row: with a day in between there is none.
func TestScheduleForgets(t *testing.T) {
	var s schedule
	night := func(d int64, x float64) float64 {
		var v float64
		for h := range int64(24) {
			s.turn(start + d*day + h*hour)
			y := 1e6
			if h == 3 {
				y = x
			}
			if _, g := s.judge(y); h == 3 {
				v = g
			}
		}
		return v
	}
	for d := range int64(20) {
		if v := night(d, 1e6); v > 0 {
			t.Fatalf("day %d: %v", d, v)
		}
	}
	if v := night(20, 1e9); v != 0 {
		t.Errorf("the first night is %v", v)
	}
	if v := night(21, 1e9); v < 2 {
		t.Errorf("the second night is %v", v)
	}
	night(22, 1e6)
	if v := night(23, 1e9); v != 0 {
		t.Errorf("after a night without: %v", v)
	}
	night(24, 1e9)
	s.turn(start + 26*day) // 25 is not there
	for h := range int64(4) {
		s.turn(start + 26*day + h*hour)
		if _, v := s.judge(1e9); v != 0 {
			t.Errorf("after a gap of a day: %v", v)
		}
	}
}

func TestFatigue(t *testing.T) {
	var f fatigue
	at(t, "of none", f.price(start, 1), 0, 0)
	f.say(start)
	f.say(start + hour/2) // goes on
	at(t, "of one", f.price(start+hour/2, 1), math.Log10(2), 1e-9)
	at(t, "half forgotten", f.price(start+hour/2+14*day, 1), math.Log10(1.5), 1e-9)
	for i := range int64(100) {
		f.say(start + 2*hour*(i+1))
	}
	at(t, "of many", f.price(start+200*hour, 1), 1.5, 0)
}

// TestGumbelTail compares with the distribution function. Gumbel (1958), eq. 5.1.1.
func TestGumbelTail(t *testing.T) {
	// Mean γ and standard deviation π/√6 are the standard one: F(y) = exp(−exp(−y)).
	sd := math.Pi / math.Sqrt(6)
	for _, y := range []float64{-2, 0, 1, 5, 20} {
		at(t, "tail", gumbelTail(y, 0.5772156649, sd), -math.Log10(-math.Expm1(-math.Exp(-y))), 1e-9)
	}
	at(t, "far out", gumbelTail(100, 0.5772156649, sd), 100/math.Ln10, 1e-6)
	at(t, "cut", gumbelTail(1e6, 0, sd), 300, 0)
}
