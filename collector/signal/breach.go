package signal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/upid/upid/collector/coding"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/rules"
)

// Breach are limits that a forecast should not reach.
type Breach struct {
	Above, Below float64       // in the unit of the query; NaN: no limit on that side
	Within       time.Duration // how far ahead counts
	Severity     string        // of a breach that is more likely than not
	Unit         string        // of the query, for texts
}

const (
	// sureEnough is the least confidence of a forecast that may open a breach: medium.
	sureEnough = 0.4
	// A breach that is open ends when it has become less likely than that.
	stillLikely = 1. / 3
	// breachEndedFor is how long it is said that a breach has ended.
	breachEndedFor = time.Hour
)

// breach is what is known about a limit of one series.
type breach struct {
	since, ended int64 // grid times; 0: not
	severity     string
	stale        bool    // nothing is known now
	view         outlook // the newest there was
}

func (b breach) open() bool { return b.since != 0 && b.ended == 0 }

// outlook is what a forecast says about a limit: the step at which it is reached first or, if it is
// not, comes closest, and what holds of any step.
type outlook struct {
	at                  int64 // middle of the step
	point, lower, upper float64
	known               bool // there is a forecast of that time
	beyond              bool // the point is beyond the limit
	certain             bool // the whole interval is
	near                bool // that it is reached is not yet less likely than stillLikely
}

// outlookOf reads the steps of f whose middle lies in (t, t + within], Unix milliseconds.
// sign is 1 for a limit above and −1 for one below. The likelihood at a step is that of a normal
// distribution on that side of the point, of which the interval of level L holds L. Steps
// without an interval say nothing. O(within / step).
func outlookOf(f *series.Forecast, t int64, within time.Duration, limit, sign float64) outlook {
	var out outlook
	if f == nil || f.Step <= 0 {
		return out
	}
	normal := distuv.UnitNormal
	likely := normal.Quantile(1-stillLikely) / normal.Quantile((1+f.Level)/2) // in halves of the interval
	closest := math.Inf(1)
	middle := func(i int64) int64 { return f.Start + i*f.Step + f.Step/2 }
	for i := max(0, ceilDiv(t+1-middle(0), f.Step)); i < int64(len(f.Point)) && middle(i) <= t+within.Milliseconds(); i++ {
		inner, outer := f.Lower[i], f.Upper[i] // the end of the interval away from the limit, and towards it
		if sign < 0 {
			inner, outer = outer, inner
		}
		left := sign * (limit - f.Point[i])
		half := sign * (outer - f.Point[i])
		if math.IsNaN(left) || math.IsNaN(inner) || !(half >= 0) {
			continue
		}
		out.known = true
		out.near = out.near || left < 0 || left < likely*half
		out.certain = out.certain || sign*(limit-inner) < 0
		if !out.beyond && (left < 0 || left < closest) {
			closest = left
			out.beyond = left < 0
			out.at, out.point, out.lower, out.upper = middle(i), f.Point[i], f.Lower[i], f.Upper[i]
		}
	}
	return out
}

// breached follows the limits of s at grid time t.
func (u *Unit) breached(s *state, t int64) {
	b := u.o.Breach
	if b == nil {
		return
	}
	s.above = u.next(s, s.above, t, b.Above, 1)
	s.below = u.next(s, s.below, t, b.Below, -1)
}

// next returns what is known about a limit at t, of what was known before.
func (u *Unit) next(s *state, b breach, t int64, limit, sign float64) breach {
	if math.IsNaN(limit) {
		return breach{}
	}
	if b.ended != 0 && t-b.ended > breachEndedFor.Milliseconds() {
		b = breach{}
	}
	v := outlook{}
	if !math.IsNaN(s.value) { // a series that is absent may never come back
		v = outlookOf(s.forecast, t, u.o.Breach.Within, limit, sign)
	}
	b.stale = b.open() && !v.known
	if b.stale {
		return b // what was said last stands
	}
	b.view = v
	switch {
	case b.open() && !v.near:
		b.ended = t
	case !b.open() && v.beyond && s.forecast.Confidence >= sureEnough && (u.o.Quiet == nil || !u.o.Quiet(t)):
		b.since, b.ended, b.severity = t, 0, u.o.Breach.Severity
	}
	if b.open() && v.certain {
		b.severity = series.SeverityCritical
	}
	return b
}

// breaches returns the findings of the limits of s.
func (u *Unit) breaches(s *state) []series.Finding {
	if u.o.Breach == nil {
		return nil
	}
	var out []series.Finding
	for _, l := range []struct {
		b     breach
		typ   string
		limit float64
	}{{s.above, rules.TypeForecastAbove, u.o.Breach.Above}, {s.below, rules.TypeForecastBelow, u.o.Breach.Below}} {
		if l.b.since == 0 {
			continue
		}
		v := l.b.view
		if !v.known {
			v.point, v.lower, v.upper = math.NaN(), math.NaN(), math.NaN()
		}
		confidence := 0.0
		if s.forecast != nil {
			confidence = s.forecast.Confidence
		}
		score := series.Score{Observed: s.value, Expected: v.point, Lower: v.lower, Upper: v.upper, Value: math.NaN(), Confidence: confidence, Type: l.typ, Why: series.Why{}}
		f := series.Finding{
			ID: "", Family: "", Reclassified: "", Group: "", Threat: nil,
			Type: l.typ, Severity: l.b.severity, Start: l.b.since, End: l.b.ended, Peak: math.NaN(), Worst: score, WorstAt: l.b.since,
			Confidence: confidence, Score: score, Stale: l.b.stale,
			Note: rules.BreachNote(rules.Breach{
				Signal: u.o.Name, Unit: u.o.Breach.Unit, Type: l.typ, Limit: l.limit, Within: u.o.Breach.Within, Level: u.o.Forecast.Level,
				At: v.at, Observed: s.value, Point: v.point, Lower: v.lower, Upper: v.upper, Ended: l.b.ended != 0,
			}),
		}
		out = append(out, u.identify(s, f))
	}
	return out
}

func (b breach) append(to []byte) []byte {
	to = binary.AppendVarint(to, b.since)
	to = binary.AppendVarint(to, b.ended)
	return coding.AppendText(to, b.severity)
}

// readBreach unpacks what append packed; what the forecast says is read off it again.
func readBreach(r *coding.Reader) breach {
	return breach{since: r.Int(), ended: r.Int(), severity: r.Text()}
}

// valid checks the limits against the horizons of a forecast.
func (b *Breach) valid(f *Forecast) error {
	switch {
	case f == nil:
		return errors.New("limits of a forecast, but no forecast")
	case math.IsNaN(b.Above) && math.IsNaN(b.Below):
		return errors.New("neither limit of the forecast is set")
	case b.Above <= b.Below:
		return fmt.Errorf("the forecast cannot stay below %v and above %v", b.Above, b.Below)
	case b.Within <= 0 || b.Within > f.Horizons[len(f.Horizons)-1]:
		return fmt.Errorf("limits within %v, want at most the longest horizon, %v", b.Within, f.Horizons[len(f.Horizons)-1])
	}
	return nil
}
