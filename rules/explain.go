package rules

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
)

// summary is one line: what, how much at the worst, where.
func summary(info SignalInfo, r series.Result, f series.Finding) string {
	phrase := phrases[f.Type].now
	if !f.Open() {
		phrase = phrases[f.Type].then
	}
	switch {
	case phrase == "" && f.Open():
		phrase = fmt.Sprintf("is unusual (%s)", f.Type)
	case phrase == "":
		phrase = fmt.Sprintf("was unusual (%s)", f.Type)
	}
	obs, exp, why := f.Worst.Observed, f.Worst.Expected, f.Worst.Why
	if why.View == series.ViewPeers && f.Type == series.TypeOutlier {
		verb := "is"
		if !f.Open() {
			verb = "was"
		}
		phrase = fmt.Sprintf("%s unlike its %d peers", verb, why.Peers)
	}
	s := info.Name + " " + phrase
	switch {
	case why.View == series.ViewPeers && known(obs):
		s += fmt.Sprintf(": %s, theirs %s", quantity(obs, info.Unit), quantity(why.Usual, info.Unit))
	case why.View == series.ViewFlat && known(obs):
		s += ": " + quantity(obs, info.Unit) + " for " + duration(why.Value)
	case meanOf(why.View) != "":
		s += ": " + offset(why.Deviation, why.Usual, info.Unit) + " its usual " + quantity(why.Usual, info.Unit)
	case known(obs) && known(exp):
		s += fmt.Sprintf(": %s, expected %s", quantity(obs, info.Unit), quantity(exp, info.Unit))
	case known(exp):
		s += ", expected " + quantity(exp, info.Unit)
	case known(obs):
		s += ": " + quantity(obs, info.Unit)
	}
	// Who is woken by a disk at 93 % must not read the 53 % at which it stood out most.
	if now := f.Score.Observed; f.Open() && !f.Stale && f.WorstAt != r.Time && known(now) && known(obs) && quantity(now, info.Unit) != quantity(obs, info.Unit) {
		s += ", now " + quantity(now, info.Unit)
	}
	if where := r.Labels.String(); where != "{}" {
		s += " " + shorten(where, maxSeriesText)
	}
	return s
}

// description is the whole story in plain sentences: the worst point, why that is
// an anomaly, how seldom it is, since when, and how it is now.
func description(info SignalInfo, r series.Result, f series.Finding, c Context) string {
	isNow := f.Open() && !f.Stale && f.WorstAt == r.Time
	sentences := []string{observation(info, f, isNow), reason(f.Worst.Why), rarity(f.Worst.Why.Days)}
	if f.Worst.Why.View == series.ViewPeers {
		sentences[2] = strings.Replace(sentences[2], "In this series", "Among these replicas", 1)
	}
	if f.Open() {
		sentences = append(sentences, since(info, r, f))
	}
	switch {
	case f.Open() && f.Stale:
		sentences = append(sentences, StaleNote(r.Time))
	case f.Open() && !isNow && r.Time > 0:
		sentences = append(sentences, present(info, r, f))
	case !f.Open():
		ended := "is back to ordinary"
		if looks := cmp.Or(f.Reclassified, f.Type); looks == series.TypeLevelShift || looks == series.TypeDrift {
			ended = "counts as ordinary" // it need not have gone back: a new level is learned
		}
		sentences = append(sentences, fmt.Sprintf("It began %s and %s since %s, after %s.",
			moment(info, f.Start), ended, clock(f.End), duration(float64(f.End-f.Start)/1000)))
	}
	if f.Reclassified != "" && f.Reclassified != f.Type {
		verb := "now looks"
		if !f.Open() {
			verb = "later looked"
		}
		sentences = append(sentences, fmt.Sprintf("It opened as %s and %s like %s.", words(f.Type), verb, words(f.Reclassified)))
	}
	sentences = append(sentences, rolloutSentence(info, r, f), c.sentences(),
		fmt.Sprintf("Score %s at its highest, where 1 is the alert boundary.", digits(f.Peak)),
		fmt.Sprintf("Confidence %s (%.2f).", words(series.ConfidenceLevel(f.Confidence)), f.Confidence))
	if name := r.SourceName + r.Labels.String(); name != "{}" {
		sentences = append(sentences, "Series: "+shorten(name, maxSeriesText)+".")
	}
	said := sentences[:0]
	for _, s := range sentences {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, " ")
}

// words writes an identifier as words.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// observation compares what was seen at the worst point with what was expected.
func observation(info SignalInfo, f series.Finding, isNow bool) string {
	w, unit := f.Worst, info.Unit
	when := "When it stood out most, " + clock(f.WorstAt) + ", "
	if isNow {
		when = "At " + clock(f.WorstAt) + " "
	}
	var b strings.Builder
	b.WriteString(when)
	mean := meanOf(w.Why.View)
	switch {
	case mean != "":
		fmt.Fprintf(&b, "the mean of the last %s was %s its usual %s; the value itself was %s", mean,
			offset(w.Why.Deviation, w.Why.Usual, unit), quantity(w.Why.Usual, unit), quantity(w.Observed, unit))
	case !known(w.Observed):
		b.WriteString("no value was observed")
	case w.Why.View == series.ViewPeers:
		fmt.Fprintf(&b, "the value was %s, %s what its %d peers have, %s", quantity(w.Observed, unit),
			offset(w.Why.Deviation, w.Why.Usual, unit), w.Why.Peers, quantity(w.Why.Usual, unit))
	default:
		b.WriteString("the value was " + quantity(w.Observed, unit))
	}
	if known(w.Expected) {
		fmt.Fprintf(&b, ", expected %s", quantity(w.Expected, unit))
	}
	switch lower, upper := known(w.Lower), known(w.Upper); {
	case lower && upper:
		fmt.Fprintf(&b, ", ordinary from %s to %s", quantity(w.Lower, unit), quantity(w.Upper, unit))
	case lower:
		fmt.Fprintf(&b, ", ordinary from %s up", quantity(w.Lower, unit))
	case upper:
		fmt.Fprintf(&b, ", ordinary up to %s", quantity(w.Upper, unit))
	}
	b.WriteString(".")
	if d := w.Observed - w.Expected; mean == "" && w.Why.View != series.ViewFlat && w.Why.View != series.ViewPeers && known(d) && math.Abs(d) > negligible*math.Abs(w.Expected) {
		fmt.Fprintf(&b, " That is %s the expectation.", offset(w.Observed-w.Expected, w.Expected, unit))
	}
	return b.String()
}

