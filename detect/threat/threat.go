// Package threat turns counters of authentication, access and traffic into
// evidence of attacks, and evidence into a risk of 0–100 for each entity.
//
// A model holds the state of one entity in fixed memory and takes each slot
// once, in order of time. It says with what it learned before the slot how
// surprising the slot is, and learns from it afterwards. What was reported is
// consumed: it neither counts again in a longer window nor becomes ordinary.
// Package threat does no I/O and reads no clock: the same slots give the same
// evidence. All times are Unix milliseconds. A NaN is a gap: nothing is said
// about it and nothing learned from it.
package threat

import (
	"math"
	"time"
)

// The threats, which are the type of an alert.
const (
	BruteForce          = "brute_force"
	BruteForceSuccess   = "brute_force_success"
	PrivilegeEscalation = "privilege_escalation"
	DataExfiltration    = "data_exfiltration"
	UnusualBehavior     = "unusual_behavior"
	CredentialAccess    = "credential_access"
	DefenseEvasion      = "defense_evasion"
	Insider             = "insider"
	CompromisedAccount  = "compromised_account"
)

// Threats lists them, the gravest of equal risk first.
var Threats = []string{
	CompromisedAccount, BruteForceSuccess, DefenseEvasion, PrivilegeEscalation, DataExfiltration,
	Insider, CredentialAccess, BruteForce, UnusualBehavior,
}

// Family groups detectors that see the same thing. Evidence of one family
// supports itself less than evidence of two.
type Family string

// The families.
const (
	FamilyAuth     Family = "auth"
	FamilyRBAC     Family = "rbac"
	FamilyEgress   Family = "egress"
	FamilyRuntime  Family = "runtime"
	FamilyPolicy   Family = "policy"
	FamilyBehavior Family = "behavior"
)

// Families lists them in the order of sums, which must not depend on a map's.
var Families = []Family{FamilyAuth, FamilyRBAC, FamilyEgress, FamilyRuntime, FamilyPolicy, FamilyBehavior}

// A Reading is what a model says about one entity in one slot.
type Reading struct {
	Observed float64       // over Window, unit of the input
	Expected float64       // the same, as learned before
	Window   time.Duration // that is most surprising; a day at most
	// Surprise is −log10 of the chance to see this much or more from an entity
	// that goes on as before, less the price of looking at Window too; in
	// decades, ≥ 0. For models without a probability it is their score.
	Surprise  float64
	Threshold float64 // of Surprise; what is above is evidence
}

// Evident reports whether the reading is evidence. NaN is not.
func (r Reading) Evident() bool { return r.Surprise > r.Threshold }

// Confidence maps the distance from the threshold to [0.5, 1]: ½ at the
// threshold, 1 six decades above it; 0 if there is no evidence.
func (r Reading) Confidence() float64 {
	if !r.Evident() {
		return 0
	}
	return 0.5 + 0.5*min((r.Surprise-r.Threshold)/6, 1)
}

// quiet is the reading of a slot about which nothing can be said.
func quiet(threshold float64) Reading {
	return Reading{Observed: math.NaN(), Expected: math.NaN(), Window: 0, Surprise: 0, Threshold: threshold}
}

// week in milliseconds.
const (
	hour = int64(time.Hour / time.Millisecond)
	day  = 24 * hour
	week = 7 * day
)

// Budget is how many false alerts an entity may cost in a week.
const Budget = 0.1

// Decades returns the threshold of Surprise that spends budget alerts a week on
// slots of length step:
//
//	τ = −log10(budget / (0.4 · evaluations a week))
//
// Less than all evaluations, because windows overlap and their tests depend on each
// other. It is 3.9 for the default budget of 0.1 and 5 min, and held between 3 and
// 8: below, single slots of ordinary days are evidence; above, no model's tail is
// known well enough to tell.
//
//	step   budget 0.1   budget 1
//	1 m    4.6          3.6
//	5 m    3.9          3
//	15 m   3.4          3
func Decades(budget float64, step time.Duration) float64 {
	evaluations := float64(week) / float64(max(step.Milliseconds(), 1))
	tau := math.Log10(0.4 * evaluations / budget)
	if math.IsNaN(tau) {
		return 8
	}
	return min(max(tau, 3), 8)
}

// finite returns x, or 0 if x is NaN or infinite.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// maxCount is the largest count that is believed, an exabyte.
const maxCount = 1e18

// known reports whether every x is a number that a count can be: between 0 and
// maxCount.
func known(xs ...float64) bool {
	for _, x := range xs {
		if !(x >= 0 && x <= maxCount) {
			return false
		}
	}
	return true
}

// keep returns the factor by which something of the given half-life shrinks in d
// milliseconds; 1 for d ≤ 0.
func keep(d, halfLife int64) float64 {
	if d <= 0 {
		return 1
	}
	return math.Exp2(-float64(d) / float64(halfLife))
}
