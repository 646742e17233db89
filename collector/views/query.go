package views

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// PredictionFilter says which predictions are wanted; a zero field wants all.
type PredictionFilter struct {
	ModelType  string // "" is forecasts of any type, but no scores
	Signal     string
	Horizon    string // as in 7d
	Confidence string // at least that level
	Labels     map[string]string
	Past       bool // those on record that a newer fit superseded, newest first, instead of the current ones
	Offset     int
	Limit      int // of the answer; 0 is all
}

// levels from the lowest.
var levels = []string{"low", "medium", "high", "very_high"}

// ConfidenceLevels lists the levels a filter may name, from the lowest.
func ConfidenceLevels() []string { return slices.Clone(levels) }

// enough reports whether a confidence is at least that of the filter.
func (f *PredictionFilter) enough(confidence float64) bool {
	return f.Confidence == "" || !math.IsNaN(confidence) &&
		slices.Index(levels, series.ConfidenceLevel(confidence)) >= slices.Index(levels, f.Confidence)
}

// hasLabels reports whether rs[i] has the labels wanted.
func hasLabels(rs []series.Result, i int, want map[string]string) bool {
	return len(want) == 0 || matches(tellingName(rs, i), rs[i].Labels, want)
}

// matches reports whether a series has the labels wanted; "" is none.
func matches(source string, ls labels.Labels, want map[string]string) bool {
	for name, value := range want {
		have := ls.Get(name)
		if name == sourceName && source != "" {
			have = source
		}
		if have != value {
			return false
		}
	}
	return true
}

// pager counts what matches and says what is on the page.
type pager struct{ offset, limit, total, taken int }

func (p *pager) take() bool {
	p.total++
	if p.total <= p.offset || p.limit > 0 && p.taken >= p.limit {
		return false
	}
	p.taken++
	return true
}

// shot is one task's newest results, as they were.
type shot struct {
	name    string
	signal  Signal
	results []series.Result
	rows    []row // values may be newer
}

// shots returns the tasks by name, or the one called only.
func (v *Views) shots(only string) []shot {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []shot
	for _, name := range slices.Sorted(maps.Keys(v.tasks)) {
		s, configured := v.signals[name]
		if t := v.tasks[name]; configured && (only == "" || only == name) {
			out = append(out, shot{name, s, t.current(), t.rows})
		}
	}
	return out
}

// Predictions returns the current predictions by signal and series, and how many
// match in all. Only those of the page are made.
func (v *Views) Predictions(f PredictionFilter) (page []Prediction, total int) {
	switch {
	case f.Past:
		return v.pastPredictions(f)
	case f.ModelType == SecurityThreat:
		return v.risks(f)
	case f.ModelType == AnomalyDetection:
		return v.scores(f)
	}
	page, p := []Prediction{}, pager{offset: f.Offset, limit: f.Limit}
	for _, t := range v.shots(f.Signal) {
		if f.ModelType != "" && f.ModelType != ModelTypeOf(t.signal.Type) {
			continue
		}
		for i := range t.results {
			r := &t.results[i]
			if f.ModelType == CostOptimization && hasLabels(t.results, i, f.Labels) {
				for _, one := range v.planned(&t, i) {
					if (f.Horizon == "" || f.Horizon == one.Horizon) && f.enough(value(one.Confidence)) && p.take() {
						page = append(page, one)
					}
				}
			}
			if r.Forecast == nil || !f.enough(r.Forecast.Confidence) || !hasLabels(t.results, i, f.Labels) {
				continue
			}
			for _, h := range r.Horizons {
				if f.Horizon != "" && f.Horizon != collector.HorizonLabel(h.Horizon) {
					continue
				}
				if p.take() {
					page = append(page, v.forecastOf(t.name, t.signal, t.results, i, h))
				}
			}
		}
	}
	return page, p.total
}

// scores returns the predictions for now.
func (v *Views) scores(f PredictionFilter) (page []Prediction, total int) {
	return v.newest(f, func(r *series.Result) bool { return r.Score != nil && f.enough(r.Score.Confidence) })
}

// newest returns what is known of the newest points of the series that are wanted.
func (v *Views) newest(f PredictionFilter, wanted func(*series.Result) bool) (page []Prediction, total int) {
	page, p := []Prediction{}, pager{offset: f.Offset, limit: f.Limit}
	if f.Horizon != "" && f.Horizon != now {
		return page, 0
	}
	for _, t := range v.shots(f.Signal) {
		for i := range t.results {
			if !wanted(&t.results[i]) || !hasLabels(t.results, i, f.Labels) {
				continue
			}
			if r := &t.results[i]; r.Threat != nil && p.take() {
				page = append(page, v.riskOf(t.name, r))
			} else if r.Threat == nil && p.take() {
				page = append(page, v.scoreOf(t.name, t.signal, t.results, i, v.values(t.rows, i)))
			}
		}
	}
	return page, p.total
}

// values returns the newest values of a row.
func (v *Views) values(rows []row, i int) []float64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return rows[i].list()
}

