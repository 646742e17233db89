// Package backtest measures forecasters on a series' own past: rolling origins,
// the same Forecast call as live use, always beside the seasonal naive forecast.
package backtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/accuracy"
)

// Naive is the model every other is compared with; Run always includes it.
const Naive = "seasonal_naive"

// Model is a forecaster under the name its rows carry.
type Model struct {
	Name       string
	Forecaster forecast.Forecaster
}

// Options say what to measure. Models, Horizon, Folds and Level are required.
type Options struct {
	Series   string          // name for Row.Series
	Models   []Model         // in the order of the rows; seasonal_naive is added in front if absent
	Horizon  time.Duration   // rounded up to whole steps
	Parts    []time.Duration // shorter horizons to measure the same forecasts at, ascending
	Folds    int             // rolling origins wanted; as many as fit are used
	Level    float64         // coverage asked for, in (0, 1)
	Calendar forecast.Calendar
	Scratch  *forecast.Scratch // working memory to reuse; nil makes its own
	Now      func() time.Time  // clock for Row.Seconds; nil leaves them NaN
}

// Row is the outcome of one model on one series: means over all folds. A field
// is NaN where it cannot be measured.
type Row struct {
	Series   string
	Model    string
	Horizon  time.Duration
	Folds    int
	MASE     float64
	SMAPE    float64 // percent, 0 to 200
	RMSSE    float64
	Coverage float64 // share of values inside the interval
	MSIS     float64
	Skill    float64     // 1 − MASE/MASE of the seasonal naive forecast
	Seconds  float64     // time per forecast; of a shorter horizon that of the whole
	Judged   []Judgement // the single forecasts, newest first; only of the whole horizon
}

// Judgement is what one forecast said of itself and how it came out.
type Judgement struct {
	Confidence float64
	Ratio      float64 // mean absolute error over that of the seasonal naive forecast; NaN if that is 0
	Coverage   float64

	origin int
	mae    float64
}

