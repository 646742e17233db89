package engine

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// minTime and maxTime stand for a time that was not given: all there is.
var (
	minTime = time.Unix(math.MinInt64/1000+62135596801, 0).UTC()
	maxTime = time.Unix(math.MaxInt64/1000-62135596801, 999999999).UTC()
)

// timeParam reads a time in Unix seconds or RFC 3339; def stands for an empty one.
func timeParam(r *http.Request, name string, def time.Time) (time.Time, error) {
	s := r.FormValue(name)
	if s == "" && !def.IsZero() {
		return def, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		sec, frac := math.Modf(f)
		if !(math.Abs(sec) < 1<<53) { // NaN too
			return time.Time{}, badParam(name, fmt.Errorf("cannot parse %q to a valid timestamp", s))
		}
		return time.Unix(int64(sec), int64(math.Round(frac*1000)*float64(time.Millisecond))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, badParam(name, fmt.Errorf("cannot parse %q to a valid timestamp", s))
}

// durationParam reads a duration in seconds or as Prometheus writes it.
func durationParam(r *http.Request, name string) (time.Duration, error) {
	s := r.FormValue(name)
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if ns := f * float64(time.Second); math.Abs(ns) < math.MaxInt64 {
			return time.Duration(ns), nil
		}
		return 0, badParam(name, fmt.Errorf("cannot parse %q to a valid duration. It overflows int64", s))
	}
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	return 0, badParam(name, fmt.Errorf("cannot parse %q to a valid duration", s))
}

// limitParam reads how much of the answer is wanted at most; 0 is all.
func limitParam(r *http.Request) (int, error) {
	s := r.FormValue("limit")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, badParam("limit", err)
	}
	if n < 0 {
		return 0, badParam("limit", errors.New("limit must be non-negative"))
	}
	return n, nil
}

// matchParam reads the selectors of match[], each with a matcher that does not
// match everything.
func (e *Engine) matchParam(r *http.Request) ([][]*labels.Matcher, error) {
	sets, err := e.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, &apiError{errorBadData, err}
	}
	for _, set := range sets {
		all := true
		for _, m := range set {
			all = all && m.Matches("")
		}
		if all {
			return nil, &apiError{errorBadData, errors.New("match[] must contain at least one non-empty matcher")}
		}
	}
	return sets, nil
}

// span reads start and end; without them it is all of time.
func span(r *http.Request) (from, to int64, err error) {
	start, err := timeParam(r, "start", minTime)
	if err != nil {
		return 0, 0, err
	}
	end, err := timeParam(r, "end", maxTime)
	if err != nil {
		return 0, 0, err
	}
	return start.UnixMilli(), end.UnixMilli(), nil
}
