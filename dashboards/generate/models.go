package main

// models is the dashboard of how far every model can be trusted.
func models() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("signal", "Signal", "Signals to look at.", `label_values(upid_signal_info, signal)`, 1, ""), ""),
		queryVariable("horizon", "Horizon", "How far ahead.", `label_values(upid_model_skill_ratio, horizon)`, 7, "7d"),
	}
	l := &layout{}
	modelsNow(l)
	modelsJudged(l)
	modelsConfidence(l)
	modelsWork(l)
	return dashboard(modelsUID, "upid / Model trust",
		"What forecasts were worth once their time had come, which models are in use and which were demoted, and what learning costs.",
		"now-7d", "now", variables, list{}, l.panels,
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}

var (
	skillSteps    = steps("red", 0, "yellow", 0.1, "green")
	coverageSteps = steps("red", 0.7, "yellow", 0.8, "green")
)

func modelsNow(l *layout) {
	const gone = "upid is not scraped"
	l.row("Now")
	l.add(4, 4, stat("Signals with a demoted model", "Their forecasts were worse than the seasonal naive ones, which stand in for them. The table below says which.", "none", gone, steps("green", 1, "red"),
		now("A", "demoted", `sum(upid_model_demoted{`+chosen+`}) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Skill, $horizon ahead", "Median over the signals of 1 - error / error of the seasonal naive forecast: above 0 is better than naive.", "percentunit", "nothing learned yet", skillSteps,
		now("A", "skill", `quantile(0.5, upid_model_skill_ratio{`+chosen+`, horizon="$horizon", stage="active"})`)), 0))
	l.add(4, 4, withDecimals(stat("Coverage, $horizon ahead", "Median over the signals of the share of values inside the interval. It should be near the configured level.", "percentunit", "nothing learned yet", coverageSteps,
		now("A", "coverage", `quantile(0.5, upid_model_coverage_ratio{`+chosen+`, horizon="$horizon", stage="active"})`)), 0))
	l.add(4, 4, stat("Forecasts judged", "Published forecasts whose time has come, ever. Below 20 of a signal and horizon its figures are those of its newest backtests.", "short", gone, plain,
		now("A", "judged", `sum(upid_model_judged_forecasts{`+chosen+`, stage="active"}) or 0 * max(upid_ready)`)))
	l.add(4, 4, withDecimals(stat("Confidence", "Median confidence of the forecasts of all series.", "percentunit", "no forecasts yet", confidenceSteps,
		now("A", "confidence", `quantile(0.5, upid_forecast_confidence_ratio{`+chosen+`})`)), 0))
	l.add(4, 4, withDecimals(stat("Alert budget spent", "Of the signal that spent most: anomalies raised over the budget period, divided by the budget.", "percentunit", "nothing scored yet", spentSteps,
		now("A", "spent", `max(upid_alert_budget_ratio{`+chosen+`})`)), 0))
}

func modelsJudged(l *layout) {
	of := func(name string) string {
		return `max by (signal) (` + name + `{` + chosen + `, horizon="$horizon", stage="active"})`
	}
	l.row("What forecasts were worth")
	l.add(16, 9, toSignal(sorted(table("Signals, $horizon ahead",
		"Skill: 1 - error / error of the seasonal naive forecast of the same fit. Coverage: share of values inside the interval. MASE: error in units of the mean change from one day to the next. Judged: forecasts whose time has come; below 20 the figures are those of the newest backtests. Demoted: 1 while naive stands in.",
		"Nothing learned yet", []string{"signal"}, nil,
		[]column{
			{"A", "skill", "percentunit", skillSteps},
			{"B", "coverage", "percentunit", coverageSteps},
			{"C", "MASE", "none", nil},
			{"D", "judged", "none", nil},
			{"E", "demoted", "none", steps("green", 1, "red")},
			{"F", "confidence", "percentunit", confidenceSteps},
		},
		rows("A", of("upid_model_skill_ratio")), rows("B", of("upid_model_coverage_ratio")), rows("C", of("upid_model_mase")),
		rows("D", of("upid_model_judged_forecasts")),
		rows("E", `max by (signal) (upid_model_demoted{`+chosen+`})`),
		rows("F", `quantile by (signal) (0.5, upid_forecast_confidence_ratio{`+chosen+`})`)), "skill")))
	l.add(8, 9, table("Models", "Every type of model and the state it is in. degraded: naive stands in for the model of some signal.", "No models yet",
		[]string{"model_type", "stage", "state", "version"}, []string{"Value", "instance"}, nil, rows("A", `upid_model_info`)))
	l.add(8, 8, line(timeseries("Skill", "Above 0 is better than the seasonal naive forecast. The line is as good as naive.", "percentunit",
		over("A", "{{signal}}", `max by (signal) (upid_model_skill_ratio{`+chosen+`, horizon="$horizon", stage="active"})`),
		over("B", "{{signal}}, demoted", `max by (signal) (upid_model_skill_ratio{`+chosen+`, horizon="$horizon", stage="shadow"})`)), steps("red", 0, "transparent")))
	l.add(8, 8, timeseries("Coverage", "Share of values inside the interval. It should be near the configured level.", "percentunit",
		over("A", "{{signal}}", `max by (signal) (upid_model_coverage_ratio{`+chosen+`, horizon="$horizon", stage="active"})`)))
	l.add(8, 8, timeseries("Error", "MASE: mean absolute error in units of the mean change from one day to the next. Far below 1 is good.", "none",
		over("A", "{{signal}}", `max by (signal) (upid_model_mase{`+chosen+`, horizon="$horizon", stage="active"})`)))
}

func modelsConfidence(l *layout) {
	l.row("How sure it is")
	share := func(condition string) string {
		return `(count(upid_forecast_confidence_ratio{` + chosen + `} ` + condition + `) or 0 * count(upid_forecast_confidence_ratio{` + chosen + `})) / count(upid_forecast_confidence_ratio{` + chosen + `})`
	}
	p := timeseries("Series by level of confidence", "Share of the series with a forecast whose confidence is low (below 40 %), medium, high (from 60 %) and very high (from 80 %).", "percentunit",
		over("A", "low", share("< 0.4")), over("B", "medium", share(">= 0.4 < 0.6")), over("C", "high", share(">= 0.6 < 0.8")), over("D", "very high", share(">= 0.8")))
	l.add(12, 8, p)
	l.add(12, 8, timeseries("Series by state", "active: forecast and scored. warming: the score is not known yet. insufficient: too little history to forecast. stale: no newest point. failed: neither, and a warning says why.", "short",
		over("A", "{{state}}", `sum by (state) (upid_signal_series{`+chosen+`})`)))
}

func modelsWork(l *layout) {
	l.row("What learning costs")
	l.add(8, 8, timeseries("Newest fit", "How long the newest fit of each signal took, queries included.", "s",
		over("A", "{{signal}}", `max by (signal) (upid_signal_last_run_duration_seconds{`+chosen+`, pass="fit"})`)))
	l.add(8, 8, timeseries("Age of the fit", "Time since the newest fit of each signal succeeded.", "s",
		over("A", "{{signal}}", `min by (signal) (time() - upid_signal_last_success_timestamp_seconds{`+chosen+`, pass="fit"})`)))
	l.add(8, 8, timeseries("Fits that failed", "By reason. no_data: the query gave nothing to learn from.", "short",
		over("A", "{{signal}}: {{reason}}", `sum by (signal, reason) (increase(upid_signal_run_failures_total{`+chosen+`, pass="fit"}[$__rate_interval]))`)))
}
