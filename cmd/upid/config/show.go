package config

import (
	"fmt"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"gopkg.in/yaml.v3"
)

// shown mirrors the file with every default filled in and every preset's signals
// written out.
type shown struct {
	Prometheus struct {
		URL         string                        `yaml:"url"`
		Timeout     model.Duration                `yaml:"timeout"`
		Concurrency int                           `yaml:"concurrency"`
		HTTP        commonconfig.HTTPClientConfig `yaml:"http"`
	} `yaml:"prometheus"`
	Alertmanager struct {
		URLs        []string                      `yaml:"urls"`
		ResendDelay model.Duration                `yaml:"resend_delay"`
		Watchdog    bool                          `yaml:"watchdog"`
		Post        bool                          `yaml:"post"`
		Rules       bool                          `yaml:"rules"`
		HTTP        commonconfig.HTTPClientConfig `yaml:"http"`
	} `yaml:"alertmanager"`
	Signals         []shownSignal         `yaml:"signals"`
	Costs           *shownCosts           `yaml:"costs,omitempty"`
	Recommendations *shownRecommendations `yaml:"recommendations,omitempty"`
	Threats         *shownThreats         `yaml:"threats,omitempty"`
	Models          map[string]shownModel `yaml:"models,omitempty"`
	Privacy         *shownPrivacy         `yaml:"privacy,omitempty"`
	Maintenance     []shownMaintenance    `yaml:"maintenance,omitempty"`
	Calendars       []shownCalendar       `yaml:"calendars,omitempty"`
	Storage         struct {
		Path              string `yaml:"path"`
		EncryptionKeyFile string `yaml:"encryption_key_file,omitempty"`
	} `yaml:"storage"`
	Web struct {
		ListenAddress   string `yaml:"listen_address"`
		EnableLifecycle bool   `yaml:"enable_lifecycle"`
	} `yaml:"web"`
}

type shownRollouts struct {
	Query string         `yaml:"query"`
	Grace model.Duration `yaml:"grace"`
}

type shownSignal struct {
	Name      string          `yaml:"name"`
	Type      string          `yaml:"type"`
	Query     string          `yaml:"query"`
	Unit      string          `yaml:"unit,omitempty"`
	Step      model.Duration  `yaml:"step"`
	Every     *model.Duration `yaml:"every,omitempty"`
	Offset    model.Duration  `yaml:"query_offset"`
	History   model.Duration  `yaml:"history"`
	Timezone  string          `yaml:"timezone"`
	Calendars []string        `yaml:"calendars,flow"`
	Forecast  struct {
		Enabled  bool             `yaml:"enabled"`
		Horizons []model.Duration `yaml:"horizons,flow"`
		Level    float64          `yaml:"level"`
		Max      *float64         `yaml:"max,omitempty"`
		Breach   *shownBreach     `yaml:"breach,omitempty"`
		Model    string           `yaml:"model"`
		Every    model.Duration   `yaml:"every"`
	} `yaml:"forecast"`
	Detect struct {
		Enabled      bool    `yaml:"enabled"`
		Budget       string  `yaml:"budget"`
		Direction    string  `yaml:"direction"`
		Transform    string  `yaml:"transform"`
		MinDeviation float64 `yaml:"min_deviation"`
		MinRelative  float64 `yaml:"min_relative"`
		Model        string  `yaml:"model,omitempty"`
	} `yaml:"detect"`
	Rollouts *shownRollouts `yaml:"rollouts,omitempty"`
	Alert    struct {
		Enabled    bool   `yaml:"enabled"`
		Severity   string `yaml:"severity"`
		RunbookURL string `yaml:"runbook_url,omitempty"`
		Post       bool   `yaml:"post"`
		Rules      bool   `yaml:"rules"`
	} `yaml:"alert"`
}

type shownCalendar struct {
	Name       string       `yaml:"name"`
	AllSignals bool         `yaml:"all_signals"`
	Events     []shownEvent `yaml:"events"`
}

type shownEvent struct {
	Name  string   `yaml:"name"`
	Kind  string   `yaml:"kind"`
	Like  string   `yaml:"like,omitempty"`
	Dates []string `yaml:"dates,flow"`
}

