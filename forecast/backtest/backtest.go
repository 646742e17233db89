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
	Series   string        // name for Row.Series
	Models   []Model       // in the order of the rows; seasonal_naive is added in front if absent
	Horizon  time.Duration // rounded up to whole steps
	Folds    int           // rolling origins wanted; as many as fit are used
	Level    float64       // coverage asked for, in (0, 1)
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
	Skill    float64 // 1 − MASE/MASE of the seasonal naive forecast
	Seconds  float64 // time per forecast
}

// Run forecasts y from rolling origins with every model and returns one row per
// model, the seasonal naive forecast first unless Models places it. Fold k ends
// its history k horizons before the end of y, so folds do not overlap in what
// they test. Gaps in the tested part are skipped. It is an error if not even one
// fold leaves a history, or if a model fails on every fold; a model that fails on
// some is measured on the others, and Row.Folds says on how many. Run returns
// ctx.Err() when ctx is done. Cost: Folds forecasts per model.
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
	h := steps(o.Horizon, y.Step)
	season := forecast.NaiveSeason(y.Step)
	origins := folds(len(y.Values), h, season, o.Folds)
	if len(origins) == 0 {
		return nil, fmt.Errorf("backtest of %d points at a horizon of %d: want at least %d: %w", len(y.Values), h, h+season+1, forecast.ErrShort)
	}
	rows := make([]Row, len(models))
	var naive tally
	tallies := make([]tally, len(models))
	for i, m := range models {
		t := &tallies[i]
		for _, n := range origins {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			t.fold(y, n, h, season, m.Forecaster, o, scratch)
		}
		if t.folds == 0 {
			return nil, fmt.Errorf("backtest %s: %w", m.Name, t.err)
		}
		if m.Name == Naive {
			naive = *t
		}
	}
	for i, m := range models {
		rows[i] = tallies[i].row(o, m.Name, naive)
	}
	return rows, nil
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

// steps returns the horizon in whole steps, rounded up.
func steps(horizon time.Duration, step int64) int {
	unit := time.Duration(step) * time.Millisecond
	return int((horizon + unit - 1) / unit)
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
}

// fold forecasts the h points after the first n of y and adds up the errors.
func (t *tally) fold(y series.Series, n, h, season int, f forecast.Forecaster, o Options, s *forecast.Scratch) {
	past := y
	past.Values = y.Values[:n]
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
		t.err = err
		return
	}
	if o.Now != nil {
		t.seconds += o.Now().Sub(began).Seconds()
	} else {
		t.seconds = math.NaN()
	}
	t.folds++
	history := observed(past.Values)
	scale := accuracy.SeasonalScale(history, season)
	t.mae.Add(accuracy.MAE(actual, dst.Point))
	t.mase.Add(accuracy.MASE(actual, dst.Point, scale))
	t.smape.Add(accuracy.SMAPE(actual, dst.Point))
	t.rmsse.Add(accuracy.RMSSE(actual, dst.Point, accuracy.SeasonalScaleSquared(history, season)))
	t.coverage.Add(accuracy.Coverage(actual, dst.Lower, dst.Upper))
	t.msis.Add(accuracy.MSIS(actual, dst.Lower, dst.Upper, o.Level, scale))
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
		Skill: skill, Seconds: t.seconds / float64(t.folds),
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
