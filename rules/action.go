package rules

import "github.com/upid/upid/collector/series"

// FirstAction returns one sentence that says where to look first: by type, and by
// family where that asks for something else.
func FirstAction(family, anomalyType string) string {
	switch anomalyType {
	case series.TypeMissing:
		return "Check that the target is up and still scraped: look at its up metric and at the pod's last restart."
	case series.TypeFlatline:
		return "Check that the exporter still measures: a value that always moved has stopped, so compare it with the raw source."
	}
	actions := firstActions[family]
	if a := actions[anomalyType]; a != "" {
		return a
	}
	if a := actions[""]; a != "" {
		return a
	}
	return "Open the query at the start time and compare with the day and the week before."
}

// regressionAction is the first action where a rollout is the first suspect.
const regressionAction = "Compare with the revision before the rollout, and roll it back if it is worse."

// peersAction is the first action for a replica that is unlike the others.
const peersAction = "Compare this replica with the others: its node, its version, its share of the load; if only it is bad, replace it."

// firstActions by family and type; "" is any other type.
var firstActions = map[string]map[string]string{
	FamilyResource: {
		"":                    "Find the process or pod behind the usage and compare with the traffic and the last rollout at the start time.",
		series.TypeDrop:       "Check whether the traffic dropped too: a drop without it means work is failing, stuck or sent elsewhere.",
		series.TypeLevelShift: "Look for a rollout, a scaling step or a configuration change at the start time.",
		series.TypeDrift:      "Look for a leak or a growing queue: find since when it moves and how long until the limit is reached.",
		series.TypeVariance:   "Look for restarts, throttling or an autoscaler that swings: the values vary more than usual around the same level.",
		series.TypeOutlier:    "Compare the newest hours with the same hours of the day before: the values are possible one by one, not in this order.",
	},
	FamilyPerformance: {
		"":                    "Compare with the traffic and the errors at the start time; then look at the slowest dependency.",
		series.TypeDrop:       "Check that work still arrives: quick or few answers can mean that requests fail early or go elsewhere.",
		series.TypeLevelShift: "Compare before and after the last rollout or configuration change at the start time, then the dependencies.",
		series.TypeDrift:      "Look for a queue, a table or a cache that grows: find since when it creeps and what rises with it.",
		series.TypeVariance:   "Compare the instances: a single slow one, or a dependency that comes and goes, makes the values swing.",
	},
	FamilyCost: {
		"":                    "Break the cost down by workload from the start time on and look for what was added or scaled up.",
		series.TypeDrop:       "Check that what was removed or scaled down was meant to be, and that prices and allocations are still reported.",
		series.TypeDrift:      "Break the growth down by workload over the last weeks and look for what is added and never removed.",
		series.TypeVariance:   "Look for an autoscaler or nodes that come and go: each new node is paid from its first minute.",
		series.TypeLevelShift: "Look for what was added, resized or repriced at the start time, by workload and by node type.",
	},
	FamilySecurity: {
		"":               "Look at the sources and accounts behind the events since the start time before you block any of them.",
		series.TypeDrop:  "Check that the events are still recorded: a silent log source hides what happens.",
		series.TypeDrift: "List the sources and accounts whose share grows from day to day: slow attempts stay below limits.",
	},
	FamilyBehavior: {
		"":               "Ask whether a campaign, a release or a bot explains the change, starting with the breakdown by client.",
		series.TypeDrop:  "Try the flow yourself and look at its errors: users who cannot get through look like users who stay away.",
		series.TypeDrift: "Compare week by week and by client: a habit that changes slowly is a trend, a bot or a lost source of users.",
	},
	FamilySystem: {
		"": "Check the health of the component that exports this series and of the nodes it runs on.",
	},
}
