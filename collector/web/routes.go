package web

import (
	"fmt"
	"net/http"
	"slices"
)

// Role is what a caller must be to use a route. Every route has one; a request
// to a route of a role that nothing grants is refused.
type Role string

// The roles, each of which may do what those before it may.
const (
	Anyone   Role = "anyone"   // probes
	Scraper  Role = "scraper"  // reads /metrics
	Viewer   Role = "viewer"   // reads everything else
	Operator Role = "operator" // changes what runs
	Admin    Role = "admin"    // ends it
)

// Route is one entry of the table of everything that is served.
type Route struct {
	Path    string
	Methods []string // GET includes HEAD
	Role    Role
	Name    string // in the handler label of upid_http_requests_total
	About   string // on the landing page; empty is not listed
	Serve   http.HandlerFunc

	// For the description in OpenAPI; nil is not described.
	Query   []string // names of the parameters
	Body    any      // a value of the type of the JSON body
	Data    any      // a value of the type of data in the answer
	Accepts bool     // the answer is 202: something was begun
}

// Routes returns the table of everything that is served, lifecycle routes too
// when they are closed.
func (s *Server) Routes() []Route { return slices.Clone(s.routes()) }

func (s *Server) routes() []Route {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	return append([]Route{
		{Path: "/metrics", Methods: get, Role: Scraper, Name: "metrics", About: "Predictions, scores and self metrics", Serve: s.limitScrapes(s.opts.Metrics)},
		{Path: "/-/healthy", Methods: get, Role: Anyone, Name: "healthy", About: "Is the scheduler alive?", Serve: s.serveHealthy},
		{Path: "/-/ready", Methods: get, Role: Anyone, Name: "ready", About: "Is it ready, and does Prometheus answer?", Serve: s.serveReady},
		{Path: "/-/reload", Methods: post, Role: Operator, Name: "reload", About: "", Serve: s.serveReload},
		{Path: "/-/quit", Methods: post, Role: Admin, Name: "quit", About: "", Serve: s.serveQuit},
		{Path: "/{$}", Methods: get, Role: Viewer, Name: "landing", About: "", Serve: s.serveLanding},
	}, s.opts.Routes...)
}

// Handler returns what Run serves.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.Path, s.guard(r))
		s.metrics.start(r)
	}
	mux.Handle("/", s.count("not_found", http.HandlerFunc(notFound)))
	return s.outer(mux)
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not found", http.StatusNotFound)
}

func (s *Server) serveHealthy(w http.ResponseWriter, _ *http.Request) {
	if err := s.opts.Healthy(); err != nil {
		http.Error(w, "not healthy: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "healthy")
}

// ready reports whether to send requests here, and what else is to be said.
func (s *Server) ready() (bool, string) {
	if !s.up.Load() {
		return false, "not ready: starting or shutting down"
	}
	return s.opts.Ready()
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	ok, body := s.ready()
	if !ok {
		http.Error(w, body, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, body)
}

func (s *Server) serveReload(w http.ResponseWriter, _ *http.Request) {
	if err := s.opts.Reload(); err != nil {
		http.Error(w, "the old configuration stays in use: "+err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "configuration reloaded")
}

func (s *Server) serveQuit(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "shutting down")
	s.opts.Quit()
}

func (s *Server) serveLanding(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", s.landing.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(s.landing.page) // the reader may have gone
}
