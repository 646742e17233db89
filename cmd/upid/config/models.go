package config

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
)

// Model says how versions of one type of learned model come about by themselves.
type Model struct {
	Type     string
	Every    time.Duration // between trainings
	OnDrift  bool          // also when the active version drifts or is demoted, at most once a day
	File     string        // rows are read from it; "": they are made from the server
	Lookback time.Duration // how far back rows from the server go
	Step     time.Duration // between rows of one workload, and between times at which versions are judged; whole hours
	Share    float64       // of the rows that a canary answers for
}

// Defaults of a model type under the key models.
const (
	DefaultTrainEvery  = 7 * 24 * time.Hour
	DefaultLookback    = 60 * 24 * time.Hour
	DefaultRowStep     = 12 * time.Hour
	DefaultCanaryShare = 0.1
)

// The sources of rows.
const (
	fromPrometheus = "prometheus"
	fromFile       = "file"
)

type rawModels struct {
	ResourcePrediction *rawModel `yaml:"resource_prediction"`
	AnomalyDetection   *rawModel `yaml:"anomaly_detection"`
	SecurityThreat     *rawModel `yaml:"security_threat"`
	CostOptimization   *rawModel `yaml:"cost_optimization"`
}

// types returns what is said of each type, in the order of the types.
func (r *rawModels) types() []struct {
	name string
	raw  *rawModel
} {
	return []struct {
		name string
		raw  *rawModel
	}{
		{"resource_prediction", r.ResourcePrediction},
		{"anomaly_detection", r.AnomalyDetection},
		{"security_threat", r.SecurityThreat},
		{"cost_optimization", r.CostOptimization},
	}
}

type rawModel struct {
	Every    string   `yaml:"every"`
	OnDrift  *bool    `yaml:"on_drift"`
	Source   string   `yaml:"source"`
	File     string   `yaml:"file"`
	Lookback string   `yaml:"lookback"`
	Step     string   `yaml:"step"`
	Share    *float64 `yaml:"canary_share"`
}

func (v *validator) models(raw *rawModels) []Model {
	if raw == nil {
		if v.named("models") {
			v.at("no type is named, want some of resource_prediction, anomaly_detection, security_threat, cost_optimization", "models")
		}
		return nil
	}
	var out []Model
	for _, t := range raw.types() {
		if t.raw == nil && v.named("models", t.name) { // all below it commented out: with every default
			t.raw = &rawModel{} //nolint:exhaustruct // nothing is given
		}
		if t.raw != nil {
			out = append(out, v.model(t.name, t.raw))
		}
	}
	return out
}

func (v *validator) model(typ string, raw *rawModel) Model {
	at := func(key string) []any { return []any{"models", typ, key} }
	m := Model{
		Type:     typ,
		Every:    v.duration(raw.Every, DefaultTrainEvery, time.Hour, at("every")...),
		OnDrift:  raw.OnDrift == nil || *raw.OnDrift,
		File:     raw.File,
		Lookback: v.duration(raw.Lookback, DefaultLookback, 24*time.Hour, at("lookback")...),
		Step:     v.duration(raw.Step, DefaultRowStep, time.Hour, at("step")...),
		Share:    DefaultCanaryShare,
	}
	if m.Step%time.Hour != 0 {
		v.at(fmt.Sprintf("%v, want whole hours", m.Step), at("step")...)
	}
	if raw.Share != nil {
		m.Share = *raw.Share
		if !(m.Share > 0 && m.Share < 1) {
			v.at(fmt.Sprintf("%v, want a number between 0 and 1", m.Share), at("canary_share")...)
		}
	}
	switch source := or(raw.Source, fromPrometheus); {
	case source == fromPrometheus && typ == "security_threat":
		v.at("security_threat is learned from labelled rows: want source: file, and file", at("source")...)
	case source == fromPrometheus && raw.File != "":
		v.at("it is not read with source: prometheus; want source: file", at("file")...)
	case source == fromPrometheus:
	case source != fromFile:
		v.at(fmt.Sprintf("%q, want one of %s, %s", source, fromPrometheus, fromFile), at("source")...)
	case raw.File == "":
		v.at("missing: source: file needs a file with rows", at("file")...)
	case !filepath.IsAbs(raw.File):
		m.File = filepath.Join(filepath.Dir(v.file), raw.File)
	}
	return m
}

type shownModel struct {
	Every    model.Duration `yaml:"every"`
	OnDrift  bool           `yaml:"on_drift"`
	Source   string         `yaml:"source"`
	File     string         `yaml:"file,omitempty"`
	Lookback model.Duration `yaml:"lookback"`
	Step     model.Duration `yaml:"step"`
	Share    float64        `yaml:"canary_share"`
}

func showModels(ms []Model) map[string]shownModel {
	out := map[string]shownModel{}
	for _, m := range ms {
		s := shownModel{
			Every: model.Duration(m.Every), OnDrift: m.OnDrift, Source: fromPrometheus, File: m.File,
			Lookback: model.Duration(m.Lookback), Step: model.Duration(m.Step), Share: m.Share,
		}
		if m.File != "" {
			s.Source = fromFile
		}
		out[m.Type] = s
	}
	return out
}
