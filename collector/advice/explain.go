package advice

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast/capacity"
	"github.com/upid/upid/forecast/num"
	"github.com/upid/upid/rules"
)

const (
	costErrors = 4.0  // standard errors by which a day must differ
	costShare  = 0.1  // of what was expected
	costLeast  = 0.5  // of the currency, a day
	costTold   = 0.05 // share of the difference from which a workload is named
)

// costFinding says that the newest day of a group cost more or less than expected, which workloads it
// was, and whether by price or by quantity:
//
//	Δcost = Δquantity · price before + Δprice · quantity now
//
// Quantity is the cores allocated, or, where their share did not move and the memory did, the memory.
func costFinding(in Input, p Prices, ws []workload, s capacity.Spend, ns string) *series.Finding {
	if len(s.Days) == 0 || math.IsNaN(s.Expected) {
		return nil
	}
	today := s.Days[len(s.Days)-1]
	diff := today - s.Expected
	spread := max(s.Error, 0.01*s.Expected, costLeast/costErrors) // what is below costLeast is no finding
	if math.Abs(diff) < costErrors*spread || math.Abs(diff) < costShare*s.Expected || math.Abs(diff) < costLeast {
		return nil
	}
	typ, word := series.TypeSpike, "more"
	if diff < 0 {
		typ, word = series.TypeDrop, "less"
	}
	subject := "The cluster"
	if ns != "" {
		subject = "Namespace " + ns
	}
	causes := causesOf(in, ws, diff)
	summary := fmt.Sprintf("%s cost %s %s than expected in the last day: %s instead of %s.", subject, money(math.Abs(diff), p.Currency), word, money(today, p.Currency), money(s.Expected, p.Currency))
	text := "No single workload stands out."
	action := "Compare what runs now with a day ago."
	if len(causes) > 0 {
		text = "By workload: " + strings.Join(causes, "; ") + "."
		action = "Ask about " + strings.SplitN(causes[0], ":", 2)[0] + ": a release, a new replica count, larger requests, or a new price of its nodes."
	}
	start := in.End - in.End%(24*time.Hour).Milliseconds()
	nan := math.NaN()
	score := series.Score{Observed: today, Expected: s.Expected, Lower: s.Expected - costErrors*spread, Upper: s.Expected + costErrors*spread, Value: math.Abs(diff) / (costErrors * spread), Confidence: nan, Type: typ, Why: series.Why{}}
	score.Confidence = min(float64(len(s.Days))/14, num.Succession(float64(len(s.Days))))
	return &series.Finding{
		ID: "", Family: rules.FamilyCost, Type: typ, Reclassified: "", Severity: series.SeverityWarning, Start: start, End: 0, Peak: score.Value, Worst: score, WorstAt: in.End,
		Confidence: score.Confidence, Score: score, Stale: false, Group: "", Threat: nil,
		Note: &series.Note{Alert: rules.AlertCost, Summary: summary, Description: summary + " " + text, FirstAction: action},
	}
}

// causesOf says which workloads make up diff, the largest share first.
func causesOf(in Input, ws []workload, diff float64) []string {
	type cause struct {
		text  string
		share float64
	}
	var all []cause
	for _, w := range ws {
		now, before := dayMean(in, w.cost, 0), dayMean(in, w.cost, 7)
		d := 24 * (orZero(now) - orZero(before))
		if d/diff < costTold {
			continue
		}
		all = append(all, cause{fmt.Sprintf("%s: %+.2f, %s", w.worded, d, why(in, w, now, before)), d / diff})
	}
	slices.SortStableFunc(all, func(a, b cause) int {
		switch {
		case a.share > b.share:
			return -1
		case a.share < b.share:
			return 1
		}
		return 0
	})
	out := make([]string, 0, 5)
	for _, c := range all[:min(len(all), 5)] {
		out = append(out, c.text)
	}
	return out
}

// why says whether price or quantity moved.
func why(in Input, w workload, now, before float64) string {
	switch {
	case math.IsNaN(before) || before == 0:
		return "it is new"
	case math.IsNaN(now) || now == 0:
		return "it is gone"
	}
	q1, q0 := dayMean(in, w.quantity, 0), dayMean(in, w.quantity, 7)
	unit := "cores"
	if m1, m0 := dayMean(in, w.memory, 0), dayMean(in, w.memory, 7); m0 > 0 && (!(q0 > 0) || math.Abs(m1/m0-1) > math.Abs(q1/q0-1)) {
		q1, q0, unit = m1/(1<<30), m0/(1<<30), "GiB"
	}
	if !(q0 > 0) || math.IsNaN(q1) {
		return fmt.Sprintf("%.0f %% by price or quantity", 100*(now/before-1))
	}
	byQuantity := (q1 - q0) * before / q0
	byPrice := (now - before) - byQuantity
	if math.Abs(byQuantity) >= math.Abs(byPrice) {
		return fmt.Sprintf("by quantity: %.3g instead of %.3g %s", q1, q0, unit)
	}
	return fmt.Sprintf("by price: %+.0f %%", 100*byPrice/before)
}

// dayMean returns the mean of s over the last 24 hours, or of the seven days of them before that: days is 0 or 7.
func dayMean(in Input, s series.Series, days int64) float64 {
	const dayMS = 24 * 3_600_000
	to := in.End + 1
	from := to - dayMS
	if days > 0 {
		from, to = from-days*dayMS, from
	}
	var m series.Mean
	if s.Step > 0 {
		for _, v := range s.Slice(from, to).Values {
			m.Add(v)
		}
	}
	return m.Value()
}
