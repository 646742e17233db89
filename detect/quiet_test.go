package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

const day5 = 288 // points of five minutes in a day

func five(d Direction) Options {
	return Options{Step: 5 * time.Minute, Budget: 1, Direction: d}
}

// found feeds values on a grid of five minutes and returns the findings that began
// at point from or later, with the points at which they began.
func found(t *testing.T, y []float64, from int) (all []series.Finding, at []int) {
	t.Helper()
	o := five(Both)
	got, _ := feed(t, t.Name(), o, onGrid(o, y))
	for _, f := range got {
		if i := int((f.Start - t0) / o.Step.Milliseconds()); i >= from {
			all, at = append(all, f), append(at, i)
		}
	}
	return all, at
}

// One odd sample of a series that never moves says nothing, however odd it is.
func TestOneOddSample(t *testing.T) {
	for _, odd := range []float64{1, -1, 1e300, 1e-300} {
		y := fill(20*day5, func(i int) float64 {
			if i == 10*day5 {
				return odd
			}
			return 0
		})
		if all, _ := found(t, y, 0); len(all) > 0 {
			t.Errorf("%v: %+v", odd, all[0])
		}
	}
}

// A target whose scrapes fail now and then is in order; one that is down is found at
// the fourth failed scrape, even if it had never failed; after six hours that is how it is.
func TestStates(t *testing.T) {
	const down = 20 * day5
	f := func(name string, glitch int, want int) {
		t.Helper()
		y := fill(down+3*day5, func(i int) float64 {
			if i >= down && i < down+2*day5 || glitch > 0 && i%glitch == glitch-1 {
				return 0
			}
			return 1
		})
		all, at := found(t, y, 0)
		if len(all) != 1 || at[0] != down+want || all[0].Type != series.TypeLevelShift || all[0].Score.Why.View != series.ViewState {
			t.Fatalf("%s: %d findings %+v at %v, want one at %d", name, len(all), all, at, down+want)
		}
		o := five(Both)
		s, odd := mustNew(t, o), 0
		for i, v := range y {
			if s.Step(t0+int64(i)*o.Step.Milliseconds(), v).Value >= 1 {
				odd++
			}
		}
		if odd != 72 {
			t.Errorf("%s: %d odd points, want six hours", name, odd)
		}
	}
	f("never failed", 0, stateNew-1)
	f("fails daily", day5-1, stateSeldomLeast-1)
}

// What moves by the same amount at every step is expected to the last digit, and its
// renewal is one jump.
func TestCountdown(t *testing.T) {
	y := fill(30*day5, func(i int) float64 { return float64(90*86400 - 300*(i%(12*day5))) })
	o := five(Both)
	s := mustNew(t, o)
	wrong := 0
	for i, v := range y {
		sc := s.Step(t0+int64(i)*o.Step.Milliseconds(), v)
		if i > 2*day5 && sc.Expected != v {
			wrong++
		}
	}
	if wrong != 2 { // the renewals
		t.Errorf("%d points were not as expected, want 2", wrong)
	}
	if all, at := found(t, y, 0); len(all) > 0 {
		t.Errorf("a renewal, or what follows, is a finding: %+v at %v", all[0], at)
	}
	y = fill(14*day5, func(i int) float64 { // ten days are taken away
		v := float64(90*86400 - 300*i)
		if i >= 12*day5 {
			v -= 10 * 86400
		}
		return v
	})
	if all, at := found(t, y, 0); len(all) != 1 || at[0] != 12*day5 || all[0].Type != series.TypeDrop {
		t.Errorf("findings %+v at %v, want one where ten days are gone", all, at)
	}
}

// Replicas that go up and down by one or two are in order at whatever hour; four
// times as many are not.
func TestSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 1))
	n := 3.0
	y := fill(28*day5, func(i int) float64 {
		if rng.IntN(60) == 0 {
			n = min(max(n+float64(rng.IntN(5)-2), 2), 6)
		}
		if i >= 27*day5 && i < 27*day5+60 {
			return 24
		}
		return n
	})
	all, at := found(t, y, 7*day5)
	if len(all) != 1 || at[0] != 27*day5 {
		t.Errorf("findings %+v at %v, want one at %d", all, at, 27*day5)
	}
}

