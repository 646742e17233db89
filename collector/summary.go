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
	live                  *series.Live // nil: not forecast
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
		s.live = r.Live
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
	"upid_model_skill_ratio":      accuracy(func(s *summary) series.Mean { return s.skill }, func(j *series.Judged) float64 { return j.Skill }),
	"upid_model_coverage_ratio":   accuracy(func(s *summary) series.Mean { return s.coverage }, func(j *series.Judged) float64 { return j.Coverage }),
	"upid_model_mase":             accuracy(func(s *summary) series.Mean { return s.mase }, func(j *series.Judged) float64 { return j.MASE }),
	"upid_model_judged_forecasts": judged(func(j *series.Judged) float64 { return float64(j.Forecasts) }, 1),
	"upid_model_demoted": func(w *writer, labels string, s *summary) {
		if s.live != nil {
			demoted := 0.0
			if s.live.Demoted != "" {
				demoted = 1
			}
			w.sample(labels, end, demoted)
		}
	},
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

// LeastJudged is how many judged forecasts it takes to say how good they were.
const LeastJudged = 20

// accuracy writes how good the published forecasts of each horizon were. Until enough
// of the longest are judged, that horizon has the mean that the newest fits measured
// on held-out history, over all steps up to there.
func accuracy(heldOut func(*summary) series.Mean, live func(*series.Judged) float64) func(*writer, string, *summary) {
	write := judged(live, LeastJudged)
	return func(w *writer, labels string, s *summary) {
		write(w, labels, s)
		if s.longest > 0 && !s.judged(s.longest) {
			w.sample(labels, stage(s.longest, series.StageActive), heldOut(s).Value())
		}
	}
}

// judged reports whether enough published forecasts of a horizon were judged.
func (s *summary) judged(h time.Duration) bool {
	return s.live != nil && slices.ContainsFunc(s.live.Judged, func(j series.Judged) bool {
		return j.Stage == series.StageActive && j.Horizon == h && j.Forecasts >= LeastJudged
	})
}

// judged writes a number for each horizon and stage of which at least so many forecasts
// were judged.
func judged(of func(*series.Judged) float64, least int) func(*writer, string, *summary) {
	return func(w *writer, labels string, s *summary) {
		if s.live == nil {
			return
		}
		for i := range s.live.Judged {
			if j := &s.live.Judged[i]; j.Forecasts >= least {
				w.sample(labels, stage(j.Horizon, j.Stage), of(j))
			}
		}
	}
}

func stage(h time.Duration, name string) string {
	return `,horizon="` + HorizonLabel(h) + `",stage="` + name + `"} `
}
