package sizing

import "fmt"

// Policy is how much money a quiet life is worth.
type Policy struct {
	Name string
	// Violation is the price of CPU usage above the request all the time, in units of
	// Scale.CPU: 4 means that a container of average size is given up to 4 times its
	// usual usage to avoid it. Of containers of half the size, 8 times theirs.
	Violation float64
	// Ceiling is the share of the time above the request from which on an hour costs ten
	// times as much, however large the container.
	Ceiling float64
	// Kill is the price of the certainty of one memory kill within seven days, in units
	// of Scale.Memory.
	Kill float64
	// Headroom is the least memory over the highest of the last
	// HeadroomDays.
	Headroom     float64
	HeadroomDays int
}

// Policies lists the policies, cheapest first. On 40 real traces of three months, decided
// daily (docs/recommendations.md):
//
//	           cores  CPU above request  memory kills in 100 weeks
//	cost        1.08   2.6 %             18
//	balanced    1.35   1.0 %             18
//	safe        1.62   0.3 %              8
var Policies = []Policy{
	{Name: "cost", Violation: 2.5, Ceiling: 0.10, Kill: 0.2, Headroom: 0.03, HeadroomDays: 7},
	{Name: "balanced", Violation: 12, Ceiling: 0.05, Kill: 0.3, Headroom: 0.05, HeadroomDays: 7},
	{Name: "safe", Violation: 50, Ceiling: 0.02, Kill: 2, Headroom: 0.10, HeadroomDays: 14},
}

// PolicyNamed returns the policy of that name.
func PolicyNamed(name string) (Policy, error) {
	for _, p := range Policies {
		if p.Name == name {
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("policy %q is unknown, want cost, balanced or safe", name)
}
