package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

var hourGrid = grid{season: 24, long: 168, step: hour}

// project is one member's forecast of h values after y.
func project(m member, y []float64, h int, g grid) []float64 {
	dst := make([]float64, h)
	m.project([][]float64{dst}, y, []int{len(y)}, g, new(Scratch))
	return dst
}

func equal(t *testing.T, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > tol || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			t.Fatalf("got %v, want %v within %v", got, want, tol)
		}
	}
}

// Known answers, on a day of three points and a week of six, worked by hand.
func TestMemberKnownAnswers(t *testing.T) {
	g := grid{season: 3, long: 6, step: 8 * hour}
	y := []float64{
		1, 5, 2, 2, 6, 9,
		3, 4, 3, 1, 8, 4,
		2, 9, 1, 4, 7, 5,
	}
	equal(t, project(repeat{long: false}, y, 4, g), []float64{4, 7, 5, 4}, 0)
	equal(t, project(repeat{long: true}, y, 7, g), []float64{2, 9, 1, 4, 7, 5, 2}, 0)
	// Last three days by phase: {1,2,4}, {8,9,7}, {4,1,5}.
	equal(t, project(HourOfDayMedian{Days: 3}, y, 4, g), []float64{2, 8, 4, 2}, 0)
	// More days asked than there are: phases {1,2,3,1,2,4}, {5,6,4,8,9,7}, {2,9,3,4,1,5}.
	equal(t, project(HourOfDayMedian{Days: 99}, y, 3, g), []float64{2, 6.5, 3.5}, 1e-15)
	// By phase of the week: {1,3,2}, {5,4,9}, {2,3,1}, {2,1,4}, {6,8,7}, {9,4,5}.
	equal(t, project(HourOfWeekMedian{Weeks: 8}, y, 7, g), []float64{2, 5, 2, 2, 7, 5, 2}, 0)
	// Two weeks are too few, so the median over all four days by phase.
	equal(t, project(HourOfWeekMedian{Weeks: 8}, y[6:], 3, g), []float64{2.5, 7.5, 3.5}, 1e-15)
	// The window of a day, and of four points {1, 4, 7, 5}.
	equal(t, project(Median{}, y, 2, g), []float64{5, 5}, 0)
	equal(t, project(Median{Window: Season{Points: 4}}, y, 1, g), []float64{4.5}, 1e-15)
	// Too short for a day: the median of what there is.
	equal(t, project(HourOfDayMedian{Days: 3}, y[:2], 1, g), []float64{3}, 1e-15)
	equal(t, project(WeekProfile{}, y[:2], 1, g), []float64{3}, 1e-15)
	equal(t, project(repeat{long: false}, y[:2], 2, g), []float64{5, 5}, 0)

	// Three weeks with means 25/6, 23/6 and 28/6, newest last. The level weighs
	// them 0.35², 0.35 and 1; deviations at the first phase are
	// 1−25/6, 3−23/6, 2−28/6, their median 2−28/6.
	base := (28.0/6 + 0.35*23/6 + 0.35*0.35*25/6) / (1 + 0.35 + 0.35*0.35)
	equal(t, project(WeekProfile{}, y, 1, g), []float64{base + 2 - 28.0/6}, 1e-12)
	// Two weeks: weights 1 and 0.75 on the deviations, 1 and 0.35 on the levels.
	base = (28.0/6 + 0.35*23/6) / 1.35
	equal(t, project(WeekProfile{}, y[6:], 1, g), []float64{base + ((2-28.0/6)+0.75*(3-23.0/6))/1.75}, 1e-12)
}

