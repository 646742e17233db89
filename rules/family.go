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

// TypeBusiness is the type of signals that say how the business does: orders, sign-ups, what is
// left of an error budget.
const TypeBusiness = "business"

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
	case "behavior", TypeBusiness:
		return FamilyBehavior
	}
	return FamilyResource
}

// A Preset is how signals of a type are scored where their configuration does not
// say otherwise.
type Preset struct {
	Direction, Transform      string  // both, up or down; none or sqrt, see detect.Transform
	MinDeviation, MinRelative float64 // unit of the input; relative to the expectation
	Severity                  string  // of an ordinary anomaly
}

// PresetOf returns the preset of a type of signals whose values have the given unit.
//
//	resource     both ways
//	performance  up: faster and fewer errors wake nobody; the root, since latencies,
//	             errors and their shares vary with their level; a share (unit ratio or
//	             percent) must move by half a percentage point
//	cost         both ways: what costs nothing does nothing; at least 10 %
//	security     up
//	behavior     both ways, the root, info: people change their habits
//	business     both ways, the root: orders are counts, and both more and less matter
//
// With the root the simulated cluster's errors have a quarter of the false alarms,
// its requests and orders half of them, at the same recall; security events, which
// are few, lose recall by it.
func PresetOf(signalType, unit string) Preset {
	p := Preset{Direction: "both", Transform: "none", MinDeviation: 0, MinRelative: 0, Severity: series.SeverityWarning}
	switch signalType {
	case "performance":
		p.Direction, p.Transform = "up", "sqrt"
		switch unit {
		case "ratio":
			p.MinDeviation = 0.005
		case "percent", "%":
			p.MinDeviation = 0.5
		}
	case "cost":
		p.MinRelative = 0.1
	case "security":
		p.Direction = "up"
	case "behavior":
		p.Transform, p.Severity = "sqrt", series.SeverityInfo
	case TypeBusiness:
		p.Transform = "sqrt"
	}
	return p
}
