package main

import (
	"slices"
	"testing"

	"github.com/upid/upid/detect/threat"
	"github.com/upid/upid/forecast/features"
)

// TestThreatFeatures wants what is counted of entities to be the features that a model of the
// type security_threat is trained on.
func TestThreatFeatures(t *testing.T) {
	table := features.Of(features.SecurityThreat)
	var names []string
	for _, f := range slices.Concat(table.Contract, table.Further) {
		names = append(names, f.Name)
	}
	if !slices.Equal(threat.Features, names) {
		t.Errorf("counted are %q\nthe table has %q", threat.Features, names)
	}
}
