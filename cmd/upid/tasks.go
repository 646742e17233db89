package main

import (
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/history"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/signal"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/presets"
)

// defaultConfig is used without a configuration file.
const defaultConfig = "presets: [prometheus, node]\nrecommendations: {}\n"

// configChecks are what a configuration is checked against.
func configChecks() config.Checks {
	return config.Checks{
		Expr: source.CheckExpr,
		Budget: func(s string) error {
			_, err := rules.ParseBudget(s)
			return err
		},
		Forecasters: forecast.Names(),
		Detectors:   detect.Names(),
		Transforms:  detect.Transforms(),
		Family: func(signalType, unit string) config.Family {
			return config.Family(rules.PresetOf(signalType, unit))
		},
		Preset:     presets.Get,
		Presets:    presets.Names(),
		Kinds:      adviceKinds(),
		Inputs:     presets.AdviceInputs(),
		EventKinds: eventKinds(),

		ThreatNames: presets.Threats(), ThreatFile: presets.Threat, Threats: threatChecks(),
		Weekday: func(s string) error {
			_, err := forecast.ParseWeekday(s)
			return err
		},
		Dates: func(s string) error {
			_, err := forecast.ParseDates(s)
			return err
		},
	}
}

// tasks turns the signals of a configuration into tasks and into what alerts and
// views say about them, by task. interval is the score cadence of signals that name none.
func tasks(cfg *config.Config, interval time.Duration) ([]pipeline.Task, map[string]views.Signal, error) {
	var out []pipeline.Task
	signals := make(map[string]views.Signal, len(cfg.Signals))
	for _, s := range cfg.Signals {
		if s.Every == 0 {
			s.Every = ceil(interval, s.Step)
		}
		unit, err := signalUnit(s, cfg.MaintenanceOf(s.Name))
		if err != nil {
			return nil, nil, err
		}
		queries := map[string]string{signal.Input: s.Query}
		if s.Rollouts.Query != "" {
			queries[signal.RolloutInput] = s.Rollouts.Query
		}
		out = append(out, pipeline.Task{
			Name:    s.Name,
			Queries: queries,
			Every:   s.Every, FitEvery: fitEvery(s), Step: s.Step, Offset: s.Offset, History: s.History,
			Key:  taskKey(cfg, s),
			Unit: unit,
		})
		signals[s.Name] = described(cfg, s)
	}
	advised, about, err := adviceTasks(cfg)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(signals, about)
	return append(out, advised...), signals, nil
}

// taskKey tells signals apart that must learn afresh, in the same words in every
// process: a pointer would not be. What another server answered is nothing to go on
// from, and what another version kept cannot be read: it is told from what is damaged. Where a signal stands in the file, what its alerts say and who sends them
// changes nothing it has learned.
func taskKey(cfg *config.Config, s config.Signal) string {
	zone := "UTC"
	if s.Location != nil {
		zone = s.Location.String()
	}
	limits := fmt.Sprint(orNaN(s.Forecast.Max))
	if b := s.Forecast.Breach; b != nil { // its texts have the unit
		limits += fmt.Sprint(" ", orNaN(b.Above), orNaN(b.Below), b.Within, s.Unit)
	}
	s.Line, s.Unit, s.Location, s.Forecast.Max, s.Forecast.Breach = 0, "", nil, nil, nil
	s.Alert = config.Alert{Enabled: false, Severity: s.Alert.Severity, RunbookURL: "", Post: false, Rules: false}
	key := fmt.Sprintf("%+v %s %s\n%s\n%s", s, limits, zone, scope(cfg), signal.StateVersion())
	if quiet := maintenanceKey(cfg.MaintenanceOf(s.Name)); quiet != "" { // what opened then did not
		key += "\n" + quiet
	}
	return key
}

// queries returns what history is kept of.
func queries(ts []pipeline.Task) []history.Query {
	var out []history.Query
	for _, t := range ts {
		for _, expr := range t.Queries {
			out = append(out, history.Query{Expr: expr, Step: t.Step, Offset: t.Offset, History: t.History})
		}
	}
	return out
}

// described returns what alerts and views say about a signal.
func described(cfg *config.Config, s config.Signal) views.Signal {
	out := views.Signal{
		SignalInfo: rules.SignalInfo{
			Name: s.Name, Type: s.Type, Unit: s.Unit, Query: s.Query, Every: s.Every,
			PrometheusURL: cfg.Prometheus.URL, RunbookURL: s.Alert.RunbookURL, Location: s.Location,
			Muted: !s.Alert.Post || !s.Alerts(),
		},
		Scope: scope(cfg), Step: s.Step, FitEvery: fitEvery(s), History: s.History,
	}
	if s.Forecast.Enabled {
		out.Horizons, out.Level = s.Forecast.Horizons, s.Forecast.Level
	}
	if s.Detect.Enabled {
		out.Budget = s.Detect.Budget
	}
	return out
}

func signalUnit(s config.Signal, maintenance []config.Maintenance) (*signal.Unit, error) {
	quiet, err := quietTimes(maintenance)
	if err != nil {
		return nil, err
	}
	o := signal.Options{Name: s.Name, Type: s.Type, Step: s.Step, FitEvery: fitEvery(s), Location: s.Location, Quiet: quiet}
	if s.Rollouts.Query != "" {
		o.Rollouts = &signal.Rollouts{Grace: s.Rollouts.Grace}
	}
	if s.Forecast.Enabled {
		events, err := forecastEvents(s.Events)
		if err != nil {
			return nil, err
		}
		o.Events = events
		model, err := forecast.New(s.Forecast.Model, nil)
		if err != nil {
			return nil, err
		}
		naive, err := forecast.New("seasonal_naive", nil)
		if err != nil {
			return nil, err
		}
		o.Forecast = &signal.Forecast{Model: model, Horizons: s.Forecast.Horizons, Level: s.Forecast.Level, Max: s.Forecast.Max, Fallback: naive}
		if b := s.Forecast.Breach; b != nil {
			o.Breach = &signal.Breach{Above: orNaN(b.Above), Below: orNaN(b.Below), Within: b.Within, Severity: s.Alert.Severity, Unit: s.Unit}
		}
	}
	if s.Detect.Enabled {
		budget, err := rules.ParseBudget(s.Detect.Budget)
		if err != nil {
			return nil, err
		}
		o.Detect = &signal.Detect{
			Model: s.Detect.Model,
			Options: detect.Options{
				Step: s.Step, Budget: budget.PerWeek(), Direction: detect.Direction(s.Detect.Direction),
				MinDeviation: s.Detect.MinDeviation, MinRelative: s.Detect.MinRelative, Transform: detect.Transform(s.Detect.Transform), Location: s.Location,
			},
			Rule:   rules.Default(s.Step, s.Alert.Severity).Within(budget),
			Budget: budget,
		}
	}
	return signal.New(o)
}

// orNaN returns a number that may be left out, NaN without it.
func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// ceil returns the smallest multiple of m that is at least d and at least m.
func ceil(d, m time.Duration) time.Duration {
	return max((d+m-1)/m, 1) * m
}

// fitEvery returns the cadence of fits. It is not above the history: points
// after a fit slot that far back could not be caught up.
func fitEvery(s config.Signal) time.Duration {
	return ceil(min(s.Forecast.Every, s.History), s.Every)
}