// A restart every other day is in order, six in half an hour are not.
func TestSparseCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(62, 1))
	y := fill(28*day5, func(i int) float64 {
		if i >= 27*day5 && i < 27*day5+12 {
			return float64(i % 3)
		}
		if rng.IntN(2*day5) == 0 {
			return float64(1 + rng.IntN(2))
		}
		return 0
	})
	all, at := found(t, y, 0)
	if len(all) != 1 || at[0] < 27*day5 || at[0] > 27*day5+7 || all[0].Score.Why.View != series.ViewAway {
		t.Errorf("findings %+v at %v, want one within half an hour of %d", all, at, 27*day5)
	}
}

// The time since a nightly job succeeded grows and falls back, give or take ten
// minutes: that is in order. The night it does not run is found within the hour.
func TestMissedJob(t *testing.T) {
	rng := rand.New(rand.NewPCG(63, 1))
	const missed = 20
	last, next := 0, 40
	y := fill(25*day5, func(i int) float64 {
		if i == next {
			if i/day5 != missed {
				last = i
			}
			next = (i/day5+1)*day5 + 38 + rng.IntN(5)
		}
		return float64(300 * (i - last))
	})
	all, at := found(t, y, 10*day5)
	if due := missed*day5 + 40; len(all) != 1 || at[0] < due || at[0] > due+12 || all[0].Score.Why.View != series.ViewLate || all[0].Score.Why.Value < 86400 {
		t.Errorf("findings %+v at %v, want one within an hour of %d", all, at, missed*day5+40)
	}
}

// The CPU of a job is there while it runs. A night without it is found, and one in
// which it runs for twice as long.
func TestJobThatComesAndGoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(64, 1))
	const missed, hung = 20, 23
	length := 0
	y := fill(26*day5, func(i int) float64 {
		day, k := i/day5, i%day5
		if k == 0 {
			length = 14 + rng.IntN(2)
			if day == hung {
				length *= 2
			}
		}
		if k < 24 || k >= 24+length || day == missed {
			return math.NaN()
		}
		return 1 + 0.05*rng.NormFloat64()
	})
	all, at := found(t, y, 10*day5)
	if len(all) != 2 || at[0] < missed*day5+24 || at[0] > missed*day5+36 || at[1] < hung*day5+24+14 || at[1] > hung*day5+24+20 ||
		all[0].Type != series.TypeMissing || all[1].Type != series.TypeLevelShift || all[1].Score.Why.View != series.ViewStays {
		t.Errorf("findings %+v at %v, want missing at %d and a level shift at %d", all, at, missed*day5+24, hung*day5+24+16)
	}
}

func TestRhythm(t *testing.T) {
	const step = float64(5 * minuteMS)
	hour := float64(hourMS)
	var r rhythm
	at := t0
	for range 7 {
		r.learn(at, hour, step)
		at += hourMS
	}
	if got := r.limit(step); got != 0 {
		t.Errorf("limit %v after seven", got)
	}
	r.learn(at, hour, step)
	if got := r.limit(step); got != hour+step {
		t.Errorf("limit %v, want an hour and a step", got)
	}
	if a, b := r.score(at+hourMS, at, step), r.score(at+2*hourMS, at, step); a >= 1 || b < 1.5 {
		t.Errorf("an hour scores %v, two %v", a, b)
	}
	if got := r.score(at+4*hourMS, at, step); got != 0 {
		t.Errorf("four hours score %v, want 0", got)
	}
	// A pause at night is known the next night, and ends no rhythm.
	r.learn(at, 8*hour, step)
	if got := r.score(at+dayMS+2*hourMS, at+dayMS+10*minuteMS, step); got != 0 {
		t.Errorf("the second pause scores %v", got)
	}
	if got := r.score(at+dayMS+10*hourMS, at+dayMS+8*hourMS, step); got < 1 {
		t.Errorf("one at another time scores %v", got)
	}
	// Two odd times in a row end it.
	r.learn(at, 3*hour, step)
	if got := r.limit(step); got != 0 {
		t.Errorf("limit %v after two odd times", got)
	}
	for i := range 20 { // as long as they like
		r.learn(at, hour*(1+0.5*float64(i%2)), step)
	}
	if got := r.limit(step); got != 0 {
		t.Errorf("limit %v of times that vary by half", got)
	}
}

