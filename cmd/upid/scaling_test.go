package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/config"
	"gopkg.in/yaml.v3"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/upid/upid/collector/source"
)

// scalingExample returns the objects of docs/examples/forecast-scaling.yaml by kind.
func scalingExample(t *testing.T) map[string]map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "docs/examples/forecast-scaling.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var o map[string]any
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out[o["kind"].(string)] = o
	}
}

// dig returns what is at a path of keys and, of a list, the first.
func dig(t *testing.T, o any, path ...string) any {
	t.Helper()
	for _, k := range path {
		if l, ok := o.([]any); ok {
			o = l[0]
		}
		m, ok := o.(map[string]any)
		if !ok || m[k] == nil {
			t.Fatalf("no %s of %v", k, path)
		}
		o = m[k]
	}
	if l, ok := o.([]any); ok {
		return l[0]
	}
	return o
}

// TestForecastScaling runs the rule of the example: the forecast where it was good in the last hour, else what is
// observed, never more than twice of that, and nothing without upid.
func TestForecastScaling(t *testing.T) {
	objects := scalingExample(t)
	rule := dig(t, objects["PrometheusRule"], "spec", "groups", "rules").(map[string]any)
	const forecast, observed = `upid_forecast_value{signal="checkout_cpu",horizon="10m",namespace="shop"}`, `upid_observed_value{signal="checkout_cpu",namespace="shop"}`
	const hours = 3 * time.Hour
	jump := 10*time.Minute - time.Second // what was forecast since then has not been judged
	for _, c := range []struct {
		name   string
		series []lived
		want   float64 // NaN: no answer
	}{
		{"good", []lived{{forecast, hours, 0, 1.1}, {observed, hours, 0, 1}}, 1.1},
		{"below", []lived{{forecast, hours, 0, 0.9}, {observed, hours, 0, 1}}, 0.9},
		{"wrong lately", []lived{{forecast, hours, 0, 3}, {observed, hours, 0, 1}}, 1},
		{"no history of it", []lived{{forecast, 0, 0, 1.2}, {observed, hours, 0, 1}}, 1},
		{"a leap", []lived{{forecast, hours, jump, 1}, {forecast, jump, 0, 5}, {observed, hours, 0, 1}}, 2},
		{"none", []lived{{observed, hours, 0, 1}}, 1},
		{"no upid", []lived{{"up", hours, 0, 1}}, math.NaN()},
	} {
		client, err := source.New(source.Options{URL: prometheusOf(t, c.series), HTTP: config.DefaultHTTPClientConfig})
		if err != nil {
			t.Fatal(err)
		}
		d, err := client.Instant(t.Context(), rule["expr"].(string), reportEnd.UnixMilli())
		client.Close()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if math.IsNaN(c.want) {
			if len(d.Series) > 0 {
				t.Errorf("%s: %v", c.name, d.Series)
			}
			continue
		}
		if len(d.Series) != 1 || math.Abs(d.Series[0].Values[0]-c.want) > 1e-9 {
			t.Errorf("%s: %+v, want %v", c.name, d.Series, c.want)
		}
	}
}

// TestScalingExample: the scalers read what the rule records, and Kubernetes takes the autoscaler.
func TestScalingExample(t *testing.T) {
	objects := scalingExample(t)
	rule := dig(t, objects["PrometheusRule"], "spec", "groups", "rules").(map[string]any)
	recorded := rule["record"].(string) + `{signal="checkout_cpu"}`
	if rule["labels"].(map[string]any)["signal"] != "checkout_cpu" {
		t.Errorf("%v", rule)
	}
	if q := dig(t, objects["ScaledObject"], "spec", "triggers", "metadata", "query"); q != recorded {
		t.Errorf("KEDA asks %v, the rule records %s", q, recorded)
	}
	b, err := json.Marshal(objects["HorizontalPodAutoscaler"])
	if err != nil {
		t.Fatal(err)
	}
	var hpa autoscalingv2.HorizontalPodAutoscaler
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&hpa); err != nil {
		t.Fatal(err)
	}
	if m := hpa.Spec.Metrics; len(m) != 2 || m[0].Type != autoscalingv2.ExternalMetricSourceType || m[0].External.Target.Type != autoscalingv2.AverageValueMetricType || m[0].External.Target.AverageValue.MilliValue() != 500 {
		t.Errorf("%+v", hpa.Spec)
	}
	// The manual shows the rule as it is.
	doc, err := os.ReadFile(filepath.Join(root, "docs/recommendations.md"))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if !strings.Contains(flat(string(doc)), flat(rule["expr"].(string))) {
		t.Error("docs/recommendations.md has another rule")
	}
}
