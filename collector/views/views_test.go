package views

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
)

// ids returns the findings on record that match, newest first.
func ids(v *Views, f AnomalyFilter) string {
	page, _ := v.Anomalies(f)
	var out []string
	for _, a := range page {
		out = append(out, a.ID)
	}
	return strings.Join(out, " ")
}

func withFindings(r series.Result, fs ...series.Finding) series.Result {
	r.Findings = fs
	return r
}

// one returns views of the signal cpu.
func one(keep int) *Views {
	v := New(Options{Version: "1", Keep: keep})
	v.SetSignals(map[string]Signal{"cpu": configured("cpu", "resource", "cores")})
	return v
}

// TestFindingLife follows one finding from its start to its end and beyond.
func TestFindingLife(t *testing.T) {
	v := one(0)
	f := finding("f", series.TypeSpike, noon, 0)
	write(t, v, "cpu", noon, withFindings(result("a", noon, nil), f))
	want := func(state, severity string, ended any, stale bool) {
		t.Helper()
		page, _ := v.Anomalies(AnomalyFilter{State: state})
		if len(page) != 1 {
			t.Fatalf("%d findings in state %q", len(page), state)
		}
		var end any
		if page[0].EndedAt != nil {
			end = *page[0].EndedAt
		}
		if page[0].Severity != severity || end != ended || page[0].Stale != stale {
			t.Errorf("severity %s, ended %v, stale %v; want %s, %v, %v", page[0].Severity, end, page[0].Stale, severity, ended, stale)
		}
	}
	want(Open, "warning", nil, false)

	f.Severity, f.Reclassified = series.SeverityCritical, series.TypeLevelShift
	write(t, v, "cpu", noon+minute, withFindings(result("a", noon+minute, nil), f))
	want(Open, "critical", nil, false)
	if a, _ := v.Anomalies(AnomalyFilter{}); a[0].Reclassified != series.TypeLevelShift || !strings.Contains(a[0].Description, "level shift") {
		t.Errorf("%+v", a[0])
	}

	v.Expire("cpu") // nothing is known any more: neither confirmed nor resolved
	want(Open, "critical", nil, true)
	if a, _ := v.Anomalies(AnomalyFilter{}); !strings.Contains(a[0].Description, "No data since 2023-11-13T12:00:00Z") {
		t.Errorf("a stale one says %q", a[0].Description)
	}
	write(t, v, "cpu", noon+2*minute, withFindings(result("a", noon+2*minute, nil), f))
	want(Open, "critical", nil, false)

	f.End = noon + 3*minute
	write(t, v, "cpu", noon+4*minute, withFindings(result("a", noon+4*minute, nil), f))
	want(Ended, "critical", float64(noon+3*minute)/1000, false)

	// It is not spoken of any more, and stays on record.
	write(t, v, "cpu", noon+60*minute, result("a", noon+60*minute, nil))
	want(Ended, "critical", float64(noon+3*minute)/1000, false)

	v.Drop("cpu")
	if got := ids(v, AnomalyFilter{}); got != "" {
		t.Errorf("of a signal that was removed: %s", got)
	}
}

// A finding that was open and is not spoken of any more ended unseen; should it
// be spoken of again, it is open.
func TestFindingThatVanishes(t *testing.T) {
	v := one(0)
	f := finding("f", series.TypeSpike, noon, 0)
	write(t, v, "cpu", noon, withFindings(result("a", noon, nil), f), result("b", noon, nil))
	write(t, v, "cpu", noon+minute, result("b", noon+minute, nil))
	page, _ := v.Anomalies(AnomalyFilter{State: Ended})
	if len(page) != 1 || *page[0].EndedAt != float64(noon+minute)/1000 {
		t.Fatalf("%+v", page)
	}
	if page[0].Path != nil {
		t.Errorf("values of a series that is gone: %v", page[0].Path)
	}
	write(t, v, "cpu", noon+2*minute, withFindings(result("a", noon+2*minute, nil), f), result("b", noon+2*minute, nil))
	if got := ids(v, AnomalyFilter{State: Open}); got != "f" {
		t.Errorf("open: %q", got)
	}
}

// Another task's results end nothing here.
func TestFindingsOfTasksAreApart(t *testing.T) {
	v := full()
	write(t, v, "spend", noon+minute)
	if got := ids(v, AnomalyFilter{State: Open}); got != "f1" {
		t.Errorf("open: %q", got)
	}
}

