package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-openapi/runtime"
	openapi "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	apialert "github.com/prometheus/alertmanager/api/v2/client/alert"
	apisilence "github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/common/config"
)

// maxReply is how much of an answer is read: Alertmanager answers a refused
// batch with one line per alert.
const maxReply = 64 << 10

// client posts alerts to one Alertmanager.
type client struct {
	http  *http.Client
	api   apialert.ClientService
	quiet apisilence.ClientService
	date  func(string) // takes the header Date of every answer
}

// parseURL checks the address of an Alertmanager.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The cause without the address: it may hold a password.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return nil, fmt.Errorf("parse the alertmanager URL: %w", err)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("alertmanager URL %s: it holds a user name, want basic_auth instead", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("alertmanager URL: scheme is %q, want http or https", u.Scheme)
	case u.Host == "":
		return nil, fmt.Errorf("alertmanager URL: no host; want one such as http://localhost:9093")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("alertmanager URL of %s: it has a query or a fragment", u.Host)
	}
	return u, nil
}

func newClient(u *url.URL, c config.HTTPClientConfig, dial config.DialContextFunc, date func(string)) (*client, error) {
	opts := []config.HTTPClientOption{
		config.WithUserAgent("upid"),
		config.WithIdleConnTimeout(2 * time.Minute), // longer than a re-send takes to come
	}
	if dial != nil {
		opts = append(opts, config.WithDialContextFunc(dial))
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("http client for %s: %w", u, err)
	}
	hc, err := config.NewClientFromConfig(c, "alertmanager", opts...)
	if err != nil {
		return nil, fmt.Errorf("http client for %s: %w", u, err)
	}
	rt := openapi.NewWithClient(u.Host, path.Join("/", u.Path, "api/v2"), []string{u.Scheme}, hc)
	rt.Debug = false // the runtime turns it on for an environment variable DEBUG and would print alerts
	return &client{http: hc, api: apialert.New(rt, strfmt.Default), quiet: apisilence.New(rt, strfmt.Default), date: date}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// post sends one batch. The error is a *replyError if the server answered.
func (c *client) post(ctx context.Context, timeout time.Duration, alerts models.PostableAlerts) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p := apialert.NewPostAlertsParamsWithContext(ctx).WithTimeout(timeout).WithAlerts(alerts)
	// The generated reader loses the answer's text and Retry-After, and takes no
	// other success than 200.
	_, err := c.api.PostAlerts(p, func(op *runtime.ClientOperation) {
		op.Reader = runtime.ClientResponseReaderFunc(func(resp runtime.ClientResponse, with runtime.Consumer) (any, error) {
			c.date(resp.GetHeader("Date"))
			return readReply(resp, with)
		})
	})
	return err
}

// replyError is an answer other than success.
type replyError struct {
	code       int
	text       string
	retryAfter string
}

func (e *replyError) Error() string {
	s := fmt.Sprintf("status %d %s", e.code, http.StatusText(e.code))
	if e.text != "" {
		s += ": " + e.text
	}
	switch {
	case e.code == http.StatusNotFound:
		s += " (is the URL missing a path prefix?)"
	case e.code/100 == 3:
		s += " (redirects are not followed)"
	}
	return s
}

func readReply(resp runtime.ClientResponse, _ runtime.Consumer) (any, error) {
	// Also read on success: an unread body would cost the connection.
	body, err := io.ReadAll(io.LimitReader(resp.Body(), maxReply))
	if resp.Code()/100 == 2 {
		return apialert.NewPostAlertsOK(), nil
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "")), " ")
	if err != nil {
		text = "read the answer: " + err.Error()
	}
	return nil, &replyError{code: resp.Code(), text: shorten(text, 300), retryAfter: resp.GetHeader("Retry-After")}
}

// class is what to do about a failed post.
type class string

const (
	refused       class = "refused"       // the batch holds a bad alert: posting it again whole is of no use
	misconfigured class = "misconfigured" // wrong address or credentials: someone has to act
	unavailable   class = "unavailable"   // the server is busy or broken
	unreachable   class = "unreachable"   // no answer
	timedOut      class = "timeout"
)

func classify(err error) class {
	if re, ok := errors.AsType[*replyError](err); ok {
		switch {
		// Alertmanager says 400 after storing the good alerts of a batch, and 422
		// where its generated validation stops it before.
		case re.code == http.StatusBadRequest, re.code == http.StatusUnprocessableEntity:
			return refused
		case re.code == http.StatusTooManyRequests, re.code == http.StatusRequestTimeout, re.code >= 500:
			return unavailable
		}
		return misconfigured
	}
	var ne net.Error
	if errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &ne) && ne.Timeout()) {
		return timedOut
	}
	return unreachable
}

// retryAfter returns how long the server asked to be left alone, in seconds or
// as a date; 0 if it did not.
func retryAfter(err error, now time.Time) time.Duration {
	var re *replyError
	if !errors.As(err, &re) || re.retryAfter == "" {
		return 0
	}
	if s, err := strconv.Atoi(re.retryAfter); err == nil {
		return max(0, time.Duration(min(s, 86400))*time.Second)
	}
	if t, err := http.ParseTime(re.retryAfter); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