// negligible is the share of the expectation below which a deviation is 0 %.
const negligible = 0.0005

// offset says how far d is from what it is measured from, in the unit and
// relative to that: in percent, from 1000 % on as a multiple, and not at all
// where it is 0.
//
//	3.1 cores (+282 %) above
func offset(d, from float64, unit string) string {
	side := "above"
	if d < 0 {
		side = "below"
	}
	s := difference(math.Abs(d), unit)
	switch rel := d / math.Abs(from); {
	case from == 0 || !known(rel):
		return s + " " + side
	case rel >= 10 && from > 0:
		return fmt.Sprintf("%s (%s times as much) %s", s, strconv.FormatFloat(1+d/from, 'g', 3, 64), side)
	default:
		return fmt.Sprintf("%s (%+.0f %%) %s", s, 100*rel, side)
	}
}

// meanOf returns the length of the window of a view of means, "" for another.
func meanOf(view string) string {
	return map[string]string{series.ViewMean10m: "10 min", series.ViewMean6h: "6 h"}[view]
}

// reason says in which view the series stood out and what it takes there.
func reason(w series.Why) string {
	value, limit := digits(w.Value), digits(w.Limit)
	if mean := meanOf(w.View); mean != "" {
		return fmt.Sprintf("Seen in that mean: %s usual deviations, an alert takes %s.", value, limit)
	}
	switch w.View {
	case series.ViewChange:
		return fmt.Sprintf("Seen in a step of the level within the last hour: %s usual changes from hour to hour, an alert takes %s.", value, limit)
	case series.ViewValue:
		return fmt.Sprintf("Seen in the value itself: %s usual deviations, an alert takes %s.", value, limit)
	case series.ViewVariance:
		return fmt.Sprintf("Seen in how much it varies: %s times as much as usual, an alert takes %s times.", value, limit)
	case series.ViewShape:
		return fmt.Sprintf("Seen in the last values together: %s usual spreads, an alert takes %s.", value, limit)
	case series.ViewFlat:
		return fmt.Sprintf("It has not changed for %s, an alert takes %s.", duration(w.Value), duration(w.Limit))
	case series.ViewGap:
		return fmt.Sprintf("No value for %s, an alert takes %s.", duration(w.Value), duration(w.Limit))
	case series.ViewState:
		return fmt.Sprintf("It has had this one of its two values for %s, an alert takes %s.", duration(w.Value), duration(w.Limit))
	case series.ViewAway:
		return fmt.Sprintf("About %s of the last points were not at its one usual value, an alert takes %s.", value, limit)
	case series.ViewLate:
		return fmt.Sprintf("What comes by the clock came %s ago, an alert takes %s.", duration(w.Value), duration(w.Limit))
	case series.ViewPeers:
		return fmt.Sprintf("Seen against its %d peers: for minutes %s of their usual differences apart, an alert takes %s.", w.Peers, value, limit)
	case series.ViewStays:
		return fmt.Sprintf("It comes and goes, and has been there for %s; an alert takes %s.", duration(w.Value), duration(w.Limit))
	}
	return ""
}

// rarity says how seldom that is; 0 days are not known.
func rarity(days float64) string {
	const hour = 1.0 / 24
	switch {
	case !(days > 0):
		return ""
	case days > 365:
		return "In this series that is seen less than once a year."
	case days >= 1.5:
		return fmt.Sprintf("In this series that is seen about once in %.0f days.", days)
	case days >= 1.5*hour:
		return fmt.Sprintf("In this series that is seen about once in %.0f hours.", days/hour)
	}
	return "In this series that is seen more than once an hour."
}

// since says when it began, in which hour of the week, and how long that is.
func since(info SignalInfo, r series.Result, f series.Finding) string {
	s := "Unusual since " + moment(info, f.Start)
	if d := r.Time - f.Start; d > 0 {
		s += ", for " + duration(float64(d)/1000)
	}
	return s + "."
}

// moment writes a time with the bucket of the season it is in, the hour of the week in
// local time.
func moment(info SignalInfo, ms int64) string {
	loc := info.Location
	if loc == nil {
		loc = time.UTC
	}
	t := time.UnixMilli(ms).In(loc)
	return fmt.Sprintf("%s (%s %02d h %s)", clock(ms), t.Weekday(), t.Hour(), loc)
}

// present says how an open finding is at the newest point.
func present(info SignalInfo, r series.Result, f series.Finding) string {
	s := f.Score
	text := "Now, " + clock(r.Time) + ", "
	if known(s.Observed) {
		text += "it is " + quantity(s.Observed, info.Unit)
	} else {
		text += "there is no value"
	}
	if known(s.Expected) {
		text += ", expected " + quantity(s.Expected, info.Unit)
	}
	if known(s.Value) {
		text += ", score " + digits(s.Value)
	}
	return text + "."
}