// TestKeepFindings: beyond the bound the open ones stay, then the newest.
func TestKeepFindings(t *testing.T) {
	v := one(3)
	id := func(i int) string { return fmt.Sprintf("f%02d", i) }
	var past []series.Finding
	for i := range 10 {
		past = append(past, finding(id(i), series.TypeSpike, noon+int64(i)*minute, noon+int64(i)*minute+1))
	}
	r := result("a", noon+20*minute, nil)
	r.Past = past
	write(t, v, "cpu", noon+20*minute, r)
	if got := ids(v, AnomalyFilter{}); got != "f09 f08 f07" {
		t.Errorf("%q", got)
	}
	// One that is older and open is worth more than one that ended.
	old := withFindings(result("b", noon+21*minute, nil), finding("old", series.TypeDrop, noon-hour, 0))
	write(t, v, "cpu", noon+21*minute, r, old)
	if got := ids(v, AnomalyFilter{}); got != "f09 f08 old" {
		t.Errorf("%q", got)
	}
	// More open ones than there is room for: the newest of them.
	var many []series.Result
	for i := range 50 {
		many = append(many, withFindings(result(id(i), noon+22*minute, nil), finding("open"+id(i), series.TypeDrop, noon+int64(i), 0)))
	}
	write(t, v, "cpu", noon+22*minute, many...)
	if got := ids(v, AnomalyFilter{}); got != "openf49 openf48 openf47" {
		t.Errorf("%q", got)
	}
}

// TestKeepPredictions: of each model type the newest superseded ones stay on
// record.
func TestKeepPredictions(t *testing.T) {
	v := one(4)
	v.signals["spend"] = configured("spend", "cost", "USD")
	write(t, v, "spend", noon, result("a", noon, forecast(1, 0.5)))
	write(t, v, "spend", noon+minute, result("a", noon+minute, forecast(2, 0.5)))
	for i := range int64(20) {
		slot := noon + i*minute
		write(t, v, "cpu", slot, result("a", slot, forecast(float64(i), 0.5)), result("b", slot, forecast(float64(100+i), 0.5)))
	}
	page, total := v.Predictions(PredictionFilter{ModelType: ResourcePrediction, Past: true})
	if total != 4 || *page[0].Value != 118+24 || *page[3].Value != 18+1 {
		t.Errorf("%d on record, from %v to %v", total, *page[0].Value, *page[3].Value)
	}
	if _, total := v.Predictions(PredictionFilter{ModelType: CostOptimization, Past: true}); total != 2 {
		t.Errorf("%d costs on record: other types must not push them out", total)
	}
	if n := len(v.past[ResourcePrediction]); n > 8 {
		t.Errorf("%d held, want at most twice what is kept", n)
	}
	// A fit of more series than there is room for makes no more objects than stay.
	var many []series.Result
	for i := range 100 {
		many = append(many, result(fmt.Sprint(i), noon+hour, forecast(float64(i), 0.5)))
	}
	write(t, v, "cpu", noon+hour, many...)
	var again []series.Result
	for i := range many {
		again = append(again, result(fmt.Sprint(i), noon+2*hour, forecast(float64(i), 0.5)))
	}
	write(t, v, "cpu", noon+2*hour, again...)
	if page, total := v.Predictions(PredictionFilter{ModelType: ResourcePrediction, Past: true}); total != 4 || page[0].Labels["pod"] != "99" {
		t.Errorf("%d on record, newest %v", total, page[0].Labels)
	}
	v.Drop("cpu")
	if _, total := v.Predictions(PredictionFilter{Past: true}); total != 2 {
		t.Errorf("%d on record after cpu was removed, want the 2 of spend", total)
	}
}

