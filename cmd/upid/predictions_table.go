package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/views"
	"github.com/upid/upid/rules"
)

// value returns a number of the API, NaN if it is not known.
func value(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func values(vs []*float64) []float64 {
	out := make([]float64, len(vs))
	for i, v := range vs {
		out[i] = value(v)
	}
	return out
}

// quantity returns a value in its unit, "-" if it is not known.
func quantity(v *float64, unit string) string {
	if v == nil {
		return "-"
	}
	return rules.Quantity(*v, unit)
}

// unchanged stands for an interval without width.
const unchanged = "constant so far"

// noWidth reports whether two bounds are one but for rounding.
func noWidth(lower, upper *float64) bool {
	return lower != nil && upper != nil && *upper-*lower <= 1e-9*max(math.Abs(*lower), math.Abs(*upper))
}

// interval returns two bounds; a unit that both have stands once. Bounds that are one
// are those of a series that never changed: nothing is known of how far it could.
func interval(lower, upper *float64, unit string) string {
	switch {
	case lower == nil && upper == nil:
		return "-"
	case noWidth(lower, upper):
		return unchanged
	}
	l, u := quantity(lower, unit), quantity(upper, unit)
	if n, ln, ok := strings.Cut(l, " "); ok {
		if _, un, _ := strings.Cut(u, " "); ln == un {
			l = n
		}
	}
	return l + " … " + u
}

// trust returns a confidence and its level.
func trust(confidence *float64, level string) string {
	if confidence == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f %s", *confidence, strings.ReplaceAll(level, "_", " "))
}

// spark draws where a series goes, on its own scale: from now on, at least one point.
func spark(vs []*float64, columns int) string { return sparkOf(vs, columns, 2) }

// recentSpark draws where a series came from. Up to two points have no shape.
func recentSpark(vs []*float64, columns int) string { return sparkOf(vs, columns, 3) }

func sparkOf(vs []*float64, columns, least int) string {
	y := values(vs)
	if known := slices.DeleteFunc(slices.Clone(y), math.IsNaN); len(known) < least {
		return ""
	}
	low, high := output.Extent(y)
	return output.Spark(y, columns, low, high)
}

// canonical returns labels as {a="b"}, with the name in front.
func canonical(m map[string]string) string {
	m = maps.Clone(m)
	name := m["source_name"]
	delete(m, "source_name")
	return name + labels.FromMap(m).String()
}

// pairs returns the labels of m that are not in common as a=b, sorted.
func pairs(m, common map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if v, same := common[name]; !same || v != m[name] {
			out = append(out, name+"="+m[name])
		}
	}
	return strings.Join(out, " ")
}

// inCommon returns the labels that all have alike.
func inCommon(of []map[string]string) map[string]string {
	out := maps.Clone(of[0])
	for _, m := range of[1:] {
		maps.DeleteFunc(out, func(name, v string) bool { have, ok := m[name]; return !ok || have != v })
	}
	return out
}

// naming is how the series of a signal are told apart.
type naming struct {
	common map[string]string // labels that all have alike
	label  string            // the only other one; "" if there are more
}

// nameSeries looks at all predictions of a signal.
func nameSeries(ps []views.Prediction) naming {
	seen := map[string]bool{}
	var all []map[string]string
	for i := range ps {
		if k := canonical(ps[i].Labels); !seen[k] {
			seen[k] = true
			all = append(all, ps[i].Labels)
		}
	}
	if len(all) < 2 {
		return naming{common: map[string]string{}, label: ""}
	}
	common := inCommon(all)
	return naming{common: common, label: onlyOther(all, common)}
}

// of returns what a series is called among the others.
func (n naming) of(ls map[string]string) string {
	if n.label != "" {
		return ls[n.label]
	}
	if name := pairs(ls, n.common); name != "" {
		return name
	}
	return "all"
}

// onlyOther returns the one label by which the series differ, "" if there are more:
// then its name need not stand in every row.
func onlyOther(of []map[string]string, common map[string]string) string {
	other := ""
	for _, m := range of {
		for name := range m {
			if _, same := common[name]; same || name == other {
				continue
			}
			if other != "" {
				return ""
			}
			other = name
		}
	}
	return other
}

// maxShown is how many series of a signal a table shows to somebody who did not ask
// for all of them. One more is shown rather than counted.
const maxShown = 5

