package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// timed is a point of a series whose clock does what it likes.
type timed struct {
	at int64
	v  float64
}

// feed takes a fresh scorer through points at any times and checks every score. It
// returns the findings and the scorer.
func feed(t testing.TB, name string, o Options, points []timed) ([]series.Finding, Scorer) {
	t.Helper()
	s := mustNew(t, o)
	r := rules.Default(o.Step, series.SeverityWarning)
	var a rules.Alert
	var found []series.Finding
	for i, p := range points {
		sc := s.Step(p.at, p.v)
		for _, v := range []float64{sc.Expected, sc.Lower, sc.Upper, sc.Value, sc.Confidence} {
			if math.IsInf(v, 0) {
				t.Fatalf("%s: point %d, %v at %d: %+v", name, i, p.v, p.at, sc)
			}
		}
		if sc.Value < 0 || !(sc.Confidence >= 0 && sc.Confidence <= 1) || (sc.Value >= 1) != (sc.Type != "") || sc.Lower > sc.Expected || sc.Upper < sc.Expected {
			t.Fatalf("%s: point %d, %v at %d: %+v", name, i, p.v, p.at, sc)
		}
		was := a.Active()
		if a = r.Next(a, sc, p.at); a.Active() && !was {
			found = append(found, *a.Finding)
		}
	}
	return found, s
}

// onGrid puts values on the grid of o.
func onGrid(o Options, values []float64) []timed {
	points := make([]timed, len(values))
	for i, v := range values {
		points[i] = timed{t0 + int64(i)*o.Step.Milliseconds(), v}
	}
	return points
}

var hostileSteps = []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, time.Hour}

// Three weeks of a constant raise no alert, whatever the constant, the step, the gaps
// of one to three scrapes in it or the budget.
func TestHostileConstant(t *testing.T) {
	for _, step := range hostileSteps {
		n := min(int(21*24*time.Hour/step), 8_000)
		for _, c := range []float64{0, 1, -1, 0.1, 1e-300, 5e-324, 8.1e9, -1e300, math.MaxFloat64, math.Pi} {
			for _, budget := range []float64{0.25, 1, 7} {
				rng := rand.New(rand.NewPCG(41, uint64(n)))
				o := Options{Step: step, Budget: budget}
				y := fill(n, func(int) float64 { return c })
				for i := 0; i < n; i += 20 + rng.IntN(300) {
					for j := range min(1+rng.IntN(3), n-i) {
						y[i+j] = math.NaN()
					}
				}
				if found, _ := feed(t, fmt.Sprint("constant ", c), o, onGrid(o, y)); len(found) > 0 {
					t.Errorf("step %s, constant %v, budget %v: %d findings, the first %+v", step, c, budget, len(found), found[0])
				}
			}
		}
	}
}

// twoValued returns how many findings a series of two values raises after it has gone
// from one to the other ten times. That a state comes for the first time is news: a
// target that was always up is down.
func twoValued(t *testing.T, name string, step time.Duration, two [2]float64, second func(i int, rng *rand.Rand) bool) []series.Finding {
	t.Helper()
	n := min(int(21*24*time.Hour/step), 8_000)
	rng := rand.New(rand.NewPCG(42, uint64(n)))
	o := Options{Step: step, Budget: 1}
	changes, known := 0, int64(math.MaxInt64)
	y := make([]float64, n)
	for i := range y {
		y[i] = two[0]
		if second(i, rng) {
			y[i] = two[1]
		}
		if i > 0 && y[i] != y[i-1] {
			if changes++; changes == 10 {
				known = t0 + int64(i)*step.Milliseconds()
			}
		}
	}
	found, _ := feed(t, name, o, onGrid(o, y))
	return slices.DeleteFunc(found, func(f series.Finding) bool { return f.Start <= known })
}

var twoValues = [][2]float64{{0, 1}, {1, 0}, {-5, 1e9}, {0.1, 0.3}}

// A series of two values raises no alert while it has both of them often.
func TestHostileTwoValued(t *testing.T) {
	for _, step := range hostileSteps {
		for _, two := range twoValues {
			f := func(name string, second func(i int, rng *rand.Rand) bool) {
				t.Helper()
				if found := twoValued(t, name, step, two, second); len(found) > 0 {
					t.Errorf("step %s, %v and %v, %s: %d findings, the first a %s of %.1f", step, two[0], two[1], name, len(found), found[0].Type, found[0].Peak)
				}
			}
			for _, p := range []float64{0.5, 0.3, 0.1} {
				f(fmt.Sprint("at random with ", p), func(_ int, rng *rand.Rand) bool { return rng.Float64() < p })
			}
			for _, length := range []int{1, 2, 7, 60} {
				f(fmt.Sprintf("%d points each", length), func(i int, _ *rand.Rand) bool { return i/length%2 == 1 })
			}
		}
	}
}

