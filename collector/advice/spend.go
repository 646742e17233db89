package advice

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/rules/recommend"
)

// sum adds up series on the grid of the pass. A gap of one is nothing spent by it.
func sum(in Input, all []series.Series) series.Series {
	n := int((in.End-in.Start)/in.Step) + 1
	out := series.Series{Labels: labels.EmptyLabels(), Start: in.Start, Step: in.Step, Values: make([]float64, n)}
	for i := range out.Values {
		out.Values[i] = math.NaN()
	}
	for _, s := range all {
		for i, v := range s.Values {
			if k, ok := out.Index(s.At(i)); ok && !math.IsNaN(v) {
				if math.IsNaN(out.Values[k]) {
					out.Values[k] = 0
				}
				out.Values[k] += v
			}
		}
	}
	for i, v := range out.Values { // what was before it began is no history
		if !math.IsNaN(v) {
			return out.Slice(out.At(i), out.End())
		}
	}
	return out
}

// spend forecasts by namespace and in all.
func (s *Said) spend(in Input, p Prices, ws []workload) {
	groups := map[[2]string][]workload{}
	for _, w := range ws {
		k := [2]string{w.cluster, w.ns}
		groups[k] = append(groups[k], w)
	}
	keys := make([][2]string, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+"\xff"+a[1], b[0]+"\xff"+b[1]) })
	for _, k := range keys {
		set := []string{"scope", "namespace", "namespace", k[1]}
		if k[0] != "" {
			set = append(set, "cluster", k[0])
		}
		s.forecastSpend(in, p, groups[k], labels.FromStrings(set...), k[1])
	}
	s.forecastSpend(in, p, ws, labels.FromStrings("scope", "total"), "")
}

// forecastSpend says what a group of workloads will cost.
func (s *Said) forecastSpend(in Input, p Prices, ws []workload, ls labels.Labels, ns string) {
	of := make([]series.Series, len(ws))
	for i, w := range ws {
		of[i] = w.cost
	}
	y := sum(in, of)
	spend, ok := capacity.SpendOf(y)
	if !ok {
		return
	}
	now := time.UnixMilli(in.End).UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	left := month.AddDate(0, 1, 0).Sub(now)
	c := series.Cost{Currency: p.Currency, Horizons: []time.Duration{7 * 24 * time.Hour, left}, MonthEnd: left, Value: nil, Lower: nil, Upper: nil, Budget: math.NaN(), ToDate: math.NaN(), Confidence: spendTrust * math.Sqrt(min(1, float64(len(spend.Days))/28))}
	for _, h := range c.Horizons {
		v, l, u := spend.Over(h, costLevel)
		c.Value, c.Lower, c.Upper = append(c.Value, v), append(c.Lower, l), append(c.Upper, u)
	}
	spent, whole := toDate(y, month, in.End)
	if ns == "" {
		if whole {
			c.ToDate = spent
		}
		if p.Budget > 0 {
			c.Budget = p.Budget
		}
	}
	r := planned(ls, in.End, &series.Plan{Capacity: nil, Cost: &c, Advice: nil})
	r.Observed = last(y, in.End)
	if f := costFinding(in, p, ws, spend, ns); f != nil {
		r.Findings = []series.Finding{*f}
	}
	s.Results = append(s.Results, r)
	if ns == "" && p.Budget > 0 && whole {
		s.budget(in, p, y, month)
	}
}

// toDate returns what was spent from the first of the month to end, the newest time; whole is false where the
// history does not reach back to it.
func toDate(y series.Series, month time.Time, end int64) (spent float64, whole bool) {
	for _, v := range y.Slice(month.UnixMilli(), end+1).Values {
		if !math.IsNaN(v) {
			spent += v * float64(y.Step) / 3_600_000
		}
	}
	return spent, y.Start <= month.UnixMilli()+2*y.Step
}

// budget says whether the month's budget lasts. An alert about it begins with the first fit in a row of the month that
// finds it urgent, of what was known then: after a restart too.
func (s *Said) budget(in Input, p Prices, y series.Series, month time.Time) {
	next := month.AddDate(0, 1, 0).UnixMilli()
	at := func(t int64) (capacity.Estimate, *recommend.Recommendation, bool) {
		past := upTo(y, t)
		spend, ok := capacity.SpendOf(past)
		spent, whole := toDate(past, month, t)
		if !ok || !whole || t < month.UnixMilli() {
			return capacity.Estimate{}, nil, false
		}
		left := time.Duration(next-t) * time.Millisecond
		b := recommend.Budget{Budget: p.Budget, Spent: spent, Currency: p.Currency, Left: left, Days: len(spend.Days)}
		b.Ahead, b.Lower, b.Upper = spend.Over(left, costLevel)
		e, r := recommend.Overrun(b, func(d time.Duration) float64 { v, _, _ := spend.Over(d, costLevel); return v }, in.Slot)
		return e, r, true
	}
	e, r, ok := at(in.End)
	if !ok {
		return
	}
	l := recommend.Limit{Kind: "budget", Target: recommend.Target{Kind: "Budget", Name: "month"}, Name: "", Unit: p.Currency, Used: y, Limit: p.Budget, Query: ""}
	s.add(in, "budget", l, labels.FromStrings("scope", "total"), e, r, func(t int64) bool {
		_, r, ok := at(t)
		return ok && r != nil && r.Urgency == recommend.UrgencyNow
	})
}

// money writes an amount.
func money(v float64, currency string) string { return fmt.Sprintf("%.2f %s", v, currency) }
