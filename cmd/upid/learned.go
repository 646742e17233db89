package main

import (
	"path/filepath"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/store"
)

// newLearned returns what keeps, trains, judges and asks learned models in a sidecar.
func (s *sidecar) newLearned(cfg *config.Config, keys *store.Keys, loc *time.Location, results *collector.Collector) *models.Service {
	trail := audit.New(filepath.Join(cfg.Storage.Path, audit.FileName))
	s.registry.Audit(models.Journal{Trail: trail, Actor: "upid", Source: "sidecar"})
	s.registry.Watch(models.Watch{Registerer: s.reg, Logger: s.log})
	return models.NewService(models.ServiceOptions{
		Registry: s.registry, Trail: trail, Querier: s.upstream, Build: build().Version, Now: time.Now, Location: loc,
		Progress: models.ProgressFile(cfg.Storage.Path, keys), Logger: s.log, Registerer: s.reg, Signals: s.judgedSignals, Excluded: s.book.Of, Known: s.views.Recommendation,
		States: func(states []models.ModelState) {
			out := make([]collector.ModelState, len(states))
			for i, m := range states {
				out[i] = collector.ModelState{ModelType: m.ModelType, Version: m.Version, Stage: m.Stage, State: m.State}
			}
			results.SetModels(out)
		},
	})
}

// automatic returns the types of models that are trained by themselves.
func automatic(ms []config.Model) map[string]models.Automatic {
	out := map[string]models.Automatic{}
	for _, m := range ms {
		out[m.Type] = models.Automatic{Every: m.Every, OnDrift: m.OnDrift, File: m.File, Lookback: m.Lookback, Step: m.Step, Share: m.Share}
	}
	return out
}
