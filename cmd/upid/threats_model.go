package main

import (
	"errors"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/forecast/features"
)

// judgeEvery is how often the active model is looked for.
const judgeEvery = time.Minute

// trainedThreats returns the active model of the type security_threat, nil if there is none:
// then threats are found without. So they are if it cannot be read, which is said. The
// caller holds reload, or nothing runs yet.
func (s *sidecar) trainedThreats(cfg *config.Config) *models.Judge {
	if !cfg.Threats.Enabled {
		return nil
	}
	j, err := s.registry.NewJudge(features.SecurityThreat, threat.Features)
	switch {
	case errors.Is(err, models.ErrNoVersion):
		return nil
	case err != nil:
		s.log.Error("threats: the active model cannot be read, threats are found without it", "model_type", features.SecurityThreat, "err", err)
		if stages, err := s.registry.Stages(features.SecurityThreat); err == nil {
			s.refused = stages.Active
		}
		return nil
	}
	if s.judge == nil || s.judge.Version() != j.Version() {
		s.log.Info("threats: a trained model is asked too", "model_type", features.SecurityThreat, "version", j.Version())
	}
	return j
}

// judgeMoved reports whether another version is active than the one that is asked.
func (s *sidecar) judgeMoved() bool {
	s.reload.Lock()
	defer s.reload.Unlock()
	if !s.running.Threats.Enabled {
		return false
	}
	stages, err := s.registry.Stages(features.SecurityThreat)
	if err != nil { // a damaged file is no answer
		return false
	}
	now := ""
	if s.judge != nil {
		now = s.judge.Version()
	}
	return stages.Active != now && stages.Active != s.refused
}

// rejudge takes the model that is active now into use.
func (s *sidecar) rejudge() {
	s.reload.Lock()
	defer s.reload.Unlock()
	if err := s.apply(s.running, s.threats); err != nil {
		s.log.Error("threats: the trained model is not in use", "err", err)
	}
}
