package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/config"

	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/series"
)

// Options says where a Prometheus-compatible API is and what it may cost. Zero
// fields take the default in brackets.
type Options struct {
	Name string // value of the label upstream [default]
	// URL is that of the server, with a path prefix if it has one: what stands
	// before /api/v1. User and password in it work and are never shown.
	URL  string
	HTTP config.HTTPClientConfig // TLS, authentication, proxy, headers
	// FollowRedirects allows the upstream to send us elsewhere. HTTP's own field
	// is not used: its default is true, and a redirect to another port of the
	// same host still carries the credentials.
	FollowRedirects bool

	Timeout     time.Duration // of one request, its answer included [2m]
	Concurrency int           // requests at one time [2]
	Attempts    int           // requests for one chunk before its query fails [4]

	MaxPointsPerChunk int   // grid points in one request [10,000]
	MaxBytes          int64 // of one answer, decompressed [256 MiB]
	MaxSamples        int64 // of one query, and grid points of its result [50,000,000]
	MaxSeries         int   // of one query; the rest is counted [50,000]
	MaxLabels         int   // of one series, else it is left out [40]
	MaxLabelName      int   // bytes [256]
	MaxLabelValue     int   // bytes [1 KiB]

	Registerer prometheus.Registerer // [none]
	Logger     *slog.Logger          // [none]
	LogText    func(string) string   // what is logged of the text of the server's errors [all of it]
}

const (
	connectTimeout = 5 * time.Second
	idleTimeout    = 30 * time.Second // without a byte of the answer
)

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Prometheus asks one Prometheus-compatible API. It is safe for concurrent use.
type Prometheus struct {
	o       Options
	base    *url.URL
	client  *http.Client
	proxy   func(*http.Request) (*url.URL, error) // nil if there is none
	idle    time.Duration
	tickets chan struct{} // one for each request under way
	m       *metrics
	skew    *collector.Skew
	breaker *breaker
	log     *slog.Logger
}

// New returns a source for the API at o.URL. It sends nothing.
func New(o Options) (*Prometheus, error) {
	return newPrometheus(o, (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext)
}

func newPrometheus(o Options, dial config.DialContextFunc) (*Prometheus, error) {
	orDefault(&o.Name, "default")
	orDefault(&o.Timeout, 2*time.Minute)
	orDefault(&o.Concurrency, 2)
	orDefault(&o.Attempts, 4)
	orDefault(&o.MaxPointsPerChunk, 10_000)
	orDefault(&o.MaxBytes, 256<<20)
	orDefault(&o.MaxSamples, 50_000_000)
	orDefault(&o.MaxSeries, 50_000)
	orDefault(&o.MaxLabels, 40)
	orDefault(&o.MaxLabelName, 256)
	orDefault(&o.MaxLabelValue, 1<<10)
	if o.Timeout < 0 || o.Concurrency < 0 || o.Attempts < 0 || o.MaxPointsPerChunk < 0 || o.MaxBytes < 0 ||
		o.MaxSamples < 0 || o.MaxSeries < 0 || o.MaxLabels < 0 || o.MaxLabelName < 0 || o.MaxLabelValue < 0 {
		return nil, errors.New("a negative limit")
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	o.HTTP.FollowRedirects = o.FollowRedirects
	client, err := config.NewClientFromConfig(o.HTTP, "upid",
		config.WithDialContextFunc(limitDial(dial, connectTimeout)),
		config.WithUserAgent("upid"),
		config.WithIdleConnTimeout(90*time.Second))
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", o.Name, err)
	}
	log := o.Logger.With("upstream", o.Name)
	m := newMetrics(o.Registerer, o.Name)
	guard := newBreaker(m.open, log)
	guard.text = o.LogText
	return &Prometheus{
		o: o, base: base, client: client, proxy: o.HTTP.Proxy(), idle: idleTimeout,
		tickets: make(chan struct{}, o.Concurrency),
		m:       m,
		skew:    collector.NewSkew(o.Registerer, o.Name, o.Logger),
		breaker: guard,
		log:     log,
	}, nil
}

// parseURL never quotes what it refuses: it may hold a password.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("the URL cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL must begin with http:// or https://")
	case u.Host == "":
		return nil, errors.New("the URL has no host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the URL must have no query and no fragment")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v1")
	return u, nil
}