// Show returns the configuration in use as a file would have it: with every
// default, the presets' signals written out, and secrets as <secret>.
func (c *Config) Show() (string, error) {
	var s shown
	s.Prometheus.URL, s.Prometheus.HTTP = c.Prometheus.URL, c.Prometheus.HTTP
	s.Prometheus.Timeout, s.Prometheus.Concurrency = model.Duration(c.Prometheus.Timeout), c.Prometheus.Concurrency
	s.Alertmanager.URLs, s.Alertmanager.HTTP = c.Alertmanager.URLs, c.Alertmanager.HTTP
	s.Alertmanager.ResendDelay, s.Alertmanager.Watchdog = model.Duration(c.Alertmanager.ResendDelay), c.Alertmanager.Watchdog
	s.Alertmanager.Post, s.Alertmanager.Rules = c.Alertmanager.Post, c.Alertmanager.Rules
	for _, sig := range c.Signals {
		s.Signals = append(s.Signals, showSignal(sig))
	}
	s.Costs, s.Recommendations = showCosts(c.Costs), showRecommendations(c.Recommendations)
	s.Threats, s.Privacy = showThreats(&c.Threats), showPrivacy(&c.Privacy)
	s.Models = showModels(c.Models)
	s.Maintenance = showMaintenance(c.Maintenance)
	for _, c := range c.Calendars {
		out := shownCalendar{Name: c.Name, AllSignals: c.AllSignals, Events: nil}
		for _, e := range c.Events {
			out.Events = append(out.Events, shownEvent(e))
		}
		s.Calendars = append(s.Calendars, out)
	}
	s.Storage.Path, s.Storage.EncryptionKeyFile = c.Storage.Path, c.Storage.EncryptionKeyFile
	s.Web.ListenAddress, s.Web.EnableLifecycle = c.Web.ListenAddress, c.Web.EnableLifecycle
	b, err := yaml.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("show configuration: %w", err)
	}
	return string(b), nil
}

// shownBreach is Breach as it is shown.
type shownBreach struct {
	Above  *float64       `yaml:"above,omitempty"`
	Below  *float64       `yaml:"below,omitempty"`
	Within model.Duration `yaml:"within"`
}

func showSignal(sig Signal) shownSignal {
	out := shownSignal{
		Name: sig.Name, Type: sig.Type, Query: sig.Query, Unit: sig.Unit, Step: model.Duration(sig.Step),
		Offset: model.Duration(sig.Offset), History: model.Duration(sig.History), Timezone: sig.Location.String(), Calendars: sig.Calendars,
	}
	if sig.Every != 0 {
		every := model.Duration(sig.Every)
		out.Every = &every
	}
	f := &out.Forecast
	f.Enabled, f.Level, f.Max, f.Model, f.Every = sig.Forecast.Enabled, sig.Forecast.Level, sig.Forecast.Max, sig.Forecast.Model, model.Duration(sig.Forecast.Every)
	if b := sig.Forecast.Breach; b != nil {
		f.Breach = &shownBreach{Above: b.Above, Below: b.Below, Within: model.Duration(b.Within)}
	}
	f.Horizons = durations(sig.Forecast.Horizons)
	d := &out.Detect
	d.Enabled, d.Budget, d.Direction, d.Model = sig.Detect.Enabled, sig.Detect.Budget, sig.Detect.Direction, sig.Detect.Model
	d.Transform = sig.Detect.Transform
	d.MinDeviation, d.MinRelative = sig.Detect.MinDeviation, sig.Detect.MinRelative
	if r := sig.Rollouts; r.Query != "" {
		out.Rollouts = &shownRollouts{Query: r.Query, Grace: model.Duration(r.Grace)}
	}
	out.Alert.Enabled, out.Alert.Severity, out.Alert.RunbookURL = sig.Alert.Enabled, sig.Alert.Severity, sig.Alert.RunbookURL
	out.Alert.Post, out.Alert.Rules = sig.Alert.Post, sig.Alert.Rules
	return out
}

func durations(ds []time.Duration) []model.Duration {
	out := make([]model.Duration, len(ds))
	for i, d := range ds {
		out[i] = model.Duration(d)
	}
	return out
}
