package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestWindowMean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, points := range []int{3, 10, 64, 65, 360} {
		w := newWindow(points)
		var all []float64
		for i := range 5 * points {
			x := rnd.NormFloat64()
			if i == points/2 {
				x = 1e18 // must leave no rounding error behind
			}
			all = append(all, x)
			mean := w.add(x)
			last := all[len(all)-int(w.n):]
			want := 0.0
			for _, v := range last {
				want += v / float64(w.n)
			}
			if i > 2*points {
				closeTo(t, "mean", mean, want, 1e-6)
			}
			n, per := int(w.n), int(w.per)
			if i > 2*points {
				newest := (min(latelyBlocks, len(w.blocks))-1)*per + int(w.fill)
				want := 0.0
				for _, v := range all[len(all)-newest:] {
					want += v / float64(newest)
				}
				closeTo(t, "mean of the newest blocks", w.lately(), want, 1e-6)
			}
			if i >= points && (n > points+per || n <= points-per || !w.full()) {
				t.Fatalf("window of %d holds %d after %d", points, w.n, i+1)
			}
		}
		if len(w.blocks) > windowBlocks {
			t.Errorf("window of %d has %d blocks", points, len(w.blocks))
		}
	}
}

// With C = I the norm of (3, 4, 0, …) is √(25/8). With the covariance 0.5 between
// neighbours, the inverse of [[1, .5], [.5, 1]] is 4/3·[[1, −.5], [−.5, 1]].
func TestShapeNorm(t *testing.T) {
	s := newShape()
	s.push(4)
	s.push(3)
	closeTo(t, "norm under the identity", s.norm(), math.Sqrt(25.0/8), 1e-12)
	s.cov[cell(1, 0)] = 0.5
	s.factor()
	r := 1 + shapeRidge + shapeFloor
	want := (r*9 - 2*0.5*12 + r*16) / (r*r - 0.25)
	closeTo(t, "norm under correlation", s.norm(), math.Sqrt(want/8), 1e-6)
	if m := s.summary(); m.largest != 4 || m.extreme != 4 || m.newest != 4 {
		t.Errorf("summary is %+v, want 4 as the largest", m)
	}
	closeTo(t, "mean of sizes", s.summary().mean, 7.0/8, 1e-12)
}

// The covariance of white noise becomes the identity; clipped pushes are finite.
func TestShapeLearns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	s := newShape()
	s.push(math.MaxFloat64)
	closeTo(t, "clipped", float64(s.x[0]), shapeClip, 0)
	for range 50_000 {
		s.push(rnd.NormFloat64())
		s.learn(1, 0.0005)
	}
	for i := range lags {
		for j := range i + 1 {
			want := 0.0
			if i == j {
				want = 1
			}
			// A discounted mean of 1/0.0005 values has a standard error of √(g/2)·√2 ≈ 0.02.
			closeTo(t, "covariance", float64(s.cov[cell(i, j)]), want, 0.1)
		}
	}
	before := s.white
	s.cov[cell(3, 3)] = -1
	s.factor()
	if s.white != before {
		t.Error("an impossible covariance changed the factor")
	}
}

func TestSeasonLearnsDay(t *testing.T) {
	s := newSeason(minuteMS, time.UTC)
	if len(s.level) != 288 {
		t.Fatalf("%d bins, want 288 of five minutes", len(s.level))
	}
	wave := func(at int64) float64 {
		return 10 * math.Sin(2*math.Pi*float64(floorMod(at, dayMS))/float64(dayMS))
	}
	for at := t0; at < t0+3*dayMS; at += minuteMS {
		_, ok := s.at(s.local(at))
		if ok && at < t0+dayMS {
			t.Fatal("a level after less than a day")
		}
		s.learn(s.local(at), wave(at), 0)
	}
	for h := range int64(24) {
		at := t0 + 3*dayMS + h*hourMS + 17*minuteMS
		got, ok := s.at(s.local(at))
		if !ok {
			t.Fatalf("no level at hour %d", h)
		}
		// Linear between bin means of a sine: half a bin is 0.11 of 10 radians·amplitude, the bow of it far less.
		closeTo(t, "level", got, wave(at), 0.15)
	}
}

