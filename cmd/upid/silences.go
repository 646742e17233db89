package main

import (
	"context"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/upid/upid/collector/advice"
	"github.com/upid/upid/collector/feedback"
	"github.com/upid/upid/collector/pipeline"
	"github.com/upid/upid/collector/signal"
)

// silences are those that the Alertmanagers know, as feedback reads them.
func (s *sidecar) silences(ctx context.Context) ([]feedback.Silence, error) {
	known, err := s.notifier.Silences(ctx)
	var out []feedback.Silence
	for _, k := range known {
		f := feedback.Silence{ID: k.ID, Comment: k.Comment, By: k.By, From: k.From.UnixMilli(), To: k.To.UnixMilli()}
		bad := false
		for _, m := range k.Matchers {
			kind := labels.MatchEqual
			switch {
			case m.Regex && m.Negated:
				kind = labels.MatchNotRegexp
			case m.Regex:
				kind = labels.MatchRegexp
			case m.Negated:
				kind = labels.MatchNotEqual
			}
			matcher, merr := labels.NewMatcher(kind, m.Name, m.Value)
			if merr != nil {
				bad = true // Alertmanager would not have taken it
				break
			}
			f.Matchers = append(f.Matchers, matcher)
		}
		if !bad {
			out = append(out, f)
		}
	}
	return out, err
}

// excluder is a unit that can leave times out of what it learns.
type excluder interface {
	Exclude(when func(signal string, ls labels.Labels) []feedback.Span)
}

var _, _ excluder = (*signal.Unit)(nil), (*advice.Sizes)(nil)

// exclude tells the units of signals and of sizes what is not learned from.
func (s *sidecar) exclude(ts []pipeline.Task) {
	for _, t := range ts {
		if u, ok := t.Unit.(excluder); ok {
			u.Exclude(s.book.Of)
		}
	}
}