func (v *Views) pastPredictions(f PredictionFilter) (page []Prediction, total int) {
	v.mu.RLock()
	lists := make([][]Prediction, 0, len(v.past))
	for _, kind := range ModelTypes {
		if list := v.past[kind]; f.ModelType == "" || f.ModelType == kind {
			lists = append(lists, list[max(0, len(list)-v.o.Keep):])
		}
	}
	v.mu.RUnlock()
	all := slices.Concat(lists...)
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b Prediction) int { return cmp.Compare(b.Slot, a.Slot) })
	page, p := []Prediction{}, pager{offset: f.Offset, limit: f.Limit}
	for i := range all {
		a := &all[i]
		c := math.NaN()
		if a.Confidence != nil {
			c = *a.Confidence
		}
		if f.Signal != "" && a.Signal != f.Signal || f.Horizon != "" && a.Horizon != f.Horizon || !f.enough(c) ||
			!matches("", labels.FromMap(a.Labels), f.Labels) {
			continue
		}
		if p.take() {
			page = append(page, *a)
		}
	}
	return page, p.total
}

// The states of a finding.
const (
	Open  = "open"
	Ended = "ended"
)

// AnomalyFilter says which findings are wanted; a zero field wants all.
type AnomalyFilter struct {
	Family, Type, Severity, Signal string
	State                          string // Open or Ended
	Since                          int64  // open, or ended at that time or later, Unix milliseconds
	Labels                         map[string]string
	Offset, Limit                  int
}

func (f *AnomalyFilter) match(a *record) bool {
	for _, c := range [][2]string{{f.Family, a.Family}, {f.Type, a.Type}, {f.Severity, a.Severity}, {f.Signal, a.task}} {
		if c[0] != "" && c[0] != c[1] {
			return false
		}
	}
	if f.State == Open && !a.Open() || f.State == Ended && a.Open() || !a.Open() && a.End < f.Since {
		return false
	}
	return matches(a.telling, a.labels, f.Labels)
}

// Anomalies returns the findings on record, newest first, and how many match in
// all.
func (v *Views) Anomalies(f AnomalyFilter) (page []Anomaly, total int) {
	v.mu.RLock()
	all := v.records()
	v.mu.RUnlock()
	slices.SortFunc(all, func(a, b record) int {
		if a.Start != b.Start {
			return cmp.Compare(b.Start, a.Start)
		}
		return strings.Compare(a.ID, b.ID)
	})
	page, p := []Anomaly{}, pager{offset: f.Offset, limit: f.Limit}
	var taken []*record
	for i := range all {
		if f.match(&all[i]) && p.take() {
			near := relatives(i, all)
			a := anomalyOf(&all[i], around(&all[i], near))
			a.Related = identities(near)
			page, taken = append(page, a), append(taken, &all[i])
		}
	}
	v.draw(page, taken)
	return page, p.total
}

// draw gives the anomalies the newest values of their series, if those still mean
// what they meant.
func (v *Views) draw(page []Anomaly, of []*record) {
	wanted := map[string]map[uint64][]int{} // by task and series, where on the page
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i, f := range of {
		if s := v.signals[f.task]; !s.comparable(&f.signal) {
			continue
		}
		if wanted[f.task] == nil {
			wanted[f.task] = map[uint64][]int{}
		}
		k := rowKey(f.source, f.labels)
		wanted[f.task][k] = append(wanted[f.task][k], i)
	}
	for name, keys := range wanted {
		t := v.tasks[name]
		if t == nil {
			continue
		}
		for i := range t.rows {
			for _, j := range keys[t.rows[i].key] {
				page[j].Path = numbers(t.rows[i].list())
			}
		}
	}
}

// maxRelated bounds the findings that one refers to.
const maxRelated = 10

// relatives returns the findings that started at about the time of all[i] and share
// a label with it, are of its group, or of a KPI that moved with it, the newest first. all is sorted by start,
// newest first.
func relatives(i int, all []record) []*record {
	a := &all[i]
	near := func(b *record) bool {
		d := a.Start - b.Start
		return d <= rules.RelatedWithin && d >= -rules.RelatedWithin
	}
	first := i
	for first > 0 && near(&all[first-1]) {
		first--
	}
	var out []*record
	for j := first; j < len(all) && near(&all[j]) && len(out) < maxRelated; j++ {
		if b := &all[j]; j != i && (shareLabel(a.labels, b.labels) || sameGroup(a, b) || kpi(b, a) || kpi(a, b)) {
			out = append(out, b)
		}
	}
	return out
}

func identities(rs []*record) []string {
	out := make([]string, 0, len(rs))
	for _, r := range rs {
		out = append(out, r.ID)
	}
	return out
}

// kpi reports whether a is of a KPI that moved with b.
func kpi(a, b *record) bool {
	return rules.MovedWith(a.signal.SignalInfo, a.labels, b.signal.SignalInfo, b.labels)
}

func sameGroup(a, b *record) bool { return a.Group != "" && a.Group == b.Group }

// around returns what the alert of a says about the others: those of its group, and
// those of other signals about the same workload or host, and KPIs that moved with it.
func around(a *record, others []*record) rules.Context {
	var c rules.Context
	subjects := rules.Subjects(a.labels)
	for _, b := range others {
		switch {
		case sameGroup(a, b):
			c.Together = append(c.Together, rules.Short(b.signal.SignalInfo, b.result(), b.Finding))
		case kpi(b, a):
			c.Business = append(c.Business, rules.Short(b.signal.SignalInfo, b.result(), b.Finding))
		case a.task != b.task && (kpi(a, b) || rules.SameSubject(subjects, rules.Subjects(b.labels))):
			c.Elsewhere = append(c.Elsewhere, rules.Short(b.signal.SignalInfo, b.result(), b.Finding))
		}
	}
	return c
}

func shareLabel(a, b labels.Labels) bool {
	shared := false
	a.Range(func(l labels.Label) { shared = shared || b.Get(l.Name) == l.Value })
	return shared
}
