package recommend

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// identity returns the id of what a kind says about a target: its kind and 12 hex
// digits of a hash of kind, action and target. Two in a million recommendations
// meet with a probability of 0.2 %. Amounts and times are no part of it, so it stays
// while they move.
func identity(kind Kind, t Target, action string) string {
	h := sha256.New()
	for _, part := range []string{string(kind), action, t.Cluster, t.Namespace, t.Kind, t.Name, t.Container} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return string(kind) + "-" + hex.EncodeToString(h.Sum(nil)[:6])
}

// Sort puts what is urgent first, then what is open, then what saves most, then by
// id; unknown savings count as 0. The order does not depend on that of rs before, unless
// two have the same id.
func Sort(rs []Recommendation) {
	slices.SortStableFunc(rs, func(a, b Recommendation) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(savings(b), savings(a)),
			strings.Compare(a.ID, b.ID),
		)
	})
}

// rank is lower for what comes first.
func rank(r Recommendation) int {
	switch {
	case r.State == StateOpen && r.Urgency == UrgencyNow:
		return 0
	case r.State == StateOpen:
		return 1
	case r.State == StateBlocked:
		return 2
	}
	return 3
}

func savings(r Recommendation) float64 {
	if r.Impact.SavingsMonthly == nil {
		return 0
	}
	return *r.Impact.SavingsMonthly
}

// Filter returns those of one of the types, of any if there are none, whose
// confidence is at least least. It keeps the order and shares what it returns with rs.
func Filter(rs []Recommendation, least float64, types ...OptimizationType) []Recommendation {
	out := []Recommendation{}
	for _, r := range rs {
		if r.Confidence >= least && (len(types) == 0 || slices.Contains(types, r.OptimizationType)) {
			out = append(out, r)
		}
	}
	return out
}
