package threat

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestWindowHoldsItsSpan compares windows with sums over all slots: what a window
// holds is what came in between its span less a block and its span.
func TestWindowHoldsItsSpan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, span := range []time.Duration{5 * time.Minute, 10 * time.Minute, 35 * time.Minute, time.Hour, 65 * time.Minute, 24 * time.Hour} {
		w := makeWindow(span, step)
		if w.span < span || w.span > span*3/2 {
			t.Errorf("%s became %s", span, w.span)
		}
		var all []float64
		for slot := range int64(1000) {
			w.advance(slot, nil)
			x := float64(r.IntN(5))
			w.newest().x += float32(x)
			all = append(all, x)
			sum := func(n int64) (s float64) {
				for _, x := range all[max(int64(len(all))-n, 0):] {
					s += x
				}
				return s
			}
			if got := float64(w.sum().x); got > sum(w.slots()) || got < sum(w.slots()-w.per+1) {
				t.Fatalf("%s, slot %d: %v, want %v to %v", span, slot, got, sum(w.slots()-w.per+1), sum(w.slots()))
			}
		}
	}
}

func TestWindowForgetsOverGaps(t *testing.T) {
	w := makeWindow(time.Hour, step)
	w.advance(100, nil)
	w.newest().x = 7
	var left float32
	w.newest().slots = 1
	if !w.advance(100_000, func(_ int64, c cell) { left += c.x }) || w.sum().x != 0 || left != 7 {
		t.Errorf("sum %v, left %v", w.sum().x, left)
	}
}

// TestConsume takes an excess out of all windows once, and nothing that was expected.
func TestConsume(t *testing.T) {
	ws := makeWindows([]time.Duration{step, time.Hour, 6 * time.Hour}, step)
	for slot := range int64(72) {
		for i := range ws {
			ws[i].advance(slot, nil)
			c := ws[i].newest()
			c.x, c.mean = c.x+2, c.mean+2
			if slot == 71 {
				c.x += 50
			}
		}
	}
	ws.consume(0)
	for i := range ws {
		if s := ws[i].sum(); s.x != s.mean {
			t.Errorf("window %d holds %v, want %v", i, s.x, s.mean)
		}
	}
}

// TestDispersion recovers the size of simulated counts. With 4,000 of them the estimate
// is within a fifth.
func TestDispersion(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, k := range []float64{0.3, 2, 20} {
		var d dispersion
		for range 4000 {
			d.learn(negBin(r, 30, k), 30, 300_000)
		}
		at(t, "size", d.size(30)/k, 1, 0.2)
	}
}

func TestProfileLearnsHours(t *testing.T) {
	p := makeProfile(step, nil)
	slots(28, func(t int64) { p.learn(t, 10*daily(t), 1) })
	for h := range int64(24 * 7) {
		want := 10 * daily(start+h*hour+hour/2)
		// An hour of a workday is 12/132 the mean of all, one of a weekend 12/60 of it.
		at(t, "mean", p.at(start+28*day+h*hour), want, 0.21*math.Abs(p.all-want)+0.3)
	}
}

// TestProfileWithLocation wants the hours of the wall clock.
func TestProfileWithLocation(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	utc, local := makeProfile(step, nil), makeProfile(step, berlin)
	if utc.hourOf(start) != 0 || local.hourOf(start) != 1 {
		t.Errorf("hours %d and %d", utc.hourOf(start), local.hourOf(start))
	}
	if saturday := start + 5*day; utc.hourOf(saturday) != 24 || makeProfileHour(time.UTC, saturday) != 24 {
		t.Error("Saturday is no weekend")
	}
}

func makeProfileHour(loc *time.Location, t int64) int {
	p := makeProfile(step, loc)
	return p.hourOf(t)
}

func TestDecades(t *testing.T) {
	at(t, "5 min", Decades(0.1, step), 3.906, 0.001)
	at(t, "larger budget", Decades(10, step), 3, 0)
	at(t, "no budget", Decades(0, step), 8, 0)
}