// TestRidge: x = −1, 0, 1 and y = −2, 1, 4 lie on 1 + 3x. The mean square of x
// outside the intercept is Σx² = 2, so λ = ½ adds 1 and the slope is 6/(2+1) = 2.
func TestRidge(t *testing.T) {
	r := newRidge(2, new(Scratch))
	for _, x := range []float64{-1, 0, 1} {
		r.x[0], r.x[1] = 1, x
		r.add(1+3*x, 1)
	}
	equal(t, r.solve(0), []float64{1, 3}, 1e-12)
	beta := r.solve(0.5)
	equal(t, beta, []float64{1, 2}, 1e-12)
	r.x[1] = 10
	closeTo(t, r.predict(beta), 21, 1e-12)
	// A row of weight 2 counts twice: (1, 7) twice moves Σx²=4, Σxy=20, Σx=2, Σy=17.
	r.x[1] = 1
	r.add(7, 2)
	// Normal equations (5 2; 2 4)β = (17 20): β = (28, 66)/16.
	equal(t, r.solve(0), []float64{28.0 / 16, 66.0 / 16}, 1e-12)
}

// An autoregression y[t] = 10 + 0.8·(y[t−1] − 10) + 0.1·sin is followed within
// what λ = 0.001 shrinks.
func TestARRidgeFollowsItsOwnProcess(t *testing.T) {
	y := make([]float64, 700)
	y[0] = 10
	for i := 1; i < len(y); i++ {
		y[i] = 10 + 0.8*(y[i-1]-10) + math.Sin(float64(i))
	}
	got := project(ARRidge{Log: false, Long: false}, y[:650], 5, hourGrid)
	for k, v := range got {
		closeTo(t, v, y[650+k], 0.05)
	}
}

func TestARRidgeLags(t *testing.T) {
	f := func(p ARRidge, n int, g grid, want ...int) {
		t.Helper()
		if got := p.appendLags(nil, n, g); !slices.Equal(got, want) {
			t.Errorf("%d points: got %v, want %v", n, got, want)
		}
	}
	short := ARRidge{Log: false, Long: false}
	f(short, 672, hourGrid, 1, 2, 3, 4, 6, 12, 23, 24, 25, 48, 72, 96, 120, 144, 167, 168, 169)
	f(short, 200, hourGrid, 1, 2, 3, 4, 6, 12, 23, 24, 25, 48, 72, 96, 120) // below 200−3·17−24
	f(short, 40, hourGrid, 1, 2, 24, 25)                                    // the few that leave 12 rows
	f(short, 5, hourGrid)
	f(short, 100, grid{season: 1, long: 0, step: 1}, 1, 2, 3, 4, 6, 12)
	if got := len(ARRidge{Log: false, Long: true}.appendLags(nil, 672, hourGrid)); got != 43 {
		t.Errorf("%d long lags, want 43", got)
	}
}

// TestOriginsShareWork: projecting from several ends at once is projecting from
// each on its own, up to the weights, which fade from the last end. With a
// noise-free line of lags both agree closely.
func TestOriginsShareWork(t *testing.T) {
	y := hourly(672, weekly).Values
	for _, m := range []member{ARRidge{Log: false, Long: false}, SeasonalRidge{Log: false}, HourOfDayMedian{Days: 7}, logged{WeekProfile{}}, repeat{long: true}, Median{}} {
		ends := []int{288, 360, 504, 672}
		dst := [][]float64{make([]float64, 168), make([]float64, 168), make([]float64, 168), make([]float64, 168)}
		m.project(dst, y, ends, hourGrid, new(Scratch))
		for i, end := range ends {
			alone := project(m, y[:end], 168, hourGrid)
			for k := range alone {
				closeTo(t, dst[i][k], alone[k], 2)
			}
		}
		// What lies after an end does not reach its forecast.
		changed := slices.Clone(y)
		for i := 504; i < len(changed); i++ {
			changed[i] *= 1.01
		}
		if _, isLog := m.(logged); isLog {
			continue // the shift is taken from the whole history
		}
		again := [][]float64{make([]float64, 168), make([]float64, 168), make([]float64, 168), make([]float64, 168)}
		m.project(again, changed, ends, hourGrid, new(Scratch))
		for i := range 3 {
			equal(t, again[i], dst[i], 1e-9)
		}
	}
}

