package main

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/advice"
	"github.com/upid/upid/collector/engine"
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
		if points, _ := presets.Advice(task); len(points) == 0 {
			t.Errorf("no queries of %s", task)
		}
	}
	if len(presets.AdviceInputs()) != len(seen) {
		t.Error("inputs are not the names of the queries")
	}
}

// TestAdviceQueriesSelect runs every query on samples with the names and labels of the exporters: each
// selects something, and both of a pair have the same labels.
func TestAdviceQueriesSelect(t *testing.T) {
	const at, minute = int64(1_700_000_040_000), int64(60_000)
	ls, values := recorded(t, "recommendations")
	eng, err := engine.Open(engine.Options{Dir: t.TempDir(), Lookback: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	b := eng.Batch(t.Context())
	for i := range ls {
		ref := uint64(0)
		for k := range int64(90) {
			v := values[i]
			if strings.HasSuffix(ls[i].Get("__name__"), "_total") {
				v += float64(10 * k)
			}
			if ref, err = b.Append(ref, ls[i], at+k*minute, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	end := at + 89*minute
	answers := map[string][]labels.Labels{}
	for _, q := range presets.AdviceQueries {
		lines, err := eng.Range(t.Context(), q.Query, end, end, 3_600_000)
		if err != nil || len(lines) == 0 {
			t.Errorf("%s selects nothing: %v\n%s", q.Name, err, q.Query)
		}
		for _, l := range lines {
			answers[q.Name] = append(answers[q.Name], l.Labels)
		}
	}
	for _, p := range advice.Pairs {
		if a, b := answers[p.Used], answers[p.Limit]; len(a) == 0 || len(b) == 0 || labels.Compare(a[0], b[0]) != 0 {
			t.Errorf("%s: %v has not the labels of %v", p.Kind, a, b)
		}
	}
	for _, name := range []string{"workload_cost", "workload_cpu", "workload_replicas", "workload_owner", "workload_guarded", "workload_hpa", "container_cpu", "containers", "throttled"} {
		found := false
		for _, l := range answers[name] {
			found = found || l.Get("workload") == "cart" && l.Get("namespace") == "shop"
		}
		if !found {
			t.Errorf("%s: no workload shop/cart in %v", name, answers[name])
		}
	}
}
