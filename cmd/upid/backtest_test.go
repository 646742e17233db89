package main

import (
	"encoding/csv"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/forecast/backtest"
)

func TestBacktest_csv(t *testing.T) {
	o := upid(t, daily(28), "backtest --input - --horizon 1d --folds 3 --model seasonal_naive --model median --model median -o csv")
	o.want(t, exitOK)
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(rows[0], ","), "series,model,horizon,folds,mase,smape,rmsse,coverage,msis,skill,seconds"; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
	var names []string
	for _, row := range rows[1:] {
		names = append(names, row[0]+" "+row[1])
		if row[2] != "1d" || row[3] != "3" {
			t.Errorf("horizon and folds of %v, want 1d and 3", row)
		}
	}
	if got, want := strings.Join(names, ", "), "load seasonal_naive, load median, double seasonal_naive, double median"; got != want {
		t.Errorf("rows %s, want %s", got, want)
	}
	// The wave repeats exactly: no error, and no scale to divide one by.
	if smape := rows[1][5]; smape != "0" {
		t.Errorf("sMAPE of the naive forecast is %q, want 0", smape)
	}
	if mase := rows[1][4]; mase != "" && mase != "0" {
		t.Errorf("MASE of the naive forecast is %q, want 0 or nothing", mase)
	}
}

func TestBacktest_table(t *testing.T) {
	o := upid(t, incident(), "backtest --input - --horizon 12h --folds 2 --model seasonal_naive")
	o.want(t, exitOK)
	narrow(t, o.stdout)
	if !strings.HasPrefix(o.stdout, "1 series, forecasts of 12h, up to 2 rolling origins\n\nSERIES   MODEL ") || !strings.Contains(o.stdout, "latency  seasonal_naive") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
	o = upid(t, daily(28), "backtest --input - --horizon 1d --model seasonal_naive")
	o.want(t, exitOK)
	if !strings.HasPrefix(o.stdout, "2 series,") || !strings.Contains(o.stdout, "\n(mean) ") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
}

func TestBacktest_short(t *testing.T) {
	o := upid(t, daily(7), "backtest --input - -o csv")
	o.want(t, exitFailure, `series load and one more: not measured: `, "too short", "no series could be measured")
	o = upid(t, daily(7), "backtest --input -")
	o.want(t, exitFailure, "no series could be measured")
	if o.stdout != "" {
		t.Errorf("stdout: %s", o.stdout)
	}
	upid(t, daily(7), "backtest --input - --step 5m").want(t, exitUsage, "--step 5m is finer")
}

func TestMeansByModel(t *testing.T) {
	nan := math.NaN()
	n, means := meansByModel([]backtest.Row{
		{Series: "a", Model: backtest.Naive, MASE: 1, SMAPE: 10, RMSSE: nan},
		{Series: "a", Model: "auto", MASE: 0.5, SMAPE: 20, RMSSE: nan},
		{Series: "b", Model: backtest.Naive, MASE: 3, SMAPE: 30, RMSSE: nan},
		{Series: "b", Model: "auto", MASE: 1.5, SMAPE: nan, RMSSE: nan},
	})
	if n != 2 || len(means) != 2 {
		t.Fatalf("%d series, %d models, want 2 and 2", n, len(means))
	}
	// (0.5 + 1.5)/2 = 1 against (1 + 3)/2 = 2.
	if m := means[1]; m.Model != "auto" || m.MASE != 1 || m.SMAPE != 20 || !math.IsNaN(m.RMSSE) || m.Skill != 0.5 {
		t.Errorf("means of auto %+v", m)
	}
	if m := means[0]; m.MASE != 2 || m.SMAPE != 20 || m.Skill != 0 {
		t.Errorf("means of naive %+v", m)
	}
}

// Every model stands beside the naive one at every horizon, and what forecasts said of
// themselves beside how they came out.
func TestBacktest_byHorizon(t *testing.T) {
	o := upid(t, incident(), "backtest --input - --horizon 12h --folds 2 --model median --by-horizon -o csv")
	o.want(t, exitOK)
	rows, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[1]+" "+row[2])
	}
	if s, want := strings.Join(got, ", "), "seasonal_naive 1h, median 1h, seasonal_naive 6h, median 6h, seasonal_naive 12h, median 12h"; s != want {
		t.Errorf("rows %s, want %s", s, want)
	}
	o = upid(t, incident(), "backtest --input - --horizon 12h --folds 2 --model median --by-horizon")
	o.want(t, exitOK)
	narrow(t, o.stdout)
	if !strings.Contains(o.stdout, "\nCONFIDENCE  FORECASTS  ERROR TO NAIVE  COVERAGE\n") {
		t.Errorf("stdout:\n%s", o.stdout)
	}
}

// Of an even number of forecasts the median lies between the middle two.
func TestReliabilityTable_medianOfTwo(t *testing.T) {
	var out strings.Builder
	rows := []backtest.Row{{Model: "auto", Judged: []backtest.Judgement{
		{Confidence: 0.9, Ratio: 0.4, Coverage: 1}, {Confidence: 0.9, Ratio: 0.6, Coverage: 0.8},
	}}, {Model: backtest.Naive, Judged: []backtest.Judgement{{Confidence: 0.9, Ratio: 1, Coverage: 1}}}}
	if err := reliabilityTable(&out, output.Style{}, rows); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(out.String()); !slices.Equal(got[len(got)-5:], []string{"very_high", "2", "0.500", "90", "%"}) {
		t.Errorf("table:\n%s", out.String())
	}
}

// An error that rests on a handful of points is said to.
func TestBacktest_fewPoints(t *testing.T) {
	o := upid(t, daily(28), "backtest --input - --horizon 1h --model median -o csv")
	o.want(t, exitOK, "only 4 points are judged")
	for _, enough := range []string{"--horizon 1h --folds 24", "--horizon 1d"} {
		upid(t, daily(28), "backtest --input - --model median -o csv "+enough).want(t, exitOK)
	}
}
