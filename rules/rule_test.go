package rules

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

const minute = int64(60_000)

// t0 is the grid time of the first score of a walk.
const t0 = int64(1_700_000_000_000)

// spike is a score of an observed value.
func spike(v float64) series.Score {
	typ := ""
	if v >= 1 {
		typ = series.TypeSpike
	}
	return series.Score{Observed: 1, Expected: 1, Lower: 0, Upper: 2, Value: v, Confidence: 0.5, Type: typ}
}

// gone is the score of a grid point without a value.
func gone(v float64) series.Score {
	s := spike(v)
	s.Observed = math.NaN()
	if v >= 1 {
		s.Type = series.TypeMissing
	}
	return s
}

// walk takes r through the scores, a minute apart from t0.
func walk(r Rule, a Alert, start int64, scores ...series.Score) Alert {
	for i, s := range scores {
		a = r.Next(a, s, start+int64(i)*minute)
	}
	return a
}

func times(n int, s series.Score) []series.Score {
	out := make([]series.Score, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func warning() Rule { return Default(time.Minute, series.SeverityWarning) }

func TestNextOpens(t *testing.T) {
	f := func(want bool, scores ...float64) {
		t.Helper()
		var a Alert
		for i, v := range scores {
			a = warning().Next(a, spike(v), t0+int64(i)*minute)
		}
		if a.Active() != want {
			t.Errorf("scores %v: active is %v, want %v", scores, a.Active(), want)
		}
	}
	f(false, 0, 0.5, 0.99)
	f(false, 1)                 // one breach waits
	f(true, 1, 1)               // two in a row confirm
	f(false, 1, 0.9, 1)         // not in a row
	f(true, 1.2)                // strong enough by itself
	f(false, 1.19)              //
	f(true, 1.1, 1.05)          //
	f(false, math.NaN())        // warm-up says nothing
	f(true, 1, math.NaN(), 1)   // and interrupts nothing
	f(false, 1, math.NaN(), .5) //
}

func TestNextPending(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(1))
	if !a.Pending() || a.Active() || a.Findings() != nil {
		t.Errorf("after one breach: pending %v, active %v, findings %v", a.Pending(), a.Active(), a.Findings())
	}
	if a = walk(warning(), a, t0+minute, spike(0)); a.Pending() {
		t.Error("still pending after an ordinary score")
	}
}

func TestNextStartsAtFirstBreach(t *testing.T) {
	low := spike(1.1)
	low.Type = series.TypeDrift
	low.Confidence = 0.7
	a := walk(warning(), Alert{}, t0, spike(0), spike(1.15), low)
	f := a.Finding
	if f == nil {
		t.Fatal("no finding")
	}
	if f.Start != t0+minute {
		t.Errorf("start is %d, want that of the first breach, %d", f.Start, t0+minute)
	}
	if f.Type != series.TypeSpike || f.Peak != 1.15 || f.Score.Value != 1.1 {
		t.Errorf("type %s, peak %v, newest %v; want spike, 1.15, 1.1", f.Type, f.Peak, f.Score.Value)
	}
	if !f.Open() || f.Severity != series.SeverityWarning || f.ID != "" || f.Family != "" {
		t.Errorf("finding %+v: want it open, a warning, without identity", *f)
	}
}

// The finding closes on the first row more than 10 minutes after the last breach.
func TestNextHoldsAndResolves(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2))
	a.Finding.ID, a.Finding.Family = "id", FamilyResource
	a = walk(warning(), a, t0+minute, times(10, spike(0))...)
	if !a.Active() {
		t.Fatal("closed within the hold time")
	}
	a = walk(warning(), a, t0+11*minute, spike(0.1))
	if a.Active() || a.Resolved == nil {
		t.Fatal("not closed after the hold time")
	}
	r := *a.Resolved
	if r.End != t0+11*minute || r.Score.Value != 2 || r.ID != "id" || r.Family != FamilyResource {
		t.Errorf("resolved %+v: want end %d, the breach as score, the caller's fields", r, t0+11*minute)
	}
	// Kept for 15 minutes after its end, then forgotten.
	a = walk(warning(), a, t0+12*minute, times(15, spike(0))...)
	if len(a.Findings()) != 1 {
		t.Fatal("forgotten before it could be posted")
	}
	a = walk(warning(), a, t0+27*minute, spike(0))
	if a.Resolved != nil || len(a.Findings()) != 0 {
		t.Error("kept for longer than 15 minutes")
	}
}

