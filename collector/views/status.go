package views

import (
	"math"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

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
	State       string                `json:"state"`  // waiting, learning, active, failing or stale
	Slot        *float64              `json:"slot"`   // of the newest results, Unix seconds
	Series      int                   `json:"series"`
	Forecast    int                   `json:"series_forecast"`
	Scored      int                   `json:"series_scored"`
	Open        int                   `json:"anomalies_open"`
	BudgetSpent *float64              `json:"budget_spent"`
	Skill       *float64              `json:"skill"`    // against naive, mean over series; above 0 beats it
	Coverage    *float64              `json:"coverage"` // of the interval on held-out data, mean over series
	Confidence  *float64              `json:"confidence"`
	Judged      []Judged              `json:"judged"`  // published forecasts whose time has come
	Demoted     string                `json:"demoted"` // why the configured model is not in use, "" if it is
	Passes      map[string]PassStatus `json:"passes"`
}

// Judged is how good the forecasts of a stage and horizon were; null is unknown, as
// before collector.LeastJudged of them were judged.
type Judged struct {
	Stage     string   `json:"stage"` // active, or shadow: those of a demoted model
	Horizon   string   `json:"horizon"`
	Forecasts int      `json:"forecasts"`
	MASE      *float64 `json:"mase"`
	Skill     *float64 `json:"skill"`
	Coverage  *float64 `json:"coverage"`
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

// Signals returns the status of every signal, or that of the one called only,
// sorted by name.
func (v *Views) Signals(only string) []SignalStatus {
	statuses := v.o.Status()
	open := map[string]int{}
	v.mu.RLock()
	for _, f := range v.findings {
		if f.Open() {
			open[f.task]++
		}
	}
	signals := v.signals
	v.mu.RUnlock()
	newest := map[string][]series.Result{}
	for _, t := range v.shots(only) {
		newest[t.name] = t.results
	}
	out := make([]SignalStatus, 0, len(statuses))
	for _, st := range statuses {
		s, ok := signals[st.Name] // else it is being replaced
		if !ok || only != "" && only != st.Name {
			continue
		}
		row := status(s, st)
		row.Open = open[st.Name]
		row.count(newest[st.Name])
		out = append(out, row)
	}
	return out
}

// status returns what is to be said without the results.
func status(s Signal, st pipeline.Status) SignalStatus {
	out := SignalStatus{
		Name: s.Name, Type: s.Type, Query: s.Query, Unit: s.Unit, StepSeconds: s.Step.Seconds(), History: s.History.Seconds(),
		Horizons: []string{}, Judged: []Judged{}, Budget: s.Budget, Alerts: !s.Muted, State: "active", Passes: map[string]PassStatus{},
	}
	for _, h := range s.Horizons {
		out.Horizons = append(out.Horizons, collector.HorizonLabel(h))
	}
	if len(s.Horizons) > 0 {
		out.Level = number(s.Level)
	}
	failing := false
	for pass, p := range st.Passes {
		row := PassStatus{EverySeconds: s.Every.Seconds(), Error: p.Err, Reason: p.Reason, Slot: nil, Ended: nil, Took: nil, Next: nil}
		if !p.Next.IsZero() {
			row.Next = seconds(p.Next.UnixMilli())
		}
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
	case st.Waiting():
		out.State = "waiting"
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
	return out
}

// count adds up the results.
func (s *SignalStatus) count(rs []series.Result) {
	var skill, coverage, confidence, spent series.Mean
	for i := range rs {
		r := &rs[i]
		s.Series++
		if r.Forecast != nil {
			s.Forecast++
			skill.Add(r.Forecast.Accuracy.Skill)
			coverage.Add(r.Forecast.Accuracy.Coverage)
			confidence.Add(r.Forecast.Confidence)
		}
		if r.Score != nil && !math.IsNaN(r.Score.Value) {
			s.Scored++
		}
		spent.Add(r.BudgetSpent)
	}
	if len(rs) > 0 && rs[0].Live != nil {
		s.Demoted = rs[0].Live.Demoted
		for _, j := range rs[0].Live.Judged {
			row := Judged{Stage: j.Stage, Horizon: collector.HorizonLabel(j.Horizon), Forecasts: j.Forecasts, MASE: nil, Skill: nil, Coverage: nil}
			if j.Forecasts >= collector.LeastJudged {
				row.MASE, row.Skill, row.Coverage = number(j.MASE), number(j.Skill), number(j.Coverage)
			}
			s.Judged = append(s.Judged, row)
		}
	}
	s.Skill, s.Coverage, s.Confidence = number(skill.Value()), number(coverage.Value()), number(confidence.Value())
	if spent.N > 0 {
		s.BudgetSpent = &spent.Sum
	}
}
