package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// lead is the finding whose labels the alert of a group has, as it was last listed.
type lead struct {
	r     series.Result
	f     series.Finding
	named bool
}

// moved is an open finding as the alerts of other tasks mention it.
type moved struct {
	start    int64
	subjects []string
	info     rules.SignalInfo
	labels   labels.Labels
	text     string
}

// group makes one finding of those of a group: with the labels of the one that led
// it when it opened, open until all are over, as severe as the gravest, and with
// the others listed. It tells the lead's story while that is open, else that of the
// strongest. It also takes note of what is open for other tasks.
func (t *taskState) group(all []finding, omitted []omission, external map[string]string) ([]finding, []omission) {
	groups := map[string][]finding{}
	leads := map[string]lead{}
	t.open = t.open[:0:0]
	var out []finding
	for _, c := range all {
		if c.f.Open() {
			t.open = append(t.open, moved{c.f.Start, rules.Subjects(c.r.Labels), t.info, c.r.Labels, rules.Short(t.info, *c.r, *c.f)})
		}
		if c.f.Group == "" {
			out = append(out, c)
			continue
		}
		groups[c.f.Group] = append(groups[c.f.Group], c)
	}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		members := groups[id]
		slices.SortFunc(members, func(a, b finding) int {
			return cmp.Or(cmp.Compare(a.f.Start, b.f.Start), strings.Compare(a.id, b.id))
		})
		first, known := t.leads[id]
		if !known {
			first = lead{*members[0].r, *members[0].f, members[0].named}
		}
		for _, c := range members {
			if c.f.ID == first.f.ID {
				first = lead{*c.r, *c.f, c.named}
			}
		}
		c, err := t.join(id, first, members, external)
		if err != nil {
			omitted = t.omit(omitted, id, dropInvalid, fmt.Errorf("group %s: %w", id, err))
			continue
		}
		out = append(out, c)
		if c.f.Open() {
			leads[id] = first
		}
	}
	t.leads = leads
	return out, omitted
}

// join returns the finding that stands for members, of which first leads.
func (t *taskState) join(id string, first lead, members []finding, external map[string]string) (finding, error) {
	told := &first.f
	strongest := first.f.Peak
	end, start, severity := int64(0), first.f.Start, first.f.Severity
	open := first.f.Open() && slices.ContainsFunc(members, func(c finding) bool { return c.f.ID == first.f.ID })
	r := &first.r
	for _, c := range members {
		if rank(c.f.Severity) > rank(severity) {
			severity = c.f.Severity
		}
		if !(strongest >= c.f.Peak) && c.f.Peak == c.f.Peak { // some have none: NaN
			strongest = c.f.Peak
		}
		end = max(end, c.f.End)
	}
	if !open {
		for _, c := range members {
			if c.f.Open() && (told.ID == first.f.ID || c.f.Peak > told.Peak) {
				told, r, open = c.f, c.r, true
			}
		}
	}
	f := *told
	f.Type, f.Severity, f.Start, f.Peak, f.Group = first.f.Type, severity, start, strongest, id
	if f.Family == "" || told.ID != first.f.ID {
		f.Family = first.f.Family
	}
	f.End = 0
	if !open {
		f.End = end
	}
	ls, err := rules.AlertLabels(t.info, first.r, f, first.named)
	if err != nil {
		return finding{}, err
	}
	ls = withExternal(ls, external)
	c := finding{id: id, labels: ls, key: ls.String(), r: r, f: &f, named: first.named, context: rules.Context{}}
	for _, m := range members {
		if m.f.ID != told.ID {
			c.context.Together = append(c.context.Together, rules.Short(t.info, *m.r, *m.f))
		}
	}
	return c, nil
}

// elsewhere tells each finding what else moved: findings of other tasks about the
// same workload or host that began at about its time, and of KPIs.
func elsewhere(info rules.SignalInfo, findings []finding, others []moved) {
	if len(others) == 0 {
		return
	}
	for i := range findings {
		c := &findings[i]
		subjects := rules.Subjects(c.r.Labels)
		for _, o := range others {
			if d := o.start - c.f.Start; d > rules.RelatedWithin || d < -rules.RelatedWithin {
				continue
			}
			switch {
			case rules.MovedWith(o.info, o.labels, info, c.r.Labels):
				c.context.Business = append(c.context.Business, o.text)
			case rules.MovedWith(info, c.r.Labels, o.info, o.labels), rules.SameSubject(subjects, o.subjects):
				c.context.Elsewhere = append(c.context.Elsewhere, o.text)
			}
		}
	}
}

// others returns what is open in the tasks beside one, in the order of their names.
// The caller holds n.mu.
func (n *Notifier) others(task string) []moved {
	var out []moved
	for _, name := range slices.Sorted(maps.Keys(n.tasks)) {
		if name != task {
			out = append(out, n.tasks[name].open...)
		}
	}
	return out
}
