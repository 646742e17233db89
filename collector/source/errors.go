package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Reasons why a request failed: the values of the label reason of
// upid_upstream_request_failures_total.
const (
	ReasonDNS      = "dns"
	ReasonConnect  = "connect"
	ReasonTLS      = "tls"
	ReasonTimeout  = "timeout"
	ReasonReset    = "reset" // the connection ended inside the answer
	ReasonHTTP4xx  = "http_4xx"
	ReasonHTTP429  = "http_429"
	ReasonHTTP5xx  = "http_5xx"
	ReasonDecode   = "decode" // the answer is not what the API says
	ReasonTooLarge = "too_large"
	ReasonAuth     = "auth"
	ReasonProxy    = "proxy"
	ReasonBadQuery = "bad_query" // the upstream works, the expression does not
	ReasonRedirect = "redirect"
)

// Reasons lists every reason of Error.
var Reasons = []string{
	ReasonDNS, ReasonConnect, ReasonTLS, ReasonTimeout, ReasonReset, ReasonHTTP4xx, ReasonHTTP429,
	ReasonHTTP5xx, ReasonDecode, ReasonTooLarge, ReasonAuth, ReasonProxy, ReasonBadQuery, ReasonRedirect,
}

// Error says why a query got no answer. Nothing of a failed answer is used.
type Error struct {
	Reason     string        // one of Reasons
	Op         string        // endpoint: query_range or query
	URL        string        // without user, password and query
	Status     int           // HTTP status, 0 if there was none
	RetryAfter time.Duration // how long the upstream asked to wait; 0 if it did not
	Err        error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.URL, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureReason returns the reason as a label value.
func (e *Error) FailureReason() string { return e.Reason }

// Unreachable reports whether the upstream gave no API answer at all, as
// opposed to one that says no.
func (e *Error) Unreachable() bool { return e.Reason != ReasonBadQuery && e.Reason != ReasonTooLarge }

// retryable reports whether the same request may succeed a moment later.
func (e *Error) retryable() bool {
	if errors.Is(e.Err, errOpen) {
		return false
	}
	switch e.Reason {
	case ReasonDNS, ReasonConnect, ReasonTimeout, ReasonReset, ReasonHTTP429, ReasonHTTP5xx:
		return true
	case ReasonDecode:
		return errors.Is(e.Err, errTruncated)
	}
	return false
}

// errIdle ends a request whose body stops arriving.
var errIdle = errors.New("the answer stopped arriving")

// transportReason classifies an error of sending a request or reading its body.
// viaProxy says that a proxy stood between.
func transportReason(err error, viaProxy bool) string {
	var (
		dns     *net.DNSError
		op      *net.OpError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		timeout net.Error
		file    *fs.PathError
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return ReasonProxy
	case errors.As(err, &file): // a secret or certificate is read anew for each request
		return ReasonAuth
	case errors.As(err, &dns):
		return ReasonDNS
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host),
		op != nil && (op.Op == "remote error" || op.Op == "local error"), // how crypto/tls names alerts
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"),
		strings.Contains(err.Error(), "TLS handshake timeout"):
		return ReasonTLS
	case op != nil && op.Op == "dial":
		return ReasonConnect
	case errors.Is(err, errIdle), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return ReasonReset
	case viaProxy:
		// A proxy's refusal of CONNECT has no type of its own.
		return ReasonProxy
	}
	return ReasonConnect
}

// statusReason classifies an HTTP status that is not 2xx.
func statusReason(status int) string {
	switch {
	case status >= 300 && status < 400:
		return ReasonRedirect
	case status == 401 || status == 403:
		return ReasonAuth
	case status == 407:
		return ReasonProxy
	case status == 429:
		return ReasonHTTP429
	case status >= 400 && status < 500:
		return ReasonHTTP4xx
	}
	return ReasonHTTP5xx
}

// apiReason classifies an API answer of status "error"; ok is false if the
// error type says nothing and the HTTP status must.
func apiReason(errorType, message string) (reason string, ok bool) {
	switch errorType {
	case "bad_data", "422": // 422: VictoriaMetrics
		return ReasonBadQuery, true
	case "execution":
		if tooManySamples(message) {
			return ReasonTooLarge, true
		}
		return ReasonBadQuery, true
	case "timeout", "canceled":
		return ReasonTimeout, true
	case "unavailable", "internal":
		return ReasonHTTP5xx, true
	case "too_large":
		return ReasonTooLarge, true
	}
	return "", false
}

// tooManySamples reports whether message is a limit that a shorter range may
// keep.
func tooManySamples(message string) bool {
	m := strings.ToLower(message)
	return strings.Contains(m, "too many samples") || strings.Contains(m, "too many points") ||
		strings.Contains(m, "exceeded maximum resolution")
}

// safeURL returns u without what may be secret.
func safeURL(u *url.URL) string {
	c := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return c.String()
}
