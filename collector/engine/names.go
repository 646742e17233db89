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

// series answers api/v1/series: the label sets that the selectors match.
func (e *Engine) series(r *http.Request) (answer, error) {
	limit, err := limitParam(r)
	if err != nil {
		return answer{}, err
	}
	if len(r.Form["match[]"]) == 0 {
		return answer{}, &apiError{errorBadData, fmt.Errorf("no match[] parameter provided")}
	}
	from, to, err := span(r)
	if err != nil {
		return answer{}, err
	}
	sets, err := e.matchParam(r)
	if err != nil {
		return answer{}, err
	}
	q, err := e.db.Querier(from, to)
	if err != nil {
		return answer{}, &apiError{errorInternal, err}
	}
	defer q.Close()
	var parts []storage.SeriesSet
	hints := &storage.SelectHints{Start: from, End: to, Func: "series"} // no samples are read
	for _, set := range sets {
		parts = append(parts, q.Select(r.Context(), true, hints, set...))
	}
	merged := storage.NewMergeSeriesSet(parts, 0, storage.ChainedSeriesMerge)
	out := []labels.Labels{}
	a := answer{}
	for merged.Next() {
		if limit > 0 && len(out) == limit {
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
	limit, err := limitParam(r)
	if err != nil {
		return answer{}, err
	}
	from, to, err := span(r)
	if err != nil {
		return answer{}, err
	}
	sets, err := e.matchParam(r)
	if err != nil {
		return answer{}, err
	}
	q, err := e.db.Querier(from, to)
	if err != nil {
		return answer{}, &apiError{errorInternal, err}
	}
	defer q.Close()
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil} // everything
	}
	found := map[string]bool{}
	for _, set := range sets {
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
	if limit > 0 && len(out) > limit {
		out = out[:limit]
		a.warnings = append(a.warnings, "results truncated due to limit")
	}
	a.data = out
	return a, nil
}
