package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Accuracy is how good forecasts were and how many alerts there were for what was allowed.
type Accuracy struct {
	Skill    Figure         `json:"skill_ratio"`    // median over signals and horizons
	Coverage Figure         `json:"coverage_ratio"` // the same
	Signals  []Signal       `json:"signals"`
	Budgets  []SignalBudget `json:"alert_budgets"`
	Over     Figure         `json:"over_alert_budget"` // signals that raised more than their budget, of Budgets
}

// Signal is how good the forecasts of a signal are over one horizon.
type Signal struct {
	Signal   string `json:"signal"`
	Horizon  string `json:"horizon"`
	Skill    Figure `json:"skill_ratio"`
	Coverage Figure `json:"coverage_ratio"`
	MASE     Figure `json:"mase"`
	Judged   Figure `json:"judged_forecasts"` // 0: the figures are of held-out history
}

// SignalBudget is how much of its alert budget a signal used up: 1 is all of it.
type SignalBudget struct {
	Signal string `json:"signal"`
	Now    Figure `json:"ratio"`
	Most   Figure `json:"most_ratio"` // at any time
}

func (b *book) accuracy() Accuracy {
	out := Accuracy{Signals: []Signal{}, Budgets: []SignalBudget{}}
	number := func(query string, pairs ...string) Figure {
		for _, s := range select1(b.of(query), pairs...) {
			v, _ := last(s, b.in.To)
			return Of(v, "")
		}
		return Absent(b.why(query, "not judged yet"))
	}
	var skills, covers []float64
	for _, s := range select1(b.of("skill"), "stage", "active") {
		of := []string{"stage", "active", "signal", s.Labels.Get("signal"), "horizon", s.Labels.Get("horizon")}
		r := Signal{
			Signal: s.Labels.Get("signal"), Horizon: s.Labels.Get("horizon"),
			Skill: number("skill", of...), Coverage: number("coverage", of...), MASE: number("mase", of...), Judged: number("judged", of...),
		}
		for _, f := range []struct {
			of  Figure
			all *[]float64
		}{{r.Skill, &skills}, {r.Coverage, &covers}} {
			if f.of.Known() {
				*f.all = append(*f.all, f.of.Number())
			}
		}
		out.Signals = append(out.Signals, r)
	}
	slices.SortStableFunc(out.Signals, func(x, y Signal) int {
		return cmp.Or(strings.Compare(x.Signal, y.Signal), cmp.Compare(span(x.Horizon), span(y.Horizon)))
	})
	none := b.why("skill", "no forecast was judged yet")
	out.Skill, out.Coverage = Of(median(skills), none), Of(median(covers), none)
	over := 0
	for _, s := range b.of("alert_budget_max") {
		name := s.Labels.Get("signal")
		r := SignalBudget{Signal: name, Now: number("alert_budget", "signal", name), Most: number("alert_budget_max", "signal", name)}
		if r.Most.Number() > 1 {
			over++
		}
		out.Budgets = append(out.Budgets, r)
	}
	out.Over = Of(float64(over), "")
	if len(out.Budgets) == 0 {
		out.Over = Absent(b.why("alert_budget_max", "no signal has an alert budget"))
	}
	return out
}

// span returns how long a horizon is as labels have it, 0 if it is none.
func span(horizon string) time.Duration {
	d, err := model.ParseDuration(horizon)
	if err != nil {
		return 0
	}
	return time.Duration(d)
}
