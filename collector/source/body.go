package source

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// body is the answer to a request, decompressed.
type body struct {
	r     io.Reader
	raw   io.Closer
	ctx   context.Context // of the request
	timer *time.Timer
}

// openBody wraps the body of resp. When nothing arrives for the time idle, it
// ends the request through cancel with errIdle; ctx is the request's context.
func openBody(ctx context.Context, resp *http.Response, idle time.Duration, cancel context.CancelCauseFunc) (*body, error) {
	b := &body{raw: resp.Body, ctx: ctx, timer: time.AfterFunc(idle, func() { cancel(errIdle) })}
	b.r = readerFunc(func(p []byte) (int, error) {
		n, err := resp.Body.Read(p)
		if n > 0 {
			b.timer.Reset(idle)
		}
		return n, b.cause(err)
	})
	switch enc := resp.Header.Get("Content-Encoding"); strings.ToLower(enc) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(b.r)
		if err != nil {
			b.Close()
			return nil, fmt.Errorf("gzip: %w", err)
		}
		b.r = z
	default:
		b.Close()
		return nil, fmt.Errorf("content encoding %q was not asked for", enc)
	}
	return b, nil
}

// cause replaces an error that comes from ending the request by the reason for
// that.
func (b *body) cause(err error) error {
	if err == nil || errors.Is(err, io.EOF) || b.ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(b.ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

func (b *body) Read(p []byte) (int, error) { return b.r.Read(p) }

// Close ends the reading.
func (b *body) Close() {
	b.timer.Stop()
	b.raw.Close() //nolint:errcheck // read only
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// tee keeps the first bytes that pass, to quote them.
type tee struct {
	r    io.Reader
	head []byte
	max  int
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if room := t.max - len(t.head); room > 0 {
		t.head = append(t.head, p[:min(n, room)]...)
	}
	return n, err
}
