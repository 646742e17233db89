package views

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

// PredictionFilter says which predictions are wanted; a zero field wants all.
type PredictionFilter struct {
	ModelType  string
	Signal     string
	Horizon    string
	Confidence string // at least that level
	Labels     map[string]string
	Past       bool // those of earlier fits that are on record, newest first, instead of the current ones
	Offset     int
	Limit      int // of the answer; 0 is all
}

// levels from the lowest.
var levels = []string{"low", "medium", "high", "very_high"}

// ConfidenceLevels lists the levels a filter may name, from the lowest.
func ConfidenceLevels() []string { return slices.Clone(levels) }

func (f PredictionFilter) match(p *Prediction) bool {
	if f.Signal != "" && p.Signal != f.Signal || f.Horizon != "" && p.Horizon != f.Horizon || f.ModelType != "" && p.ModelType != f.ModelType {
		return false
	}
	if f.Confidence != "" && (p.Confidence == nil || slices.Index(levels, p.ConfidenceLevel) < slices.Index(levels, f.Confidence)) {
		return false
	}
	return hasLabels(p.Labels, f.Labels)
}

func hasLabels(have, want map[string]string) bool {
	for name, value := range want {
		if have[name] != value {
			return false
		}
	}
	return true
}

// Predictions returns the current predictions by signal and series, and how many
// match in all.
func (v *Views) Predictions(f PredictionFilter) (page []Prediction, total int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	page = []Prediction{}
	take := func(p Prediction) {
		if !f.match(&p) {
			return
		}
		if total >= f.Offset && (f.Limit == 0 || len(page) < f.Limit) {
			page = append(page, p)
		}
		total++
	}
	if f.Past {
		for i := len(v.past) - 1; i >= max(0, len(v.past)-v.o.Keep); i-- {
			take(v.past[i])
		}
		return page, total
	}
	scores := f.ModelType == AnomalyDetection
	for _, name := range slices.Sorted(maps.Keys(v.tasks)) {
		if f.Signal != "" && f.Signal != name || !scores && f.ModelType != "" && f.ModelType != forecastType(v.signals[name].Type) {
			continue
		}
		t := v.tasks[name]
		for i := range t.results {
			r := &t.results[i]
			if scores {
				if r.Score != nil {
					take(v.scoreOf(name, r, t.seen[traceKey(r)]))
				}
				continue
			}
			for _, h := range r.Horizons {
				take(v.forecastOf(name, r, h))
			}
		}
	}
	return page, total
}

// AnomalyFilter says which findings are wanted; a zero field wants all.
type AnomalyFilter struct {
	Family, Type, Severity, Signal string
	State                          string // open or ended
	Since                          int64  // open or ended at that time or later, Unix milliseconds
	Labels                         map[string]string
	Offset, Limit                  int
}

func (f AnomalyFilter) match(a *Anomaly) bool {
	for _, c := range [][2]string{{f.Family, a.Family}, {f.Type, a.Type}, {f.Severity, a.Severity}, {f.Signal, a.Signal}} {
		if c[0] != "" && c[0] != c[1] {
			return false
		}
	}
	switch {
	case f.State == "open" && a.EndedAt != nil, f.State == "ended" && a.EndedAt == nil:
		return false
	case a.EndedAt != nil && *a.EndedAt*1000 < float64(f.Since):
		return false
	}
	return hasLabels(a.Labels, f.Labels)
}

// Anomalies returns the findings on record, newest first, and how many match in
// all.
func (v *Views) Anomalies(f AnomalyFilter) (page []Anomaly, total int) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	page = []Anomaly{}
	all := v.sortedFindings()
	for i := range all {
		a := &all[i]
		if !f.match(a) {
			continue
		}
		if total >= f.Offset && (f.Limit == 0 || len(page) < f.Limit) {
			a.Related = related(a, all)
			if t := v.tasks[a.task]; t != nil && t.seen[a.trace] != nil {
				a.Path = numbers(t.seen[a.trace].list())
			}
			page = append(page, *a)
		}
		total++
	}
	return page, total
}

const (
	// Findings that started within that time of each other may have one cause.
	relatedWithin = 15 * time.Minute
	maxRelated    = 10
)

// related returns the findings that started at about the time of a and share a
// label with it.
func related(a *Anomaly, all []Anomaly) []string {
	out := []string{}
	for i := range all {
		b := &all[i]
		if d := a.start - b.start; b.ID == a.ID || d > relatedWithin.Milliseconds() || d < -relatedWithin.Milliseconds() {
			continue
		}
		for name, value := range b.Labels {
			if name != "source_name" && a.Labels[name] == value {
				out = append(out, b.ID)
				break
			}
		}
		if len(out) == maxRelated {
			break
		}
	}
	return out
}

