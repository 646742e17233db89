package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/notify"
)

// apply takes a checked configuration into use. Everything that can be refused is
// asked before anything changes. watched are the presets of threat detectors to use.
func (s *sidecar) apply(cfg *config.Config, watched []resolvedThreat) error {
	hidden, err := newLabelPolicy(&cfg.Privacy)
	if err != nil {
		return err
	}
	cfg.Privacy.Fingerprint = hidden.fingerprint()
	ts, signals, err := tasks(cfg, time.Duration(s.flags.Interval))
	if err != nil {
		return err
	}
	trained := s.trainedThreats(cfg)
	s.exclude(ts)
	ofThreats, described, err := threatTasks(cfg, watched, trained, s.ofThreat)
	if err != nil {
		return err
	}
	hidden.watch(allowOf(&cfg.Threats.Allow), expressions(ofThreats))
	ts = append(ts, ofThreats...)
	maps.Copy(signals, described)
	if err := pipeline.Check(ts); err != nil {
		return err
	}
	client, err := source.New(source.Options{
		Name: "prometheus", URL: cfg.Prometheus.URL, HTTP: cfg.Prometheus.HTTP, FollowRedirects: cfg.Prometheus.HTTP.FollowRedirects, Timeout: cfg.Prometheus.Timeout,
		Concurrency: cfg.Prometheus.Concurrency, MaxBytes: s.flags.MaxBytes, MaxSeries: s.flags.MaxSeries, MaxSamples: s.flags.MaxSamples,
		Registerer: s.reg, Logger: s.log, LogText: hidden.text,
	})
	if err != nil {
		return fmt.Errorf("prometheus: %w", err)
	}
	if err := s.notifier.Apply(alertmanagers(cfg)); err != nil {
		return fmt.Errorf("alertmanager: %w", err)
	}
	s.upstream.hide(hidden)
	s.upstream.set(client)
	s.history.Configure(scope(cfg), queries(ts))
	// What is said about a signal changes when its old task has written for the
	// last time: a result is never taken for one of the other query or unit.
	if err := s.pipeline.Apply(ts, func() { s.describe(cfg, signals) }); err != nil {
		return err
	}
	was := s.threats
	s.running, s.threats, s.judge = cfg, watched, trained
	s.ofThreat.set(watched, was)
	s.setThreatRules(was)
	s.learned.Automate(automatic(cfg.Models))
	s.learned.SizeBy(cfg.Recommendations.Policy)
	s.views.SetThreatRetention(cfg.Threats.Retention)
	s.sayThreats(was)
	s.reloaded.ok.Set(1)
	s.reloadOK.Store(true)
	s.hasThreats.Store(cfg.Threats.Enabled)
	s.reloaded.at.SetToCurrentTime()
	s.reloaded.hash.Set(float64(binary.BigEndian.Uint64(cfg.Hash[:8]) >> 16))
	return nil
}

// describe tells views, alerts and metrics what the signals are.
func (s *sidecar) describe(cfg *config.Config, signals map[string]views.Signal) {
	s.views.SetSignals(signals)
	infos := make(map[string]rules.SignalInfo, len(signals))
	for name, sig := range signals {
		infos[name] = sig.SignalInfo
	}
	s.notifier.SetSignals(infos)
	s.setRules(cfg)
	var info [][]string
	for _, name := range slices.Sorted(maps.Keys(signals)) {
		if slices.Contains(adviceNames, name) {
			continue // has no series of its own to look at
		}
		info = append(info, []string{name, signals[name].Type, signals[name].Unit})
	}
	s.info.Set(info)
}

// setRules tells the shipped Prometheus rules on which signals to alert.
func (s *sidecar) setRules(cfg *config.Config) {
	there := map[string]bool{}
	for _, sig := range cfg.Signals {
		v := 0.0
		if sig.Alert.Rules && sig.Alerts() {
			v = 1
		}
		s.byRules.WithLabelValues(sig.Name).Set(v)
		there[sig.Name] = true
	}
	if s.running == nil {
		return
	}
	for _, sig := range s.running.Signals {
		if !there[sig.Name] {
			s.byRules.DeleteLabelValues(sig.Name)
		}
	}
}

func alertmanagers(cfg *config.Config) []notify.AlertmanagerConfig {
	var out []notify.AlertmanagerConfig
	for _, u := range cfg.Alertmanager.URLs {
		out = append(out, notify.AlertmanagerConfig{URL: u, HTTP: cfg.Alertmanager.HTTP})
	}
	return out
}

// watch reloads on SIGHUP and when the content of the file changed. It compares
// content, not events: a ConfigMap changes by a swapped symbolic link.
func (s *sidecar) watch(ctx context.Context, hup <-chan os.Signal) error {
	var tick <-chan time.Time
	if s.flags.CheckInterval > 0 && s.name != "" {
		t := time.NewTicker(s.flags.CheckInterval)
		defer t.Stop()
		tick = t.C
	}
	seen, _ := os.ReadFile(s.name)
	for {
		select {
		case <-ctx.Done():
			s.log.Info("stopping", "cause", context.Cause(ctx).Error())
			return nil
		case <-hup:
		case <-tick:
			b, err := os.ReadFile(s.name)
			if err == nil && string(b) == string(seen) || err != nil && seen == nil {
				continue
			}
			seen = b
		}
		_ = s.reloadNow() // it has logged the error
	}
}

// reloadNow loads the configuration again. A bad one changes nothing.
func (s *sidecar) reloadNow() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	cfg, _, err := s.flags.load()
	if err == nil {
		s.restartNeeded(cfg)
		err = s.apply(cfg, s.keepThreats(cfg))
	}
	if err != nil {
		s.reloaded.ok.Set(0)
		s.reloadOK.Store(false)
		s.log.Error("configuration refused, the old one stays in use", "err", err)
		return err
	}
	select {
	case s.reprobe <- struct{}{}:
	default:
	}
	s.log.Info("configuration in use", "signals", len(cfg.Signals), "alertmanagers", len(cfg.Alertmanager.URLs))
	return nil
}

// restartNeeded says what a reload cannot change.
func (s *sidecar) restartNeeded(cfg *config.Config) {
	was := s.running
	if s.flags.StoragePath != "" {
		cfg.Storage.Path = s.flags.StoragePath
	}
	if s.flags.KeyFile != "" {
		cfg.Storage.EncryptionKeyFile = s.flags.KeyFile
	}
	if cfg.Storage != was.Storage || cfg.Web != was.Web ||
		cfg.Alertmanager.ResendDelay != was.Alertmanager.ResendDelay || cfg.Alertmanager.Watchdog != was.Alertmanager.Watchdog {
		s.log.Warn("storage, web, resend_delay and watchdog change with a restart only")
	}
}
