package output

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Progress is a bar that shows how much of some work is done. It appears when
// the work has taken a while, is redrawn a few times a second and leaves nothing
// behind. It belongs to one goroutine. A nil Progress shows nothing.
type Progress struct {
	w     io.Writer
	width func() int
	now   func() time.Time
	label string
	total int

	started, drawn time.Time
	visible        bool
}

// The bar is not shown for work that ends within the first delay, and redrawn
// at most once in each interval.
const (
	progressDelay    = 500 * time.Millisecond
	progressInterval = 100 * time.Millisecond
)

// NewProgress returns the bar of total pieces of work. w is a terminal and width
// returns its current number of columns.
func NewProgress(w io.Writer, width func() int, now func() time.Time, label string, total int) *Progress {
	return &Progress{w: w, width: width, now: now, label: label, total: total, started: now()}
}

// Label changes what stands before the bar from the next Set on.
func (p *Progress) Label(label string) {
	if p != nil {
		p.label = label
	}
}

// Set says that done pieces are finished.
func (p *Progress) Set(done int) {
	if p == nil {
		return
	}
	t := p.now()
	if t.Sub(p.started) < progressDelay || p.visible && t.Sub(p.drawn) < progressInterval {
		return
	}
	p.drawn, p.visible = t, true
	fmt.Fprintf(p.w, "\r%s\x1b[K", p.line(done, t.Sub(p.started)))
}

// Done removes the bar.
func (p *Progress) Done() {
	if p != nil && p.visible {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.visible = false
	}
}

// line is one state of the bar; it leaves the last column free so that the
// terminal does not wrap.
func (p *Progress) line(done int, elapsed time.Duration) string {
	text := fmt.Sprintf(" %s/%s %3d %%", Count(done), Count(p.total), 100*done/max(1, p.total))
	if done > 0 && done < p.total {
		left := elapsed * time.Duration(p.total-done) / time.Duration(done)
		text += ", " + Span(max(time.Second, left.Round(time.Second))) + " left"
	}
	room := p.width() - 1 - utf8.RuneCountInString(p.label) - utf8.RuneCountInString(text) - 1
	if room < 5 {
		return Cut(strings.TrimSpace(text), max(0, p.width()-1))
	}
	room = min(room, 40)
	full := room * done / max(1, p.total)
	return p.label + " " + strings.Repeat("█", full) + strings.Repeat("░", room-full) + text
}