// A backup that is all of a node's writes for an hour, every night, is told once in two weeks at most once it is known; at noon it is.
func TestNightJob(t *testing.T) {
	rng := rand.New(rand.NewPCG(65, 1))
	y := fill(35*day5, func(i int) float64 {
		const length = 12
		day, k := i/day5, i%day5
		v := 2 * math.Exp(0.3*rng.NormFloat64())
		if k >= 36 && k < 36+length || day == 33 && k >= 144 && k < 156 {
			v += 40 + 4*rng.NormFloat64()
		}
		return v
	})
	all, at := found(t, y, 21*day5)
	if len(all) == 0 || len(all) > 2 || at[len(at)-1] != 33*day5+144 { // one night in fourteen may be told
		t.Errorf("findings %+v at %v, want one at %d", all, at, 33*day5+144)
	}
}

// A cache that is emptied whenever it is full is in order, at whatever hour; one that
// is emptied half full is not.
func TestResets(t *testing.T) {
	rng := rand.New(rand.NewPCG(66, 1))
	level, limit := 0.0, 100.0
	y := fill(35*day5, func(i int) float64 {
		if i == 30*day5+100 { // a day after the newest of the regular ones
			limit = level + 1
		}
		level += 0.12 * (0.5 + rng.Float64())
		if level > limit {
			level, limit = 0, 100
		}
		return 50 + level + 0.05*rng.NormFloat64()
	})
	all, at := found(t, y, 18*day5)
	odd := 0
	for _, i := range at {
		if i >= 30*day5+100 && i < 30*day5+120 {
			odd++
		}
	}
	if odd != 1 || len(all) != 1 {
		t.Errorf("findings %+v at %v, want one soon after %d", all, at, 30*day5+100)
	}
}

// Only what came six times, and was the newest jump, has a size that smaller falls are measured by.
func TestResetsRegular(t *testing.T) {
	var r resets
	for range resetMost - 1 {
		r.learn(-100)
	}
	if r.regular(-50) {
		t.Error("regular after five")
	}
	r.learn(-100)
	if !r.regular(-50) || r.regular(-100) {
		t.Error("after six a fall of half the size is in order, or one of the same is not")
	}
	r.learn(-300)
	if r.regular(-50) {
		t.Error("regular after a jump of another size")
	}
}

// A process that fills its caches for a day falls back to where it began whenever it begins anew, at whatever hour;
// a fall to below that, or half of the way, is told.
func TestStartups(t *testing.T) {
	f := func(name string, to float64, want int) {
		t.Helper()
		rng := rand.New(rand.NewPCG(67, 1))
		born, lost := 0, 0.0
		y := fill(24*day5, func(i int) float64 {
			switch i {
			case 6*day5 + 100, 11*day5 + 30:
				born = i
			case 20*day5 + 200:
				if born, lost = i, 0; to != 0.75 {
					born, lost = 11*day5+30, (1.1-to)*300
				}
			}
			v := 300*(0.75+0.35*(1-math.Exp(-float64(i-born)/day5))) + 5*math.Sin(2*math.Pi*float64(i)/day5) - lost
			lost *= 1 - 1.0/day5
			return v * (1 + 0.004*rng.NormFloat64())
		})
		all, at := found(t, y, 6*day5+90)
		if len(all) != want || want > 0 && at[0] != 20*day5+200 {
			t.Errorf("%s: %d findings at %v, want %d at %d", name, len(all), at, want, 20*day5+200)
		}
	}
	f("a restart", 0.75, 0)
	f("below", 0.55, 1)
	f("half of the way", 0.93, 1)
}

