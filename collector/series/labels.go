package series

import "slices"

// OwnLabels are the label names upid gives a meaning to, on metrics and on alerts
// alike, so that the two join. An input label of that name is renamed
// source_<name>. Nobody may change it.
var OwnLabels = []string{"signal", "horizon", "type", "severity", "threat", "technique", "currency", "window", "source_name"}

// IsOwnLabel reports whether name is one of OwnLabels.
func IsOwnLabel(name string) bool { return slices.Contains(OwnLabels, name) }
