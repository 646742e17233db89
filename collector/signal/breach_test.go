package signal

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// hours returns an hourly forecast from epoch on whose interval of 0.9 is half wide to each side.
func hours(half float64, points ...float64) *series.Forecast {
	f := &series.Forecast{Band: series.Band{Start: epoch, Step: hour, Level: 0.9, Point: points}, Confidence: 0.7}
	for _, p := range points {
		f.Lower, f.Upper = append(f.Lower, p-half), append(f.Upper, p+half)
	}
	return f
}

func TestOutlook(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name                         string
		f                            *series.Forecast
		t                            int64
		within                       time.Duration
		sign                         float64
		known, beyond, certain, near bool
		at                           int64 // hour of the step, −1 if nothing is known
	}{
		{"none", nil, epoch, 24 * time.Hour, 1, false, false, false, false, -1},
		{"far below", hours(10, 20, 30, 40), epoch, 3 * time.Hour, 1, true, false, false, false, 2},
		// A third is 0.43 of 1.64 usual deviations: 2.6 of 10.
		{"less than a third", hours(10, 97.3), epoch, time.Hour, 1, true, false, false, false, 0},
		{"more than a third", hours(10, 97.5), epoch, time.Hour, 1, true, false, false, true, 0},
		{"at the limit", hours(10, 100), epoch, time.Hour, 1, true, false, false, true, 0},
		{"the first beyond", hours(10, 90, 101, 120, 90), epoch, 4 * time.Hour, 1, true, true, true, true, 1},
		{"likely, not certain", hours(10, 90, 105, 90), epoch, 3 * time.Hour, 1, true, true, false, true, 1},
		{"beyond, but later", hours(10, 90, 90, 90, 120), epoch, 3 * time.Hour, 1, true, false, false, false, 0},
		{"beyond, but over", hours(10, 120, 90, 90), epoch + hour, 2 * time.Hour, 1, true, false, false, false, 1},
		{"beyond the forecast's end", hours(10, 120), epoch + hour, 24 * time.Hour, 1, false, false, false, false, -1},
		{"without an interval", hours(nan, 120, 120), epoch, 2 * time.Hour, 1, false, false, false, false, -1},
		{"no value", hours(10, nan, 105), epoch, 2 * time.Hour, 1, true, true, false, true, 1},
		{"no width", hours(0, 100, 101), epoch, 2 * time.Hour, 1, true, true, true, true, 1},
		{"below", hours(10, 110, 99), epoch, 2 * time.Hour, -1, true, true, false, true, 1},
		{"below for certain", hours(10, 110, 89), epoch, 2 * time.Hour, -1, true, true, true, true, 1},
		{"not below", hours(10, 110, 120), epoch, 2 * time.Hour, -1, true, false, false, false, 0},
	} {
		o := outlookOf(c.f, c.t, c.within, 100, c.sign)
		if o.known != c.known || o.beyond != c.beyond || o.certain != c.certain || o.near != c.near {
			t.Errorf("%s: %+v, want known %v, beyond %v, certain %v, near %v", c.name, o, c.known, c.beyond, c.certain, c.near)
		}
		if want := epoch + c.at*hour + hour/2; c.at >= 0 && o.at != want {
			t.Errorf("%s: at %v, want %v", c.name, o.at, want)
		}
	}
}

// limited returns a unit that forecasts only, and its one series.
func limited(t *testing.T, quiet func(int64) bool) (*Unit, *state) {
	t.Helper()
	o := options()
	o.Detect, o.Quiet = nil, quiet
	o.Breach = &Breach{Above: 100, Below: math.NaN(), Within: 24 * time.Hour, Severity: series.SeverityInfo, Unit: "%"}
	u := newUnit(t, o)
	s := u.newState(labels.FromStrings("__name__", "used", "disk", "a"))
	s.value = 50
	u.states[string(key(s.labels, nil))] = s
	u.order = []*state{s}
	return u, s
}