// Around the end of a job that runs from three to four every night both levels are usual, elsewhere one is;
// nothing is before five days are known. Of a run of ten minutes at eight, and of a lull at ten, it is not usual that they do not come.
func TestSeasonNear(t *testing.T) {
	s := newSeason(5*minuteMS, time.UTC)
	day := func(n int64) {
		for at := n * dayMS; at < (n+1)*dayMS; at += 5 * minuteMS {
			v := 2.0
			if h := at % dayMS; h >= 3*hourMS && h < 4*hourMS {
				v = 60
			}
			switch h := at % dayMS; {
			case h >= 8*hourMS && h < 8*hourMS+10*minuteMS:
				v = 60
			case h >= 10*hourMS && h < 10*hourMS+10*minuteMS:
				v = -60
			}
			s.learn(at, v, 0)
		}
	}
	at := func(minutes int64) int64 { return 9*dayMS + minutes*minuteMS }
	for n := range int64(4) {
		day(n)
	}
	if s.near(at(4*60), 2, 60, 0, 0) {
		t.Error("known after four days")
	}
	day(4)
	s.learn(at(0), 2, 0)
	for _, f := range []struct {
		minute int64
		x, tol float64
		want   bool
	}{
		{4*60 - 5, 2, 0, true},
		{4*60 - 10, 2, 0, true},
		{4*60 - 15, 2, 0, false},
		{4*60 + 5, 60, 0, true},
		{4*60 + 10, 60, 0, false},
		{4 * 60, 30, 0, true},
		{4 * 60, 70, 5, false},
		{4 * 60, 64, 5, true},
		{12 * 60, 60, 5, false},
		{12 * 60, 6, 5, true},
		{8*60 + 5, 2, 5, false},
		{8*60 + 5, 60, 5, true},
		{8*60 - 10, 60, 5, true},
		{8*60 + 10, 2, 5, true},
		{10*60 + 5, 2, 5, false},
		{10*60 + 5, -60, 5, true},
	} {
		if got := s.near(at(f.minute), 2, f.x, f.tol, 0); got != f.want {
			t.Errorf("%v give or take %v at minute %d: %v, want %v", f.x, f.tol, f.minute, got, f.want)
		}
	}
}

// One odd day moves the level by no more than three usual spreads, times the gain.
func TestSeasonIsRobust(t *testing.T) {
	s := newSeason(hourMS, time.UTC)
	rnd := rand.New(rand.NewPCG(7, 8))
	at := t0
	for range 10 * 24 {
		s.learn(at, 5+rnd.NormFloat64(), 0)
		at += hourMS
	}
	before, _ := s.at(at + 12*hourMS + hourMS/2)
	for range 25 {
		s.learn(at, 1000, 0)
		at += hourMS
	}
	after, _ := s.at(at - 13*hourMS + hourMS/2)
	if d := after - before; d <= 0 || d > seasonClip*s.spread/seasonMemory+1e-9 {
		t.Errorf("a day at 1000 moved the level by %v; the spread is %v", d, s.spread)
	}
}

// Berlin left summer time on 2026-10-25 at 01:00 UTC: noon is 10:00 UTC before,
// 11:00 after.
func TestSeasonGoesByLocalTime(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zone data: %v", err)
	}
	s := newSeason(minuteMS, loc)
	noon := 12 * hourMS
	for _, c := range []time.Time{
		time.Date(2026, 10, 24, 10, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 11, 0, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 0, 59, 0, 0, time.UTC).Add(10*time.Hour + time.Minute),
	} {
		if got := floorMod(s.local(c.UnixMilli()), dayMS); got != noon {
			t.Errorf("%v is %v after local midnight, want noon", c, time.Duration(got)*time.Millisecond)
		}
	}
}

func TestFloorDiv(t *testing.T) {
	for _, c := range []struct{ a, b, div, mod int64 }{{7, 3, 2, 1}, {-7, 3, -3, 2}, {-6, 3, -2, 0}, {0, 3, 0, 0}} {
		if d, m := floorDiv(c.a, c.b), floorMod(c.a, c.b); d != c.div || m != c.mod {
			t.Errorf("%d by %d: %d rest %d, want %d rest %d", c.a, c.b, d, m, c.div, c.mod)
		}
	}
}

