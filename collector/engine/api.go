package engine

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"strings"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// Version is the version of Prometheus that the engine is made of.
const Version = "3.15.0"

// maxForm bounds the body of a request: a query of a megabyte is no query.
const maxForm = 1 << 20

// The types of errors, with the status of each.
const (
	errorBadData  = "bad_data"  // 400
	errorExec     = "execution" // 422
	errorTimeout  = "timeout"   // 503
	errorCanceled = "canceled"  // 499
	errorInternal = "internal"  // 500
)

var statusOf = map[string]int{
	errorBadData: http.StatusBadRequest, errorExec: http.StatusUnprocessableEntity, errorTimeout: http.StatusServiceUnavailable,
	errorCanceled: 499, errorInternal: http.StatusInternalServerError,
}

// apiError is an error with its type.
type apiError struct {
	typ string
	err error
}

func (e *apiError) Error() string { return e.err.Error() }

func badParam(name string, err error) error {
	return &apiError{errorBadData, errors.New(`invalid parameter "` + name + `": ` + err.Error())}
}

// classify gives an error of the engine its type, as Prometheus does.
func classify(err error) *apiError {
	var ae *apiError
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var store promql.ErrStorage
	switch {
	case errors.As(err, &ae):
		return ae
	case errors.As(err, &canceled):
		return &apiError{errorCanceled, err}
	case errors.As(err, &timeout):
		return &apiError{errorTimeout, err}
	case errors.As(err, &store):
		return &apiError{errorInternal, err}
	case errors.Is(err, context.Canceled):
		return &apiError{errorCanceled, err}
	case errors.Is(err, context.DeadlineExceeded):
		return &apiError{errorTimeout, err}
	}
	return &apiError{errorExec, err}
}

// answer is what an endpoint has to say.
type answer struct {
	data            any // encoded as JSON
	warnings, infos []string
}

// annotated puts remarks on the expression and on the data into the answer.
func (a *answer) annotated(as annotations.Annotations, query string) {
	a.warnings, a.infos = as.AsStrings(query, 10, 10)
}

// Handler serves the query API of Prometheus under /api/v1/: query, query_range,
// series, labels, label/<name>/values, metadata, rules, query_exemplars (of which
// there are none) and status/buildinfo, by GET and POST alike. It is enough for
// upid and for a Prometheus data source of Grafana.
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, f func(*http.Request) (answer, error)) {
		h := func(w http.ResponseWriter, r *http.Request) { respond(w, r, f) }
		mux.HandleFunc("GET /api/v1/"+path, h)
		mux.HandleFunc("POST /api/v1/"+path, h)
	}
	handle("query", e.query)
	handle("query_range", e.queryRange)
	handle("series", e.series)
	handle("labels", e.labelNames)
	handle("label/{name}/values", e.labelValues)
	handle("metadata", fixed(struct{}{}))
	handle("rules", fixed(map[string]any{"groups": []any{}}))
	handle("query_exemplars", fixed([]any{}))
	handle("status/buildinfo", fixed(map[string]string{
		"version": Version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}))
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("The engine is ready.\n")) }
	mux.HandleFunc("GET /-/healthy", ok)
	mux.HandleFunc("GET /-/ready", ok)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("The query API of Prometheus is under /api/v1/; there is no user interface.\n"))
	})
	return mux
}

// fixed answers the same every time.
func fixed(data any) func(*http.Request) (answer, error) {
	return func(*http.Request) (answer, error) { return answer{data: data}, nil }
}

// envelope is the form of every answer.
type envelope struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data,omitempty"`
	ErrorType string          `json:"errorType,omitempty"`
	Error     string          `json:"error,omitempty"`
	Warnings  []string        `json:"warnings,omitempty"`
	Infos     []string        `json:"infos,omitempty"`
}

func respond(w http.ResponseWriter, r *http.Request, f func(*http.Request) (answer, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var a answer
	err := parseForm(r)
	if err == nil {
		a, err = f(r)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err != nil {
		ae := classify(err)
		w.WriteHeader(statusOf[ae.typ])
		_ = json.NewEncoder(w).Encode(envelope{Status: "error", ErrorType: ae.typ, Error: ae.Error()}) // nobody is left to tell
		return
	}
	if q, ok := a.data.(result); ok {
		q.write(w, a)
		return
	}
	data, err := json.Marshal(a.data)
	if err != nil {
		panic(err) // strings, lists and maps of them
	}
	_ = json.NewEncoder(w).Encode(envelope{Status: "success", Data: data, Warnings: a.warnings, Infos: a.infos})
}

func parseForm(r *http.Request) error {
	err := r.ParseForm()
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "request body too large"):
		return &apiError{errorBadData, errors.New("the request is larger than 1 MiB")}
	}
	return &apiError{errorBadData, err}
}
