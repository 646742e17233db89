package views

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/web"
)

// OptimizationTypes lists the types of recommendations.
var OptimizationTypes = []string{"resource_scaling", "cost_reduction", "performance_improvement", "security_enhancement", "capacity_planning"}

// The states of recommendations, as filters name them.
var recommendationStates = []string{"open", "kept", "blocked", "all"}

// RecommendationFilter says which recommendations are wanted; a zero field wants all.
type RecommendationFilter struct {
	OptimizationType string
	Kind             string
	State            string // open, kept or blocked; "all" and "" are any
	Namespace        string
	Confidence       float64 // at least
	Offset, Limit    int
}

// Recommendations returns the objects of the current recommendations, what is urgent, open and saves
// most first, and how many match in all.
func (v *Views) Recommendations(f RecommendationFilter) (page []json.RawMessage, total int) {
	var found []*series.Advice
	for _, t := range v.shots("") {
		for i := range t.results {
			if a := adviceOf(&t.results[i]); a != nil && f.matches(a, &t.results[i]) {
				found = append(found, a)
			}
		}
	}
	slices.SortFunc(found, func(a, b *series.Advice) int {
		return cmp.Or(cmp.Compare(adviceRank(a), adviceRank(b)), cmp.Compare(worth(b), worth(a)), cmp.Compare(b.Confidence, a.Confidence), strings.Compare(a.ID, b.ID))
	})
	page, p := []json.RawMessage{}, pager{offset: f.Offset, limit: f.Limit}
	for _, a := range found {
		if p.take() {
			page = append(page, a.Object)
		}
	}
	return page, p.total
}

// Recommendation returns the object of the current recommendation with an id.
func (v *Views) Recommendation(id string) (json.RawMessage, bool) {
	for _, t := range v.shots("") {
		for i := range t.results {
			if a := adviceOf(&t.results[i]); a != nil && a.ID == id {
				return a.Object, true
			}
		}
	}
	return nil, false
}

// adviceRank is lower for what comes first.
func adviceRank(a *series.Advice) int {
	switch {
	case a.State == "open" && a.Urgency == "now":
		return 0
	case a.State == "open":
		return 1
	case a.State == "blocked":
		return 2
	}
	return 3
}

// worth is the saving of a, 0 if it is not known.
func worth(a *series.Advice) float64 {
	if math.IsNaN(a.Savings) {
		return 0
	}
	return a.Savings
}

func adviceOf(r *series.Result) *series.Advice {
	if r.Plan == nil {
		return nil
	}
	return r.Plan.Advice
}

func (f *RecommendationFilter) matches(a *series.Advice, r *series.Result) bool {
	return (f.OptimizationType == "" || f.OptimizationType == a.OptimizationType) &&
		(f.Kind == "" || f.Kind == a.Kind) &&
		(f.State == "" || f.State == "all" || f.State == a.State) &&
		(f.Namespace == "" || f.Namespace == r.Labels.Get("namespace")) &&
		a.Confidence >= f.Confidence
}

func (v *Views) serveRecommendations(q *params, _ string) (any, web.Page, error) {
	f := RecommendationFilter{
		OptimizationType: q.oneOf("optimization_type", OptimizationTypes), Kind: q.text("kind"), State: q.oneOf("state", recommendationStates), Namespace: q.text("namespace"),
	}
	if s := q.text("confidence"); s != "" {
		c, err := strconv.ParseFloat(s, 64)
		if err != nil || !(c >= 0 && c <= 1) {
			q.fail("confidence: %q, want a number from 0 to 1", s)
		}
		f.Confidence = c
	}
	f.Offset, f.Limit = q.page()
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Recommendations(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}
