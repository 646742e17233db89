package recommend

import (
	"fmt"
	"math"
	"time"

	"github.com/upid/upid/forecast/capacity"
)

// Budget is a month's, with what was spent of it and what is expected until its end.
type Budget struct {
	Budget, Spent       float64
	Ahead, Lower, Upper float64 // until the end of the month, with 90 %
	Currency            string
	Left                time.Duration
	Days                int // of spend that the expectation rests on
}

// Overrun says with which probability the budget does not last until the end of the month, and
// when it is spent; over is the spend expected over a time. The spend ahead is taken as normal,
// with 90 % between its bounds.
func Overrun(b Budget, over func(time.Duration) float64, slot int64) (capacity.Estimate, *Recommendation) {
	nan := math.NaN()
	e := capacity.Estimate{Used: b.Spent, Limit: b.Budget, Median: nan, Lower: nan, Upper: nan, Growth: nan, Probability: nil, Window: 0, Emptied: false, Reason: ""}
	sigma := (b.Upper - b.Lower) / 2 / 1.645
	p := 0.0
	if b.Spent+b.Ahead > b.Budget {
		p = 1
	}
	if sigma > 0 {
		p = 0.5 * math.Erfc((b.Budget-b.Spent-b.Ahead)/sigma/math.Sqrt2)
	}
	for h := time.Duration(0); h <= b.Left; h += time.Hour {
		if b.Spent+over(h) >= b.Budget {
			e.Median = h.Seconds()
			break
		}
	}
	if p < 0.5 {
		return e, nil
	}
	r := New(BudgetOverrun, Target{Kind: "Budget", Name: "month"}, "")
	r.Action = fmt.Sprintf("Spend less or raise the budget: the month ends at %.0f %s of %.0f", b.Spent+b.Ahead, b.Currency, b.Budget)
	r.Reasons = []string{fmt.Sprintf("%.0f %s are spent, and %.0f (%.0f to %.0f) are expected until the end of the month", b.Spent, b.Currency, b.Ahead, b.Lower, b.Upper)}
	r.Current[SpendMonthly], r.Recommended[SpendMonthly] = b.Spent+b.Ahead, b.Budget
	r.Steps = []string{"See the other recommendations of type cost_reduction, the largest saving first."}
	r.Rollback = []string{"Nothing was changed."}
	r.Impact.Level = High
	if b.Spent >= b.Budget {
		r.SetConfidence(Part{"overrun", 1, "it is spent"})
	} else {
		r.SetConfidence(sampled("overrun", p, float64(b.Days), "probability that the budget does not last"))
	}
	if p >= 0.8 {
		r.Urgency = UrgencyNow
	}
	r.ExpiresAt = float64(slot)/1000 + b.Left.Seconds()
	return e, &r
}
