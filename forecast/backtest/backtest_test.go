package backtest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

const hour = int64(3600_000)

func closeTo(t *testing.T, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Fatalf("got %v, want %v within %v", got, want, tol)
	}
}

func hourly(n int, f func(i int) float64) series.Series {
	y := series.Series{Start: 0, Step: hour, Values: make([]float64, n)}
	for i := range y.Values {
		y.Values[i] = f(i)
	}
	return y
}

func options(models ...Model) Options {
	return Options{Series: "s", Models: models, Horizon: 24 * time.Hour, Folds: 3, Level: 0.9}
}

// level forecasts a constant with the band ±1, and fails on histories of the
// length in short.
type level struct {
	value float64
	short int
}

func (l level) Forecast(dst *series.Forecast, y series.Series, _ forecast.Calendar, _ *forecast.Scratch) error {
	if len(y.Values) == l.short {
		return forecast.ErrShort
	}
	for k := range dst.Point {
		dst.Point[k], dst.Lower[k], dst.Upper[k] = l.value, l.value-1, l.value+1
	}
	return nil
}

// TestRunKnownAnswer: the line y = 1000 + t. One day ahead the seasonal naive forecast is
// always 24 behind, which is also the seasonal scale, so its MASE and RMSSE are 1.
// The model says 1090 for 1072 … 1095 (the newest fold) and 1048 … 1071: errors 18 … −5 and
// 42 … 19.
func TestRunKnownAnswer(t *testing.T) {
	y := hourly(96, func(i int) float64 { return 1000 + float64(i) }) // far from 0, where bounds end
	o := options(Model{Name: "level", Forecaster: level{value: 1090, short: -1}})
	o.Folds = 2
	tick := time.Unix(0, 0)
	o.Now = func() time.Time { tick = tick.Add(time.Second); return tick }
	rows, err := Run(context.Background(), y, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Model != Naive || rows[1].Model != "level" {
		t.Fatalf("got %+v", rows)
	}
	naive, r := rows[0], rows[1]
	closeTo(t, naive.MASE, 1, 1e-12)
	closeTo(t, naive.RMSSE, 1, 1e-12)
	closeTo(t, naive.Skill, 0, 1e-12)
	closeTo(t, naive.Coverage, 1, 0) // ±1.645·24 holds 24
	closeTo(t, naive.MSIS, 2*1.6448536269514722, 1e-9)
	closeTo(t, naive.Seconds, 1, 1e-12)

	// Σ|e| = (18·19/2 + 5·6/2) = 186 and Σ 19…42 = 732, each over 24·24.
	mase := (186 + 732) / 2.0 / (24 * 24)
	closeTo(t, r.MASE, mase, 1e-12)
	closeTo(t, r.Skill, 1-mase, 1e-12)
	// Within ±1 of 1090 lie 3 of 48 values.
	closeTo(t, r.Coverage, 3.0/48, 1e-12)
	// Width 2, and 20 for every unit outside: |e| − 1 beyond ±1.
	outside := 186.0 - 2 - 21 + 732 - 24 // of the newest fold 1+0+1 lie inside, 21 values outside
	closeTo(t, r.MSIS, (2+20*outside/48)/24, 1e-12)
	if r.Series != "s" || r.Horizon != 24*time.Hour || r.Folds != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestRunWithoutClock(t *testing.T) {
	y := hourly(200, func(i int) float64 { return float64(i % 24) })
	rows, err := Run(context.Background(), y, options())
	if err != nil {
		t.Fatal(err)
	}
	// The history repeats exactly: no unit for MASE, but skill 0 for a perfect
	// forecast beside a perfect one.
	closeTo(t, rows[0].MASE, math.NaN(), 0)
	closeTo(t, rows[0].Skill, 0, 0)
	closeTo(t, rows[0].SMAPE, 0, 0)
	closeTo(t, rows[0].Seconds, math.NaN(), 0)
}

// The models of the package, through the same call as live use.
func TestRunModels(t *testing.T) {
	auto, err := forecast.New("auto", nil)
	if err != nil {
		t.Fatal(err)
	}
	naive, err := forecast.New(Naive, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	y := hourly(40*24, func(i int) float64 {
		return 50 + 20*math.Sin(2*math.Pi*float64(i)/24) + 4*rng.NormFloat64()
	})
	y.Values[700] = math.Inf(1)
	y.Values[950] = math.NaN()
	o := options(Model{Name: "auto", Forecaster: auto}, Model{Name: Naive, Forecaster: naive})
	o.Scratch = new(forecast.Scratch)
	rows, err := Run(context.Background(), y, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Model != "auto" || rows[0].Folds != 3 {
		t.Fatalf("got %+v", rows)
	}
	// Noise around a fixed day: the naive error is the difference of two noises,
	// √2 as large as the noise, so the best skill is 1 − 1/√2 = 0.29.
	if rows[0].Skill < 0.15 || rows[0].Skill > 0.45 {
		t.Errorf("skill %v", rows[0].Skill)
	}
	if rows[0].Coverage < 0.8 {
		t.Errorf("coverage %v", rows[0].Coverage)
	}
}

func TestRunRefuses(t *testing.T) {
	y := hourly(200, func(i int) float64 { return float64(i) })
	f := func(change func(*Options, *series.Series), want string) {
		t.Helper()
		o, in := options(), y
		change(&o, &in)
		if _, err := Run(context.Background(), in, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(o *Options, _ *series.Series) { o.Horizon = 0 }, "horizon is 0s, want more than 0")
	f(func(o *Options, _ *series.Series) { o.Folds = 0; o.Level = 1 }, "folds is 0, want at least 1\nlevel is 1")
	f(func(_ *Options, y *series.Series) { y.Step = 0 }, "step is 0 ms")
	f(func(_ *Options, y *series.Series) { y.Values = y.Values[:48] }, "48 points every 1h: to judge a forecast of 1d (24 points) from the 1d (24 points) and more before it takes at least 49 points, which is 2d1h: ")
	f(func(o *Options, _ *series.Series) {
		o.Folds = 1
		o.Models = []Model{{Name: "x", Forecaster: level{value: 1, short: 176}}}
	}, "backtest x: series too short")
}

func TestRunCountsTheFoldsThatWork(t *testing.T) {
	y := hourly(200, func(i int) float64 { return float64(i) })
	rows, err := Run(context.Background(), y, options(Model{Name: "x", Forecaster: level{value: 1, short: 152}}))
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Folds != 3 || rows[1].Folds != 2 {
		t.Errorf("folds %d and %d, want 3 and 2", rows[0].Folds, rows[1].Folds)
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	y := hourly(200, func(i int) float64 { return float64(i) })
	if _, err := Run(ctx, y, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSteps(t *testing.T) {
	if got := Steps(90*time.Minute, hour); got != 2 {
		t.Errorf("90 minutes are %d hourly steps, want 2", got)
	}
	if got := Steps(2*time.Hour, hour); got != 2 {
		t.Errorf("2 hours are %d hourly steps, want 2", got)
	}
}

// Shorter horizons measure the heads of the same forecasts: the line of
// TestRunKnownAnswer is 24 above the naive forecast at any of them.
func TestRunParts(t *testing.T) {
	y := hourly(96, func(i int) float64 { return 1000 + float64(i) })
	o := options(Model{Name: "level", Forecaster: level{value: 1090, short: -1}})
	o.Folds = 1
	o.Parts = []time.Duration{6 * time.Hour, 24 * time.Hour, 48 * time.Hour}
	rows, err := Run(context.Background(), y, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 || rows[0].Horizon != 6*time.Hour || rows[2].Horizon != 24*time.Hour || rows[0].Model != Naive {
		t.Fatalf("rows %+v", rows)
	}
	closeTo(t, rows[0].MASE, 1, 1e-12)
	closeTo(t, rows[1].MASE, 15.5/24, 1e-12) // 1072 … 1077 against 1090: 18 … 13
	if rows[1].Judged != nil || len(rows[3].Judged) != 1 {
		t.Fatalf("judged %v, %v", rows[1].Judged, rows[3].Judged)
	}
	// Over the day 18 … 0 … −5 add up to 171 + 15.
	closeTo(t, rows[3].Judged[0].Ratio, 186.0/24/24, 1e-12)
	closeTo(t, rows[3].Judged[0].Coverage, 3.0/24, 1e-12)
}