func TestStartup(t *testing.T) {
	const step = 300_000.0
	var u startup
	at, was := dayMS, 100.0
	climb := func(hours int64, from, to float64, jump float64) {
		for i := range hours * 12 {
			j := 0.0
			if i == 0 {
				j = jump
			}
			x := from + (to-from)*float64(i)/float64(hours*12)
			u.learn(at, x, was, j, step)
			was = x
			at += int64(step)
		}
	}
	climb(1, 100, 101, 0)
	if u.known {
		t.Error("known after an hour")
	}
	climb(47, 101, 200, 0)
	for _, f := range []struct {
		x    float64
		want bool
	}{{100, true}, {125, true}, {160, false}, {80, true}, {40, false}} {
		if got := u.again(at, f.x, 200-f.x); got != f.want {
			t.Errorf("a fall to %v is a beginning: %v, want %v", f.x, got, f.want)
		}
	}
	climb(1, 60, 61, -140) // down, and up again within the hour
	climb(48, 200, 200, 139)
	if u.level != 100 || u.size != 0 {
		t.Errorf("level %v, size %v after what was no beginning, want 100 and 0", u.level, u.size)
	}
	climb(30, 90, 150, -110)
	if u.level != 95 || u.size != 110 {
		t.Errorf("level %v, size %v, want 95 and 110", u.level, u.size)
	}
	climb(3, 140, 150, -10) // small
	if u.fell != 90 {
		t.Error("a small fall is taken for one")
	}
	fall := int64(u.at) * minuteMS
	if !u.again(at, 95, 55) || u.again(fall+startupApart, 95, 55) {
		t.Error("what falls twice within two hours is no beginning")
	}
	if !u.again(fall+dayMS-startupClock/2, 95, 55) {
		t.Error("that it fell a day ago once says nothing")
	}
	daily := u
	daily.daily = true
	if daily.again(fall+dayMS-startupClock/2, 95, 55) || !daily.again(fall+dayMS-2*startupClock, 95, 55) {
		t.Error("what falls daily is known by the clock")
	}
	// One of two replicas begins anew: half of a fall to where the series climbs from, and nothing is learned of it.
	for x, want := range map[float64]bool{205: false, 180: true, 165: true, 145: false} {
		if got := u.again(at, x, 260-x); got != want {
			t.Errorf("a fall from 260 to %v is a beginning: %v, want %v", x, got, want)
		}
	}
	half := u
	half.begin(minute(at), 175, 85)
	half.judge(176)
	if half.level != 95 || half.size != 110 || !half.judged || half.since <= u.since {
		t.Errorf("level %v, size %v after half of a fall, want 95 and 110", half.level, half.size)
	}
	climb(24, 150, 92, 0) // it was there lately, without a fall
	if u.again(at, 95, 55) {
		t.Error("a level that was visited lately says nothing")
	}
	// Replicas that begin one after the other are one fall, and on its way back nothing is odd but what is outside.
	u.begin(minute(at), 140, 60)
	u.begins()
	for _, x := range []float64{120, 100, 95} {
		at += minuteMS
		u.learn(at, x, x+20, 0, step)
	}
	if u.fell != 95 || u.by != 105 {
		t.Errorf("fell by %v to %v, want 105 and 95", u.by, u.fell)
	}
	for x, want := range map[float64]bool{96: true, 199: true, 201: false, 30: false} {
		if got := u.recovers(at, x); got != want {
			t.Errorf("%v belongs to the way back: %v, want %v", x, got, want)
		}
	}
	if u.recovers(at+startupStays, 96) {
		t.Error("hours later it is no longer on its way")
	}
}

// What makes good half of a fall within two hours is a beginning at once if that goes bit by bit, from the second time on
// if there are jumps; what fell to nothing never.
func TestStartupQuick(t *testing.T) {
	const step = 300_000.0
	for _, c := range []struct {
		low, lasts float64 // points in which 1 − 1/e of the fall is made good
		from       int
	}{{60, 6, 1}, {60, 3, 2}, {5, 6, math.MaxInt}} {
		low := c.low
		var u startup
		at, was := dayMS, 100.0
		push := func(x, jump float64) {
			u.learn(at, x, was, jump, step)
			at, was = at+int64(step), x
		}
		for range 5 * day5 {
			push(100, 0)
		}
		for n := range 3 {
			known := n >= c.from
			if got := u.again(at, low, 100-low) && u.known && u.size > 0; got != known {
				t.Errorf("fall %d to %v is a beginning: %v, want %v", n, low, got, known)
			}
			push(low, low-100)
			for i := range 3*day5 + 50 {
				push(100-(100-low)*math.Exp(-float64(i+1)/c.lasts), 0)
			}
		}
	}
}

