package rules

import "github.com/upid/upid/collector/series"

// The families of findings.
const (
	FamilyResource    = "resource_spike"
	FamilyPerformance = "performance_degradation"
	FamilyCost        = "cost_anomaly"
	FamilySecurity    = "security_breach"
	FamilyBehavior    = "behavior_anomaly"
	FamilySystem      = "system_failure"
)

// Families lists them.
var Families = []string{FamilyResource, FamilyPerformance, FamilyCost, FamilySecurity, FamilyBehavior, FamilySystem}

// Family returns the family of an anomaly of the given type in a signal of the
// given type. Missing or flat telemetry is a failure of the system, whatever it
// measured; an unknown signal type is taken as resource.
func Family(signalType, anomalyType string) string {
	switch anomalyType {
	case series.TypeMissing, series.TypeFlatline:
		return FamilySystem
	}
	switch signalType {
	case "performance":
		return FamilyPerformance
	case "cost":
		return FamilyCost
	case "security":
		return FamilySecurity
	case "behavior":
		return FamilyBehavior
	}
	return FamilyResource
}

// FirstAction returns one sentence that says where to look first.
func FirstAction(family, anomalyType string) string {
	switch anomalyType {
	case series.TypeMissing:
		return "Check that the target is up and still scraped: look at its up metric and at the pod's last restart."
	case series.TypeFlatline:
		return "Check that the exporter still measures: a value that always moved has stopped, so compare it with the raw source."
	}
	switch family {
	case FamilyResource:
		return resourceAction(anomalyType)
	case FamilyPerformance:
		return "Compare with the last rollout and with the traffic at the start time; then look at the slowest dependency."
	case FamilyCost:
		return "Break the cost down by workload from the start time on and look for what was added or scaled up."
	case FamilySecurity:
		return "Look at the sources and accounts behind the events since the start time before you block any of them."
	case FamilyBehavior:
		return "Ask whether a campaign, a release or a bot explains the change, starting with the breakdown by client."
	case FamilySystem:
		return "Check the health of the component that exports this series and of the nodes it runs on."
	}
	return "Open the query at the start time and compare with the day and the week before."
}

func resourceAction(anomalyType string) string {
	switch anomalyType {
	case series.TypeDrop:
		return "Check whether the traffic dropped too: a drop without it means work is failing, stuck or sent elsewhere."
	case series.TypeLevelShift:
		return "Look for a rollout, a scaling step or a configuration change at the start time."
	case series.TypeDrift:
		return "Look for a leak or a growing queue: find since when it rises and how long until the limit is reached."
	case series.TypeVariance:
		return "Look for restarts, throttling or an autoscaler that swings: the values vary more than usual around the same level."
	}
	return "Find the process or pod behind the usage and compare with the traffic and the last rollout at the start time."
}