// A breach opens when it is more likely than not, rises when it is certain, says nothing new while
// nothing is known, and ends when it has become unlikely; for an hour it is told that it ended.
func TestBreachLife(t *testing.T) {
	u, s := limited(t, nil)
	at := epoch
	step := func(f *series.Forecast, value float64) []series.Finding {
		if f != nil {
			f.Start = at - at%hour
		}
		s.forecast, s.value = f, value
		u.breached(s, at)
		at += 5 * minute
		return u.breaches(s)
	}
	want := func(what string, fs []series.Finding, severity string, open, stale bool, text string) {
		t.Helper()
		if len(fs) != 1 || fs[0].Severity != severity || fs[0].Open() != open || fs[0].Stale != stale || fs[0].Type != rules.TypeForecastAbove ||
			fs[0].Note.Alert != rules.AlertForecast || !strings.Contains(fs[0].Note.Summary, text) {
			t.Fatalf("%s: %+v", what, fs)
		}
	}
	if fs := step(hours(10, 80, 90, 99), 50); len(fs) != 0 {
		t.Fatalf("likely by less than half: %+v", fs)
	}
	unsure := hours(10, 80, 90, 105)
	unsure.Confidence = 0.39
	if fs := step(unsure, 50); len(fs) != 0 {
		t.Fatalf("a forecast of low confidence opens a breach: %+v", fs)
	}
	opened := at
	fs := step(hours(10, 80, 90, 105), 50)
	want("opens", fs, series.SeverityInfo, true, false, "checkout is forecast to be above 100 % at 2026-03-02T02:30:00Z.")
	id := fs[0].ID
	want("less likely than half, more than a third", step(hours(10, 80, 90, 98), 50), series.SeverityInfo, true, false, "")
	want("certain", step(hours(10, 80, 90, 115), 50), series.SeverityCritical, true, false, "")
	want("no forecast", step(nil, 50), series.SeverityCritical, true, true, "2026-03-02T02:30:00Z")
	want("no value", step(hours(10, 80, 90, 115), math.NaN()), series.SeverityCritical, true, true, "2026-03-02T02:30:00Z")
	want("never milder", step(hours(10, 80, 90, 105), 101), series.SeverityCritical, true, false, "is above 100 % and is forecast to be so within 1d")
	b := snapshot(t, u)
	again, _ := limited(t, nil)
	if err := again.Restore(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if got := again.order[0]; got.above.since != opened || got.above.severity != series.SeverityCritical || got.above.ended != 0 {
		t.Errorf("restored as %+v", got.above)
	}
	ended := at
	fs = step(hours(10, 80, 90, 97), 50)
	want("ends", fs, series.SeverityCritical, false, false, "not forecast to be above 100 % any more")
	if fs[0].ID != id || fs[0].Start != opened || fs[0].End != ended {
		t.Errorf("finding %+v, want that of %d until %d", fs[0], opened, ended)
	}
	for at <= ended+hour {
		want("told for an hour", step(hours(10, 80, 90, 97), 50), series.SeverityCritical, false, false, "")
	}
	if fs := step(hours(10, 80, 90, 97), 50); len(fs) != 0 {
		t.Errorf("told after an hour: %+v", fs)
	}
	fs = step(hours(10, 80, 90, 105), 50)
	want("again", fs, series.SeverityInfo, true, false, "")
	if fs[0].ID == id {
		t.Error("another breach has the identity of the first")
	}
}

// In maintenance nothing opens, and what is open stays.
func TestBreachQuiet(t *testing.T) {
	u, s := limited(t, func(at int64) bool { return at < epoch+hour })
	s.forecast = hours(10, 90, 105)
	u.breached(s, epoch)
	if fs := u.breaches(s); len(fs) != 0 {
		t.Errorf("opened in maintenance: %+v", fs)
	}
	u.breached(s, epoch+hour)
	if fs := u.breaches(s); len(fs) != 1 || fs[0].Start != epoch+hour {
		t.Errorf("after maintenance: %+v, want one", fs)
	}
}

func TestBreachOptions(t *testing.T) {
	nan := math.NaN()
	for _, b := range []Breach{
		{Above: nan, Below: nan, Within: time.Hour}, {Above: 1, Below: 1, Within: time.Hour}, {Above: 1, Below: nan}, {Above: 1, Below: nan, Within: 8 * 24 * time.Hour},
	} {
		o := options()
		o.Breach = &b
		if _, err := New(o); err == nil {
			t.Errorf("%+v is accepted", b)
		}
	}
	o := options()
	o.Forecast, o.Breach = nil, &Breach{Above: 1, Below: nan, Within: time.Hour}
	if _, err := New(o); err == nil {
		t.Error("limits without a forecast are accepted")
	}
}

// A series that rises every day by a tenth of the way to its limit is told a day before, by the fit
// and the steps that a running upid takes.
func TestBreachFromData(t *testing.T) {
	o := options()
	o.Detect = nil
	o.Breach = &Breach{Above: 100, Below: 0, Within: 24 * time.Hour, Severity: series.SeverityWarning, Unit: ""}
	rising := func(at int64) float64 {
		days := float64(at-epoch) / float64(day)
		return 3*days + 2*math.Sin(2*math.Pi*days)
	}
	w := world{step: 5 * minute, pods: []pod{{labels.FromStrings("__name__", "used", "disk", "a"), rising}}}
	u := newUnit(t, o)
	told := func(at int64) []series.Finding {
		t.Helper()
		commit, err := u.Fit(context.Background(), at, w.input(at-28*day, at))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		rs, err := u.Step(context.Background(), at+5*minute, w.input(at+5*minute, at+5*minute))
		if err != nil || len(rs) != 1 {
			t.Fatal(rs, err)
		}
		return rs[0].Findings
	}
	if fs := told(epoch + 28*day); len(fs) != 0 {
		t.Errorf("five days before: %+v", fs)
	}
	fs := told(epoch + 32*day + 12*hour)
	if len(fs) != 1 || fs[0].Note.Alert != rules.AlertForecast || fs[0].Type != rules.TypeForecastAbove || fs[0].Family != rules.FamilyResource {
		t.Fatalf("a day before: %+v, want one that the limit above is reached", fs)
	}
	if fs[0].Confidence < sureEnough || fs[0].ID == "" {
		t.Errorf("finding %+v", fs[0])
	}
}
