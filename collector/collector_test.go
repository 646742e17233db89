package collector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector/series"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full returns a collector with a sample of every rendered metric.
func full(t testing.TB, o Options) *Collector {
	t.Helper()
	c := New(o)
	r := result("cpu", labels.FromStrings("instance", "a:9100", "job", "node"), 4)
	r.Horizons = []series.Horizon{
		{Horizon: 36 * time.Hour, Value: 5, Lower: 3, Upper: 7, Peak: 6},
		{Horizon: 7 * day, Value: 8, Lower: 2, Upper: 16, Peak: 9},
	}
	r.Findings = []series.Finding{finding(series.TypeSpike, series.SeverityWarning, 0.625)}
	r.Trends = []series.Trend{{Window: 7 * day, Ratio: 0.125}}
	r.BudgetSpent = 0.5
	r.Rollout = &series.Rollout{At: 60_000, Revision: "abc", Active: true}
	r.Threat = &series.Threat{Threat: "brute_force", Technique: "T1110;T1078", Risk: 62.5, Confidence: 0.875}
	attack := finding("brute_force", series.SeverityCritical, 1)
	attack.Threat = r.Threat
	over := attack
	over.End = 1
	r.Findings = append(r.Findings, attack, attack, over)
	r.Live = &series.Live{Demoted: "worse than naive", Since: 60_000, Judged: []series.Judged{
		{Stage: series.StageActive, Horizon: 36 * time.Hour, Forecasts: 20, MASE: 0.75, Skill: 0.25, Coverage: 0.5},
		{Stage: series.StageActive, Horizon: 7 * day, Forecasts: 19, MASE: 9, Skill: -9, Coverage: 0},
		{Stage: series.StageShadow, Horizon: 7 * day, Forecasts: 40, MASE: 1.5, Skill: -0.5, Coverage: math.NaN()},
	}}
	write(t, c, "cpu", r)
	write(t, c, "plans", planned()...)
	return c
}

// planned returns a capacity, a cost and two recommendations, one of which is blocked.
func planned() []series.Result {
	plan := func(p series.Plan, ls ...string) series.Result {
		return series.Result{Signal: "plans", Labels: labels.FromStrings(ls...), Slot: 60_000, Time: 60_000, Observed: nan, BudgetSpent: nan, Plan: &p}
	}
	advice := series.Advice{
		ID: "right_size-1", Kind: "right_size", OptimizationType: "resource_scaling", State: "open", Urgency: "normal", RiskLevel: "low", Effort: "in_place",
		Confidence: 0.75, Savings: 12.5, Realisable: 8, Currency: "USD", Targets: []series.Target{{Resource: "cpu_request_cores", Value: 0.25}},
	}
	blocked := advice
	blocked.State, blocked.ID = "blocked", "right_size-2"
	return []series.Result{
		plan(series.Plan{Capacity: &series.Capacity{Median: 864000, Lower: 432000, Upper: 1728000, Horizons: []time.Duration{day, 30 * day}, Probability: []float64{0.0625, nan}}}, "disk", "a"),
		plan(series.Plan{Cost: &series.Cost{
			Currency: "USD", Horizons: []time.Duration{7 * day, 10 * day}, MonthEnd: 10 * day, Value: []float64{70, 100}, Lower: []float64{60, 90}, Upper: []float64{80, 110}, Budget: 500, ToDate: 120,
		}}, "namespace", "shop"),
		plan(series.Plan{Advice: &advice}, "container", "app", "id", "right_size-1", "kind", "right_size"),
		plan(series.Plan{Advice: &blocked}, "container", "app", "id", "right_size-2", "kind", "right_size"),
	}
}

