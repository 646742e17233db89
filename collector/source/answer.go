package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/prometheus/model/labels"
)

const (
	quoteBytes   = 100     // of an answer that is not the API's
	maxErrorBody = 1 << 20 // of an answer that is an error
	maxText      = 2 << 10 // of an error message or a warning
)

// readAnswer decodes resp, whose body is b.
func (p *Prometheus) readAnswer(resp *http.Response, b io.Reader, out matrix, samples int64) (answer, *Error) {
	lim := limits{
		bytes: p.o.MaxBytes, samples: samples, text: maxText,
		labels: p.o.MaxLabels, nameBytes: p.o.MaxLabelName, valueBytes: p.o.MaxLabelValue,
	}
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	if !ok {
		lim.bytes, out = maxErrorBody, discard{}
	}
	head := &tee{r: b, max: quoteBytes}
	ans, err := decode(head, lim, out)
	for _, text := range [][]string{ans.warnings, ans.infos} {
		for i := range text {
			text[i] = oneLine(text[i])
		}
	}
	ans.errorType, ans.message = oneLine(ans.errorType), oneLine(ans.message)
	fail := func(reason string, err error) (answer, *Error) {
		return ans, &Error{Reason: reason, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header), Err: err}
	}
	switch {
	case err == nil && ans.status == "error":
		reason, known := apiReason(ans.errorType, ans.message)
		if !known {
			reason = statusReason(resp.StatusCode)
		}
		msg := fmt.Errorf("%s: %s", ans.errorType, ans.message)
		if reason == ReasonTooLarge {
			msg = fmt.Errorf("%w: %w", errUpstreamLimit, msg)
		}
		return fail(reason, msg)
	case !ok:
		return fail(statusReason(resp.StatusCode), statusError(resp, head.head, err))
	case err == nil && ans.status != "success":
		return fail(ReasonDecode, fmt.Errorf("JSON without a status, not a Prometheus API: %s", quote(head.head)))
	case err == nil && ans.resultType == "string":
		return fail(ReasonBadQuery, errors.New("the result is a string, want numbers"))
	case err == nil:
		return ans, nil
	case errors.Is(err, errTooManyBytes):
		return fail(ReasonTooLarge, fmt.Errorf("%w: more than %d MiB: take a coarser step, a shorter range, or aggregate", err, p.o.MaxBytes>>20))
	case errors.Is(err, errTooManySamples):
		return fail(ReasonTooLarge, fmt.Errorf("%w: more than %d for one query: take a coarser step, a shorter range, or aggregate", err, p.o.MaxSamples))
	case isTransportError(err):
		return fail(transportReason(err, false), fmt.Errorf("reading the answer: %w", err))
	case len(head.head) == 0 || !isJSON(resp, head.head):
		return fail(ReasonDecode, fmt.Errorf("the answer is not JSON but %s: %s", contentType(resp), quote(head.head)))
	}
	return fail(ReasonDecode, err)
}

// statusError describes an HTTP error whose body, beginning with head, is not
// an API answer.
func statusError(resp *http.Response, head []byte, err error) error {
	status := strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		to := "elsewhere"
		if u, err := url.Parse(resp.Header.Get("Location")); err == nil && u.String() != "" {
			to = "to " + safeURL(resp.Request.URL.ResolveReference(u))
		}
		return fmt.Errorf("%s: redirected %s, which is not followed: write the final URL, or set follow_redirects", status, to)
	case resp.StatusCode == 401 || resp.StatusCode == 403:
		return fmt.Errorf("%s: check the credentials: %s", status, quote(head))
	case resp.StatusCode == 404:
		return fmt.Errorf("%s: is the URL missing a path prefix? The answer is %s: %s", status, contentType(resp), quote(head))
	case err == nil || len(head) > 0:
		return fmt.Errorf("%s: %s", status, quote(head))
	}
	return errors.New(status)
}

// oneLine returns s with its control characters as blanks: what a server says
// must not move a terminal's cursor or pass for a line of ours.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// quote returns the beginning of an answer for an error message.
func quote(head []byte) string {
	if len(head) == 0 {
		return "(empty)"
	}
	s := strconv.Quote(strings.ToValidUTF8(string(head), "\uFFFD"))
	if len(head) == quoteBytes {
		s += "…"
	}
	return s
}

// isJSON reports whether the answer claims and looks to be JSON, however
// broken.
func isJSON(resp *http.Response, head []byte) bool {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	claims := err != nil || t == "application/json" || t == "text/plain" || strings.HasSuffix(t, "+json")
	return claims && strings.HasPrefix(strings.TrimLeft(string(head), " \t\r\n"), "{")
}

func contentType(resp *http.Response) string {
	if t := resp.Header.Get("Content-Type"); t != "" {
		return strings.ToValidUTF8(t, "\uFFFD")
	}
	return "of no content type"
}

// retryAfter returns how long the upstream asks to wait: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(0, min(s, 1<<20))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// isTransportError reports whether err, from reading a body, is of the
// connection rather than of the content.
func isTransportError(err error) bool {
	var netErr net.Error
	var op *net.OpError
	var alert tls.AlertError
	return errors.Is(err, errIdle) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &netErr) || errors.As(err, &op) || errors.As(err, &alert) ||
		strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ")
}

// discard receives the result of an answer that is not used.
type discard struct{}

func (discard) point(int64, float64) error         { return nil }
func (discard) series(labels.Labels, string) error { return nil }