func TestNextBreachRestartsHold(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2))
	a = walk(warning(), a, t0+minute, times(9, spike(0))...)
	a = walk(warning(), a, t0+10*minute, spike(1))
	a = walk(warning(), a, t0+11*minute, times(10, spike(0))...)
	if !a.Active() || a.Finding.Start != t0 {
		t.Error("a breach within the hold time must prolong the finding")
	}
}

// On a grid of an hour three steps are longer than 30 minutes.
func TestNextHoldsThreeSteps(t *testing.T) {
	r := Default(time.Hour, series.SeverityInfo)
	a := r.Next(Alert{}, spike(2), t0)
	for i := int64(1); i <= 3; i++ {
		if a = r.Next(a, spike(0), t0+i*60*minute); !a.Active() {
			t.Fatalf("closed after %d steps", i)
		}
	}
	if a = r.Next(a, spike(0), t0+4*60*minute); a.Active() {
		t.Error("open after four steps")
	}
}

// Default gives 1.5 right after an alert (1 + 0.5), 1.02 after three days
// (1 + 0.5·e⁻³ = 1.025).
func TestNextFatigue(t *testing.T) {
	opens := func(wait int64, v float64) bool {
		a := walk(warning(), Alert{}, t0, spike(2))
		a = walk(warning(), a, t0+minute, times(31, spike(0))...)
		at := t0 + 31*minute + wait
		a = walk(warning(), a, at, spike(v), spike(v))
		return a.Active()
	}
	f := func(wait int64, v float64, want bool) {
		t.Helper()
		if got := opens(wait, v); got != want {
			t.Errorf("score %v %d minutes after an alert: opens %v, want %v", v, wait/minute, got, want)
		}
	}
	f(minute, 1.4, false)
	f(minute, 1.5, true)
	f(3*24*60*minute, 1.02, false)
	f(3*24*60*minute, 1.03, true)
}

// After two alerts within some hours the next must be as bad as the lesser of them, or 8; two days later it need not.
func TestNextWorse(t *testing.T) {
	opens := func(first, second float64, wait int64, v float64) bool {
		a, at := Alert{}, t0
		for _, peak := range []float64{first, second} {
			a = walk(warning(), a, at, spike(peak))
			if !a.Active() {
				t.Fatalf("%v does not open", peak)
			}
			a = walk(warning(), a, at+minute, times(31, spike(0))...)
			at += 60 * minute
		}
		return walk(warning(), a, at+wait, spike(v), spike(v)).Active()
	}
	for _, c := range []struct {
		first, second float64
		wait          int64
		v             float64
		want          bool
	}{
		{7, 6, 0, 5.9, false},
		{7, 6, 0, 6.1, true},
		{7, 20, 0, 6.9, false},
		{7, 20, 0, 7.1, true},
		{500, 500, 0, 7.9, false},
		{500, 500, 0, 8.1, true},
		{7, 6, 2 * 24 * 60 * minute, 2, true},
	} {
		if got := opens(c.first, c.second, c.wait, c.v); got != c.want {
			t.Errorf("%v, %d minutes after %v and %v: opens %v, want %v", c.v, c.wait/minute, c.first, c.second, got, c.want)
		}
	}
	if a := walk(warning(), Alert{fatigue: 3, raised: 2, opened: [maxOpenings]Opening{{Peak: math.NaN()}, {Peak: 9}}}, t0, spike(9), spike(9)); !a.Active() {
		t.Error("a peak that is no number keeps all silent")
	}
}

