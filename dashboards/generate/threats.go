package main

// threats is the dashboard of who is attacked, or behaves like an attacker.
func threats() object {
	variables := list{
		datasourceVariable(),
		many(queryVariable("signal", "Preset", "Presets of threat detectors to look at.", `label_values(upid_threat_preset_info, signal)`, 1, ""), ""),
		many(queryVariable("threat", "Threat", "Threats to look at.", `label_values(upid_threat_risk_score{`+chosen+`}, threat)`, 1, ""), ".*"),
		customVariable("least", "Risk from", "Least risk of the entities listed: 40 is medium, 70 high, 90 critical.", "20", "20", "40", "70", "90"),
	}
	l := &layout{}
	threatsNow(l)
	threatsWho(l)
	threatsHistory(l)
	threatsWatched(l)
	return dashboard(threatsUID, "upid / Threats",
		"Who is attacked or behaves like an attacker, by which evidence and ATT&CK technique, and what is watched.",
		"now-24h", "now", variables, list{}, l.panels,
		dashboardLink("upid / Overview", "/d/"+overviewUID+"?var-datasource=${datasource}", "All signals"))
}

// riskSteps are the bands of a risk.
var riskSteps = steps("green", 40, "yellow", 70, "orange", 90, "red")

// accused selects the risks that are chosen at the top.
const accused = `upid_threat_risk_score{` + chosen + `, threat=~"$threat"}`

func threatsNow(l *layout) {
	const gone = "nothing is watched"
	band := func(bands string) string {
		return `sum(upid_threat_entities{` + chosen + `, band=~"` + bands + `"}) or 0 * max(upid_threat_preset_info{` + chosen + `})`
	}
	l.row("Now")
	l.add(4, 4, withDecimals(stat("Highest risk", "Of all entities, 0 to 100. There is an alert from 40 on, while the evidence is fresh; the risk itself decays over hours and days.", "none", "nobody has a risk", riskSteps,
		now("A", "risk", `max(`+accused+`)`)), 0))
	l.add(4, 4, stat("High or critical", "Entities with a risk of 70 or more.", "none", gone, steps("green", 1, "red"), now("A", "entities", band("high|critical"))))
	l.add(4, 4, stat("Medium", "Entities with a risk of 40 to 70.", "none", gone, steps("green", 1, "yellow"), now("A", "entities", band("medium"))))
	l.add(4, 4, stat("Alerts posted", "Alerts about entities that are firing now, campaigns as one. Muted ones are not among them.", "none", gone, steps("green", 1, "orange"),
		now("A", "alerts", `sum(upid_alerts{`+chosen+`, state="firing"}) or 0 * max(upid_threat_preset_info{`+chosen+`})`)))
	l.add(4, 4, stat("Watched", "Entities that are watched, of all presets.", "short", gone, plain,
		now("A", "entities", `sum(upid_threat_watched_entities{`+chosen+`})`)))
	l.add(4, 4, stat("Not shown", "Entities with a risk that are left out below, because two hundred of their preset have a higher one.", "short", gone, steps("green", 1, "yellow"),
		now("A", "entities", `sum(upid_threat_suppressed_entities{`+chosen+`})`)))
}

func threatsWho(l *layout) {
	l.row("Who")
	t := table("Entities by risk", "Every entity with a risk from the chosen one on, with the threat and the technique of its evidence. What the evidence is stands in the alert and in upid threats.", "Nobody has such a risk",
		[]string{"entity", "entity_type", "threat", "technique", "signal"}, []string{"instance"},
		[]column{{"A", "risk", "none", riskSteps}, {"B", "confidence", "percentunit", confidenceSteps}},
		rows("A", accused+` >= $least`),
		rows("B", `upid_threat_confidence_ratio{`+chosen+`, threat=~"$threat"} and ignoring (technique) (`+accused+` >= $least)`))
	l.add(24, 10, sorted(override(t, "byName", "technique", object{"links": list{object{
		"title": "At MITRE ATT&CK", "url": "https://attack.mitre.org/techniques/", "targetBlank": true,
	}}}), "risk"))
}