// SignalStatus is what is configured for a signal and how it is doing.
type SignalStatus struct {
	Name        string                `json:"name"`
	Type        string                `json:"type"`
	Query       string                `json:"query"`
	Unit        string                `json:"unit"`
	StepSeconds float64               `json:"step_seconds"`
	History     float64               `json:"history_seconds"`
	Horizons    []string              `json:"horizons"`
	Level       *float64              `json:"level"`
	Budget      string                `json:"budget"`
	Alerts      bool                  `json:"alerts"` // posted by upid
	State       string                `json:"state"`  // learning, active, failing or stale
	Slot        *float64              `json:"slot"`   // of the newest results, Unix seconds
	Series      int                   `json:"series"`
	Forecast    int                   `json:"series_forecast"`
	Scored      int                   `json:"series_scored"`
	Open        int                   `json:"anomalies_open"`
	BudgetSpent *float64              `json:"budget_spent"`
	Skill       *float64              `json:"skill"`    // against naive, mean over series; above 0 beats it
	Coverage    *float64              `json:"coverage"` // of the interval on held-out data, mean over series
	Confidence  *float64              `json:"confidence"`
	Passes      map[string]PassStatus `json:"passes"`
}

// PassStatus is how the newest pass of a kind went; null is not yet.
type PassStatus struct {
	EverySeconds float64  `json:"every_seconds"`
	Slot         *float64 `json:"slot"`
	Ended        *float64 `json:"ended"`
	Took         *float64 `json:"took_seconds"`
	Next         *float64 `json:"next"`
	Error        string   `json:"error"`
	Reason       string   `json:"reason"`
}

// Signals returns every signal's status, sorted by name.
func (v *Views) Signals() []SignalStatus {
	statuses := v.o.Status()
	v.mu.RLock()
	defer v.mu.RUnlock()
	out := make([]SignalStatus, 0, len(statuses))
	for _, st := range statuses {
		s, ok := v.signals[st.Name]
		if !ok {
			continue // being replaced
		}
		out = append(out, v.status(s, st))
	}
	return out
}

func (v *Views) status(s Signal, st pipeline.Status) SignalStatus {
	out := SignalStatus{
		Name: s.Name, Type: s.Type, Query: s.Query, Unit: s.Unit, StepSeconds: s.Step.Seconds(), History: s.History.Seconds(),
		Horizons: []string{}, Budget: s.Budget, Alerts: !s.Muted, State: "active", Passes: map[string]PassStatus{},
	}
	for _, h := range s.Horizons {
		out.Horizons = append(out.Horizons, collector.HorizonLabel(h))
	}
	if len(s.Horizons) > 0 {
		out.Level = number(s.Level)
	}
	failing := false
	for pass, p := range st.Passes {
		row := PassStatus{EverySeconds: s.Every.Seconds(), Error: p.Err, Reason: p.Reason, Next: seconds(p.Next.UnixMilli())}
		if pass == pipeline.Fit {
			row.EverySeconds = s.FitEvery.Seconds()
		}
		if !p.Ended.IsZero() {
			took := p.Took.Seconds()
			row.Slot, row.Ended, row.Took = seconds(p.Slot), seconds(p.Ended.UnixMilli()), &took
		}
		failing = failing || p.Err != ""
		out.Passes[string(pass)] = row
	}
	switch {
	case failing:
		out.State = "failing"
	case !st.Fitted:
		out.State = "learning"
	case st.Slot == 0:
		out.State = "stale"
	}
	if st.Slot != 0 {
		out.Slot = seconds(st.Slot)
	}
	if t := v.tasks[st.Name]; t != nil {
		out.count(t.results)
	}
	for _, a := range v.findings {
		if a.task == st.Name && a.EndedAt == nil {
			out.Open++
		}
	}
	return out
}

// count adds up the results.
func (s *SignalStatus) count(rs []series.Result) {
	var skill, coverage, confidence, spent mean
	for i := range rs {
		r := &rs[i]
		s.Series++
		if r.Forecast != nil {
			s.Forecast++
			skill.add(number(r.Forecast.Accuracy.Skill))
			coverage.add(number(r.Forecast.Accuracy.Coverage))
			confidence.add(number(r.Forecast.Confidence))
		}
		if r.Score != nil && number(r.Score.Value) != nil {
			s.Scored++
		}
		spent.add(number(r.BudgetSpent))
	}
	s.Skill, s.Coverage, s.Confidence = skill.value(), coverage.value(), confidence.value()
	if spent.n > 0 {
		s.BudgetSpent = &spent.sum
	}
}

// mean is a running mean of what is known.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v *float64) {
	if v != nil {
		m.sum += *v
		m.n++
	}
}

func (m *mean) value() *float64 {
	if m.n == 0 {
		return nil
	}
	x := m.sum / float64(m.n)
	return &x
}

// parseLabels reads name=value pairs.
func parseLabels(pairs []string) (map[string]string, bool) {
	out := map[string]string{}
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, false
		}
		out[name] = value
	}
	return out, true
}
