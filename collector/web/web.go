// Package web is upid's HTTP side: one table of routes with a role each, limits
// on everything a stranger can make large or slow, and a graceful end.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/upid/upid/collector"
)

// Limits on a single connection. A scrape of 300,000 samples takes well under a
// second; whoever needs longer than this is broken or hostile.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
	maxBodyBytes      = 1 << 20
)

// DefaultListenAddress is where upid listens unless told otherwise.
const DefaultListenAddress = ":9877"

// Options configure a Server.
type Options struct {
	ListenAddresses []string                      // host:port; empty is DefaultListenAddress
	Listeners       []net.Listener                // already open, instead of ListenAddresses; the Server closes them
	Metrics         http.Handler                  // /metrics; prepares its whole answer before the first write
	Routes          []Route                       // beside its own; those of the API
	Ready           func() (ok bool, body string) // /-/ready; nil is always ready
	Healthy         func() error                  // /-/healthy; nil is always healthy
	Reload          func() error                  // POST /-/reload
	Quit            func()                        // POST /-/quit; starts the end and returns
	EnableLifecycle bool                          // open /-/reload and /-/quit, to this machine only
	MaxConnections  int                           // 0 is 512
	MaxScrapes      int                           // scrapes prepared at once; 0 is 4
	ShutdownDelay   time.Duration                 // how long to serve on, not ready, before closing
	ShutdownTimeout time.Duration                 // how long open requests may take after that; 0 is 30 s
	Version         string                        // shown on the landing page
	Registerer      prometheus.Registerer         // nil is one that is thrown away
	Logger          *slog.Logger                  // nil discards
}

// Server serves HTTP. Make one with New.
type Server struct {
	opts      Options
	metrics   metrics
	conns     *connections
	scrapes   chan struct{}
	listeners []net.Listener
	landing   landing
	up        atomic.Bool // listening and not draining
}

// New returns a Server that does not listen yet.
func New(o Options) (*Server, error) {
	switch {
	case o.Metrics == nil:
		return nil, errors.New("web: no handler for /metrics")
	case o.EnableLifecycle && (o.Reload == nil || o.Quit == nil):
		return nil, errors.New("web: lifecycle routes need Reload and Quit")
	}
	if len(o.ListenAddresses) == 0 {
		o.ListenAddresses = []string{DefaultListenAddress}
	}
	if o.Ready == nil {
		o.Ready = func() (bool, string) { return true, "ready" }
	}
	if o.Healthy == nil {
		o.Healthy = func() error { return nil }
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 512
	}
	if o.MaxScrapes == 0 {
		o.MaxScrapes = 4
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = 30 * time.Second
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: o, metrics: newMetrics(o.Registerer), scrapes: make(chan struct{}, o.MaxScrapes)}
	s.conns = newConnections(o.MaxConnections, s.metrics.dropped)
	var err error
	if s.landing, err = newLanding(o.Version, s.routes()); err != nil {
		return nil, fmt.Errorf("web: landing page: %w", err)
	}
	collector.NewGaugeFunc(o.Registerer, "upid_ready", func() float64 {
		if ok, _ := s.ready(); ok {
			return 1
		}
		return 0
	})
	return s, nil
}

// Listen opens the configured addresses. Run does so too if it was not called;
// calling it early tells early that an address is taken. Listeners given open take
// the place of addresses.
func (s *Server) Listen(ctx context.Context) error {
	if len(s.opts.Listeners) > 0 {
		for _, l := range s.opts.Listeners {
			s.listeners = append(s.listeners, s.conns.listener(l))
		}
		return nil
	}
	var lc net.ListenConfig
	for _, a := range s.opts.ListenAddresses {
		l, err := lc.Listen(ctx, "tcp", a)
		if err != nil {
			s.close()
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("listen on %q: the address is in use: stop the other process "+
					"(is it another upid?) or choose another with --web.listen-address: %w", a, err)
			}
			return fmt.Errorf("listen on %q: %w", a, err)
		}
		s.listeners = append(s.listeners, s.conns.listener(l))
	}
	return nil
}

// close closes the listeners of a Listen that went wrong half way.
func (s *Server) close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners = nil
}

// Addrs returns the addresses listened on, with the ports the system chose.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Run listens and serves until ctx is done. Then it says that it is not ready,
// serves on for ShutdownDelay so that load balancers notice and a last scrape is
// possible, stops accepting, and waits up to ShutdownTimeout for open requests.
// It returns nil if all of them ended. A Server runs once.
func (s *Server) Run(ctx context.Context) error {
	if s.listeners == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withConnection,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		g.Go(func() error {
			s.opts.Logger.Info("listening", "address", l.Addr().String())
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	s.up.Store(true)
	g.Go(func() error {
		<-gctx.Done()
		s.up.Store(false)
		if ctx.Err() != nil { // asked to end, not a listener lost
			time.Sleep(s.opts.ShutdownDelay)
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.ShutdownTimeout)
		defer cancel()
		if err := srv.Shutdown(end); err != nil {
			_ = srv.Close()
			return fmt.Errorf("requests still open after %s were cut: %w", s.opts.ShutdownTimeout, err)
		}
		return nil
	})
	return g.Wait()
}