// TestReload: a signal that means something else now starts afresh, whatever
// changed its meaning; one that does not goes on.
func TestReload(t *testing.T) {
	f := func(name string, change func(*Signal), fresh bool) {
		t.Helper()
		v := one(0)
		v.signals["spend"] = configured("spend", "cost", "USD")
		write(t, v, "spend", noon, result("a", noon, forecast(7, 0.5)))
		write(t, v, "spend", noon+minute, result("a", noon+minute, forecast(8, 0.5)))
		past := finding("f0", series.TypeSpike, noon-hour, noon-minute)
		for i := range int64(2) {
			slot := noon + i*minute
			r := withFindings(result("a", slot, forecast(float64(i), 0.5)), finding("f", series.TypeSpike, noon, 0))
			r.Past = []series.Finding{past}
			write(t, v, "cpu", slot, r)
		}
		count := func(signal string) (n [3]int) {
			for i, f := range []PredictionFilter{{}, {ModelType: AnomalyDetection}, {Past: true}} {
				f.Signal = signal
				_, n[i] = v.Predictions(f)
			}
			return n
		}
		if got := count("cpu"); got != [3]int{2, 1, 2} {
			t.Fatalf("%s: %v before the reload", name, got)
		}
		s := configured("cpu", "resource", "cores")
		change(&s)
		v.SetSignals(map[string]Signal{"cpu": s, "spend": configured("spend", "cost", "USD")})
		want, values := [3]int{2, 1, 2}, 3
		if fresh {
			want, values = [3]int{}, 1
		}
		if got := count("cpu"); got != want {
			t.Errorf("%s: %v predictions, scores and past ones after the reload, want %v", name, got, want)
		}
		if got := count("spend"); got != [3]int{2, 1, 2} {
			t.Errorf("%s: of another signal %v", name, got)
		}
		// What happened is said as it was, without values of now.
		for _, a := range must(v.Anomalies(AnomalyFilter{Signal: "cpu"})) {
			if a.Unit != "cores" || a.Family != "resource_spike" || !strings.Contains(a.Summary, "30 cores") || fresh && a.Path != nil {
				t.Errorf("%s: a finding of before says %q, path %v", name, a.Summary, a.Path)
			}
		}
		v.Expire("cpu")
		if a := must(v.Anomalies(AnomalyFilter{State: Open})); len(a) != 1 || !a[0].Stale {
			t.Errorf("%s: without data the open finding is not stale: %+v", name, a)
		}
		write(t, v, "cpu", noon+2*minute, withFindings(result("a", noon+2*minute, nil), finding("f", series.TypeSpike, noon, 0)))
		if page := must(v.Predictions(PredictionFilter{ModelType: AnomalyDetection, Signal: "cpu"})); len(page[0].Path) != values {
			t.Errorf("%s: %d values, want %d", name, len(page[0].Path), values)
		}
		if a := must(v.Anomalies(AnomalyFilter{State: Open})); a[0].Unit != s.Unit || len(a[0].Path) != values {
			t.Errorf("%s: the finding that goes on has the unit %s and %d values", name, a[0].Unit, len(a[0].Path))
		}
		if a := must(v.Anomalies(AnomalyFilter{State: Ended})); fresh && (a[0].Unit != "cores" || a[0].Path != nil) {
			t.Errorf("%s: the ended finding has the unit %s and the values %v", name, a[0].Unit, a[0].Path)
		}
	}
	f("query", func(s *Signal) { s.Query = "sum(other)" }, true)
	f("unit", func(s *Signal) { s.Unit = "ratio" }, true)
	f("type", func(s *Signal) { s.Type = "cost" }, true)
	f("server", func(s *Signal) { s.PrometheusURL = "http://elsewhere:9090" }, true)
	f("tenant", func(s *Signal) { s.Scope = "elsewhere" }, true)
	f("nothing", func(*Signal) {}, false)
	f("budget", func(s *Signal) {
		s.Budget, s.RunbookURL, s.Horizons = "1/day", "http://runbook", []time.Duration{time.Hour}
	}, false)
}

// must drops the total.
func must[T any](page []T, _ int) []T { return page }

