package rules

import (
	"math"
	"testing"
	"time"

	"github.com/upid/upid/collector/series"
)

func TestBreachNote(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC).UnixMilli()
	b := Breach{
		Signal: "queue", Unit: "bytes", Type: TypeForecastAbove, Limit: 2 << 30, Within: 24 * time.Hour, Level: 0.9,
		At: at, Observed: 1 << 30, Point: 3 << 30, Lower: 1 << 31, Upper: 4 << 30,
	}
	for _, c := range []struct {
		name                 string
		of                   func(*Breach)
		summary, description string
	}{
		{
			"ahead", func(*Breach) {}, "queue is forecast to be above 2 GiB at 2026-03-02T14:30:00Z.",
			"Forecast for 2026-03-02T14:30:00Z: 3 GiB, 90 % interval 2 GiB to 4 GiB; now 1 GiB. Limit: 2 GiB.",
		},
		{
			"now", func(b *Breach) { b.Observed = 5 << 30 }, "queue is above 2 GiB and is forecast to be so within 1d.",
			"Forecast for 2026-03-02T14:30:00Z: 3 GiB, 90 % interval 2 GiB to 4 GiB; now 5 GiB. Limit: 2 GiB.",
		},
		{
			"below", func(b *Breach) { b.Type = TypeForecastBelow }, "queue is below 2 GiB and is forecast to be so within 1d.",
			"Forecast for 2026-03-02T14:30:00Z: 3 GiB, 90 % interval 2 GiB to 4 GiB; now 1 GiB. Limit: 2 GiB.",
		},
		{
			"unknown now", func(b *Breach) { b.Observed = math.NaN() }, "queue is forecast to be above 2 GiB at 2026-03-02T14:30:00Z.",
			"Forecast for 2026-03-02T14:30:00Z: 3 GiB, 90 % interval 2 GiB to 4 GiB; now unknown. Limit: 2 GiB.",
		},
		{"over", func(b *Breach) { b.Ended = true }, "queue is not forecast to be above 2 GiB any more.", "Within 1d it stays on this side of the limit."},
		{"restored", func(b *Breach) { b.At = 0 }, "queue was forecast to be above 2 GiB.", "There is no forecast now."},
	} {
		b := b
		c.of(&b)
		n := BreachNote(b)
		if n.Summary != c.summary || n.Description != c.description || n.Alert != AlertForecast || n.FirstAction == "" {
			t.Errorf("%s: %+v\nwant %s\n     %s", c.name, n, c.summary, c.description)
		}
	}
	f := series.Finding{Type: TypeForecastAbove, Peak: math.NaN(), Confidence: 0.7, Family: FamilyResource, Note: BreachNote(b)}
	if name := alertName(f); name != AlertForecast {
		t.Errorf("alert %q", name)
	}
	if a := Annotations(SignalInfo{Name: "queue"}, series.Result{}, f, Context{}); a["confidence"] != "0.70" || a["family"] != FamilyResource || a["score"] != "" {
		t.Errorf("annotations %v", a)
	}
}
