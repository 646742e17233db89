package collector

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/upid/upid/collector/series"
)

// family is a rendered metric: its head and how its samples come about.
type family struct {
	name   string
	head   []byte // HELP and TYPE
	each   func(w *writer, labels string, r *series.Result)
	summed func(w *writer, labels string, s *summary)
}

// families returns the metrics of m that are rendered from the results of a
// task, in order. It panics if one of them has no way to be.
func families(m []Metric) []family {
	var fs []family
	for _, m := range m {
		f := family{name: m.Name, head: appendHead(nil, m)}
		switch m.Scope {
		case PerSeries, PerAdvice:
			f.each = perSeries[m.Name]
		case PerSignal:
			f.summed = perSignal[m.Name]
		default:
			continue
		}
		if f.each == nil && f.summed == nil {
			panic(fmt.Sprintf("collector: nothing renders %q", m.Name))
		}
		fs = append(fs, f)
	}
	return fs
}

// appendHead appends what stands before the samples of m in both text formats.
// Help texts are ours and need no escaping, which a test asserts.
func appendHead(b []byte, m Metric) []byte {
	return fmt.Appendf(b, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, m.Kind)
}

// perSeries says for each metric what one result contributes to it. A value
// that is NaN or ±Inf contributes nothing.
var perSeries = map[string]func(w *writer, labels string, r *series.Result){
	"upid_observed_value": func(w *writer, labels string, r *series.Result) { w.sample(labels, end, r.Observed) },

	"upid_expected_value": score(func(s *series.Score) float64 { return s.Expected }),
	"upid_expected_lower": score(func(s *series.Score) float64 { return s.Lower }),
	"upid_expected_upper": score(func(s *series.Score) float64 { return s.Upper }),
	"upid_anomaly_score":  score(func(s *series.Score) float64 { return s.Value }),

	"upid_forecast_value":      horizons(func(h *series.Horizon) float64 { return h.Value }),
	"upid_forecast_lower":      horizons(func(h *series.Horizon) float64 { return h.Lower }),
	"upid_forecast_upper":      horizons(func(h *series.Horizon) float64 { return h.Upper }),
	"upid_forecast_peak_value": horizons(func(h *series.Horizon) float64 { return h.Peak }),
	"upid_forecast_confidence_ratio": func(w *writer, labels string, r *series.Result) {
		if r.Forecast != nil {
			w.sample(labels, end, r.Forecast.Confidence)
		}
	},

	"upid_trend_ratio": trends,

	"upid_rollout_active":           rollout,
	"upid_anomaly_active":           active,
	"upid_anomaly_confidence_ratio": confidence,

	"upid_capacity_exhaustion_seconds":       ofCapacity(func(c *series.Capacity) float64 { return c.Median }),
	"upid_capacity_exhaustion_lower_seconds": ofCapacity(func(c *series.Capacity) float64 { return c.Lower }),
	"upid_capacity_exhaustion_upper_seconds": ofCapacity(func(c *series.Capacity) float64 { return c.Upper }),
	"upid_capacity_exhaustion_probability":   exhaustion,

	"upid_cost_forecast_value": ofCost(func(c *series.Cost) []float64 { return c.Value }),
	"upid_cost_forecast_lower": ofCost(func(c *series.Cost) []float64 { return c.Lower }),
	"upid_cost_forecast_upper": ofCost(func(c *series.Cost) []float64 { return c.Upper }),

	"upid_cost_budget_value":        ofMonth(func(c *series.Cost) float64 { return c.Budget }),
	"upid_cost_month_to_date_value": ofMonth(func(c *series.Cost) float64 { return c.ToDate }),

	"upid_recommendation_info": advice(func(w *writer, labels string, a *series.Advice) {
		w.sample(labels, tailOf("risk_level", a.RiskLevel, "effort", a.Effort, "urgency", a.Urgency), 1)
	}),
	"upid_recommendation_savings_monthly": advice(func(w *writer, labels string, a *series.Advice) {
		w.sample(labels, tailOf("currency", a.Currency), a.Savings)
	}),
	"upid_recommendation_realisable_savings_monthly": advice(func(w *writer, labels string, a *series.Advice) {
		w.sample(labels, tailOf("currency", a.Currency), a.Realisable)
	}),
	"upid_recommendation_confidence_ratio": advice(func(w *writer, labels string, a *series.Advice) { w.sample(labels, end, a.Confidence) }),
	"upid_recommendation_target_value": advice(func(w *writer, labels string, a *series.Advice) {
		for _, t := range a.Targets {
			w.sample(labels, tailOf("resource", t.Resource), t.Value)
		}
	}),

	"upid_threat_risk_score": func(w *writer, labels string, r *series.Result) {
		if t := r.Threat; t != nil {
			tail := appendLabel(append(appendLabel([]byte{','}, "threat", t.Threat), ','), "technique", t.Technique)
			w.sample(labels, string(append(tail, end...)), t.Risk)
		}
	},
	"upid_threat_active": func(w *writer, labels string, r *series.Result) {
		for i, f := range r.Findings {
			same := func(o series.Finding) bool {
				return o.Open() && o.Threat != nil && o.Type == f.Type && o.Severity == f.Severity
			}
			if !f.Open() || f.Threat == nil || slices.ContainsFunc(r.Findings[:i], same) {
				continue
			}
			tail := appendLabel(append(appendLabel([]byte{','}, "threat", f.Type), ','), "severity", f.Severity)
			w.sample(labels, string(append(tail, end...)), 1)
		}
	},
	"upid_threat_confidence_ratio": func(w *writer, labels string, r *series.Result) {
		if t := r.Threat; t != nil {
			w.sample(labels, string(append(appendLabel([]byte{','}, "threat", t.Threat), end...)), t.Confidence)
		}
	},
}

