package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/forecast/backtest"
	"github.com/upid/upid/forecast/num"
)

type backtestCmd struct {
	inputFlags    `embed:""`
	gridFlags     `embed:""`
	calendarFlags `embed:""`
	Folds         int      `default:"4" placeholder:"N" help:"Rolling origins: how many forecasts of each series are compared with what came. (default ${default})"`
	Model         []string `default:"auto" placeholder:"NAME" help:"Model, may be repeated: ${models}. seasonal_naive is always measured. (default auto)"`
	Level         float64  `default:"0.9" placeholder:"SHARE" help:"Share of the future values the interval is to hold. (default ${default})"`
	ByHorizon     bool     `help:"Measure the same forecasts at 1h, 6h, 1d and 3d too, as far as they are shorter."`
	Output        string   `short:"o" default:"table" enum:"table,json,yaml,csv" placeholder:"FORMAT" help:"Form of the output: ${enum}. (default ${default})"`
}

// Help is shown by --help.
func (backtestCmd) Help() string {
	return `Forecasts the newest part of the input from what came before it, as in live use, and measures the errors beside those of seasonal_naive, which repeats the last season.

Examples:

    upid backtest --input cpu.csv
    upid backtest --input cpu.csv --model auto --model ar_ridge --folds 10
    upid backtest --input cpu.csv --by-horizon
    upid backtest --query 'sum(rate(http_requests_total[5m]))' -o csv

CSV columns: ` + strings.Join(backtestColumns, ",") + `. MASE below 1 beats one day's naive forecast inside the sample; skill is 1 - MASE/MASE of seasonal_naive; smape is in percent.
`
}

// Validate is called by kong.
func (c *backtestCmd) Validate() error {
	errs := []error{c.inputFlags.Validate(), c.gridFlags.Validate(), validLevel(c.Level), validModels(c.Model...)}
	if c.Folds < 1 {
		errs = append(errs, fmt.Errorf("--folds is %d, want at least 1", c.Folds))
	}
	return errors.Join(errs...)
}

// backtested is the outcome for one series.
type backtested struct {
	rows   []backtest.Row
	odd    string // what is to be said of its horizon
	points int    // judged of each model
	err    error  // nothing could be measured
}

// fewJudged is the number of points below which an error is said to rest on few: the mean absolute error of 24
// independent ones is off by a seventh in one case of three, that of 4 by more than a third.
const fewJudged = 24

// Run measures the models on every series of the input.
func (c *backtestCmd) Run(ctx context.Context, e *env) error {
	in, err := c.load(ctx, e, c.queryStep())
	if err != nil {
		return err
	}
	var models []backtest.Model
	for i, name := range c.Model {
		if slices.Contains(c.Model[:i], name) {
			continue
		}
		f, err := forecast.New(name, nil)
		if err != nil {
			return err
		}
		models = append(models, backtest.Model{Name: name, Forecaster: f})
	}
	calendar, err := c.calendar(e)
	if err != nil {
		return err
	}
	scratches := make([]forecast.Scratch, runtime.GOMAXPROCS(0))
	bar := e.progress("backtest", len(in))
	var said notes
	var rows []backtest.Row
	err = inOrder(ctx, len(in), func(ctx context.Context, worker, i int) (backtested, error) {
		if err := c.refuse(in[i]); err != nil {
			return backtested{err: err}, nil
		}
		y, err := c.grid(in[i])
		if err != nil {
			return backtested{}, err
		}
		rows, err := backtest.Run(ctx, y, backtest.Options{
			Series: in[i].Name, Models: models, Horizon: time.Duration(c.Horizon), Parts: c.parts(y.Step), Folds: c.Folds, Level: c.Level,
			Calendar: calendar, Scratch: &scratches[worker], Now: time.Now,
		})
		if ctx.Err() != nil {
			return backtested{}, ctx.Err()
		}
		points := 0
		if len(rows) > 0 {
			points = rows[len(rows)-1].Folds * backtest.Steps(time.Duration(c.Horizon), y.Step)
		}
		return backtested{rows: rows, odd: c.rounded(y.Step), points: points, err: err}, nil
	}, func(i int, b backtested) error {
		bar.Set(i + 1)
		if b.err != nil {
			shorter := ""
			if errors.Is(b.err, forecast.ErrShort) {
				shorter = "; a shorter --horizon takes less"
			}
			said.add(in[i].Name, "not measured: "+b.err.Error()+shorter)
		}
		if b.odd != "" && len(b.rows) > 0 {
			said.add(in[i].Name, b.odd)
		}
		if n := b.points; n > 0 && n < fewJudged {
			said.add(in[i].Name, fmt.Sprintf("only %d points are judged, which leaves much to chance: more with a higher --folds", n))
		}
		rows = append(rows, b.rows...)
		return nil
	})
	bar.Done()
	if err == nil {
		err = writeBacktest(e, output.Format(c.Output), rows)
	}
	said.print(e)
	if err == nil && len(rows) == 0 {
		err = errors.New("no series could be measured")
	}
	return err
}

// parts returns the shorter horizons to measure.
func (c *backtestCmd) parts(step int64) []time.Duration {
	if !c.ByHorizon {
		return nil
	}
	all := horizons(time.Duration(c.Horizon), millis(step))
	return all[:len(all)-1]
}

var backtestColumns = []string{"series", "model", "horizon", "folds", "mase", "smape", "rmsse", "coverage", "msis", "skill", "seconds"}

