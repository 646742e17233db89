package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/upid/upid/cmd/upid/config"
)

const (
	// probeAgain is how soon the server is asked again after a failure, or while a preset
	// that is named is missing; probeEvery is how often otherwise.
	probeAgain = time.Minute
	probeEvery = 10 * time.Minute
)

// watchThreats finds the presets whose metrics are there, at the start, after each reload and
// then ever again, and takes new ones into use. One that was found stays: what its counters
// say when they are gone is for its detectors to tell.
func (s *sidecar) watchThreats(ctx context.Context) error {
	told := map[string]bool{}
	moved := time.NewTicker(judgeEvery)
	defer moved.Stop()
	for {
		again := time.After(s.probeThreats(ctx, told))
		for waits := true; waits; {
			select {
			case <-ctx.Done():
				return nil
			case <-s.reprobe:
				told, waits = map[string]bool{}, false
			case <-again:
				waits = false
			case <-moved.C:
				if s.judgeMoved() {
					s.rejudge()
				}
			}
		}
	}
}

// probeThreats asks once and returns when to ask again. told are what has been said already.
func (s *sidecar) probeThreats(ctx context.Context, told map[string]bool) time.Duration {
	s.reload.Lock()
	cfg := s.running
	s.reload.Unlock()
	if !cfg.Threats.Enabled {
		return probeEvery
	}
	policy, err := newLabelPolicy(&cfg.Privacy)
	if err != nil {
		s.log.Error("threats: presets are not looked for", "err", err)
		return probeAgain
	}
	found, missing, err := resolveThreats(ctx, s.upstream.Query, &cfg.Threats, policy, time.Now())
	if errors.Is(err, context.Canceled) {
		return probeAgain
	}
	if err != nil {
		if !told["error"] {
			s.log.Warn("threats: the server was not asked for metrics, it is tried again", "every", probeAgain.String(), "err", err)
		}
		told["error"] = true
		return probeAgain
	}
	delete(told, "error")
	wait := probeEvery
	named := !slices.Contains(cfg.Threats.Presets, config.AutoPresets)
	for _, m := range missing {
		if named {
			wait = probeAgain
			if !told[m.preset] {
				s.log.Warn("threats: a preset waits for its metrics", "preset", m.preset, "why", m.why)
			}
			told[m.preset] = true
		}
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	if s.running != cfg {
		return time.Second // it was reloaded meanwhile
	}
	all := slices.Clone(s.threats)
	for _, r := range found {
		if !slices.ContainsFunc(all, func(o resolvedThreat) bool { return o.preset.Name == r.preset.Name }) {
			all = append(all, r)
		}
	}
	if len(all) == len(s.threats) {
		if len(all) == 0 && !told["none"] {
			s.log.Info("threats: no preset's metrics are there yet", "presets", cfg.Threats.Presets)
			told["none"] = true
		}
		return wait
	}
	if err := s.apply(cfg, all); err != nil {
		s.log.Error("threats: presets are not in use", "err", err)
		return probeAgain
	}
	return wait
}

// keepThreats returns those of the presets in use that go on under a new configuration.
func (s *sidecar) keepThreats(cfg *config.Config) []resolvedThreat {
	if s.running == nil || !cfg.Threats.Enabled || scope(cfg) != scope(s.running) {
		return nil
	}
	var out []resolvedThreat
	for _, r := range s.threats {
		name := r.preset.Name
		wanted := slices.Contains(cfg.Threats.Presets, config.AutoPresets) || slices.Contains(cfg.Threats.Presets, name)
		if wanted && slices.Equal(cfg.Threats.Override(name).Entity, s.running.Threats.Override(name).Entity) {
			out = append(out, r)
		}
	}
	return out
}

// sayThreats says which presets are new.
func (s *sidecar) sayThreats(was []resolvedThreat) {
	for i := range s.threats {
		r := &s.threats[i]
		if slices.ContainsFunc(was, func(o resolvedThreat) bool { return o.preset.Name == r.preset.Name }) {
			continue
		}
		s.log.Info("threats: watching", "preset", r.preset.Name, "entity_type", r.entityType, "by", r.by(), "detectors", len(r.preset.Detectors))
	}
}

// threatStatus is one preset for /api/v1/status/threats.
type threatStatus struct {
	Preset     string   `json:"preset"`
	Signal     string   `json:"signal"`
	EntityType string   `json:"entity_type"`
	Entity     []string `json:"entity_labels"`
	Detectors  []string `json:"detectors"`
	Model      string   `json:"model,omitempty"` // version of the trained model that is asked too
	Note       string   `json:"note,omitempty"`
}

// threatStatuses returns the presets in use.
func (s *sidecar) threatStatuses() []threatStatus {
	s.reload.Lock()
	defer s.reload.Unlock()
	out := make([]threatStatus, 0, len(s.threats))
	for i := range s.threats {
		r := &s.threats[i]
		st := threatStatus{Preset: r.preset.Name, Signal: r.task(), EntityType: r.entityType, Entity: append([]string{}, r.entity...), Detectors: []string{}, Model: "", Note: ""}
		if s.judge != nil {
			st.Model = s.judge.Version()
		}
		without := s.running.Threats.Override(r.preset.Name).Without
		for _, d := range r.preset.Detectors {
			if !slices.Contains(without, d.Name) {
				st.Detectors = append(st.Detectors, d.Name)
			}
		}
		if len(r.entity) == 0 {
			st.Note = fmt.Sprintf("the metrics tell nobody apart: there is one %s", r.entityType)
		}
		out = append(out, st)
	}
	return out
}

// setThreatRules tells the shipped Prometheus rules whether to alert on the presets in use,
// instead of those that were. The caller holds reload, or nothing runs yet.
func (s *sidecar) setThreatRules(was []resolvedThreat) {
	for i := range was {
		s.byRules.DeleteLabelValues(was[i].task())
	}
	v := 0.0
	if s.running.Threats.Rules {
		v = 1
	}
	for i := range s.threats {
		s.byRules.WithLabelValues(s.threats[i].task()).Set(v)
	}
}
