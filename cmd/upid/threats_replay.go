package main

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/engine"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/threats"
	"github.com/upid/upid/detect/threat"
)

// A query answers at most replayChunk slots at once, fewer if there are so many series that
// it would hold more than replayPoints of them: the memory of a replay does not grow with
// the length of the input.
const (
	replayChunk  = 512
	replayPoints = 1 << 20
)

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
	slots := int64(min(max(replayPoints/max(eng.Series(), 1), 1), replayChunk))
	for from := first + step; from <= last; from += slots * step {
		to := min(from+(slots-1)*step, last)
		answers, err := w.ask(ctx, eng, from, to)
		if err != nil {
			return nil, nil, err
		}
		for t := from; t <= to; t += step {
			alerts, cs := w.monitor.Step(t, slotAt(answers, t))
			for _, a := range alerts {
				rows = append(rows, threatRow{time: t, alert: a})
			}
			campaigns = append(campaigns, cs...)
		}
		progress(float64(to-first) / float64(last-first))
	}
	return rows, campaigns, nil
}

// threatAnswer is one series of the answer to a query, with how far it was read.
type threatAnswer struct {
	detector, input string
	sample          threat.Sample
	line            engine.Line
	next            int
}

// ask asks the queries of the detectors for the slots from from to to.
func (w *watch) ask(ctx context.Context, eng *engine.Engine, from, to int64) ([]threatAnswer, error) {
	var out []threatAnswer
	for _, d := range w.preset.Detectors {
		reader := threats.Reader{Entity: w.entity, Labels: d.Labels}
		for _, input := range slices.Sorted(maps.Keys(w.queries[d.Name])) {
			lines, err := eng.Range(ctx, w.queries[d.Name][input], from, to, w.step.Milliseconds())
			if err != nil {
				return nil, err
			}
			for _, l := range lines {
				out = append(out, threatAnswer{detector: d.Name, input: input, sample: reader.Sample(l.Labels), line: l, next: 0})
			}
		}
	}
	return out, nil
}

// slotAt returns what the answers say at t, which is later at each call.
func slotAt(answers []threatAnswer, t int64) map[string]threat.Slot {
	out := map[string]threat.Slot{}
	for i := range answers {
		a := &answers[i]
		if a.next == len(a.line.Times) || a.line.Times[a.next] != t {
			continue
		}
		a.sample.Value = a.line.Values[a.next]
		a.next++
		if out[a.detector] == nil {
			out[a.detector] = threat.Slot{}
		}
		out[a.detector][a.input] = append(out[a.detector][a.input], a.sample)
	}
	return out
}
