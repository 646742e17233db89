package main

import "strings"

// Selectors of the signal dashboard: one series, and all that the filter leaves.
const (
	oneSeries = `${series:raw}`
	filtered  = `signal="$signal", $label=~"$value"`
)

func signal() object {
	series := queryVariable("series", "Series", "One series. The first is the one with the highest score.",
		`query_result(sort_desc(last_over_time(upid_anomaly_score{`+filtered+`}[$__range]) or 0 * last_over_time(upid_observed_value{`+filtered+`}[$__range])))`, 0, "")
	series["regex"] = `/\{(.*)\}/`
	label := queryVariable("label", "Label", "A label by which to choose series.", `label_names(upid_observed_value)`, 1, "instance")
	label["regex"] = `/^(?!__name__$)(.*)$/`
	variables := list{
		datasourceVariable(),
		queryVariable("signal", "Signal", "The signal.", `label_values(upid_signal_info, signal)`, 1, ""),
		label,
		many(queryVariable("value", "Value", "Values of the label. All: every series, also those without the label.", `label_values(upid_observed_value{signal="$signal"}, $label)`, 1, ""), ".*"),
		series,
		queryVariable("horizon", "Horizon", "How far ahead.", `label_values(upid_forecast_value{signal="$signal"}, horizon)`, 7, "1d"),
	}
	annotations := list{object{
		"name": "Anomalies", "datasource": source, "enable": true, "hide": false, "iconColor": "red",
		"target":      object{"refId": "Anno", "expr": `max by (type, severity) (upid_anomaly_active{` + oneSeries + `})`},
		"titleFormat": "{{type}}", "textFormat": "{{severity}}", "tagKeys": "type,severity", "useValueForTime": false,
	}}
	l := &layout{}
	signalOne(l)
	signalFuture(l)
	signalAll(l)
	return dashboard(signalUID, "upid / Signal",
		"One signal: a series with its expected band, score and forecast, then all series of the signal. The time range reaches into the future, where the forecast goes on.",
		"now-2d", "now+30h", variables, annotations, l.panels,
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}

// present makes a panel of instant queries show now, however far into the future
// the time range reaches.
func present(p object) object {
	return with(p, object{"timeFrom": "1h", "hideTimeOverride": true})
}

func signalOne(l *layout) {
	l.row("The series")
	open := stat("Open anomaly", "Type and severity of the anomaly that is open now.", "none", "none", steps("red"),
		now("A", "{{type}} ({{severity}})", `upid_anomaly_active{`+oneSeries+`}`))
	open["options"].(object)["textMode"] = "name"
	l.add(4, 4, present(open))
	l.add(4, 4, present(withDecimals(stat("Score", "How unusual the newest point is; 1 is the alert boundary.", "none", "not scored", scoreSteps,
		now("A", "score", `upid_anomaly_score{`+oneSeries+`}`)), 2)))
	inUnit := func(title, description, noValue, expr string) {
		p := stat(title, description, "short", noValue, plain, now("A", title, expr), unitOf(`signal="$signal"`))
		p["options"].(object)["colorMode"] = "none"
		p["transformations"] = list{fromUnit()}
		l.add(4, 4, present(p))
	}
	inUnit("Observed", "Newest complete point.", "no data", `upid_observed_value{`+oneSeries+`}`)
	inUnit("Expected", "What the newest point was expected to be, before it was seen.", "not known yet", `upid_expected_value{`+oneSeries+`}`)
	inUnit("In $horizon", "Forecast for now + the horizon.", "no forecast", `upid_forecast_value{`+oneSeries+`, horizon="$horizon"}`)
	l.add(4, 4, present(withDecimals(stat("Confidence", "Measured confidence in the forecast: low below 40 %, high from 60 %.", "percentunit", "no forecast", confidenceSteps,
		now("A", "confidence", `upid_forecast_confidence_ratio{`+oneSeries+`}`)), 0)))

	p := timeseries("$signal: observed and expected", "Inside the band is ordinary; at its edges the score is 1. Where only one direction is watched there is one bound and no band. Open anomalies are marked.", "short",
		over("A", "observed", `upid_observed_value{`+oneSeries+`}`),
		over("B", "expected", `upid_expected_value{`+oneSeries+`}`),
		over("C", "lower", `upid_expected_lower{`+oneSeries+`}`),
		over("D", "upper", `upid_expected_upper{`+oneSeries+`}`),
		unitOf(`signal="$signal"`))
	p["transformations"] = list{fromUnit()}
	band(p, "lower", "upper", "green")
	drawn(p, "observed", "text", false)
	drawn(p, "expected", "green", true)
	l.add(24, 9, p)
	l.add(24, 6, line(drawn(timeseries("$signal: score", "0 is ordinary, 1 the alert boundary.", "none",
		over("A", "score", `upid_anomaly_score{`+oneSeries+`}`)), "score", "purple", false), steps("transparent", 1, "red")))
}

func signalFuture(l *layout) {
	l.row("The forecast")
	at := func(name string) string {
		return `upid_forecast_` + name + `{` + oneSeries + `, horizon="$horizon"} offset $horizon`
	}
	p := timeseries("$signal: what was forecast $horizon before", "Each forecast is drawn at the time it is about, so left of now it stands beside what came, and right of now it is what will come. A upid that runs for less than the horizon has forecasts only from now + horizon on; choose a shorter one, or look at the table.", "short",
		over("A", "observed", `upid_observed_value{`+oneSeries+`}`),
		over("B", "forecast", at("value")), over("C", "lower", at("lower")), over("D", "upper", at("upper")),
		unitOf(`signal="$signal"`))
	p["transformations"] = list{fromUnit()}
	band(p, "lower", "upper", "blue")
	drawn(p, "observed", "text", false)
	drawn(p, "forecast", "blue", true)
	l.add(24, 10, p)

	all := func(name string) string { return inOrder(`upid_forecast_` + name + `{` + oneSeries + `}`) }
	t := table("Forecast from now", "The newest forecast for each horizon, with its interval and the highest value until then.", "No forecast yet", []string{"order", "horizon"}, nil,
		[]column{{"A", "lower", "short", nil}, {"B", "forecast", "short", nil}, {"C", "upper", "short", nil}, {"D", "peak", "short", nil}},
		rows("A", all("lower")), rows("B", all("value")), rows("C", all("upper")), rows("D", all("peak_value")))
	l.add(12, 9, present(byHorizon(t)))
	accuracy := func(name string) string { return inOrder(name + `{signal="$signal", stage="active"}`) }
	t = table("Accuracy, mean over the series of the signal", "On held-out origins. Skill above 0 is better than the seasonal naive forecast. Coverage should be near the configured level.", "Nothing learned yet", []string{"order", "horizon"}, nil,
		[]column{{"A", "skill", "percentunit", steps("red", 0, "yellow", 0.1, "green")}, {"B", "coverage", "percentunit", steps("red", 0.7, "yellow", 0.8, "green")}, {"C", "MASE", "none", nil}},
		rows("A", accuracy("upid_model_skill_ratio")), rows("B", accuracy("upid_model_coverage_ratio")), rows("C", accuracy("upid_model_mase")))
	l.add(12, 9, present(byHorizon(t)))
	signalTrend(l)
}

// signalTrend shows where the series goes, of which there are no samples while that is
// not significant.
func signalTrend(l *layout) {
	trend := `upid_trend_ratio{` + oneSeries + `}`
	p := stat("Trend", "Change of the daily level over 7 and over 28 days, relative to where it began, where it is significant: chance alone makes less than one in fifty of them. A level that only wanders has none.", "percentunit", "none that is significant", plain,
		now("A", "in {{window}}", trend))
	options := p["options"].(object)
	options["textMode"], options["colorMode"], options["orientation"] = "value_and_name", "none", "horizontal"
	l.add(6, 6, present(withDecimals(p, 1)))
	l.add(18, 6, timeseries("$signal: trend", "The same over time. A line ends where the trend is no longer significant.", "percentunit",
		over("A", "in {{window}}", trend)))
}

// inOrder keeps only the horizon and adds a label by which horizons sort by
// length: minutes, hours, days, each with two digits.
func inOrder(expr string) string {
	expr = `max by (horizon) (` + expr + `)`
	for _, unit := range []string{"1m", "2h", "3d"} {
		for _, digits := range []struct{ pattern, zeros string }{{"(.)", "0"}, {"(..+)", ""}} {
			expr = `label_replace(` + expr + `, "order", "` + unit[:1] + ` ` + digits.zeros + `$1", "horizon", "` + digits.pattern + unit[1:] + `")`
		}
	}
	return expr
}

func byHorizon(t object) object {
	ts := t["transformations"].(list)
	t["transformations"] = append(list{ts[0], object{"id": "sortBy", "options": object{"fields": object{}, "sort": list{object{"field": "order", "desc": false}}}}}, ts[1:]...)
	t["transformations"].(list)[2].(object)["options"].(object)["excludeByName"].(object)["order"] = true
	return t
}

func signalAll(l *layout) {
	l.row("All series of $signal where $label is $value")
	p := timeseries("Scores", "Every series that the label leaves. 1 is the alert boundary.", "none", over("A", "__auto", `upid_anomaly_score{`+filtered+`}`))
	p["options"].(object)["legend"] = object{"showLegend": true, "displayMode": "table", "placement": "right", "calcs": list{"lastNotNull", "max"}, "sortBy": "Last *", "sortDesc": true}
	l.add(24, 8, line(p, steps("transparent", 1, "red")))

	value := func(name, more string) string { return name + `{` + strings.TrimSuffix(filtered+`, `+more, `, `) + `}` }
	t := table("Series", "Newest results of every series that the label leaves, in the unit of the signal.", "No series", []string{"namespace", "workload", "instance"}, []string{"signal", "horizon"},
		[]column{{"A", "score", "none", scoreSteps}, {"B", "observed", "short", nil}, {"C", "expected", "short", nil}, {"D", "forecast", "short", nil}, {"E", "confidence", "percentunit", confidenceSteps}},
		rows("A", value("upid_anomaly_score", "")), rows("B", value("upid_observed_value", "")), rows("C", value("upid_expected_value", "")),
		rows("D", value("upid_forecast_value", `horizon="$horizon"`)), rows("E", value("upid_forecast_confidence_ratio", "")))
	l.add(16, 9, present(sorted(t, "score")))
	l.add(4, 9, present(with(stat("Series by state", "Active: scored and forecast. Warming: not enough points for a score yet. Insufficient: not enough history for a forecast. Stale: no new points. Failed: the model refused it.", "none", "nothing yet", plain,
		now("A", "{{state}}", `sum by (state) (upid_signal_series{signal="$signal"})`)), object{})))
	states := l.panels[len(l.panels)-1].(object)["options"].(object)
	states["textMode"], states["colorMode"], states["orientation"] = "value_and_name", "none", "horizontal"
	l.add(4, 9, present(withDecimals(stat("Alert budget spent", "Anomalies raised over the budget period, divided by the budget.", "percentunit", "nothing scored yet", spentSteps,
		now("A", "spent", `max(upid_alert_budget_ratio{signal="$signal"})`)), 0)))
}
