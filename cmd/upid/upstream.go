package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/source"
)

// upstream is the source that the pipeline keeps while a reload may change the
// server behind it. It remembers how the newest query went.
type upstream struct {
	mu      sync.Mutex
	client  *source.Prometheus
	labels  *labelPolicy // nil: they come in as they are
	asked   bool         // an answer, or its absence, has been seen
	lastErr error        // the server did not answer; its complaints about a query are that signal's
	since   time.Time    // of the first failure in a row
}

func (u *upstream) set(c *source.Prometheus) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client != nil {
		u.client.Close() // of its idle connections; running queries go on
	}
	if u.client == nil || c == nil || u.client.URL() != c.URL() {
		u.asked, u.lastErr = false, nil
	}
	u.client = c
}

// hide says what becomes of labels from now on.
func (u *upstream) hide(l *labelPolicy) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.labels = l
}

// Query implements pipeline.Source.
func (u *upstream) Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error) {
	u.mu.Lock()
	client, labels := u.client, u.labels
	u.mu.Unlock()
	d, err := client.Query(ctx, expr, start, end, step)
	d, err = labels.apply(expr, d), labels.hidden(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // our own doing, says nothing of the server
	case unreachable(err), errors.Is(err, context.DeadlineExceeded): // it hangs as long as a pass may take
		u.note(err)
	default:
		u.note(nil)
	}
	return d, err
}

// note records whether the server answered.
func (u *upstream) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil && u.lastErr == nil {
		u.since = time.Now()
	}
	u.asked, u.lastErr = true, err
}

// status says in one line how the upstream is doing.
func (u *upstream) status() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client == nil {
		return "prometheus: stopped"
	}
	if !u.asked {
		return fmt.Sprintf("prometheus %s: not asked yet", u.client.URL())
	}
	if u.lastErr != nil {
		return fmt.Sprintf("prometheus %s: failing since %s: %v", u.client.URL(), u.since.UTC().Format(time.RFC3339), u.lastErr)
	}
	return fmt.Sprintf("prometheus %s: ok", u.client.URL())
}

// report is status for the API.
func (u *upstream) report() upstreamStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.client == nil:
		return upstreamStatus{State: "stopped"}
	case !u.asked:
		return upstreamStatus{URL: u.client.URL(), State: "not asked yet"}
	case u.lastErr != nil:
		since := unix(u.since)
		return upstreamStatus{URL: u.client.URL(), State: "failing", Error: u.lastErr.Error(), Since: &since}
	}
	return upstreamStatus{URL: u.client.URL(), State: "ok"}
}

// unreachable reports whether err means that the server did not answer, rather
// than that it answered with an error of ours.
func unreachable(err error) bool {
	e, ok := errors.AsType[*source.Error](err)
	return ok && e.Unreachable()
}
