package views

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// The model types, by which predictions are asked for.
const (
	ResourcePrediction = "resource_prediction" // forecasts
	AnomalyDetection   = "anomaly_detection"   // current scores
	SecurityThreat     = "security_threat"     // risk of entities
	CostOptimization   = "cost_optimization"   // cost forecasts
)

// ModelTypes lists them.
var ModelTypes = []string{ResourcePrediction, AnomalyDetection, SecurityThreat, CostOptimization}

// now is the horizon of a prediction for the newest point.
const now = "0s"

// Prediction is what upid expects of one series: at a horizon, or, of the type
// anomaly_detection, for the newest point. Numbers that are not known are null.
type Prediction struct {
	ID              string            `json:"id"` // of series and horizon; the same in every slot
	ModelType       string            `json:"model_type"`
	Signal          string            `json:"signal"`
	Labels          map[string]string `json:"labels"`
	Slot            float64           `json:"slot"`    // Unix seconds, when it was computed for
	Horizon         string            `json:"horizon"` // 7d; 0s for a score
	Value           *float64          `json:"value"`   // unit of the signal
	Lower           *float64          `json:"lower"`
	Upper           *float64          `json:"upper"`
	Unit            string            `json:"unit"`
	Confidence      *float64          `json:"confidence"`
	ConfidenceLevel string            `json:"confidence_level"`
	Model           string            `json:"model"`
	ModelVersion    string            `json:"model_version"`
	FeaturesUsed    []string          `json:"features_used"`

	Observed *float64   `json:"observed"`        // newest point
	Peak     *float64   `json:"peak,omitempty"`  // highest value within the horizon
	Score    *float64   `json:"score,omitempty"` // of the newest point; 1 is the alert boundary
	Level    *float64   `json:"level,omitempty"` // share of future values the interval is to hold
	Members  []Member   `json:"members,omitempty"`
	Path     []*float64 `json:"path,omitempty"` // the forecast up to the horizon, in up to 24 steps, or the newest points
	Warnings []string   `json:"warnings,omitempty"`

	// Of the type security_threat, whose value is the risk of an entity.
	Threat    string   `json:"threat,omitempty"`
	Technique string   `json:"technique,omitempty"`
	Evidence  []string `json:"evidence,omitempty"`
}

// Member is one model's share in a forecast.
type Member struct {
	Name   string  `json:"name"`
	Weight float64 `json:"weight"`
}

// Anomaly is one finding over its life.
type Anomaly struct {
	ID              string            `json:"id"`
	Family          string            `json:"family"`
	Type            string            `json:"type"`
	Severity        string            `json:"severity"`
	Confidence      float64           `json:"confidence"`
	ConfidenceLevel string            `json:"confidence_level"`
	StartedAt       float64           `json:"started_at"` // Unix seconds
	Observed        *float64          `json:"observed"`   // at the worst point, as the next three; Score is its score
	Expected        *float64          `json:"expected"`
	Lower           *float64          `json:"lower"`
	Upper           *float64          `json:"upper"`
	Score           *float64          `json:"score"` // the highest so far
	Labels          map[string]string `json:"labels"`
	Related         []string          `json:"related"` // findings of the same time with a label in common
	Description     string            `json:"description"`
	FirstAction     string            `json:"first_action"`

	Signal       string     `json:"signal"`
	Unit         string     `json:"unit"`
	EndedAt      *float64   `json:"ended_at"` // null while it is open
	Stale        bool       `json:"stale"`    // no data since: neither confirmed nor resolved
	Reclassified string     `json:"reclassified,omitempty"`
	Summary      string     `json:"summary"`
	Path         []*float64 `json:"path,omitempty"` // the newest points of the series
}

// number returns v as JSON has it: null for NaN and ±Inf.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func seconds(ms int64) *float64 {
	s := float64(ms) / 1000
	return &s
}

// numbers returns pointers into vs, nil where number is.
func numbers(vs []float64) []*float64 {
	out := make([]*float64, len(vs))
	for i, v := range vs {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = &vs[i]
		}
	}
	return out
}

// sourceName is the label that holds the metric name of the input.
const sourceName = "source_name"

// tellingName returns the metric name of rs[i] if only that tells it from another
// series of the task, as on /metrics. Such series are neighbours: rs is sorted by
// labels.
func tellingName(rs []series.Result, i int) string {
	for _, j := range []int{i - 1, i + 1} {
		if j >= 0 && j < len(rs) && labels.Equal(rs[j].Labels, rs[i].Labels) {
			return rs[i].SourceName
		}
	}
	return ""
}

// labelMap returns the labels of the input, with source_name unless it is empty.
func labelMap(source string, ls labels.Labels) map[string]string {
	m := ls.Map()
	if source != "" {
		m[sourceName] = source
	}
	return m
}

