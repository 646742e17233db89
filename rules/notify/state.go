package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// resolvedRetention is how long a resolution is posted again, so that an
// Alertmanager that was away hears of it.
const resolvedRetention = 15 * time.Minute

// staleAfter is how many score intervals a task may be silent before its alerts
// say so; the pipeline expires its results then too.
const staleAfter = 3

// overflowID stands for the alert that sums up what MaxActivePerSignal hides.
const overflowID = "overflow"

// typeSummary is the type label of that alert.
const typeSummary = "summary"

// taskState is what is known about the alerts of one task. Only firing alerts
// of the newest results and recent resolutions are in it: an open finding that
// its task no longer lists is neither resolved nor posted again, so that it
// lapses at the end it was posted with unless it comes back before.
type taskState struct {
	info       rules.SignalInfo
	slot       int64     // of the newest results
	wrote      time.Time // when they came
	expired    bool      // the pipeline calls them too old
	alerts     map[string]*alert
	posted     map[string]string // finding → key of its firing alert
	left       map[string]bool   // findings that were not posted, each counted once
	leads      map[string]lead   // of the alerts of groups that are open, by group
	open       []moved           // findings that were open in the newest results
	overflow   *overflow         // nil while nothing is hidden
	suppressed int
}

// overflow is the life of the summary alert.
type overflow struct {
	start    int64
	severity string // never falls
}

// finding is one finding of the newest results with its labels.
type finding struct {
	id     string
	labels labels.Labels
	key    string
	r      *series.Result
	f      *series.Finding
	named  bool // only its metric name tells the series from another

	context rules.Context
}

// omission is a finding that cannot be posted.
type omission struct {
	reason string
	err    error
}

// change is what is worth posting at once: the key of one alert, or of two to be
// posted in this order in one batch.
type change []string

// update takes in the results of a slot; others are the findings of other tasks. It
// depends on nothing but the state and its arguments. An alert that fires and whose
// finding is not spoken of any more lapses, since it may be back; vanished says how
// many begin to.
func (t *taskState) update(now time.Time, slot int64, rs []series.Result, maxActive int, external map[string]string, others []moved) (_ []change, _ []omission, vanished int) {
	findings, omitted := t.collect(rs, external)
	findings, omitted = t.group(findings, omitted, external)
	elsewhere(t.info, findings, others)
	slices.SortFunc(findings, func(a, b finding) int { return t.order(a, b) })
	var (
		next    = map[string]*alert{}
		posted  = map[string]string{}
		changes []change
		hidden  []finding
	)
	for key, a := range t.alerts {
		if !a.firing() && now.Before(a.forgetAt) {
			next[key] = a
		}
	}
	forget := now.Add(resolvedRetention)
	fire := func(id string, a *alert) {
		was, old := t.alerts[t.posted[id]], t.alerts[a.key]
		switch {
		case was != nil && was.key != a.key && (next[was.key] == nil || !next[was.key].firing()):
			// The severity rose: another label set, so another alert.
			next[was.key] = was.resolved(now, forget)
			changes = append(changes, change{was.key, a.key})
		case old == nil || !old.firing() || old.mark != a.mark:
			changes = append(changes, change{a.key})
		}
		next[a.key], posted[id] = a, a.key
	}
	resolve := func(a *alert, end int64) {
		if p := next[a.key]; p != nil && p.firing() {
			return // another finding of the same labels fires
		}
		at := time.UnixMilli(end)
		if at.After(now) {
			at = now
		}
		next[a.key] = a.resolved(at, forget)
		changes = append(changes, change{a.key})
	}

	for _, c := range findings {
		switch {
		case !c.f.Open():
		case next[c.key] != nil && next[c.key].firing():
			omitted = t.omit(omitted, c.id, dropDuplicate, fmt.Errorf("finding %s: another one has the labels %s", c.id, c.key))
		case maxActive > 0 && len(posted) >= maxActive:
			hidden = append(hidden, c)
		default:
			fire(c.id, t.render(c))
		}
	}
	resolvedNow := 0
	for _, c := range findings {
		if c.f.Open() {
			continue
		}
		switch was := t.alerts[t.posted[c.id]]; {
		case was != nil:
			a := t.render(c)
			a.key, a.labels, a.severity = was.key, was.labels, was.severity // as the Alertmanager knows it
			resolve(a, c.f.End)
		// Resolved before this process saw it fire: an earlier one may have
		// posted it.
		case next[c.key] == nil && now.Sub(time.UnixMilli(c.f.End)) <= resolvedRetention &&
			(maxActive <= 0 || resolvedNow < maxActive):
			resolvedNow++
			resolve(t.render(c), c.f.End)
		}
	}
	spoken := make(map[string]bool, len(findings))
	for _, c := range findings {
		spoken[c.id] = true
	}
	for id, key := range t.posted {
		if a := t.alerts[key]; id != overflowID && !spoken[id] && a != nil && a.firing() {
			vanished++
		}
	}
	t.sumUp(hidden, slot, external, fire, resolve)
	t.slot, t.wrote, t.expired = slot, now, false
	t.alerts, t.posted, t.suppressed = next, posted, len(hidden)
	return changes, omitted, vanished
}

