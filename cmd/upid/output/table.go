package output

import (
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Width is how wide tables may be on a terminal that does not say how wide it is.
const Width = 80

// Grid is a table with a header. Columns are as wide as their content; if the
// table would be wider than it may be, one column is cut, its cells all at the same
// place. Cells that differ still differ when they are cut: where that takes more room
// than there is, the table is wider than it may be. Nothing is cut in a style that is Whole.
type Grid struct {
	Head  []string
	Right []bool // align to the right, by column
	Width int    // of the table at most; 0 is Width
	Give  int    // the column that is cut, such as one of names; the first is the default
	Least int    // what is left of that column at least; 0 is 8
	rows  [][]string
}

// Add appends a row, which has a cell for every column.
func (g *Grid) Add(cells ...string) { g.rows = append(g.rows, cells) }

// Len returns the number of rows.
func (g *Grid) Len() int { return len(g.rows) }

// First makes the first column say text in the header and in every row.
func (g *Grid) First(text string) {
	for _, row := range append([][]string{g.Head}, g.rows...) {
		row[0] = text
	}
}

// WithoutLast returns the table without its last column.
func (g *Grid) WithoutLast() *Grid {
	n := len(g.Head) - 1
	out := &Grid{Head: g.Head[:n], Right: g.Right[:n], Width: g.Width, Give: g.Give, Least: g.Least}
	for _, row := range g.rows {
		out.rows = append(out.rows, row[:n])
	}
	return out
}

// Whole reports whether no cell is cut.
func (g *Grid) Whole() bool {
	widths, _ := g.widths()
	for _, row := range g.rows {
		if utf8.RuneCountInString(row[g.Give]) > widths[g.Give] {
			return false
		}
	}
	return true
}

// widths returns those of the columns, and how much of a cell that is cut comes before
// the ellipsis.
func (g *Grid) widths() (widths []int, head int) {
	widths = make([]int, len(g.Head))
	for _, row := range append([][]string{g.Head}, g.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	total := 2 * (len(widths) - 1)
	for _, n := range widths {
		total += n
	}
	most := g.Width
	if most == 0 {
		most = Width
	}
	whole, least := widths[g.Give], g.Least
	if least == 0 {
		least = 8
	}
	if total <= most || whole <= least {
		return widths, whole / 2
	}
	cells := make([]string, len(g.rows))
	for i, row := range g.rows {
		cells[i] = Printable(row[g.Give])
	}
	widths[g.Give], head = apart(cells, max(least, whole-(total-most)), whole)
	return widths, head
}

// apart returns the least width, least or more, at which cells that differ still differ
// when they are cut, and how much of them comes before the ellipsis then: half, or the
// most below it that tells them apart. At the width most nothing is cut.
func apart(cells []string, least, most int) (width, head int) {
	slices.Sort(cells)
	cells = slices.Compact(cells)
	seen := make(map[string]bool, len(cells))
	for width = least; width < most; width++ {
		for head = width / 2; head >= 0; head-- {
			clear(seen)
			if !slices.ContainsFunc(cells, func(s string) bool {
				s = cut(s, width, head)
				again := seen[s]
				seen[s] = true
				return again
			}) {
				return width, head
			}
		}
	}
	return most, most / 2
}

// Write writes the table. The header is dimmed if the style has colours.
func (g *Grid) Write(w io.Writer, st Style) error {
	if st.Whole {
		g = &Grid{Head: g.Head, Right: g.Right, Width: math.MaxInt, rows: g.rows}
	}
	widths, head := g.widths()
	var b strings.Builder
	b.WriteString(st.Dim(g.line(g.Head, widths, head)))
	b.WriteByte('\n')
	for _, row := range g.rows {
		b.WriteString(g.line(row, widths, head))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g *Grid) line(cells []string, widths []int, head int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		cell = cut(Printable(cell), widths[i], head)
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if g.Right[i] {
			cell, pad = pad+cell, ""
		}
		b.WriteString(cell)
		b.WriteString(pad)
	}
	return strings.TrimRight(b.String(), " ")
}

// Printable returns s with its control characters, line separators and those that
// turn the direction of writing replaced by U+FFFD: the names of series are other
// people's, and a terminal obeys what it is sent.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// Cut returns s, made Printable and shortened to n characters by an "…" in its middle: names that
// differ do so at either end.
func Cut(s string, n int) string { return cut(Printable(s), n, n/2) }

// cut leaves n runes of s at most, with head of them before the ellipsis.
func cut(s string, n, head int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	r := []rune(s)
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

// Style says what text may look like where it goes.
type Style struct {
	Colour bool // it may carry colours
	Whole  bool // nothing is cut: it goes to a file or a program, where a name must be found again
}

// Cut returns s, made Printable and, unless the style is Whole, shortened as by Cut.
func (s Style) Cut(text string, n int) string {
	if s.Whole {
		return Printable(text)
	}
	return Cut(text, n)
}

// Dim returns s in a fainter colour.
func (s Style) Dim(text string) string { return s.wrap("\x1b[2m", text) }

// Bold returns s in bold.
func (s Style) Bold(text string) string { return s.wrap("\x1b[1m", text) }

// Alarm returns s in the colour of what is wrong.
func (s Style) Alarm(text string) string { return s.wrap("\x1b[31m", text) }

// Caution returns s in the colour of what may go wrong.
func (s Style) Caution(text string) string { return s.wrap("\x1b[33m", text) }

// Good returns s in the colour of what is as it should be.
func (s Style) Good(text string) string { return s.wrap("\x1b[32m", text) }

// Accent returns s in the colour of what lies in the future.
func (s Style) Accent(text string) string { return s.wrap("\x1b[36m", text) }

func (s Style) wrap(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return code + text + "\x1b[0m"
}