func writeBacktest(e *env, format output.Format, rows []backtest.Row) error {
	if format == output.Table {
		return backtestTable(e.stdout, e.style(), rows)
	}
	schema := output.NewSchema(format, backtestColumns...)
	w := output.NewWriter(e.stdout, schema)
	out := schema.Rows(nil)
	for _, r := range rows {
		out.Text(r.Series)
		out.Text(r.Model)
		out.Text(output.Horizon(r.Horizon))
		out.Int(r.Folds)
		for _, x := range []float64{r.MASE, r.SMAPE, r.RMSSE, r.Coverage, r.MSIS, r.Skill, r.Seconds} {
			out.Number(x)
		}
	}
	if err := w.Write(out.Bytes()); err != nil {
		return err
	}
	return w.Close()
}

// backtestTable shows the rows and, for several series, the means by model.
func backtestTable(w io.Writer, st output.Style, rows []backtest.Row) error {
	if len(rows) == 0 {
		return nil
	}
	whole := rows[len(rows)-1].Horizon
	n, means := meansByModel(rows)
	count := "1 series"
	if n > 1 {
		count = output.Count(n) + " series"
	}
	if _, err := fmt.Fprintf(w, "%s, forecasts of %s, up to %d rolling origins\n\n", count, output.Horizon(whole), maxFolds(rows)); err != nil {
		return err
	}
	g := output.Grid{
		Head:  []string{"SERIES", "MODEL", "IN", "MASE", "sMAPE", "COVERAGE", "MSIS", "SKILL", "TIME"},
		Right: []bool{false, false, true, true, true, true, true, true, true},
	}
	add := func(name string, r backtest.Row) {
		g.Add(name, r.Model, output.Horizon(r.Horizon), measure(r.MASE), percent(r.SMAPE, "%.1f"),
			percent(100*r.Coverage, "%.0f"), measure(r.MSIS), percent(100*r.Skill, "%+.0f"), elapsed(r.Seconds))
	}
	for _, r := range rows {
		add(r.Series, r)
	}
	if n > 1 {
		for _, r := range means {
			add("(mean)", r)
		}
	}
	if err := g.Write(w, st); err != nil {
		return err
	}
	return reliabilityTable(w, st, rows)
}

// reliabilityTable shows what forecasts of each level of confidence were worth: the
// error beside the naive one's, by the median, and the share of values inside the interval. The naive
// forecast itself is left out.
func reliabilityTable(w io.Writer, st output.Style, rows []backtest.Row) error {
	levels := []string{"low", "medium", "high", "very_high"}
	ratios, inside := map[string][]float64{}, map[string][]float64{}
	for _, r := range rows {
		if r.Model == backtest.Naive {
			continue
		}
		for _, j := range r.Judged {
			level := series.ConfidenceLevel(j.Confidence)
			if !math.IsNaN(j.Ratio) {
				ratios[level] = append(ratios[level], j.Ratio)
			}
			if !math.IsNaN(j.Coverage) {
				inside[level] = append(inside[level], j.Coverage)
			}
		}
	}
	g := output.Grid{Head: []string{"CONFIDENCE", "FORECASTS", "ERROR TO NAIVE", "COVERAGE"}, Right: []bool{false, true, true, true}}
	for _, level := range levels {
		if n := len(ratios[level]); n > 0 {
			sum := 0.0
			for _, c := range inside[level] {
				sum += c
			}
			g.Add(level, output.Count(n), measure(num.Median(ratios[level])), percent(100*sum/float64(len(inside[level])), "%.0f"))
		}
	}
	if g.Len() == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return g.Write(w, st)
}

// elapsed shows the time of one forecast.
func elapsed(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "-"
	case seconds < 1e-3:
		return fmt.Sprintf("%.0f µs", 1e6*seconds)
	}
	return fmt.Sprintf("%.3g ms", 1e3*seconds)
}

// measure shows a scaled error.
func measure(x float64) string {
	if math.Abs(x) < 100 {
		return fmt.Sprintf("%.3f", x)
	}
	return output.Human(x)
}

func percent(x float64, format string) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return fmt.Sprintf(format+" %%", x)
}

func maxFolds(rows []backtest.Row) int {
	return slices.MaxFunc(rows, func(a, b backtest.Row) int { return a.Folds - b.Folds }).Folds
}

// meansByModel returns the number of series and for each model and horizon the means over
// the series, each measure over those that have it. Skill is 1 − the ratio of the
// mean MASE to that of the seasonal naive forecast, not a mean of ratios.
func meansByModel(rows []backtest.Row) (n int, means []backtest.Row) {
	measures := func(r *backtest.Row) []*float64 {
		return []*float64{&r.MASE, &r.SMAPE, &r.RMSSE, &r.Coverage, &r.MSIS, &r.Seconds}
	}
	type kind struct {
		model   string
		horizon time.Duration
	}
	counts := map[kind][]float64{}
	names := map[string]bool{}
	for _, r := range rows {
		names[r.Series] = true
		key := kind{r.Model, r.Horizon}
		i := slices.IndexFunc(means, func(m backtest.Row) bool { return m.Model == r.Model && m.Horizon == r.Horizon })
		if i < 0 {
			i = len(means)
			means = append(means, backtest.Row{Model: r.Model, Horizon: r.Horizon})
			counts[key] = make([]float64, len(measures(&r)))
		}
		have := measures(&r)
		for k, sum := range measures(&means[i]) {
			if !math.IsNaN(*have[k]) {
				*sum += *have[k]
				counts[key][k]++
			}
		}
	}
	naive := map[time.Duration]float64{}
	for i := range means {
		m := &means[i]
		for k, sum := range measures(m) {
			*sum /= counts[kind{m.Model, m.Horizon}][k] // 0/0 is NaN: unknown
		}
		if m.Model == backtest.Naive {
			naive[m.Horizon] = m.MASE
		}
	}
	for i := range means {
		means[i].Skill = 1 - means[i].MASE/naive[means[i].Horizon]
	}
	return len(names), means
}
