package features

import "time"

// windows of the contract.
var windows = []struct {
	name string
	d    time.Duration
}{{"24h", day}, {"7d", 7 * day}, {"30d", 30 * day}}

// resourceTable has exactly 18 features in its contract: six quantities over three
// windows.
func resourceTable() Table {
	t := Table{Type: ResourcePrediction}
	for _, q := range []struct {
		name, suffix, unit, base, of string
		reduce                       Reduce
	}{
		{"cpu_usage", "_avg", "cores", "cpu", "", Mean},
		{"memory_usage", "_avg", "bytes", "memory", "", Mean},
		{"network_io", "_avg", "bytes/s", "network", "", Mean},
		{"request_count", "", "requests", "requests", "", Count},
		{"error_rate", "", "ratio", "errors", "requests", Ratio},
		{"cost_per_hour", "_avg", "currency/h", "cost", "", Mean},
	} {
		for _, w := range windows {
			t.Contract = append(t.Contract, Feature{
				Name: q.name + "_" + w.name + q.suffix, Unit: q.unit, Base: q.base, Of: q.of, Reduce: q.reduce, Window: w.d,
			})
		}
	}
	for _, q := range []struct{ name, unit, base string }{
		{"cpu_usage", "cores", "cpu"}, {"memory_usage", "bytes", "memory"}, {"network_io", "bytes/s", "network"},
	} {
		t.Further = append(
			t.Further,
			Feature{Name: q.name + "_lag_7d", Unit: q.unit, Base: q.base, Reduce: Lag, Window: 7 * day},
			Feature{Name: q.name + "_lag_14d", Unit: q.unit, Base: q.base, Reduce: Lag, Window: 14 * day},
			Feature{Name: q.name + "_slope_7d", Unit: q.unit + "/d", Base: q.base, Reduce: Slope, Window: 7 * day},
			Feature{Name: q.name + "_7d_max", Unit: q.unit, Base: q.base, Reduce: Max, Window: 7 * day},
		)
	}
	t.Further = append(
		t.Further,
		Feature{Name: "hour_of_day", Unit: "h", Reduce: Hour},
		Feature{Name: "day_of_week", Unit: "d", Reduce: Weekday},
		Feature{Name: "cpu_request_utilisation_24h", Unit: "ratio", Base: "cpu", Of: "cpu_request", Reduce: Ratio, Window: day},
		Feature{Name: "cpu_limit_utilisation_24h", Unit: "ratio", Base: "cpu", Of: "cpu_limit", Reduce: Ratio, Window: day},
		Feature{Name: "memory_request_utilisation_24h", Unit: "ratio", Base: "memory", Of: "memory_request", Reduce: Ratio, Window: day},
		Feature{Name: "memory_limit_utilisation_24h", Unit: "ratio", Base: "memory", Of: "memory_limit", Reduce: Ratio, Window: day},
		Feature{Name: "cpu_throttled_24h", Unit: "ratio", Base: "throttled", Of: "periods", Reduce: Ratio, Window: day},
		Feature{Name: "restarts_24h", Unit: "restarts", Base: "restarts", Reduce: Count, Window: day},
		Feature{Name: "replicas_24h_avg", Unit: "pods", Base: "replicas", Reduce: Mean, Window: day},
		Feature{Name: "latency_24h_avg", Unit: "s", Base: "latency_sum", Of: "latency_count", Reduce: Ratio, Window: day},
	)
	for _, q := range []struct{ name, unit, base string }{
		{"cpu", "cores", "cpu"}, {"memory", "bytes", "memory"}, {"network", "bytes/s", "network"}, {"cost", "currency/h", "cost"},
	} {
		t.Targets = append(t.Targets, Target{
			Name: q.name, Unit: q.unit, Base: q.base, From: 6 * day, Until: 7 * day, Factor: 1,
			Formula: "mean of " + q.base + " over the 24h that end 7d ahead",
		})
	}
	return t
}
