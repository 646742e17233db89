package main

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/upid/upid/cmd/upid/output"
)

// piece is a text and how it is coloured; paint may be nil. The text is made
// printable and cut before it is painted, so colours cost no room.
type piece struct {
	text  string
	paint func(string) string
}

// draw returns the piece in exactly width columns, or fewer if it is not to be
// padded.
func (p piece) draw(width int, right, pad bool) string {
	text := output.Cut(p.text, width)
	space := ""
	if pad {
		space = strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	}
	if p.paint != nil {
		text = p.paint(text)
	}
	if right {
		return space + text
	}
	return text + space
}

func (p piece) width() int { return utf8.RuneCountInString(output.Printable(p.text)) }

// line joins pieces by two blanks; what does not fit is cut or left out.
func line(width int, ps ...piece) string {
	var b strings.Builder
	room := width
	for _, p := range ps {
		if p.text == "" {
			continue
		}
		if room < width {
			if room < 2+min(8, p.width()) {
				break
			}
			b.WriteString("  ")
			room -= 2
		}
		b.WriteString(p.draw(room, false, false))
		room -= min(room, p.width())
	}
	return b.String()
}

// column is one of a table that fits itself into the width there is.
type column struct {
	head  string
	right bool
	rank  int  // columns of the highest are left out first; those of 0 never
	flex  bool // may be cut to a few characters
}

// leastFlex is how far a flexible column is cut before others are left out.
const leastFlex = 12

// layout returns a heading and the rows as lines of at most width columns.
func layout(width int, dim func(string) string, cols []column, rows [][]piece) []string {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, r := range rows {
			widths[i] = max(widths[i], r[i].width())
		}
	}
	shown := make([]int, len(cols))
	for i := range cols {
		shown[i] = i
	}
	total := func(width func(i int) int) int {
		n := 2 * (len(shown) - 1)
		for _, i := range shown {
			n += width(i)
		}
		return n
	}
	least := func(i int) int {
		if cols[i].flex {
			return min(widths[i], leastFlex)
		}
		return widths[i]
	}
	for total(least) > width {
		worst := slices.MaxFunc(shown, func(a, b int) int { return cols[a].rank - cols[b].rank })
		if cols[worst].rank == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == worst })
	}
	// The widest of the flexible ones give way.
	for over := total(func(i int) int { return widths[i] }) - width; over > 0; over-- {
		widest := -1
		for _, i := range shown {
			if cols[i].flex && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 || widths[widest] <= 1 {
			break
		}
		widths[widest]--
	}
	draw := func(at func(i int) piece) string {
		var b strings.Builder
		room := width
		for n, i := range shown {
			if n > 0 {
				if room < 3 {
					break
				}
				b.WriteString("  ")
				room -= 2
			}
			w := min(widths[i], room)
			b.WriteString(at(i).draw(w, cols[i].right, n < len(shown)-1 || cols[i].right))
			room -= w
		}
		return strings.TrimRight(b.String(), " ")
	}
	lines := []string{draw(func(i int) piece { return piece{cols[i].head, dim} })}
	for _, r := range rows {
		lines = append(lines, draw(func(i int) piece { return r[i] }))
	}
	return lines
}

// share divides room among sections that want so many rows each: what one does
// not need is for the others, and each has least if it wants anything.
func share(room int, wants []int) []int {
	got := make([]int, len(wants))
	for room > 0 {
		given := false
		for i, w := range wants {
			if got[i] < w && room > 0 {
				got[i]++
				room--
				given = true
			}
		}
		if !given {
			break
		}
	}
	return got
}
