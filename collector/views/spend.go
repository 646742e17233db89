package views

import (
	"math"
	"time"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
)

// month is how long a saving is for: a month as prices have it.
const month = 730 * time.Hour

// planned returns the predictions of a result that is a plan: spend over each horizon, or what an open
// recommendation saves in a month.
func (v *Views) planned(t *shot, i int) []Prediction {
	r := &t.results[i]
	if r.Plan == nil {
		return nil
	}
	make1 := func(horizon, model, unit string, value, lower, upper, confidence float64) Prediction {
		return Prediction{
			ID: predictionID(CostOptimization, t.name, r.SourceName, r.Labels, horizon), ModelType: CostOptimization, Signal: t.name, Labels: labelMap("", r.Labels),
			Slot: *seconds(r.Slot), Horizon: horizon, Value: number(value), Lower: number(lower), Upper: number(upper), Unit: unit,
			Confidence: number(confidence), ConfidenceLevel: series.ConfidenceLevel(confidence), Model: model, ModelVersion: v.o.Version, FeaturesUsed: []string{"history"},
			Observed: number(r.Observed),
		}
	}
	var out []Prediction
	if c := r.Plan.Cost; c != nil {
		for k, h := range c.Horizons {
			name := collector.HorizonLabel(h)
			if h == c.MonthEnd && k == len(c.Horizons)-1 {
				name = collector.MonthEnd
			}
			out = append(out, make1(name, "spend", c.Currency, c.Value[k], c.Lower[k], c.Upper[k], c.Confidence))
		}
	}
	if a := r.Plan.Advice; a != nil && a.State == "open" && !math.IsNaN(a.Savings) {
		p := make1(collector.HorizonLabel(month), "recommendation", a.Currency, a.Savings, a.Realisable, math.NaN(), a.Confidence)
		p.Observed = nil
		out = append(out, p)
	}
	return out
}

// value returns *v, NaN if there is none.
func value(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
