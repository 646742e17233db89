//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
	"github.com/upid/upid/collector/testserver"
	"github.com/upid/upid/rules"
	"github.com/upid/upid/rules/notify"
)

// injected is one type of anomaly in a real series.
type injected struct {
	kind string
	typ  string // of the signal
	fam  string // family of the anomaly
	of   string // the series
	at   int    // point at which it begins
	n    int    // points it lasts
	odd  func(k int, v, mean, sd float64) float64
	says []string // in the description
	expr string   // PromQL over %s, the series; "" is the series itself
}

// Noise alone does not make these series vary enough: the other views see its first values
// before. What is above 200 requests, nearly always nothing, is by turns, in sizes that are
// usual.
//
// Requests per five minutes have a mean of 64 and a standard deviation of 58,
// the latency 45 ± 2 ms before its failure.
var injections = []injected{
	{series.TypeSpike, "security", rules.FamilySecurity, "elb_request_count", 3000, 2, func(_ int, v, _, sd float64) float64 { return v + 10*sd }, []string{"the value was", "above the expectation", "usual deviations"}, ""},
	{series.TypeDrop, "behavior", rules.FamilyBehavior, "ec2_request_latency", 2000, 2, func(_ int, v, _, sd float64) float64 { return v - 6*sd }, []string{"the value was", "below the expectation", "usual deviations"}, ""},
	{series.TypeLevelShift, "cost", rules.FamilyCost, "elb_request_count", 3000, 20, func(_ int, _, mean, sd float64) float64 { return mean + 3*sd }, []string{"Seen in a step of the level within the last hour: ", " usual changes"}, ""},
	{series.TypeDrift, "resource", rules.FamilyResource, "elb_request_count", 3000, 144, func(k int, v, _, sd float64) float64 { return v + 4*sd*float64(k)/144 }, []string{"the mean of the last 6 h was", "its usual"}, ""},
	{series.TypeOutlier, "performance", rules.FamilyPerformance, "elb_request_count", 2600, 8, func(k int, _, mean, sd float64) float64 { // none and many by turns
		if k%2 == 0 {
			return 0
		}
		return mean + 7*sd
	}, []string{"the last values together"}, ""},
	{series.TypeFlatline, "security", rules.FamilySystem, "elb_request_count", 3000, 150, func(_ int, _, mean, _ float64) float64 { return mean }, []string{"It has not changed for"}, ""},
	{series.TypeMissing, "cost", rules.FamilySystem, "elb_request_count", 3000, 40, func(int, float64, float64, float64) float64 { return math.NaN() }, []string{"No value for", "an alert takes"}, ""},
	{series.TypeVariance, "resource", rules.FamilyResource, "elb_request_count", 2000, 16, func(k int, _, _, _ float64) float64 {
		if k%2 == 1 {
			return 20
		}
		return 230 + 5*float64(k%5)
	}, []string{"Seen in how much it varies: ", " times as much as usual, an alert takes "}, "clamp_min(%s - 200, 0)"},
}

