package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/series"
)

// forecastTable shows a block for each of a few series, and a line for each of
// many.
type forecastTable struct {
	w       io.Writer
	style   output.Style
	loc     *time.Location
	horizon time.Duration
	blocks  int          // written so far
	lines   *output.Grid // nil: blocks
}

// maxBlocks is how many series are shown in full: more than fill three screens.
const maxBlocks = 5

func newForecastTable(e *env, n int, horizon time.Duration) *forecastTable {
	t := &forecastTable{w: e.stdout, style: e.style(), loc: e.loc, horizon: horizon}
	if n > maxBlocks {
		t.lines = &output.Grid{
			Head:  []string{"SERIES", "PAST", "FUTURE", "NOW", "IN " + output.Horizon(horizon), "LOWER", "UPPER", "CONFIDENCE"},
			Right: []bool{false, false, false, true, true, true, true, false},
		}
	}
	return t
}

func (t *forecastTable) add(name string, y series.Series, f *series.Forecast) error {
	if t.lines == nil {
		return t.block(name, y, f)
	}
	past := recent(y, len(f.Point))
	low, high := output.Extent(past, f.Point)
	last := len(f.Point) - 1
	t.lines.Add(name,
		output.Spark(past, 10, low, high), output.Spark(f.Point, 6, low, high),
		output.Human(newest(y)), output.Human(f.Point[last]), output.Human(f.Lower[last]), output.Human(f.Upper[last]),
		series.ConfidenceLevel(f.Confidence))
	return nil
}

func (t *forecastTable) close() error {
	if t.lines == nil || t.lines.Len() == 0 {
		return nil
	}
	return t.lines.Write(t.w, t.style)
}

// The sparkline of a block: two thirds past, one third future.
const (
	pastColumns   = 52
	futureColumns = 26
)

func (t *forecastTable) block(name string, y series.Series, f *series.Forecast) error {
	var b strings.Builder
	if t.blocks++; t.blocks > 1 {
		b.WriteByte('\n')
	}
	b.WriteString(t.style.Bold(output.Cut(name, output.Width)) + "\n")
	past := recent(y, 2*len(f.Point))
	low, high := output.Extent(past, f.Point)
	left := output.Spark(past, pastColumns, low, high)
	right := output.Spark(f.Point, futureColumns, low, high)
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
	_, err := io.WriteString(t.w, b.String())
	return err
}

// worth says how good the forecast is and how that is known.
func worth(f *series.Forecast) string {
	s := fmt.Sprintf("%.2f (%s)", f.Confidence, series.ConfidenceLevel(f.Confidence))
	if a := f.Accuracy; a.Origins > 0 && !math.IsNaN(a.MASE) {
		s += fmt.Sprintf(", held-out MASE %.2f, %.0f %% inside the interval", a.MASE, 100*a.Coverage)
	}
	return s
}

// members names the model and what it consists of, as far as a line allows.
func members(f *series.Forecast) string {
	s := f.Model
	for i, m := range f.Members {
		part := fmt.Sprintf("%s %.0f %%", m.Name, 100*m.Weight)
		switch {
		case m.Name == f.Model:
			continue
		case i == 0:
			part = " = " + part
		default:
			part = " + " + part
		}
		if len(s)+len(part) > output.Width-len("model       ")-len(" + …") {
			return s + " + …"
		}
		s += part
	}
	return s
}

// recent returns the last n points of y.
func recent(y series.Series, n int) []float64 {
	return y.Values[max(0, len(y.Values)-n):]
}

// newest returns the last number in y, NaN if there is none.
func newest(y series.Series) float64 {
	for i := len(y.Values) - 1; i >= 0; i-- {
		if !math.IsNaN(y.Values[i]) {
			return y.Values[i]
		}
	}
	return math.NaN()
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
