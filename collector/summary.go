package collector

import (
	"math"
	"slices"
	"time"

	"github.com/upid/upid/collector/series"
)

// The states of a series in upid_signal_series.
const (
	stateActive       = iota // forecast and scored, as far as the signal is
	stateWarming             // the score is not known yet
	stateInsufficient        // no forecast though there was a fit: too little history
	stateStale               // no newest point
	stateFailed              // neither forecast nor score, and a warning says why
	states
)

var stateNames = [states]string{"active", "warming", "insufficient", "stale", "failed"}

// stateOf says how a series is doing. forecasts is whether its signal has a
// forecast of any series: where it has none, nothing may be missing.
func stateOf(r *series.Result, forecasts bool) int {
	scored := r.Score != nil && !math.IsNaN(r.Score.Value)
	switch {
	case r.Plan != nil || r.Threat != nil || len(r.Findings) > 0 && r.Findings[0].Threat != nil: // planned, or an entity with a risk, or one that had
		return stateActive
	case r.Time == 0 || math.IsNaN(r.Observed):
		return stateStale
	case r.Forecast == nil && r.Score == nil && len(r.Warnings) > 0:
		return stateFailed
	case r.Forecast == nil && (len(r.Warnings) > 0 || scored && forecasts):
		return stateInsufficient
	case r.Forecast != nil && r.Score == nil, scored: // all that was asked for
		return stateActive
	}
	return stateWarming
}

// summary is what the results of one signal add up to.
type summary struct {
	signal                string
	skill, coverage, mase series.Mean
	spent                 series.Mean   // shares of the alert budget; their sum counts
	longest               time.Duration // the longest horizon
	states                [states]int
	forecast, scored      bool
}

// summarise returns the summaries of the given signals, in their order.
func summarise(signals []string, rs []series.Result) []summary {
	sums := make([]summary, len(signals))
	for i, s := range signals {
		sums[i].signal = s
	}
	for i := range rs {
		r := &rs[i]
		k, ok := slices.BinarySearch(signals, r.Signal)
		if !ok {
			continue // another task speaks for it
		}
		s := &sums[k]
		s.spent.Add(r.BudgetSpent)
		s.scored = s.scored || r.Score != nil && !math.IsNaN(r.Score.Value)
		for _, h := range r.Horizons {
			s.longest = max(s.longest, h.Horizon)
		}
		if r.Forecast == nil {
			continue
		}
		s.forecast = true
		s.skill.Add(r.Forecast.Accuracy.Skill)
		s.coverage.Add(r.Forecast.Accuracy.Coverage)
		s.mase.Add(r.Forecast.Accuracy.MASE)
	}
	for i := range rs {
		if k, ok := slices.BinarySearch(signals, rs[i].Signal); ok {
			sums[k].states[stateOf(&rs[i], sums[k].forecast)]++
		}
	}
	return sums
}

// perSignal says for each metric how it follows from a summary.
var perSignal = map[string]func(w *writer, labels string, s *summary){
	"upid_model_skill_ratio":    accuracy(func(s *summary) series.Mean { return s.skill }),
	"upid_model_coverage_ratio": accuracy(func(s *summary) series.Mean { return s.coverage }),
	"upid_model_mase":           accuracy(func(s *summary) series.Mean { return s.mase }),
	"upid_alert_budget_ratio": func(w *writer, labels string, s *summary) {
		if s.spent.N > 0 {
			w.sample(labels, end, s.spent.Sum)
		}
	},
	"upid_signal_series": func(w *writer, labels string, s *summary) {
		for i, n := range s.states {
			w.sample(labels, `,state="`+stateNames[i]+`"} `, float64(n))
		}
	},
}

// accuracy labels a mean with the longest horizon: it is measured over all steps
// up to there.
func accuracy(of func(*summary) series.Mean) func(*writer, string, *summary) {
	return func(w *writer, labels string, s *summary) {
		if s.longest > 0 {
			w.sample(labels, `,horizon="`+HorizonLabel(s.longest)+`",stage="active"} `, of(s).Value())
		}
	}
}
