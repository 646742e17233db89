package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/series"
)

// Context is what is known around a finding, in short texts, see Short.
type Context struct {
	Together       []string // findings of other series that are in the same alert
	Elsewhere      []string // findings of other signals of about that time, about the same workload or host
	Business       []string // findings of KPIs of about that time, whose labels do not contradict
	Recommendation string   // the open recommendation that would help; "" if there is none
}

// RelatedWithin is the time, in milliseconds, within which findings that start may
// have one cause.
const RelatedWithin = 15 * 60 * 1000

// maxListed bounds how many findings a text lists.
const maxListed = 8

// more says in a summary how many series there are beside the one it is about.
func (c Context) more() string {
	switch n := len(c.Together); n {
	case 0:
		return ""
	case 1:
		return " and another series of the workload"
	default:
		return fmt.Sprintf(" and %d other series of the workload", n)
	}
}

// sentences follow a description.
func (c Context) sentences() string {
	var b strings.Builder
	list := func(title string, items []string) {
		if len(items) == 0 {
			return
		}
		b.WriteString(" " + title + ": " + strings.Join(items[:min(len(items), maxListed)], "; "))
		if n := len(items) - maxListed; n > 0 {
			fmt.Fprintf(&b, "; and %d more", n)
		}
		b.WriteString(".")
	}
	list("In the same workload", c.Together)
	list("What else moved", c.Elsewhere)
	list("KPIs that moved with it", c.Business)
	if c.Recommendation != "" {
		b.WriteString(" Open recommendation: " + c.Recommendation + ".")
	}
	return strings.TrimSpace(b.String())
}

// Short says in a few words which series is odd, how, since when and by how much.
func Short(info SignalInfo, r series.Result, f series.Finding) string {
	s := info.Name + " " + words(f.Type) + " since " + clock(f.Start)
	if !f.Open() {
		s = info.Name + " " + words(f.Type) + " from " + clock(f.Start) + " to " + clock(f.End)
	}
	if obs, exp := f.Worst.Observed, f.Worst.Expected; known(obs) && known(exp) {
		s += fmt.Sprintf(", %s, expected %s", quantity(obs, info.Unit), quantity(exp, info.Unit))
	}
	if where := r.Labels.String(); where != "{}" {
		s += " " + shorten(where, maxSeriesText)
	}
	return s
}

// Subjects returns what a series is about, for telling whether another one is about
// the same: its workload, and the host of its instance or node label.
func Subjects(ls labels.Labels) []string {
	var out []string
	if w, ok := Workload(ls); ok {
		out = append(out, "workload\xff"+w)
	}
	for _, name := range []string{"instance", "node"} {
		v := ls.Get(name)
		// host:port, or [address]:port; an address alone has more than one colon.
		if i := strings.LastIndexByte(v, ':'); i >= 0 && (strings.IndexByte(v, ':') == i || v[i-1] == ']') {
			v = strings.Trim(v[:i], "[]")
		}
		if v != "" {
			out = append(out, "host\xff"+v)
		}
	}
	return out
}

// compared are labels that, where two series have both, must agree for one to have moved with the other.
var compared = append([]string{"cluster", "namespace", "environment"}, controllers...)

// Compatible reports whether nothing in the labels of two series says that they are about
// different things: a KPI of a whole shop has no label, one of a service has its name.
func Compatible(a, b labels.Labels) bool {
	return !slices.ContainsFunc(compared, func(name string) bool {
		x, y := a.Get(name), b.Get(name)
		return x != "" && y != "" && x != y
	})
}

// MovedWith reports whether an anomaly of a KPI may have moved with one of something else: nothing says
// that they are about different things. Two KPIs are compared as all signals are.
func MovedWith(kpi SignalInfo, kpiLabels labels.Labels, info SignalInfo, ls labels.Labels) bool {
	return kpi.Type == TypeBusiness && info.Type != TypeBusiness && Compatible(kpiLabels, ls)
}

// SameSubject reports whether two series with these Subjects have one in common.
func SameSubject(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
