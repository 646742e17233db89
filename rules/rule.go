// Package rules turns scores into findings and findings into alerts. The life
// cycle is a pure function, so live runs, replays after a restart, back-tests
// and the one-off command agree.
package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// Rule decides when a run of scores is an anomaly and when it is over. Make one
// with Default and change what you must.
//
// With the defaults a score of 1.0 opens a finding when the next one is as high;
// 1.2, or a time that is too long, opens it at once. Right after an alert, the next one of the same series
// takes 1.5, or 1.8 at once; a day later 1.2; after three days 1.02; a gap and what is late
// by the clock take 1. Two within half a day, or three within a day, make the next wait until it is as bad as the
// lesser of the last two, or twice as high as what is large: what comes again and again has been said. A finding
// closes after more than ten steps of observed scores below 1, see hold.
type Rule struct {
	Step     time.Duration // the grid of the scores
	Severity string        // severity of a finding at the boundary: info, warning or critical

	Confirm    int           // breaches in a row that open a finding, at least 1
	Strong     float64       // that many times the boundary opens it at once
	Fatigue    float64       // what a recent alert adds to the boundary
	MaxFatigue float64       // at most that many recent alerts count
	Worse      float64       // from so many recent ones on, the next must be as bad as the lesser of the last two, or twice Large; 0: never
	Rest       time.Duration // a recent alert counts 1/e after that time
	Hold       time.Duration // a finding closes after scores below 1 for longer than that
	Ease       float64       // opening takes that many times the boundary, as in the grace of a rollout; below 1 is 1
	Quiet      bool          // nothing opens, as in a time of maintenance; what would counts as a recent alert
	Keep       time.Duration // a closed finding is kept that long, so that it can be posted

	Large float64       // a peak of that much raises the severity by one
	Long  time.Duration // so does a finding that has breached for that long
}

// Default returns the rule that suits scores of which 1 spends the budget.
//
// Severity, with the base warning: peak below 4 and shorter than 6 hours,
// warning; either one reached, critical. With the base info: info, warning, and
// critical when both are reached.
func Default(step time.Duration, severity string) Rule {
	return Rule{
		Step: step, Severity: severity,
		Confirm: 2, Strong: 1.2,
		Fatigue: 0.5, MaxFatigue: 6, Worse: 1.5, Rest: 24 * time.Hour,
		Hold: hold(step), Keep: max(15*time.Minute, 3*step),
		Large: 4, Long: 6 * time.Hour,
	}
}

// Within returns r for a signal with that budget: where it allows less than an alert a week,
// a recent one counts for as much longer, so that one series which is odd again and again
// does not spend what there is for months. 1/week and more is r.
//
//	1/day, 1/week  24h
//	2/month        2.1 days
//	1/month        4.3 days
func (r Rule) Within(b Budget) Rule {
	if n := b.PerWeek(); n > 0 && n < 1 {
		r.Rest = time.Duration(float64(r.Rest) / n)
	}
	return r
}

// hold returns how long scores must stay below 1 before a finding closes: ten
// steps, so that a lull is not an end, but at most half an hour, or three steps
// where those are longer.
//
//	step 15s  2m30s
//	step 1m   10m
//	step 5m   30m
//	step 1h   3h
func hold(step time.Duration) time.Duration {
	return max(min(10*step, 30*time.Minute), 3*step)
}

// Alert is the life-cycle state of one series under a Rule. The zero value is
// a series about which nothing is known. Its findings are never changed by a
// later Next, which copies them; ID and Family are the caller's: Next leaves
// them empty when it opens a finding and carries them on.
type Alert struct {
	Finding  *series.Finding // the open finding; nil while inactive or pending
	Resolved *series.Finding // the newest closed one, until Keep after its End

	last    int64        // time of the newest Next; 0 before the first
	hot     int          // breaches in a row
	first   int64        // time of the first of them
	top     series.Score // the highest of them
	topAt   int64        // time of it
	breach  series.Score // the newest breach of the open finding
	calm    int64        // observed time below 1 since then, ms
	fatigue float64      // recent alerts, each fading
	opened  [maxOpenings]Opening
	raised  int // findings opened in all; opened is a ring
}