// predictionID identifies what is predicted: 16 hexadecimal digits of a SHA-256.
func predictionID(modelType, signal, source string, ls labels.Labels, horizon string) string {
	b := append([]byte(modelType), 0xff)
	b = append(append(b, signal...), 0xff)
	b = append(append(b, source...), 0xff)
	ls.Range(func(l labels.Label) {
		b = append(append(b, l.Name...), 0xff)
		b = append(append(b, l.Value...), 0xff)
	})
	sum := sha256.Sum256(append(append(b, 0xff), horizon...))
	return hex.EncodeToString(sum[:8])
}

// ModelTypeOf returns the model type of the forecasts of a signal.
func ModelTypeOf(signalType string) string {
	if signalType == "cost" {
		return CostOptimization
	}
	return ResourcePrediction
}

// pathSteps bounds the steps of a path.
const pathSteps = 24

// forecastOf makes the prediction of rs[i] at one horizon.
func (v *Views) forecastOf(name string, s Signal, rs []series.Result, i int, h series.Horizon) Prediction {
	r := &rs[i]
	horizon := collector.HorizonLabel(h.Horizon)
	mt := ModelTypeOf(s.Type)
	f := r.Forecast
	p := Prediction{
		ID: predictionID(mt, name, r.SourceName, r.Labels, horizon), ModelType: mt, Signal: name, Labels: labelMap(tellingName(rs, i), r.Labels),
		Slot: *seconds(r.Slot), Horizon: horizon, Value: number(h.Value), Lower: number(h.Lower), Upper: number(h.Upper),
		Unit: s.Unit, Confidence: number(f.Confidence), ConfidenceLevel: series.ConfidenceLevel(f.Confidence),
		Model: f.Model, ModelVersion: v.o.Version, FeaturesUsed: []string{"history"},
		Observed: number(r.Observed), Peak: number(h.Peak), Level: number(f.Level),
		Path: numbers(path(f, r.Time, h.Horizon)),
	}
	for _, m := range f.Members {
		if m.Weight > 0 {
			p.Members = append(p.Members, Member(m))
		}
	}
	for _, w := range r.Warnings {
		p.Warnings = append(p.Warnings, w.Error())
	}
	return p
}

// path returns the forecast from t to t + horizon as means over up to pathSteps
// equal stretches.
func path(f *series.Forecast, t int64, horizon time.Duration) []float64 {
	if f.Step <= 0 {
		return nil
	}
	from := max(0, min(int((t-f.Start)/f.Step), len(f.Point)))
	to := max(from, min(int((t+horizon.Milliseconds()-f.Start)/f.Step)+1, len(f.Point)))
	y := f.Point[from:to]
	n := min(len(y), pathSteps)
	out := make([]float64, n)
	for c := range n {
		sum, count := 0.0, 0.0
		for _, x := range y[c*len(y)/n : (c+1)*len(y)/n] {
			if !math.IsNaN(x) {
				sum += x
				count++
			}
		}
		out[c] = sum / count // NaN where nothing is known
	}
	return out
}

// scoreOf makes the prediction for the newest point of rs[i]. Where the series is
// not scored, it is the newest point and nothing that was expected.
func (v *Views) scoreOf(name string, s Signal, rs []series.Result, i int, path []float64) Prediction {
	r := &rs[i]
	p := Prediction{
		ID: predictionID(AnomalyDetection, name, r.SourceName, r.Labels, now), ModelType: AnomalyDetection, Signal: name, Labels: labelMap(tellingName(rs, i), r.Labels),
		Slot: *seconds(r.Slot), Horizon: now, Unit: s.Unit, ConfidenceLevel: series.ConfidenceLevel(math.NaN()),
		ModelVersion: v.o.Version, FeaturesUsed: []string{}, Observed: number(r.Observed), Path: numbers(path),
	}
	if r.Score == nil {
		return p
	}
	p.Value, p.Lower, p.Upper, p.Score = number(r.Score.Expected), number(r.Score.Lower), number(r.Score.Upper), number(r.Score.Value)
	p.Confidence, p.ConfidenceLevel = number(r.Score.Confidence), series.ConfidenceLevel(r.Score.Confidence)
	p.Model, p.FeaturesUsed = "stream", []string{"history"}
	return p
}

// anomalyOf makes the object of a finding with what is known around it.
func anomalyOf(f *record, c rules.Context) Anomaly {
	said := rules.Annotations(f.signal.SignalInfo, f.result(), f.Finding, c)
	a := Anomaly{
		ID: f.ID, Family: f.Family, Type: f.Type, Severity: f.Severity,
		Confidence: f.Confidence, ConfidenceLevel: series.ConfidenceLevel(f.Confidence),
		StartedAt: *seconds(f.Start), Observed: number(f.Worst.Observed), Expected: number(f.Worst.Expected),
		Lower: number(f.Worst.Lower), Upper: number(f.Worst.Upper), Score: number(f.Peak),
		Labels: labelMap(f.telling, f.labels), Related: []string{}, Description: said["description"], FirstAction: said["first_action"],
		Signal: f.task, Unit: f.signal.Unit, Stale: f.Open() && f.Stale, Reclassified: said["reclassified"], Summary: said["summary"],
	}
	if !f.Open() {
		a.EndedAt = seconds(f.End)
	}
	return a
}
