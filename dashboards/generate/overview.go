package main

import (
	"fmt"
	"maps"
	"slices"
)

func sortedKeys(o object) []string { return slices.Sorted(maps.Keys(o)) }

// Thresholds that mean the same wherever they are used.
var (
	scoreSteps      = steps("green", 0.7, "yellow", 1, "red")
	confidenceSteps = steps("red", 0.4, "yellow", 0.6, "green") // the levels medium and high
	spentSteps      = steps("green", 0.8, "yellow", 1, "red")
	plain           = steps("text")
)

// chosen selects the signals that are chosen at the top.
const chosen = `signal=~"$signal"`

// ofRatio keeps the series of signals whose unit is ratio: those that have a limit
// of 1.
const ofRatio = ` and on (signal) upid_signal_info{unit="ratio"}`

func overview() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("type", "Type", "Type of signal: resource, performance, cost, security or behavior.", `label_values(upid_signal_info, type)`, 1, ""), ".*"),
		many(queryVariable("signal", "Signal", "Signals to look at, in every panel but the forecasts.", `label_values(upid_signal_info{type=~"$type"}, signal)`, 1, ""), ""),
		forecastVariable(),
		customVariable("across", "Across series", "How the series of a signal are put together in the forecasts: their sum, mean or largest.", "sum", "sum", "avg", "max"),
		queryVariable("horizon", "Horizon", "How far ahead.", `label_values(upid_forecast_value, horizon)`, 7, "7d"),
		customVariable("full", "Full from", "Share of its limit from which a series is listed under what runs out.", "0.8", "0.6", "0.7", "0.8", "0.9", "1"),
	}
	l := &layout{}
	overviewNow(l)
	overviewOdd(l)
	overviewForecasts(l)
	overviewFull(l)
	overviewTrust(l)
	overviewSelf(l)
	return dashboard(overviewUID, "upid / Overview",
		"What is odd now, what will be, what runs out, and how far to trust it. Click a signal for its own dashboard.",
		"now-24h", "now", variables, list{}, l.panels,
		dashboardLink("upid / Cost and capacity", "/d/"+capacityUID+"?var-datasource=${datasource}", "What is full and what it costs"),
		dashboardLink("upid / Recommendations", "/d/"+recommendationsUID+"?var-datasource=${datasource}", "What to change"),
		dashboardLink("upid / Model trust", "/d/"+modelsUID+"?var-datasource=${datasource}", "What forecasts were worth"),
		dashboardLink("upid / Threats", "/d/"+threatsUID+"?var-datasource=${datasource}", "Who is attacked"),
		dashboardLink("upid / Signal", "/d/"+signalUID+"?var-datasource=${datasource}", "One signal, series by series"))
}

func forecastVariable() object {
	v := queryVariable("forecast", "Forecasts", "Signals with a forecast panel each. At first those of the preset workloads.", `label_values(upid_forecast_value, signal)`, 1, "")
	v["multi"] = true
	four := list{"workload_cpu", "workload_memory", "workload_network", "workload_cost"}
	v["current"] = object{"text": four, "value": four}
	return v
}