// TestHostileRareStates asks the same of a series that has one of its two values
// seldom, as `up` when a scrape fails, or keeps each for long.
func TestHostileRareStates(t *testing.T) {
	for _, step := range hostileSteps {
		for _, two := range twoValues {
			f := func(name string, second func(i int, rng *rand.Rand) bool) {
				t.Helper()
				if found := twoValued(t, name, step, two, second); len(found) > 0 {
					t.Errorf("step %s, %v and %v, %s: %d findings, the first a %s of %.1f", step, two[0], two[1], name, len(found), found[0].Type, found[0].Peak)
				}
			}
			f("at random with 0.02", func(_ int, rng *rand.Rand) bool { return rng.Float64() < 0.02 })
			f("500 points each", func(i int, _ *rand.Rand) bool { return i/500%2 == 1 })
			f("one point in 700", func(_ int, rng *rand.Rand) bool { return rng.IntN(700) == 0 })
			state := false
			f("changes seldom", func(i int, rng *rand.Rand) bool {
				state = state && i > 0
				if rng.IntN(200) == 0 {
					state = !state
				}
				return state
			})
		}
	}
}

// Series of every awkward shape keep the budget of one alert a week, and never give
// anything but finite numbers or nothing. Counters, which the configuration refuses, and
// very heavy tails do not keep it: UPID_STRICT=1 holds them to it as well.
func TestHostileShapes(t *testing.T) {
	const weeks = 4
	f := func(name string, value func(i int, rng *rand.Rand) float64) {
		t.Helper()
		rng := rand.New(rand.NewPCG(43, 7))
		o := Options{Step: 5 * time.Minute, Budget: 1}
		y := fill(weeks*7*288, func(i int) float64 { return value(i, rng) })
		found, _ := feed(t, name, o, onGrid(o, y))
		if len(found) > weeks {
			t.Errorf("%s: %d findings in %d weeks, the first %+v", name, len(found), weeks, found[0])
		}
	}
	wave := func(i int) float64 { return 1 + 0.6*math.Sin(2*math.Pi*float64(i)/288) }
	poisson := func(mean float64, rng *rand.Rand) float64 {
		k := 0.0
		for p := rng.Float64(); p > math.Exp(-mean); p *= rng.Float64() {
			k++
		}
		return k
	}
	strict := func(name string, value func(i int, rng *rand.Rand) float64) {
		t.Helper()
		if os.Getenv("UPID_STRICT") != "" {
			f(name, value)
		}
	}
	total := 0.0
	f("integers", func(i int, rng *rand.Rand) float64 { return math.Round(20*wave(i) + 2*rng.NormFloat64()) })
	f("small integers", func(_ int, rng *rand.Rand) float64 { return float64(rng.IntN(5)) })
	f("counts of a few", func(i int, rng *rand.Rand) float64 { return poisson(3*wave(i), rng) })
	strict("a counter", func(i int, rng *rand.Rand) float64 { total += poisson(30*wave(i), rng); return total })
	f("a clock", func(i int, _ *rand.Rand) float64 { return 1.7e9 + 300*float64(i) })
	f("a countdown", func(i int, _ *rand.Rand) float64 { return 90*86400 - 300*float64(i) })
	strict("heavy tails", func(_ int, rng *rand.Rand) float64 { return math.Exp(1.2 * rng.NormFloat64()) })
	f("a saw-tooth", func(i int, rng *rand.Rand) float64 { return 100 + float64(i%37)*4 + rng.NormFloat64() })
	f("a step an hour", func(i int, rng *rand.Rand) float64 { return float64(i/12%5)*10 + 0.1*rng.NormFloat64() })
	f("half of it missing", func(i int, rng *rand.Rand) float64 {
		if rng.IntN(2) == 0 {
			return math.NaN()
		}
		return 100*wave(i) + rng.NormFloat64()
	})
	f("infinities now and then", func(i int, rng *rand.Rand) float64 {
		if k := rng.IntN(200); k < 2 {
			return math.Inf(2*k - 1)
		}
		return 100*wave(i) + rng.NormFloat64()
	})
	f("of 1e300", func(i int, rng *rand.Rand) float64 { return 1e300 * (wave(i) + 0.05*rng.NormFloat64()) })
	f("of 1e-300", func(i int, rng *rand.Rand) float64 { return 1e-300 * (wave(i) + 0.05*rng.NormFloat64()) })
	f("around zero", func(_ int, rng *rand.Rand) float64 { return rng.NormFloat64() })
}

