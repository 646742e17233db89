package signal

import "slices"

// spent returns, in the order of u.order, each series' share of the alert groups
// raised over the budget period that ends at now, divided by the budget.
//
// A group is what one workload raised within one score interval, however many of
// its series it showed in: n series that opened together spend 1/n of an alert
// each.
func (u *Unit) spent(now int64) []float64 {
	if u.o.Detect == nil {
		return nil
	}
	type opened struct {
		series int
		start  int64
	}
	since := now - u.o.Detect.Budget.Period().Milliseconds()
	groups := map[string][]opened{}
	for i, s := range u.order {
		for _, t := range s.alert.Starts(since) {
			groups[s.workload] = append(groups[s.workload], opened{i, t})
		}
	}
	out := make([]float64, len(u.order))
	window := u.o.Step.Milliseconds()
	for _, g := range groups {
		slices.SortFunc(g, func(a, b opened) int { return int(a.start - b.start) })
		for i := 0; i < len(g); {
			j := i + 1
			for j < len(g) && g[j].start-g[i].start <= window {
				j++
			}
			for _, o := range g[i:j] {
				out[o.series] += 1 / float64(j-i) / float64(u.o.Detect.Budget.Count)
			}
			i = j
		}
	}
	return out
}