// TestMemoryUnderChurn: series that come and go, each with a finding and a fit,
// leave nothing behind but what is bounded.
func TestMemoryUnderChurn(t *testing.T) {
	v := one(100)
	round := func(n int64) {
		slot := noon + n*minute
		rs := make([]series.Result, 200)
		for i := range rs {
			pod := fmt.Sprintf("pod-%d-%d", n, i)
			rs[i] = withFindings(result(pod, slot, forecast(1, 0.5)), finding("f"+pod, series.TypeSpike, slot, 0))
		}
		write(t, v, "cpu", slot, rs...)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for i := range int64(10) {
		round(i)
	}
	before := heap()
	for i := range int64(200) {
		round(10 + i)
	}
	if after := heap(); after > before+before/4+1<<20 {
		t.Errorf("%d bytes after 10 rounds, %d after 210", before, after)
	}
	if n := len(v.findings); n != 100 {
		t.Errorf("%d findings, want 100", n)
	}
	if n := len(v.past[ResourcePrediction]); n > 200 {
		t.Errorf("%d past predictions held, want at most 200", n)
	}
	if n := len(v.tasks["cpu"].rows); n != 200 {
		t.Errorf("%d rows, want those of the newest results", n)
	}
}

// Values follow their series when others come, go or change places.
func TestRowsFollowTheirSeries(t *testing.T) {
	v := one(0)
	slot := noon
	step := func(pods string, base float64) {
		slot += minute
		var rs []series.Result
		for pod := range strings.FieldsSeq(pods) {
			r := result(pod, slot, nil)
			r.Observed = base + float64(pod[0]-'a')*100
			rs = append(rs, r)
		}
		write(t, v, "cpu", slot, rs...)
	}
	want := func(pod string, values ...float64) {
		t.Helper()
		page, _ := v.Predictions(PredictionFilter{ModelType: AnomalyDetection, Labels: map[string]string{"pod": pod}})
		var got []float64
		for _, p := range page {
			for _, x := range p.Path {
				got = append(got, *x)
			}
		}
		if !reflect.DeepEqual(got, values) {
			t.Errorf("%s: %v, want %v", pod, got, values)
		}
	}
	step("a b", 1)
	step("a b c", 2)
	step("c a", 3)
	want("a", 1, 2, 3)
	want("c", 202, 203)
	want("b")
	step("a b c", 4)
	want("a", 1, 2, 3, 4)
	want("b", 104) // it was away
	v.Expire("cpu")
	want("a")
	step("a b c", 5)
	want("a", 1, 2, 3, 4, 5)
	slot -= minute // the slot again replaces it
	step("a b c", 6)
	want("a", 1, 2, 3, 4, 6)
	for i := range 2 * recent {
		step("a", float64(i))
	}
	page, _ := v.Predictions(PredictionFilter{ModelType: AnomalyDetection})
	if p := page[0].Path; len(p) != recent || *p[0] != recent || *p[recent-1] != 2*recent-1 {
		t.Errorf("%d values", len(p))
	}
}

// Series that differ in their metric name only are told apart.
func TestSourceNames(t *testing.T) {
	v := one(0)
	for i := range int64(2) {
		a, b := result("x", noon+i*minute, nil), result("x", noon+i*minute, nil)
		a.SourceName, b.SourceName = "up", "down"
		a.Observed, b.Observed = 1, 2
		write(t, v, "cpu", noon+i*minute, a, b)
	}
	c := result("y", noon+2*minute, nil)
	c.SourceName = "alone"
	a, b := result("x", noon+2*minute, nil), withFindings(result("x", noon+2*minute, nil), finding("f", series.TypeDrop, noon, 0))
	a.SourceName, b.SourceName = "up", "down"
	write(t, v, "cpu", noon+2*minute, a, b, c)
	page, _ := v.Predictions(PredictionFilter{ModelType: AnomalyDetection})
	if len(page) != 3 || page[2].Labels["source_name"] != "" {
		t.Errorf("a name that tells nothing apart is a label: %+v", page)
	}
	if page, total := v.Predictions(PredictionFilter{ModelType: AnomalyDetection, Labels: map[string]string{"source_name": "up"}}); total != 1 || page[0].ID == "" {
		t.Errorf("%d of that name", total)
	}
	if as, total := v.Anomalies(AnomalyFilter{Labels: map[string]string{"source_name": "down", "pod": "x"}}); total != 1 || as[0].Labels["source_name"] != "down" {
		t.Errorf("%d findings of that name", total)
	}
	page = page[:2]
	if *page[0].Path[1] != 1 || *page[1].Path[1] != 2 || page[0].ID == page[1].ID || page[1].Labels["source_name"] != "down" {
		t.Errorf("%+v", page)
	}
}

// What is not known is null, and no answer holds NaN or ±Inf.
func TestUnknownNumbers(t *testing.T) {
	v := one(0)
	r := result("a", noon, forecast(1, nan))
	r.Observed = math.Inf(1)
	r.Forecast.Point[3] = nan
	r.Horizons[0].Value, r.Horizons[0].Peak = nan, math.Inf(-1)
	r.Score.Value, r.Score.Lower = nan, nan
	r.Findings = []series.Finding{finding("f", series.TypeMissing, noon, 0)}
	r.Findings[0].Score.Observed, r.Findings[0].Score.Upper = nan, math.Inf(1)
	write(t, v, "cpu", noon, r)
	base := serve(t, v)
	for _, path := range []string{"predictions", "predictions?model_type=anomaly_detection", "anomalies", "predictions?past=true"} {
		list(t, base, "/api/v1/"+path, "id") // it is JSON
	}
	page, _ := v.Predictions(PredictionFilter{Horizon: "1h"})
	if p := page[0]; p.Value != nil || p.Peak != nil || p.Confidence != nil || p.ConfidenceLevel != "low" || p.Observed != nil {
		t.Errorf("%+v", p)
	}
	if _, total := v.Predictions(PredictionFilter{Confidence: "low"}); total != 0 {
		t.Errorf("%d with an unknown confidence pass for low", total)
	}
	if page, _ := v.Predictions(PredictionFilter{Horizon: "1d"}); page[0].Path[3] != nil || page[0].Path[4] == nil {
		t.Errorf("path %v", page[0].Path)
	}
}

// Identities follow from content: the same in every process and slot.
func TestIdentity(t *testing.T) {
	a, b := one(0), one(0)
	write(t, a, "cpu", noon, result("a", noon, forecast(1, 0.5)))
	write(t, b, "cpu", noon+hour, result("a", noon+hour, forecast(7, 0.9)), result("b", noon+hour, forecast(7, 0.9)))
	seen := map[string]bool{}
	first, _ := a.Predictions(PredictionFilter{})
	second, _ := b.Predictions(PredictionFilter{})
	for i, p := range second {
		if seen[p.ID] || len(p.ID) != 16 {
			t.Errorf("id %q of %s %s", p.ID, p.Labels, p.Horizon)
		}
		seen[p.ID] = true
		if i < len(first) && first[i].ID != p.ID {
			t.Errorf("id %q and %q of %s", first[i].ID, p.ID, p.Horizon)
		}
	}
}

// A path has no more steps than a sparkline columns, each their mean.
func TestPath(t *testing.T) {
	f := &series.Forecast{Band: series.Band{Start: noon, Step: hour}}
	for i := range 192 {
		f.Point = append(f.Point, float64(i))
	}
	got := path(f, noon, 191*time.Hour)
	if len(got) != pathSteps || got[0] != 3.5 || got[23] != 187.5 { // means of 0 … 7 and 184 … 191
		t.Errorf("%v", got)
	}
	if got := path(f, noon+400*hour, time.Hour); len(got) != 0 {
		t.Errorf("beyond the forecast: %v", got)
	}
	if got := path(f, noon-2*hour, time.Hour); len(got) != 0 && got[0] != 0 {
		t.Errorf("before it: %v", got)
	}
	if got := path(&series.Forecast{}, noon, time.Hour); got != nil {
		t.Errorf("without a grid: %v", got)
	}
}

func TestDefaults(t *testing.T) {
	v := New(Options{})
	if v.o.Keep != 1000 || len(v.Signals("")) != 0 {
		t.Errorf("keep %d", v.o.Keep)
	}
	v.Expire("nothing")
	v.Drop("nothing")
	write(t, v, "unknown", noon, result("a", noon, forecast(1, 1)))
	if _, total := v.Predictions(PredictionFilter{}); total != 0 {
		t.Errorf("%d predictions of a task that is not configured", total)
	}
	if got := ConfidenceLevels(); len(got) != 4 || got[0] != "low" {
		t.Errorf("levels %v", got)
	}
}

// TestConcurrent is for the race detector: writers, readers and a reload.
func TestConcurrent(t *testing.T) {
	v := New(Options{Keep: 50, Status: func() []pipeline.Status { return []pipeline.Status{{Name: "a"}, {Name: "b"}} }})
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		wg.Go(func() {
			for i := range int64(60) {
				slot := noon + i*minute
				var rs []series.Result
				for j := range 20 + int(i%3) {
					pod := fmt.Sprint(j)
					r := withFindings(result(pod, slot, forecast(1, 0.5)), finding(name+pod, series.TypeSpike, noon, 0))
					r.Labels = labels.FromStrings("pod", pod)
					rs = append(rs, r)
				}
				write(t, v, name, slot, rs...)
				switch i % 20 {
				case 18:
					v.Expire(name)
				case 19:
					v.Drop(name)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for i := range 60 {
				unit := []string{"", "s"}[i%2]
				v.SetSignals(map[string]Signal{"a": configured("a", "resource", unit), "b": configured("b", "cost", "")})
				v.Signals("")
				v.Predictions(PredictionFilter{})
				v.Predictions(PredictionFilter{ModelType: AnomalyDetection})
				v.Predictions(PredictionFilter{Past: true})
				v.Anomalies(AnomalyFilter{})
			}
		})
	}
	wg.Wait()
}
