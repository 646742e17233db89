package forecast

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

func TestParseSeason(t *testing.T) {
	f := func(text string, want Season) {
		t.Helper()
		got, err := ParseSeason(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	f("24", Season{Points: 24})
	f("1d", Season{Length: 24 * time.Hour})
	f("2w", Season{Length: 14 * 24 * time.Hour})
	f("12h30m", Season{Length: 12*time.Hour + 30*time.Minute})
	bad := func(text, want string) {
		t.Helper()
		if _, err := ParseSeason(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	bad("0", "want at least 1")
	bad("-3h", "want more than 0")
	bad("0d", "want more than 0")
	bad("xd", "want points or a duration")
	bad("soon", "want points or a duration")
	bad("", "want points or a duration")

	var s Season
	if err := s.UnmarshalYAML(func(v any) error { *v.(*string) = "7d"; return nil }); err != nil || s.Length != 7*24*time.Hour {
		t.Errorf("got %v, %v", s, err)
	}
	if err := s.UnmarshalYAML(func(v any) error { *v.(*string) = "7x"; return nil }); err == nil {
		t.Error("7x was accepted")
	}
	no := errors.New("no")
	if err := s.UnmarshalYAML(func(any) error { return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
}

func TestSeasonPoints(t *testing.T) {
	f := func(s Season, step int64, want int) {
		t.Helper()
		if got := s.points(step); got != want {
			t.Errorf("%v on %s: got %d, want %d", s, millis(step), got, want)
		}
	}
	f(Season{}, hour, 24)
	f(Season{Points: 5}, hour, 5)
	f(Season{Length: 36 * time.Hour}, hour, 36)
	f(Season{Length: time.Minute}, hour, 1)
	f(Season{}, dayMillis, 7)
	f(Season{}, 7*hour, 24) // a week
	f(Season{}, 5*hour, 1)  // neither a day nor a week
}

func TestGrid(t *testing.T) {
	f := func(step int64, season, long, block int) {
		t.Helper()
		g := gridOf(step)
		if g.season != season || g.long != long || g.block() != block || NaiveSeason(step) != season {
			t.Errorf("%s: got %+v, block %d", millis(step), g, g.block())
		}
	}
	f(15_000, 5760, 40320, 5760)
	f(hour, 24, 168, 24)
	f(12*hour, 2, 14, 2)
	f(dayMillis, 7, 0, 7)
	f(weekMillis, 1, 0, 7)
	f(5*hour, 1, 0, 7)
	f(0, 1, 0, 7)
}

func TestResample(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	const min15 = 900_000
	in := series.Series{Start: 3 * min15, Step: min15, Values: []float64{
		4,            // the last quarter of hour 0
		1, 2, 3, nan, // hour 1
		nan, nan, inf, nan, // hour 2
		math.MaxFloat64, math.MaxFloat64, math.MaxFloat64, math.MaxFloat64, // hour 3
		9, 9, 9, // hour 4 is not complete
	}}
	out, err := Resample(in, hour)
	if err != nil {
		t.Fatal(err)
	}
	if out.Start != 0 || out.Step != hour {
		t.Fatalf("start %d, step %d", out.Start, out.Step)
	}
	equal(t, out.Values, []float64{4, 2, nan, math.MaxFloat64}, 1e294)

	// Before 1970 buckets are aligned too: −1 h 15 min lies in the hour from −2 h.
	before := series.Series{Start: -5 * min15, Step: min15, Values: []float64{8, 1, 1, 1, 1}}
	if out, err = Resample(before, hour); err != nil || out.Start != -2*hour {
		t.Fatalf("got start %d, %v", out.Start, err)
	}
	equal(t, out.Values, []float64{8, 1}, 1e-12)

	// Not a multiple: 15 min into 25 min. 0 | 25 | 50 holds 0 15 | 30 45 | 60 (to 75).
	odd := series.Series{Start: 0, Step: min15, Values: []float64{1, 2, 3, 4, 5}}
	if out, err = Resample(odd, 1_500_000); err != nil {
		t.Fatal(err)
	}
	equal(t, out.Values, []float64{1.5, 3.5, 5}, 1e-12)

	same := series.Series{Start: hour, Step: hour, Values: []float64{1, 2}}
	if out, err = Resample(same, hour); err != nil || &out.Values[0] != &same.Values[0] {
		t.Fatalf("an equal step copied, %v", err)
	}
	off := series.Series{Start: hour / 2, Step: hour, Values: []float64{1, 2}}
	if out, err = Resample(off, hour); err != nil || out.Start != 0 {
		t.Fatalf("got start %d, %v", out.Start, err)
	}
	equal(t, out.Values, []float64{1, 2}, 0)
	if out, err = Resample(series.Series{Start: hour / 2, Step: min15}, hour); err != nil || len(out.Values) != 0 {
		t.Fatalf("got %v, %v", out.Values, err)
	}

	if _, err = Resample(same, min15); err == nil || !strings.Contains(err.Error(), "resample to 15m0s: finer than the input's step 1h0m0s") {
		t.Errorf("got %v", err)
	}
	if _, err = Resample(same, 0); err == nil {
		t.Error("step 0 was accepted")
	}
}

func TestAt(t *testing.T) {
	nan := math.NaN()
	f := &series.Forecast{Band: series.Band{
		Start: 10 * hour, Step: hour,
		Point: []float64{1, 5, 3, 7}, Lower: []float64{0, 4, nan, 6}, Upper: []float64{2, 6, nan, 8},
	}}
	check := func(now int64, horizon time.Duration, stamp Stamp, value, lower, upper, peak float64) {
		t.Helper()
		got := At(f, now, horizon, stamp)
		equal(t, []float64{got.Value, got.Lower, got.Upper, got.Peak}, []float64{value, lower, upper, peak}, 1e-12)
		if got.Horizon != horizon {
			t.Errorf("horizon %s", got.Horizon)
		}
	}
	// Points at 10, 11, 12, 13 h; now is the last observation, 9 h.
	check(9*hour, time.Hour, Instant, 1, 0, 2, 1)
	check(9*hour, 2*time.Hour, Instant, 5, 4, 6, 5)
	check(9*hour, 90*time.Minute, Instant, 3, 2, 4, 3)
	check(9*hour, 3*time.Hour, Instant, 3, nan, nan, 5)
	check(9*hour, 4*time.Hour, Instant, 7, 6, 8, 7)
	check(9*hour, 30*time.Minute, Instant, 1, 0, 2, 1) // half a step before the first
	check(9*hour, 4*time.Hour+30*time.Minute, Instant, 7, 6, 8, 7)
	check(9*hour, 5*time.Hour, Instant, nan, nan, nan, 7)
	check(11*hour, time.Hour, Instant, 3, nan, nan, 3) // the value at 11 h is past
	// Buckets with their middles at 10:30, 11:30, 12:30, 13:30.
	check(10*hour, 90*time.Minute, BucketMean, 5, 4, 6, 5)
	check(10*hour, time.Hour, BucketMean, 3, 2, 4, 3)
	check(10*hour, 4*time.Hour, BucketMean, 7, 6, 8, 7) // the end of the last bucket
	check(10*hour, 4*time.Hour+time.Minute, BucketMean, nan, nan, nan, 7)
	check(20*hour, time.Hour, Instant, nan, nan, nan, nan)
	check(9*hour, 0, Instant, nan, nan, nan, nan)
	empty := At(&series.Forecast{}, 0, time.Hour, Instant)
	closeTo(t, empty.Value, nan, 0)
}
