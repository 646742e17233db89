package engine

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// querier is what a request about series reads from, and which it is about.
type querier struct {
	storage.Querier
	from, to int64 // Unix milliseconds
	sets     [][]*labels.Matcher
	limit    int // 0 is none
}

// querier returns that of a request. The caller closes it.
func (e *Engine) querier(r *http.Request) (querier, error) {
	limit, err := limitParam(r)
	if err != nil {
		return querier{}, err
	}
	from, to, err := span(r)
	if err != nil {
		return querier{}, err
	}
	sets, err := e.matchParam(r)
	if err != nil {
		return querier{}, err
	}
	q, err := e.db.Querier(from, to)
	if err != nil {
		return querier{}, &apiError{errorInternal, err}
	}
	return querier{q, from, to, sets, limit}, nil
}

// series answers api/v1/series: the label sets that the selectors match.
func (e *Engine) series(r *http.Request) (answer, error) {
	if len(r.Form["match[]"]) == 0 {
		return answer{}, &apiError{errorBadData, fmt.Errorf("no match[] parameter provided")}
	}
	q, err := e.querier(r)
	if err != nil {
		return answer{}, err
	}
	defer q.Close()
	var parts []storage.SeriesSet
	hints := &storage.SelectHints{Start: q.from, End: q.to, Func: "series"} // no samples are read
	for _, set := range q.sets {
		parts = append(parts, q.Select(r.Context(), true, hints, set...))
	}
	merged := storage.NewMergeSeriesSet(parts, 0, storage.ChainedSeriesMerge)
	out := []labels.Labels{}
	a := answer{}
	for merged.Next() {
		if q.limit > 0 && len(out) == q.limit {
			a.warnings = append(a.warnings, "results truncated due to limit")
			break
		}
		out = append(out, merged.At().Labels())
	}
	if err := merged.Err(); err != nil {
		return answer{}, err
	}
	a.data = out
	return a, nil
}

// labelNames answers api/v1/labels.
func (e *Engine) labelNames(r *http.Request) (answer, error) {
	return e.names(r, func(q storage.Querier, set []*labels.Matcher) ([]string, error) {
		names, _, err := q.LabelNames(r.Context(), nil, set...)
		return names, err
	})
}

// labelValues answers api/v1/label/<name>/values. A name with characters beyond
// the classic ones comes escaped, as U__….
func (e *Engine) labelValues(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	if strings.HasPrefix(name, "U__") {
		name = model.UnescapeName(name, model.ValueEncodingEscaping)
	}
	if !model.UTF8Validation.IsValidLabelName(name) {
		return answer{}, &apiError{errorBadData, fmt.Errorf("invalid label name: %q", name)}
	}
	return e.names(r, func(q storage.Querier, set []*labels.Matcher) ([]string, error) {
		values, _, err := q.LabelValues(r.Context(), name, nil, set...)
		return values, err
	})
}

// names answers with the sorted union of what list says for each selector.
func (e *Engine) names(r *http.Request, list func(storage.Querier, []*labels.Matcher) ([]string, error)) (answer, error) {
	q, err := e.querier(r)
	if err != nil {
		return answer{}, err
	}
	defer q.Close()
	if len(q.sets) == 0 {
		q.sets = [][]*labels.Matcher{nil} // everything
	}
	found := map[string]bool{}
	for _, set := range q.sets {
		names, err := list(q, set)
		if err != nil {
			return answer{}, err
		}
		for _, n := range names {
			found[strings.Clone(n)] = true
		}
	}
	out := slices.AppendSeq([]string{}, maps.Keys(found))
	slices.Sort(out)
	a := answer{}
	if q.limit > 0 && len(out) > q.limit {
		out = out[:q.limit]
		a.warnings = append(a.warnings, "results truncated due to limit")
	}
	a.data = out
	return a, nil
}
