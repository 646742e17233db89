package views

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/upid/upid/collector/series"
	"github.com/upid/upid/collector/web"
	"github.com/upid/upid/rules"
)

// MaxLimit is the most objects one answer holds; further ones are on the next
// page.
const MaxLimit = 1000

// Routes returns the routes of the API that Views answers.
func (v *Views) Routes() []web.Route {
	get := []string{http.MethodGet}
	route := func(path, name, about string, answer func(*params, string) (any, web.Page, error)) web.Route {
		return web.Route{Path: path, Methods: get, Role: web.Viewer, Name: name, About: about, Serve: func(w http.ResponseWriter, r *http.Request) {
			select {
			case v.busy <- struct{}{}:
				defer func() { <-v.busy }()
			default:
				w.Header().Set("Retry-After", "1")
				web.Refuse(w, http.StatusServiceUnavailable, "unavailable", fmt.Errorf("%d answers are being made already", cap(v.busy)))
				return
			}
			q, err := readParams(r.URL.RawQuery)
			if err != nil {
				web.Refuse(w, http.StatusBadRequest, "bad_data", err)
				return
			}
			data, page, err := answer(q, r.PathValue("name"))
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
	return described([]web.Route{
		route("/api/v1/signals", "api_signals", "What is watched, and how it is doing", v.serveSignals),
		route("/api/v1/signals/{name}", "api_signal", "", v.serveSignal),
		route("/api/v1/signals/{name}/series", "api_signal_series", "", v.serveSeries),
		route("/api/v1/predictions", "api_predictions", "What is expected", v.servePredictions),
		route("/api/v1/recommendations", "api_recommendations", "What to change, and what it saves", v.serveRecommendations),
		route("/api/v1/anomalies", "api_anomalies", "What is or was out of the ordinary", v.serveAnomalies),
		route("/api/v1/threats", "api_threats", "Who is or was attacked, or behaves like an attacker", v.serveThreats),
		{Path: "/api/v1/threats/purge", Methods: []string{http.MethodPost}, Role: web.Operator, Name: "api_threats_purge", About: "", Serve: v.purgeThreats},
	})
}

type notFoundError struct{ error }

func (v *Views) serveSignals(q *params, _ string) (any, web.Page, error) {
	offset, limit := q.page()
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	all := v.Signals("")
	part := all[min(offset, len(all)):min(offset+limit, len(all))]
	return part, web.Page{Total: len(all), Next: next(offset, len(part), len(all))}, nil
}

func (v *Views) serveSignal(q *params, name string) (any, web.Page, error) {
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	all := v.Signals(name)
	if len(all) == 0 {
		return nil, web.Page{}, noSignal(name)
	}
	return all[0], web.Page{}, nil
}

func noSignal(name string) error {
	return notFoundError{fmt.Errorf("no signal %q; /api/v1/signals lists them", name)}
}

// serveSeries answers with the newest state of every series of a signal.
func (v *Views) serveSeries(q *params, name string) (any, web.Page, error) {
	f := PredictionFilter{ModelType: AnomalyDetection, Signal: name, Labels: q.labels()}
	f.Offset, f.Limit = q.page()
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	if len(v.Signals(name)) == 0 {
		return nil, web.Page{}, noSignal(name)
	}
	data, total := v.newest(f, func(*series.Result) bool { return true })
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

func (v *Views) servePredictions(q *params, _ string) (any, web.Page, error) {
	f := PredictionFilter{
		ModelType: q.oneOf("model_type", ModelTypes), Signal: q.text("signal"), Horizon: q.horizon(),
		Confidence: q.oneOf("confidence", levels), Labels: q.labels(), Past: q.oneOf("past", []string{"false", "true"}) == "true",
	}
	f.Offset, f.Limit = q.page()
	if f.Past && f.ModelType == AnomalyDetection {
		q.fail("past: scores of earlier points are not on record")
	}
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Predictions(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

func (v *Views) serveAnomalies(q *params, _ string) (any, web.Page, error) {
	f := AnomalyFilter{
		Family: q.oneOf("family", rules.Families), Type: q.oneOf("type", series.AnomalyTypes),
		Severity: q.oneOf("severity", series.Severities), Signal: q.text("signal"),
		State: q.oneOf("state", []string{Open, Ended}), Since: q.since(), Labels: q.labels(),
	}
	f.Offset, f.Limit = q.page()
	if err := q.done(); err != nil {
		return nil, web.Page{}, err
	}
	data, total := v.Anomalies(f)
	return data, web.Page{Total: total, Next: next(f.Offset, len(data), total)}, nil
}

// next returns the offset of the next page, 0 if there is none.
func next(offset, n, total int) int {
	if offset+n >= total {
		return 0
	}
	return offset + n
}