// TestEveryTypeEndToEnd injects each type into a real series that a real Prometheus
// holds, runs the passes of `upid start` over its slots, and asks a real
// Alertmanager: there is exactly one alert of that type and family, with its explanation, and
// it is resolved when the series is itself again. The slots are of last week, so
// that five minutes need not take five minutes.
func TestEveryTypeEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts real servers")
	}
	const (
		step  = 5 * time.Minute
		quiet = 30 // points before an injection that are scored
		after = 60
	)
	// Every series begins at midnight, so that its hours are the same in every run.
	begin := func(in injected) time.Time {
		return time.Now().Add(-time.Hour - step*time.Duration(in.at+in.n+after)).UTC().Truncate(24 * time.Hour)
	}
	var history bytes.Buffer
	yaml := "signals:\n"
	for _, in := range injections {
		y := nab(t, in.of)[:in.at+in.n+after]
		mean, sd := moments(y[:in.at])
		name := "real_" + in.kind
		fmt.Fprintf(&history, "# TYPE %s gauge\n", name)
		for i, v := range y {
			if k := i - in.at; k >= 0 && k < in.n {
				v = in.odd(k, v, mean, sd)
			}
			if !math.IsNaN(v) {
				fmt.Fprintf(&history, "%s{job=\"shop\"} %v %d\n", name, v, begin(in).Add(step*time.Duration(i)).Unix())
			}
		}
		expr := name
		if in.expr != "" {
			expr = fmt.Sprintf(in.expr, name)
		}
		yaml += fmt.Sprintf("  - {name: %s, type: %s, query: %q, unit: u, step: 5m, forecast: {enabled: false}, detect: {direction: both, transform: none}}\n", name, in.typ, expr)
	}
	history.WriteString("# EOF\n")
	prom := testserver.Prometheus(t, testserver.Options{OpenMetrics: &history})
	am := testserver.Alertmanager(t, testserver.AlertmanagerOptions{})

	cfg, err := config.Parse("test", fmt.Appendf(nil, "prometheus: {url: %s}\n%s", prom.URL, yaml), configChecks())
	if err != nil {
		t.Fatal(err)
	}
	ts, described, err := tasks(cfg, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.New(source.Options{URL: prom.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	notifier, err := notify.New(notify.Options{Alertmanagers: []notify.AlertmanagerConfig{{URL: am.URL}}, Registerer: prometheus.NewPedanticRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	infos := map[string]rules.SignalInfo{}
	for name, s := range described {
		s.Muted = false
		infos[name] = s.SignalInfo
	}
	notifier.SetSignals(infos)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- notifier.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p, err := pipeline.New(pipeline.Options{Source: src, Sinks: []pipeline.Sink{notifier}, Registerer: prometheus.NewPedanticRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(ts, nil); err != nil {
		t.Fatal(err)
	}
	// firing returns the alerts of a signal.
	firing := func(signal string) ([]alert, error) {
		all, err := alertsNamed(am.URL, rules.AlertAnomaly)
		var out []alert
		for _, a := range all {
			if a.Labels["signal"] == signal {
				out = append(out, a)
			}
		}
		return out, err
	}
	for i, in := range injections {
		task := ts[i]
		t.Run(in.kind, func(t *testing.T) {
			pass := func(pass pipeline.Pass, k int) {
				t.Helper()
				slot := begin(in).Add(step * time.Duration(k)).Add(task.Offset).UnixMilli()
				if err := p.RunSlot(t.Context(), task.Name, pass, slot); err != nil {
					t.Fatalf("%s at point %d: %v", pass, k, err)
				}
			}
			pass(pipeline.Fit, in.at-quiet-1)
			for k := in.at - quiet; k < in.at; k++ {
				pass(pipeline.Score, k)
			}
			if as, err := firing(task.Name); err != nil || len(as) != 0 {
				t.Fatalf("before the injection: %+v, %v", as, err)
			}
			for k := in.at; k < in.at+in.n; k++ {
				pass(pipeline.Score, k)
			}
			var a alert
			eventually(t, 20*time.Second, "one alert", func() error {
				as, err := firing(task.Name)
				if err == nil && len(as) != 1 {
					err = fmt.Errorf("%d alerts: %+v", len(as), as)
				}
				if err == nil {
					a = as[0]
				}
				return err
			})
			if a.Labels["type"] != in.kind || a.Labels["job"] != "shop" {
				t.Errorf("labels %v, want type %s", a.Labels, in.kind)
			}
			if a.Annotations["family"] != in.fam {
				t.Errorf("family %s, want %s", a.Annotations["family"], in.fam)
			}
			first := begin(in).Add(step * time.Duration(in.at))
			if a.StartsAt.Before(first) || a.StartsAt.After(first.Add(step*time.Duration(in.n))) {
				t.Errorf("it began at %v, the injection %v", a.StartsAt, first)
			}
			for _, text := range append([]string{"Unusual since", " h UTC)", "where 1 is the alert boundary", "Confidence"}, in.says...) {
				if !strings.Contains(a.Annotations["description"], text) {
					t.Errorf("the description lacks %q: %s", text, a.Annotations["description"])
				}
			}
			for _, name := range []string{"summary", "first_action", "family", "score", "confidence"} {
				if a.Annotations[name] == "" {
					t.Errorf("no annotation %s", name)
				}
			}
			if !strings.HasPrefix(a.GeneratorURL, prom.URL+"/graph?") {
				t.Errorf("generator URL %s", a.GeneratorURL)
			}
			t.Logf("%s\n%s", a.Annotations["summary"], a.Annotations["description"])
			for k := in.at + in.n; k < in.at+in.n+after; k++ {
				pass(pipeline.Score, k)
			}
			eventually(t, 20*time.Second, "resolved", func() error {
				as, err := firing(task.Name)
				if err == nil && len(as) != 0 {
					err = fmt.Errorf("still firing: %+v", as)
				}
				return err
			})
		})
	}
}

// moments returns the mean and the standard deviation.
func moments(y []float64) (mean, sd float64) {
	n := float64(len(y))
	for _, v := range y {
		mean += v / n
	}
	for _, v := range y {
		sd += (v - mean) * (v - mean) / n
	}
	return mean, math.Sqrt(sd)
}
