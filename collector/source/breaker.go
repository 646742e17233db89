package source

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// breakAfter is how many answers with a server error in a row open the circuit:
	// two or three queries with their attempts.
	breakAfter = 10
	// probeEvery is how often one request is let through while it is open.
	probeEvery = 30 * time.Second
)

// errOpen says that a request was not sent because those before it failed.
var errOpen = errors.New("not asked")

// openError says what those said, in the same words: it is no news.
type openError struct{ error }

func (e openError) Unwrap() []error { return []error{errOpen, e.error} }

// breaker keeps requests from a server that answers nothing but errors: they would
// keep it from coming back. A server that is not there is no reason: to ask costs it
// nothing. It is safe for concurrent use.
type breaker struct {
	open prometheus.Gauge
	log  *slog.Logger
	text func(string) string // of an error that is logged; nil is as it is
	now  func() time.Time

	mu     sync.Mutex
	failed int       // server errors in a row
	last   *Error    // the newest of them
	probe  time.Time // when the next request is let through; zero while closed
}

func newBreaker(open prometheus.Gauge, log *slog.Logger) *breaker {
	open.Set(0)
	return &breaker{open: open, log: log, now: time.Now}
}

// admit returns nil if a request may be sent. The circuit closes if that succeeds.
func (b *breaker) admit() *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probe.IsZero() {
		return nil
	}
	if now := b.now(); !now.Before(b.probe) {
		b.probe = now.Add(probeEvery)
		return nil
	}
	return &Error{Reason: b.last.Reason, Status: b.last.Status, Err: openError{b.last.Err}}
}

// note takes in the outcome of a request; nil is a success.
func (b *breaker) note(fail *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fail == nil || fail.Reason != ReasonHTTP5xx {
		if !b.probe.IsZero() {
			b.open.Set(0)
			b.log.Info("upstream is asked again")
		}
		b.failed, b.last, b.probe = 0, nil, time.Time{}
		return
	}
	b.failed++
	b.last = fail
	if b.failed >= breakAfter && b.probe.IsZero() {
		b.probe = b.now().Add(probeEvery)
		b.open.Set(1)
		b.log.Warn("upstream answers with server errors only, it is asked less", "failures", b.failed, "probe_every", probeEvery, "err", b.said(fail.Err))
	}
}

// said returns what is logged of an error.
func (b *breaker) said(err error) string {
	if b.text == nil {
		return err.Error()
	}
	return b.text(err.Error())
}
