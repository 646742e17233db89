package notify

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/upid/upid/collector"
)

const (
	firstBackoff = time.Second
	// rejectedFor is how long an alert that an Alertmanager refused is not
	// posted there again. Finding one bad alert in a batch of 64 takes 12 posts
	// more, 64 bad ones take 126. Longer, and alerts stay away long after a proxy
	// that refused everything was mended.
	rejectedFor = 5 * time.Minute
)

// pending is one alert of a batch.
type pending struct {
	item
	alert *models.PostableAlert
}

// sender posts alerts to one Alertmanager. It has a queue and a goroutine of its
// own: a server that hangs delays no other.
type sender struct {
	cfg    AlertmanagerConfig
	url    string // its name in metrics and logs
	client *client
	queue  *queue
	lookup func([]item, time.Time) []pending // what the alerts are now
	opts   *Options
	m      *senderMetrics
	skew   *collector.Skew
	log    *slog.Logger

	ctx    context.Context // of requests
	cancel context.CancelFunc
	work   chan struct{}
	stop   chan struct{}
	done   chan struct{} // closed when run has returned

	replaced bool        // another sender posts what is queued; set before stop is closed
	timer    *time.Timer // ends draining, nil if replaced; set before stop is closed

	rejected map[ref]time.Time // until when; of the goroutine
	failures int               // posts in a row; of the goroutine
	shifted  time.Time         // when a batch was last posted again by the other's clock; of the goroutine

	mu     sync.Mutex
	status AlertmanagerStatus
	full   bool // the queue overflowed and this was logged
}

// senderMetrics are the metrics of one Alertmanager.
type senderMetrics struct {
	sent, errors prometheus.Counter
	dropped      *prometheus.CounterVec // by reason
	latency      prometheus.Observer
	length       prometheus.Gauge
	lastSuccess  *prometheus.GaugeVec // absent until there was one
}