// An Opening is on record when the finding is not any more.
type Opening struct {
	Start int64   // of the finding: its first breach
	At    int64   // grid time at which it opened
	Peak  float64 // its highest score so far
}

// maxOpenings bounds the record of them.
const maxOpenings = 16

// Active reports whether a finding is open, the is_anomaly of the row just given.
func (a Alert) Active() bool { return a.Finding != nil }

// Pending reports whether a breach waits for its confirmation.
func (a Alert) Pending() bool { return a.Finding == nil && a.hot > 0 }

// Findings returns the open finding and the one closed a short while ago, as
// far as there are any.
func (a Alert) Findings() []series.Finding {
	var fs []series.Finding
	for _, f := range []*series.Finding{a.Finding, a.Resolved} {
		if f != nil {
			fs = append(fs, *f)
		}
	}
	return fs
}

// Next is the whole alert life cycle: a pure function of the past, the score and
// the grid time t (Unix milliseconds) it belongs to.
//
// A row without a value neither opens (unless its score, that of the gap, is a
// breach) nor closes: the open finding becomes stale. A finding of type missing
// closes when a value arrives. A row without a score changes nothing.
func (r Rule) Next(prev Alert, s series.Score, t int64) Alert {
	a := prev
	elapsed := int64(0)
	if prev.last != 0 {
		elapsed = max(t-prev.last, 0)
	}
	a.last = t
	a.fatigue *= math.Exp(-float64(elapsed) / float64(r.Rest.Milliseconds()))
	if a.Resolved != nil && t-a.Resolved.End > r.Keep.Milliseconds() {
		a.Resolved = nil
	}
	missing := math.IsNaN(s.Observed)
	if math.IsNaN(s.Value) {
		a.stale(s)
		return a
	}
	if a.Finding != nil && a.Finding.Type == series.TypeMissing && !missing {
		a.resolve(t)
	}
	if a.Finding == nil && r.Quiet {
		if s.Value >= 1 {
			a.fatigue = max(a.fatigue, 1)
		}
		a.hot = 0
		return a
	}
	need := 1.0
	if a.Finding == nil {
		need = max(need, r.Ease)
		// A gap is measured by the gaps there were, which grow with each, whatever the
		// budget: a recent alert about values would only have it found later. The same holds
		// for what is late by the clock: two of those in a row end the rhythm.
		if !missing && !s.Why.Clocked() {
			need += r.Fatigue * min(a.fatigue, r.MaxFatigue)
			if lesser := min(a.lesser(), 2*r.Large); r.Worse > 0 && a.fatigue >= r.Worse && lesser > need {
				need = lesser
			}
		}
	}
	switch {
	case s.Value >= need:
		r.heat(&a, s, t)
	case !missing:
		a.hot = 0
	}
	if a.Finding == nil {
		// A time that is too long needs no second point: that would only make it longer.
		if a.hot > 0 && s.Value >= need && (a.hot >= r.Confirm || s.Value >= r.Strong*need || s.Why.Timed()) {
			a.open(s, t)
			r.grade(a.Finding, t)
		}
		return a
	}
	if s.Value >= 1 {
		a.confirm(s, t, missing)
		r.grade(a.Finding, t)
		return a
	}
	if missing {
		a.stale(s)
		return a
	}
	a.calm += min(elapsed, 2*r.Step.Milliseconds())
	a.update(func(f *series.Finding) { f.Score, f.Stale = s, false })
	if a.calm > max(r.Hold, 3*r.Step).Milliseconds() {
		a.resolve(t)
	}
	return a
}

