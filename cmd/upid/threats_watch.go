package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/rules/presets"
)

// watch is a preset with the entity that the input can tell apart.
type watch struct {
	preset  config.ThreatPreset
	entity  []string // labels
	step    time.Duration
	monitor *threat.Monitor
	queries map[string]map[string]string // PromQL by detector and input
	span    time.Duration                // of the counters, known after replay
}

// unlearned returns how long the preset learns before it says anything, if the counters
// are no longer than that: then no alert means nothing. It is 0 otherwise.
func (w *watch) unlearned() time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, d := range w.preset.Detectors {
		least = min(least, learning(d.Model))
	}
	if w.span > least {
		return 0
	}
	return least
}

// learning returns for how long a model of threats says nothing of the first entities.
func learning(m string) time.Duration {
	switch m {
	case threat.ModelNovelty, threat.ModelPassthrough:
		return 0
	case threat.ModelFirstSeen:
		return 3 * 24 * time.Hour
	case threat.ModelEgress, threat.ModelPeak:
		return 7 * 24 * time.Hour
	}
	return 48 * time.Hour
}

// threatChecks are what presets of detectors are checked against.
func threatChecks() config.ThreatChecks {
	families := make([]string, len(threat.Families))
	for i, f := range threat.Families {
		families[i] = string(f)
	}
	return config.ThreatChecks{
		Threats: threat.Threats, Families: families, Catalogues: slices.Sorted(maps.Keys(threat.Catalogues)),
		Inputs: func(model string) (need, may []string, ok bool) {
			if _, ok = threat.Models[model]; !ok {
				return nil, nil, false
			}
			need, may = threat.Inputs(model)
			return need, may, true
		},
	}
}

// watches makes the presets ready that were named, or those whose metrics are there, and
// says which entity each resolves.
func (c *threatsCmd) watches(e *env, counters []source.FileSeries) ([]*watch, error) {
	auto := slices.Contains(c.Preset, "auto")
	names := c.Preset
	if auto {
		names = presets.Threats()
	}
	var out []*watch
	for _, name := range names {
		b, _ := presets.Threat(name)
		p, err := config.ParseThreatPreset(name, b, threatChecks())
		if err != nil {
			return nil, err
		}
		i, have := resolve(p, counters)
		if i < 0 {
			if auto {
				continue
			}
			if !have {
				return nil, fmt.Errorf("preset %s: none of its metrics (%s) is in the input", name, strings.Join(p.Metrics, ", "))
			}
			return nil, fmt.Errorf("preset %s: its metrics in the input have none of the labels it tells entities apart by: %s", name, entityText(p))
		}
		w, err := c.watch(e, p, i)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(e.stderr, "upid: preset %s: %s by %s, slots of %s\n", name, w.entityType(i), cmp.Or(strings.Join(w.entity, "/"), "nothing: there is one"), duration(w.step))
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no preset knows the metrics of the input (%s); --preset names one, --help lists them", metricNames(counters))
	}
	return out, nil
}

func (w *watch) entityType(i int) string {
	if i < len(w.preset.EntityType) {
		return w.preset.EntityType[i]
	}
	return w.preset.EntityType[len(w.preset.EntityType)-1]
}

// resolve returns which of the preset's entities the input has: the first whose labels are
// all on some counter of the preset. A counter that is named after its file has an entity
// of its own, which comes after those of the preset. It is −1 if there is none; have
// says whether the metrics are there at all.
func resolve(p config.ThreatPreset, counters []source.FileSeries) (i int, have bool) {
	for i, ls := range append(slices.Clone(p.Entity), []string{source.StemLabel}) {
		for _, s := range counters {
			if !slices.Contains(p.Metrics, s.Labels.Get(model.MetricNameLabel)) || !p.Having.Match(s.Labels.Get) {
				continue
			}
			have = true
			if !slices.ContainsFunc(ls, func(l string) bool { return !s.Labels.Has(l) }) {
				return i, true
			}
		}
	}
	return -1, have
}

func entityText(p config.ThreatPreset) string {
	texts := make([]string, len(p.Entity))
	for i, ls := range p.Entity {
		texts[i] = strings.Join(ls, "/")
	}
	return strings.Join(texts, ", ")
}

// metricNames lists the first few names of the input.
func metricNames(counters []source.FileSeries) string {
	var names []string
	for _, s := range counters {
		if n := s.Labels.Get(model.MetricNameLabel); !slices.Contains(names, n) {
			if len(names) == 5 {
				return strings.Join(names, ", ") + ", …"
			}
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// watch makes one preset ready.
func (c *threatsCmd) watch(e *env, p config.ThreatPreset, i int) (*watch, error) {
	w := &watch{preset: p, entity: []string{source.StemLabel}, step: time.Duration(c.CounterStep), monitor: nil, queries: map[string]map[string]string{}, span: 0}
	if i < len(p.Entity) {
		w.entity = p.Entity[i]
	}
	if w.step == 0 {
		w.step = p.Step
	}
	loc := e.loc
	if loc == time.UTC || loc.String() == "UTC" {
		loc = nil
	}
	specs := make([]threat.Spec, len(p.Detectors))
	for k, d := range p.Detectors {
		specs[k] = threatSpec(d, w.step, c.Budget, loc)
		w.queries[d.Name] = map[string]string{}
		for input, q := range d.Inputs {
			expr, err := presets.Expand(q, w.entity, w.step)
			if err != nil {
				return nil, fmt.Errorf("preset %s: %s: %w", p.Name, d.Name, err)
			}
			w.queries[d.Name][input] = expr
		}
	}
	var err error
	w.monitor, err = threat.NewMonitor(threat.MonitorOptions{EntityType: w.entityType(i), Step: w.step, AlertFrom: 0, Hold: 0, Entities: 0}, specs)
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", p.Name, err)
	}
	return w, nil
}
