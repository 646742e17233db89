package collector

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// skewWarn is how far two clocks may differ: a scrape interval or two.
	skewWarn = 30 * time.Second
	// skewMoves is how far a skew moves before it is another: dates have whole
	// seconds, and answers take time.
	skewMoves = 5 * time.Second
)

// Skew follows how far the clock of another server is ahead of ours, by the dates
// of its answers. It is safe for concurrent use.
type Skew struct {
	gauge *prometheus.GaugeVec
	peer  string
	log   *slog.Logger

	mu   sync.Mutex
	last time.Duration
}

// NewSkew returns one that counts as upid_clock_skew_seconds, from the first date
// on, and warns when it becomes more than half a minute.
func NewSkew(reg prometheus.Registerer, peer string, log *slog.Logger) *Skew {
	return &Skew{gauge: NewGaugeVec(reg, "upid_clock_skew_seconds"), peer: peer, log: log}
}

// Note takes in the header Date of an answer that came at now. A date that cannot
// be read says nothing.
func (s *Skew) Note(date string, now time.Time) {
	t, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := t.Add(500 * time.Millisecond).Sub(now) // dates are cut to whole seconds
	s.gauge.WithLabelValues(s.peer).Set(ahead.Seconds())
	s.mu.Lock()
	was := s.last
	if (ahead - was).Abs() > skewMoves {
		s.last = ahead
	}
	is := s.last
	s.mu.Unlock()
	switch {
	case is.Abs() > skewWarn && was.Abs() <= skewWarn:
		s.log.Warn("the clocks differ by more than half a minute: look after the time synchronisation of both machines",
			"peer", s.peer, "ahead_of_ours", is.Round(time.Second))
	case is.Abs() <= skewWarn && was.Abs() > skewWarn:
		s.log.Info("the clocks agree again", "peer", s.peer)
	}
}

// Ahead returns how far the clock of the other is ahead of ours if that is more
// than half a minute, else 0. It does not follow small changes.
func (s *Skew) Ahead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.Abs() <= skewWarn {
		return 0
	}
	return s.last
}

// Forget removes the metric.
func (s *Skew) Forget() { s.gauge.DeleteLabelValues(s.peer) }
