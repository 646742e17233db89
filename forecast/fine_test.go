package forecast

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/upid/upid/collector/series"
)

const minutes5 = hour / 12

// everyFive returns n values f(0) … f(n−1), 5 minutes apart.
func everyFive(n int, f func(i int) float64) series.Series {
	y := hourly(n, f)
	y.Step = minutes5
	return y
}

// A job of five minutes at 20 past every hour is in the forecast at its place, and
// the mean over an hour is that of the forecast of hourly means.
func TestFineShape(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]float64, 20*288)
	for i := range noise {
		noise[i] = rng.NormFloat64()
	}
	y := everyFive(20*288, func(i int) float64 { return daily(i/12) + pick(i%12 == 4, 30, 0) + noise[i] })
	fine := forecastOf(t, auto, y, 288, 0.9)
	coarse, err := Resample(y, hour)
	if err != nil {
		t.Fatal(err)
	}
	means := forecastOf(t, auto, coarse, 24, 0.9)
	inside := 0.0
	for k, p := range fine.Point {
		want := daily(k/12) + pick(k%12 == 4, 30, 0)
		closeTo(t, p, want, 4)
		if fine.Lower[k] <= want && want <= fine.Upper[k] {
			inside++
		}
	}
	if inside < 280 {
		t.Errorf("%v of 288 expected values inside", inside)
	}
	for k, want := range means.Point[2:] { // the first two hours follow the newest points
		closeTo(t, mean(fine.Point[12*(k+2):12*(k+3)]), want, 1e-9)
	}
}

// What has just happened is in the next minutes, and gone after hours.
func TestFineLead(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	level := 0.0
	walk := make([]float64, 15*288)
	for i := range walk {
		level = 0.97*level + rng.NormFloat64()
		walk[i] = 100 + level
	}
	for i := len(walk) - 4; i < len(walk); i++ {
		walk[i] = 130
	}
	y := everyFive(len(walk), func(i int) float64 { return walk[i] })
	f := forecastOf(t, auto, y, 2*288, 0.9)
	if f.Point[0] < 115 || f.Point[0] > 131 {
		t.Errorf("after 130: %v, want near it", f.Point[0])
	}
	closeTo(t, f.Point[100], 100, 6)
	for k := 1; k < 24; k++ {
		if f.Point[k] > f.Point[k-1]+2 {
			t.Errorf("step %d rises from %v to %v", k, f.Point[k-1], f.Point[k])
		}
	}
}

// A forecast of minutes is measured at minutes, and beats repeating the last value on a
// series that returns to its mean.
func TestShortHorizon(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var s Scratch
	mae, naive := 0.0, 0.0
	for range 40 {
		level := 0.0
		draw := func(int) float64 {
			level = 0.7*level + rng.NormFloat64()
			return 50 + level
		}
		all := everyFive(10*288+12, draw)
		y := all
		y.Values = all.Values[:10*288]
		f := sized(12, 0.9)
		if err := auto.Forecast(f, y, Calendar{}, &s); err != nil {
			t.Fatal(err)
		}
		if f.Accuracy.Origins < 14 {
			t.Fatalf("%d origins", f.Accuracy.Origins)
		}
		for k, v := range all.Values[10*288:] {
			mae += math.Abs(v - f.Point[k])
			naive += math.Abs(v - y.Values[len(y.Values)-1])
		}
	}
	if mae > 0.9*naive {
		t.Errorf("error %v, of the last value %v", mae, naive)
	}
}

func TestMeans(t *testing.T) {
	var s Scratch
	var h history
	if err := h.clean(everyFive(27, func(i int) float64 { return pick(i >= 15 && i < 23, math.NaN(), float64(i)) }), 1, &s); err != nil {
		t.Fatal(err)
	}
	m := h.means(12, &s)
	if len(m.y) != 2 || m.grid.season != 24 || !m.observed[0] || m.observed[1] {
		t.Fatalf("%d means, season %d, observed %v", len(m.y), m.grid.season, m.observed)
	}
	// A power of two scales both.
	closeTo(t, h.unscale(m.y[0]), 8.5, 1e-12)
	closeTo(t, h.unscale(m.y[1]), 20.5, 1e-12)
}

// A gap at the end is forecast, not filled: the forecast goes on in the phase of the
// day, it is less certain, and says so.
func TestSilence(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	draw := scaling(daily, 0.01, 0.05)(rand.New(rand.NewPCG(7, 8)))
	full := hourly(672, draw)
	gone := full
	gone.Values = append(append([]float64{}, full.Values[:672-30]...), make([]float64, 30)...)
	for i := 642; i < 672; i++ {
		gone.Values[i] = math.NaN()
	}
	whole := full
	whole.Values = full.Values[:642]
	want := forecastOf(t, auto, whole, 48, 0.9)
	got := forecastOf(t, auto, gone, 18, 0.9)
	if got.Start != full.End() {
		t.Errorf("starts at %d, want %d", got.Start, full.End())
	}
	for k, p := range got.Point {
		closeTo(t, p, want.Point[30+k], 1e-9)
		closeTo(t, got.Upper[k], want.Upper[30+k], 1e-9)
	}
	if got.Confidence > 0.7*want.Confidence {
		t.Errorf("confidence %v after 30 h of silence, %v without", got.Confidence, want.Confidence)
	}
}

// A level that has just moved makes the forecast less trusted, for days, and then not.
func TestUnrest(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(days int) float64 {
		draw := scaling(daily, 0.001, 0.05)(rand.New(rand.NewPCG(9, 10)))
		return forecastOf(t, auto, hourly(672, func(i int) float64 { return draw(i) + pick(i >= 672-24*days, 60, 0) }), 168, 0.9).Confidence
	}
	calm := f(0)
	if moved := f(1); moved > calm/2 {
		t.Errorf("confidence %v a day after a jump, %v without", moved, calm)
	}
	if moved := f(3); moved > calm*0.7 {
		t.Errorf("confidence %v three days after a jump, %v without", moved, calm)
	}
}

// No rolling origin lies inside a gap: what comes after it would be seen.
func TestOriginsOnObserved(t *testing.T) {
	var s Scratch
	var h history
	y := hourly(300, func(i int) float64 { return pick(i >= 190 && i < 210 || i >= 220 && i < 260, math.NaN(), 1) })
	if err := h.clean(y, 1, &s); err != nil {
		t.Fatal(err)
	}
	got := onObserved([]int{100, 195, 200, 250}, &h)
	if len(got) != 2 || got[0] != 100 || got[1] != 190 {
		t.Errorf("got %v, want [100 190]", got)
	}
}
