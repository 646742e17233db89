package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/config"
)

// errUpstreamLimit says that the upstream found the query too large; a shorter
// range may do.
var errUpstreamLimit = errors.New("a limit of the upstream")

// limitDial returns dial with a time limit of its own: the transport does not
// end a dial when the request that asked for it ends.
func limitDial(dial config.DialContextFunc, timeout time.Duration) config.DialContextFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		c, err := dial(ctx, network, addr)
		if _, ok := errors.AsType[*net.OpError](err); err != nil && !ok {
			err = &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return c, err
	}
}

// request sends one request and decodes its answer into out, which is of no use
// after an error. The error is an *Error, or that of ctx if it was canceled.
func (p *Prometheus) request(ctx context.Context, op string, form url.Values, out matrix, samples int64) (answer, error) {
	if fail := p.breaker.admit(); fail != nil {
		fail.Op, fail.URL = op, p.URL()
		return answer{}, fail // no request, so none that failed
	}
	select {
	case p.tickets <- struct{}{}:
		defer func() { <-p.tickets }()
	case <-ctx.Done():
		return answer{}, p.report(ctx, op, answer{}, &Error{Reason: ReasonTimeout, Err: fmt.Errorf("waiting for %d other requests: %w", p.o.Concurrency, ctx.Err())})
	}
	begin := time.Now()
	p.m.requests[op].Inc()
	ans, fail := p.exchange(ctx, op, form, out, samples)
	p.m.duration[op].Observe(time.Since(begin).Seconds())
	return ans, p.report(ctx, op, ans, fail)
}

// report counts the outcome of a request and completes its error.
func (p *Prometheus) report(ctx context.Context, op string, ans answer, fail *Error) error {
	if ans.bytes > 0 {
		p.m.bytes.Observe(float64(ans.bytes))
		p.m.samples.Add(float64(ans.samples))
	}
	if fail == nil {
		p.breaker.note(nil)
		p.m.up.Set(1)
		if ans.isPartial() {
			p.m.partial.Inc()
		}
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err() // our own doing: says nothing about the upstream
	}
	p.breaker.note(fail)
	p.m.failures.WithLabelValues(op, fail.Reason).Inc()
	if fail.Unreachable() {
		p.m.up.Set(0)
	} else {
		p.m.up.Set(1)
	}
	fail.Op, fail.URL = op, p.URL()
	return fail
}

// isPartial reports whether the answer says that data are missing.
func (a answer) isPartial() bool {
	for _, w := range a.warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return true
		}
	}
	return a.partial
}

// exchange sends one request and decodes the answer.
func (p *Prometheus) exchange(ctx context.Context, op string, form url.Values, out matrix, samples int64) (answer, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, p.o.Timeout, fmt.Errorf("no whole answer after %s: %w", p.o.Timeout, context.DeadlineExceeded))
	defer stop()

	// The server is told to give up a little earlier than we do: its own words
	// are better than ours.
	form.Set("timeout", strconv.FormatFloat(0.9*p.o.Timeout.Seconds(), 'f', 3, 64))
	u := p.base.JoinPath("api/v1", op)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, &Error{Reason: ReasonConnect, Err: errors.New("the URL is not usable")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	// Not sent, but tells the transport that it may try another connection when
	// the server has closed an idle one.
	req.Header["Idempotency-Key"] = []string{}

	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, p.transportError(ctx, req, err)
	}
	p.skew.Note(resp.Header.Get("Date"), time.Now())
	b, err := openBody(ctx, resp, p.idle, cancel)
	if err != nil {
		resp.Body.Close() //nolint:errcheck // read only
		return answer{}, &Error{Reason: bodyReason(err), Status: resp.StatusCode, Err: err}
	}
	defer b.Close()
	return p.readAnswer(resp, b, out, samples)
}

// transportError makes an Error of what client.Do returned.
func (p *Prometheus) transportError(ctx context.Context, req *http.Request, err error) *Error {
	// url.Error repeats the URL, which we show in our own way.
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = cause
	}
	viaProxy := false
	if p.proxy != nil {
		u, perr := p.proxy(req)
		viaProxy = perr == nil && u != nil
	}
	return &Error{Reason: transportReason(err, viaProxy), Err: err}
}

// bodyReason classifies an error of beginning to read a body.
func bodyReason(err error) string {
	if isTransportError(err) {
		return transportReason(err, false)
	}
	return ReasonDecode
}