// predictionTable writes a table for each signal, under its name and what all of
// its series have in common: those that matter most first, and of many only these
// unless all are wanted. ps are sorted by signal and series.
func predictionTable(w io.Writer, st output.Style, width int, ps []views.Prediction, everything bool) error {
	var b strings.Builder
	for i := 0; i < len(ps); {
		j := i
		for j < len(ps) && ps[j].Signal == ps[i].Signal && ps[j].ModelType == ps[i].ModelType {
			j++
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		rows, left := foremost(ps[i:j], everything)
		if err := predictionGroup(&b, st, width, rows, nameSeries(ps[i:j])); err != nil {
			return err
		}
		if left > 0 {
			b.WriteString(st.Dim(fmt.Sprintf("… and %s more series; --all or --signal %s shows them", output.Count(left), output.Printable(ps[i].Signal))) + "\n")
		}
		i = j
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// foremost returns the predictions of one signal by series: scores with the highest
// first, forecasts with the largest first, by the longest horizon. left is how many
// series it left out.
func foremost(ps []views.Prediction, everything bool) (rows []views.Prediction, left int) {
	type group struct {
		weight float64
		rows   []views.Prediction
	}
	var groups []group
	for i := 0; i < len(ps); {
		j, k := i, canonical(ps[i].Labels)
		for j < len(ps) && canonical(ps[j].Labels) == k {
			j++
		}
		last := ps[j-1]
		weight := math.Abs(value(last.Value))
		if last.ModelType == views.AnomalyDetection {
			weight = value(last.Score)
		}
		groups = append(groups, group{weight, ps[i:j]})
		i = j
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		switch {
		case a.weight > b.weight, math.IsNaN(b.weight) && !math.IsNaN(a.weight):
			return -1
		case b.weight > a.weight, math.IsNaN(a.weight) && !math.IsNaN(b.weight):
			return 1
		}
		return 0
	})
	if !everything && len(groups) > maxShown+1 {
		groups, left = groups[:maxShown], len(groups)-maxShown
	}
	for _, g := range groups {
		rows = append(rows, g.rows...)
	}
	return rows, left
}

func predictionGroup(b *strings.Builder, st output.Style, width int, ps []views.Prediction, names naming) error {
	b.WriteString(heading(st, width, ps[0].Signal, pairs(names.common, nil)) + "\n")

	columns := min(12+(width-output.Width)/4, 24)
	if ps[0].ModelType == views.SecurityThreat {
		return riskGroup(b, st, ps)
	}
	scores := ps[0].ModelType == views.AnomalyDetection
	g := output.Grid{Width: width}
	if scores {
		g.Head = []string{"SERIES", "OBSERVED", "EXPECTED", "ORDINARY", "SCORE", "CONF", "RECENT"}
		g.Right = []bool{false, true, true, false, true, true, false}
	} else {
		g.Head = []string{"SERIES", "IN", "VALUE", intervalHead(ps), "CONFIDENCE", "UNTIL THEN"}
		g.Right = []bool{false, true, true, false, false, false}
	}
	if names.label != "" {
		g.Head[0] = strings.ToUpper(names.label)
	}
	var series []string // the name of each row's series, "" in further rows of it
	before := ""
	for i, p := range ps {
		name, k := names.of(p.Labels), canonical(p.Labels)
		if !scores && i > 0 && k == before {
			name = "" // a further horizon of the series above
		}
		before = k
		series = append(series, name)
		if scores {
			g.Add(name, quantity(p.Observed, p.Unit), quantity(p.Value, p.Unit), interval(p.Lower, p.Upper, p.Unit),
				score(p.Score), score(p.Confidence), recentSpark(p.Path, columns-2))
			continue
		}
		way := p.Path
		if p.Observed != nil {
			way = append([]*float64{p.Observed}, way...) // from now on
		}
		g.Add(name, p.Horizon, quantity(p.Value, p.Unit), interval(p.Lower, p.Upper, p.Unit),
			trust(p.Confidence, p.ConfidenceLevel), spark(way, columns))
	}
	if g.Whole() {
		return g.Write(b, st)
	}
	if short := g.WithoutLast(); scores && short.Whole() { // names are worth more than a picture
		return short.Write(b, st)
	}
	return stacked(b, st, width, g, series)
}

// stacked writes the table with each series in a line of its own above its rows.
func stacked(b *strings.Builder, st output.Style, width int, g output.Grid, names []string) error {
	var t strings.Builder
	g.First("") // an indentation is left
	if err := g.Write(&t, st); err != nil {
		return err
	}
	for i, l := range slices.Collect(strings.Lines(t.String())) {
		if i > 0 && names[i-1] != "" {
			b.WriteString(st.Cut(names[i-1], width) + "\n")
		}
		b.WriteString(l)
	}
	return nil
}

// heading is a signal's name in bold and, fainter, what is said of it.
func heading(st output.Style, width int, name, note string) string {
	name = st.Cut(name, width)
	if room := width - 2 - len([]rune(name)); note != "" && (st.Whole || room > 8) {
		return st.Bold(name) + "  " + st.Dim(st.Cut(note, room))
	}
	return st.Bold(name)
}

// intervalHead names the level if all have the same.
func intervalHead(ps []views.Prediction) string {
	level := value(ps[0].Level)
	for _, p := range ps {
		if value(p.Level) != level {
			return "INTERVAL"
		}
	}
	return fmt.Sprintf("%.4g %% INTERVAL", 100*level)
}

// score returns a score or a confidence with two digits after the point, "-" where
// it is not known.
func score(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v)
}

// riskGroup writes the risk of each entity of a signal.
func riskGroup(b *strings.Builder, st output.Style, ps []views.Prediction) error {
	g := output.Grid{
		Head: []string{"ENTITY", "RISK", "CONF", "THREAT", "TECHNIQUE", "EVIDENCE"}, Right: []bool{false, true, true, false, false, false},
		Give: 5, Least: 20,
	}
	for i := range ps {
		p := &ps[i]
		evidence := ""
		if len(p.Evidence) > 0 {
			evidence = p.Evidence[0]
		}
		g.Add(p.Labels["entity"], fmt.Sprintf("%.0f", value(p.Value)), score(p.Confidence), p.Threat, strings.ReplaceAll(p.Technique, ";", " "), evidence)
	}
	return g.Write(b, st)
}
