package capacity

import (
	"bufio"
	"compress/gzip"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

// tally counts true crossings by where they lie.
type tally struct{ crossed, inside, early, late, unknown int }

func (a *tally) add(lower, upper, crossed float64, known bool) {
	if math.IsInf(crossed, 0) {
		return
	}
	a.crossed++
	switch {
	case !known:
		a.unknown++
	case crossed < lower:
		a.early++
	case crossed > upper:
		a.late++
	default:
		a.inside++
	}
}

func (a *tally) coverage() float64 { return float64(a.inside) / float64(a.crossed-a.unknown) }

func (a *tally) estimate(e Estimate, hours float64) {
	upper := e.Upper
	if math.IsNaN(upper) {
		upper = math.Inf(1)
	}
	a.add(e.Lower, upper, hours*3600, e.Known() && !math.IsNaN(e.Lower))
}

// limitFor draws a limit that growth as it was so far reaches in 1 to 60 days.
func limitFor(rng *rand.Rand, v []float64) float64 {
	rate := (v[len(v)-1] - v[0]) / float64(len(v)) * 24
	return v[len(v)-1] + math.Abs(rate)*math.Exp(rng.Float64()*math.Log(60))
}

// TestCoverageSimulated asks, for six ways to grow, whether the 80 % interval holds the
// first crossing. predict_linear over a day, with a fifth to either side, stands
// beside it. Seeds 1 to 9 were used to choose slopeDrift. The coverage of 900 is within 1.5
// points.
func TestCoverageSimulated(t *testing.T) {
	rng := rand.New(rand.NewPCG(303, 1))
	var all, linear tally
	for _, kind := range growths {
		var a tally
		for range 150 {
			g := growth(kind, rng)
			past := g.all[:g.now]
			limit := limitFor(rng, past)
			crossed := g.crossing(limit)
			e := Of(of(past), limit, Horizons)
			a.estimate(e, crossed)
			all.estimate(e, crossed)
			line := predictLinear(past, 24, limit)
			linear.add(0.8*line, 1.2*line, crossed, !math.IsInf(line, 0))
		}
		t.Logf("%-9s %+v coverage %.3f", kind, a, a.coverage())
	}
	t.Logf("all %+v coverage %.3f; predict_linear %+v coverage %.3f", all, all.coverage(), linear, linear.coverage())
	if c := all.coverage(); c < 0.7 || c > 0.9 {
		t.Errorf("coverage %.3f, want 0.7 to 0.9", c)
	}
	if float64(all.unknown) > 0.05*float64(all.crossed) {
		t.Errorf("%d of %d crossings were not foreseen at all", all.unknown, all.crossed)
	}
}

// realGrowth makes usages of real increments: what a disk holds that takes in what a real
// server does. The data are beside the repository or where UPID_SHARED says.
func realGrowth(t *testing.T, name string) [][]float64 {
	t.Helper()
	shared := os.Getenv("UPID_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(shared, "data", "forecast", name))
	if err != nil {
		t.Skipf("no shared data (set UPID_SHARED to their directory): %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	var out [][]float64
	for lines.Scan() {
		cells := strings.Split(lines.Text(), ",")
		if strings.HasPrefix(cells[0], "#") {
			continue
		}
		sum := 0.0
		v := make([]float64, 0, len(cells))
		for _, c := range cells[3:] {
			if x, err := strconv.ParseFloat(c, 64); err == nil && x > 0 {
				sum += x
			}
			v = append(v, sum)
		}
		if sum > 0 {
			out = append(out, v)
		}
	}
	return out
}

// TestCoverageReal is TestCoverageSimulated on the growth of real servers: what adds up of CPU,
// memory and traffic, looked at every three weeks.
func TestCoverageReal(t *testing.T) {
	rng := rand.New(rand.NewPCG(404, 1))
	var all, linear tally
	for _, name := range []string{"bitbrains_rnd_hourly.csv.gz", "nab_hourly.csv.gz", "ett_hourly.csv.gz"} {
		var a tally
		for k, v := range realGrowth(t, name) {
			if name[0] == 'b' && k%3 != 0 {
				continue
			}
			for now := 28 * 24; now < len(v)-48; now += 21 * 24 {
				past := v[now-28*24 : now]
				limit := limitFor(rng, past)
				if !(limit > past[len(past)-1]) {
					continue
				}
				g := grown{kind: name, all: v, now: now}
				crossed := g.crossing(limit)
				e := Of(of(past), limit, Horizons)
				a.estimate(e, crossed)
				all.estimate(e, crossed)
				line := predictLinear(past, 24, limit)
				linear.add(0.8*line, 1.2*line, crossed, !math.IsInf(line, 0))
			}
		}
		t.Logf("%-28s %+v coverage %.3f", name, a, a.coverage())
	}
	t.Logf("all %+v coverage %.3f; predict_linear %+v coverage %.3f", all, all.coverage(), linear, linear.coverage())
	if c := all.coverage(); c < 0.7 || c > 0.9 {
		t.Errorf("coverage %.3f, want 0.7 to 0.9", c)
	}
}

// TestNoAlertsOnTeeth looks at 150 disks that are filled and emptied every 2 hours to 12 days for ever,
// every 17 hours of four weeks, with four weeks of history: nobody is told.
// predict_linear(x[6h], 4d), the rule that is written most often, is beside it.
func TestNoAlertsOnTeeth(t *testing.T) {
	rng := rand.New(rand.NewPCG(505, 1))
	alerts, linear, all := 0, 0, 0
	for range 150 {
		v := sawtooth(rng, 56)
		limit := slices.Max(v) * (1.02 + 0.3*rng.Float64())
		for now := 28 * 24; now < len(v); now += 17 {
			all++
			if e := Of(of(v[now-28*24:now]), limit, Horizons); e.Urgent() {
				alerts++
				t.Errorf("hour %d of a saw: %s (%+v)", now, e.Text(), e)
			}
			if predictLinear(v[:now], 6, limit) < 96 {
				linear++
			}
		}
	}
	t.Logf("%d alerts at %d looks, %d of predict_linear", alerts, all, linear)
}

func TestExact(t *testing.T) {
	// A disk of 100 that holds 40 after four weeks and takes in 1 a day: 60 days.
	v := make([]float64, 28*24)
	for i := range v {
		v[i] = 12 + float64(i+1)/24
	}
	e := Of(of(v), 100, Horizons)
	if !e.Known() {
		t.Fatal(e.Reason)
	}
	if math.Abs(e.Growth-1) > 1e-9 {
		t.Errorf("growth %v a day, want 1", e.Growth)
	}
	if want := 60 * day.Seconds(); math.Abs(e.Median-want) > 0.1*want || !(e.Lower < want) || e.Upper < want {
		t.Errorf("%s, want 60 days", e.Text())
	}
	if e.Probability[0] != 0 || e.Probability[1] != 0 || e.Probability[3] < 0.7 {
		t.Errorf("probabilities %v", e.Probability)
	}
	if e.Urgent() {
		t.Error("60 days are not urgent")
	}
	// With seven days of history nothing is said of 30 and 90 days.
	e = Of(of(v[21*24:]), 43, Horizons)
	if !e.Known() || !math.IsNaN(e.Probability[2]) || !math.IsNaN(e.Probability[3]) || e.Probability[1] < 0.9 || !e.Urgent() {
		t.Errorf("3 days left after 7 days of history: %+v", e)
	}
}

func TestSilent(t *testing.T) {
	f := func(name, want string, limit float64, n int, at func(i int) float64) {
		t.Helper()
		v := make([]float64, n)
		for i := range v {
			v[i] = at(i)
		}
		e := Of(of(v), limit, Horizons)
		if e.Reason != want || !math.IsNaN(e.Median) || e.Urgent() {
			t.Errorf("%s: %+v, want %q and no date", name, e, want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	f("noise", ReasonNoGrowth, 100, 672, func(int) float64 { return 50 + rng.NormFloat64() })
	f("constant", ReasonNoGrowth, 100, 672, func(int) float64 { return 50 })
	f("falling", ReasonNoGrowth, 100, 672, func(i int) float64 { return 90 - float64(i)/24 })
	f("half a day", ReasonShort, 100, 12, func(i int) float64 { return float64(i) })
	f("no limit", ReasonLimit, math.NaN(), 672, func(i int) float64 { return float64(i) })
	f("gaps", ReasonGaps, 1e4, 672, func(i int) float64 {
		if i%3 != 2 {
			return math.NaN()
		}
		return float64(i)
	})
	f("emptied once", ReasonEmptied, 100, 672, func(i int) float64 { return 10 + math.Mod(float64(i), 500)/10 })
	f("emptied again and again", ReasonFewCycles, 100, 672, func(i int) float64 { return 10 + math.Mod(float64(i), 200)/10 })
	f("far", ReasonFar, 1e9, 672, func(i int) float64 { return 10 + float64(i)/24 })
	f("nothing", ReasonShort, 100, 672, func(int) float64 { return math.NaN() })
}

func TestAtTheLimit(t *testing.T) {
	e := Of(of(make([]float64, 100)), 1, Horizons)
	if e.Median == 0 {
		t.Error("an empty disk is not full")
	}
	v := slices.Repeat([]float64{7}, 100)
	if e := Of(of(v), 7, Horizons); e.Median != 0 || e.Probability[0] != 1 || !e.Urgent() || e.Text() != "the limit is reached" {
		t.Errorf("full: %+v", e)
	}
}

// TestRush is a disk that has been flat and takes in 2 % an hour since eight hours.
func TestRush(t *testing.T) {
	v := make([]float64, 28*24)
	for i := range v {
		v[i] = 40 + 0.2*math.Sin(float64(i)) + 2*max(0, float64(i-len(v)+9))
	}
	e := Of(of(v), 100, Horizons)
	if !e.Known() || !e.Urgent() || e.Probability[0] < 0.5 {
		t.Fatalf("%+v", e)
	}
	if want := 22 * 3600.0; math.Abs(e.Median-want) > 0.2*want { // (100 − 56) / 2
		t.Errorf("%s, want in 22 hours", e.Text())
	}
}

func TestAt(t *testing.T) {
	e := At(10*day.Seconds(), Horizons)
	if !slices.Equal(e.Probability, []float64{0, 0, 1, 1}) || e.Median != 10*day.Seconds() || e.Text() != "in 10 days" || e.Urgent() {
		t.Errorf("%+v", e)
	}
	if e := At(-5, Horizons); e.Median != 0 || !e.Urgent() {
		t.Errorf("past: %+v", e)
	}
	if e := At(math.NaN(), Horizons); e.Known() {
		t.Errorf("unknown: %+v", e)
	}
}

// TestProperties: units and a shift of time change nothing but the unit, the input is left
// alone, bounds are in order, probabilities grow with the horizon.
func TestProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, kind := range growths {
		for range 10 {
			g := growth(kind, rng)
			past := g.all[:g.now]
			limit := limitFor(rng, past)
			before := slices.Clone(past)
			e := Of(of(past), limit, Horizons)
			if !slices.Equal(before, past) {
				t.Fatal("the input was changed")
			}
			if e.Lower > e.Median || e.Median > e.Upper {
				t.Errorf("%s: bounds %v %v %v", kind, e.Lower, e.Median, e.Upper)
			}
			for i := 1; i < len(e.Probability); i++ {
				if e.Probability[i] < e.Probability[i-1] {
					t.Errorf("%s: probabilities %v", kind, e.Probability)
				}
			}
			scaled := make([]float64, len(past))
			for i, v := range past {
				scaled[i] = 1024 * v // a power of two: no rounding
			}
			s := Of(series.Series{Start: 7 * 3600_000, Step: 3600_000, Values: scaled}, 1024*limit, Horizons)
			if s.Reason != e.Reason || e.Known() && math.Abs(s.Median-e.Median) > 1e-6*e.Median {
				t.Errorf("%s: another unit, %s, was %s", kind, s.Text(), e.Text())
			}
		}
	}
}

func TestHostile(t *testing.T) {
	f := func(v ...float64) {
		t.Helper()
		for _, limit := range []float64{0, -1, 1, math.Inf(1), math.NaN(), 1e300} {
			e := Of(of(v), limit, Horizons)
			l := LeakOf(of(v), limit)
			for _, x := range append([]float64{e.Median, e.Lower, e.Upper, e.Growth, l.Rate, l.Median, l.Lower, l.Upper}, e.Probability...) {
				if math.IsInf(x, 0) {
					t.Errorf("infinite: %+v %+v", e, l)
				}
			}
		}
	}
	f()
	f(1)
	f(math.NaN())
	f(slices.Repeat([]float64{math.Inf(1)}, 200)...)
	f(slices.Repeat([]float64{1e300, -1e300}, 200)...)
	f(append(slices.Repeat([]float64{math.NaN()}, 300), 1, 2, 3)...)
}

func TestText(t *testing.T) {
	f := func(e Estimate, want string) {
		t.Helper()
		if got := e.Text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	nan := math.NaN()
	d := func(n float64) float64 { return n * day.Seconds() }
	f(Estimate{Median: d(12), Lower: d(8), Upper: d(19)}, "in 12 days (8 days to 19 days)")
	f(Estimate{Median: d(12), Lower: d(8), Upper: nan}, "in 12 days, not before 8 days")
	f(Estimate{Median: nan, Lower: d(80), Upper: nan}, "not before 80 days")
	f(Estimate{Median: nan, Lower: nan, Upper: nan}, "unlikely as far ahead as the history carries")
	if got := About((90 * time.Minute).Seconds()); got != "90 minutes" {
		t.Error(got)
	}
}

func BenchmarkOf(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, kind := range []string{"line", "teeth"} {
		g := growth(kind, rng)
		y := of(g.all[:g.now])
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Of(y, 200, Horizons)
			}
		})
	}
	v := of(sawtooth(rng, 28))
	b.Run("predict_linear", func(b *testing.B) {
		for b.Loop() {
			predictLinear(v.Values, 24, 200)
		}
	})
}
