package collector

import "slices"

// Kind is the Prometheus type of a metric.
type Kind string

// The kinds of metric upid exports.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Stability says what a user may build on a metric.
type Stability string

// Stable metrics keep name, labels and meaning within a major version.
const (
	Stable       Stability = "STABLE"
	Experimental Stability = "EXPERIMENTAL"
)

// Scope says what the samples of a metric are about, and so who makes them.
type Scope string

// Self metrics live in the private registry. The others are rendered from
// results and never registered.
const (
	PerSeries Scope = "series" // one per input series, whose labels stand beside the metric's own
	PerAdvice Scope = "advice" // one per recommendation, whose id, type and target stand beside the metric's own
	PerSignal Scope = "signal" // one per signal, summed up over its series
	Snapshot  Scope = "export" // one, about the snapshot that is being scraped
	Self      Scope = "self"   // about the process
)

// Metric describes one exported metric.
type Metric struct {
	Name      string
	Kind      Kind
	Help      string
	Labels    []string // own labels
	Scope     Scope
	Stability Stability
}

// Labels of versions of learned models.
var (
	versionLabels  = []string{"model_type", "target", "horizon", "stage", "version"}
	workloadLabels = append(slices.Clip(versionLabels), "cluster", "namespace", "workload")
	pairLabels     = []string{"model_type", "target", "stage", "version", "against"}
)

const onSchedule = " Computed on schedule."

