package views

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// record is a finding as it was last spoken of.
type record struct {
	series.Finding
	task    string
	signal  Signal // as it was configured then
	source  string
	telling string // source if only that tells the series from another
	labels  labels.Labels
	time    int64 // of the newest complete point then
	rollout *series.Rollout
	write   uint64
}

// result is what is known of the series, for the texts.
func (f *record) result() series.Result {
	return series.Result{
		Signal: f.task, SourceName: f.source, Labels: f.labels, Slot: 0, Time: f.time, Observed: f.Score.Observed,
		Forecast: nil, Horizons: nil, Score: nil, Findings: nil, Past: nil, BudgetSpent: math.NaN(), Trends: nil, Warnings: nil, Rollout: f.rollout, Threat: nil, Plan: nil, Live: nil,
	}
}

// record brings the findings up to date with the results of a task. A finding
// that was open and is not spoken of any more ended unseen.
func (v *Views) record(name string, t *task) {
	v.writes++
	signal := v.signals[name]
	full, last := v.last()
	for i := range t.results {
		r := &t.results[i]
		note := func(f *series.Finding) {
			if f.Note != nil && (f.Note.Alert == rules.AlertCapacity || f.Note.Alert == rules.AlertForecast) {
				return // is a recommendation or a forecast, and no anomaly
			}
			if f.Threat != nil {
				v.noteThreat(signal, r, f)
				return
			}
			old, known := v.findings[f.ID]
			if known && !old.Open() && old.End == f.End {
				return
			}
			now := record{Finding: *f, task: name, signal: signal, source: r.SourceName, telling: tellingName(t.results, i), labels: r.Labels, time: r.Time, rollout: r.Rollout, write: v.writes}
			if full && !known && compare(&now, &last) > 0 {
				return
			}
			if now.Family == "" {
				now.Family = rules.Family(signal.Type, now.Type)
			}
			v.findings[f.ID] = now
			if len(v.findings) > 2*v.o.Keep {
				v.trim()
				full, last = v.last()
			}
		}
		// Results share the list of their past ones until it grows.
		if p := r.Past; len(p) > 0 && !same(p, t.rows[i].past) {
			for j := range p {
				note(&p[j])
			}
			t.rows[i].past = p
		}
		for j := range r.Findings {
			note(&r.Findings[j])
		}
	}
	for id, f := range v.findings {
		if f.task == name && f.Open() && f.write != v.writes {
			f.End = t.slot
			v.findings[id] = f
		}
	}
	v.trim()
	v.settleThreats(name, t.slot)
}

// same reports whether a and b are one slice.
func same(a, b []series.Finding) bool { return len(a) == len(b) && &a[0] == &b[0] }

// compare orders the findings by how much they are worth keeping: open ones
// first, then the newest.
func compare(a, b *record) int {
	switch {
	case a.Open() != b.Open() && a.Open():
		return -1
	case a.Open() != b.Open():
		return 1
	case a.Start != b.Start:
		return cmp.Compare(b.Start, a.Start)
	}
	return strings.Compare(a.ID, b.ID)
}

// last returns the finding that is worth least, and whether there is no room for
// a lesser one.
func (v *Views) last() (full bool, least record) {
	if len(v.findings) < v.o.Keep {
		return false, record{}
	}
	first := true
	for _, f := range v.findings {
		if first || compare(&f, &least) > 0 {
			least, first = f, false
		}
	}
	return true, least
}

// trim forgets the findings beyond Keep.
func (v *Views) trim() {
	if len(v.findings) <= v.o.Keep {
		return
	}
	all := v.records()
	slices.SortFunc(all, func(a, b record) int { return compare(&a, &b) })
	for _, f := range all[v.o.Keep:] {
		delete(v.findings, f.ID)
	}
}

// records returns the findings in no order.
func (v *Views) records() []record {
	out := make([]record, 0, len(v.findings))
	for _, f := range v.findings {
		out = append(out, f)
	}
	return out
}
