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

// interval returns two bounds; a unit that both have stands once.
func interval(lower, upper *float64, unit string) string {
	if lower == nil && upper == nil {
		return "-"
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

// spark draws points on their own scale.
func spark(vs []*float64, columns int) string {
	y := values(vs)
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

// predictionTable writes a table for each signal, under its name and what all of
// its series have in common. ps are sorted by signal and series.
func predictionTable(w io.Writer, st output.Style, width int, ps []views.Prediction) error {
	var b strings.Builder
	for i := 0; i < len(ps); {
		j := i
		for j < len(ps) && ps[j].Signal == ps[i].Signal && ps[j].ModelType == ps[i].ModelType {
			j++
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		if err := predictionGroup(&b, st, width, ps[i:j]); err != nil {
			return err
		}
		i = j
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func predictionGroup(b *strings.Builder, st output.Style, width int, ps []views.Prediction) error {
	names := nameSeries(ps)
	b.WriteString(heading(st, width, ps[0].Signal, pairs(names.common, nil)) + "\n")

	columns := min(12+(width-output.Width)/4, 24)
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
				score(p.Score), score(p.Confidence), spark(p.Path, columns-2))
			continue
		}
		way := p.Path
		if p.Observed != nil {
			way = append([]*float64{p.Observed}, way...) // from now on
		}
		g.Add(name, p.Horizon, quantity(p.Value, p.Unit), interval(p.Lower, p.Upper, p.Unit),
			trust(p.Confidence, p.ConfidenceLevel), spark(way, columns))
	}
	if distinct(series, g.FirstWidth()) {
		return g.Write(b, st)
	}
	return stacked(b, st, width, g, series)
}

// distinct reports whether the names can still be told apart when they are cut.
func distinct(names []string, width int) bool {
	seen := map[string]bool{}
	for _, n := range names {
		cut := output.Cut(n, width)
		if n != "" && seen[cut] {
			return false
		}
		seen[cut] = true
	}
	return true
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
			b.WriteString(output.Cut(names[i-1], width) + "\n")
		}
		b.WriteString(l)
	}
	return nil
}

// heading is a signal's name in bold and, fainter, what is said of it.
func heading(st output.Style, width int, name, note string) string {
	name = output.Cut(name, width)
	if room := width - 2 - len([]rune(name)); note != "" && room > 8 {
		return st.Bold(name) + "  " + st.Dim(output.Cut(note, room))
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
