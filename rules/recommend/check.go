package recommend

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Check returns what is wrong with r, nil if nothing is: unknown kinds and types, no
// target, numbers that are NaN or ±Inf, probabilities and confidences outside [0, 1],
// more realisable than potential savings, money without currency, an open
// recommendation that changes nothing or says no reason, a blocked one without
// blocker, a patch that cannot be undone. Every one of these is a mistake in a
// kind, not in its data.
func (r Recommendation) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := Kinds[r.Kind]; !ok {
		bad("kind %q is not in Kinds", r.Kind)
	}
	if !slices.Contains(OptimizationTypes, r.OptimizationType) {
		bad("optimization type %q", r.OptimizationType)
	}
	if r.Target == (Target{}) {
		bad("no target")
	}
	for _, amounts := range []Amounts{r.Current, r.Recommended} {
		for resource, v := range amounts {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				bad("%s is %g", resource, v)
			}
		}
	}
	if !share(r.Confidence) || math.IsNaN(r.ExpiresAt) || math.IsInf(r.ExpiresAt, 0) {
		bad("confidence %g, expires at %g", r.Confidence, r.ExpiresAt)
	}
	for _, p := range r.ConfidenceParts {
		if !share(p.Value) {
			bad("confidence part %s is %g", p.Name, p.Value)
		}
	}
	for _, p := range []*float64{r.Impact.Violation.Before, r.Impact.Violation.After, r.Impact.OOM.Before, r.Impact.OOM.After} {
		if p != nil && !share(*p) {
			bad("probability %g", *p)
		}
	}
	errs = append(errs, r.checkMoney()...)
	for _, e := range r.Evidence {
		if e.Value != nil && (math.IsNaN(*e.Value) || math.IsInf(*e.Value, 0)) {
			bad("evidence %s is %g", e.Metric, *e.Value)
		}
	}
	switch r.State {
	case StateOpen:
		if len(r.Reasons) == 0 || r.Action == "" {
			bad("open without a reason or an action")
		}
	case StateBlocked:
		if len(r.Blockers) == 0 {
			bad("blocked by nothing")
		}
	case StateKept:
	default:
		bad("state %q", r.State)
	}
	if (len(r.Patch) == 0) != (len(r.ReversePatch) == 0) {
		bad("%d patches, %d to undo them", len(r.Patch), len(r.ReversePatch))
	}
	for _, p := range append(append([]Patch{}, r.Patch...), r.ReversePatch...) {
		if !json.Valid(p.Body) {
			bad("patch of %s/%s is not JSON", p.Kind, p.Name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("recommendation %s: %w", r.ID, err)
	}
	return nil
}

// checkMoney checks savings and currency.
func (r Recommendation) checkMoney() (errs []error) {
	money := []*float64{r.Impact.SavingsMonthly, r.Impact.SavingsRealisable}
	for _, p := range money {
		if p == nil {
			continue
		}
		if math.IsNaN(*p) || math.IsInf(*p, 0) {
			errs = append(errs, fmt.Errorf("savings are %g", *p))
		}
		if r.Impact.Currency == "" {
			errs = append(errs, errors.New("savings without currency"))
		}
	}
	if money[1] != nil && (money[0] == nil || *money[1] > math.Max(*money[0], 0)) {
		errs = append(errs, errors.New("more realisable than potential savings"))
	}
	return errs
}

// share reports whether v is in [0, 1]; NaN is not.
func share(v float64) bool { return v >= 0 && v <= 1 }
