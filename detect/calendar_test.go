package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// filled returns a calendar that learned so many weeks of minutes of f, by the hour of the week.
func filled(weeks int, f func(hour int) float64) (c *calendar, lt int64) {
	c = newCalendar()
	for i := range weeks * 7 * 1440 {
		lt = int64(i) * minuteMS
		c.learn(lt, middleOf(minuteMS), f(i/60%weekHours), halfLife(2*1440))
	}
	return c, lt + minuteMS
}

func TestCalendar(t *testing.T) {
	weekend := func(h int) float64 {
		if h < 48 {
			return -40
		}
		return 8
	}
	c, lt := filled(3, weekend)
	for _, h := range []int64{5, 30, 60, 150} {
		if got, want := c.at(lt+h*hourMS+hourMS/2, middleOf(minuteMS)), weekend(int(h)); math.Abs(got-want) > 0.05*math.Abs(want) {
			t.Errorf("hour %d of the week: %v, want about %v", h, got, want)
		}
	}
	if got := c.at(lt+48*hourMS, middleOf(minuteMS)); math.Abs(got+16) > 1 {
		t.Errorf("between two hours: %v, want the mean of both", got)
	}
	two, lt2 := filled(2, weekend)
	if got := two.at(lt2+5*hourMS, middleOf(minuteMS)) / -40; got < 0.7 || got > 0.9 {
		t.Errorf("after two weeks: %v of it, want between 0.7 and 0.9", got)
	}
	if got, _ := filled(1, weekend); got.at(lt+5*hourMS, middleOf(minuteMS)) != 0 {
		t.Errorf("after a week: %v, want 0", got.at(lt+5*hourMS, middleOf(minuteMS)))
	}
}

// A series that knows no weekdays is left alone: of the noise of the weeks before little is taken for one.
func TestCalendarOfNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 1))
	var level, sum, square float64
	last := -1
	c, lt := filled(5, func(h int) float64 {
		if h != last {
			level, last = rng.NormFloat64(), h
		}
		return level
	})
	for h := range int64(weekHours) {
		v := c.at(lt+h*hourMS+hourMS/2, middleOf(minuteMS))
		sum, square = sum+v, square+v*v
	}
	if rms := math.Sqrt(square / weekHours); rms > 0.25 {
		t.Errorf("the root mean square of what is said of noise of 1 is %.3f", rms)
	}
}

// Of a series of few points a day each has the level of its own hour, whole, at whatever minute it comes.
func TestCalendarOfCoarseSteps(t *testing.T) {
	for _, step := range []int64{hourMS / 2, hourMS, 2 * hourMS, 5 * hourMS, dayMS} {
		c, lt := newCalendar(), 20*minuteMS
		want := func() float64 { return 100 + float64(floorMod(lt/hourMS, weekHours)) }
		for i := int64(0); i < 40*weekHours*hourMS/step || i < 5; i++ {
			c.learn(lt, middleOf(step), want(), 0.05)
			lt += step
		}
		if got := c.at(lt, middleOf(step)); math.Abs(got-want()) > 5 {
			t.Errorf("step of %d minutes: %v, want %v", step/minuteMS, got, want())
		}
	}
}

// A week is one too where the hour with which it began is missing, as in a series that stops every night.
func TestCalendarOfHoles(t *testing.T) {
	c := newCalendar()
	for i := range int64(4 * weekHours) {
		if h := i % weekHours; i > 0 && (h < 5 || h > 160) {
			continue
		}
		c.learn(i*hourMS, onePoint, float64(i%weekHours), 0.1)
	}
	if c.weeks != calendarMemory {
		t.Errorf("%d weeks after four", c.weeks)
	}
	for _, x := range []struct {
		from, to, hour uint8
		want           bool
	}{{3, 4, 3, true}, {3, 4, 4, false}, {3, 10, 8, true}, {3, 10, 10, false}, {160, 5, 167, true}, {160, 5, 4, true}, {160, 5, 5, false}, {160, 5, 160, true}, {160, 5, 159, false}} {
		if got := passes(x.from, x.to, x.hour); got != x.want {
			t.Errorf("from %d to %d hour %d ends: %v, want %v", x.from, x.to, x.hour, got, x.want)
		}
	}
}

// What happens in one hour, however large, leaves the others as fine as they were two weeks later.
func TestCalendarUnit(t *testing.T) {
	n := 0
	c, lt := filled(5, func(h int) float64 {
		n++
		if n > 2*7*1440 && n <= 2*7*1440+60 {
			return 1e6
		}
		return float64(h%24) / 24
	})
	for h := int64(3); h < weekHours; h++ {
		if got, want := c.raw(lt+h*hourMS+hourMS/2, middleOf(minuteMS)), float64(h%24)/24; math.Abs(got-want) > 0.1 {
			t.Fatalf("hour %d: %v, want %v", h, got, want)
		}
	}
	for _, x := range []float64{math.MaxFloat64, 1e20, 5e-324, 0} {
		for _, turns := range []int{1, 3, 5 * 1440} { // points between two changes of the sign
			n, sign := 0, -1.0
			c, lt := filled(3, func(int) float64 {
				if n++; n%turns == 0 {
					sign = -sign
				}
				return sign * x
			})
			if v := c.at(lt, middleOf(minuteMS)); math.IsNaN(v) || math.IsInf(v, 0) || math.IsInf(float64(c.both), 0) {
				t.Errorf("%v, another sign after %d: %v, %v", x, turns, v, c.both)
			}
		}
	}
}

