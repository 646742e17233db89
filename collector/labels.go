package collector

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// Labels come from other people's targets: what is larger than this is no label
// but an attack or an accident, and its series is left out and counted.
const (
	maxLabels     = 40
	maxLabelName  = 256  // bytes
	maxLabelValue = 1024 // bytes
)

// The reasons in upid_series_dropped_total for which a series is left out here.
const (
	reasonLength  = "label_length" // a name, a value or their number is over the limit
	reasonUTF8    = "utf8"         // not valid UTF-8
	reasonInvalid = "invalid"      // an empty label name or one with control characters
)

var exportReasons = []string{reasonLength, reasonUTF8, reasonInvalid}

// sourcePrefix is put before the name of an input label that clashes.
const sourcePrefix = "source_"

// reserved reports whether an input label must be renamed: on every metric,
// whether or not that metric has the own label, so that all metrics of a series
// join.
func reserved(name string) bool {
	return name == model.MetricNameLabel || series.IsOwnLabel(name)
}

// form is the label set of a series as it stands on /metrics, without the
// closing brace, for scrapers that do and do not understand UTF-8 label names.
// The two share memory unless a name needs it.
type form struct{ legacy, utf8 string }

// pair is one label on its way out.
type pair struct{ name, legacy, value string }

// formOf renders the labels of a series of signal: the signal first, then the
// input's labels in order of their legacy name, clashing ones renamed.
// sourceName is added as source_name unless it is empty. reason is not empty if
// the series cannot be exported.
func formOf(signal, sourceName string, ls labels.Labels) (f form, reason string) {
	pairs := make([]pair, 0, 8)
	reason = refuse("signal", signal)
	ls.Range(func(l labels.Label) {
		if l.Value == "" || l.Name == model.MetricNameLabel {
			return // absent, to Prometheus; and the name is upid's
		}
		if reason == "" {
			reason = refuse(l.Name, l.Value)
		}
		pairs = append(pairs, pair{name: l.Name, value: l.Value})
	})
	if reason == "" && sourceName != "" {
		reason = refuse(model.MetricNameLabel, sourceName)
	}
	if reason == "" && len(pairs) > maxLabels {
		reason = reasonLength
	}
	if reason != "" {
		return form{}, reason
	}
	rename(pairs)
	if sourceName != "" {
		pairs = append(pairs, pair{"source_name", "source_name", sourceName})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.legacy, b.legacy) })

	b := appendLabel([]byte{'{'}, "signal", signal)
	for _, p := range pairs {
		b = appendLabel(append(b, ','), p.legacy, p.value)
	}
	f.legacy = string(b)
	f.utf8 = f.legacy
	if slices.ContainsFunc(pairs, func(p pair) bool { return p.name != p.legacy }) {
		b = appendLabel(append(b[:0], '{'), "signal", signal)
		for _, p := range pairs {
			b = appendLabel(append(b, ','), p.name, p.value)
		}
		f.utf8 = string(b)
	}
	return f, ""
}

// refuse returns why a label cannot be exported, or "".
func refuse(name, value string) string {
	switch {
	case len(name) > maxLabelName || len(value) > maxLabelValue:
		return reasonLength
	case !utf8.ValidString(name) || !utf8.ValidString(value):
		return reasonUTF8
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return reasonInvalid // Prometheus' lexers stop at a NUL inside a name
	}
	return ""
}

// rename gives every pair a name that is not reserved, and a legacy name beside
// it: the same if it may stand in the classic text format, else with underscores
// for what may not. Both stay unique in the series.
func rename(pairs []pair) {
	taken := make([]string, 0, len(pairs))
	for _, p := range pairs {
		if !reserved(p.name) {
			taken = append(taken, p.name)
		}
	}
	for i, p := range pairs {
		if reserved(p.name) {
			pairs[i].name = unique(p.name, taken)
			taken = append(taken, pairs[i].name)
		}
	}
	taken = taken[:0]
	for i, p := range pairs {
		if model.LegacyValidation.IsValidLabelName(p.name) {
			pairs[i].legacy = p.name
			taken = append(taken, p.name)
		}
	}
	for i, p := range pairs {
		if p.legacy == "" {
			// A colon is legal in a metric's name, which EscapeName is for, but not in a label's.
			escaped := strings.ReplaceAll(model.EscapeName(p.name, model.UnderscoreEscaping), ":", "_")
			pairs[i].legacy = unique(escaped, taken)
			taken = append(taken, pairs[i].legacy)
		}
	}
}

// unique returns name with as many prefixes as it takes to be neither reserved
// nor taken.
func unique(name string, taken []string) string {
	for reserved(name) || slices.Contains(taken, name) {
		name = sourcePrefix + name
	}
	return name
}

// appendLabel appends name="value", quoting a name that is not a legacy one.
func appendLabel(b []byte, name, value string) []byte {
	if model.LegacyValidation.IsValidLabelName(name) {
		b = append(b, name...)
	} else {
		b = append(appendEscaped(append(b, '"'), name), '"')
	}
	return append(appendEscaped(append(b, '=', '"'), value), '"')
}

// appendEscaped appends s as both text formats write it between quotes.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\', '"':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, c)
		}
	}
	return b
}

// HorizonLabel returns d in the largest exact unit of d, h and m: 7d, 36h, 10m.
// What is not whole minutes is in seconds, or as time.Duration prints it. Equal
// labels mean equal durations.
func HorizonLabel(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.name
		}
	}
	return d.String()
}
