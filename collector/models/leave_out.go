package models

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/feedback"
)

// named takes in the labels of the row under way, whose brace was read. What is no text names
// nothing.
func (r *Rows) named(dec *json.Decoder) error {
	var pairs []string
	err := r.object(dec, func(name string, v any) error {
		if text, ok := v.(string); ok {
			pairs = append(pairs, name, text)
		}
		return nil
	}, false)
	if err != nil || len(pairs) == 0 {
		return err
	}
	if r.labels == nil {
		r.labels = map[int]labels.Labels{}
	}
	r.labels[r.N-1] = labels.FromStrings(pairs...)
	return nil
}

// LeaveOut returns the rows that may be learned from, without those whose
// time, or the time of whose target, horizon later, excluded says is not. A row without
// labels is no row of series that are named. Rows without times are all kept, as nobody knows of when they are.
func (r *Rows) LeaveOut(excluded func(signal string, ls labels.Labels) []feedback.Span, horizon time.Duration) *Rows {
	if r.Times == nil || excluded == nil {
		return r
	}
	spans := map[string][]feedback.Span{}
	keep := make([]int, 0, r.N)
	for i, t := range r.Times {
		ls := r.labels[i]
		key := ls.String()
		if _, known := spans[key]; !known {
			spans[key] = excluded("", ls)
		}
		if !slices.ContainsFunc([]int64{t, t + horizon.Milliseconds()}, func(t int64) bool { return feedback.In(spans[key], t) }) {
			keep = append(keep, i)
		}
	}
	left := r.only(keep)
	left.LeftOut = r.N - len(keep)
	return left
}