// Run forecasts y from rolling origins with every model and returns one row per
// model, the seasonal naive forecast first unless Models places it, for each of
// Parts that is shorter than the horizon, and for the horizon. Fold k ends
// its history k horizons before the end of y, so folds do not overlap in what
// they test. Gaps in the tested part are skipped. It is an error if not even one
// fold leaves a history, or if a model fails on every fold; a model that fails on
// some is measured on the others, and Row.Folds says on how many. Run returns
// ctx.Err() when ctx is done, without waiting for the forecast under way. Cost: Folds forecasts per model.
func Run(ctx context.Context, y series.Series, o Options) ([]Row, error) {
	if err := o.validate(y); err != nil {
		return nil, err
	}
	models, err := withNaive(o.Models)
	if err != nil {
		return nil, err
	}
	scratch := o.Scratch
	if scratch == nil {
		scratch = new(forecast.Scratch)
	}
	scratch.With(ctx)
	h := Steps(o.Horizon, y.Step)
	season := forecast.NaiveSeason(y.Step)
	origins := folds(len(y.Values), h, season, o.Folds)
	if len(origins) == 0 {
		return nil, fmt.Errorf("%s every %s: to judge a forecast of %s (%d points) from the %s (%d points) and more before it takes at least %d points, which is %s: %w",
			points(len(y.Values)), span(1, y.Step), span(h, y.Step), h, span(season, y.Step), season, h+season+1, span(h+season+1, y.Step), forecast.ErrShort)
	}
	parts := o.parts(y.Step)
	naive := 0
	tallies := make([][]tally, len(models)) // by model and part
	for i, m := range models {
		tallies[i] = make([]tally, len(parts))
		for _, n := range origins {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			fold(tallies[i], parts, y, n, season, m.Forecaster, o, scratch)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if t := tallies[i][0]; t.folds == 0 {
			return nil, fmt.Errorf("backtest %s: %w", m.Name, t.err)
		}
		if m.Name == Naive {
			naive = i
		}
	}
	var rows []Row
	for k, part := range parts {
		for i, m := range models {
			row := tallies[i][k].row(o, m.Name, tallies[naive][k])
			row.Horizon = part.length
			if part.steps == h {
				row.Judged = judged(tallies[i][k], tallies[naive][k])
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// part is a horizon that is measured.
type part struct {
	length time.Duration
	steps  int
}

// parts returns the horizons to measure, the whole one last.
func (o Options) parts(step int64) []part {
	whole := part{length: o.Horizon, steps: Steps(o.Horizon, step)}
	var out []part
	for _, d := range o.Parts {
		if n := Steps(d, step); n > 0 && n < whole.steps {
			out = append(out, part{length: d, steps: n})
		}
	}
	return append(out, whole)
}

// judged compares every forecast with the naive one from the same origin.
func judged(t, naive tally) []Judgement {
	out := t.judged
	for i, j := range out {
		out[i].Ratio = math.NaN()
		for _, other := range naive.judged {
			if other.origin == j.origin && other.mae > 0 {
				out[i].Ratio = j.mae / other.mae
			}
		}
	}
	return out
}

func (o Options) validate(y series.Series) error {
	var errs []error
	if o.Horizon <= 0 {
		errs = append(errs, fmt.Errorf("horizon is %s, want more than 0", o.Horizon))
	}
	if o.Folds < 1 {
		errs = append(errs, fmt.Errorf("folds is %d, want at least 1", o.Folds))
	}
	if !(o.Level > 0 && o.Level < 1) {
		errs = append(errs, fmt.Errorf("level is %g, want between 0 and 1", o.Level))
	}
	if y.Step <= 0 {
		errs = append(errs, fmt.Errorf("step is %d ms, want more than 0", y.Step))
	}
	return errors.Join(errs...)
}

func withNaive(models []Model) ([]Model, error) {
	if slices.ContainsFunc(models, func(m Model) bool { return m.Name == Naive }) {
		return models, nil
	}
	f, err := forecast.New(Naive, nil)
	if err != nil {
		return nil, err
	}
	return append([]Model{{Name: Naive, Forecaster: f}}, models...), nil
}

// Steps returns a horizon in whole steps of so many milliseconds, rounded up.
func Steps(horizon time.Duration, step int64) int {
	unit := time.Duration(step) * time.Millisecond
	return int((horizon + unit - 1) / unit)
}

// points counts them in words.
func points(n int) string {
	if n == 1 {
		return "1 point"
	}
	return fmt.Sprintf("%d points", n)
}

// span writes the time of n steps of so many milliseconds as PromQL does.
func span(n int, step int64) string {
	return model.Duration(time.Duration(int64(n)*step) * time.Millisecond).String()
}

// folds returns the lengths of the histories of up to k folds, longest first.
func folds(n, h, season, k int) []int {
	var origins []int
	for i := 1; i <= k && n-i*h > season; i++ {
		origins = append(origins, n-i*h)
	}
	return origins
}

// tally sums the measures of one model over folds.
type tally struct {
	folds                              int
	mase, smape, rmsse, coverage, msis accuracy.Mean
	mae                                accuracy.Mean
	seconds                            float64
	err                                error // the last one
	judged                             []Judgement
}

// fold forecasts what follows the first n points of y and adds up the errors over
// every part of it.
func fold(ts []tally, parts []part, y series.Series, n, season int, f forecast.Forecaster, o Options, s *forecast.Scratch) {
	past := y
	past.Values = y.Values[:n]
	h := parts[len(parts)-1].steps
	actual := observed(y.Values[n : n+h])
	dst := series.Forecast{Band: series.Band{
		Start: 0, Step: 0, Level: o.Level, Coverage: math.NaN(),
		Point: make([]float64, h), Lower: make([]float64, h), Upper: make([]float64, h),
	}}
	var began time.Time
	if o.Now != nil {
		began = o.Now()
	}
	if err := f.Forecast(&dst, past, o.Calendar, s); err != nil {
		for k := range ts {
			ts[k].err = err
		}
		return
	}
	seconds := math.NaN()
	if o.Now != nil {
		seconds = o.Now().Sub(began).Seconds()
	}
	history := observed(past.Values)
	scale, scale2 := accuracy.SeasonalScale(history, season), accuracy.SeasonalScaleSquared(history, season)
	for k, p := range parts {
		t := &ts[k]
		t.folds++
		t.seconds += seconds
		actual, point, lower, upper := actual[:p.steps], dst.Point[:p.steps], dst.Lower[:p.steps], dst.Upper[:p.steps]
		mae, coverage := accuracy.MAE(actual, point), accuracy.Coverage(actual, lower, upper)
		t.mae.Add(mae)
		t.mase.Add(accuracy.MASE(actual, point, scale))
		t.smape.Add(accuracy.SMAPE(actual, point))
		t.rmsse.Add(accuracy.RMSSE(actual, point, scale2))
		t.coverage.Add(coverage)
		t.msis.Add(accuracy.MSIS(actual, lower, upper, o.Level, scale))
		if !math.IsNaN(mae) {
			t.judged = append(t.judged, Judgement{Confidence: dst.Confidence, Ratio: math.NaN(), Coverage: coverage, origin: n, mae: mae})
		}
	}
}

// row turns the sums into means. Skill compares MASE; where the history repeats
// exactly and MASE is not defined it compares the mean absolute errors.
func (t *tally) row(o Options, model string, naive tally) Row {
	skill := accuracy.Skill(t.mase.Value(), naive.mase.Value())
	if math.IsNaN(skill) {
		skill = accuracy.Skill(t.mae.Value(), naive.mae.Value())
	}
	return Row{
		Series: o.Series, Model: model, Horizon: o.Horizon, Folds: t.folds,
		MASE: t.mase.Value(), SMAPE: t.smape.Value(), RMSSE: t.rmsse.Value(),
		Coverage: t.coverage.Value(), MSIS: t.msis.Value(),
		Skill: skill, Seconds: t.seconds / float64(t.folds), Judged: nil,
	}
}

// observed returns v with ±Inf as gaps; it copies only if there are any.
func observed(v []float64) []float64 {
	if !slices.ContainsFunc(v, func(x float64) bool { return math.IsInf(x, 0) }) {
		return v
	}
	out := slices.Clone(v)
	for i, x := range out {
		if math.IsInf(x, 0) {
			out[i] = math.NaN()
		}
	}
	return out
}