// TestSmoothing runs the filter over four values with α = ¼, δ = 0.3, no week,
// φ = 0.495, from level 2 and seasons 1 and −1; worked by hand:
//
//	y=4: e=1, ε=1: l=2.25, d₀=1.3
//	y=0: e=−1.25+1=0−2.25+1=−1.25, ε=−1.25−0.495=−1.745: l=1.81375, d₁=−1.5235
func TestSmoothing(t *testing.T) {
	f := smoothing{level0: 2, day0: []float64{1, -1}, day: make([]float64, 2)}
	q := []float64{0, 0, 0, 0} // logistic(0) = ½
	f.run(q, []float64{4, 0})
	closeTo(t, f.level, 1.81375, 1e-12)
	equal(t, f.day, []float64{1.3, -1.5235}, 1e-12)
	closeTo(t, f.err, -1.25, 1e-12)
	dst := make([]float64, 3)
	f.forecast(dst, q)
	equal(t, dst, []float64{
		1.81375 + 1.3 - 1.25*0.495,
		1.81375 - 1.5235 - 1.25*0.495*0.495,
		1.81375 + 1.3 - 1.25*0.495*0.495*0.495,
	}, 1e-12)
}

func TestStartWeek(t *testing.T) {
	week, day := make([]float64, 4), []float64{0, 0}
	// Twice the same week: kept whole.
	startWeek(week, day, []float64{1, 2, 3, 6, 1, 2, 3, 6})
	equal(t, week, []float64{-2, -1, 0, 3}, 1e-12)
	// Opposite weeks: nothing in common.
	startWeek(week, day, []float64{1, -1, 1, -1, -1, 1, -1, 1})
	equal(t, week, []float64{0, 0, 0, 0}, 0)
	// Deviations (−1, 1, −1, 1) and (−1, 1, 1, −1): r = 0.
	startWeek(week, day, []float64{0, 2, 0, 2, 0, 2, 2, 0})
	equal(t, week, []float64{0, 0, 0, 0}, 0)
	// Nothing beside the day.
	startWeek(week, day, []float64{5, 5, 5, 5, 5, 5, 5, 5})
	equal(t, week, []float64{0, 0, 0, 0}, 0)
}

func TestDecorators(t *testing.T) {
	// The median of z = log(y + c) is that of y for an odd number of values.
	y := []float64{1, 100, 3}
	equal(t, project(logged{Median{}}, y, 1, hourGrid), []float64{3}, 1e-12)
	equal(t, project(clipped{Median{}, 5, 9}, y, 1, hourGrid), []float64{5}, 0)
	equal(t, project(clipped{Median{}, 0, 2}, y, 1, hourGrid), []float64{2}, 0)
	equal(t, project(clipped{broken{}, 0, 9}, y, 2, hourGrid), []float64{3, 3}, 0)
}

// broken is a member that fails numerically.
type broken struct{}

func (broken) project(dst [][]float64, _ []float64, _ []int, _ grid, _ *Scratch) {
	dst[0][len(dst[0])-1] = math.NaN()
}

func TestOrigins(t *testing.T) {
	f := func(n, horizon, block, k int, wantHorizon int, want ...int) {
		t.Helper()
		got, h := origins(nil, n, horizon, block, k)
		if h != wantHorizon || !slices.Equal(got, want) {
			t.Errorf("%d points, horizon %d: got %v over %d, want %v over %d", n, horizon, got, h, want, wantHorizon)
		}
	}
	f(672, 168, 24, 7, 168, 288, 360, 432, 504)
	f(700, 48, 24, 7, 48, 508, 532, 556, 580, 604, 628, 652)
	f(700, 2, 24, 2, 2, 620, 626, 632, 638, 644, 650, 656, 662, 668, 674, 680, 686, 692, 698)                                                                       // a quarter of a day apart
	f(700, 1, 24, 2, 1, 537, 543, 549, 555, 561, 567, 573, 579, 585, 591, 597, 603, 609, 615, 621, 627, 633, 639, 645, 651, 657, 663, 669, 675, 681, 687, 693, 699) // as many as make 28 residuals
	f(300, 168, 24, 7, 96, 108, 156, 204)                                                                                                                           // (300−96)/2 in whole days
	f(168, 168, 24, 7, 24, 96, 120, 144)
	f(167, 168, 24, 7, 24, 95, 119, 143) // with less than a week one day to learn from is enough
	f(120, 168, 24, 7, 24, 48, 72, 96)
	f(119, 168, 24, 7, 24, 47, 71, 95)
	f(71, 168, 24, 7, 24, 47)
	f(40, 168, 24, 7, 16, 24) // the test is what one day leaves
	f(30, 168, 24, 7, 6, 24)
	f(29, 168, 24, 7, 5)
	if needed(24) != 30 || needed(7) != 8 || needed(2) != 3 {
		t.Errorf("needed: %d, %d, %d", needed(24), needed(7), needed(2))
	}
	f(101, 5, 24, 7, 5, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90, 96)
	f(120, 5, 24, 2, 5, 97, 103, 109, 115)
}

