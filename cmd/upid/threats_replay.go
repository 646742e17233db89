package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/threats"
	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/rules/presets"
)

// readCounters reads the raw counters of all files.
func readCounters(ctx context.Context, e *env, paths []string) ([]source.FileSeries, error) {
	var all []source.FileSeries
	from := map[string]string{}
	for _, path := range paths {
		file, err := readCounterFile(ctx, e, path)
		if err != nil {
			return nil, err
		}
		for _, w := range file.Warnings {
			e.warnf("%s: %s", path, w)
		}
		for _, s := range file.Series {
			key := s.Labels.String()
			if other, ok := from[key]; ok {
				return nil, fmt.Errorf("series %s is in %s and in %s", key, other, path)
			}
			from[key] = path
		}
		all = append(all, file.Series...)
	}
	return all, nil
}

// readCounterFile reads raw counters from path, or stdin.
func readCounterFile(ctx context.Context, e *env, path string) (source.File, error) {
	return interruptible(ctx, func() (source.File, error) {
		if path == "-" {
			return source.ReadCounters("<stdin>", e.stdin)
		}
		f, err := os.Open(path)
		if err != nil {
			return source.File{}, err
		}
		defer f.Close()
		return source.ReadCounters(path, f)
	})
}

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
			if !slices.Contains(p.Metrics, s.Labels.Get(model.MetricNameLabel)) {
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

// replayChunk is how many slots a query answers at once.
const replayChunk = 512

// replay stores the counters on the grid of the slots, asks the queries slot by slot and
// steps the detectors. A query looks back only, so its answers for a stretch of slots are
// those it would have given in each of them.
func (w *watch) replay(ctx context.Context, counters []source.FileSeries, progress func(share float64)) ([]threatRow, []threat.Campaign, error) {
	dir, err := os.MkdirTemp("", "upid-threats")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	// A counter that is written on change keeps its value: the look-back has no end.
	eng, err := engine.Open(engine.Options{Dir: dir, Timeout: time.Hour, MaxSamples: 100_000_000, Lookback: 100 * 365 * 24 * time.Hour})
	if err != nil {
		return nil, nil, err
	}
	first, last, err := w.store(ctx, eng, counters)
	if err == nil {
		w.span = millis(max(0, last-first))
		var rows []threatRow
		var campaigns []threat.Campaign
		rows, campaigns, err = w.run(ctx, eng, first, last, progress)
		if err == nil {
			return rows, campaigns, eng.Close()
		}
	}
	return nil, nil, errors.Join(err, eng.Close())
}

// store stores each row in the slot that ends at or after its time. It returns the first
// and the last slot.
func (w *watch) store(ctx context.Context, eng *engine.Engine, counters []source.FileSeries) (first, last int64, err error) {
	step := w.step.Milliseconds()
	first, last = math.MaxInt64, math.MinInt64
	b := eng.Batch(ctx)
	for _, s := range counters {
		if !slices.Contains(w.preset.Metrics, s.Labels.Get(model.MetricNameLabel)) && !w.mayNeed(s.Labels) {
			continue
		}
		var ref uint64
		for i, t := range s.Times {
			slot := ceilTo(t, step)
			first, last = min(first, slot), max(last, slot)
			if i+1 < len(s.Times) && ceilTo(s.Times[i+1], step) == slot {
				continue // the newest of the slot counts
			}
			if ref, err = b.Append(ref, s.Labels, slot, s.Values[i]); err != nil {
				return 0, 0, errors.Join(err, b.Rollback())
			}
			if b.Len() >= 1_000_000 {
				if err := b.Commit(); err != nil {
					return 0, 0, err
				}
				b = eng.Batch(ctx)
			}
		}
	}
	return first, last, b.Commit()
}

// mayNeed reports whether a query names the metric of ls, or chooses metrics by a pattern.
func (w *watch) mayNeed(ls labels.Labels) bool {
	name := ls.Get(model.MetricNameLabel)
	for _, inputs := range w.queries {
		for _, q := range inputs {
			if strings.Contains(q, name) || strings.Contains(q, model.MetricNameLabel) {
				return true
			}
		}
	}
	return false
}

func ceilTo(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	if r == 0 {
		return t
	}
	return t + step - r
}

// run steps the monitor from the second slot on: what a counter rose by in the first is not
// known.
func (w *watch) run(ctx context.Context, eng *engine.Engine, first, last int64, progress func(share float64)) ([]threatRow, []threat.Campaign, error) {
	var rows []threatRow
	var campaigns []threat.Campaign
	step := w.step.Milliseconds()
	for from := first + step; from <= last; from += replayChunk * step {
		to := min(from+(replayChunk-1)*step, last)
		slots, err := w.ask(ctx, eng, from, to)
		if err != nil {
			return nil, nil, err
		}
		for i, in := range slots {
			t := from + int64(i)*step
			alerts, cs := w.monitor.Step(t, in)
			for _, a := range alerts {
				rows = append(rows, threatRow{time: t, alert: a})
			}
			campaigns = append(campaigns, cs...)
		}
		progress(float64(to-first) / float64(last-first))
	}
	return rows, campaigns, nil
}

// ask returns the inputs of the detectors in the slots from from to to.
func (w *watch) ask(ctx context.Context, eng *engine.Engine, from, to int64) ([]map[string]threat.Slot, error) {
	step := w.step.Milliseconds()
	slots := make([]map[string]threat.Slot, (to-from)/step+1)
	for i := range slots {
		slots[i] = make(map[string]threat.Slot, len(w.preset.Detectors))
	}
	for _, d := range w.preset.Detectors {
		reader := threats.Reader{Entity: w.entity, Labels: d.Labels}
		for _, input := range slices.Sorted(maps.Keys(w.queries[d.Name])) {
			lines, err := eng.Range(ctx, w.queries[d.Name][input], from, to, step)
			if err != nil {
				return nil, err
			}
			for _, l := range lines {
				s := reader.Sample(l.Labels)
				for k, t := range l.Times {
					s.Value = l.Values[k]
					slot := slots[(t-from)/step]
					if slot[d.Name] == nil {
						slot[d.Name] = threat.Slot{}
					}
					slot[d.Name][input] = append(slot[d.Name][input], s)
				}
			}
		}
	}
	return slots, nil
}