func newSender(cfg AlertmanagerConfig, opts *Options, lookup func([]item, time.Time) []pending) (*sender, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	name := u.String()
	if cfg.address != "" {
		name += " (" + cfg.address + ")"
	}
	log := opts.Logger.With("alertmanager", name)
	skew := collector.NewSkew(opts.Registerer, name, log)
	c, err := newClient(u, cfg.HTTP, cfg.dialing(opts.Dial, u.Hostname()), func(date string) { skew.Note(date, opts.Now()) })
	if err != nil {
		return nil, err
	}
	s := &sender{
		cfg: cfg, url: name, client: c, queue: newQueue(opts.QueueCapacity), lookup: lookup, opts: opts,
		skew: skew, log: log,
		work: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		rejected: map[ref]time.Time{},
		status:   AlertmanagerStatus{URL: name},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// enter starts the metrics of the sender. Not done in newSender: a set of
// Alertmanagers that is refused as a whole leaves no trace.
func (s *sender) enter(m *metrics) {
	m.add(s.url, s.opts.QueueCapacity)
	s.m = &senderMetrics{
		sent: m.sent.WithLabelValues(s.url), errors: m.errors.WithLabelValues(s.url),
		dropped: m.dropped.MustCurryWith(prometheus.Labels{"alertmanager": s.url}),
		latency: m.latency.WithLabelValues(s.url),
		length:  m.length.WithLabelValues(s.url), lastSuccess: m.lastSuccess,
	}
}

// push queues groups of alerts; it does not block.
func (s *sender) push(groups ...[]ref) { s.queued(s.queue.push(groups...)) }

// queued takes note of what the queue dropped, and wakes the sender.
func (s *sender) queued(dropped int) {
	n := s.queue.len()
	s.m.length.Set(float64(n))
	s.mu.Lock()
	first := dropped > 0 && !s.full
	s.full = dropped > 0 || (s.full && n >= s.opts.QueueCapacity)
	s.mu.Unlock()
	if dropped > 0 {
		s.m.dropped.WithLabelValues(dropQueueFull).Add(float64(dropped))
	}
	if first {
		s.log.Warn("alert queue full, the oldest are dropped", "capacity", s.opts.QueueCapacity)
	}
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// end has run return once the queue is empty or the time to drain is over.
func (s *sender) end() {
	s.timer = time.AfterFunc(s.opts.DrainTimeout, s.cancel)
	close(s.stop)
}

// replace has run return at once and silently: another sender has taken over.
func (s *sender) replace() {
	s.replaced = true
	s.cancel()
	close(s.stop)
}

// run posts until stop is closed, then drains the queue.
func (s *sender) run() {
	defer close(s.done)
	defer s.client.close()
	defer func() {
		if s.timer != nil {
			s.timer.Stop()
		}
		s.cancel()
	}()
	for {
		select {
		case <-s.stop:
			s.drain()
			return
		case <-s.work:
		}
		for s.queue.len() > 0 {
			wait := s.sendBatch()
			if wait == 0 {
				select {
				case <-s.stop:
					s.drain()
					return
				default:
					continue
				}
			}
			timer := time.NewTimer(wait)
			select {
			case <-s.stop:
				timer.Stop()
				s.drain()
				return
			case <-timer.C:
			}
		}
	}
}

// sendBatch posts the oldest batch, puts back what could not be posted and
// returns how long to wait before the next.
func (s *sender) sendBatch() time.Duration {
	ahead, batch := s.skew.Ahead(), s.take()
	failed, err := s.deliver(batch)
	if err != nil {
		s.queued(s.queue.unpop(failed))
		return s.failed(err)
	}
	// Posted by a clock that is wrong, as its answer says: an end may be past there.
	// Once in a while, as dates may be of any kind.
	if now := s.opts.Now(); s.skew.Ahead() != ahead && now.Sub(s.shifted) >= s.opts.ResendDelay {
		s.shifted = now
		s.queued(s.queue.unpop(items(batch)))
	}
	return 0
}

// take returns the oldest batch as it is now, without alerts that are gone or
// that the Alertmanager refuses.
func (s *sender) take() []pending {
	oldest := s.queue.pop(s.opts.BatchSize)
	s.m.length.Set(float64(s.queue.len()))
	now := s.opts.Now()
	for r, until := range s.rejected {
		if !now.Before(until) {
			delete(s.rejected, r)
		}
	}
	batch := s.lookup(oldest, now)
	kept := batch[:0]
	for _, p := range batch {
		if _, ok := s.rejected[p.ref]; ok {
			s.m.dropped.WithLabelValues(dropRejected).Inc()
			continue
		}
		kept = append(kept, p)
	}
	s.m.sent.Add(float64(len(kept)))
	return kept
}

// deliver posts a batch. Where the server refuses it, the batch is halved until
// the bad alerts stand alone: the server stored the good ones already, posting
// them again changes nothing, and a batch is never posted whole again. The error
// is the first that another try may mend; the items are what it concerns.
func (s *sender) deliver(batch []pending) ([]item, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	err := s.post(batch, s.escaping())
	if err != nil && classify(err) == refused && !s.escaping() && anyUTF8(batch) {
		// Alertmanager before 0.27 knows no UTF-8 names.
		plain := err
		if err = s.post(batch, true); err == nil {
			s.escape(plain)
		}
	}
	switch {
	case err == nil:
		return nil, nil
	case classify(err) != refused:
		s.m.errors.Add(float64(len(batch)))
		return items(batch), err
	case len(batch) == 1:
		s.reject(batch[0], err)
		return nil, nil
	}
	half := len(batch) / 2
	if failed, err := s.deliver(batch[:half]); err != nil {
		return append(failed, items(batch[half:])...), err
	}
	return s.deliver(batch[half:])
}

func (s *sender) post(batch []pending, escape bool) error {
	alerts := make(models.PostableAlerts, len(batch))
	for i, p := range batch {
		alerts[i] = p.alert
		if escape {
			alerts[i] = escapeNames(p.alert)
		}
		alerts[i] = shiftTimes(alerts[i], s.skew.Ahead())
	}
	begin := time.Now()
	err := s.client.post(s.ctx, s.opts.Timeout, alerts)
	s.m.latency.Observe(time.Since(begin).Seconds())
	if err == nil {
		s.succeeded()
	}
	return err
}

// reject gives up on an alert the server will not take.
func (s *sender) reject(p pending, err error) {
	s.rejected[p.ref] = s.opts.Now().Add(rejectedFor)
	s.m.errors.Inc()
	s.m.dropped.WithLabelValues(dropRejected).Inc()
	s.setError(err)
	s.log.Warn("alert refused", "signal", p.task, "alert", shorten(p.key, 300), "err", err)
}

func (s *sender) succeeded() {
	now := s.opts.Now()
	s.m.lastSuccess.WithLabelValues(s.url).Set(float64(now.UnixMilli()) / 1000)
	s.failures = 0
	s.mu.Lock()
	again := s.status.failing != ""
	s.status.failing, s.status.LastSuccess = "", now
	s.mu.Unlock()
	if again {
		s.log.Info("alertmanager reached again")
	}
}

// failed returns how long to wait after a failure: from one second on, doubled
// up to the re-send delay; at once the whole delay where someone has to mend
// something; as long as the server asks, but not so long that what it holds
// lapses.
func (s *sender) failed(err error) time.Duration {
	c := classify(err)
	s.setError(err)
	s.mu.Lock()
	first := s.status.failing != c
	s.status.failing = c
	s.mu.Unlock()
	if first { // a repeated failure is counted, not logged
		s.log.Warn("alerts not posted", "class", string(c), "err", err)
	}
	resend := s.opts.ResendDelay
	wait := resend
	if c != misconfigured {
		wait = min(firstBackoff<<min(s.failures, 30), resend)
	}
	s.failures++
	return max(wait, min(retryAfter(err, s.opts.Now()), 2*resend))
}

// drain tries every queued alert once and counts what is left.
func (s *sender) drain() {
	lost := 0
	var last error
	for s.queue.len() > 0 && s.ctx.Err() == nil && !s.replaced {
		failed, err := s.deliver(s.take())
		if err != nil {
			s.setError(err)
			lost, last = lost+len(failed), err
		}
	}
	lost += s.queue.len()
	if lost > 0 && !s.replaced {
		s.m.dropped.WithLabelValues(dropShutdown).Add(float64(lost))
		s.log.Warn("alerts not posted before the end", "dropped", lost, "err", last)
	}
}

func (s *sender) setError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastError, s.status.LastErrorTime = err.Error(), s.opts.Now()
}

func (s *sender) escaping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Escaping
}

func (s *sender) escape(refusal error) {
	s.mu.Lock()
	s.status.Escaping = true
	s.mu.Unlock()
	s.log.Info("alertmanager takes no UTF-8 label names, they are escaped from now on", "err", refusal)
}

func (s *sender) state() AlertmanagerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.QueueLength = s.queue.len()
	return st
}

func items(batch []pending) []item {
	out := make([]item, len(batch))
	for i, p := range batch {
		out[i] = p.item
	}
	return out
}

func anyUTF8(batch []pending) bool {
	for _, p := range batch {
		if hasUTF8Names(p.alert) {
			return true
		}
	}
	return false
}

// shorten cuts s to at most n bytes and says so.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
