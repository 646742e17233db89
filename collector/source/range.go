package source

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
)

// rangeQuery is one range query, sent in chunks.
type rangeQuery struct {
	p           *Prometheus
	expr        string
	start, step int64
	n           int // grid points
}

// halvings bounds how often a chunk is made smaller because the upstream finds
// it too large: each try costs the upstream as much as its limit allows.
// 10,000 points become 156.
const halvings = 6

// byteHalvings bounds the same for answers longer than our own limit, each of
// which is read up to that limit: 10,000 points become 1,250, and an answer that
// is long however little is asked for fails soon.
const byteHalvings = 3

func (q rangeQuery) run(ctx context.Context) (series.Data, error) {
	p := q.p
	size := min(p.o.MaxPointsPerChunk, q.n)
	smallest, shortest := max(size>>halvings, 1), max(size>>byteHalvings, 1)
	j := newJoin(q.start, q.step, q.n, p.o.MaxSeries, p.o.MaxSamples)
	samples := p.o.MaxSamples // left
	attempt := 1
	for first := 0; first < q.n; {
		m := min(size, q.n-first)
		c, ans, err := q.fetch(ctx, first, m, samples)
		if err == nil {
			if err := j.addAnswer(c, ans); err != nil {
				return series.Data{}, p.fail(opRange, ReasonTooLarge, err)
			}
			samples -= ans.samples
			first += m
			attempt = 1
			continue
		}
		if errors.Is(err, errUpstreamLimit) && m > smallest || errors.Is(err, errTooManyBytes) && m > shortest {
			size = max(m/2, 1)
			continue
		}
		if err := p.backoff(ctx, attempt, err); err != nil {
			return series.Data{}, err
		}
		if e, ok := errors.AsType[*Error](err); ok && e.Reason == ReasonTimeout {
			size = max(m/2, smallest)
		}
		attempt++
	}
	return p.finish(j, opRange)
}

// fetch asks for m grid points from number first.
func (q rangeQuery) fetch(ctx context.Context, first, m int, samples int64) (*chunk, answer, error) {
	from := q.start + int64(first)*q.step
	c := newChunk(from, q.step, first, m, q.p.o.MaxSeries)
	ans, err := q.p.request(ctx, opRange, url.Values{
		"query": {q.expr},
		"start": {seconds(from)},
		"end":   {seconds(from + int64(m-1)*q.step)},
		"step":  {seconds(q.step)},
	}, c, max(samples, 1))
	return c, ans, err
}

// addAnswer appends a chunk and what the answer said beside it.
func (j *join) addAnswer(c *chunk, ans answer) error {
	j.histograms += ans.histograms
	if ans.partial {
		j.data.Partial = true
		appendNew(&j.data.Warnings, "the answer is partial")
	}
	for _, w := range ans.warnings {
		// Remarks on the expression come as warnings too; only the others say that
		// data are missing.
		if strings.HasPrefix(w, "PromQL ") {
			appendNew(&j.data.Infos, w)
			continue
		}
		j.data.Partial = true
		appendNew(&j.data.Warnings, w)
	}
	for _, w := range ans.infos {
		appendNew(&j.data.Infos, w)
	}
	return j.add(c)
}

func appendNew(list *[]string, s string) {
	if len(*list) < maxTexts && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// Waiting between attempts: up to 0.5 s, 1 s, 2 s, … at most 30 s, at random
// (full jitter, so that many queries do not come back together). What the
// upstream asks for with Retry-After comes first, at most 5 min of it.
const (
	backoffBase   = 500 * time.Millisecond
	backoffMax    = 30 * time.Second
	retryAfterMax = 5 * time.Minute
)

// backoff waits after failed attempt number attempt. It returns nil if there
// should be another one, else the error to return.
func (p *Prometheus) backoff(ctx context.Context, attempt int, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.retryable() || attempt >= p.o.Attempts {
		if ok && attempt > 1 && !errors.Is(err, errOpen) {
			e.Err = fmt.Errorf("%w (attempt %d)", e.Err, attempt)
		}
		return err
	}
	limit := min(backoffBase<<(attempt-1), backoffMax)
	wait := min(e.RetryAfter, retryAfterMax) + rand.N(limit)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return err // it would end while waiting: say what is wrong now
	}
	p.log.Debug("upstream request failed, trying again", "endpoint", e.Op, "reason", e.Reason, "attempt", attempt, "wait", wait, "err", p.breaker.said(err))
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return err
	case <-t.C:
		return nil
	}
}
