package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/upid/upid/cmd/upid/output"
)

// env is what a command gets beside its own flags. Data goes to stdout, all
// else to stderr.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *slog.Logger
	loc            *time.Location
}

// warnf prints one line beside the data.
func (e *env) warnf(format string, args ...any) {
	fmt.Fprintln(e.stderr, "upid: warning: "+output.Printable(fmt.Sprintf(format, args...)))
}

// style is coloured on a terminal whose user does not object, and cuts on a terminal only.
func (e *env) style() output.Style {
	_, ok := terminal(e.stdout)
	return output.Style{Colour: ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", Whole: !ok}
}

// progress returns a bar for total pieces of work, nil if stderr is not a
// terminal.
func (e *env) progress(label string, total int) *output.Progress {
	fd, ok := terminal(e.stderr)
	if !ok {
		return nil
	}
	width := func() int {
		w, _ := size(fd)
		return w
	}
	return output.NewProgress(e.stderr, width, time.Now, label, total)
}

// width returns how wide tables on stdout may be: as the terminal, but not so
// wide that an eye loses the line, nor less than a table can be.
func (e *env) width() int {
	fd, ok := terminal(e.stdout)
	if !ok {
		return output.Width
	}
	w, _ := size(fd)
	return min(max(w, 60), 160)
}

// size returns the columns and rows of a terminal, 80 by 24 if it does not say.
func size(fd int) (width, height int) {
	w, h, err := term.GetSize(fd)
	if err != nil || w <= 0 || h <= 0 {
		return output.Width, 24
	}
	return w, h
}

// terminal returns the descriptor of w if it is a terminal.
func terminal(w io.Writer) (fd int, ok bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}
