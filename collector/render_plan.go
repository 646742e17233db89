package collector

import (
	"slices"

	"github.com/upid/upid/collector/series"
)

// ofCapacity writes one number of the time until a limit is reached.
func ofCapacity(of func(*series.Capacity) float64) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		if r.Plan != nil && r.Plan.Capacity != nil {
			w.sample(labels, end, of(r.Plan.Capacity))
		}
	}
}

// exhaustion writes the probability of every horizon.
func exhaustion(w *writer, labels string, r *series.Result) {
	if r.Plan == nil || r.Plan.Capacity == nil {
		return
	}
	c := r.Plan.Capacity
	for i, h := range c.Horizons {
		if !slices.Contains(c.Horizons[:i], h) {
			w.sample(labels, w.tail(i, "horizon", h), c.Probability[i])
		}
	}
}

// MonthEnd is the value of the label horizon for the end of the month.
const MonthEnd = "month_end"

// ofCost writes the spend of every horizon.
func ofCost(of func(*series.Cost) []float64) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		if r.Plan == nil || r.Plan.Cost == nil {
			return
		}
		c := r.Plan.Cost
		for i, h := range c.Horizons {
			name := HorizonLabel(h)
			if h == c.MonthEnd && i == len(c.Horizons)-1 {
				name = MonthEnd
			}
			w.sample(labels, tailOf("horizon", name, "currency", c.Currency), of(c)[i])
		}
	}
}

// ofMonth writes a number about the month that is running.
func ofMonth(of func(*series.Cost) float64) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		if r.Plan != nil && r.Plan.Cost != nil {
			w.sample(labels, tailOf("currency", r.Plan.Cost.Currency), of(r.Plan.Cost))
		}
	}
}

// advice writes what is said about a recommendation that is open.
func advice(say func(w *writer, labels string, a *series.Advice)) func(*writer, string, *series.Result) {
	return func(w *writer, labels string, r *series.Result) {
		if r.Plan != nil && r.Plan.Advice != nil && r.Plan.Advice.State == "open" {
			say(w, labels, r.Plan.Advice)
		}
	}
}

// tailOf returns what follows the labels of a series in a sample with the own labels
// given by name and value in turn; those without a value are left out.
func tailOf(pairs ...string) string {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b = appendLabel(append(b, ','), pairs[i], pairs[i+1])
		}
	}
	return string(append(b, end...))
}
