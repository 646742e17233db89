package signal

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

func named(t *testing.T, name string) forecast.Forecaster {
	t.Helper()
	m, err := forecast.New(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// advance steps u from one fit to the next, every six hours, until to, and returns the
// newest results.
func advance(t *testing.T, u *Unit, w world, from, to int64) (rs []series.Result) {
	t.Helper()
	for f := from; f < to; f += 6 * hour {
		fit(t, u, w, f)
		step(t, u, w, f+5*minute) // publishes it
		for at := f + 30*minute; at <= f+6*hour; at += 30 * minute {
			rs = step(t, u, w, at)
		}
	}
	return rs
}

func judged(t *testing.T, l *series.Live, stage string, h time.Duration) series.Judged {
	t.Helper()
	for _, j := range l.Judged {
		if j.Stage == stage && j.Horizon == h {
			return j
		}
	}
	t.Fatalf("nothing judged %v ahead, %s: %+v", h, stage, l.Judged)
	return series.Judged{}
}

// TestForecastsAreJudged: what was published is compared with what came, and with
// naive, however often the points are seen.
func TestForecastsAreJudged(t *testing.T) {
	o := options()
	o.Detect = nil
	o.Forecast.Model = named(t, "hour_of_day_median")
	o.Forecast.Fallback = named(t, "seasonal_naive")
	o.Forecast.Horizons = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
	u := newUnit(t, o)
	var w world
	w.step = 5 * minute
	for i := range 4 {
		w.pods = append(w.pods, pod{labels.FromStrings("job", fmt.Sprint(i)), func(t int64) float64 { return 100*float64(i+1) + daily(t+int64(i)*hour) }})
	}
	f := epoch + 30*day
	if rs := advance(t, u, w, f, f+hour); len(rs) != 4 || rs[0].Live == nil || rs[0].Live != rs[3].Live || rs[0].Live.Demoted != "" {
		t.Fatalf("at first: %+v", rs)
	}
	l := advance(t, u, w, f+6*hour, f+12*day)[0].Live
	// One an hour ahead from each fit, the first of them included; of those a day ahead
	// as many, of those a week ahead one in 42 hours, all for four series.
	for _, c := range []struct {
		h     time.Duration
		least int
	}{{time.Hour, 4 * 47}, {24 * time.Hour, 4 * 43}, {7 * 24 * time.Hour, 4 * 3}} {
		j := judged(t, l, series.StageActive, c.h)
		if j.Forecasts < c.least || j.Forecasts > 4*48 {
			t.Errorf("%v: %d judged, want at least %d", c.h, j.Forecasts, c.least)
		}
		if !(j.Skill > 0 && j.Skill < 0.4) || !(j.MASE > 0.2 && j.MASE < 1) || !(j.Coverage >= 0.75 && j.Coverage <= 1) {
			t.Errorf("%v: %+v", c.h, j)
		}
	}
	if l.Demoted != "" || u.live.shadow.tallies != nil && u.live.shadow.tallies[0].Judged > 0 {
		t.Errorf("a good model was demoted: %+v", l)
	}

	// A fit takes the position back: points that are seen again are not judged again.
	before := judged(t, l, series.StageActive, time.Hour).Forecasts
	fit(t, u, w, f+11*day)
	if again := judged(t, step(t, u, w, f+12*day)[0].Live, series.StageActive, time.Hour).Forecasts; again != before {
		t.Errorf("%d judged, %d before the same points came again", again, before)
	}

	same := newUnit(t, o)
	if err := same.Restore(bytes.NewReader(snapshot(t, u))); err != nil {
		t.Fatal(err)
	}
	sameResults(t, advance(t, same, w, f+12*day, f+13*day), advance(t, u, w, f+12*day, f+13*day))
}

// TestReplayIsNotJudged: a fit of hours ago, as the first one is, published nothing
// then, though points that came since are taken in after it.
func TestReplayIsNotJudged(t *testing.T) {
	o := options()
	o.Detect = nil
	o.Forecast.Model = named(t, "hour_of_day_median")
	o.Forecast.Horizons = []time.Duration{time.Hour}
	u, w := newUnit(t, o), single(daily)
	f := epoch + 30*day
	fit(t, u, w, f)
	in := func(end int64) pipeline.Input { return w.input(u.Position()+w.step, end) }
	for _, end := range []int64{f + hour, f + 3*hour} { // two pieces of one slot
		rs, err := u.Step(context.Background(), f+3*hour, in(end))
		if err != nil || len(rs[0].Live.Judged) != 0 {
			t.Fatalf("%v, %+v", err, rs[0].Live)
		}
	}
	if l := step(t, u, w, f+5*hour)[0].Live; len(l.Judged) != 0 {
		t.Errorf("%+v", l.Judged)
	}
	// A fit in time is judged.
	fit(t, u, w, f+6*hour)
	step(t, u, w, f+6*hour+5*minute)
	if j := judged(t, step(t, u, w, f+8*hour)[0].Live, series.StageActive, time.Hour); j.Forecasts != 1 {
		t.Errorf("%+v", j)
	}
}

// TestGapsAreNotJudged: nothing is known where half of the points are missing.
func TestGapsAreNotJudged(t *testing.T) {
	o := options()
	o.Detect = nil
	o.Forecast.Model = named(t, "hour_of_day_median")
	o.Forecast.Horizons = []time.Duration{time.Hour}
	u := newUnit(t, o)
	f := epoch + 30*day
	w := single(func(at int64) float64 {
		if at >= f && at%hour > 20*minute {
			return math.NaN()
		}
		return daily(at)
	})
	if l := advance(t, u, w, f, f+2*day)[0].Live; len(l.Judged) != 0 {
		t.Errorf("%+v", l.Judged)
	}
	// One value from the other end of the day is no season to be judged by.
	constant := newUnit(t, o)
	if l := advance(t, constant, single(func(int64) float64 { return 5 }), f, f+2*day)[0].Live; len(l.Judged) != 0 {
		t.Errorf("of a constant series: %+v", l.Judged)
	}
}

// breakable forecasts as its model does, or a value that is far off.
type breakable struct {
	forecast.Forecaster
	broken *atomic.Bool
}

func (b breakable) Forecast(dst *series.Forecast, y series.Series, c forecast.Calendar, s *forecast.Scratch) error {
	err := b.Forecaster.Forecast(dst, y, c, s)
	if err == nil && b.broken.Load() {
		for i := range dst.Point {
			dst.Point[i] += 60
			dst.Lower[i] += 60
			dst.Upper[i] += 60
		}
	}
	return err
}

// TestBrokenModelIsDemoted: after at most 20 judged forecasts naive takes over, the
// broken model is judged in its shadow and comes back once it is better.
func TestBrokenModelIsDemoted(t *testing.T) {
	o := options()
	o.Detect = nil
	var broken atomic.Bool
	broken.Store(true)
	o.Forecast.Model = breakable{named(t, "hour_of_day_median"), &broken}
	o.Forecast.Fallback = named(t, "seasonal_naive")
	o.Forecast.Horizons = []time.Duration{time.Hour, 24 * time.Hour}
	u, w := newUnit(t, o), single(daily)
	at := epoch + 30*day
	var r series.Result
	for range 12 * 4 {
		if r = advance(t, u, w, at, at+hour)[0]; r.Live.Demoted != "" {
			break
		}
		at += 6 * hour
	}
	n := 0
	for _, j := range r.Live.Judged {
		n += j.Forecasts
	}
	if r.Live.Demoted == "" || n > 20 || !strings.Contains(r.Live.Demoted, "worse than the seasonal naive forecast: skill -") || r.Live.Since == 0 {
		t.Fatalf("after %d judged forecasts: %+v", n, r.Live)
	}
	if r.Forecast.Model != "hour_of_day_median" {
		t.Errorf("model %s before the next fit", r.Forecast.Model)
	}
	at += 6 * hour
	if r = advance(t, u, w, at, at+hour)[0]; r.Forecast.Model != "seasonal_naive" {
		t.Errorf("model %s after it was demoted", r.Forecast.Model)
	}
	// A restart does not bring it back.
	same := newUnit(t, o)
	if err := same.Restore(bytes.NewReader(snapshot(t, u))); err != nil {
		t.Fatal(err)
	}
	if l := step(t, same, w, u.Position()+5*minute)[0].Live; l.Demoted == "" {
		t.Error("a restart took the demotion back")
	}

	at += 6 * hour
	r = advance(t, u, w, at, at+3*day)[0]
	if j := judged(t, r.Live, series.StageShadow, time.Hour); r.Live.Demoted == "" || !(j.Skill < -0.5) {
		t.Errorf("still broken: %+v", r.Live)
	}
	if j := judged(t, r.Live, series.StageActive, time.Hour); math.Abs(j.Skill) > 1e-3 {
		t.Errorf("naive against itself: %+v", j)
	}
	broken.Store(false)
	at += 3 * day
	r = advance(t, u, w, at, at+40*day)[0]
	if r.Live.Demoted != "" || r.Forecast.Model != "hour_of_day_median" {
		t.Errorf("mended 40 days ago: %s, %+v", r.Forecast.Model, r.Live)
	}
}