// Close closes idle connections. Queries under way go on.
func (p *Prometheus) Close() { p.client.CloseIdleConnections() }

// URL returns where p asks, without user and password.
func (p *Prometheus) URL() string { return safeURL(p.base) }

// Ping reports whether the API answers. It tries once.
func (p *Prometheus) Ping(ctx context.Context) error {
	c := newChunk(0, 1, 0, 1, 1)
	form := url.Values{"query": {"1"}, "time": {"0"}}
	_, err := p.request(ctx, opInstant, form, c, p.o.MaxSamples)
	return err
}

// Query evaluates expr at start, start+step, …, up to and including end, or the
// last grid point before it. Every series runs from its first sample to the end
// of the grid; where there was none in between or after, or where it was NaN or
// infinite, there is a gap. A series whose samples are all gaps has one gap, at
// the end. No series at all is no error.
//
// A long range is asked for in chunks. If one of them fails for good, so does
// the query: what the others said is not used.
func (p *Prometheus) Query(ctx context.Context, expr string, start, end, step int64) (series.Data, error) {
	if step <= 0 || end < start {
		return series.Data{}, fmt.Errorf("query %q: the range %d to %d ms with step %d ms is empty", expr, start, end, step)
	}
	n := (end-start)/step + 1
	if n > p.o.MaxSamples {
		return series.Data{}, fmt.Errorf("query %q: %w", expr, p.fail(opRange, ReasonTooLarge, errTooManyCells))
	}
	q := rangeQuery{p: p, expr: expr, start: start, step: step, n: int(n)}
	d, err := q.run(ctx)
	if err != nil {
		return series.Data{}, fmt.Errorf("query %q: %w", expr, err)
	}
	return d, nil
}

// Instant evaluates expr at time t (Unix milliseconds). Every series has one
// value, at t, with a step of 1 ms.
func (p *Prometheus) Instant(ctx context.Context, expr string, t int64) (series.Data, error) {
	d, err := p.instant(ctx, expr, t)
	if err != nil {
		return series.Data{}, fmt.Errorf("query %q: %w", expr, err)
	}
	return d, nil
}

func (p *Prometheus) instant(ctx context.Context, expr string, t int64) (series.Data, error) {
	form := url.Values{"query": {expr}, "time": {seconds(t)}}
	for attempt := 1; ; attempt++ {
		c := newChunk(t, 1, 0, 1, p.o.MaxSeries)
		ans, err := p.request(ctx, opInstant, form, c, p.o.MaxSamples)
		if err != nil {
			if err := p.backoff(ctx, attempt, err); err != nil {
				return series.Data{}, err
			}
			continue
		}
		j := newJoin(t, 1, 1, p.o.MaxSeries, p.o.MaxSamples)
		if err := j.addAnswer(c, ans); err != nil {
			return series.Data{}, p.fail(opInstant, ReasonTooLarge, err)
		}
		return p.finish(j, opInstant)
	}
}

// finish returns the joined data of a query.
func (p *Prometheus) finish(j *join, op string) (series.Data, error) {
	d, err := j.finish()
	switch {
	case errors.Is(err, errHistogram):
		return series.Data{}, p.fail(op, ReasonBadQuery, err)
	case err != nil:
		return series.Data{}, p.fail(op, ReasonTooLarge, err)
	}
	return d, nil
}

// fail returns an error that needs no request, and counts it.
func (p *Prometheus) fail(op, reason string, err error) *Error {
	if errors.Is(err, errTooManyCells) {
		err = fmt.Errorf("%w: more than %d grid points: take a coarser step, a shorter range, or aggregate", err, p.o.MaxSamples)
	}
	p.m.failures.WithLabelValues(op, reason).Inc()
	return &Error{Reason: reason, Op: op, URL: p.URL(), Err: err}
}

// seconds writes a time or a duration in milliseconds as seconds.
func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) }