// Metrics lists every metric upid exports: code, tests, documentation,
// dashboards and rules may use no other name.
var Metrics = []Metric{
	// Results, DESIGN section 7.
	{"upid_observed_value", Gauge, "Newest complete point of the input, in its unit." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_expected_value", Gauge, "Expectation for the newest point, made before it was seen." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_expected_lower", Gauge, "Value below which the newest point would have scored 1." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_expected_upper", Gauge, "Value above which the newest point would have scored 1." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_forecast_value", Gauge, "Forecast for now + horizon, in the unit of the input." + onSchedule, []string{"signal", "horizon"}, PerSeries, Stable},
	{"upid_forecast_lower", Gauge, "Lower bound of the forecast interval." + onSchedule, []string{"signal", "horizon"}, PerSeries, Stable},
	{"upid_forecast_upper", Gauge, "Upper bound of the forecast interval." + onSchedule, []string{"signal", "horizon"}, PerSeries, Stable},
	{"upid_forecast_peak_value", Gauge, "Highest forecast within the horizon." + onSchedule, []string{"signal", "horizon"}, PerSeries, Stable},
	{"upid_forecast_confidence_ratio", Gauge, "Measured confidence in the forecast, 0 to 1." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_trend_ratio", Gauge, "Significant change of the level over the window, relative to where it began; absent where it is not significant." + onSchedule, []string{"signal", "window"}, PerSeries, Stable},
	{"upid_anomaly_score", Gauge, "How unusual the newest point is; 1 is the alert boundary." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_rollout_active", Gauge, "1 during the grace time after a rollout of the workload, 0 for the rest of a day." + onSchedule, []string{"signal"}, PerSeries, Experimental},
	{"upid_anomaly_active", Gauge, "1 while an anomaly is open, while a recommendation alerts (UpidCapacity) or a forecast reaches a limit (UpidForecastBreach, types forecast_above and forecast_below); upid anomalies lists anomalies only." + onSchedule, []string{"signal", "type", "severity"}, PerSeries, Stable},
	{"upid_anomaly_confidence_ratio", Gauge, "Confidence of an open anomaly, of a recommendation that alerts (UpidCapacity) or of a forecast that reaches a limit (UpidForecastBreach), 0 to 1." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_threat_risk_score", Gauge, "Risk of an entity by the evidence against it, 0 to 100; of the 200 riskiest of a preset, from 20 on." + onSchedule, []string{"signal", "threat", "technique"}, PerSeries, Stable},
	{"upid_threat_active", Gauge, "1 while an alert about an entity is open." + onSchedule, []string{"signal", "threat", "severity"}, PerSeries, Stable},
	{"upid_threat_confidence_ratio", Gauge, "Confidence of the strongest evidence against an entity, 0 to 1." + onSchedule, []string{"signal", "threat"}, PerSeries, Stable},

	// Capacity and cost.
	{"upid_capacity_exhaustion_seconds", Gauge, "Time until the limit is reached, median; absent where there is no significant growth or history does not carry it." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_capacity_exhaustion_lower_seconds", Gauge, "Time before which the limit is reached with a probability of 10 %." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_capacity_exhaustion_upper_seconds", Gauge, "Time before which the limit is reached with a probability of 90 %." + onSchedule, []string{"signal"}, PerSeries, Stable},
	{"upid_capacity_exhaustion_probability", Gauge, "Probability that the limit is reached within the horizon." + onSchedule, []string{"signal", "horizon"}, PerSeries, Stable},
	{"upid_cost_forecast_value", Gauge, "Predicted spend from now over the horizon." + onSchedule, []string{"signal", "horizon", "currency"}, PerSeries, Stable},
	{"upid_cost_forecast_lower", Gauge, "Lower bound of the predicted spend." + onSchedule, []string{"signal", "horizon", "currency"}, PerSeries, Stable},
	{"upid_cost_forecast_upper", Gauge, "Upper bound of the predicted spend." + onSchedule, []string{"signal", "horizon", "currency"}, PerSeries, Stable},
	{"upid_cost_budget_value", Gauge, "The month's budget of the configuration; absent where there is none." + onSchedule, []string{"signal", "currency"}, PerSeries, Experimental},
	{"upid_cost_month_to_date_value", Gauge, "Spend since the first of the month in UTC; absent where history does not reach back to it." + onSchedule, []string{"signal", "currency"}, PerSeries, Experimental},

	// Recommendations.
	{"upid_recommendation_info", Gauge, "1 for each recommendation that is open." + onSchedule, []string{"signal", "id", "kind", "optimization_type", "risk_level", "effort", "urgency"}, PerAdvice, Stable},
	{"upid_recommendation_savings_monthly", Gauge, "What an open recommendation saves a month at list price; below 0 it costs." + onSchedule, []string{"signal", "id", "kind", "optimization_type", "currency"}, PerAdvice, Stable},
	{"upid_recommendation_realisable_savings_monthly", Gauge, "The part of it that whole nodes which can go make real." + onSchedule, []string{"signal", "id", "kind", "optimization_type", "currency"}, PerAdvice, Stable},
	{"upid_recommendation_confidence_ratio", Gauge, "Confidence in an open recommendation, 0 to 1." + onSchedule, []string{"signal", "id", "kind", "optimization_type"}, PerAdvice, Stable},
	{"upid_recommendation_target_value", Gauge, "What an open recommendation says to set; the unit is in the name of the resource." + onSchedule, []string{"signal", "id", "kind", "optimization_type", "resource"}, PerAdvice, Stable},

	// Live accuracy and models.
	{"upid_model_skill_ratio", Gauge, "1 - error / error of the seasonal naive forecast: of the published forecasts whose time has come, newer ones more than older; until 20 of the longest horizon were judged, on held-out history." + onSchedule, []string{"signal", "horizon", "stage"}, PerSignal, Stable},
	{"upid_model_coverage_ratio", Gauge, "Share of values inside the forecast interval: of the published forecasts whose time has come; until 20 of the longest horizon were judged, of held-out history." + onSchedule, []string{"signal", "horizon", "stage"}, PerSignal, Stable},
	{"upid_model_mase", Gauge, "Mean absolute scaled error of the published forecasts whose time has come; until 20 of the longest horizon were judged, on held-out history." + onSchedule, []string{"signal", "horizon", "stage"}, PerSignal, Stable},
	{"upid_model_judged_forecasts", Gauge, "Published forecasts that were judged when their time had come, ever." + onSchedule, []string{"signal", "horizon", "stage"}, PerSignal, Experimental},
	{"upid_model_demoted", Gauge, "1 while the configured model is not in use because its forecasts were worse than the seasonal naive ones." + onSchedule, []string{"signal"}, PerSignal, Experimental},
	{"upid_model_info", Gauge, "1 for each model and its state: of the built-in models of signals, whose version is that of upid, and of the versions of learned models. States: untrained, training, shadow, canary, active, degraded, parked, quarantined.", []string{"model_type", "version", "stage", "state"}, Snapshot, Stable},
	{"upid_model_failures_total", Counter, "Answers of stored models that failed, by reason: panic, deadline, memory.", []string{"model_type", "reason"}, Self, Stable},
	{"upid_models_parked", Gauge, "Versions of stored models that failed three times within ten minutes and are not asked for an hour.", nil, Self, Stable},
	// Learned models: versions beside one another.
	{"upid_version_trainings_total", Counter, "Trainings that began by themselves and ended, by outcome: saved, refused, failed, cancelled, interrupted.", []string{"model_type", "outcome"}, Self, Stable},
	{"upid_version_skill_ratio", Gauge, "1 - error / error of the naive prediction, of a version of a learned model on rows newer than all it was trained on and whose time has come." + onSchedule, versionLabels, Self, Experimental},
	{"upid_version_coverage_ratio", Gauge, "Share of the values of those rows inside the interval of the version." + onSchedule, versionLabels, Self, Experimental},
	{"upid_version_judged_rows", Gauge, "How many such rows there are." + onSchedule, versionLabels, Self, Experimental},
	{"upid_version_alerting_workloads", Gauge, "Workloads that the version alerts on at the newest time that was judged, or would if it were active: a value outside its interval, a score above 1." + onSchedule, versionLabels, Self, Experimental},
	{"upid_version_prediction_value", Gauge, "Prediction of a version for a workload at the newest time." + onSchedule, workloadLabels, Self, Experimental},
	{"upid_version_prediction_lower", Gauge, "Lower bound of that prediction." + onSchedule, workloadLabels, Self, Experimental},
	{"upid_version_prediction_upper", Gauge, "Upper bound of that prediction." + onSchedule, workloadLabels, Self, Experimental},
	{"upid_version_predictions_left_out", Gauge, "Predictions that are not exported, because there are too many." + onSchedule, []string{"model_type", "stage"}, Self, Experimental},
	{"upid_version_paired_times", Gauge, "Times on which a version and the active one were both judged live." + onSchedule, pairLabels, Self, Experimental},
	{"upid_version_paired_times_needed", Gauge, "Times that a verdict between the two takes." + onSchedule, pairLabels, Self, Experimental},
	{"upid_version_paired_loss_ratio", Gauge, "Mean loss of the version on those times, divided by that of the active one." + onSchedule, pairLabels, Self, Experimental},
	{"upid_alert_budget_ratio", Gauge, "Anomalies raised over the budget period, divided by the budget." + onSchedule, []string{"signal"}, PerSignal, Stable},

	// The work queue.
	{"upid_work_queue_length", Gauge, "Jobs waiting in the work queue.", nil, Self, Stable},
	{"upid_work_queue_capacity", Gauge, "Jobs the work queue can hold.", nil, Self, Stable},
	{"upid_work_dropped_total", Counter, "Jobs dropped from the work queue.", []string{"reason"}, Self, Stable},

	// Process and configuration.
	{"upid_build_info", Gauge, "1, with the build in its labels.", []string{"version", "revision", "branch", "goversion", "goos", "goarch"}, Self, Stable},
	{"upid_ready", Gauge, "1 once configuration, state and listener are up, 0 before and while draining.", nil, Self, Stable},
	{"upid_config_last_reload_successful", Gauge, "1 if the newest configuration is in use, 0 if it was refused.", nil, Self, Stable},
	{"upid_config_last_reload_success_timestamp_seconds", Gauge, "When a configuration was last taken into use.", nil, Self, Stable},
	{"upid_config_hash", Gauge, "First 48 bits of the SHA-256 of the configuration in use.", nil, Self, Stable},
	{"upid_scheduler_last_heartbeat_timestamp_seconds", Gauge, "When the scheduler last went round.", nil, Self, Stable},
	{"upid_panics_recovered_total", Counter, "Panics recovered at a task boundary.", []string{"component"}, Self, Stable},

	// Signals.
	{"upid_signal_info", Gauge, "1 for each configured signal; type and unit as configured.", []string{"signal", "type", "unit"}, Self, Stable},
	{"upid_signal_runs_total", Counter, "Passes that ended.", []string{"signal", "pass"}, Self, Stable},
	{"upid_signal_run_failures_total", Counter, "Passes that failed, by reason.", []string{"signal", "pass", "reason"}, Self, Stable},
	{"upid_signal_run_duration_seconds", Histogram, "Time spent in one stage of a pass.", []string{"stage"}, Self, Stable},
	{"upid_signal_last_success_timestamp_seconds", Gauge, "When a pass last succeeded.", []string{"signal", "pass"}, Self, Stable},
	{"upid_signal_last_run_duration_seconds", Gauge, "Duration of the newest pass.", []string{"signal", "pass"}, Self, Stable},
	{"upid_signal_interval_seconds", Gauge, "Configured cadence of a pass.", []string{"signal", "pass"}, Self, Stable},
	{"upid_signal_runs_skipped_total", Counter, "Slots skipped, by reason.", []string{"signal", "reason"}, Self, Stable},
	{"upid_signal_series", Gauge, "Series of a signal by state: active, warming, insufficient, stale or failed." + onSchedule, []string{"signal", "state"}, PerSignal, Stable},
	{"upid_series_dropped_total", Counter, "Series left out, by reason.", []string{"signal", "reason"}, Self, Stable},
	{"upid_samples_ignored_total", Counter, "Samples left out, by reason.", []string{"signal", "reason"}, Self, Stable},

	// Threats.
	{"upid_threat_refused_samples", Gauge, "Samples left out since the newest fit because the name of their entity is longer than 1 KiB.", []string{"signal"}, Self, Stable},
	{"upid_threat_flooded_slots", Gauge, "Slots since the newest fit in which a detector took no new entity, because there was a flood of them.", []string{"signal"}, Self, Stable},
	{"upid_threat_preset_info", Gauge, "1 for each preset of threat detectors in use, with the entity that its metrics tell apart.", []string{"signal", "preset", "entity_type", "entity_labels"}, Self, Stable},
	{"upid_threat_entities", Gauge, "Entities with a risk of at least 1, by its band: low, medium, high, critical.", []string{"signal", "band"}, Self, Stable},
	{"upid_threat_watched_entities", Gauge, "Entities that are watched.", []string{"signal"}, Self, Stable},
	{"upid_threat_suppressed_entities", Gauge, "Entities with a risk that are left out of upid_threat_risk_score, because others have a higher one.", []string{"signal"}, Self, Stable},
	{"upid_threat_forgotten_entities", Gauge, "Entities that were forgotten for others since the newest fit.", []string{"signal"}, Self, Stable},
	{"upid_threat_allowed_series", Gauge, "Series of the newest answers that the allow-list leaves out.", []string{"signal"}, Self, Stable},
	{"upid_threat_quiet_alerts", Gauge, "Alerts that are open and not posted, because they opened in a maintenance window.", []string{"signal"}, Self, Experimental},
	{"upid_threat_history_write_failures_total", Counter, "Attempts to write the threats found to disk that failed, by reason.", []string{"reason"}, Self, Stable},
	{"upid_threat_alerts_opened_total", Counter, "Alerts opened by score passes.", []string{"signal", "threat"}, Self, Stable},

	// Upstreams.
	{"upid_upstream_up", Gauge, "1 if the newest request to the upstream succeeded.", []string{"upstream"}, Self, Stable},
	{"upid_upstream_circuit_open", Gauge, "1 while the upstream answers with server errors only and is asked once in half a minute.", []string{"upstream"}, Self, Stable},
	{"upid_upstream_requests_total", Counter, "Requests sent to the upstream.", []string{"upstream", "endpoint"}, Self, Stable},
	{"upid_upstream_request_failures_total", Counter, "Requests to the upstream that failed, by reason.", []string{"upstream", "endpoint", "reason"}, Self, Stable},
	{"upid_upstream_request_duration_seconds", Histogram, "Duration of a request to the upstream, body included.", []string{"upstream", "endpoint"}, Self, Stable},
	{"upid_upstream_response_bytes", Histogram, "Decompressed size of an answer.", []string{"upstream"}, Self, Stable},
	{"upid_upstream_partial_responses_total", Counter, "Answers that were incomplete.", []string{"upstream"}, Self, Stable},
	{"upid_clock_skew_seconds", Gauge, "How far the clock of an upstream or an Alertmanager is ahead of ours, by the date of its newest answer, to about a second.", []string{"peer"}, Self, Stable},
	{"upid_upstream_samples_fetched_total", Counter, "Samples decoded from answers.", []string{"upstream"}, Self, Stable},

	// State on disk.
	{"upid_model_saves_total", Counter, "Checkpoints of a signal's state written.", nil, Self, Stable},
	{"upid_model_save_failures_total", Counter, "Checkpoints that could not be written, by reason.", []string{"reason"}, Self, Stable},
	{"upid_model_save_duration_seconds", Histogram, "Time to write one checkpoint.", nil, Self, Stable},
	{"upid_model_last_save_success_timestamp_seconds", Gauge, "When a checkpoint was last written.", nil, Self, Stable},
	{"upid_state_loads_total", Counter, "Signals that went on from a checkpoint.", nil, Self, Stable},
	{"upid_state_rebuilds_total", Counter, "State that was not there or not usable and is built again from the server, by part (checkpoint, history) and reason.", []string{"part", "reason"}, Self, Stable},
	{"upid_history_samples_fetched_total", Counter, "Samples fetched for history and scoring.", nil, Self, Stable},
	{"upid_history_samples_new_total", Counter, "Samples fetched for grid points that were not known before.", nil, Self, Stable},
	{"upid_history_write_failures_total", Counter, "Attempts to write history that failed, by reason.", []string{"reason"}, Self, Stable},
	{"upid_storage_bytes", Gauge, "Size of the files in the data directory.", nil, Self, Stable},
	{"upid_storage_free_bytes", Gauge, "Space left for the data directory.", nil, Self, Stable},

	// Alerts.
	{"upid_notifications_sent_total", Counter, "Alerts posted to an Alertmanager.", []string{"alertmanager"}, Self, Stable},
	{"upid_notifications_errors_total", Counter, "Alerts whose post to an Alertmanager failed.", []string{"alertmanager"}, Self, Stable},
	{"upid_notifications_dropped_total", Counter, "Alerts never posted, by reason.", []string{"alertmanager", "reason"}, Self, Stable},
	{"upid_notifications_latency_seconds", Histogram, "Duration of a post to an Alertmanager.", []string{"alertmanager"}, Self, Stable},
	{"upid_notifications_queue_length", Gauge, "Alerts waiting to be posted.", []string{"alertmanager"}, Self, Stable},
	{"upid_notifications_queue_capacity", Gauge, "Alerts the queue can hold.", []string{"alertmanager"}, Self, Stable},
	{"upid_notifications_alertmanagers_discovered", Gauge, "Alertmanagers posted to.", nil, Self, Stable},
	{"upid_notifications_last_success_timestamp_seconds", Gauge, "When a post last succeeded.", []string{"alertmanager"}, Self, Stable},
	{"upid_alert_rules_enabled", Gauge, "1 if the shipped Prometheus rules alert on the signal, 0 if upid does or nobody.", []string{"signal"}, Self, Stable},
	{"upid_alerts", Gauge, "Alerts of a signal by state.", []string{"signal", "state"}, Self, Stable},

	// Exposition and HTTP.
	{"upid_export_series", Gauge, "Result samples on /metrics.", nil, Snapshot, Stable},
	{"upid_export_truncated_series", Gauge, "Result series left out by the export cap.", nil, Snapshot, Stable},
	{"upid_export_duplicate_series", Gauge, "Result samples left out because their label set was already there.", nil, Snapshot, Stable},
	{"upid_export_render_duration_seconds", Histogram, "Time to render the results of one task.", nil, Self, Stable},
	{"upid_http_requests_total", Counter, "HTTP requests served.", []string{"handler", "code", "method"}, Self, Stable},
	{"upid_http_connections_dropped_total", Counter, "Connections closed because there were too many, by reason.", []string{"reason"}, Self, Stable},
	{"upid_http_request_duration_seconds", Histogram, "Duration of HTTP requests served.", []string{"handler"}, Self, Stable},
}
