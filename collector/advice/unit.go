// Package advice is the unit behind capacity, cost and recommendations: it turns what
// its queries answer into the inputs of rules/recommend, and what that says into
// results.
//
// Everything is said by fits, as it takes history; a step only lets the time until a
// limit run on. State is a function of data: a restart and a second replica say the
// same after their first fit. Only how an open finding began, and how severe it has been,
// is kept from fit to fit.
package advice

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules/recommend"
)

// Advisor says something about the history in a pass.
type Advisor func(ctx context.Context, in Input) (Said, error)

// Input is the answer of every query of a task by its name, and when it was asked.
type Input struct {
	Slot       int64 // Unix milliseconds; the newest complete grid time
	Step       int64 // milliseconds
	Start, End int64
	Series     series.Set
	Queries    map[string]string // PromQL by input
	Every      time.Duration     // cadence of fits
	Kinds      []string          // of recommendations that are wanted; nil: all
}

// wants reports whether recommendations of a kind are wanted.
func (in Input) wants(k recommend.Kind) bool {
	return in.Kinds == nil || slices.Contains(in.Kinds, string(k))
}

// all returns the series of an input.
func (in Input) all(name string) []series.Series { return in.Series[name].Series }

// Said is what an Advisor has to say.
type Said struct {
	Results         []series.Result // with a Plan each, and the findings of it
	Recommendations []recommend.Recommendation
	Since           map[string]int64 // when those that are urgent and about no limit became so, Unix milliseconds, by id
}

// Unit implements pipeline.Unit.
type Unit struct {
	name     string
	step     time.Duration
	every    time.Duration
	queries  map[string]string
	advisors []Advisor
	position atomic.Int64
	at       int64 // End of the newest fit
	said     said
}

// New returns a unit that asks advisors in their order; every is the cadence of fits.
func New(name string, step, every time.Duration, queries map[string]string, advisors ...Advisor) (*Unit, error) {
	if step < time.Second || every < step || len(queries) == 0 || len(advisors) == 0 {
		return nil, fmt.Errorf("advice %q: step %v, fits every %v, %d queries, %d advisors", name, step, every, len(queries), len(advisors))
	}
	return &Unit{name: name, step: step, every: every, queries: queries, advisors: advisors}, nil
}

// Position implements pipeline.Unit.
func (u *Unit) Position() int64 { return u.position.Load() }

// Fit implements pipeline.Unit. No data is nothing to complain of: what is missing is
// said by the advisors.
func (u *Unit) Fit(ctx context.Context, _ int64, in pipeline.Input) (func(), error) {
	input := Input{Slot: in.End, Step: u.step.Milliseconds(), Start: in.Start, End: in.End, Series: in.Series, Queries: u.queries, Every: u.every, Kinds: nil}
	var out []series.Result
	var rs []recommend.Recommendation
	since := map[string]int64{}
	for _, advise := range u.advisors {
		said, err := advise(ctx, input)
		if err != nil {
			return nil, err
		}
		out = append(out, said.Results...)
		rs = append(rs, said.Recommendations...)
		maps.Copy(since, said.Since)
	}
	recommend.Sort(rs)
	for i := range rs {
		r, err := advised(rs[i], in.End)
		if err != nil {
			return nil, err
		}
		if start, ok := since[rs[i].ID]; ok {
			r.Findings = []series.Finding{urgently(rs[i], start)}
		}
		out = append(out, r)
	}
	u.said.name(u.name, out)
	return func() {
		u.said.ended = nil
		u.said.swap(out, in.End)
		u.at = in.End
		u.position.Store(in.End)
	}, nil
}

// Step implements pipeline.Unit.
func (u *Unit) Step(_ context.Context, slot int64, in pipeline.Input) ([]series.Result, error) {
	if in.End >= in.Start {
		u.position.Store(in.End)
	}
	return u.said.at(slot, u.position.Load(), float64(slot-u.at)/1000), nil
}

// later returns p as it is that many seconds after the fit.
func later(p *series.Plan, seconds float64) *series.Plan {
	if p == nil || p.Capacity == nil {
		return p
	}
	c := *p.Capacity
	for _, v := range []*float64{&c.Median, &c.Lower, &c.Upper} {
		*v = max(0, *v-seconds) // NaN stays
	}
	return &series.Plan{Capacity: &c, Cost: nil, Advice: nil}
}

// advised makes the result of a recommendation.
func advised(r recommend.Recommendation, end int64) (series.Result, error) {
	if err := r.Check(); err != nil {
		return series.Result{}, err
	}
	object, err := json.Marshal(r)
	if err != nil {
		return series.Result{}, fmt.Errorf("recommendation %s: %w", r.ID, err)
	}
	a := series.Advice{
		ID: r.ID, Kind: string(r.Kind), OptimizationType: string(r.OptimizationType), State: string(r.State), Urgency: string(r.Urgency),
		RiskLevel: string(r.Risk.Level), Effort: string(r.Risk.Effort), Action: r.Action, Confidence: r.Confidence,
		Savings: optional(r.Impact.SavingsMonthly), Realisable: optional(r.Impact.SavingsRealisable), Currency: r.Impact.Currency,
		Targets: nil, Object: object,
	}
	for resource, v := range r.Recommended {
		a.Targets = append(a.Targets, series.Target{Resource: string(resource), Value: v})
	}
	slices.SortFunc(a.Targets, func(x, y series.Target) int { return strings.Compare(x.Resource, y.Resource) })
	set := []string{"id", r.ID, "kind", string(r.Kind), "optimization_type", string(r.OptimizationType)}
	for _, l := range [][2]string{
		{"cluster", r.Target.Cluster}, {"namespace", r.Target.Namespace}, {"workload_kind", r.Target.Kind}, {"workload", r.Target.Name}, {"container", r.Target.Container},
	} {
		if l[1] != "" {
			set = append(set, l[0], l[1])
		}
	}
	return planned(labels.FromStrings(set...), end, &series.Plan{Capacity: nil, Cost: nil, Advice: &a}), nil
}

func optional(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// planned returns a result that says nothing but a plan.
func planned(ls labels.Labels, end int64, p *series.Plan) series.Result {
	return series.Result{
		Signal: "", SourceName: "", Labels: ls, Slot: end, Time: end, Observed: math.NaN(),
		Forecast: nil, Trends: nil, Horizons: nil, Score: nil, Findings: nil, Past: nil, BudgetSpent: math.NaN(), Rollout: nil, Threat: nil, Plan: p, Live: nil, Warnings: nil,
	}
}

var _ pipeline.Unit = (*Unit)(nil)

// Only returns a with the recommendations of the kinds that are named, and the findings of these. What is left
// out takes no savings from the others.
func Only(a Advisor, kinds []string) Advisor {
	return func(ctx context.Context, in Input) (Said, error) {
		in.Kinds = slices.Concat([]string{}, kinds)
		said, err := a(ctx, in)
		said.Recommendations = slices.DeleteFunc(said.Recommendations, func(r recommend.Recommendation) bool { return !in.wants(r.Kind) })
		return said, err
	}
}
