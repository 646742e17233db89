package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/threats"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/presets"
)

// threatFitEvery is how often a preset learns anew from its history, so that replicas agree.
const threatFitEvery = 24 * time.Hour

// threatOffset is how long a slot of counters takes to be complete.
const threatOffset = 30 * time.Second

// threatTasks turns presets into tasks and into what alerts and views say about them.
func threatTasks(cfg *config.Config, resolved []resolvedThreat, trained *models.Judge, m *threatMetrics) ([]pipeline.Task, map[string]views.Signal, error) {
	var out []pipeline.Task
	signals := map[string]views.Signal{}
	for i := range resolved {
		r := &resolved[i]
		o, err := threatOptions(&cfg.Threats, r)
		if err != nil {
			return nil, nil, fmt.Errorf("threats, preset %s: %w", r.preset.Name, err)
		}
		key := fmt.Sprintf("%+v %v %+v %s %s\n%s", r.preset, r.entity, cfg.Threats.Override(r.preset.Name), allowKey(&cfg.Threats.Allow), cfg.Threats.Location, scope(cfg))
		if o.Quiet, err = quietTimes(cfg.MaintenanceOf("")); err != nil {
			return nil, nil, err
		}
		key += fmt.Sprintf("\n%+v", maintenanceKey(cfg.MaintenanceOf("")))
		if trained != nil { // another version learns anew
			o.Classifier = trained
			key += "\n" + trained.Version()
		}
		if m != nil {
			o.Observe = m.observer(o.Name)
		}
		unit, err := threats.New(o)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, pipeline.Task{
			Name: o.Name, Queries: o.Queries(), Every: o.Step, FitEvery: max(threatFitEvery, o.Step), Step: o.Step, Offset: min(o.Step, threatOffset),
			History: cfg.Threats.History, Key: key, Unit: unit,
		})
		signals[o.Name] = views.Signal{
			SignalInfo: rules.SignalInfo{
				Name: o.Name, Type: "security", Unit: "", Query: firstQuery(&o), Every: o.Step,
				PrometheusURL: cfg.Prometheus.URL, RunbookURL: cfg.Threats.RunbookURL, Location: cfg.Threats.Location, Muted: !cfg.Threats.Post,
			},
			Scope: scope(cfg), Step: o.Step, FitEvery: threatFitEvery, History: cfg.Threats.History,
		}
	}
	if t, ok := rollUpTask(cfg, resolved, out); ok {
		out = append(out, t)
		signals[t.Name] = views.Signal{
			SignalInfo: rules.SignalInfo{
				Name: t.Name, Type: "security", Unit: "", Query: rules.OwnersQuery, Every: t.Every,
				PrometheusURL: cfg.Prometheus.URL, RunbookURL: cfg.Threats.RunbookURL, Location: cfg.Threats.Location, Muted: true,
			},
			Scope: scope(cfg), Step: t.Step, FitEvery: t.FitEvery, History: t.History,
		}
	}
	return out, signals, nil
}

// rollUpSignal is the signal of the risk of workloads and namespaces.
const rollUpSignal = "threats-workloads"

// rollUpTask returns the task that rolls the risk of pods up to workloads and namespaces, if
// one of the tasks of the presets watches pods by namespace.
func rollUpTask(cfg *config.Config, resolved []resolvedThreat, ts []pipeline.Task) (t pipeline.Task, ok bool) {
	var pods []string
	var step time.Duration
	for i := range resolved {
		if r := &resolved[i]; r.entityType == threat.TypePod && len(r.entity) == 2 {
			pods = append(pods, ts[i].Name)
			if step == 0 || ts[i].Step < step {
				step = ts[i].Step
			}
		}
	}
	if pods == nil {
		return pipeline.Task{}, false
	}
	unit := threats.NewRollUp(threats.RollUpOptions{Name: rollUpSignal, Export: 0, Workloads: func(owners []labels.Labels) func(namespace, pod string) string {
		return rules.NewPodOwners(owners).Workload
	}})
	return pipeline.Task{
		Name: rollUpSignal, Queries: map[string]string{threats.OwnersInput: rules.OwnersQuery}, After: pods,
		Every: step, FitEvery: max(threatFitEvery, step), Step: step, Offset: min(step, threatOffset), History: 12 * step,
		Key: fmt.Sprintf("%q %s %s", pods, step, scope(cfg)), Unit: unit,
	}, true
}

// allowKey tells allow-lists apart.
func allowKey(a *config.ThreatAllow) string {
	return fmt.Sprintf("%v %q %q", a.CIDRs, a.Users, a.Namespaces)
}

// quietTimes returns whether a time, in Unix milliseconds, is one of maintenance; nil if there
// is none.
func quietTimes(ms []config.Maintenance) (func(t int64) bool, error) {
	type window struct {
		dates forecast.Dates
		loc   *time.Location
	}
	var ws []window
	for _, m := range ms {
		for _, text := range m.Dates {
			d, err := forecast.ParseDates(text)
			if err != nil {
				return nil, fmt.Errorf("maintenance %q: %w", m.Name, err)
			}
			ws = append(ws, window{d, m.Location})
		}
	}
	if len(ws) == 0 {
		return nil, nil
	}
	return func(t int64) bool {
		return slices.ContainsFunc(ws, func(w window) bool { return w.dates.Contains(t, w.loc) })
	}, nil
}

// maintenanceKey tells times of maintenance apart.
func maintenanceKey(ms []config.Maintenance) string {
	var b strings.Builder
	for _, m := range ms {
		fmt.Fprintf(&b, "%q %s;", m.Dates, m.Location)
	}
	return b.String()
}

