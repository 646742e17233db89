package signal

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/rules"
)

// blocks takes in the grid points first … end of all series, in stretches that lie in
// one block of the controller and in which no series is born or has settled, and moves the controller after each block by what it
// raised. All series are at the same point then, so a fit and the steps it replays come
// to the same boundaries.
func (u *Unit) blocks(ctx context.Context, c *rules.Controller, f *feed, first, end int64) error {
	step, block := u.o.Step.Milliseconds(), rules.Block.Milliseconds()
	born := newBirths(f)
	for first <= end {
		if from, to, ends := c.Ends(first); ends && u.o.Detect != nil {
			*c = c.Next(u.near(c, f.order, from, to), u.o.Detect.Budget)
		}
		*c = c.At(first)
		last := first + ((first/block+1)*block-1-first)/step*step
		if len(f.teams) > 0 {
			last = min(last, first+(atOnce-1)*step)
		}
		u.begin(f, &born, first)
		last = min(last, end, born.next(f, first, step)-step)
		if err := u.stretch(ctx, c, f, first, last); err != nil {
			return err
		}
		first = last + step
	}
	return nil
}

// stretch takes in the grid points first … last of all series: first the replicas are
// compared with one another, then each series is scored.
func (u *Unit) stretch(ctx context.Context, c *rules.Controller, f *feed, first, last int64) error {
	unlike, err := u.compare(ctx, f, first, last)
	if err != nil {
		return err
	}
	step := u.o.Step.Milliseconds()
	return parallel(ctx, len(f.order), u.o.Workers, func(_, i int) {
		s := f.order[i]
		p := point{t: 0, value: math.NaN(), replaced: false, unlike: nil, control: c, of: f.of[i]}
		for t := max(first, f.first(i)); t <= last; t += step {
			p.t, p.value = t, f.value(i, t)
			p.excluded = f.excluded != nil && feedback.In(f.excluded[i], t)
			p.replaced = math.IsNaN(p.value) && f.there[i].has(t)
			if unlike != nil && unlike[i] != nil {
				p.unlike = &unlike[i][(t-first)/step]
			}
			u.observe(s, p)
		}
	})
}

// near counts the alert groups that opened in [from, to) near the boundary.
func (u *Unit) near(c *rules.Controller, order []*state, from, to int64) int {
	n := 0
	for _, g := range u.groups(order, from, to) {
		peak := 0.0
		for _, o := range g {
			peak = max(peak, o.Peak)
		}
		if c.Near(peak) {
			n++
		}
	}
	return n
}

// opened is a finding of a series, by its number in the order.
type opened struct {
	rules.Opening
	series int
}

// groups returns the findings that opened in [from, to) by alert group: what the
// series of one workload raised with no more than a step from one to the next. The
// one that opened first leads its group.
func (u *Unit) groups(order []*state, from, to int64) [][]opened {
	byKey := map[string][]opened{}
	var keys []string
	for i, s := range order {
		if s == nil {
			continue
		}
		for _, o := range s.alert.Openings(from, to) {
			if byKey[s.group] == nil {
				keys = append(keys, s.group)
			}
			byKey[s.group] = append(byKey[s.group], opened{o, i})
		}
	}
	var out [][]opened
	for _, k := range keys {
		all := byKey[k]
		slices.SortFunc(all, func(a, b opened) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.series, b.series)) })
		begin := 0
		for i := 1; i <= len(all); i++ {
			if i == len(all) || all[i].At-all[i-1].At > u.o.Step.Milliseconds() {
				out = append(out, all[begin:i])
				begin = i
			}
		}
	}
	return out
}

// spent returns, in the order of u.order, each series' share of the alert groups
// raised over the budget period that ends at now, divided by the budget: n series
// that opened together spend 1/n of an alert each.
func (u *Unit) spent(now int64) []float64 {
	if u.o.Detect == nil {
		return nil
	}
	out := make([]float64, len(u.order))
	budget := u.o.Detect.Budget
	for _, g := range u.groups(u.order, now-budget.Period().Milliseconds(), math.MaxInt64) {
		for _, o := range g {
			out[o.series] += 1 / float64(len(g)) / float64(budget.Count)
		}
	}
	return out
}

// groupCount returns how many alert groups series can raise at one time.
func groupCount(order []*state) int {
	seen := map[string]bool{}
	for _, s := range order {
		seen[s.group] = true
	}
	return len(seen)
}

// member is a finding of a series, by its place in the order and its start.
type member struct {
	series int
	start  int64
}

// groupIDs returns the group of every finding on record of a workload that has more
// than one series and a finding now. The identity is that of the finding that
// opened first, so it stays when others join or end.
func (u *Unit) groupIDs() map[member]string {
	var some []*state // in the order, nil where there is nothing to group
	count, active := map[string]int{}, map[string]bool{}
	for _, s := range u.order {
		if len(s.alert.Findings()) > 0 {
			active[s.group] = true
		}
	}
	if len(active) == 0 {
		return nil
	}
	for _, s := range u.order {
		count[s.group]++
	}
	some = make([]*state, len(u.order))
	for i, s := range u.order {
		if active[s.group] && count[s.group] > 1 {
			some[i] = s
		}
	}
	out := map[member]string{}
	for _, g := range u.groups(some, 0, math.MaxInt64) {
		lead := g[0]
		id := rules.FindingID(u.o.Name, u.order[lead.series].labels, "group", lead.At)
		for _, o := range g {
			out[member{o.series, o.Start}] = id
		}
	}
	return out
}
