package features

import "time"

// anomalyTable is the current values and rates of a workload and its log-ins.
func anomalyTable() Table {
	t := Table{Type: AnomalyDetection}
	for _, q := range []struct{ name, unit, base string }{
		{"cpu_usage", "cores", "cpu"},
		{"memory_usage", "bytes", "memory"},
		{"network_io", "bytes/s", "network"},
		{"request_rate", "requests/s", "requests"},
		{"login_rate", "log-ins/s", "logins"},
	} {
		t.Contract = append(
			t.Contract,
			Feature{Name: q.name, Unit: q.unit, Base: q.base, Reduce: Last, Window: time.Hour},
			Feature{Name: q.name + "_change", Unit: q.unit, Base: q.base, Reduce: Change, Window: time.Hour},
		)
	}
	t.Contract = append(
		t.Contract,
		Feature{Name: "error_rate", Unit: "ratio", Base: "errors", Of: "requests", Reduce: Ratio, Window: time.Hour},
		Feature{Name: "failed_login_rate", Unit: "ratio", Base: "failed_logins", Of: "logins", Reduce: Ratio, Window: time.Hour},
		Feature{Name: "latency", Unit: "s", Base: "latency_sum", Of: "latency_count", Reduce: Ratio, Window: time.Hour},
	)
	t.Further = []Feature{
		{Name: "restarts", Unit: "restarts", Base: "restarts", Reduce: Count, Window: time.Hour},
		{Name: "replicas", Unit: "pods", Base: "replicas", Reduce: Last, Window: time.Hour},
		{Name: "cpu_throttled", Unit: "ratio", Base: "throttled", Of: "periods", Reduce: Ratio, Window: time.Hour},
		{Name: "hour_of_day", Unit: "h", Reduce: Hour},
		{Name: "day_of_week", Unit: "d", Reduce: Weekday},
	}
	return t
}

// threatTable is the evidence about one entity. It is counted where attempts are
// seen (see upid threats), so it is given with labelled rows and not queried.
func threatTable() Table {
	given := func(name, unit, about string) Feature {
		return Feature{Name: name, Unit: unit, Reduce: Given, About: about}
	}
	return Table{
		Type: SecurityThreat,
		Contract: []Feature{
			given("failed_logins_5m", "log-ins", "log-ins that failed in 5m"),
			given("failed_logins_1h", "log-ins", "log-ins that failed in 1h"),
			given("failed_logins_24h", "log-ins", "log-ins that failed in 24h"),
			given("login_attempts_5m", "log-ins", "log-ins tried in 5m"),
			given("login_attempts_1h", "log-ins", "log-ins tried in 1h"),
			given("failure_ratio_1h", "ratio", "failed log-ins ÷ tried ones in 1h"),
			given("success_after_failures_1h", "log-ins", "log-ins that succeeded after five or more failures in 1h"),
			given("distinct_sources_1h", "addresses", "source addresses seen in 1h"),
			given("distinct_users_1h", "users", "user names tried in 1h"),
			given("denied_requests_1h", "requests", "requests refused for want of a right (403) in 1h"),
			given("sensitive_requests_1h", "requests", "requests that change roles, secrets, webhooks or log trails in 1h"),
			given("new_actions_24h", "actions", "verb and resource pairs never seen before of this entity in 24h"),
			given("egress_bytes_1h", "bytes", "bytes sent in 1h"),
			given("egress_ratio_24h", "ratio", "bytes sent in 24h ÷ the daily mean of the 14d before"),
			given("policy_violations_24h", "events", "policy and runtime alerts in 24h"),
		},
		Further: []Feature{
			given("hour_of_day", "h", "hour of the day in local time, 0 to 23"),
			given("day_of_week", "d", "day of the week in local time, Sunday is 0"),
			given("entity_age", "d", "days since the entity was first seen"),
		},
	}
}

// hoursPerMonth is 365.25 · 24 / 12 rounded, as cloud price lists count.
const hoursPerMonth = 730

// costTable is what drives the cost of a workload.
func costTable() Table {
	mean := func(name, unit, base string, w time.Duration) Feature {
		return Feature{Name: name, Unit: unit, Base: base, Reduce: Mean, Window: w}
	}
	return Table{
		Type: CostOptimization,
		Contract: []Feature{
			mean("cpu_usage_7d_avg", "cores", "cpu", 7*day),
			mean("cpu_request_7d_avg", "cores", "cpu_request", 7*day),
			mean("memory_usage_7d_avg", "bytes", "memory", 7*day),
			mean("memory_request_7d_avg", "bytes", "memory_request", 7*day),
			mean("network_io_7d_avg", "bytes/s", "network", 7*day),
			mean("cpu_price_24h_avg", "currency/core/h", "cpu_price", day),
			mean("memory_price_24h_avg", "currency/GiB/h", "memory_price", day),
			mean("replicas_24h_avg", "pods", "replicas", day),
			mean("replicas_7d_avg", "pods", "replicas", 7*day),
			{Name: "request_count_7d", Unit: "requests", Base: "requests", Reduce: Count, Window: 7 * day},
			{Name: "error_rate_7d", Unit: "ratio", Base: "errors", Of: "requests", Reduce: Ratio, Window: 7 * day},
			mean("cost_per_hour_24h_avg", "currency/h", "cost", day),
			mean("cost_per_hour_7d_avg", "currency/h", "cost", 7*day),
			mean("cost_per_hour_30d_avg", "currency/h", "cost", 30*day),
		},
		Further: []Feature{
			{Name: "cost_per_hour_slope_7d", Unit: "currency/h/d", Base: "cost", Reduce: Slope, Window: 7 * day},
			{Name: "cpu_usage_7d_max", Unit: "cores", Base: "cpu", Reduce: Max, Window: 7 * day},
			{Name: "memory_usage_7d_max", Unit: "bytes", Base: "memory", Reduce: Max, Window: 7 * day},
			{Name: "day_of_week", Unit: "d", Reduce: Weekday},
		},
		Targets: []Target{{
			Name: "cost_monthly", Unit: "currency/month", Base: "cost", From: 0, Until: 7 * day, Factor: hoursPerMonth,
			Formula: "mean of cost over the 7d to come × 730 h",
		}},
	}
}