// Offices are closed on weekends, and a Wednesday like a Sunday is found as soon as its morning is over.
func TestWeekends(t *testing.T) {
	const wednesday = 37
	rng := rand.New(rand.NewPCG(72, 1))
	y := fill(wednesday*day5+day5, func(i int) float64 {
		day, open := i/day5, 60.0
		if day%7 >= 5 || day == wednesday {
			open = 15
		}
		v := 40 + open*(1-math.Cos(2*math.Pi*float64(i%day5)/day5))/2
		return v * (1 + 0.03*rng.NormFloat64())
	})
	all, at := found(t, y, 14*day5)
	if len(all) == 0 || at[0] < wednesday*day5+6*day5/24 || at[0] > wednesday*day5+14*day5/24 {
		t.Errorf("findings %+v at %v, want the first in the morning of day %d", all, at, wednesday)
	}
}

// A calendar of one week may know no more than how its only owner began: who inherits begins another, and each rests for two days.
func TestCalendarRests(t *testing.T) {
	e := newExpectation(Options{Step: time.Minute, Location: time.UTC})
	at := func(i int64) (lt int64) {
		lt = i * minuteMS
		e.learn(lt, e.at(lt), 100+float64(i%7), float64(i))
		return lt
	}
	i := int64(0)
	for ; i < 10*1440; i++ {
		at(i)
	}
	lt := at(i)
	was := *e.week
	e.begins(lt)
	for end := i + calendarRests*60; i < end; i++ {
		at(i)
	}
	if e.week.level != was.level || e.week.both != was.both || e.week.n != 0 {
		t.Error("it learns while it rests")
	}
	for end := i + 4*60; i < end; i++ {
		at(i)
	}
	if e.week.both == was.both || e.week.n == 0 {
		t.Error("it learns nothing after its rest")
	}
	for weeks, want := range map[int]bool{1: false, 3: true} {
		old, born := mustNew(t, options()), mustNew(t, options())
		y := daily(weeks*7*1440+60, 37)
		for i, v := range y {
			old.Step(t0+int64(i)*minuteMS, v)
		}
		at := t0 + int64(len(y))*minuteMS
		if !Inherit(born, old, at, y[len(y)-1], y[len(y)-1], 1) {
			t.Fatal("nothing is inherited")
		}
		if got := born.(*stream).expect.week.weeks > 0; got != want {
			t.Errorf("after %d weeks the calendar is inherited: %v, want %v", weeks, got, want)
		}
		if got, want := born.(*stream).expect.rests, hourNumber(at)+calendarRests; got != want {
			t.Errorf("after %d weeks it learns from hour %d on, want %d", weeks, got, want)
		}
	}
}

// Where an hour of the week is unlike those beside it, so much is in doubt; in the middle of a weekend nothing is, and nowhere where λ is a half.
func TestCalendarEdge(t *testing.T) {
	c, lt := filled(3, func(h int) float64 {
		if h < 48 {
			return -40
		}
		return 8
	})
	for h, want := range map[int64][2]float64{0: {48, 0}, 20: {0, 0}, 47: {48, 48}, 48: {48, 0}, 100: {0, 0}, 167: {48, 48}} {
		either, ahead := c.edges(lt+h*hourMS, minuteMS)
		if math.Abs(either-want[0]) > 3 || math.Abs(ahead-want[1]) > 3 {
			t.Errorf("hour %d of the week differs by %v from those beside it and %v from the next, want %v", h, either, ahead, want)
		}
	}
	if _, got := c.edges(lt+46*hourMS, 2*hourMS); math.Abs(got-48) > 3 {
		t.Errorf("at steps of two hours: %v, want 48", got)
	}
	if either, ahead := c.edges(lt+47*hourMS, 90*minuteMS); either != 0 || ahead != 0 {
		t.Errorf("at steps of 90 minutes: %v and %v, want 0", either, ahead)
	}
	if sure := c.sure(); sure < 0.9 {
		t.Errorf("weekends of three weeks are sure by %v", sure)
	}
	if c.both /= 2; c.sure() > 0.05 {
		t.Errorf("what is worth half of itself is sure by %v", c.sure())
	}
}

// A job of Monday nights that begins a little earlier or later, and has more to do one week than the next, is in order from its
// fourth time on more often than not; what is as much on a Thursday night is not.
func TestWeeklyJobVaries(t *testing.T) {
	const days, hour5 = 55, day5 / 24
	var wrong, hits int
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(73, seed))
		y := fill(days*day5, func(int) float64 { return 100 + 20*rng.Float64() + rng.NormFloat64() })
		add := func(day int) {
			from, points, by := day*day5+2*hour5+rng.IntN(7)-3, 30+rng.IntN(7), 30+20*rng.Float64()
			for i := from; i < from+points; i++ {
				y[i] += by
			}
		}
		for d := 5; d < days; d += 7 {
			add(d)
		}
		add(days - 5)
		_, at := found(t, y, 26*day5)
		hit := 0
		for _, i := range at {
			if i/day5 == days-5 {
				hit = 1
			} else {
				wrong++
			}
		}
		hits += hit
	}
	if wrong > 28 || hits != 12 { // five Mondays of twelve series
		t.Errorf("%d wrong findings at 60 jobs, and %d of 12 on Thursdays", wrong, hits)
	}
}