func TestScaleFloor(t *testing.T) {
	var s scale
	closeTo(t, "scale of nothing", s.at(0, floor(0, 0)), tiny, 0)
	closeTo(t, "scale of a constant", s.at(0, floor(-1e6, 0)), 1e-3, 1e-15)
	s.learn(1, 3, 1, 1)
	closeTo(t, "scale in an hour never seen", s.at(4, floor(0, 0)), 1, 0)
	for range 1000 {
		s.learn(0.001, 4, 0, 0.5) // a calm hour
	}
	closeTo(t, "scale in the calmest hour", s.at(4, floor(0, 0)), math.Sqrt(calmestHour), 1e-12)
}

func TestSpan(t *testing.T) {
	s := span{low: 0, high: 10}
	closeTo(t, "weight inside", s.weight(5), spanDamp, 0)
	closeTo(t, "weight outside", s.weight(11), 1, 0)
	s.learn(20, false)
	closeTo(t, "high after an anomaly", s.high, 10.2, 1e-12)
	s.learn(20, true)
	s.learn(-5, true)
	closeTo(t, "high", s.high, 20, 0)
	closeTo(t, "low", s.low, -5, 0)
	s.shrink()
	closeTo(t, "high after a day", s.high, 19.75, 1e-12)
}

func TestFlat(t *testing.T) {
	var f flat
	for i := range int64(1000) {
		f.learn(f.run(i%10 == 5, i), false)
	}
	closeTo(t, "record", f.longest, 2, 0.1)
	for i := range int64(9) {
		f.run(true, 1000+i)
	}
	closeTo(t, "score of 10 equal values", f.score(1020), 1, 1e-12)
	f.changes = 0
	closeTo(t, "score in a series that seldom changes", f.score(1020), 0, 0)
	f = flat{length: 100, longest: 2, changes: 900}
	f.learn(100, true)
	closeTo(t, "record after an anomaly", f.longest, 2*recordRise, 0)
}

// What was usual before is for records alone, and never more than what is usual.
func TestWindowRecord(t *testing.T) {
	for _, c := range []struct{ scale, lagged, peak, mean, want float64 }{
		{10, 4, 100, 94, 10}, // no record
		{10, 4, 100, 96, 4},
		{10, 4, 100, -96, 4},
		{10, 14, 100, 200, 10}, // lagged is from larger times
		{10, 1, 100, 200, 2},   // a mean of 25 is not known better
	} {
		w := newWindow(25)
		w.scale, w.lagged, w.peak = float32(c.scale), float32(c.lagged), float32(c.peak)
		if got := w.usualBefore(c.mean, 10); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The half-lives of what a window knows: three days of the scale, two of lagged behind it, a week of that in a record, three weeks of the peak.
func TestWindowLearns(t *testing.T) {
	const day = 288
	g := halfLife(3 * day)
	full := func() window {
		w := newWindow(25)
		for range 25 {
			w.add(0)
		}
		w.scale, w.lagged, w.peak = 80, 80, 1000
		return w
	}
	w := full()
	for range 21 * day {
		w.learn(0, 0, g, true)
	}
	closeTo(t, "peak after three weeks", float64(w.peak), 500, 1)
	w = full()
	for range 3 * day {
		w.learn(0, 0, g, true)
	}
	closeTo(t, "scale after three days", float64(w.scale), 40, 0.1)
	w = full()
	w.scale, w.lagged = 40, 20
	for range 2 * day {
		w.learn(40, 0, g, true)
	}
	closeTo(t, "lagged after two days", float64(w.lagged), 30, 0.1)
	w = full()
	w.scale, w.lagged, w.peak = 40, 20, 40
	for range 7 * day {
		w.learn(40, 0, g, true)
	}
	closeTo(t, "lagged after a week of a record", float64(w.lagged), 30, 0.1)
	w = full()
	w.learn(1e9, 0, g, true)
	closeTo(t, "peak after an incident", float64(w.peak), 1000, 1)
	w.peak = 0
	w.learn(1e9, 0, g, true)
	closeTo(t, "a first peak", float64(w.peak), peakClip*float64(w.scale), 40)
	w.learn(30, 0, g, false)
	closeTo(t, "peak before the usual day", float64(w.peak), 30, 0)
}
