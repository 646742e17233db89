package views

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// TestCostPredictions: cost_optimization lists spend and savings, and filters choose among them.
func TestCostPredictions(t *testing.T) {
	v := New(Options{Version: "1.2.3"})
	v.SetSignals(map[string]Signal{"costs": {SignalInfo: rules.SignalInfo{Name: "costs", Type: "cost"}}})
	nan := math.NaN()
	rs := []series.Result{
		{Signal: "costs", Labels: labels.FromStrings("scope", "total"), Observed: 1, BudgetSpent: nan, Plan: &series.Plan{Cost: &series.Cost{
			Currency: "EUR", Horizons: []time.Duration{168 * time.Hour, 168 * time.Hour}, MonthEnd: 168 * time.Hour, Value: []float64{70, 71}, Lower: []float64{60, 61}, Upper: []float64{80, 81}, Confidence: 0.9,
		}}},
		{Signal: "costs", Labels: labels.FromStrings("id", "a"), Observed: nan, BudgetSpent: nan, Plan: &series.Plan{Advice: &series.Advice{ID: "a", State: "open", Savings: 12, Realisable: nan, Currency: "EUR", Confidence: 0.5}}},
		{Signal: "costs", Labels: labels.FromStrings("id", "b"), Observed: nan, BudgetSpent: nan, Plan: &series.Plan{Advice: &series.Advice{ID: "b", State: "blocked", Savings: 12, Confidence: 0.9}}},
	}
	if err := v.Write(context.Background(), "costs", 60_000, rs); err != nil {
		t.Fatal(err)
	}
	ask := func(f PredictionFilter, want ...float64) {
		t.Helper()
		f.ModelType = CostOptimization
		ps, total := v.Predictions(f)
		if len(ps) != len(want) || total != len(want) {
			t.Fatalf("%+v: %d predictions of %d, want %d", f, len(ps), total, len(want))
		}
		for i, p := range ps {
			if *p.Value != want[i] || p.Unit != "EUR" {
				t.Errorf("%+v: %v %s, want %v EUR", f, *p.Value, p.Unit, want[i])
			}
		}
	}
	ask(PredictionFilter{}, 70, 71, 12)
	ask(PredictionFilter{Horizon: "7d"}, 70)
	ask(PredictionFilter{Horizon: "month_end"}, 71)
	ask(PredictionFilter{Confidence: "very_high"}, 70, 71)
	ask(PredictionFilter{Labels: map[string]string{"id": "a"}}, 12)
	if ps, _ := v.Predictions(PredictionFilter{}); len(ps) != 0 {
		t.Errorf("%d forecasts of series, want none", len(ps))
	}
}
