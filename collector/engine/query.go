package engine

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
)

// maxSteps is how many steps a range query may have, as in Prometheus: 11,000
// and the one at its start.
const maxSteps = 11_000

// query answers api/v1/query.
func (e *Engine) query(r *http.Request) (answer, error) {
	limit, err := limitParam(r)
	if err != nil {
		return answer{}, err
	}
	t, err := timeParam(r, "time", e.now())
	if err != nil {
		return answer{}, err
	}
	ctx, cancel, opts, err := queryContext(r)
	if err != nil {
		return answer{}, err
	}
	defer cancel()
	q, err := e.promql.NewInstantQuery(ctx, e.db, opts, r.FormValue("query"), t)
	if err != nil {
		return answer{}, refused(ctx, err)
	}
	return exec(ctx, q, r.FormValue("query"), limit)
}

// queryRange answers api/v1/query_range.
func (e *Engine) queryRange(r *http.Request) (answer, error) {
	limit, err := limitParam(r)
	if err != nil {
		return answer{}, err
	}
	start, err := timeParam(r, "start", time.Time{})
	if err != nil {
		return answer{}, err
	}
	end, err := timeParam(r, "end", time.Time{})
	if err != nil {
		return answer{}, err
	}
	step, err := durationParam(r, "step")
	if err != nil {
		return answer{}, err
	}
	switch {
	case end.Before(start):
		return answer{}, badParam("end", errors.New("end timestamp must not be before start time"))
	case step <= 0:
		return answer{}, badParam("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	case end.Sub(start)/step > maxSteps:
		return answer{}, &apiError{errorBadData, errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")}
	}
	ctx, cancel, opts, err := queryContext(r)
	if err != nil {
		return answer{}, err
	}
	defer cancel()
	q, err := e.promql.NewRangeQuery(ctx, e.db, opts, r.FormValue("query"), start, end, step)
	if err != nil {
		return answer{}, refused(ctx, err)
	}
	return exec(ctx, q, r.FormValue("query"), limit)
}

// queryContext applies the parameters timeout and lookback_delta.
func queryContext(r *http.Request) (context.Context, context.CancelFunc, promql.QueryOpts, error) {
	lookback := time.Duration(0)
	if r.FormValue("lookback_delta") != "" {
		d, err := durationParam(r, "lookback_delta")
		if err != nil {
			return nil, nil, nil, err
		}
		lookback = d
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if r.FormValue("timeout") != "" {
		d, err := durationParam(r, "timeout")
		if err != nil {
			return nil, nil, nil, err
		}
		ctx, cancel = context.WithTimeout(ctx, d)
	}
	return ctx, cancel, promql.NewPrometheusQueryOpts(false, lookback), nil
}

// refused says why there is no query: it does not parse, or its time was over
// before its turn came.
func refused(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && errors.Is(err, cause) {
		return classify(cause)
	}
	return badParam("query", err)
}

// exec runs q. The value is encoded later, by respond; q is closed then.
func exec(ctx context.Context, q promql.Query, text string, limit int) (answer, error) {
	res := q.Exec(ctx)
	if res.Err != nil {
		q.Close()
		return answer{}, classify(res.Err)
	}
	a := answer{}
	a.annotated(res.Warnings, text)
	if truncate(res, limit) {
		a.warnings = append(a.warnings, "results truncated due to limit")
	}
	a.data = result{res.Value, q.Close}
	return a, nil
}

// truncate cuts the value to limit series and reports whether it had more.
func truncate(res *promql.Result, limit int) bool {
	if limit == 0 {
		return false
	}
	switch v := res.Value.(type) {
	case promql.Matrix:
		if len(v) > limit {
			res.Value = v[:limit]
			return true
		}
	case promql.Vector:
		if len(v) > limit {
			res.Value = v[:limit]
			return true
		}
	}
	return false
}