func overviewNow(l *layout) {
	l.row("Now")
	const gone = "upid is not scraped"
	l.add(4, 4, stat("Open anomalies", "Anomalies that are open now. They are listed below.", "none", gone, steps("green", 1, "red"),
		now("A", "open", `sum(upid_anomaly_active{`+chosen+`}) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Highest score", "The most unusual series now. 1 is the alert boundary; an anomaly opens when it is crossed for long enough.", "none", "no scores yet", scoreSteps,
		now("A", "score", `max(upid_anomaly_score{`+chosen+`})`)), 2))
	l.add(4, 4, withDecimals(stat("Fullest within $horizon", "The highest forecast, within the horizon, of any series whose unit is ratio: 100 % is its limit.", "percentunit", "no signal of unit ratio", steps("green", 0.8, "yellow", 1, "red"),
		now("A", "peak", `max(upid_forecast_peak_value{`+chosen+`, horizon="$horizon"}`+ofRatio+`)`)), 0))
	l.add(4, 4, withDecimals(stat("Confidence", "Median confidence of the forecasts, measured on held-out history: low below 40 %, high from 60 %.", "percentunit", "no forecasts yet", confidenceSteps,
		now("A", "confidence", `quantile(0.5, upid_forecast_confidence_ratio{`+chosen+`})`)), 0))
	l.add(4, 4, withDecimals(stat("Alert budget spent", "Of the signal that spent most: anomalies raised over the budget period, divided by the budget. Above 100 % a signal is noisier than it was told to be.", "percentunit", "nothing scored yet", spentSteps,
		now("A", "spent", `max(upid_alert_budget_ratio{`+chosen+`})`)), 0))
	p := stat("upid", "Working: ready, its configuration in use, and Prometheus answers it. Otherwise see the last row.", "none", gone, steps("red", 1, "green"),
		now("A", "upid", `min(upid_ready) * min(upid_upstream_up) * min(upid_config_last_reload_successful)`))
	p["fieldConfig"].(object)["defaults"].(object)["mappings"] = list{object{"type": "value", "options": object{
		"0": object{"text": "trouble", "index": 0}, "1": object{"text": "working", "index": 1},
	}}}
	l.add(4, 4, p)
}

func withDecimals(p object, n int) object {
	p["fieldConfig"].(object)["defaults"].(object)["decimals"] = n
	return p
}

func overviewOdd(l *layout) {
	l.row("What is odd now")
	active := `upid_anomaly_active{` + chosen + `}`
	beside := func(name string) string {
		return active + ` * ignoring (type, severity) group_left () ` + name + `{` + chosen + `}`
	}
	t := table("Open anomalies", "Every open anomaly with its newest score, value and expectation, in the unit of the signal. A missing series has no value.", "Nothing is odd now",
		[]string{"signal", "type", "severity"}, nil,
		[]column{{"A", "score", "none", scoreSteps}, {"B", "observed", "short", nil}, {"C", "expected", "short", nil}},
		rows("A", `(`+beside("upid_anomaly_score")+`) or `+active),
		rows("B", beside("upid_observed_value")),
		rows("C", beside("upid_expected_value")))
	l.add(14, 9, toSignal(sorted(override(t, "byName", "severity", object{
		"mappings": list{object{"type": "value", "options": object{
			"critical": object{"color": "red", "index": 0}, "warning": object{"color": "orange", "index": 1}, "info": object{"color": "blue", "index": 2},
		}}},
		"custom.cellOptions": object{"type": "color-text"},
	}), "score")))
	p := timeseries("Highest score of each signal", "1 is the alert boundary. What is above it for long enough opens an anomaly.", "none",
		over("A", "{{signal}}", `max by (signal) (upid_anomaly_score{`+chosen+`})`))
	p["options"].(object)["legend"] = object{"showLegend": true, "displayMode": "table", "placement": "right", "calcs": list{"lastNotNull", "max"}, "sortBy": "Last *", "sortDesc": true}
	p["fieldConfig"].(object)["defaults"].(object)["links"] = list{object{
		"title": "Open ${__field.labels.signal}", "url": "/d/" + signalUID + "?var-datasource=${datasource}&var-signal=${__field.labels.signal:percentencode}", "targetBlank": false,
	}}
	l.add(10, 9, line(p, steps("transparent", 1, "red")))
}

func overviewForecasts(l *layout) {
	l.row("What will be")
	of := func(name string) string {
		return fmt.Sprintf(`upid_forecast_%s{signal=~"$forecast", horizon="$horizon"}`, name)
	}
	// A bound is shown only if every series that is put together has one.
	bound := func(name string) string {
		return fmt.Sprintf(`$across(%s) and count(%s) == count(%s)`, of(name), of(name), of("value"))
	}
	p := timeseries("$forecast: now, and in $horizon",
		"Solid: now. Dashed: what was forecast at that time for $horizon later, so its right end is the forecast for now + $horizon. Series without a forecast are in neither. The band holds the bounds of the series put together, which is wider than the interval of the whole.", "short",
		over("A", "now", `$across(upid_observed_value{signal=~"$forecast"} and ignoring (horizon) `+of("value")+`)`),
		over("B", "forecast", `$across(`+of("value")+`)`),
		over("C", "lower", bound("lower")), over("D", "upper", bound("upper")),
		unitOf(`signal=~"$forecast"`))
	band(p, "lower", "upper", "blue")
	drawn(p, "now", "text", false)
	drawn(p, "forecast", "blue", true)
	p["options"].(object)["legend"].(object)["calcs"] = list{"lastNotNull"}
	with(p, object{"repeat": "forecast", "repeatDirection": "h", "maxPerRow": 2, "transformations": list{fromUnit()}})
	p["fieldConfig"].(object)["defaults"].(object)["links"] = list{object{
		"title": "Open ${forecast}", "url": "/d/" + signalUID + "?var-datasource=${datasource}&var-signal=${forecast:percentencode}", "targetBlank": false,
	}}
	l.add(12, 8, p)
	l.newLine()
	// Grafana puts the repeated panels below this place and moves what follows.

	change := `(` + of("value") + ` - ignoring (horizon) upid_observed_value{signal=~"$forecast"}) / ignoring (horizon) abs(upid_observed_value{signal=~"$forecast"} != 0)`
	top := `topk(20, abs(` + change + `))`
	t := table("Largest changes within $horizon", "The twenty series of the chosen forecasts that change most, relative to now; values in the unit of the row.", "No forecast for this horizon yet",
		[]string{"signal", "namespace", "workload", "instance", "unit"}, []string{"horizon"},
		[]column{{"A", "change", "percentunit", nil}, {"B", "now", "short", nil}, {"C", "forecast", "short", nil}, {"D", "lower", "short", nil}, {"E", "upper", "short", nil}},
		rows("A", withUnit(`(`+change+`) and ignoring (horizon) `+top)),
		rows("B", withUnit(`upid_observed_value{signal=~"$forecast"} and ignoring (horizon) `+top)),
		rows("C", withUnit(of("value")+` and ignoring (horizon) `+top)),
		rows("D", withUnit(of("lower")+` and ignoring (horizon) `+top)),
		rows("E", withUnit(of("upper")+` and ignoring (horizon) `+top)))
	l.add(24, 9, toSignal(sorted(t, "change")))
}

// withUnit puts the unit of its signal beside every series.
func withUnit(expr string) string {
	return `(` + expr + `) * on (signal) group_left (unit) max by (signal, unit) (upid_signal_info)`
}

func overviewFull(l *layout) {
	l.row("What runs out within $horizon")
	of := func(name string) string { return `upid_forecast_` + name + `{` + chosen + `, horizon="$horizon"}` }
	full := `((` + of("peak_value") + ` >= $full or ` + of("upper") + ` >= $full)` + ofRatio + `)`
	t := table("Nearly full", "Series of unit ratio, whose limit is 1, that may reach the chosen share of it: their highest forecast or the upper bound does.", "Nothing gets that full",
		[]string{"signal", "instance", "mountpoint", "device"}, []string{"horizon"},
		[]column{{"A", "now", "percentunit", spentSteps}, {"B", "forecast", "percentunit", spentSteps}, {"C", "peak", "percentunit", spentSteps}, {"D", "upper bound", "percentunit", spentSteps}},
		rows("A", `upid_observed_value{`+chosen+`} and ignoring (horizon) `+full),
		rows("B", of("value")+` and `+full),
		rows("C", of("peak_value")+` and `+full),
		rows("D", of("upper")+` and `+full))
	l.add(14, 8, toSignal(sorted(t, "peak")))
	p := timeseries("Fullest: highest forecast within $horizon", "The ten fullest series of unit ratio. The line is their limit.", "percentunit",
		over("A", "__auto", `topk(10, `+of("peak_value")+ofRatio+`)`))
	p["options"].(object)["legend"] = object{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": list{}}
	l.add(10, 8, line(p, steps("transparent", 1, "red")))
}

func overviewTrust(l *layout) {
	l.row("How far to trust it")
	t := table("Accuracy and budget of each signal",
		"Skill: 1 - error / error of the seasonal naive forecast, so above 0 is better than naive. Coverage: share of held-out values inside the interval; it should be near the configured level. MASE: error in units of the naive one-step error. Budget: anomalies raised, divided by those allowed.",
		"Nothing learned yet", []string{"signal"}, nil,
		[]column{
			{"A", "confidence", "percentunit", confidenceSteps},
			{"B", "skill", "percentunit", steps("red", 0, "yellow", 0.1, "green")},
			{"C", "coverage", "percentunit", steps("red", 0.7, "yellow", 0.8, "green")},
			{"D", "MASE", "none", nil},
			{"E", "budget spent", "percentunit", spentSteps},
			{"F", "series active", "none", nil},
			{"G", "last scored", "s", nil},
		},
		rows("A", `quantile by (signal) (0.5, upid_forecast_confidence_ratio{`+chosen+`})`),
		rows("B", `max by (signal) (upid_model_skill_ratio{`+chosen+`, horizon="$horizon", stage="active"})`),
		rows("C", `max by (signal) (upid_model_coverage_ratio{`+chosen+`, horizon="$horizon", stage="active"})`),
		rows("D", `max by (signal) (upid_model_mase{`+chosen+`, horizon="$horizon", stage="active"})`),
		rows("E", `max by (signal) (upid_alert_budget_ratio{`+chosen+`})`),
		rows("F", `max by (signal) (upid_signal_series{`+chosen+`, state="active"})`),
		rows("G", `min by (signal) (time() - upid_signal_last_success_timestamp_seconds{`+chosen+`, pass="score"})`))
	l.add(16, 9, toSignal(t))
	l.add(8, 9, table("Models", "Every type of model and the state it is in.", "No models yet", []string{"model_type", "state", "version"}, []string{"Value", "instance"}, nil,
		rows("A", `upid_model_info`)))
}

func overviewSelf(l *layout) {
	l.row("upid itself")
	l.add(6, 4, withDecimals(stat("Scheduler", "Time since the scheduler last went round. Above two minutes it hangs.", "s", "upid is not scraped", steps("green", 60, "yellow", 120, "red"),
		now("A", "since", `max(time() - upid_scheduler_last_heartbeat_timestamp_seconds)`)), 0))
	l.add(6, 4, withDecimals(stat("Work queue", "Share of the work queue that is in use. When it is full, passes are dropped.", "percentunit", "upid is not scraped", steps("green", 0.5, "yellow", 0.9, "red"),
		now("A", "used", `max(upid_work_queue_length / upid_work_queue_capacity)`)), 0))
	l.add(6, 4, stat("Results exported", "Result samples on /metrics.", "short", "upid is not scraped", plain, now("A", "samples", `sum(upid_export_series)`)))
	l.add(6, 4, stat("Results left out", "Result series that found no place on /metrics: --export.max-series.", "short", "upid is not scraped", steps("green", 1, "red"), now("A", "series", `sum(upid_export_truncated_series)`)))

	l.add(8, 8, timeseries("Requests to Prometheus", "Requests of upid to its upstream, and those that failed.", "reqps",
		over("A", "{{endpoint}}", `sum by (endpoint) (rate(upid_upstream_requests_total[$__rate_interval]))`),
		over("B", "failed: {{reason}}", `sum by (reason) (rate(upid_upstream_request_failures_total[$__rate_interval]))`)))
	l.add(8, 8, timeseries("How long Prometheus takes", "Duration of a request to the upstream, body included.", "s",
		over("A", "median", `histogram_quantile(0.5, sum by (le) (rate(upid_upstream_request_duration_seconds_bucket[$__rate_interval])))`),
		over("B", "99 %", `histogram_quantile(0.99, sum by (le) (rate(upid_upstream_request_duration_seconds_bucket[$__rate_interval])))`)))
	l.add(8, 8, timeseries("Passes that failed or were skipped", "Passes by reason. no_data: the query gave nothing; slots are skipped when a pass takes longer than its interval.", "short",
		over("A", "{{signal}} {{pass}}: {{reason}}", `sum by (signal, pass, reason) (increase(upid_signal_run_failures_total{`+chosen+`}[$__rate_interval]))`),
		over("B", "{{signal}} skipped: {{reason}}", `sum by (signal, reason) (increase(upid_signal_runs_skipped_total{`+chosen+`}[$__rate_interval]))`)))
	l.add(8, 8, timeseries("Left out", "Series and samples of the answers that were not used, by reason.", "short",
		over("A", "{{signal}} series: {{reason}}", `sum by (signal, reason) (increase(upid_series_dropped_total{`+chosen+`}[$__rate_interval]))`),
		over("B", "{{signal}} samples: {{reason}}", `sum by (signal, reason) (increase(upid_samples_ignored_total{`+chosen+`}[$__rate_interval]))`)))
	l.add(8, 8, timeseries("Alerts posted", "Alerts to each Alertmanager. Dropped ones were never posted.", "short",
		over("A", "{{alertmanager}}", `sum by (alertmanager) (increase(upid_notifications_sent_total[$__rate_interval]))`),
		over("B", "{{alertmanager}} failed", `sum by (alertmanager) (increase(upid_notifications_errors_total[$__rate_interval]))`),
		over("C", "{{alertmanager}} dropped: {{reason}}", `sum by (alertmanager, reason) (increase(upid_notifications_dropped_total[$__rate_interval]))`)))
	l.add(8, 8, timeseries("Passes", "How long the newest pass of each signal took.", "s",
		over("A", "{{signal}} {{pass}}", `upid_signal_last_run_duration_seconds{`+chosen+`}`)))
}