func TestEveryMetric(t *testing.T) {
	c := full(t, Options{ModelVersion: "1.2.3"})
	const own = `instance="a:9100", job="node", `
	s := `{__name__="%s", instance="a:9100", job="node", signal="cpu"}`
	const of = `id="right_size-1", kind="right_size", signal="plans"`
	const advised = `container="app", effort="in_place", id="right_size-1", kind="right_size"`
	want := map[string]float64{
		fmt.Sprintf(s, "upid_observed_value"):                                        4,
		fmt.Sprintf(s, "upid_expected_value"):                                        3.6,
		fmt.Sprintf(s, "upid_expected_lower"):                                        2,
		fmt.Sprintf(s, "upid_expected_upper"):                                        6,
		fmt.Sprintf(strings.TrimSuffix(s, "}")+`, window="7d"}`, "upid_trend_ratio"): 0.125,
		fmt.Sprintf(s, "upid_forecast_confidence_ratio"):                             0.75,
		fmt.Sprintf(s, "upid_rollout_active"):                                        1,
		`{__name__="upid_threat_risk_score", ` + own + `signal="cpu", technique="T1110;T1078", threat="brute_force"}`:                                        62.5,
		`{__name__="upid_threat_active", ` + own + `severity="critical", signal="cpu", threat="brute_force"}`:                                                1,
		`{__name__="upid_threat_confidence_ratio", ` + own + `signal="cpu", threat="brute_force"}`:                                                           0.875,
		`{__name__="upid_capacity_exhaustion_seconds", disk="a", signal="plans"}`:                                                                            864000,
		`{__name__="upid_capacity_exhaustion_lower_seconds", disk="a", signal="plans"}`:                                                                      432000,
		`{__name__="upid_capacity_exhaustion_upper_seconds", disk="a", signal="plans"}`:                                                                      1728000,
		`{__name__="upid_signal_series", signal="plans", state="active"}`:                                                                                    4,
		`{__name__="upid_signal_series", signal="plans", state="failed"}`:                                                                                    0,
		`{__name__="upid_signal_series", signal="plans", state="insufficient"}`:                                                                              0,
		`{__name__="upid_signal_series", signal="plans", state="stale"}`:                                                                                     0,
		`{__name__="upid_signal_series", signal="plans", state="warming"}`:                                                                                   0,
		`{__name__="upid_capacity_exhaustion_probability", disk="a", horizon="1d", signal="plans"}`:                                                          0.0625,
		`{__name__="upid_cost_budget_value", currency="USD", namespace="shop", signal="plans"}`:                                                              500,
		`{__name__="upid_cost_month_to_date_value", currency="USD", namespace="shop", signal="plans"}`:                                                       120,
		`{__name__="upid_cost_forecast_value", currency="USD", horizon="7d", namespace="shop", signal="plans"}`:                                              70,
		`{__name__="upid_cost_forecast_value", currency="USD", horizon="month_end", namespace="shop", signal="plans"}`:                                       100,
		`{__name__="upid_cost_forecast_lower", currency="USD", horizon="7d", namespace="shop", signal="plans"}`:                                              60,
		`{__name__="upid_cost_forecast_lower", currency="USD", horizon="month_end", namespace="shop", signal="plans"}`:                                       90,
		`{__name__="upid_cost_forecast_upper", currency="USD", horizon="7d", namespace="shop", signal="plans"}`:                                              80,
		`{__name__="upid_cost_forecast_upper", currency="USD", horizon="month_end", namespace="shop", signal="plans"}`:                                       110,
		`{__name__="upid_recommendation_info", ` + advised + `, risk_level="low", signal="plans", urgency="normal"}`:                                         1,
		`{__name__="upid_recommendation_savings_monthly", container="app", currency="USD", ` + of + `}`:                                                      12.5,
		`{__name__="upid_recommendation_realisable_savings_monthly", container="app", currency="USD", ` + of + `}`:                                           8,
		`{__name__="upid_recommendation_confidence_ratio", container="app", ` + of + `}`:                                                                     0.75,
		`{__name__="upid_recommendation_target_value", container="app", id="right_size-1", kind="right_size", resource="cpu_request_cores", signal="plans"}`: 0.25,
		fmt.Sprintf(s, "upid_anomaly_score"):                                                          0.25,
		fmt.Sprintf(s, "upid_anomaly_confidence_ratio"):                                               0.625,
		`{__name__="upid_anomaly_active", ` + own + `severity="warning", signal="cpu", type="spike"}`: 1,

		`{__name__="upid_model_skill_ratio", horizon="7d", signal="cpu", stage="active"}`:    0.5,
		`{__name__="upid_model_coverage_ratio", horizon="7d", signal="cpu", stage="active"}`: 0.875,
		`{__name__="upid_model_mase", horizon="7d", signal="cpu", stage="active"}`:           0.5,

		`{__name__="upid_model_skill_ratio", horizon="36h", signal="cpu", stage="active"}`:      0.25,
		`{__name__="upid_model_coverage_ratio", horizon="36h", signal="cpu", stage="active"}`:   0.5,
		`{__name__="upid_model_mase", horizon="36h", signal="cpu", stage="active"}`:             0.75,
		`{__name__="upid_model_skill_ratio", horizon="7d", signal="cpu", stage="shadow"}`:       -0.5,
		`{__name__="upid_model_mase", horizon="7d", signal="cpu", stage="shadow"}`:              1.5,
		`{__name__="upid_model_judged_forecasts", horizon="36h", signal="cpu", stage="active"}`: 20,
		`{__name__="upid_model_judged_forecasts", horizon="7d", signal="cpu", stage="active"}`:  19,
		`{__name__="upid_model_judged_forecasts", horizon="7d", signal="cpu", stage="shadow"}`:  40,
		`{__name__="upid_model_demoted", signal="cpu"}`:                                         1,
		`{__name__="upid_signal_series", signal="cpu", state="active"}`:                         1,
		`{__name__="upid_signal_series", signal="cpu", state="warming"}`:                        0,
		`{__name__="upid_signal_series", signal="cpu", state="insufficient"}`:                   0,
		`{__name__="upid_signal_series", signal="cpu", state="stale"}`:                          0,
		`{__name__="upid_signal_series", signal="cpu", state="failed"}`:                         0,
		`{__name__="upid_alert_budget_ratio", signal="cpu"}`:                                    0.5,

		`{__name__="upid_model_info", model_type="resource_prediction", stage="active", state="degraded", version="1.2.3"}`: 1,
		`{__name__="upid_model_info", model_type="anomaly_detection", stage="active", state="active", version="1.2.3"}`:     1,
	}
	for horizon, v := range map[string][4]float64{"36h": {5, 3, 7, 6}, "7d": {8, 2, 16, 9}} {
		for i, name := range []string{"value", "lower", "upper", "peak_value"} {
			want[`{__name__="upid_forecast_`+name+`", horizon="`+horizon+`", `+own+`signal="cpu"}`] = v[i]
		}
	}
	check(t, parsed(t, c, predictions), want)

	self := only(parsed(t, c, "?collect[]=self"), "upid_export_series", "upid_export_truncated_series", "upid_export_duplicate_series")
	// 11 + 2 × 4 of the series, 4 + 5 of the signal, 9 of what was judged.
	check(t, self, map[string]float64{
		`{__name__="upid_export_series"}`: 61, `{__name__="upid_export_truncated_series"}`: 0, `{__name__="upid_export_duplicate_series"}`: 0,
	})
}