// order puts those findings first that are posted already, so that the posted
// set is stable, then the strongest.
func (t *taskState) order(a, b finding) int {
	posted := func(f finding) int {
		if t.posted[f.id] != "" {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(posted(a), posted(b)),
		cmp.Compare(b.f.Peak, a.f.Peak),
		cmp.Compare(a.f.Start, b.f.Start),
		strings.Compare(a.id, b.id),
	)
}

// collect returns every finding of rs with its labels, and forgets omissions
// that are no longer listed.
func (t *taskState) collect(rs []series.Result, external map[string]string) ([]finding, []omission) {
	named := ambiguous(rs)
	left := t.left
	t.left = map[string]bool{}
	var (
		findings []finding
		omitted  []omission
	)
	for i := range rs {
		r := &rs[i]
		for j := range r.Findings {
			f := &r.Findings[j]
			lbls, err := rules.AlertLabels(t.info, *r, *f, named[r.Labels.Hash()])
			id := f.ID
			if id == "" {
				id = fmt.Sprintf("%s@%d", lbls, f.Start)
			}
			if left[id] {
				t.left[id] = true
			}
			if err != nil {
				omitted = t.omit(omitted, id, dropInvalid, fmt.Errorf("finding %s: %w", id, err))
				continue
			}
			lbls = withExternal(lbls, external)
			findings = append(findings, finding{id, lbls, lbls.String(), r, f, named[r.Labels.Hash()], rules.Context{}})
		}
	}
	return findings, omitted
}

func (t *taskState) omit(omitted []omission, id, reason string, err error) []omission {
	if t.left[id] {
		return omitted
	}
	t.left[id] = true
	return append(omitted, omission{reason, err})
}

// ambiguous returns the label hashes of series with findings that differ from
// another series in their metric name only.
func ambiguous(rs []series.Result) map[uint64]bool {
	names := map[uint64]string{}
	for _, r := range rs {
		if len(r.Findings) > 0 {
			names[r.Labels.Hash()] = r.SourceName
		}
	}
	out := map[uint64]bool{}
	if len(names) == 0 {
		return out
	}
	for _, r := range rs {
		h := r.Labels.Hash()
		if name, ok := names[h]; ok && name != r.SourceName {
			out[h] = true
		}
	}
	return out
}

func withExternal(l labels.Labels, external map[string]string) labels.Labels {
	b := labels.NewBuilder(l)
	for name, value := range external {
		if !l.Has(name) {
			b.Set(name, value)
		}
	}
	return b.Labels()
}

// render makes the alert of a finding, firing.
func (t *taskState) render(c finding) *alert {
	return &alert{
		key: c.key, labels: c.labels,
		annotations: rules.Annotations(t.info, *c.r, *c.f, c.context),
		source:      rules.GeneratorURL(t.info),
		severity:    c.f.Severity,
		mark:        fmt.Sprintf("%t %s %d", c.f.Stale, c.f.Reclassified, len(c.context.Together)+members(c.f)),
		startsAt:    time.UnixMilli(c.f.Start),
	}
}

// members returns how many entities a campaign has, 0 of other findings.
func members(f *series.Finding) int {
	if f.Threat == nil {
		return 0
	}
	return len(f.Threat.Entities)
}

// kind returns the word for findings like f.
func kind(f *series.Finding) string {
	if f.Threat != nil {
		return "threats"
	}
	return "anomalies"
}

// sumUp keeps the alert that stands for the hidden findings.
func (t *taskState) sumUp(hidden []finding, slot int64, external map[string]string, fire func(string, *alert), resolve func(*alert, int64)) {
	if len(hidden) == 0 {
		if was := t.alerts[t.posted[overflowID]]; was != nil && was.firing() {
			resolve(was, slot)
		}
		t.overflow = nil
		return
	}
	if t.overflow == nil {
		t.overflow = &overflow{start: slot, severity: series.SeverityInfo}
	}
	for _, c := range hidden {
		if rank(c.f.Severity) > rank(t.overflow.severity) {
			t.overflow.severity = c.f.Severity
		}
	}
	strongest := t.render(hidden[0])
	var b strings.Builder
	for i, c := range hidden {
		if i == 5 {
			fmt.Fprintf(&b, " And %d more.", len(hidden)-i)
			break
		}
		fmt.Fprintf(&b, " %s.", t.render(c).annotations["summary"])
	}
	lbls := withExternal(labels.FromStrings(labels.AlertName, strongest.labels.Get(labels.AlertName), "signal", t.info.Name,
		"severity", t.overflow.severity, "type", typeSummary), external)
	fire(overflowID, &alert{
		key: lbls.String(), labels: lbls, severity: t.overflow.severity,
		source:   strongest.source,
		startsAt: time.UnixMilli(t.overflow.start),
		annotations: map[string]string{
			"family":       strongest.annotations["family"],
			"first_action": strongest.annotations["first_action"],
			"score":        strongest.annotations["score"],
			"confidence":   strongest.annotations["confidence"],
			"summary":      fmt.Sprintf("%s: %d more %s are open than are posted one by one.", t.info.Name, len(hidden), kind(hidden[0].f)),
			"description":  "The strongest of them:" + b.String(),
		},
	})
}

func rank(severity string) int {
	return slices.Index([]string{series.SeverityInfo, series.SeverityWarning, series.SeverityCritical}, severity)
}

// stale reports whether nothing is known about the task any more.
func (t *taskState) stale(now time.Time) bool {
	return t.expired || (t.info.Every > 0 && now.Sub(t.wrote) > staleAfter*t.info.Every)
}

// prune forgets resolutions that were posted long enough.
func (t *taskState) prune(now time.Time) {
	maps.DeleteFunc(t.alerts, func(_ string, a *alert) bool { return !a.firing() && !now.Before(a.forgetAt) })
}

// firing counts the firing alerts, without the summary.
func (t *taskState) firing() int {
	n := len(t.posted)
	if t.posted[overflowID] != "" {
		n--
	}
	return n
}