// A gap is measured by the gaps before, not by the budget: alerts that a looser budget raised
// shortly before do not make it be found later.
func TestNextFatigue_gap(t *testing.T) {
	after := func(scores ...series.Score) int64 {
		a := walk(warning(), Alert{}, t0, scores...)
		a = walk(warning(), a, t0+minute, times(31, spike(0))...)
		if a.Active() {
			t.Fatal("open before the gap")
		}
		for i := range int64(20) { // it grows by 0.25 a step
			if a = walk(warning(), a, t0+(33+i)*minute, gone(0.25*float64(i+1))); a.Active() {
				return i
			}
		}
		t.Fatal("never found")
		return 0
	}
	if calm, tired := after(spike(0)), after(spike(2)); calm != tired || calm != 4 {
		t.Errorf("found after %d steps, after an alert %d, want 4", calm, tired)
	}
}

// What is late by the clock opens whatever came lately; another view of the same score does not.
func TestNextFatigue_clock(t *testing.T) {
	for view, want := range map[string]bool{series.ViewLate: true, series.ViewStays: true, series.ViewValue: false} {
		sc := spike(1.1)
		sc.Why.View = view
		if got := walk(warning(), Alert{fatigue: 2}, t0, sc, sc).Active(); got != want {
			t.Errorf("%s: opens %v, want %v", view, got, want)
		}
	}
}

// In maintenance nothing opens, what is open goes on, and what would have opened counts as a recent alert.
func TestNextQuiet(t *testing.T) {
	quiet := warning()
	quiet.Quiet = true
	f := func(name string, a Alert, after float64, want bool) {
		t.Helper()
		if got := walk(warning(), a, t0+10*minute, spike(after), spike(after)).Active(); got != want {
			t.Errorf("%s, then %v: open %v, want %v", name, after, got, want)
		}
	}
	calm := walk(quiet, Alert{}, t0, spike(0.9), spike(0.9))
	odd := walk(quiet, Alert{}, t0, spike(5), spike(5), gone(5))
	if odd.Active() || odd.Pending() {
		t.Errorf("opened: %+v", odd)
	}
	f("calm", calm, 1.1, true)
	f("odd", odd, 1.1, false)
	f("odd", odd, 1.6, true)
	open := walk(warning(), Alert{}, t0, spike(2))
	if a := walk(quiet, open, t0+minute, spike(5)); !a.Active() || a.Finding.Peak != 5 {
		t.Errorf("what was open: %+v", a.Finding)
	}
}

func TestNextMissingKeepsFinding(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2))
	a = walk(warning(), a, t0+minute, times(600, gone(0.1))...)
	if !a.Active() || !a.Finding.Stale {
		t.Fatalf("ten hours without data: active %v, want an open stale finding", a.Active())
	}
	a = walk(warning(), a, t0+601*minute, spike(0))
	if !a.Active() || a.Finding.Stale {
		t.Error("one value must confirm the finding as known, not close it")
	}
	a = walk(warning(), a, t0+602*minute, times(31, spike(0))...)
	if a.Active() {
		t.Error("open after 31 minutes of ordinary values")
	}
}

func TestNextUnknownScoreKeepsFinding(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2))
	a = walk(warning(), a, t0+minute, times(100, spike(math.NaN()))...)
	if !a.Active() || !a.Finding.Stale {
		t.Error("rows without a score must leave the finding open and mark it stale")
	}
}

