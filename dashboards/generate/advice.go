package main

// capacity is the dashboard of what is full soon and what it all costs.
func capacity() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("capacity", "Kind", "Kind of limit: disk, pvc, quota, …", `label_values(upid_capacity_exhaustion_probability, capacity)`, 1, ""), ".*"),
		many(queryVariable("namespace", "Namespace", "Of the spend.", `label_values(upid_cost_forecast_value{scope="namespace"}, namespace)`, 1, ""), ".*"),
		customVariable("within", "Within", "How far ahead a limit must not be reached.", "30d", "1d", "7d", "30d", "90d"),
	}
	l := &layout{}
	capacityNow(l)
	capacityFull(l)
	capacitySpend(l)
	return dashboard(capacityUID, "upid / Cost and capacity",
		"When disks, volumes, quotas, nodes and addresses are full, and what namespaces will have cost.",
		"now-7d", "now", variables, list{}, l.panels,
		dashboardLink("upid / Recommendations", "/d/"+recommendationsUID+"?var-datasource=${datasource}", "What to change"),
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}

const (
	ofKind      = `capacity=~"$capacity"`
	ofNamespace = `scope="namespace", namespace=~"$namespace"`
)

var (
	likely  = steps("green", 0.2, "yellow", 0.5, "red")
	daysTo  = steps("red", 7*86400, "yellow", 30*86400, "green")
	noPlans = "nothing is said yet"
)

