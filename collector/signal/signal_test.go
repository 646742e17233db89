package signal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/detect"
	"github.com/upid/upid/forecast"
	"github.com/upid/upid/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// epoch is a Monday midnight on every grid used here.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()

func options() Options {
	auto, err := forecast.New("auto", nil)
	if err != nil {
		panic(err)
	}
	budget, err := rules.ParseBudget("1/week")
	if err != nil {
		panic(err)
	}
	return Options{
		Name: "checkout", Type: "resource", Step: 5 * time.Minute, FitEvery: 6 * time.Hour,
		Forecast: &Forecast{Model: auto, Horizons: []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}, Level: 0.9},
		Detect: &Detect{
			Options: detect.Options{Step: 5 * time.Minute, Budget: budget.PerWeek()},
			Rule:    rules.Default(5*time.Minute, "warning"), Budget: budget,
		},
	}
}

func newUnit(t *testing.T, o Options) *Unit {
	t.Helper()
	u, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// daily is a noisy daily wave around 100, a function of time alone.
func daily(t int64) float64 {
	r := rand.New(rand.NewPCG(uint64(t), 1))
	return 100 + 30*math.Sin(2*math.Pi*float64(t%day)/float64(day)) + 3*r.NormFloat64()
}

// world answers range queries from functions of time by pod.
type world struct {
	step int64
	pods []pod
}

type pod struct {
	labels labels.Labels
	value  func(t int64) float64 // NaN = absent
}

func (w world) input(start, end int64) pipeline.Input {
	in := pipeline.Input{Start: start, End: end, Series: series.Set{}}
	var d series.Data
	for _, p := range w.pods {
		s := series.Series{Labels: p.labels, Start: start, Step: w.step}
		seen := false
		for t := start; t <= end; t += w.step {
			v := p.value(t)
			seen = seen || !math.IsNaN(v)
			s.Values = append(s.Values, v)
		}
		if seen { // as Prometheus: what has no sample is not in the answer
			d.Series = append(d.Series, s)
		}
	}
	in.Series[Input] = d
	return in
}

func single(value func(int64) float64) world {
	return world{step: 5 * minute, pods: []pod{{labels.FromStrings("__name__", "cpu", "job", "shop"), value}}}
}

func fit(t *testing.T, u *Unit, w world, end int64) {
	t.Helper()
	commit, err := u.Fit(context.Background(), end, w.input(end-28*day+w.step, end))
	if err != nil {
		t.Fatal(err)
	}
	commit()
}

func step(t *testing.T, u *Unit, w world, end int64) []series.Result {
	t.Helper()
	rs, err := u.Step(context.Background(), end, w.input(u.Position()+w.step, end))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestForecastAndScore(t *testing.T) {
	u, w := newUnit(t, options()), single(daily)
	f := epoch + 30*day
	fit(t, u, w, f)
	if u.Position() != f {
		t.Fatalf("position %d, want the end of the data %d", u.Position(), f)
	}
	now := f + 3*hour
	rs := step(t, u, w, now)
	if len(rs) != 1 {
		t.Fatalf("%d results", len(rs))
	}
	r := rs[0]
	if r.SourceName != "cpu" || r.Labels.Has("__name__") || r.Labels.Get("job") != "shop" || r.Time != now || r.Observed != daily(now) {
		t.Errorf("result %+v", r)
	}
	if len(r.Horizons) != 4 {
		t.Fatalf("%d horizons", len(r.Horizons))
	}
	for _, h := range r.Horizons {
		// The wave has amplitude 30 and noise 3: an hourly mean within 6 is no luck.
		want := 100 + 30*math.Sin(2*math.Pi*float64((now+h.Horizon.Milliseconds())%day)/float64(day))
		if math.Abs(h.Value-want) > 6 {
			t.Errorf("in %v: %.1f, want about %.1f", h.Horizon, h.Value, want)
		}
		if !(h.Lower <= h.Value && h.Value <= h.Upper && h.Peak >= h.Value) {
			t.Errorf("in %v: %+v out of order", h.Horizon, h)
		}
	}
	if r.Forecast == nil || r.Forecast.Model != "auto" || !(r.Forecast.Confidence > 0.5) {
		t.Errorf("forecast %+v", r.Forecast)
	}
	if r.Score == nil || !(r.Score.Value < 1) || !(r.Score.Lower < r.Observed && r.Observed < r.Score.Upper) || len(r.Findings) != 0 {
		t.Errorf("score %+v findings %v", r.Score, r.Findings)
	}
	if r.BudgetSpent != 0 {
		t.Errorf("budget spent %v, want 0", r.BudgetSpent)
	}
}

// The unit's calendar reaches its forecasts: the day after next is like the quiet Sundays.
func TestForecastKnowsHolidays(t *testing.T) {
	o := options()
	dates, err := forecast.ParseDates("2026-04-02") // a Thursday, epoch + 31 d
	if err != nil {
		t.Fatal(err)
	}
	o.Events = []forecast.Event{{Name: "day off", Kind: forecast.Holiday, Dates: []forecast.Dates{dates}}}
	o.Forecast.Horizons = []time.Duration{36 * time.Hour, 60 * time.Hour}
	shop := func(t int64) float64 {
		if time.UnixMilli(t).UTC().Weekday() == time.Sunday {
			return daily(t) / 4
		}
		return daily(t)
	}
	u, w := newUnit(t, o), single(shop)
	f := epoch + 30*day
	fit(t, u, w, f)
	rs := step(t, u, w, f+int64(5*time.Minute/time.Millisecond))
	if len(rs) != 1 || len(rs[0].Horizons) != 2 {
		t.Fatalf("%+v", rs)
	}
	// At noon the wave is at its mean, 100.
	off, ordinary := rs[0].Horizons[0], rs[0].Horizons[1]
	if math.Abs(off.Value-25) > 4 || math.Abs(ordinary.Value-100) > 8 {
		t.Errorf("day off %+v, the day after %+v", off, ordinary)
	}
}

// incident is the daily wave with 200 more between from and to.
func incident(from, to int64) func(int64) float64 {
	return func(t int64) float64 {
		v := daily(t)
		if t >= from && t < to {
			v += 200
		}
		return v
	}
}

func TestFindingLives(t *testing.T) {
	u := newUnit(t, options())
	f := epoch + 30*day
	begin, end := f+2*hour, f+4*hour
	w := single(incident(begin, end))
	fit(t, u, w, f)
	if rs := step(t, u, w, begin-w.step); len(rs[0].Findings) != 0 {
		t.Fatalf("found before the incident: %+v", rs[0].Findings)
	}
	rs := step(t, u, w, begin+2*w.step)
	if len(rs[0].Findings) != 1 {
		t.Fatalf("after three points: score %+v", rs[0].Score)
	}
	first := rs[0].Findings[0]
	if !first.Open() || first.Start != begin || first.Type != series.TypeSpike || first.Family != "resource_spike" || first.ID == "" {
		t.Errorf("finding %+v, want an open spike since %d", first, begin)
	}
	// A finding that goes on while the series is missing is neither confirmed nor resolved.
	gone := single(func(t int64) float64 { return math.NaN() })
	rs, err := u.Step(context.Background(), 0, gone.input(u.Position()+w.step, u.Position()+w.step))
	if err != nil || len(rs[0].Findings) != 1 || !rs[0].Findings[0].Stale || !rs[0].Findings[0].Open() {
		t.Errorf("while missing: %+v %v", rs[0].Findings, err)
	}
	if rs[0].Forecast != nil || !math.IsNaN(rs[0].Observed) {
		t.Error("a missing series keeps its forecast")
	}
	open := step(t, u, w, end-w.step)[0].Findings
	if len(open) != 1 || open[0].ID != first.ID || open[0].Start != first.Start {
		t.Fatalf("during the incident: %+v", open)
	}
	resolved := int64(0)
	for now := end; now < end+2*hour; now += w.step {
		for _, x := range step(t, u, w, now)[0].Findings {
			if x.ID == first.ID && !x.Open() && resolved == 0 {
				resolved = x.End
			}
		}
	}
	// Two hours have moved the expectation; it takes some points to come back, and
	// half an hour of calm ends the finding.
	if resolved < end || resolved > end+90*minute {
		t.Errorf("resolved at %d, the incident ended at %d", resolved, end)
	}
	if rs := step(t, u, w, end+3*hour); len(rs[0].Findings) != 0 || rs[0].BudgetSpent != 1 {
		t.Errorf("later: %+v, budget spent %v, want 1", rs[0].Findings, rs[0].BudgetSpent)
	}
}

// TestRestartChangesNothing compares a unit that saw every point on its own with
// one that started later from the same fit slot and caught up in one pass.
func TestRestartChangesNothing(t *testing.T) {
	f := epoch + 30*day
	w := single(incident(f+2*hour, f+3*hour))
	a, b := newUnit(t, options()), newUnit(t, options())
	fit(t, a, w, f)
	var last []series.Result
	now := f + w.step
	for ; now <= f+2*hour+20*minute; now += w.step {
		last = step(t, a, w, now)
	}
	fit(t, b, w, f)
	caught := step(t, b, w, now-w.step)
	for i := range last {
		last[i].Slot, caught[i].Slot = 0, 0
	}
	if len(last[0].Findings) != 1 {
		t.Fatalf("no finding to compare: %+v", last[0].Score)
	}
	if x, y := fmt.Sprintf("%+v", summary(last)), fmt.Sprintf("%+v", summary(caught)); x != y {
		t.Errorf("running   %s\nrestarted %s", x, y)
	}
	if !reflect.DeepEqual(last[0].Forecast.Point, caught[0].Forecast.Point) {
		t.Error("forecasts differ")
	}
}

func summary(rs []series.Result) (out []any) {
	for _, r := range rs {
		out = append(out, r.Labels, r.Time, r.Observed, *r.Score, r.Findings, r.Horizons, r.BudgetSpent)
	}
	return out
}

func TestPodsComeAndGo(t *testing.T) {
	pods := func(names ...string) (out []pod) {
		for i, n := range names {
			start, stop := epoch+int64(i)*5*day, epoch+int64(i+1)*5*day
			out = append(out, pod{labels.FromStrings("pod", n, "namespace", "shop"), func(t int64) float64 {
				if t < start || t >= stop {
					return math.NaN()
				}
				return daily(t)
			}})
		}
		return out
	}
	w := world{step: 5 * minute, pods: pods("web-1", "web-2", "web-3", "web-4", "web-5", "web-6")}
	u := newUnit(t, options())
	fit(t, u, w, epoch+19*day)
	missing := 0
	for now := epoch + 19*day + w.step; now <= epoch+25*day+12*hour; now += w.step {
		for _, r := range step(t, u, w, now) {
			for _, f := range r.Findings {
				if f.Type == series.TypeMissing {
					missing++
				}
			}
		}
	}
	if missing != 0 {
		t.Errorf("%d results call a replaced pod missing", missing)
	}
	if n := len(u.order); n != 2 { // web-5 ended half a day ago, web-6 runs
		t.Errorf("%d series remembered", n)
	}
}

func TestMissingSeriesIsFoundAndForgotten(t *testing.T) {
	f := epoch + 30*day
	w := single(func(t int64) float64 {
		if t >= f+hour {
			return math.NaN()
		}
		return daily(t)
	})
	u := newUnit(t, options())
	fit(t, u, w, f)
	rs := step(t, u, w, f+2*hour)
	if len(rs) != 1 || len(rs[0].Findings) != 1 || rs[0].Findings[0].Type != series.TypeMissing || rs[0].Findings[0].Family != "system_failure" {
		t.Fatalf("an hour without data: %+v", rs)
	}
	if rs := step(t, u, w, f+2*day); len(rs) != 0 {
		t.Errorf("a series absent for two days still has results: %+v", rs)
	}
	if _, err := u.Fit(context.Background(), 0, w.input(f+3*day, f+17*day)); !errors.Is(err, ErrNoData) {
		t.Errorf("fit without data: %v", err)
	}
}

func TestYoungSeries(t *testing.T) {
	f := epoch + 30*day
	w := single(func(t int64) float64 {
		if t < f-2*hour {
			return math.NaN()
		}
		return daily(t)
	})
	w.pods = append(w.pods, pod{labels.FromStrings("job", "new"), func(t int64) float64 {
		if t < f+hour {
			return math.NaN()
		}
		return 7
	}})
	u := newUnit(t, options())
	fit(t, u, w, f)
	rs := step(t, u, w, f+2*hour)
	if len(rs) != 2 {
		t.Fatalf("%d results, want the new series too", len(rs))
	}
	for _, r := range rs {
		if r.Forecast != nil || r.Horizons != nil {
			t.Errorf("%v: a forecast from two hours: %+v", r.Labels, r.Horizons)
		}
		if !math.IsNaN(r.Score.Value) {
			t.Errorf("%v: a score during warm-up: %v", r.Labels, r.Score.Value)
		}
	}
	if w := rs[1].Warnings; len(w) != 1 || !strings.Contains(w[0].Error(), "no forecast yet") {
		t.Errorf("warnings %v", w)
	}
}

func TestScoreOnlyAndForecastOnly(t *testing.T) {
	f := epoch + 30*day
	w := single(daily)
	scoreOnly := options()
	scoreOnly.Forecast = nil
	forecastOnly := options()
	forecastOnly.Detect = nil
	a, b := newUnit(t, scoreOnly), newUnit(t, forecastOnly)
	fit(t, a, w, f)
	fit(t, b, w, f)
	if r := step(t, a, w, f+hour)[0]; r.Score == nil || r.Forecast != nil {
		t.Errorf("score only: %+v", r)
	}
	if r := step(t, b, w, f+hour)[0]; r.Score != nil || r.Findings != nil || r.Forecast == nil || !math.IsNaN(r.BudgetSpent) {
		t.Errorf("forecast only: %+v", r)
	}
	// Nothing new: the same is said again.
	if rs, err := b.Step(context.Background(), 0, w.input(f+2*hour, f+hour)); err != nil || len(rs) != 1 || rs[0].Time != f+hour {
		t.Errorf("nothing new: %+v, %v", rs, err)
	}
}

func TestBudgetCountsGroups(t *testing.T) {
	f := epoch + 30*day
	bad := incident(f+2*hour, f+3*hour)
	w := world{step: 5 * minute}
	for _, name := range []string{"0", "1", "2", "3"} {
		w.pods = append(w.pods, pod{labels.FromStrings("pod", "web-"+name, "namespace", "shop"), bad})
	}
	w.pods = append(w.pods, pod{labels.FromStrings("job", "batch"), bad})
	u := newUnit(t, options())
	fit(t, u, w, f)
	total := 0.0
	for _, r := range step(t, u, w, f+3*hour) {
		total += r.BudgetSpent
	}
	if math.Abs(total-2) > 1e-9 {
		t.Errorf("spent %v, want 2: four pods of one workload are one alert, another workload a second", total)
	}
}

func TestInfinityIsMissing(t *testing.T) {
	f := epoch + 30*day
	w := single(daily)
	u := newUnit(t, options())
	fit(t, u, w, f)
	inf := single(func(int64) float64 { return math.Inf(1) })
	if r := step(t, u, inf, f+w.step)[0]; !math.IsNaN(r.Observed) || r.Forecast != nil {
		t.Errorf("+Inf: %+v", r)
	}
}

func TestCancelled(t *testing.T) {
	u, w := newUnit(t, options()), single(daily)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := u.Fit(ctx, 0, w.input(epoch, epoch+day)); !errors.Is(err, context.Canceled) {
		t.Errorf("fit: %v", err)
	}
	fit(t, u, w, epoch+30*day)
	if _, err := u.Step(ctx, 0, w.input(u.Position()+w.step, u.Position()+hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("step: %v", err)
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	defer func() {
		if r := recover(); r != "broke" {
			t.Errorf("recovered %v", r)
		}
	}()
	_ = parallel(context.Background(), 10, 4, func(_, i int) {
		if i == 5 {
			panic("broke")
		}
	})
	t.Error("no panic")
}

func TestNewRefuses(t *testing.T) {
	f := func(want string, change func(*Options)) {
		t.Helper()
		o := options()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("step", func(o *Options) { o.Step = 0 })
	f("neither", func(o *Options) { o.Forecast, o.Detect = nil, nil })
	f("a model and a horizon", func(o *Options) { o.Forecast.Horizons = nil })
	f("budget", func(o *Options) { o.Detect.Options.Budget = 0 })
}

func TestWorkloadKey(t *testing.T) {
	f := func(same bool, a, b labels.Labels) {
		t.Helper()
		if got := workloadKey(a) == workloadKey(b); got != same {
			t.Errorf("%v and %v: same workload %v, want %v", a, b, got, same)
		}
	}
	f(true, labels.FromStrings("pod", "web-1", "namespace", "shop", "instance", "10.0.0.1:80"), labels.FromStrings("pod", "web-2", "namespace", "shop", "instance", "10.0.0.2:80"))
	f(false, labels.FromStrings("pod", "web-1", "namespace", "shop"), labels.FromStrings("pod", "web-1", "namespace", "other"))
	f(false, labels.FromStrings("instance", "a"), labels.FromStrings("instance", "b"))
}

func BenchmarkStep(b *testing.B) {
	w := world{step: 5 * minute}
	for i := range 1000 {
		w.pods = append(w.pods, pod{labels.FromStrings("job", fmt.Sprint(i)), daily})
	}
	o := options()
	o.Forecast = nil
	u, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	f := epoch + day
	commit, err := u.Fit(context.Background(), 0, w.input(epoch, f))
	if err != nil {
		b.Fatal(err)
	}
	commit()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		in := w.input(u.Position()+w.step, u.Position()+w.step)
		b.StartTimer()
		if _, err := u.Step(context.Background(), 0, in); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCoarsen(t *testing.T) {
	f := func(want, step, longest, history time.Duration) {
		t.Helper()
		if got := coarsen(step, longest, history); got != want {
			t.Errorf("step %v, longest horizon %v, history %v: %v, want %v", step, longest, history, got, want)
		}
	}
	const week = 7 * 24 * time.Hour
	f(time.Hour, time.Minute, week, 4*week)
	f(time.Hour, 5*time.Minute, 24*time.Hour, 4*week)
	f(5*time.Minute, time.Minute, time.Hour, 4*week)
	f(30*time.Second, 5*time.Second, time.Hour, 3*time.Hour)
	f(time.Minute, time.Minute, time.Hour, 3*time.Hour)
	f(2*time.Hour, 2*time.Hour, week, 4*week)
	f(24*time.Hour, 24*time.Hour, week, 4*week)
	f(7*time.Minute, 7*time.Minute, week, 4*week) // nothing on the list is a multiple
}