func TestRising(t *testing.T) {
	f := func(w, v []float64, want ...float64) {
		t.Helper()
		rising(v, w)
		for i := range want {
			closeTo(t, v[i], want[i], 1e-12)
		}
	}
	f([]float64{1, 1, 1}, []float64{1, 2, 3}, 1, 2, 3)
	f([]float64{1, 1, 1}, []float64{3, 2, 1}, 2, 2, 2)
	f([]float64{1, 3, 1}, []float64{4, 2, 5}, 2.5, 2.5, 5)
	f([]float64{1, 1, 1, 1}, []float64{1, 5, 4, 3}, 1, 4, 4, 4)
	f([]float64{2, 1, 1}, []float64{2, 3, 0}, 1.75, 1.75, 1.75)
}

func TestInflation(t *testing.T) {
	closeTo(t, inflation(0.9, 2), 1.24, 1e-12)
	closeTo(t, inflation(0.9, 1), 1.24, 1e-12)
	closeTo(t, inflation(0.9, 7), 1.40, 1e-12)
	closeTo(t, inflation(0.9, 30), 1.40, 1e-12)
	closeTo(t, inflation(0.1, 7), 1.06, 1e-12)
	// 3 of 5 blocks from 2 to 7.
	closeTo(t, inflation(0.8, 5), 1.18*0.4+1.22*0.6, 1e-12)
	// 0.999 lies log 100/log 50 beyond 0.95 on the way through 0.99 and further.
	closeTo(t, inflation(0.999, 7), 1.85+(3.4-1.85)*math.Log(50)/math.Log(5), 1e-9)
	last := 0.0
	for level := 0.01; level < 1; level += 0.001 {
		if f := inflation(level, 4); f < last {
			t.Fatalf("inflation falls at %v", level)
		} else {
			last = f
		}
	}
}

func TestConfidence(t *testing.T) {
	nan := math.NaN()
	acc := func(skill, coverage float64, n int) series.Accuracy {
		return series.Accuracy{MASE: 1, NaiveMASE: 1, Skill: skill, Coverage: coverage, Origins: n}
	}
	const week = 7 * 24 * time.Hour
	f := func(a series.Accuracy, span time.Duration, gaps, want float64) {
		t.Helper()
		closeTo(t, Confidence(a, 0.9, span, gaps), want, 1e-12)
	}
	h4 := 1 - math.Exp(-4)
	f(acc(0, 0.9, 4), 4*week, 0, math.Sqrt(0.5)*h4)
	f(acc(0.25, 0.8, 4), 4*week, 0, math.Sqrt(0.8*0.625)*h4)
	f(acc(0.25, 1, 4), 4*week, 0.5, math.Sqrt(0.8*0.625)*h4/2)
	f(acc(-3, 0.9, 4), 4*week, 0, 0)
	f(acc(5, 0.9, 4), 4*week, 0, h4)
	f(acc(0, nan, 1), week, nan, math.Sqrt(0.25)*(1-math.Exp(-1)))
	f(acc(nan, nan, 0), week, 0, 0)
	f(acc(0, 0.9, 0), week, 0, 0)
	f(acc(0, 0.9, 2), -week, 0, 0)
	f(acc(0, 0.9, 2), week, 7, 0)
}