// lesser returns the lower peak of the last two findings, 0 if there were fewer.
func (a *Alert) lesser() float64 {
	if a.raised < 2 {
		return 0
	}
	return min(a.opened[(a.raised-1)%maxOpenings].Peak, a.opened[(a.raised-2)%maxOpenings].Peak)
}

// update replaces the open finding by a changed copy.
func (a *Alert) update(change func(*series.Finding)) {
	f := *a.Finding
	change(&f)
	a.Finding = &f
}

func (a *Alert) stale(s series.Score) {
	if a.Finding != nil {
		a.update(func(f *series.Finding) { f.Score, f.Stale = s, true })
	}
}

// heat counts a breach.
func (r Rule) heat(a *Alert, s series.Score, t int64) {
	if a.hot > 0 && t-a.first > int64(r.Confirm+1)*r.Step.Milliseconds() {
		a.hot = 0 // a breach long before a gap confirms nothing
	}
	if a.hot == 0 {
		a.first, a.top, a.topAt = t, s, t
	}
	if s.Value > a.top.Value {
		a.top, a.topAt = s, t
	}
	a.hot++
}

// open opens a finding on the breaches counted, of the type of the highest.
func (a *Alert) open(s series.Score, t int64) {
	a.Finding = &series.Finding{
		ID: "", Family: "", Type: a.top.Type, Reclassified: "", Severity: "",
		Start: a.first, End: 0, Peak: a.top.Value, Worst: a.top, WorstAt: a.topAt, Confidence: a.top.Confidence,
		Score: s, Stale: false, Group: "", Threat: nil, Note: nil,
	}
	a.breach, a.calm = s, 0
	a.fatigue++
	a.opened[a.raised%maxOpenings] = Opening{Start: a.first, At: t, Peak: a.top.Value}
	a.raised++
}

// confirm takes a breach into the open finding.
func (a *Alert) confirm(s series.Score, t int64, missing bool) {
	a.breach, a.calm = s, 0
	o := &a.opened[(a.raised+maxOpenings-1)%maxOpenings]
	o.Peak = max(o.Peak, s.Value)
	a.update(func(f *series.Finding) {
		f.Score = s
		f.Stale = missing && f.Type != series.TypeMissing
		if s.Value > f.Peak {
			f.Peak, f.Worst, f.WorstAt = s.Value, s, t
		}
		f.Confidence = max(f.Confidence, s.Confidence)
		if s.Type != "" && s.Type != f.Type {
			f.Reclassified = s.Type
		}
	})
}

func (a *Alert) resolve(t int64) {
	a.update(func(f *series.Finding) { f.End, f.Score, f.Stale = t, a.breach, false })
	a.Resolved, a.Finding = a.Finding, nil
	a.hot, a.calm = 0, 0
}

// severities from the mildest to the gravest.
func severities() []string {
	return []string{series.SeverityInfo, series.SeverityWarning, series.SeverityCritical}
}

// grade raises the severity of f, which breached at t, to what its peak and its
// length ask for. It never lowers it.
func (r Rule) grade(f *series.Finding, t int64) {
	all := severities()
	rank := max(slices.Index(all, r.Severity), 0)
	if f.Peak >= r.Large {
		rank++
	}
	if t-f.Start >= r.Long.Milliseconds() {
		rank++
	}
	rank = min(max(rank, slices.Index(all, f.Severity)), len(all)-1)
	f.Severity = all[rank]
}

// FindingID returns the identity of a finding: 16 hexadecimal digits of a
// SHA-256 over the signal, the labels in their order, the type and the start, so
// that a restart and a second replica find the same.
func FindingID(signal string, ls labels.Labels, typ string, start int64) string {
	const sep = 0xff // never part of UTF-8
	b := append([]byte(signal), sep)
	ls.Range(func(l labels.Label) {
		b = append(append(b, l.Name...), sep)
		b = append(append(b, l.Value...), sep)
	})
	b = append(append(b, sep), typ...)
	b = strconv.AppendInt(append(b, sep), start, 10)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