func capacityNow(l *layout) {
	l.row("Now")
	l.add(4, 4, stat("Full within a week", "Limits that are reached within seven days more likely than not.", "none", noPlans, steps("green", 1, "red"),
		now("A", "full", `count(upid_capacity_exhaustion_probability{`+ofKind+`, horizon="7d"} >= 0.5) or 0 * max(upid_ready)`)))
	l.add(4, 4, stat("Full within $within", "Limits that are reached within the time chosen more likely than not.", "none", noPlans, steps("green", 1, "yellow"),
		now("A", "full", `count(upid_capacity_exhaustion_probability{`+ofKind+`, horizon="$within"} >= 0.5) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Next one full", "Time until the first limit is reached, median. Nothing stands here while nothing grows towards its limit.", "s", "nothing grows", daysTo,
		now("A", "next", `min(upid_capacity_exhaustion_seconds{`+ofKind+`})`)), 1))
	l.add(4, 4, withDecimals(stat("Next seven days", "Predicted spend of everything that has a cost, in the currency of the configuration.", "none", "no cost", plain,
		now("A", "{{currency}}", `sum by (currency) (upid_cost_forecast_value{scope="total", horizon="7d"})`)), 2))
	l.add(4, 4, withDecimals(stat("Rest of the month", "Predicted spend from now to the end of the month.", "none", "no cost", plain,
		now("A", "{{currency}}", `sum by (currency) (upid_cost_forecast_value{scope="total", horizon="month_end"})`)), 2))
	l.add(4, 4, withDecimals(stat("Could be saved", "What the open recommendations save a month at list price; never more than the cluster costs.", "none", "nothing to save", plain,
		now("A", "{{currency}}", `sum by (currency) (upid_recommendation_savings_monthly)`)), 2))
}

func capacityFull(l *layout) {
	l.row("What is full, and when")
	l.add(16, 9, sorted(table("Limits", "Time until each limit is reached, with the bounds of the 80 % interval, and the probability within the time chosen. What does not grow significantly, or not towards its limit, has no time.", "Nothing grows towards its limit",
		[]string{"capacity", "namespace", "instance", "mountpoint", "persistentvolumeclaim", "resource"}, []string{"signal", "horizon"},
		[]column{{"A", "in", "s", daysTo}, {"B", "earliest", "s", nil}, {"C", "latest", "s", nil}, {"D", "probability", "percentunit", likely}},
		rows("A", `upid_capacity_exhaustion_seconds{`+ofKind+`}`), rows("B", `upid_capacity_exhaustion_lower_seconds{`+ofKind+`}`),
		rows("C", `upid_capacity_exhaustion_upper_seconds{`+ofKind+`}`), rows("D", `upid_capacity_exhaustion_probability{`+ofKind+`, horizon="$within"}`)), "probability"))
	l.add(8, 9, timeseries("Highest probability of each kind", "That some limit of the kind is reached within the time chosen.", "percentunit",
		over("A", "{{capacity}}", `max by (capacity) (upid_capacity_exhaustion_probability{`+ofKind+`, horizon="$within"})`)))
	l.add(12, 8, timeseries("Time left", "Of the limits that are nearest. A line that falls by a day a day is a date that holds.", "s",
		over("A", "{{capacity}} {{namespace}}{{instance}} {{mountpoint}}{{persistentvolumeclaim}}", `bottomk(10, upid_capacity_exhaustion_seconds{`+ofKind+`})`)))
	l.add(12, 8, timeseries("Limits by probability", "How many limits are reached within the horizon more likely than not.", "short",
		over("A", "within {{horizon}}", `sum by (horizon) (upid_capacity_exhaustion_probability{`+ofKind+`} >= bool 0.5)`)))
}

func capacitySpend(l *layout) {
	l.row("Spend")
	l.add(12, 9, sorted(table("Namespaces", "Spend predicted for the next seven days with the bounds of its 90 % interval and for the rest of the month.", "No cost: see docs/recommendations.md",
		[]string{"namespace", "currency"}, []string{"signal", "scope", "horizon", "cluster"},
		[]column{{"A", "7 days", "none", nil}, {"B", "at least", "none", nil}, {"C", "at most", "none", nil}, {"D", "rest of the month", "none", nil}},
		rows("A", `upid_cost_forecast_value{`+ofNamespace+`, horizon="7d"}`), rows("B", `upid_cost_forecast_lower{`+ofNamespace+`, horizon="7d"}`),
		rows("C", `upid_cost_forecast_upper{`+ofNamespace+`, horizon="7d"}`), rows("D", `upid_cost_forecast_value{`+ofNamespace+`, horizon="month_end"}`)), "7 days"))
	p := timeseries("Predicted spend of the next seven days", "In all, with the 90 % interval.", "none",
		over("A", "expected", `sum(upid_cost_forecast_value{scope="total", horizon="7d"})`),
		over("B", "lower", `sum(upid_cost_forecast_lower{scope="total", horizon="7d"})`),
		over("C", "upper", `sum(upid_cost_forecast_upper{scope="total", horizon="7d"})`))
	l.add(12, 9, band(p, "lower", "upper", "blue"))
	l.add(12, 8, timeseries("Spend an hour", "Measured, by namespace.", "none",
		over("A", "{{namespace}}", `sum by (namespace) (upid_observed_value{signal="costs", `+ofNamespace+`})`)))
	l.add(12, 8, timeseries("Predicted spend by namespace", "Of the next seven days.", "none",
		over("A", "{{namespace}}", `sum by (namespace) (upid_cost_forecast_value{`+ofNamespace+`, horizon="7d"})`)))
}

// recommendations is the dashboard of what to change.
func recommendations() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("type", "Type", "Type of recommendation.", `label_values(upid_recommendation_info, optimization_type)`, 1, ""), ".*"),
		many(queryVariable("kind", "Kind", "Kind of recommendation.", `label_values(upid_recommendation_info{optimization_type=~"$type"}, kind)`, 1, ""), ".*"),
		customVariable("confidence", "Confidence from", "Least confidence of what is listed.", "0.7", "0", "0.4", "0.6", "0.7", "0.8", "0.9"),
	}
	l := &layout{}
	const of = `optimization_type=~"$type", kind=~"$kind"`
	const sure = ` and on (id) upid_recommendation_confidence_ratio{` + of + `} >= $confidence`
	none := "nothing to recommend"
	l.row("Now")
	l.add(4, 4, stat("Open", "Recommendations that are open and at least as sure as chosen.", "none", none, plain,
		now("A", "open", `count(upid_recommendation_info{`+of+`}`+sure+`) or 0 * max(upid_ready)`)))
	l.add(4, 4, stat("Urgent", "A limit is hit or about to be. Only these alert.", "none", none, steps("green", 1, "red"),
		now("A", "urgent", `count(upid_recommendation_info{`+of+`, urgency="now"}) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Savings a month", "At list price of what is requested.", "none", "no price", plain,
		now("A", "{{currency}}", `sum by (currency) (upid_recommendation_savings_monthly{`+of+`}`+sure+`)`)), 2))
	l.add(4, 4, withDecimals(stat("Realisable", "The part of the savings that whole nodes which can go make real.", "none", "not known", plain,
		now("A", "{{currency}}", `sum by (currency) (upid_recommendation_realisable_savings_monthly{`+of+`}`+sure+`)`)), 2))
	l.add(4, 4, withDecimals(stat("Median confidence", "Of the open recommendations, at least as sure as chosen or not.", "percentunit", none, confidenceSteps,
		now("A", "confidence", `quantile(0.5, upid_recommendation_confidence_ratio{`+of+`})`)), 0))
	l.add(4, 4, withDecimals(stat("Risk above low", "Share of the open recommendations whose risk is medium or high.", "percentunit", none, plain,
		now("A", "risky", `(count(upid_recommendation_info{`+of+`, risk_level!="low"}) or 0 * max(upid_ready)) / count(upid_recommendation_info{`+of+`})`)), 0))

	l.row("What to change")
	first := []string{"kind", "namespace", "workload", "container", "optimization_type", "urgency", "risk_level", "effort"}
	hidden := []string{"signal", "cluster", "currency"}
	l.add(24, 11, sorted(table("Recommendations", "What is open: what it saves a month, and how sure it is. upid recommendations says why, what to do and how to undo it.", "Nothing to recommend",
		append(first, "id"), hidden,
		[]column{{"A", "open", "none", nil}, {"B", "savings", "none", nil}, {"C", "confidence", "percentunit", confidenceSteps}},
		rows("A", `upid_recommendation_info{`+of+`}`+sure), rows("B", `upid_recommendation_savings_monthly{`+of+`}`+sure), rows("C", `upid_recommendation_confidence_ratio{`+of+`} >= $confidence`)), "savings"))
	l.add(24, 9, table("What to set", "The amounts that recommendations say; the unit is in the name of the resource.", "Nothing to set",
		[]string{"kind", "namespace", "workload", "container", "resource", "id"}, []string{"signal", "cluster", "optimization_type"},
		[]column{{"A", "value", "short", nil}}, rows("A", `upid_recommendation_target_value{`+of+`}`+sure)))

	l.row("Over time")
	l.add(8, 8, timeseries("Open recommendations", "How many are open, by type of optimization.", "short",
		over("A", "{{optimization_type}}", `count by (optimization_type) (upid_recommendation_info{`+of+`})`)))
	l.add(8, 8, timeseries("Savings a month", "By kind: at list price. What falls was applied, or is not true any more.", "none",
		over("A", "{{kind}}", `sum by (kind) (upid_recommendation_savings_monthly{`+of+`})`),
		over("B", "realisable", `sum(upid_recommendation_realisable_savings_monthly{`+of+`})`)))
	l.add(8, 8, timeseries("Confidence", "Median and lowest of the open recommendations.", "percentunit",
		over("A", "median", `quantile(0.5, upid_recommendation_confidence_ratio{`+of+`})`), over("B", "lowest", `min(upid_recommendation_confidence_ratio{`+of+`})`)))
	return dashboard(recommendationsUID, "upid / Recommendations",
		"What to change, what it saves, how sure that is and what it risks.",
		"now-7d", "now", variables, list{}, l.panels,
		dashboardLink("upid / Cost and capacity", "/d/"+capacityUID+"?var-datasource=${datasource}", "What is full and what it costs"),
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}
