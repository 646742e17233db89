package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/forecast"
)

// forecastTable shows a block for each of a few series, and a line for each of
// many.
type forecastTable struct {
	w        io.Writer
	style    output.Style
	loc      *time.Location
	calendar forecast.Calendar // its events are no part of trends, seasons and changes
	horizon  time.Duration
	blocks   int          // written so far
	lines    *output.Grid // nil: blocks
}

// maxBlocks is how many series are shown in full: more than fill three screens.
const maxBlocks = 5

func newForecastTable(e *env, calendar forecast.Calendar, n int, horizon time.Duration) *forecastTable {
	t := &forecastTable{w: e.stdout, style: e.style(), loc: e.loc, calendar: calendar, horizon: horizon}
	if n > maxBlocks {
		t.lines = &output.Grid{
			Head:  []string{"SERIES", "PAST", "FUTURE", "NOW", "IN " + output.Horizon(horizon), "LOWER", "UPPER", "CONF"},
			Right: []bool{false, false, false, true, true, true, true, true},
		}
	}
	return t
}

func (t *forecastTable) add(name string, y series.Series, f *series.Forecast) error {
	if t.lines == nil {
		return t.block(name, y, f)
	}
	past := recent(y, len(f.Point), f.Step)
	low, high := output.Extent(past, f.Point)
	last := len(f.Point) - 1
	t.lines.Add(name,
		output.Spark(past, 10, low, high), output.Spark(f.Point, 6, low, high),
		output.Human(newest(y)), output.Human(f.Point[last]), output.Human(f.Lower[last]), output.Human(f.Upper[last]),
		fmt.Sprintf("%.2f", f.Confidence))
	return nil
}

func (t *forecastTable) close() error {
	if t.lines == nil || t.lines.Len() == 0 {
		return nil
	}
	return t.lines.Write(t.w, t.style)
}

// sparkColumns is the width of a sparkline of past and future together, less the
// line between them.
const sparkColumns = output.Width - 2

// futureColumns returns how many columns the future takes, so that both sides
// have the same scale: but no fewer than can be seen.
func futureColumns(past, future int) int {
	return min(max(sparkColumns*future/(past+future), 6), sparkColumns/2)
}

func (t *forecastTable) block(name string, y series.Series, f *series.Forecast) error {
	var b strings.Builder
	if t.blocks++; t.blocks > 1 {
		b.WriteByte('\n')
	}
	b.WriteString(t.style.Bold(t.style.Cut(name, output.Width)) + "\n")
	past := recent(y, 2*len(f.Point), f.Step)
	low, high := output.Extent(past, f.Point)
	columns := futureColumns(len(past), len(f.Point))
	left := output.Spark(past, sparkColumns-columns, low, high)
	right := output.Spark(f.Point, columns, low, high)
	b.WriteString(left + "│" + t.style.Accent(right) + "\n")
	caption := fmt.Sprintf("%-*s", len([]rune(left)), "past "+output.Span(millis(int64(len(past))*y.Step)))
	b.WriteString(t.style.Dim(caption+"│next "+output.Span(millis(int64(len(f.Point))*f.Step))) + "\n\n")

	interval := fmt.Sprintf("%.4g %% INTERVAL", 100*f.Level)
	g := output.Grid{
		Head:  []string{"IN", "TIME", "VALUE", interval},
		Right: []bool{true, false, true, false},
	}
	for _, h := range horizons(millis(int64(len(f.Point))*f.Step), millis(f.Step)) {
		i := int(h.Milliseconds()/f.Step) - 1
		bounds := "-"
		if !math.IsNaN(f.Lower[i]) || !math.IsNaN(f.Upper[i]) {
			bounds = output.Human(f.Lower[i]) + " … " + output.Human(f.Upper[i])
		}
		g.Add(output.Horizon(h), output.Timestamp(f.Start+int64(i)*f.Step, t.loc), output.Human(f.Point[i]), bounds)
	}
	if err := g.Write(&b, t.style); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nconfidence  %s\nmodel       %s\n", worth(f), members(f))
	p := describe(forecast.Patterns(forecast.Without(y, t.calendar)), t.loc)
	for _, line := range []struct{ name, text string }{{"seasons", p.seasons}, {"trend", p.trends()}} {
		if line.text != "" {
			fmt.Fprintf(&b, "%-10s  %s\n", line.name, t.style.Cut(line.text, output.Width-12))
		}
	}
	label := "changed"
	for _, c := range p.changes { // a line each: cut in the middle, two would read as one
		fmt.Fprintf(&b, "%-10s  %s\n", label, c)
		label = ""
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

// worth says how good the forecast is and how that is known.
func worth(f *series.Forecast) string {
	s := fmt.Sprintf("%.2f (%s)", f.Confidence, series.ConfidenceLevel(f.Confidence))
	if a := f.Accuracy; a.Origins > 0 && !math.IsNaN(a.MASE) && !math.IsNaN(a.Coverage) {
		s += fmt.Sprintf(", held-out MASE %.2f, %.0f %% inside the interval", a.MASE, 100*a.Coverage)
	}
	return s
}

// members names the model and what it consists of, in up to two lines.
func members(f *series.Forecast) string {
	const indent = len("model       ")
	s, column := f.Model, indent+len(f.Model)
	lines := 1
	for i, m := range f.Members {
		if len(f.Members) == 1 && m.Name == f.Model {
			break
		}
		part := fmt.Sprintf("%s %.0f %%", m.Name, 100*m.Weight)
		if i == 0 {
			part = ": " + part
		} else {
			part = ", " + part
		}
		if column+len(part) > output.Width-len(", and 99 more") {
			if lines++; lines > 2 {
				return s + fmt.Sprintf(", and %d more", len(f.Members)-i)
			}
			s += ",\n" + strings.Repeat(" ", indent)
			part = strings.TrimPrefix(part, ", ")
			column = indent
		}
		s += part
		column += len(part)
	}
	return s
}

// recent returns the last n points of y, or those of two days if they are more.
func recent(y series.Series, n int, step int64) []float64 {
	n = max(n, int((48*time.Hour).Milliseconds()/step))
	return y.Values[max(0, len(y.Values)-n):]
}

// newest returns the last number in y, NaN if there is none.
func newest(y series.Series) float64 {
	for _, v := range slices.Backward(y.Values) {
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
