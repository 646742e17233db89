package main

// business is the dashboard of what upid is worth; upid report says more, from the same series.
func business() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("namespace", "Namespace", "Of spend, incidents and alerts.", `label_values(upid_cost_forecast_value{scope="namespace"}, namespace)`, 1, ""), ".*"),
		customVariable("severity", "Alerts users feel", "Regular expression of the severity of the alerts that users feel.", ".*", ".*", "critical", "page", "critical|page", "critical|warning"),
	}
	l := &layout{}
	businessNow(l)
	businessSpend(l)
	businessSavings(l)
	businessIncidents(l)
	businessAccuracy(l)
	return dashboard(businessUID, "upid / Business",
		"Spend against forecast and budget, savings, incidents and alerts, KPIs, accuracy. upid report prints the same for any time, with what was realised and how long before alerts incidents were seen.",
		"now-30d", "now", variables, list{}, l.panels,
		dashboardLink("upid / Cost and capacity", "/d/"+capacityUID+"?var-datasource=${datasource}", "What is full and what it costs"),
		dashboardLink("upid / Recommendations", "/d/"+recommendationsUID+"?var-datasource=${datasource}", "What to change"),
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}

const (
	spendNow     = `max(upid_observed_value{signal="costs", scope="total"})`
	toDate       = `max(upid_cost_month_to_date_value{scope="total"})`
	toMonthEnd   = `max(upid_cost_forecast_value{scope="total", horizon="month_end"})`
	budget       = `max(upid_cost_budget_value{scope="total"})`
	spendOf      = `max by (namespace) (upid_observed_value{signal="costs", ` + ofNamespace + `})`
	usersAlerts  = `ALERTS{alertstate="firing", alertname!~"Upid.*|Watchdog|InfoInhibitor", severity=~"$severity"}`
	placeOfAlert = `namespace, pod, service, instance`
)

