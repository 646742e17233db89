package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// grouped is a finding of a group.
func grouped(id string, start int64, group string) series.Finding {
	f := open(id, start)
	f.Group = group
	return f
}

// What the pods of one workload raise together is one alert, with the labels of the
// one that was first, until all are over.
func TestOneAlertForAWorkload(t *testing.T) {
	inBubble(t, 1, Options{}, func(b *bench) {
		am := b.ams[0]
		start := now() - 60_000
		first, second := grouped("f1", start, "g"), grouped("f2", start, "g")
		b.write(result("web-1", first), result("web-2"), result("web-3"))
		a := am.get("web-1")
		wantFiring(t, a, start, 4*time.Minute)
		if strings.Contains(a.Annotations["description"], "In the same workload") {
			t.Errorf("alone, but: %s", a.Annotations["description"])
		}

		sleep(30 * time.Second)
		b.write(result("web-1", first), result("web-2", second), result("web-3"))
		a = am.get("web-1")
		if am.get("web-2") != nil {
			t.Error("the second pod has an alert of its own")
		}
		if s := a.Annotations["description"]; !strings.Contains(s, `In the same workload: cpu spike since`) || !strings.Contains(s, `{pod="web-2"}`) {
			t.Errorf("the alert does not list the second pod: %s", s)
		}
		if s := a.Annotations["summary"]; !strings.HasSuffix(s, "and another series of the workload") {
			t.Errorf("summary %s", s)
		}
		b.wantMetric(1, "upid_alerts", "cpu", stateFiring)

		// The first one ends, and later is not listed any more: the alert goes on.
		b.write(result("web-1", resolvedAt(first, now())), result("web-2", second))
		wantFiring(t, am.get("web-1"), start, 4*time.Minute)
		sleep(time.Minute)
		b.write(result("web-1"), result("web-2", second))
		a = am.get("web-1")
		wantFiring(t, a, start, 4*time.Minute)
		if am.get("web-2") != nil {
			t.Error("the alert changed its labels")
		}
		// A member rises: the whole alert does, and the old one is resolved.
		second.Severity = series.SeverityCritical
		b.write(result("web-1"), result("web-2", second))
		risen := am.get("web-1", "severity", "critical")
		if risen == nil {
			t.Fatal("no critical alert")
		}
		wantFiring(t, risen, start, 4*time.Minute)
		if old := am.get("web-1", "severity", "warning"); ends(old).After(time.Now()) {
			t.Errorf("the warning fires until %v", ends(old))
		}
		b.write(result("web-1"), result("web-2", resolvedAt(second, now())))
		if a := am.get("web-1", "severity", "critical"); ends(a).After(time.Now()) {
			t.Errorf("all are over, but it fires until %v", ends(a))
		}
		b.wantMetric(0, "upid_alerts", "cpu", stateFiring)
	})
}

// An alert says what else moved: findings of other signals about the same workload
// that began at about its time.
func TestWhatElseMoved(t *testing.T) {
	cpu, latency := &taskState{info: rules.SignalInfo{Name: "cpu"}}, &taskState{info: rules.SignalInfo{Name: "latency", Unit: "ms"}}
	of := func(id, workload string, start int64) series.Result {
		return series.Result{Labels: labels.FromStrings("namespace", "shop", "deployment", workload), Time: start, Findings: []series.Finding{open(id, start)}}
	}
	const start = int64(1_700_000_000_000)
	at := time.UnixMilli(start)
	latency.update(at, start, []series.Result{of("l1", "web", start+60_000), of("l2", "api", start), of("l3", "web", start-3_600_000)}, 0, nil, nil)
	pod := series.Result{Labels: labels.FromStrings("namespace", "shop", "pod", "web-7d9f8b6c5d-x2k4p"), Time: start, Findings: []series.Finding{open("c1", start)}}
	cpu.update(at, start, []series.Result{pod}, 0, nil, latency.open)
	if len(cpu.alerts) != 1 {
		t.Fatalf("%d alerts", len(cpu.alerts))
	}
	for _, a := range cpu.alerts {
		s := a.annotations["description"]
		if !strings.Contains(s, `What else moved: latency spike since 2023-11-14T22:14:20Z, 2 ms, expected 1 ms {deployment="web", namespace="shop"}. Score`) {
			t.Errorf("description %s", s)
		}
	}
}

// An anomaly of a workload is told with the KPI that moved with it, one of a KPI with the workloads, unless their
// labels say that they are about different things.
func TestMovedWithKPI(t *testing.T) {
	const start = int64(1_700_000_000_000)
	at := time.UnixMilli(start)
	describe := func(kpi, workload labels.Labels) (ofWorkload, ofKPI string) {
		orders := &taskState{info: rules.SignalInfo{Name: "orders", Type: rules.TypeBusiness}}
		cpu := &taskState{info: rules.SignalInfo{Name: "cpu", Type: "resource"}}
		k := series.Result{Labels: kpi, Time: start, Findings: []series.Finding{open("k", start+120_000)}}
		w := series.Result{Labels: workload, Time: start, Findings: []series.Finding{open("w", start)}}
		orders.update(at, start, []series.Result{k}, 0, nil, nil)
		cpu.update(at, start, []series.Result{w}, 0, nil, orders.open)
		orders.update(at, start, []series.Result{k}, 0, nil, cpu.open)
		for _, a := range cpu.alerts {
			ofWorkload = a.annotations["description"]
		}
		for _, a := range orders.alerts {
			ofKPI = a.annotations["description"]
		}
		return ofWorkload, ofKPI
	}
	web := labels.FromStrings("namespace", "shop", "pod", "web-0")
	if w, k := describe(labels.EmptyLabels(), web); !strings.Contains(w, "KPIs that moved with it: orders spike since 2023-11-14T22:15:20Z") || !strings.Contains(k, "What else moved: cpu spike since") {
		t.Errorf("%s\n%s", w, k)
	}
	if w, k := describe(labels.FromStrings("namespace", "blog"), web); strings.Contains(w, "KPI") || strings.Contains(k, "What else moved") {
		t.Errorf("another namespace: %s\n%s", w, k)
	}
}