// firstQuery returns the query that an alert's source link opens.
func firstQuery(o *threats.Options) string {
	d := o.Detectors[0]
	return d.Queries[slices.Sorted(maps.Keys(d.Queries))[0]]
}

// threatOptions makes the options of a unit.
func threatOptions(cfg *config.Threats, r *resolvedThreat) (threats.Options, error) {
	over := cfg.Override(r.preset.Name)
	o := threats.Options{
		Name: r.task(), EntityType: r.entityType, Entity: r.entity, Step: r.preset.Step, AlertFrom: over.AlertFrom, Hold: 0, Detectors: nil,
		Allow:      threats.Allow{CIDRs: cfg.Allow.CIDRs, Users: cfg.Allow.Users, Namespaces: cfg.Allow.Namespaces},
		Classifier: nil, Export: 0, Quiet: nil, Observe: nil,
	}
	if over.Step != 0 {
		o.Step = over.Step
	}
	loc := cfg.Location
	if loc.String() == "UTC" {
		loc = nil
	}
	for _, d := range r.preset.Detectors {
		if slices.Contains(over.Without, d.Name) {
			continue
		}
		det := threats.Detector{Spec: threatSpec(d, o.Step, over.Budget, loc), Labels: d.Labels, Queries: map[string]string{}}
		for input, q := range d.Inputs {
			expr, err := presets.ExpandLive(q, r.entity, o.Step)
			if err != nil {
				return threats.Options{}, fmt.Errorf("%s: %w", d.Name, err)
			}
			det.Queries[input] = expr
		}
		o.Detectors = append(o.Detectors, det)
	}
	return o, nil
}

// threatSpec makes the spec of a detector.
func threatSpec(d config.ThreatDetector, step time.Duration, budget float64, loc *time.Location) threat.Spec {
	return threat.Spec{
		Options: threat.Options{Step: step, Windows: d.Windows, Budget: budget, Min: d.Min, Warmup: 0, Location: loc},
		Name:    d.Name, Model: d.Model, Family: threat.Family(d.Family), Threat: d.Threat, Technique: d.Technique,
		After: d.After, Catalogue: threat.Catalogues[d.Catalogue], Anonymous: d.Anonymous, Entities: 0,
	}
}

// threatMetrics are the self metrics of all presets.
type threatMetrics struct {
	info                                           *collector.Info
	entities                                       *prometheus.GaugeVec
	watched, suppressed, forgotten, allowed, quiet *prometheus.GaugeVec
	refused, flooded                               *prometheus.GaugeVec
	opened                                         *prometheus.CounterVec
}

func newThreatMetrics(reg prometheus.Registerer) *threatMetrics {
	return &threatMetrics{
		info:       collector.NewInfo(reg, "upid_threat_preset_info"),
		entities:   collector.NewGaugeVec(reg, "upid_threat_entities"),
		watched:    collector.NewGaugeVec(reg, "upid_threat_watched_entities"),
		suppressed: collector.NewGaugeVec(reg, "upid_threat_suppressed_entities"),
		forgotten:  collector.NewGaugeVec(reg, "upid_threat_forgotten_entities"),
		allowed:    collector.NewGaugeVec(reg, "upid_threat_allowed_series"),
		quiet:      collector.NewGaugeVec(reg, "upid_threat_quiet_alerts"),
		refused:    collector.NewGaugeVec(reg, "upid_threat_refused_samples"),
		flooded:    collector.NewGaugeVec(reg, "upid_threat_flooded_slots"),
		opened:     collector.NewCounterVec(reg, "upid_threat_alerts_opened_total"),
	}
}

// observer returns what takes the counts of one task.
func (m *threatMetrics) observer(task string) func(threats.Stats) {
	return func(s threats.Stats) {
		for band, n := range s.Bands {
			if band != threat.BandInfo {
				m.entities.WithLabelValues(task, band).Set(float64(n))
			}
		}
		m.watched.WithLabelValues(task).Set(float64(s.Watched))
		m.suppressed.WithLabelValues(task).Set(float64(s.Left))
		m.forgotten.WithLabelValues(task).Set(float64(s.Forgotten))
		m.allowed.WithLabelValues(task).Set(float64(s.Allowed))
		m.quiet.WithLabelValues(task).Set(float64(s.Quiet))
		m.refused.WithLabelValues(task).Set(float64(s.Refused))
		m.flooded.WithLabelValues(task).Set(float64(s.Flooded))
		for name, n := range s.Opened {
			m.opened.WithLabelValues(task, name).Add(float64(n))
		}
	}
}

// set says which presets are in use, and forgets the counts of others.
func (m *threatMetrics) set(resolved, was []resolvedThreat) {
	rows := make([][]string, len(resolved))
	for i := range resolved {
		r := &resolved[i]
		rows[i] = []string{r.task(), r.preset.Name, r.entityType, r.by()}
	}
	m.info.Set(rows)
	for i := range was {
		task := was[i].task()
		if slices.ContainsFunc(resolved, func(r resolvedThreat) bool { return r.task() == task }) {
			continue
		}
		by := prometheus.Labels{"signal": task}
		for _, v := range []*prometheus.GaugeVec{m.entities, m.watched, m.suppressed, m.forgotten, m.allowed, m.quiet, m.refused, m.flooded} {
			v.DeletePartialMatch(by)
		}
		m.opened.DeletePartialMatch(by)
	}
}
