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
	// Moves are UsualMoves where they are zero.
	Moves Moves
}

// Moves say how far and how often what is set moves.
type Moves struct {
	ShrinkCPU   float64 // of the highest that was set in the last seven days: the least that is set
	RiseCPU     float64 // times what was set: the most that a day makes of it, up to what was usual in four weeks
	MoveCPU     float64 // the least relative move
	WorthCPU    float64 // of Scale.CPU, by which a move must lower the loss
	Recall      float64 // how much a day counts of the next one, where a move is judged
	HalveMemory float64 // of the highest of the last seven days: the least that is set
	LowerMemory float64 // the least relative move down …
	RaiseMemory float64 // … and up
	Relief      float64 // times usage: what memory is raised to under pressure
}

// UsualMoves are those of every policy.
var UsualMoves = Moves{ShrinkCPU: 0.8, RiseCPU: 3, MoveCPU: 0.15, WorthCPU: 0.2, Recall: 0.85, HalveMemory: 0.4, LowerMemory: 0.4, RaiseMemory: 0.25, Relief: 1.15}

// Policies lists the policies, cheapest first. On 40 real traces of three months, decided
// daily (docs/recommendations.md):
//
//	           cores  CPU above request  memory kills in 100 weeks
//	cost        1.08   2.5 %             16
//	balanced    1.35   1.0 %             16
//	safe        1.62   0.3 %              8
var Policies = []Policy{
	{Name: "cost", Violation: 2.5, Ceiling: 0.10, Kill: 0.4, Headroom: 0.03, HeadroomDays: 7},
	{Name: "balanced", Violation: 12, Ceiling: 0.05, Kill: 0.4, Headroom: 0.05, HeadroomDays: 7},
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