func TestNextGap(t *testing.T) {
	// A time that is too long is so at the first point: waiting for another makes it longer, not surer.
	long := gone(1)
	long.Why = series.Why{View: series.ViewGap, Value: 300, Limit: 300}
	if a := walk(warning(), Alert{}, t0, gone(0.99), long); !a.Active() || a.Finding.Start != t0+minute {
		t.Errorf("finding %+v: want one at the row at which the gap is too long", a.Finding)
	}
	a := walk(warning(), Alert{}, t0, gone(0.5), gone(1), gone(1.1))
	if !a.Active() || a.Finding.Type != series.TypeMissing || a.Finding.Stale || a.Finding.Start != t0+minute {
		t.Fatalf("finding %+v: want a missing one from the second row on", a.Finding)
	}
	a = walk(warning(), a, t0+3*minute, spike(0))
	if a.Active() || a.Resolved == nil || a.Resolved.End != t0+3*minute {
		t.Error("a missing finding closes when a value arrives")
	}
	// A value that is odd itself opens a finding of its own beside the closed one.
	b := walk(warning(), Alert{}, t0, gone(1), gone(1.1))
	b = walk(warning(), b, t0+2*minute, spike(5))
	if fs := b.Findings(); len(fs) != 2 || fs[0].Type != series.TypeSpike || fs[1].Open() {
		t.Errorf("findings %+v: want an open spike and the closed gap", fs)
	}
}

// A gap within an open spike is a later class, not a new finding.
func TestNextReclassifies(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2), gone(1.5))
	f := a.Finding
	if f.Type != series.TypeSpike || f.Reclassified != series.TypeMissing || !f.Stale {
		t.Errorf("type %s, reclassified %q, stale %v; want spike, missing, true", f.Type, f.Reclassified, f.Stale)
	}
}

func TestNextSeverity(t *testing.T) {
	f := func(base string, peak float64, minutes int, want string) {
		t.Helper()
		r := Default(time.Minute, base)
		a := walk(r, Alert{}, t0, spike(peak))
		a = walk(r, a, t0+minute, times(minutes, spike(1.2))...)
		if got := a.Finding.Severity; got != want {
			t.Errorf("%s, peak %v, %d minutes: %s, want %s", base, peak, minutes, got, want)
		}
	}
	f(series.SeverityInfo, 2, 10, series.SeverityInfo)
	f(series.SeverityInfo, 4, 10, series.SeverityWarning)
	f(series.SeverityInfo, 2, 360, series.SeverityWarning)
	f(series.SeverityInfo, 4, 360, series.SeverityCritical)
	f(series.SeverityWarning, 3.9, 359, series.SeverityWarning)
	f(series.SeverityWarning, 4, 0, series.SeverityCritical) // and never falls
	f(series.SeverityWarning, 4, 100, series.SeverityCritical)
	f(series.SeverityCritical, 9, 600, series.SeverityCritical)
}

// A strict rule must not be able to change what an earlier Alert points to.
func TestNextLeavesThePastAlone(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(2))
	before := *a.Finding
	walk(warning(), a, t0+minute, spike(9), spike(0), gone(3), spike(math.NaN()))
	walk(warning(), a, t0+minute, times(40, spike(0))...)
	if *a.Finding != before {
		t.Errorf("finding became %+v, was %+v", *a.Finding, before)
	}
}

func TestOpenings(t *testing.T) {
	r := warning()
	r.Fatigue, r.Worse = 0, 0
	var a Alert
	start := t0
	for range 20 {
		a = walk(r, a, start, spike(3))
		a = walk(r, a, start+minute, times(31, spike(0))...)
		start += 60 * minute
	}
	recent := a.Openings(start-3*60*minute, start)
	if len(recent) != 3 || recent[0].Start != start-3*60*minute || recent[0].At != recent[0].Start || recent[2].Peak != 3 {
		t.Errorf("opened in the last three hours: %+v, want 3", recent)
	}
	if got := len(a.Openings(0, start)); got != maxOpenings {
		t.Errorf("opened: %d, want the %d on record", got, maxOpenings)
	}
}

// An opening keeps the time of the first breach, the time it was confirmed, and the
// highest score.
func TestOpeningPeak(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(1.1), spike(1.15), spike(7), spike(2))
	want := Opening{Start: t0, At: t0 + minute, Peak: 7}
	if got := a.Openings(0, t0+minute+1); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := a.Openings(0, t0+minute); len(got) != 0 {
		t.Errorf("before its time: %+v", got)
	}
}

