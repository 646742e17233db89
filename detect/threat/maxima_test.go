package threat

import (
	"math"
	"testing"
)

// TestMaximaByHand has five days of e^1 … e^5, so a mean of 3 and a sum of squares of 10,
// and four days of 0.55: s² = (10 + 4·0.3025)/(5 − 1 + 4).
func TestMaximaByHand(t *testing.T) {
	m := maxima{floor: 1e-9}
	for d := range int64(5) {
		m.turn(d + 1)
		m.see(math.Exp(float64(d + 1)))
	}
	m.turn(6)
	mean, sd := m.moments()
	at(t, "mean", mean, 3, 1e-6)
	at(t, "sd", sd, math.Sqrt((10+4*0.3025)/8), 1e-6)
	at(t, "typical", m.typical(), math.Exp(3), 1e-4)
	// What was reported today counts as a sixth day.
	m.see(math.Exp(9))
	if again, _ := m.moments(); again != mean {
		t.Error("today counts before it is over")
	}
	_, before := m.judge(math.Exp(9))
	m.said = true
	mean, _ = m.moments()
	at(t, "mean with today", mean, 4, 1e-6)
	if _, after := m.judge(math.Exp(9)); after >= before || before < 1.4 {
		t.Errorf("the same again is %v, was %v", after, before)
	}
	m.turn(7)
	if mean, _ = m.moments(); math.Abs(mean-4) > 1e-6 || m.said {
		t.Errorf("the next day %v", mean)
	}
}

// TestFloorIsToldOnce lets a trickle go on for a day: the floor says so once.
func TestFloorIsToldOnce(t *testing.T) {
	m := NewEgress(Options{})
	var times []int64
	slots(17, func(at int64) {
		x := 1e5
		if at%day == 9*hour { // a burst hides it
			x += 3e9
		}
		if at >= start+14*day && at < start+15*day {
			x += 3e6
		}
		if m.Step(at, x).Evident() {
			times = append(times, (at-start)/hour)
		}
	})
	if len(times) != 1 || times[0] < 14*24 || times[0] > 15*24 {
		t.Errorf("told of in hours %v", times)
	}
}