// end closes the labels of a sample that has no own label but the signal.
const end = "} "

func score(of func(*series.Score) float64) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		if r.Score != nil {
			w.sample(labels, end, of(r.Score))
		}
	}
}

func horizons(of func(*series.Horizon) float64) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		for i := range r.Horizons {
			h := &r.Horizons[i]
			if !slices.ContainsFunc(r.Horizons[:i], func(o series.Horizon) bool { return o.Horizon == h.Horizon }) {
				w.sample(labels, w.tail(i, "horizon", h.Horizon), of(h))
			}
		}
	}
}

func trends(w *writer, labels string, r *series.Result) {
	for i, t := range r.Trends {
		if slices.ContainsFunc(r.Trends[:i], func(o series.Trend) bool { return o.Window == t.Window }) {
			continue
		}
		w.sample(labels, w.tail(i, "window", t.Window), t.Ratio)
	}
}

// active writes 1 for every open finding. Two of one type and severity are one
// sample.
func active(w *writer, labels string, r *series.Result) {
	for i, f := range r.Findings {
		same := func(o series.Finding) bool { return o.Open() && o.Type == f.Type && o.Severity == f.Severity }
		if !f.Open() || f.Threat != nil || slices.ContainsFunc(r.Findings[:i], same) {
			continue
		}
		tail := appendLabel([]byte{','}, "type", f.Type)
		tail = appendLabel(append(tail, ','), "severity", f.Severity)
		w.sample(labels, string(append(tail, end...)), 1)
	}
}

// rollout writes 1 during the grace of one.
func rollout(w *writer, labels string, r *series.Result) {
	switch {
	case r.Rollout == nil:
	case r.Rollout.Active:
		w.sample(labels, end, 1)
	default:
		w.sample(labels, end, 0)
	}
}

// confidence writes the highest confidence of the open findings: the metric has
// no label to tell two apart.
func confidence(w *writer, labels string, r *series.Result) {
	highest := math.NaN()
	for _, f := range r.Findings {
		if f.Open() && f.Threat == nil && !(f.Confidence <= highest) {
			highest = f.Confidence
		}
	}
	w.sample(labels, end, highest)
}

// writer appends samples of one metric after another.
type writer struct {
	b       []byte
	name    string
	samples int
	tails   []tail // by position of the horizon in the last result that had it
}

// sample appends a line, or nothing if v is NaN or ±Inf: those pass no door.
func (w *writer) sample(labels, tail string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	b := append(w.b, w.name...)
	b = append(b, labels...)
	b = append(b, tail...)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	w.b = append(b, '\n')
	w.samples++
}

// tail is what follows the labels of a series in a sample for a horizon.
type tail struct {
	label   string // horizon or window
	horizon time.Duration
	text    string
}

// tail returns the tail of d, horizon or window i of its result. Results of a signal have
// the same ones, so nearly always it is there.
func (w *writer) tail(i int, label string, d time.Duration) string {
	for len(w.tails) <= i {
		w.tails = append(w.tails, tail{"", -1, ""})
	}
	if t := &w.tails[i]; t.horizon != d || t.label != label {
		t.label, t.horizon = label, d
		t.text = string(appendLabel([]byte{','}, label, HorizonLabel(d))) + end
	}
	return w.tails[i].text
}