// Loading an encoded alert continues as the alert itself would.
func TestAlertState(t *testing.T) {
	nan := spike(math.NaN())
	script := []series.Score{spike(0), spike(1), spike(1.3), gone(0.2), gone(2), nan, spike(0.4), spike(2)}
	for range 40 {
		script = append(script, spike(0.2))
	}
	script = append(script, gone(1), gone(1.4), spike(1), spike(1.6), spike(3))
	var a Alert
	for i, s := range script {
		a = warning().Next(a, s, t0+int64(i)*minute)
		state := a.AppendState([]byte("x"))[1:]
		var b Alert
		if err := b.LoadState(state); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		if again := b.AppendState(nil); !bytes.Equal(again, state) {
			t.Fatalf("row %d: the copy encodes differently", i)
		}
		a = b // go on with the copy
	}
	var whole Alert
	for i, s := range script {
		whole = warning().Next(whole, s, t0+int64(i)*minute)
	}
	if !bytes.Equal(whole.AppendState(nil), a.AppendState(nil)) {
		t.Error("saved and loaded at every row, the outcome differs")
	}
}

func TestAlertStateRefuses(t *testing.T) {
	good := walk(warning(), Alert{}, t0, spike(2)).AppendState(nil)
	f := func(name string, b []byte) {
		t.Helper()
		a := walk(warning(), Alert{}, t0, spike(1))
		before := a.AppendState(nil)
		if err := a.LoadState(b); err == nil {
			t.Errorf("%s: loaded", name)
		}
		if !bytes.Equal(a.AppendState(nil), before) {
			t.Errorf("%s: changed the alert", name)
		}
	}
	f("nothing", nil)
	f("another version", append([]byte{9}, good[1:]...))
	f("too long", append(bytes.Clone(good), 0))
	for n := range good {
		f("cut short", good[:n])
	}
}

func FuzzAlertState(f *testing.F) {
	f.Add(Alert{}.AppendState(nil))
	f.Add(walk(warning(), Alert{}, t0, spike(2), gone(3)).AppendState(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Alert
		if a.LoadState(b) != nil {
			return
		}
		a = walk(warning(), a, t0, spike(2), gone(3), spike(0))
		if err := new(Alert).LoadState(a.AppendState(nil)); err != nil {
			t.Errorf("the state after a load cannot be loaded: %v", err)
		}
	})
}

func TestFindingID(t *testing.T) {
	id := func(signal, pod, typ string, start int64) string {
		return FindingID(signal, labels.FromStrings("job", "api", "pod", pod), typ, start)
	}
	base := id("cpu", "a", "spike", 1)
	if len(base) != 16 || base != id("cpu", "a", "spike", 1) {
		t.Errorf("id %q: want 16 digits, always the same", base)
	}
	for _, other := range []string{id("mem", "a", "spike", 1), id("cpu", "b", "spike", 1), id("cpu", "a", "drop", 1), id("cpu", "a", "spike", 2)} {
		if other == base {
			t.Errorf("id %q for different content", other)
		}
	}
}

// Two breaches with a gap of hours between them are two, not a confirmed one.
func TestNextBreachBeforeAGapConfirmsNothing(t *testing.T) {
	a := walk(warning(), Alert{}, t0, spike(1.05))
	for i := int64(1); i < 480; i++ {
		a = warning().Next(a, series.Score{Observed: math.NaN(), Value: 0}, t0+i*minute)
	}
	if a = walk(warning(), a, t0+480*minute, spike(1.05)); a.Active() {
		t.Errorf("opened: %+v", *a.Finding)
	}
	if a = walk(warning(), a, t0+481*minute, spike(1.05)); !a.Active() || a.Finding.Start != t0+480*minute {
		t.Error("two in a row after the gap did not open from the first of them")
	}
}
