package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/audit"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// ServiceOptions configure a Service.
type ServiceOptions struct {
	Registry *Registry
	Trail    *audit.Log // of what changes models
	Querier  Querier    // that rows are made from without a body
	Build    string
	Now      func() time.Time
	Location *time.Location
	// Progress keeps how far the pipelines are; nil: nothing goes by itself and nothing is
	// judged live.
	Progress   *store.Records
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: nothing is exported
	// Signals are the live figures of the published forecasts of signals of a type; nil: there
	// are none.
	Signals func(modelType string) []SignalLive
	// Excluded says when a workload is not learned from; nil: nothing is.
	Excluded func(signal string, ls labels.Labels) []feedback.Span
	States   func([]ModelState) // is told how all models are, again and again; nil tells nobody
	// Known returns the recommendation of an id; nil: there are none.
	Known func(id string) (json.RawMessage, bool)
}

// Service answers for trained models over HTTP.
type Service struct {
	o    ServiceOptions
	runs runs
	life *lifecycle
	m    *metrics // nil: nothing is exported

	newest atomic.Pointer[[]ModelState]
	policy atomic.Pointer[string] // by which sizes are advised
}

// NewService returns a Service. Nothing runs yet.
func NewService(o ServiceOptions) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, runs: runs{registry: o.Registry, now: o.Now}}
	if o.Registerer != nil {
		s.m = newMetrics(o.Registerer)
	}
	s.life = newLifecycle(s)
	s.SizeBy(DefaultPolicy)
	return s
}

// SizeBy says by which policy of sizing.Policies sizes are advised from now on.
func (s *Service) SizeBy(policy string) { s.policy.Store(&policy) }

// Run keeps the pipelines going until ctx is done, then cancels the training that runs.
func (s *Service) Run(ctx context.Context) error {
	if s.o.Progress != nil {
		done := make(chan struct{})
		go func() { // on a thread of its own
			defer close(done)
			s.life.run(ctx)
		}()
		defer func() { <-done }()
	}
	<-ctx.Done()
	s.runs.close()
	return nil
}

// Ailing returns the states of models that somebody should look at, as of the newest round.
func (s *Service) Ailing() []ModelState {
	if states := s.newest.Load(); states != nil {
		return Ailing(*states)
	}
	return nil
}

// publish tells how all models are.
func (s *Service) publish() {
	l := s.life
	l.mu.Lock()
	progress, live, said := map[string]*Progress{}, map[string]*Judged{}, map[string][]Said{}
	for typ, p := range l.progress {
		c := p.clone()
		progress[typ], live[typ] = &c, c.Live
	}
	maps.Copy(said, l.said)
	l.mu.Unlock()
	states := s.o.Registry.AllStates(progress)
	s.newest.Store(&states)
	if s.o.States != nil {
		s.o.States(states)
	}
	if s.m != nil {
		s.m.set(live, said)
	}
}

func (s *Service) count(typ, outcome string) {
	if s.m != nil {
		s.m.trainings.WithLabelValues(typ, outcome).Inc()
	}
}

func (s *Service) panicked() {
	if s.m != nil {
		s.m.panics.Inc()
	}
}

// The limits of rows in a request, whose body is small but may have many empty rows of
// many names.
var (
	askedLimits = Limits{Rows: 1000, Cells: 100_000}
	sentLimits  = Limits{Rows: learn.MaxRows, Cells: 1 << 22} // to learn from; 1 MiB of full rows has an eighth
)

// Routes returns the routes of the API that Service answers.
func (s *Service) Routes() []web.Route {
	get, post := []string{http.MethodGet}, []string{http.MethodPost}
	return []web.Route{
		{Path: "/api/v1/models", Methods: get, Role: web.Viewer, Name: "api_models", About: "Versions of trained models", Serve: handle(s.models), Query: []string{"model_type"}, Data: []Record{}},
		{Path: "/api/v1/performance", Methods: get, Role: web.Viewer, Name: "api_performance", About: "How good trained models are", Serve: handle(s.performance), Query: []string{"model_type"}, Data: []Performance{}},
		{Path: "/api/v1/predict", Methods: post, Role: web.Viewer, Name: "api_predict", Serve: handle(s.predict), Body: Question{}, Data: []Prediction{}},
		{Path: "/api/v1/models/{type}/train", Methods: post, Role: web.Operator, Name: "api_train", Serve: handle(s.train), Query: trainQuery, Body: []map[string]any{}, Data: Run{}, Accepts: true},
		{Path: "/api/v1/models/states", Methods: get, Role: web.Viewer, Name: "api_model_states", About: "How models are doing and how far their trainings are", Serve: handle(s.states), Query: []string{"model_type"}, Data: []TypeState{}},
		{Path: "/api/v1/training/{id}", Methods: get, Role: web.Viewer, Name: "api_training", Serve: handle(s.training), Data: Run{}},
		{Path: "/api/v1/training/{id}/cancel", Methods: post, Role: web.Operator, Name: "api_training_cancel", Serve: handle(s.cancel), Data: Run{}},
	}
}

// refusal is an error with its HTTP status.
type refusal struct {
	code int
	kind string
	err  error
}

func (e *refusal) Error() string { return e.err.Error() }

func bad(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "bad_data", fmt.Errorf(format, args...)}
}

// accepted is data that is answered with 202.
type accepted struct{ data any }

// handle makes a handler of what answers with data or an error.
func handle(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := answer(r)
		var known *refusal
		var large *http.MaxBytesError
		switch begun, is := data.(accepted); {
		case errors.As(err, &large):
			web.Refuse(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body is larger than %d bytes; train larger files with upid train", large.Limit))
		case errors.As(err, &known):
			web.Refuse(w, known.code, known.kind, known.err)
		case errors.Is(err, ErrNoVersion), errors.Is(err, errNoRun):
			web.Refuse(w, http.StatusNotFound, "not_found", err)
		case errors.Is(err, ErrRows), errors.Is(err, learn.ErrInput):
			web.Refuse(w, http.StatusBadRequest, "bad_data", err)
		case errors.Is(err, errBusy), errors.Is(err, errNotLive):
			web.Refuse(w, http.StatusConflict, "conflict", err)
		case errors.Is(err, errEnding), errors.Is(err, ErrParked):
			web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		case errors.Is(err, ErrFailed):
			web.Refuse(w, http.StatusInternalServerError, "internal", err)
		case err != nil:
			web.Refuse(w, http.StatusInternalServerError, "internal", fmt.Errorf("%s: %w", store.Reason(err), err))
		case is:
			web.Accept(w, begun.data)
		default:
			web.Answer(w, data, web.Page{})
		}
	}
}

// query returns the parameters of a request, each known and given once.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, bad("query string: %w", err)
	}
	for name, values := range q {
		switch {
		case !slices.Contains(names, name) && len(names) == 0:
			return nil, bad("unknown parameter %q, want none", name)
		case !slices.Contains(names, name):
			return nil, bad("unknown parameter %q, want one of %s", name, strings.Join(names, ", "))
		case len(values) > 1:
			return nil, bad("%s: given %d times, want once", name, len(values))
		}
	}
	return q, nil
}

// types returns those a request asks for, all without one.
func types(r *http.Request) ([]string, error) {
	q, err := query(r, "model_type")
	if err != nil {
		return nil, err
	}
	switch typ := q.Get("model_type"); {
	case typ == "":
		return features.Types, nil
	case slices.Contains(features.Types, typ):
		return []string{typ}, nil
	default:
		return nil, bad("model_type: %q, want one of %s", typ, strings.Join(features.Types, ", "))
	}
}