func TestAbsentBeatsWrong(t *testing.T) {
	c := New(Options{})
	inf := math.Inf(1)
	r := result("cpu", labels.FromStrings("a", "b"), nan)
	r.Score = &series.Score{Observed: nan, Expected: inf, Lower: -inf, Upper: nan, Value: nan, Confidence: nan, Type: ""}
	r.Forecast.Confidence = nan
	r.Forecast.Accuracy = series.Accuracy{MASE: nan, NaiveMASE: nan, Skill: nan, Coverage: inf, Origins: 0}
	r.Horizons = []series.Horizon{{Horizon: time.Hour, Value: 1e300, Lower: nan, Upper: inf, Peak: -0.5}}
	r.Findings = []series.Finding{finding("drop", "info", nan)}
	r.Findings[0].End = 120_000 // resolved
	r.Trends = []series.Trend{{Window: time.Hour, Ratio: nan}}
	write(t, c, "cpu", r)
	check(t, only(parsed(t, c, predictions), "upid_observed_value", "upid_expected_value", "upid_expected_lower", "upid_expected_upper",
		"upid_anomaly_score", "upid_anomaly_active", "upid_anomaly_confidence_ratio", "upid_forecast_confidence_ratio", "upid_trend_ratio",
		"upid_forecast_value", "upid_forecast_lower", "upid_forecast_upper", "upid_forecast_peak_value",
		"upid_model_skill_ratio", "upid_model_coverage_ratio", "upid_model_mase", "upid_alert_budget_ratio"), map[string]float64{
		`{__name__="upid_forecast_value", a="b", horizon="1h", signal="cpu"}`:      1e300,
		`{__name__="upid_forecast_peak_value", a="b", horizon="1h", signal="cpu"}`: -0.5,
	})
}