func businessNow(l *layout) {
	l.row("Now")
	l.add(4, 4, withDecimals(stat("Spent", "In the time range, as far as spend is known in it, in the currency of the configuration.", "none", "no cost", plain,
		now("A", "spent", `sum_over_time(`+spendNow+`[$__range:1h])`)), 2))
	l.add(4, 4, withDecimals(stat("Last seven days against forecast", "Spend of the last seven days against what was forecast for them seven days ago: above 0 it was more. Needs seven days of both.", "percentunit", "not yet seven days", plain,
		now("A", "against", `sum_over_time(`+spendNow+`[7d:1h]) / max(upid_cost_forecast_value{scope="total", horizon="7d"} offset 7d) - 1`)), 1))
	l.add(4, 4, withDecimals(stat("Month against budget", "What the month is expected to have cost at its end, of its budget.", "percentunit", "no budget", steps("green", 0.9, "yellow", 1, "red"),
		now("A", "of budget", `(`+toDate+` + `+toMonthEnd+`) / `+budget)), 0))
	l.add(4, 4, withDecimals(stat("Could be saved", "What open recommendations save a month at list price.", "none", "nothing to save", plain,
		now("A", "{{currency}}", `sum by (currency) (max by (id, currency) (upid_recommendation_savings_monthly))`)), 2))
	l.add(4, 4, stat("Incidents", "Findings that were open at some time in the range, each signal, series and type once.", "none", "none", plain,
		now("A", "incidents", `count(count by (signal, type, `+placeOfAlert+`) (count_over_time(upid_anomaly_active[$__range]))) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Alert budget used", "By the signal that used most of its budget: 1 is all that was allowed.", "percentunit", "no budget", steps("green", 1, "yellow", 2, "red"),
		now("A", "used", `max(upid_alert_budget_ratio)`)), 0))
}

func businessSpend(l *layout) {
	l.row("Spend")
	p := timeseries("Spend of seven days", "Of the seven days before each time, and what was forecast for them at their beginning, with the 90 % interval. The forecast begins seven days after the first one.", "none",
		over("A", "spent", `sum_over_time(`+spendNow+`[7d:1h])`),
		over("B", "forecast", `max(upid_cost_forecast_value{scope="total", horizon="7d"} offset 7d)`),
		over("C", "lower", `max(upid_cost_forecast_lower{scope="total", horizon="7d"} offset 7d)`),
		over("D", "upper", `max(upid_cost_forecast_upper{scope="total", horizon="7d"} offset 7d)`))
	l.add(12, 9, band(p, "lower", "upper", "blue"))
	l.add(12, 9, timeseries("Month against budget", "What was spent since the first of the month, what is expected at its end, and the budget.", "none",
		over("A", "spent so far", toDate), over("B", "expected", toDate+` + `+toMonthEnd), over("C", "budget", budget)))
	l.add(12, 9, sorted(table("Namespaces", "Spend of the last seven days, what was forecast for them, and what is forecast for the next seven.", "No cost: see docs/recommendations.md",
		[]string{"namespace"}, nil,
		[]column{{"A", "last 7 days", "none", nil}, {"B", "was forecast", "none", nil}, {"C", "next 7 days", "none", nil}},
		rows("A", `sum_over_time(`+spendOf+`[7d:1h])`), rows("B", `max by (namespace) (upid_cost_forecast_value{`+ofNamespace+`, horizon="7d"} offset 7d)`),
		rows("C", `max by (namespace) (upid_cost_forecast_value{`+ofNamespace+`, horizon="7d"})`)), "last 7 days"))
	l.add(12, 9, timeseries("Below the forecast of a week ago", "What each namespace spent less in the last seven days than was forecast seven days ago: what savings applied then made real, and demand that fell.", "none",
		over("A", "{{namespace}}", `max by (namespace) (upid_cost_forecast_value{`+ofNamespace+`, horizon="7d"} offset 7d) - sum_over_time(`+spendOf+`[7d:1h])`)))
}

func businessSavings(l *layout) {
	l.row("Savings")
	// What a container asks for, by the workload that the name of its pod follows from.
	const asked = `max by (namespace, workload, container) (label_replace(kube_pod_container_resource_requests{resource="cpu"}, "workload", "$1", "pod", "(.+?)(-([bcdfghjklmnpqrstvwxz2456789]{6,10}-|[0-9]{8,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)?"))`
	const wanted = `max by (namespace, workload, container) (last_over_time(upid_recommendation_target_value{resource="cpu_request_cores"}[$__range]))`
	l.add(12, 9, timeseries("Savings a month", "Of open recommendations, by kind, at list price. What falls was applied, or is not true any more.", "none",
		over("A", "{{kind}}", `sum by (kind) (max by (id, kind) (upid_recommendation_savings_monthly))`)))
	l.add(12, 9, table("CPU requests, recommended and set", "The newest recommendation of each container in the time range beside what it asks for now: near 100 % it is applied. Needs kube-state-metrics.", "No CPU request was recommended, or kube-state-metrics is not there",
		[]string{"namespace", "workload", "container"}, nil,
		[]column{{"A", "recommended", "short", nil}, {"B", "set", "short", nil}, {"C", "set of recommended", "percentunit", nil}},
		rows("A", wanted), rows("B", asked+` and on (namespace, workload, container) `+wanted), rows("C", asked+` / on (namespace, workload, container) `+wanted)))
}

func businessIncidents(l *layout) {
	l.row("Incidents and what users felt")
	l.add(8, 8, timeseries("Open incidents", "By severity, as upid found them.", "short",
		over("A", "{{severity}}", `count by (severity) (upid_anomaly_active)`)))
	l.add(8, 8, timeseries("Alerts that users felt", "Alerts of other rules that fire.", "short",
		over("A", "{{severity}}", `count by (severity) (`+usersAlerts+`)`)))
	l.add(8, 8, timeseries("KPIs", "Signals of the type business: orders, sign-ups, what is left of an error budget.", "short",
		over("A", "{{signal}}", `sum by (signal) (upid_observed_value * on (signal) group_left () max by (signal) (upid_signal_info{type="business"}))`),
		over("B", "{{signal}}, expected", `sum by (signal) (upid_expected_value * on (signal) group_left () max by (signal) (upid_signal_info{type="business"}))`)))
	l.add(12, 9, sorted(table("Alerts that fire, and since when upid sees something there", "By namespace: how long an alert has been firing and how long an anomaly has been open, of the last day. Where the second is longer upid was earlier. upid report compares workloads and hosts.", "No alert fires, or none where upid sees something",
		[]string{"namespace"}, nil,
		[]column{{"A", "fires for", "s", nil}, {"B", "seen for", "s", nil}},
		rows("A", `60 * max by (namespace) (count_over_time(`+usersAlerts+`[1d:1m]))`),
		rows("B", `60 * max by (namespace) (count_over_time(upid_anomaly_active[1d:1m])) and on (namespace) max by (namespace) (`+usersAlerts+`)`)), "fires for"))
	l.add(12, 9, table("KPIs that are out of the ordinary", "Open anomalies of signals of the type business; what moved with them is in the anomaly, see upid anomalies.", "Every KPI is as usual",
		[]string{"signal", "type", "severity"}, []string{"instance"},
		[]column{{"A", "open", "none", nil}}, rows("A", `upid_anomaly_active and on (signal) upid_signal_info{type="business"}`)))
}

func businessAccuracy(l *layout) {
	l.row("Accuracy and alert budget")
	l.add(12, 8, timeseries("Skill", "1 − error ÷ error of the seasonal naive forecast, median of all signals, by horizon.", "percentunit",
		over("A", "{{horizon}}", `quantile by (horizon) (0.5, upid_model_skill_ratio{stage="active"})`)))
	l.add(12, 8, timeseries("Alert budget used", "Of the ten signals that used most: above 1 there were more alerts than allowed.", "percentunit",
		over("A", "{{signal}}", `topk(10, max by (signal) (upid_alert_budget_ratio))`)))
}
