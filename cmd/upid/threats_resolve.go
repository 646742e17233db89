package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/presets"
)

// resolvedThreat is a preset of detectors with the entity that the server's metrics can tell
// apart.
type resolvedThreat struct {
	preset     config.ThreatPreset
	entity     []string // labels; empty: there is one entity
	entityType string
}

// task returns the name of its task, which is its signal.
func (r *resolvedThreat) task() string { return threatTask(r.preset.Name) }

func threatTask(preset string) string { return "threats-" + preset }

// by says what tells the entities apart.
func (r *resolvedThreat) by() string {
	return cmp.Or(strings.Join(r.entity, "/"), "nothing: there is one")
}

// missingThreat is a preset that cannot be used, and why.
type missingThreat struct{ preset, why string }

// querier asks PromQL over a range, in Unix milliseconds.
type querier func(ctx context.Context, expr string, start, end, step int64) (series.Data, error)

// probed is how far back, and how finely, the server is asked which metrics there are: one
// that is away for a moment is not forgotten.
const (
	probed    = time.Hour
	probeStep = 10 * time.Minute
)

// wantedThreats returns the presets that a configuration asks for, parsed.
func wantedThreats(cfg *config.Threats) ([]config.ThreatPreset, error) {
	names := cfg.Presets
	if slices.Contains(names, config.AutoPresets) {
		names = presets.Threats()
	}
	out := make([]config.ThreatPreset, 0, len(names))
	for _, name := range names {
		b, _ := presets.Threat(name)
		p, err := config.ParseThreatPreset(name, b, threatChecks())
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// resolveThreats asks the server which of the presets' metrics are there, once, and of each
// preset that has some which of its entities they can tell apart.
// A label that policy does not let in makes no entity.
func resolveThreats(ctx context.Context, query querier, cfg *config.Threats, policy *labelPolicy, now time.Time) ([]resolvedThreat, []missingThreat, error) {
	wanted, err := wantedThreats(cfg)
	if err != nil {
		return nil, nil, err
	}
	there, err := metricsThere(ctx, query, wanted, now)
	if err != nil {
		return nil, nil, err
	}
	var out []resolvedThreat
	var missing []missingThreat
	for _, p := range wanted {
		metrics := slices.DeleteFunc(slices.Clone(p.Metrics), func(m string) bool { return !there[m] })
		if len(metrics) == 0 {
			missing = append(missing, missingThreat{p.Name, "none of its metrics (" + strings.Join(p.Metrics, ", ") + ") is there"})
			continue
		}
		r := resolvedThreat{preset: p, entity: nil, entityType: ""}
		found, choices := false, p.Entity
		if o := cfg.Override(p.Name); o.Entity != nil {
			choices = [][]string{o.Entity}
		}
		for i, ls := range choices {
			if slices.ContainsFunc(ls, func(l string) bool { return !policy.leaves(l) }) {
				continue
			}
			ok, err := entityThere(ctx, query, metrics, ls, p.Having, now)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				found, r.entity, r.entityType = true, ls, entityType(&p, ls, i)
				break
			}
		}
		if !found {
			missing = append(missing, missingThreat{p.Name, "its metrics have none of the labels it tells entities apart by: " + entityText(p)})
			continue
		}
		out = append(out, r)
	}
	return out, missing, nil
}

// entityType returns what labels tell apart: what the preset calls them, or their names.
func entityType(p *config.ThreatPreset, ls []string, i int) string {
	if i := slices.IndexFunc(p.Entity, func(e []string) bool { return slices.Equal(e, ls) }); i >= 0 {
		return p.EntityType[min(i, len(p.EntityType)-1)]
	}
	return cmp.Or(strings.Join(ls, "/"), p.EntityType[min(i, len(p.EntityType)-1)])
}

// metricsThere returns which metrics of the presets the server has.
func metricsThere(ctx context.Context, query querier, ps []config.ThreatPreset, now time.Time) (map[string]bool, error) {
	var names []string
	for _, p := range ps {
		names = append(names, p.Metrics...)
	}
	slices.Sort(names)
	d, err := probe(ctx, query, "group by (__name__) ("+selector(slices.Compact(names), nil, nil)+")", now)
	if err != nil {
		return nil, fmt.Errorf("which metrics of threats are there: %w", err)
	}
	out := map[string]bool{}
	for _, s := range d.Series {
		out[s.Labels.Get(model.MetricNameLabel)] = true
	}
	return out, nil
}

// entityThere reports whether a metric has all of the labels, and others as they should be.
func entityThere(ctx context.Context, query querier, metrics, ls []string, having config.Having, now time.Time) (bool, error) {
	if len(ls)+len(having) == 0 {
		return true, nil
	}
	d, err := probe(ctx, query, "group("+selector(metrics, ls, having)+")", now)
	if err != nil {
		return false, fmt.Errorf("which entity the metrics tell apart: %w", err)
	}
	return len(d.Series) > 0, nil
}

func probe(ctx context.Context, query querier, expr string, now time.Time) (series.Data, error) {
	end := now.Truncate(time.Second).UnixMilli()
	d, err := query(ctx, expr, end-probed.Milliseconds(), end, probeStep.Milliseconds())
	if err == nil && d.Partial {
		err = fmt.Errorf("query %q: the answer is incomplete: %s", expr, strings.Join(d.Warnings, "; "))
	}
	return d, err
}

// selector returns the selector of metrics that have all of the labels, and others as they
// should be.
func selector(metrics, ls []string, having config.Having) string {
	quoted := make([]string, len(metrics))
	for i, m := range metrics {
		quoted[i] = regexp.QuoteMeta(m)
	}
	matchers := []string{`__name__=~"` + strings.Join(quoted, "|") + `"`}
	for _, l := range ls {
		matchers = append(matchers, l+`!=""`)
	}
	for _, l := range slices.Sorted(maps.Keys(having)) {
		matchers = append(matchers, fmt.Sprintf("%s=~%q", l, strings.TrimSuffix(strings.TrimPrefix(having[l].String(), "^(?s:"), ")$")))
	}
	return "{" + strings.Join(matchers, ",") + "}"
}