func threatsHistory(l *layout) {
	l.row("Since when")
	l.add(16, 9, line(timeseries("Risk of the ten riskiest entities", "A risk rises with evidence and decays: by half in 6 hours below 40, in a day below 70, in three days from there. The lines are where medium, high and critical begin.", "none",
		over("A", "{{entity}} {{threat}}", `topk(10, max by (entity, threat) (`+accused+`))`)), steps("transparent", 40, "yellow", 70, "orange", 90, "red")))
	l.add(8, 9, timeseries("Entities with a risk by band", "low is below 40, which does not alert; medium below 70, high below 90, critical from there.", "short",
		over("A", "{{band}}", `sum by (band) (upid_threat_entities{`+chosen+`})`)))
	l.add(12, 8, timeseries("Highest risk by threat", "Of all entities. Which threat the evidence of an entity amounts to may change.", "none",
		over("A", "{{threat}}", `max by (threat) (`+accused+`)`)))
	l.add(12, 8, timeseries("Highest risk by preset", "Of all entities that the preset tells apart.", "none",
		over("A", "{{signal}}", `max by (signal) (`+accused+`)`)))
	l.add(12, 8, timeseries("Alerts firing", "Alerts of each preset that are posted now, and those that are summed up in one because there are too many.", "short",
		over("A", "{{signal}} {{state}}", `sum by (signal, state) (upid_alerts{`+chosen+`})`)))
	l.add(12, 8, timeseries("Alerts opened", "Alerts of entities that opened, by threat and preset. A campaign is as many as it has members here.", "short",
		over("A", "{{signal}}: {{threat}}", `sum by (signal, threat) (increase(upid_threat_alerts_opened_total{`+chosen+`}[$__rate_interval])) or 0 * max by (signal) (upid_threat_preset_info{`+chosen+`})`)))
}

func threatsWatched(l *layout) {
	l.row("What is watched")
	l.add(14, 8, table("Presets", "The presets whose metrics are there, what their labels tell apart, how many entities that is, and how many of their series the allow-list leaves out. A slot that was not taken in for long says nothing.", "Nothing is watched: the key threats is not given, or no metrics are there",
		[]string{"preset", "entity_type", "entity_labels", "signal"}, []string{"instance"},
		[]column{{"A", "watched", "none", nil}, {"B", "allowed", "none", nil}, {"C", "in maintenance", "none", nil}, {"D", "last slot", "s", nil}},
		rows("A", of(`upid_threat_watched_entities`)),
		rows("B", of(`upid_threat_allowed_series`)),
		rows("C", of(`upid_threat_quiet_alerts`)),
		rows("D", `(time() - max by (signal) (upid_signal_last_success_timestamp_seconds{`+chosen+`, pass="score"})) * on (signal) group_right () upid_threat_preset_info{`+chosen+`}`)))
	l.add(10, 8, timeseries("Entities watched", "Many new names in a short time are evidence of their own: somebody tries them one by one.", "short",
		over("A", "{{signal}}", `sum by (signal) (upid_threat_watched_entities{`+chosen+`})`),
		over("B", "{{signal}}, forgotten for others", `sum by (signal) (upid_threat_forgotten_entities{`+chosen+`})`)))
	l.add(12, 8, timeseries("Passes that failed", "By reason. What is not seen is not judged, and no alert ends by it.", "short",
		over("A", "{{signal}} {{pass}}: {{reason}}", `sum by (signal, pass, reason) (increase(upid_signal_run_failures_total{`+chosen+`}[$__rate_interval])) or 0 * max by (signal) (upid_threat_preset_info{`+chosen+`})`)))
	l.add(12, 8, timeseries("Series left out", "Series of the answers that were not used, by reason: an answer that is cut hides entities.", "short",
		over("A", "{{signal}}: {{reason}}", `sum by (signal, reason) (increase(upid_series_dropped_total{`+chosen+`}[$__rate_interval])) or 0 * max by (signal) (upid_threat_preset_info{`+chosen+`})`)))
	l.add(12, 8, timeseries("History not written", "Attempts to write what was found to disk that failed, by reason. upid goes on from memory.", "short",
		over("A", "{{reason}}", `sum by (reason) (increase(upid_threat_history_write_failures_total[$__rate_interval])) or 0 * max(upid_threat_preset_info{`+chosen+`})`)))
	l.add(12, 8, timeseries("Age of the newest slot", "Time since a score pass of each preset last succeeded. What happened since is not known.", "s",
		over("A", "{{signal}}", `max by (signal) (time() - upid_signal_last_success_timestamp_seconds{`+chosen+`, pass="score"})`)))
	l.add(12, 8, timeseries("Series the allow-list leaves out", "Series of the newest answers that nobody looks at, because the allow-list says so.", "short",
		over("A", "{{signal}}", `sum by (signal) (upid_threat_allowed_series{`+chosen+`})`)))
	l.add(12, 8, timeseries("How long a slot takes", "Queries, detectors and results of the newest score pass of each preset.", "s",
		over("A", "{{signal}}", `max by (signal) (upid_signal_last_run_duration_seconds{`+chosen+`, pass="score"})`)))
}

// of puts what a preset is beside one of its counts.
func of(name string) string {
	return name + `{` + chosen + `} * on (signal) group_left (preset, entity_type, entity_labels) upid_threat_preset_info{` + chosen + `}`
}
