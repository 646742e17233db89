package report

import (
	"github.com/upid/upid/rules/presets"
)

// A Grid says at which times a query is asked.
type Grid int

// The grids.
const (
	Hourly  Grid = iota // from the first of the month of From on
	Fine                // every Step from From on
	Instant             // at To
)

// Query is one question to Prometheus.
type Query struct {
	Name string
	Expr string
	Grid Grid
}

// UserAlerts selects the alerts that users feel, but for further matchers: all that fire and
// are not upid's.
const UserAlerts = `alertstate="firing",alertname!~"Upid.*|Watchdog|InfoInhibitor"`

// Queries returns what a report asks; step is that of the fine grid in PromQL, since the time of the report,
// alerts are further label matchers of the alerts that users feel, "" is none. container names a container's
// workload as upid does.
func Queries(step, since, alerts string) []Query {
	matchers := UserAlerts
	if alerts != "" {
		matchers += "," + alerts
	}
	const hpa = `kube_horizontalpodautoscaler_spec_`
	container := func(metric, resource string) string {
		return `max by (cluster, namespace, workload, container) (label_replace(kube_pod_container_resource_` + metric + `{resource="` + resource + `"}, ` + presets.WorkloadOf + `))`
	}
	replicas := func(metric string) string {
		return `max by (cluster, namespace, workload) (label_replace(` + metric + `, "workload", "$1", "horizontalpodautoscaler", "(.+)") or label_replace(` + metric +
			` * on (cluster, namespace, horizontalpodautoscaler) group_left (scaletargetref_name) kube_horizontalpodautoscaler_info, "workload", "$1", "scaletargetref_name", "(.+)"))`
	}
	const build, signals = `max by (job, instance) (last_over_time(upid_build_info[1h]))`, `max by (signal, type) (last_over_time(upid_signal_info[1h]))`
	return []Query{
		{"build", build, Hourly},
		{"build_at_end", build, Instant},
		{"signals", signals, Hourly},
		{"signals_at_end", signals, Instant},

		{"spend", `upid_observed_value{signal="` + presets.TaskCosts + `"}`, Hourly},
		{"forecast", `upid_cost_forecast_value`, Hourly},
		{"forecast_lower", `upid_cost_forecast_lower`, Hourly},
		{"forecast_upper", `upid_cost_forecast_upper`, Hourly},
		{"budget", `upid_cost_budget_value`, Hourly},
		{"to_date", `upid_cost_month_to_date_value`, Hourly},

		{"savings", `upid_recommendation_savings_monthly`, Hourly},
		{"realisable", `upid_recommendation_realisable_savings_monthly`, Hourly},
		{"targets", `upid_recommendation_target_value`, Hourly},
		{"cpu_request_cores", container("requests", "cpu"), Hourly},
		{"memory_request_bytes", container("requests", "memory"), Hourly},
		{"cpu_limit_cores", container("limits", "cpu"), Hourly},
		{"memory_limit_bytes", container("limits", "memory"), Hourly},
		{"replicas", `max by (cluster, namespace, workload) (label_replace(kube_deployment_spec_replicas, "workload", "$1", "deployment", "(.+)") or label_replace(kube_statefulset_replicas, "workload", "$1", "statefulset", "(.+)"))`, Hourly},
		{"replicas_min", replicas(hpa + "min_replicas"), Hourly},
		{"replicas_max", replicas(hpa + "max_replicas"), Hourly},
		{"nodes", `count by (cluster) (kube_node_info)`, Hourly},

		{"anomalies", `max_over_time(upid_anomaly_active[` + step + `])`, Fine},
		{"threats", `max_over_time(upid_threat_risk_score[` + step + `]) >= 40`, Fine},
		{"alerts", `max_over_time(ALERTS{` + matchers + `}[` + step + `])`, Fine},
		{"any_alerts", `count(count_over_time(ALERTS[` + since + `]))`, Instant},

		{"skill", `upid_model_skill_ratio`, Instant},
		{"coverage", `upid_model_coverage_ratio`, Instant},
		{"mase", `upid_model_mase`, Instant},
		{"judged", `upid_model_judged_forecasts`, Instant},
		{"alert_budget", `upid_alert_budget_ratio`, Instant},
		{"alert_budget_max", `max_over_time(upid_alert_budget_ratio[` + since + `])`, Instant},
	}
}

// Seen are the resources of recommendations whose change Prometheus can show: the names of the queries above.
var Seen = []string{"cpu_request_cores", "memory_request_bytes", "cpu_limit_cores", "memory_limit_bytes", "replicas", "replicas_min", "replicas_max", "nodes"}
