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