// All zero and then alive is one finding, or a few while it is learned, not a stream.
func TestHostileWakesUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(44, 1))
	o := Options{Step: 5 * time.Minute, Budget: 1}
	y := fill(5*7*288, func(i int) float64 {
		if i < 2*7*288 {
			return 0
		}
		return 50 + 20*math.Sin(2*math.Pi*float64(i)/288) + rng.NormFloat64()
	})
	found, _ := feed(t, "wakes up", o, onGrid(o, y))
	woke := t0 + 2*7*288*o.Step.Milliseconds()
	if len(found) == 0 || found[0].Start < woke || found[0].Start > woke+o.Step.Milliseconds() {
		t.Errorf("findings %+v, want the first at %d", found, woke)
	}
	late := 0
	for _, f := range found {
		if f.Start > woke+7*dayMS {
			late++
		}
	}
	if late > 2 {
		t.Errorf("%d findings a week later and after", late)
	}
}

// Clocks that jump ahead, go back or stand still neither break the scorer nor make
// it forget: what is not after the newest point is as if it had not come.
func TestHostileClocks(t *testing.T) {
	o := Options{Step: time.Minute, Budget: 1}
	y := daily(4*1440, 45)
	clean := onGrid(o, y)
	var dirty []timed
	rng := rand.New(rand.NewPCG(45, 1))
	for i, p := range clean {
		dirty = append(dirty, p)
		if rng.IntN(20) == 0 {
			dirty = append(dirty, timed{p.at, 1e9}) // the same time again, another value
		}
		if rng.IntN(50) == 0 {
			back := clean[rng.IntN(i+1)]
			dirty = append(dirty, timed{back.at, -1e9}, timed{back.at - 7*dayMS, math.NaN()}, timed{math.MinInt64, 3})
		}
	}
	_, a := feed(t, "clean", o, clean)
	_, b := feed(t, "dirty", o, dirty)
	if string(a.AppendState(nil)) != string(b.AppendState(nil)) {
		t.Error("late and repeated points changed the state")
	}
	for _, jump := range []int64{1, 30_000, dayMS, 7 * dayMS, 400 * dayMS, math.MaxInt64/2 - t0} {
		points := onGrid(o, y)
		for i := 2 * 1440; i < len(points); i++ {
			points[i].at += jump
		}
		if _, s := feed(t, fmt.Sprint("ahead by ", jump), o, points); len(s.AppendState(nil)) != len(a.AppendState(nil)) {
			t.Errorf("ahead by %d: the state grew", jump)
		}
	}
}

// FuzzShapes feeds stretches of any shape, saves in the middle and goes on twice: both
// say the same to the last bit, and nothing but finite numbers or nothing.
func FuzzShapes(f *testing.F) {
	f.Add([]byte{0, 40, 1, 90, 2, 10, 3, 200, 4, 30}, uint64(1))
	f.Add([]byte{5, 255, 6, 255, 7, 255, 8, 255, 9, 255}, uint64(2))
	f.Add([]byte{10, 100, 11, 1, 10, 100, 12, 60, 13, 9, 0, 200}, uint64(3))
	f.Fuzz(func(t *testing.T, shape []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var points []timed
		at := t0
		for i := 0; i+1 < len(shape) && len(points) < 3000; i += 2 {
			for k := range int(shape[i+1]) {
				at += minuteMS
				v := rng.NormFloat64()
				switch shape[i] % 14 {
				case 0:
					v = 0
				case 1:
					v = float64(k % 2)
				case 2:
					v *= 1e300
				case 3:
					v = math.NaN()
				case 4:
					v = math.Inf(1 - 2*(k%2))
				case 5:
					v = math.Round(3 * v)
				case 6:
					v = float64(k)
				case 7:
					at += dayMS
				case 8:
					at -= 2 * minuteMS
				case 9:
					v = 5e-324 * float64(k)
				case 10:
					v += 100
				case 11:
					v = math.MaxFloat64
				case 12:
					v = math.Exp(50 * v)
				}
				points = append(points, timed{at, v})
			}
		}
		half := len(points) / 2
		_, s := feed(t, "first half", options(), points[:half])
		twin := mustNew(t, options())
		if err := twin.LoadState(s.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		for _, p := range points[half:] {
			a, b := s.Step(p.at, p.v), twin.Step(p.at, p.v)
			if math.Float64bits(a.Value) != math.Float64bits(b.Value) || a.Type != b.Type {
				t.Fatalf("%+v, after loading %+v", a, b)
			}
		}
		if string(s.AppendState(nil)) != string(twin.AppendState(nil)) {
			t.Error("the states differ in the end")
		}
	})
}