// What falls to the same level for hours and comes back at once is an outage, each time; nor is a fall to nothing a
// beginning, however it comes back.
func TestOutagesAreNoStartups(t *testing.T) {
	outages := []float64{15.1, 20.3, 25.2, 30.6}
	for _, c := range []struct{ low, back float64 }{{0.3, 0}, {0.05, 0}, {0.05, 1}} { // the share that is left, hours until all is back
		rng := rand.New(rand.NewPCG(74, 1))
		y := fill(35*day5, func(i int) float64 {
			day, v := float64(i)/day5, 100.0
			for _, from := range outages {
				if h := (day - from) * 24; h >= 0 && h < 3+c.back {
					v *= c.low + (1-c.low)*max(0, h-3)/max(c.back, 1)
				}
			}
			return v * (1 + 0.2*math.Sin(2*math.Pi*day)) * (1 + 0.03*rng.NormFloat64())
		})
		all, at := found(t, y, 14*day5)
		for _, from := range outages {
			if !slices.ContainsFunc(at, func(i int) bool { return math.Abs(float64(i)-from*day5) <= 3 }) {
				t.Errorf("%+v: findings %+v at %v, want one at %v", c, all, at, from*day5)
			}
		}
	}
}

func TestHabits(t *testing.T) {
	var h habits
	day := func(n int64) int64 { return n*dayMS + 3*hourMS }
	f := func(name string, lt int64, score float64, want bool) {
		t.Helper()
		if got := h.usual(lt, score); got != want {
			t.Errorf("%s: usual is %v, want %v", name, got, want)
		}
	}
	for n := range int64(3) {
		f("too few days", day(100+n), 1, false)
		h.learn(day(100+n), 1)
		h.learn(day(100+n)+5*minuteMS, 0.9) // the same day counts once
	}
	f("the fourth day", day(103), 1.25, true)
	f("ten minutes later", day(103)+10*minuteMS, 1.2, true)
	f("much larger", day(103), 1.6, false)
	f("another hour", day(103)+hourMS, 1, false)
	f("weeks later", day(113), 1, false)
	h = habits{}
	h.learn(day(100), 1)
	h.learn(day(107), 1)
	f("the third week", day(114), 1, true)
	f("a day before it", day(113), 1, false)
	// Across midnight.
	h = habits{}
	for n := range int64(4) {
		h.learn((100+n)*dayMS+2*minuteMS, 1)
	}
	f("before midnight", 104*dayMS+dayMS-2*minuteMS, 1, true)
	// What comes seldom makes room for what comes often.
	for i := range int64(100) {
		h.learn(105*dayMS+i*20*minuteMS%dayMS, 1)
	}
	f("still known", 106*dayMS, 1, true)
}

// A disk that is cleaned every night at a minute that is no edge of a bin of the usual day says nothing after two weeks when
// the steps are minutes; that it is not cleaned, or suddenly fills, does.
func TestMidnightEdge(t *testing.T) {
	const day = 1440
	for _, minute := range []int{1, 4, 6, 8} {
		rng := rand.New(rand.NewPCG(61, uint64(minute)))
		logs := 0.0
		y := fill(24*day, func(i int) float64 {
			logs += 6.0 / day * (0.5 + rng.Float64())
			if i%day == minute && i/day != 20 {
				logs *= 0.12
			}
			v := 150 + 0.25*float64(i)/day + logs
			if i >= 22*day+700 && i < 22*day+760 {
				v += 8 * float64(i-22*day-700) / 60
			}
			return v
		})
		o := five(Both)
		o.Step = time.Minute
		all, _ := feed(t, t.Name(), o, onGrid(o, y))
		seen := [24]int{}
		for _, f := range all {
			seen[(f.Start-t0)/dayMS]++
		}
		for d, n := range seen {
			if d >= 14 && d != 20 && d != 21 && d != 22 && d != 23 && n > 0 {
				t.Errorf("cleaned at minute %d: %d findings on day %d", minute, n, d)
			}
		}
		if seen[20] == 0 {
			t.Errorf("cleaned at minute %d: that it was not is not found", minute)
		}
		if seen[22] == 0 {
			t.Errorf("cleaned at minute %d: that it fills is not found", minute)
		}
	}
}