// The states of learned models stand beside those of the built-in ones.
func TestSetModels(t *testing.T) {
	c := New(Options{})
	c.SetModels([]ModelState{
		{ModelType: "resource_prediction", Version: "v1", Stage: "active", State: "degraded"},
		{ModelType: "resource_prediction", State: "training"},
		{ModelType: "security_threat", State: "untrained"},
	})
	want := map[string]float64{
		`{__name__="upid_model_info", model_type="resource_prediction", stage="active", state="degraded", version="v1"}`: 1,
		`{__name__="upid_model_info", model_type="resource_prediction", state="training"}`:                               1,
		`{__name__="upid_model_info", model_type="security_threat", state="untrained"}`:                                  1,
		`{__name__="upid_model_info", model_type="resource_prediction", state="untrained"}`:                              1,
		`{__name__="upid_model_info", model_type="anomaly_detection", state="untrained"}`:                                1,
	}
	check(t, parsed(t, c, predictions), want)
	c.SetModels(nil)
	if got := parsed(t, c, predictions); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestReplaceAndDrop(t *testing.T) {
	c := New(Options{})
	a, b := labels.FromStrings("i", "a"), labels.FromStrings("i", "b")
	key := func(i string) string { return `{__name__="upid_observed_value", i="` + i + `", signal="cpu"}` }
	observed := func() map[string]float64 { return only(parsed(t, c, predictions), "upid_observed_value") }

	write(t, c, "cpu", result("cpu", a, 1), result("cpu", b, 2))
	check(t, observed(), map[string]float64{key("a"): 1, key("b"): 2})
	write(t, c, "cpu", result("cpu", b, 3)) // a vanished series vanishes
	check(t, observed(), map[string]float64{key("b"): 3})
	write(t, c, "cpu", result("cpu", b, 4), result("cpu", a, 5)) // another order
	check(t, observed(), map[string]float64{key("a"): 5, key("b"): 4})
	write(t, c, "cpu")
	check(t, observed(), map[string]float64{})
	check(t, only(parsed(t, c, predictions), "upid_signal_series"), map[string]float64{ // the signal is still there, with nothing
		`{__name__="upid_signal_series", signal="cpu", state="active"}`: 0, `{__name__="upid_signal_series", signal="cpu", state="warming"}`: 0,
		`{__name__="upid_signal_series", signal="cpu", state="insufficient"}`: 0, `{__name__="upid_signal_series", signal="cpu", state="stale"}`: 0,
		`{__name__="upid_signal_series", signal="cpu", state="failed"}`: 0,
	})

	write(t, c, "cpu", result("cpu", a, 6))
	c.Drop("cpu")
	c.Drop("never there")
	check(t, parsed(t, c, predictions), map[string]float64{
		`{__name__="upid_model_info", model_type="resource_prediction", state="untrained"}`: 1,
		`{__name__="upid_model_info", model_type="anomaly_detection", state="untrained"}`:   1,
	})
	if n := len(c.owners) + len(c.signals) + len(c.tasks); n != 0 {
		t.Errorf("%d things left after the drop", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Write(ctx, "cpu", 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("write with a cancelled context: %v", err)
	}
}

func TestStates(t *testing.T) {
	alone := func(forecasts bool, f func(*series.Result)) int {
		r := result("cpu", labels.EmptyLabels(), 1)
		f(&r)
		return stateOf(&r, forecasts)
	}
	with := func(f func(*series.Result)) int { return alone(true, f) }
	warn := []error{errors.New("too short")}
	for name, c := range map[string]struct{ got, want int }{
		"all there":           {with(func(*series.Result) {}), stateActive},
		"forecast only":       {with(func(r *series.Result) { r.Score = nil }), stateActive},
		"scored only":         {alone(false, func(r *series.Result) { r.Forecast = nil }), stateActive},
		"score unknown":       {with(func(r *series.Result) { r.Score.Value = nan }), stateWarming},
		"new":                 {with(func(r *series.Result) { r.Forecast, r.Score.Value = nil, nan }), stateWarming},
		"no forecast, scored": {with(func(r *series.Result) { r.Forecast = nil }), stateInsufficient},
		"too short":           {with(func(r *series.Result) { r.Forecast, r.Score.Value, r.Warnings = nil, nan, warn }), stateInsufficient},
		"nothing but a word":  {with(func(r *series.Result) { r.Forecast, r.Score, r.Warnings = nil, nil, warn }), stateFailed},
		"no point":            {with(func(r *series.Result) { r.Time = 0 }), stateStale},
		"missing":             {with(func(r *series.Result) { r.Observed = nan }), stateStale},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, stateNames[c.got], stateNames[c.want])
		}
	}
}

func TestMeansOverSeries(t *testing.T) {
	c := New(Options{})
	a, b, n := result("s", labels.FromStrings("i", "a"), 1), result("s", labels.FromStrings("i", "b"), 1), result("s", labels.FromStrings("i", "n"), 1)
	a.Horizons = []series.Horizon{{Horizon: time.Hour, Value: 1, Lower: 1, Upper: 1, Peak: 1}}
	a.BudgetSpent, b.BudgetSpent = 0.25, 0.5
	a.Forecast.Accuracy.Skill, b.Forecast.Accuracy.Skill, n.Forecast.Accuracy.Skill = 0.25, -0.75, nan
	write(t, c, "s", a, b, n)
	check(t, only(parsed(t, c, predictions), "upid_model_skill_ratio", "upid_alert_budget_ratio"), map[string]float64{
		`{__name__="upid_alert_budget_ratio", signal="s"}`:                              0.75,  // 0.25 + 0.5
		`{__name__="upid_model_skill_ratio", horizon="1h", signal="s", stage="active"}`: -0.25, // (0.25 − 0.75) / 2
	})
}

func TestFindings(t *testing.T) {
	c := New(Options{})
	r := result("cpu", labels.FromStrings("i", "a"), 1)
	resolved := finding("drop", "info", 1)
	resolved.End = 1
	r.Findings = []series.Finding{
		finding("spike", "warning", 0.25), finding("drift", "critical", 0.5), finding("spike", "warning", 0.125), resolved,
	}
	r.Horizons = []series.Horizon{{Horizon: time.Hour, Value: 1, Lower: 1, Upper: 1, Peak: 1}, {Horizon: time.Hour, Value: 2, Lower: 2, Upper: 2, Peak: 2}}
	write(t, c, "cpu", r)
	check(t, only(parsed(t, c, predictions), "upid_anomaly_active", "upid_anomaly_confidence_ratio", "upid_forecast_value"), map[string]float64{
		`{__name__="upid_anomaly_active", i="a", severity="warning", signal="cpu", type="spike"}`:  1,
		`{__name__="upid_anomaly_active", i="a", severity="critical", signal="cpu", type="drift"}`: 1,
		`{__name__="upid_anomaly_confidence_ratio", i="a", signal="cpu"}`:                          0.5,
		`{__name__="upid_forecast_value", horizon="1h", i="a", signal="cpu"}`:                      1,
	})
}

// TestConsistent has writers change every sample at once, and scrapers look for
// a page that shows two states.
func TestConsistent(t *testing.T) {
	c := New(Options{})
	rs := func(v float64) []series.Result {
		out := load(200)
		for i := range out {
			out[i].Observed = v
		}
		return out
	}
	write(t, c, "cpu", rs(0)...)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for v := range 60 {
			write(t, c, "cpu", rs(float64(v))[v%7:]...)
			c.Drop("other")
			write(t, c, "other", result("other", labels.EmptyLabels(), float64(v)))
		}
	})
	for _, encoding := range []string{"gzip", "identity"} {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				body, _ := get(t, c, predictions, "Accept-Encoding", encoding)
				seen := ""
				for line := range strings.SplitSeq(body, "\n") {
					if strings.HasPrefix(line, `upid_observed_value{signal="cpu"`) {
						if _, v, _ := strings.Cut(line, "} "); seen == "" {
							seen = v
						} else if v != seen {
							t.Errorf("%s and %s on one page", seen, v)
							return
						}
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestTooLateForADroppedTask(t *testing.T) {
	c := New(Options{})
	write(t, c, "cpu", result("cpu", labels.EmptyLabels(), 1))
	stale := c.tasks["cpu"]
	s := c.render(stale, []series.Result{result("cpu", labels.EmptyLabels(), 2)})
	c.Drop("cpu")
	c.publish(stale, s)
	if c.admit(stale) || len(c.owners) != 0 || stale.segment != nil {
		t.Error("a dropped task came back")
	}
}

func TestDroppedSeriesAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := New(Options{Registry: reg})
	many := labels.NewBuilder(labels.EmptyLabels())
	for i := range maxLabels + 1 {
		many.Set(fmt.Sprintf("l%d", i), "v")
	}
	write(t, c, "s",
		result("s", labels.FromStrings("ok", "yes"), 1),
		result("s", labels.FromStrings("v", strings.Repeat("x", maxLabelValue+1)), 1),
		result("s", labels.FromStrings(strings.Repeat("n", maxLabelName+1), "x"), 1),
		result("s", many.Labels(), 1),
		result("s", labels.FromStrings("v", "a\xff"), 1),
		result("s", labels.FromStrings("n\x00", "x"), 1),
		result("s\xff", labels.FromStrings("n", "x"), 1),
	)
	if got := only(parsed(t, c, predictions), "upid_observed_value"); len(got) != 1 {
		t.Errorf("exported %v", got)
	}
	dropped := NewCounterVec(reg, "upid_series_dropped_total")
	for _, w := range []struct {
		signal, reason string
		n              float64
	}{{"s", reasonLength, 3}, {"s", reasonUTF8, 1}, {"s", reasonInvalid, 1}, {"s\uFFFD", reasonUTF8, 1}, {"s\uFFFD", reasonLength, 0}} {
		if got := testutil.ToFloat64(dropped.WithLabelValues(w.signal, w.reason)); got != w.n {
			t.Errorf("%s %s: %v, want %v", w.signal, w.reason, got, w.n)
		}
	}
}
