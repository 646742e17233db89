package feedback

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/audit"
)

// Book is the windows that a running process knows: those of the file, which it reads again
// and again, and those of silences, which it adds to the file. It is safe for concurrent use.
type Book struct {
	file  *File
	trail *audit.Log
	log   *slog.Logger
	known atomic.Pointer[Windows]
	said  map[string]bool // errors of silences that were logged; of Run
}

// every is how often silences and the file are read.
const every = time.Minute

// NewBook returns a book that knows what is in the file. The error says what could not be
// read of it; the book holds the rest.
func NewBook(file *File, trail *audit.Log, log *slog.Logger) (*Book, error) {
	b := &Book{file: file, trail: trail, log: log, said: map[string]bool{}}
	ws, err := file.Load()
	b.known.Store(&ws)
	return b, err
}

// Of returns when a series of a signal is not learned from.
func (b *Book) Of(signal string, ls labels.Labels) []Span { return b.known.Load().Of(signal, ls) }

// Run takes in what the file and silences say until ctx is done. silences may be nil.
func (b *Book) Run(ctx context.Context, silences func(context.Context) ([]Silence, error)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		b.look(ctx, silences)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (b *Book) look(ctx context.Context, silences func(context.Context) ([]Silence, error)) {
	if silences != nil {
		ss, err := silences(ctx)
		if err != nil && ctx.Err() == nil {
			b.once("silences cannot be read", err)
		}
		for _, s := range ss {
			b.take(s)
		}
	}
	ws, err := b.file.Load()
	if err != nil {
		b.once("feedback cannot be read in whole", err)
		if len(ws) == 0 {
			return // what was known stays
		}
	}
	b.known.Store(&ws)
}

// once logs an error unless it was.
func (b *Book) once(what string, err error) {
	if key := what + err.Error(); !b.said[key] {
		b.said[key] = true
		b.log.Warn("feedback is not taken in whole", "what", what, "err", err)
	}
}

// errSame says that there is nothing to write.
var errSame = errors.New("nothing changes")

// take adds the window of a silence that says so, with its line in the trail.
func (b *Book) take(s Silence) {
	w, ok, err := s.Window()
	switch {
	case !ok:
		return
	case err != nil:
		b.once("a silence is not understood as feedback", err)
		return
	}
	if ws := *b.known.Load(); len(ws) > 0 {
		if _, changed := ws.With(w); !changed {
			return
		}
	}
	err = b.file.Change(func(ws Windows) (Windows, error) {
		out, changed := ws.With(w)
		if !changed {
			return nil, errSame
		}
		if _, err := b.trail.Append(audit.Event{Actor: actorOf(w.By), Source: "sidecar", Action: audit.Feedback, Object: w.ID, Outcome: audit.OK, Detail: w.Source + ": " + w.String()}); err != nil {
			return nil, err
		}
		return out, nil
	})
	switch {
	case errors.Is(err, errSame):
	case err != nil:
		b.once("feedback cannot be kept", err)
	default:
		b.log.Info("a silence is feedback: its time is not learned from", "window", w.String())
	}
}

func actorOf(by string) string {
	if by == "" {
		return "alertmanager"
	}
	return by
}

// String says what a window is about.
func (w Window) String() string {
	what := w.Signal
	if what == "" {
		what = "all signals"
	}
	return what + w.Match + " from " + time.UnixMilli(w.From).UTC().Format(time.RFC3339) + " to " + time.UnixMilli(w.To).UTC().Format(time.RFC3339)
}