// Every way a forecast can be worth less is said.
func TestWarnings(t *testing.T) {
	auto, err := New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(model Forecaster, y series.Series, want ...string) {
		t.Helper()
		got := fmt.Sprint(forecastOf(t, model, y, 168, 0.9).Warnings)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("got %s, want %q", got, w)
			}
		}
		if len(want) == 0 && got != "[]" {
			t.Errorf("got %s, want none", got)
		}
	}
	f(auto, hourly(672, daily))
	f(auto, hourly(20, daily), "no daily season: 20 points of history, want 24")
	f(auto, hourly(29, daily), "one day of history: that the next is like it is assumed (29 points, want 48)", "no interval: 29 points of history, want 30")
	f(auto, hourly(60, daily), "rests on one rolling origin, 24 steps back")
	f(auto, hourly(72, daily))
	f(auto, hourly(672, constant), "the history is constant")
	f(auto, hourly(672, func(i int) float64 { return float64(i % 100) }), "forecast its rate")
	f(auto, hourly(672, func(i int) float64 { return 1000 + float64(i) }))
	f(auto, hourly(672, func(i int) float64 { return pick(i%10 == 0, math.NaN(), daily(i)) }), "10 % of the history is missing")
	f(auto, hourly(672, func(i int) float64 { return pick(i > 100, math.NaN(), daily(i)) }), "nothing was observed in the last 571h0m0s", "85 % of the history is missing")
	f(auto, hourly(672, func(i int) float64 { return daily(i) + pick(i > 660, 200, 0) }), "its level is new for about 6 h")
	f(auto, hourly(672, func(i int) float64 { return daily(i) + pick(i > 668, 2000, 0) }), "the level may have changed")
	one := sized(1, 0.99)
	var scratch Scratch
	if err := auto.Forecast(one, hourly(110, daily), Calendar{}, &scratch); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(one.Warnings); !strings.Contains(got, "no interval at level 0.99: 14 held-out residuals, want 100") || !math.IsNaN(one.Lower[0]) {
		t.Errorf("got %s and bound %v", got, one.Lower[0])
	}
	naive, err := New("seasonal_naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	f(naive, hourly(672, daily))
	f(naive, hourly(20, daily), "20 points, want one season of 24: the last value is repeated")
	f(naive, hourly(33, daily), "no interval: 9 seasonal differences seen, want 10")
}

// TestAccuracyOfNaive: a line rising by 1 an hour; repeating the last day is
// wrong by 24 on the first day and 48 on the second, and so is the scale.
func TestAccuracyOfNaive(t *testing.T) {
	naive, err := New("seasonal_naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := forecastOf(t, naive, hourly(672, func(i int) float64 { return float64(i) }), 48, 0.9)
	closeTo(t, f.Accuracy.MASE, 1.5, 1e-12)
	closeTo(t, f.Accuracy.NaiveMASE, 1.5, 1e-12)
	closeTo(t, f.Accuracy.Skill, 0, 1e-12)
	if f.Accuracy.Origins != 4 {
		t.Errorf("%d origins, want 4", f.Accuracy.Origins)
	}
	// σ is 24, so the band of the first day is ±1.645·24 and holds the error 24;
	// that of the second, ±1.645·24·√2 = 55.8, holds 48.
	closeTo(t, f.Coverage, 1, 0)
	closeTo(t, f.Upper[0]-f.Point[0], 1.6448536269514722*24, 1e-9)
	closeTo(t, f.Upper[24]-f.Point[24], 1.6448536269514722*24*math.Sqrt2, 1e-9)
}

func TestSizesMustAgree(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("want a panic")
		}
	}()
	dst := sized(3, 0.9)
	dst.Lower = dst.Lower[:2]
	naive, err := New("seasonal_naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = naive.Forecast(dst, hourly(50, daily), Calendar{}, new(Scratch))
}
