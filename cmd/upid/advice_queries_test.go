package main

import (
	"testing"

	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/rules/presets"
)

// TestAdviceQueries: every query of capacity, cost and recommendations is PromQL that may be asked.
func TestAdviceQueries(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range presets.AdviceQueries {
		if err := source.CheckExpr(q.Query); err != nil {
			t.Errorf("%s: %v\n%s", q.Name, err, q.Query)
		}
		if seen[q.Name] {
			t.Errorf("%s is there twice", q.Name)
		}
		seen[q.Name] = true
		if q.Source == "" {
			t.Errorf("%s: no source", q.Name)
		}
	}
	for _, task := range adviceNames {
		if len(presets.Advice(task)) == 0 {
			t.Errorf("no queries of %s", task)
		}
	}
	if len(presets.AdviceInputs()) != len(seen) {
		t.Error("inputs are not the names of the queries")
	}
}
