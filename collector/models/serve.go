package models

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// Performance is the answer of /api/v1/performance.
type Performance struct {
	ModelType string   `json:"model_type"`
	Versions  []Record `json:"versions"`
	Live      *Judged  `json:"live"` // null: nothing was judged live
	// Signals are the published forecasts of signals, judged when their time came; null: no
	// sidecar was asked.
	Signals []SignalLive `json:"signals"`
}

// The limits of rows in a request, whose body is small but may have many empty rows of
// many names.
var (
	askedLimits = Limits{Rows: 1000, Cells: 100_000}
	sentLimits  = Limits{Rows: learn.MaxRows, Cells: 1 << 22} // to learn from; 1 MiB of full rows has an eighth
)

// Question is the body of POST /api/v1/predict.
type Question struct {
	ModelType string          `json:"model_type"`
	Version   string          `json:"version,omitempty"` // empty: the active one
	Policy    string          `json:"policy,omitempty"`  // by which sizes are advised; empty: the configured one
	Features  json.RawMessage `json:"features"`          // an object, or an array of them
}

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

// models answers with the records of the versions; damaged ones are left out.
func (s *Service) models(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []Record{}
	for _, typ := range ts {
		records, err := s.o.Registry.Records(typ)
		if err != nil && len(records) == 0 {
			return nil, err
		}
		out = append(out, records...)
	}
	return out, nil
}

// TypeState is how the models of a type are doing.
type TypeState struct {
	ModelType string       `json:"model_type"`
	States    []ModelState `json:"states"`
	Automatic bool         `json:"automatic"` // it is trained by itself
	RunID     string       `json:"run_id"`    // of the training that runs, "" if none does
	NotLive   string       `json:"not_live"`  // why its versions are not compared live, "" if they are
	Progress  Progress     `json:"pipeline"`
}

func (s *Service) states(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []TypeState{}
	for _, typ := range ts {
		t := TypeState{ModelType: typ, NotLive: NotLive(typ), Progress: s.life.of(typ)}
		s.life.mu.Lock()
		_, t.Automatic = s.life.plans[typ]
		s.life.mu.Unlock()
		if run, ok := s.runs.running(); ok && run.ModelType == typ {
			t.RunID = run.ID
		}
		t.States, _ = s.o.Registry.States(typ, &t.Progress) // the error is in the reason
		out = append(out, t)
	}
	return out, nil
}

func (s *Service) performance(r *http.Request) (any, error) {
	ts, err := types(r)
	if err != nil {
		return nil, err
	}
	out := []Performance{}
	for _, typ := range ts {
		records, err := s.o.Registry.Records(typ)
		if err != nil && len(records) == 0 {
			return nil, err
		}
		p := Performance{ModelType: typ, Versions: append([]Record{}, records...)}
		p.Live, p.Signals = s.life.of(typ).Live, []SignalLive{}
		if s.o.Signals != nil {
			p.Signals = append(p.Signals, s.o.Signals(typ)...)
		}
		out = append(out, p)
	}
	return out, nil
}

func (s *Service) predict(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var q Question
	if err := dec.Decode(&q); err != nil {
		return nil, bad("the body: %w; want {\"model_type\": …, \"features\": {…}}", err)
	}
	if !slices.Contains(features.Types, q.ModelType) {
		return nil, bad("model_type: %q, want one of %s", q.ModelType, strings.Join(features.Types, ", "))
	}
	rows, err := ReadRowsWithin(bytes.NewReader(q.Features), askedLimits)
	if err != nil {
		return nil, err
	}
	if q.Policy == "" {
		q.Policy = *s.policy.Load()
	}
	ps, _, err := s.o.Registry.Ask(r.Context(), Query{ModelType: q.ModelType, Version: q.Version, Rows: rows, Policy: q.Policy, Known: s.o.Known})
	return ps, err
}

// rowsEvery is how far apart the rows of a workload are that a request for training makes.
const rowsEvery = 12 * time.Hour

var trainQuery = []string{"algorithm", "epochs", "force", "lookback", "seed"}

func (s *Service) train(r *http.Request) (any, error) {
	typ := r.PathValue("type")
	if !slices.Contains(features.Types, typ) {
		return nil, &refusal{http.StatusNotFound, "not_found", fmt.Errorf("model type %q, want one of %s", typ, strings.Join(features.Types, ", "))}
	}
	q, err := query(r, trainQuery...)
	if err != nil {
		return nil, err
	}
	number := func(name string, def, most int) int {
		text := q.Get(name)
		if text == "" {
			return def
		}
		n, nerr := strconv.Atoi(text)
		if nerr != nil || n < 1 || n > most {
			err = errors.Join(err, fmt.Errorf("%s: %q, want a whole number from 1 to %d", name, text, most))
		}
		return n
	}
	t := Training{
		ModelType: typ, Source: "request", Epochs: number("epochs", learn.DefaultEpochs, learn.MaxEpochs), Algorithm: q.Get("algorithm"),
		Seed: uint64(number("seed", 1, 1<<31)), Horizon: -1, Build: s.o.Build, Now: s.o.Now, //nolint:gosec // at least 1
	}
	days := number("lookback", 60, 3650)
	if t.Algorithm != "" && t.Algorithm != learn.Auto && !slices.Contains(learn.Algorithms(), t.Algorithm) {
		err = errors.Join(err, fmt.Errorf("algorithm: %q, want %s or one of %s", t.Algorithm, learn.Auto, strings.Join(learn.Algorithms(), ", ")))
	}
	force, ferr := strconv.ParseBool(q.Get("force"))
	if ferr != nil && q.Has("force") {
		err = errors.Join(err, fmt.Errorf("force: %q, want true or false", q.Get("force")))
	}
	if err != nil {
		return nil, bad("%w", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	rows := func(context.Context, func(string)) (*Rows, error) {
		rows, err := ReadRowsWithin(bytes.NewReader(body), sentLimits)
		if err != nil {
			return nil, err
		}
		return rows.LeaveOut(s.o.Excluded, DefaultHorizon(typ)), nil
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if typ == features.SecurityThreat {
			return nil, bad("security_threat is learned from labelled rows: send them as the body")
		}
		t.Source, t.Every = "prometheus", rowsEvery
		rows = func(ctx context.Context, step func(string)) (*Rows, error) {
			now := s.o.Now()
			return Extract(ctx, s.o.Querier, Extraction{
				ModelType: typ, From: now.AddDate(0, 0, -days).UnixMilli(), To: now.UnixMilli(), Every: rowsEvery, Location: s.o.Location, Excluded: s.o.Excluded,
				Limits: serverLimits, Progress: stepper(step),
			})
		}
	}
	run, err := s.runs.start(Journal{Trail: s.o.Trail, Actor: "api", Source: r.RemoteAddr}, t, order{cause: CauseRequest, force: force}, rows)
	if errors.Is(err, errBusy) {
		return nil, fmt.Errorf("%w: %s; wait for it, or cancel it", err, run.ID)
	}
	if err != nil {
		return nil, err
	}
	return accepted{run}, nil
}

func (s *Service) training(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	return s.runs.get(r.PathValue("id"))
}

func (s *Service) cancel(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	return s.runs.stop(r.Context(), r.PathValue("id"))
}
