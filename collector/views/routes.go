package views

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/web"
)

// MaxLimit is the most objects one answer holds; further ones are on the next
// page.
const MaxLimit = 1000

// Routes returns the routes of the API that Views answers.
func (v *Views) Routes() []web.Route {
	get := []string{http.MethodGet}
	route := func(path, name, about string, serve func(url.Values, string) (any, web.Page, error)) web.Route {
		return web.Route{Path: path, Methods: get, Role: web.Viewer, Name: name, About: about, Serve: func(w http.ResponseWriter, r *http.Request) {
			data, page, err := serve(r.URL.Query(), r.PathValue("name"))
			var missing notFoundError
			switch {
			case errors.As(err, &missing):
				web.Refuse(w, http.StatusNotFound, "not_found", err)
			case err != nil:
				web.Refuse(w, http.StatusBadRequest, "bad_data", err)
			default:
				web.Answer(w, data, page)
			}
		}}
	}
	return []web.Route{
		route("/api/v1/signals", "api_signals", "What is watched, and how it is doing", v.serveSignals),
		route("/api/v1/signals/{name}", "api_signal", "", v.serveSignal),
		route("/api/v1/signals/{name}/series", "api_signal_series", "", v.serveSeries),
		route("/api/v1/predictions", "api_predictions", "What is expected", v.servePredictions),
		route("/api/v1/anomalies", "api_anomalies", "What is or was out of the ordinary", v.serveAnomalies),
	}
}

type notFoundError struct{ error }

func (v *Views) serveSignals(q url.Values, _ string) (any, web.Page, error) {
	if err := known(q); err != nil {
		return nil, web.Page{}, err
	}
	all := v.Signals()
	return all, web.Page{Total: len(all)}, nil
}

func (v *Views) serveSignal(q url.Values, name string) (any, web.Page, error) {
	if err := known(q); err != nil {
		return nil, web.Page{}, err
	}
	for _, s := range v.Signals() {
		if s.Name == name {
			return s, web.Page{}, nil
		}
	}
	return nil, web.Page{}, notFoundError{fmt.Errorf("no signal %q; /api/v1/signals lists them", name)}
}

// serveSeries answers with the newest state of every series of a signal.
func (v *Views) serveSeries(q url.Values, name string) (any, web.Page, error) {
	if _, _, err := v.serveSignal(nil, name); err != nil {
		return nil, web.Page{}, err
	}
	f := PredictionFilter{ModelType: AnomalyDetection, Signal: name}
	if err := errors.Join(known(q, "limit", "offset", "label"), page(q, &f.Offset, &f.Limit), pairs(q, &f.Labels)); err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Predictions(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

func (v *Views) servePredictions(q url.Values, _ string) (any, web.Page, error) {
	f := PredictionFilter{ModelType: q.Get("model_type"), Signal: q.Get("signal"), Horizon: q.Get("horizon"), Confidence: q.Get("confidence")}
	err := errors.Join(
		known(q, "model_type", "signal", "horizon", "confidence", "past", "limit", "offset", "label"),
		oneOf(q, "model_type", ModelTypes...), oneOf(q, "confidence", levels...),
		page(q, &f.Offset, &f.Limit), pairs(q, &f.Labels),
	)
	if p := q.Get("past"); p != "" {
		b, perr := strconv.ParseBool(p)
		if perr != nil {
			err = errors.Join(err, fmt.Errorf("past: %q, want true or false", p))
		}
		f.Past = b
	}
	if err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Predictions(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

func (v *Views) serveAnomalies(q url.Values, _ string) (any, web.Page, error) {
	f := AnomalyFilter{Family: q.Get("family"), Type: q.Get("type"), Severity: q.Get("severity"), Signal: q.Get("signal"), State: q.Get("state")}
	err := errors.Join(
		known(q, "family", "type", "severity", "signal", "state", "since", "limit", "offset", "label"),
		oneOf(q, "state", "open", "ended"),
		oneOf(q, "severity", series.SeverityInfo, series.SeverityWarning, series.SeverityCritical),
		page(q, &f.Offset, &f.Limit), pairs(q, &f.Labels), since(q, &f.Since),
	)
	if err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Anomalies(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

// known refuses parameters that mean nothing: a misspelt filter must not answer
// with everything.
func known(q url.Values, names ...string) error {
	var errs []error
	for name := range q {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("unknown parameter %q, want one of %s", name, strings.Join(names, ", ")))
		}
	}
	return errors.Join(errs...)
}

func oneOf(q url.Values, name string, values ...string) error {
	if got := q.Get(name); got != "" && !slices.Contains(values, got) {
		return fmt.Errorf("%s: %q, want one of %s", name, got, strings.Join(values, ", "))
	}
	return nil
}

// page reads offset and limit; the default limit is the greatest.
func page(q url.Values, offset, limit *int) error {
	*limit = MaxLimit
	var errs []error
	for _, p := range []struct {
		name  string
		to    *int
		least int
		most  int
	}{{"limit", limit, 1, MaxLimit}, {"offset", offset, 0, 1 << 31}} {
		s := q.Get(p.name)
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < p.least || n > p.most {
			errs = append(errs, fmt.Errorf("%s: %q, want a whole number from %d to %d", p.name, s, p.least, p.most))
			continue
		}
		*p.to = n
	}
	return errors.Join(errs...)
}

// next returns the offset of the next page, 0 if there is none.
func next(offset, n, total int) int {
	if offset+n >= total {
		return 0
	}
	return offset + n
}

func pairs(q url.Values, to *map[string]string) error {
	ls, ok := parseLabels(q["label"])
	if !ok {
		return errors.New("label: want name=value")
	}
	*to = ls
	return nil
}

// since reads a time: RFC 3339 or Unix seconds.
func since(q url.Values, to *int64) error {
	s := q.Get("since")
	if s == "" {
		return nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1e11 && f < 1e11 {
		*to = int64(f * 1000)
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("since: %q, want Unix seconds or RFC 3339", s)
	}
	*to = t.UnixMilli()
	return nil
}
