package main

import (
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/views"
)

// judgedSignals are the live figures of the published forecasts whose predictions are listed
// under a model type.
func (s *sidecar) judgedSignals(modelType string) []models.SignalLive {
	var out []models.SignalLive
	for _, signal := range s.views.Signals("") {
		if views.ModelTypeOf(signal.Type) != modelType {
			continue
		}
		for _, j := range signal.Judged {
			out = append(out, models.SignalLive{
				Signal: signal.Name, Stage: j.Stage, Horizon: j.Horizon, Forecasts: j.Forecasts, MASE: j.MASE, Skill: j.Skill, Coverage: j.Coverage,
				Demoted: signal.Demoted,
			})
		}
	}
	return out
}
